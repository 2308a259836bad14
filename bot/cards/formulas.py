"""Where formulas and groups start and end in a text with LaTeX."""

import re
import sys
from collections.abc import Sequence

Formula = tuple[int, int, int, int]
"""Where it starts, where its content starts and ends, where it ends."""

BRACKET = re.compile(r"\\(?P<mark>begin|end)\{(?P<name>[A-Za-z]{1,20}\*?)\}|\\[\s\S]|[{}]")
_ENVIRONMENT = r"\\begin\{(?:equation|align|gather|multline|eqnarray|displaymath)\*?\}"
_DELIMITER = re.compile(rf"{_ENVIRONMENT}|\\end\{{\w+\*?\}}|\\[\s\S]|\$\$?")
_CLOSERS = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_MATH_SIGN = re.compile(r"[\\^_{]")
_PROSE = re.compile(r"^\s|\s$|^\d.*[A-Za-z]{3}", re.S)
_ENGLISH = re.compile(r"[A-Za-z]{2}")
_NOWHERE = (sys.maxsize,) * 4


def math_spans(text: str) -> list[tuple[int, int]]:
    r"""Start and end of every formula in `text`, delimiters included: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, equation.

    A lonely dollar and a price (`from $5 to $10`) are none.
    """
    return [(start, end) for start, _, _, end in formulas(text)]


def formulas(text: str) -> list[Formula]:
    """Every formula in `text`, in order; none within another."""
    found: list[Formula] = []
    start, opener, closer, position = 0, "", "", 0
    while delimiter := _DELIMITER.search(text, position):
        mark, here, position = delimiter[0], delimiter.start(), delimiter.end()
        content = start + len(opener), here
        if closer and mark.startswith(closer) and _is_formula(text, opener, *content):
            position = here + len(closer)
            found.append((start, *content, position))
            closer = ""
        elif not closer or opener.startswith("$") == mark.startswith("$"):
            closing = _CLOSERS.get(mark) or (mark.replace("begin", "end") if mark.startswith(r"\begin") else "")
            # An align within \[…\] is a part of it.
            if closing and not (closer == r"\]" and mark.startswith(r"\begin")):
                start, opener, closer = here, mark, closing
    return found


def _is_formula(text: str, opener: str, start: int, end: int) -> bool:
    content = text[start:end]
    if opener != "$" or _MATH_SIGN.search(content):
        return bool(content.strip())
    is_price = content.strip()[:1].isdigit() and text[end + 1 :].lstrip()[:1].isdigit()
    is_prose = _PROSE.search(content) and _ENGLISH.search(content)
    return bool(content.strip()) and not is_price and not is_prose


def closings(text: str, among: Sequence[Formula]) -> dict[int, tuple[int, int]]:
    r"""Of each `{` and `\begin{…}`: where what closes it starts and ends. What has no partner is left out.

    Pairs never cross each other, nor the border of a formula: whoever reads one within another never turns back.
    """
    found: dict[int, tuple[int, int]] = {}
    # Open brackets outside formulas, and within the present one: where each starts, and its kind.
    outside: list[tuple[int, str]] = []
    inside: list[tuple[int, str]] = []
    rest = iter(among)
    _, formula_start, formula_end, _ = next(rest, _NOWHERE)
    for bracket in BRACKET.finditer(text):
        here, kind = bracket.start(), bracket["name"] or "{"
        while here >= formula_end:
            _, formula_start, formula_end, _ = next(rest, _NOWHERE)
            inside = []
        opened = inside if here >= formula_start else outside
        if bracket["mark"] == "begin" or bracket[0] == "{":
            opened.append((here, kind))
        elif bracket["mark"] == "end" and opened and opened[-1][1] == kind:
            found[opened.pop()[0]] = bracket.span()
        elif bracket[0] == "}":
            while opened and opened[-1][1] != "{":
                opened.pop()
            if opened:
                found[opened.pop()[0]] = bracket.span()
    return found
