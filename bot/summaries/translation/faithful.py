"""Whether a translation may be shown: its script, its length, its numbers, and no loop. Pure functions.

They look at texts from which the protected pieces have been taken out, so that a formula counts neither way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Fault = Literal["empty", "script", "left over", "loop", "length", "numbers"]
"""What is wrong with a translation: in the log at level debug."""


@dataclass(frozen=True, slots=True)
class Language:
    """What a text of a target language looks like.

    `letters`: its script, inside square brackets of a pattern; empty: Latin, which the source shares. One sign of
    Chinese says what several Latin letters do, hence `letters_for_one_latin`.
    `lengths`: the fewest and the most characters for one of English. `joint` stands between sentences.
    `scales`: words that multiply the number before them; a language without them here is not held to "million".
    """

    letters: str = ""
    letters_for_one_latin: float = 1.0
    lengths: tuple[float, float] = (0.4, 2.5)
    joint: str = " "
    decimal_comma: bool = False
    scales: Mapping[str, int] = field(default_factory=dict)


_MYRIADS = {
    **{"千": 10**3, "万": 10**4, "十万": 10**5, "百万": 10**6, "千万": 10**7},
    **{"亿": 10**8, "十亿": 10**9, "百亿": 10**10, "千亿": 10**11, "万亿": 10**12},
}
_CHINESE = Language("一-鿿㐀-䶿", 0.5, (0.1, 1.0), "", scales=_MYRIADS)
_CYRILLIC = Language("Ѐ-ӿ", decimal_comma=True)
_LATIN_WITH_COMMA = Language(decimal_comma=True)
LANGUAGES: dict[str, Language] = {
    "zh": _CHINESE,
    "zh-Hans": _CHINESE,
    "zh-Hant": _CHINESE,
    "ja": Language("一-鿿㐀-䶿ぁ-ヿ", 0.5, (0.15, 1.3), ""),
    "ko": Language("가-힣", 0.5, (0.2, 1.3)),
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "mk"), _CYRILLIC),
    **dict.fromkeys(("de", "fr", "es", "it", "pt", "nl", "pl", "cs", "tr", "sv", "da", "fi"), _LATIN_WITH_COMMA),
    "el": Language("Ͱ-Ͽ", decimal_comma=True),
    "ar": Language("؀-ۿ"),
    "fa": Language("؀-ۿ"),
    "he": Language("֐-׿"),
    "hi": Language("ऀ-ॿ"),
}
"""What is known of target languages; any other is taken for one in Latin letters."""

LEAST_SHARE = 0.5
"""Of a translation's letters that are of the language's own script. Names and formulas are not counted."""

_WORDS_LEFT = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]{2,}[\s,]+){3}[A-Za-z]{2,}")
_LOOP = re.compile(r"(.)\1{7}|(.{2,40}?)\2{3}", re.S)
_LATIN = re.compile(r"[A-Za-z]")
_SHORT = 12
"""Characters by which a translation may miss the usual lengths: a title of two words has no ratio."""

_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SOURCE_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.,)\]%])[-−])?(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?P<part>\.[0-9]+)?"
    rf"(?:\s?(?P<scale>{'|'.join(_SCALES)})\b)?(?P<percent>\s?(?:\\?%|percent\b(?!age)|per cent\b))?",
    re.I,
)
_SPELT = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
    **{"eleven": 11, "twelve": 12, "dozen": 12, "a": 1, "an": 1, "single": 1, "half": 2, "both": 2, "pair": 2},
    **{"first": 1, "second": 2, "third": 3, "fourth": 4, "once": 1, "twice": 2, "double": 2, "triple": 3},
    **{"twofold": 2, "threefold": 3, "fourfold": 4},
}
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
_MONTHS += ["September", "October", "November", "December"]
_NUMBER_OF = _SPELT | {month: number for number, month in enumerate(_MONTHS, 1)}


@dataclass(frozen=True, slots=True)
class _Number:
    values: frozenset[Decimal]  # "3 千" is 3,000, or 3 before 千米
    is_percent: bool


def fault(source: str, translation: str, language: Language) -> Fault | None:
    """What forbids to show a translation of `source`, which has words in it; None: nothing."""
    text = translation.strip()
    least, most = language.lengths
    if not text:
        return "empty"
    if language.letters and not _is_in_script(text, language):
        return "script"
    if _WORDS_LEFT.search(text) if language.letters else text == source.strip() and len(text.split()) > 3:
        return "left over"
    if _LOOP.search(text) and not _LOOP.search(source):
        return "loop"
    if not least * len(source) - _SHORT <= len(text) <= most * len(source) + _SHORT:
        return "length"
    return None if same_numbers(source, text, language) else "numbers"


def _is_in_script(text: str, language: Language) -> bool:
    own = len(re.findall(f"[{language.letters}]", text))
    foreign = len(_LATIN.findall(text)) * language.letters_for_one_latin
    return own > 0 and own >= LEAST_SHARE * (own + foreign)


def same_numbers(source: str, translation: str, language: Language) -> bool:
    """Whether all numbers of an English text are in its translation, with sign, scale and percent, and no others.

    A small number or a month that English spells ("two datasets", "in May") may be a figure in the translation.
    """
    left = _translated(translation, language)
    for wanted in _english(source, language):
        found = next(
            (
                number
                for number in left
                if number.values & wanted.values and (number.is_percent == wanted.is_percent or not language.scales)
            ),
            None,
        )
        if found is None:
            return False
        left.remove(found)
    words = re.findall(r"[A-Za-z]+", source)
    spelt = {Decimal(_NUMBER_OF[form]) for word in words for form in (word, word.lower()) if form in _NUMBER_OF}
    return all(number.values & spelt for number in left)


def _english(text: str, language: Language) -> list[_Number]:
    found = []
    for match in _SOURCE_NUMBER.finditer(text):
        plain = Decimal(match["digits"].replace(",", "") + (match["part"] or "")) * (-1 if match["sign"] else 1)
        scaled = plain * _SCALES[match["scale"].lower()] if match["scale"] else plain
        values = frozenset({scaled} if language.scales else {plain, scaled})
        found.append(_Number(values, bool(match["percent"])))
    return found


def _translated(text: str, language: Language) -> list[_Number]:
    found = []
    group, point = (r"[.\s]", ",") if language.decimal_comma else (",", r"\.")
    scales = "|".join(sorted(language.scales, key=len, reverse=True)) or "(?!)"
    pattern = (
        rf"(?P<per>百分之)?(?P<sign>负\s?|(?<![A-Za-z0-9.,)\]%])[-−])?(?P<digits>[0-9]{{1,3}}(?:{group}[0-9]{{3}})+(?![0-9])|"
        rf"[0-9]+)(?:{point}(?P<part>[0-9]+))?(?:\s?[余多]?(?P<scale>{scales}))?(?P<percent>\s?[%％])?"
    )
    for match in re.finditer(pattern, text):
        digits = re.sub(r"[^0-9]", "", match["digits"])
        plain = Decimal(f"{digits}.{match['part'] or 0}") * (-1 if match["sign"] else 1)
        values = {plain, plain * language.scales[match["scale"]]} if match["scale"] else {plain}
        found.append(_Number(frozenset(values), bool(match["percent"] or match["per"])))
    return found
