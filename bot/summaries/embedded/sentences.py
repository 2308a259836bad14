"""Where the sentences of an abstract begin and end."""

import re
from bisect import bisect_right

from bot.cards.formulas import math_spans

# What a dot follows without ending a sentence.
_ABBREVIATION = re.compile(
    "al|vs|cf|resp|figs?|eqn?s?|secs?|sect|refs?|tab|thms?|prop|lem|cor|def|approx|viz|ca|dr|mrs?|ms|prof|st|vol|"
    "chap|ch|app|pp|incl|ex|rem|nos?|eds?|jr|etc|art|astron|astrophys|phys|lett|proc|publ|bull|trans|sov|commun|inform"
)
# Only before a figure: "No. 5", but "the answer is no."; "pp. 5", but "by 0.5 pp."
_BEFORE_FIGURES = re.compile("nos?|ex|ch|app|def|cor|prop|rem|tab|st|ms|eds?|pp|art")
# Opens a sentence even after an abbreviation or an initial: "… by Smith et al. We show …".
_OPENERS = (
    "we|this|these|those|that|the|our|it|its|in|on|an|for|to|such|here|however|moreover|furthermore|additionally|"
    "finally|then|thus|hence|therefore|also|as|if|when|while|using|by|with|from|existing|recent|previous|there|both|"
    "although|despite|experiments|results|extensive"
)
_OPENER = re.compile(_OPENERS)
# "(ii) …" and "(b) …" open an item; "(see …" goes on.
_ITEM = re.compile(r"\((?:[ivx]+|[a-h])\)")

# "…as before.We show" has lost its space, and so has "$x = 1$.We show".
_GLUED = re.compile(rf"(?:(?<=[a-z]{{3}}[.?!])|(?<=[\])$][.?!]))(?=[A-Z])(?=(?i:{_OPENERS}) )")
_END = re.compile(r"[.!?…]+[\"'”’)\]}]*(?= )")
_WORD_BEFORE = re.compile(r"[^\s(\[{~“\"$]+$")
_DOTTED = re.compile(r"(?:[A-Za-z]\.-?)+")
_FIRST_WORD = re.compile(r"[\"'“‘(\[{`*]*([^\s]+)")
# "https://example. org/Code": the space is a slip.
_REST_OF_LINK = re.compile(r"(?:com|org|io|edu|net|co|ai)/")
_ITEM_NUMBER = re.compile(r"(?:^|[:;,] )\(?\d{1,2}\.$")


def split(text: str) -> list[str]:
    """The sentences of `text`, none cut inside a formula.

    Joined by single spaces they are `text` again, every run of white space one space, with one where the author
    forgot it.
    """
    text = _GLUED.sub(" ", " ".join(text.split()))
    spans = math_spans(text)
    starts = [start for start, _ in spans]
    sentences, begin = [], 0
    for end in _END.finditer(text):
        span = bisect_right(starts, end.start()) - 1
        inside_formula = span >= 0 and end.start() < spans[span][1]
        if not inside_formula and _is_end(text[begin : end.end()], end[0], text[end.end() + 1 : end.end() + 81]):
            sentences.append(text[begin : end.end()])
            begin = end.end() + 1
    return [*sentences, text[begin:]] if text[begin:] else sentences


def _is_end(before: str, mark: str, after: str) -> bool:
    first = _FIRST_WORD.match(after)
    word = first[1] if first else after
    starts = any(sign.isupper() for sign in word) or word[:1].isdigit() or word[:1] in "$\\" or _ITEM.match(after)
    if _REST_OF_LINK.match(word):
        return False
    if not starts or _in_brackets(before, after):
        return False
    if mark != ".":
        return not before.endswith((" ...", ",...", ", …", " …"))
    return not _ITEM_NUMBER.search(before) and not _is_abbreviated(before, word)


def _in_brackets(before: str, after: str) -> bool:
    """Whether a bracket is open that closes soon: a reference such as `[Ann. Math. 3 (2020)]`."""
    return any(
        before.count(opening) > before.count(closing) and after.count(closing) > after.count(opening)
        for opening, closing in ("()", "[]")
    )


def _is_abbreviated(before: str, next_word: str) -> bool:
    found = _WORD_BEFORE.search(before[-40:])  # longer than any abbreviation
    last = found[0].lower().rstrip(".") if found else ""
    opens = bool(_OPENER.fullmatch(next_word.strip(",").lower()))
    if _DOTTED.fullmatch(last + "."):
        return last in ("e.g", "i.e") or not opens
    name = last.rsplit("-", 1)[-1]
    if _BEFORE_FIGURES.fullmatch(name):
        return next_word[:1].isdigit()
    return bool(_ABBREVIATION.fullmatch(name)) and not (opens and name in ("al", "etc"))
