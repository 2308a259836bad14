"""Formulas as MathML Core (https://www.w3.org/TR/mathml-core/), which browsers draw by themselves, without JavaScript.

What a converter makes of a formula is built anew from the few elements and attributes that a formula needs: it escapes
nothing, and would pass on links. A formula that it does not wholly understand stays the Unicode that chats have.
"""

import re
from html import escape, unescape
from itertools import zip_longest
from xml.etree.ElementTree import Element

from markupsafe import Markup
from pylatexenc.latex2text import fmt_math_text_style

from bot.cards.formulas import formulas
from bot.cards.latex import LONGEST, readable
from bot.cards.plain import plain

LONGEST_FORMULA = 300
"""Characters. Of 24,500 formulas in 11,200 papers all but a few are shorter; the converter takes some 20 ms for it."""
_MOST_OF_A_TEXT = 3_000
"""Characters of formulas that are converted in one text."""

_FIRST = 0x13000
_STAND_IN = re.compile("[\U00013000-\U0001342e]")
"""Stand for drawn formulas while the text around them is read. A dash beside one is to be seen as one beside a word, so
these are letters: https://www.unicode.org/charts/PDF/U13000.pdf"""

_ELEMENTS = re.compile(
    "mfrac|mi|mn|mo|mover|mpadded|mroot|mrow|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtext|mtr|munder|munderover"
)
_ATTRIBUTES = re.compile(
    "accent|accentunder|columnalign|depth|displaystyle|fence|form|height|largeop|linethickness|lspace|maxsize|minsize|"
    "movablelimits|rspace|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_VALUE = re.compile(r"[\w.+-]{1,20}%?", re.ASCII)
_ALPHABETS = {
    "bold": "bold",
    "bold-fraktur": "bold-fraktur",
    "bold-italic": "bold-italic",
    "bold-script": "bold-script",
    "double-struck": "doublestruck",
    "fraktur": "fraktur",
    "italic": "italic",
    "monospace": "monospace",
    "sans-serif": "sans",
    "script": "script",
}
"""MathML's names of alphabets, which MathML Core leaves to Unicode, and pylatexenc's."""
# Macros of the author's own could make much of little; the others are no formula.
_REFUSED = re.compile(r"\\(?:def|let|(?:re|provide)?(?:new)?command|DeclareMathOperator|href|url|class|style|id|ref)\b")


class _UnknownError(Exception):
    """The converter left something of a formula as it was."""


def with_formulas(text: str) -> Markup:
    """A text of arXiv's as HTML: `readable`, but its formulas drawn, with what is `readable` of each as its `alttext`.

    Never raises. Takes some 3 ms for an abstract with formulas, and never more than half a second.
    """
    if len(text) > LONGEST or _STAND_IN.search(text):
        return Markup(escape(plain(readable(text))))  # noqa: S704 -- it is escaped here
    drawings: list[str] = []
    pieces, last, room = [], 0, _MOST_OF_A_TEXT
    for start, inner, inner_end, end in formulas(text):
        room -= inner_end - inner
        drawing = _drawn(text[inner:inner_end], text[start:end]) if room >= 0 else None
        if drawing is not None:
            # The text around it is read as it would be with the formula: a dollar makes it one with LaTeX.
            pieces += [text[last:start], f"${chr(_FIRST + len(drawings))}$"]
            drawings.append(drawing)
            last = end
    html = escape(plain(readable("".join([*pieces, text[last:]]))))
    return Markup(_STAND_IN.sub(lambda found: drawings[ord(found[0]) - _FIRST], html))  # noqa: S704 -- escaped here


def _drawn(formula: str, whole: str) -> str | None:
    if len(formula) > LONGEST_FORMULA or _REFUSED.search(formula):
        return None
    # It takes a quarter of a second and 14 MB, once there is a formula.
    from latex2mathml.converter import convert_to_element

    try:
        inner = _row(convert_to_element(plain(formula)))
    except Exception:  # of many kinds, for what it does not understand; and ours
        return None
    return f'<math alttext="{escape(plain(readable(whole)))}">{inner}</math>'


def _row(parent: Element) -> str:
    html = ""
    for child, following in zip_longest(parent, parent[1:]):
        html += _built(child)
        # TeX leaves a gap between a function's name and its argument.
        if _is_name(child) and following is not None and following.tag != "mo" and parent.tag in ("math", "mrow"):
            html += '<mspace width="0.167em"></mspace>'
    return html


def _is_name(element: Element) -> bool:
    return element.tag == "mi" and len(unescape(element.text or "")) > 1


def _built(element: Element) -> str:
    if not _ELEMENTS.fullmatch(element.tag):
        raise _UnknownError(element.tag)
    text = unescape(element.text or "")
    if "\\" in text or (element.tag == "mi" and len(text) > 1 and not text.isalpha()):
        raise _UnknownError(text)
    if element.tag == "mi" and text == "~":
        text = "∼"
    variant = element.attrib.get("mathvariant", "")
    if variant in _ALPHABETS:
        text = fmt_math_text_style(text, _ALPHABETS[variant])
    kept = {
        name: value for name, value in element.attrib.items() if _ATTRIBUTES.fullmatch(name) and _VALUE.fullmatch(value)
    }
    if variant == "normal":
        kept["mathvariant"] = variant
    attributes = "".join(f' {name}="{value}"' for name, value in kept.items())
    return f"<{element.tag}{attributes}>{escape(text)}{_row(element)}</{element.tag}>"
