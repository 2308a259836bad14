"""Texts from outside without the characters that nobody sees but that change how the text around them reads."""

import re

_UNSEEN = re.compile(
    "["
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # controls, other than tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing
    "\u2028\u2029"  # line breaks that are no line feed
    "\ud800-\udfff"  # halves of a character, which no encoder takes
    "]"
)


def plain(text: str) -> str:
    """`text` without control characters and marks that change the direction of writing; tabs and line feeds stay."""
    return _UNSEEN.sub("", text)
