"""Quotes and dashes as TeX has them typed, as the signs that they stand for."""

import re

_LINK = r"(?P<link>https?://\S+)"
_QUOTED = re.compile(rf"{_LINK}|``(?P<words>(?:(?!``|''|[“”\"]).){{1,300}})(?:''|\")", re.S)
# Between words or numbers, or with a space on both sides; `--option` and `-->` are something else.
_DASH = re.compile(rf"{_LINK}|(?<=[\w)\]}}”’\".,%°×])---?(?=[\w(\[“\s])|(?<=\s)---?(?=\s)")


def typeset(text: str) -> str:
    """`text` with ``quotes'' and dashes (`10--20`, `so---it seems`) as signs; links stay as they are."""
    if "``" in text:
        text = _QUOTED.sub(lambda found: found["link"] or f"“{found['words']}”", text)
    if "--" in text:
        text = _DASH.sub(_dash, text)
    return text


def _dash(found: re.Match[str]) -> str:
    return found["link"] or ("—" if "---" in found[0] else "–")
