"""Numbers: each one in a summary stands in title or abstract, and the Chinese keeps those of the English."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.summaries.checks.finding import Finding, Source, Text


def _values(listed: str, first: int = 0, step: int = 1) -> dict[str, int]:
    return {word: first + step * index for index, word in enumerate(listed.split())}


_ONES = _values(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = _values("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
_WORDS = _ONES | _TENS
_SCALES = {
    **{"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12},
    **{"百": 100, "千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "十亿": 10**9, "百亿": 10**10},
    **{"千亿": 10**11, "万亿": 10**12},
}
# What says a number without being one; only in a source, where it allows that number.
_ALSO = {
    **{"single": 1, "once": 1, "first": 1, "second": 2, "both": 2, "pair": 2, "twice": 2, "double": 2, "doubl": 2},
    **{"dual": 2, "couple": 2, "twofold": 2, "binary": 2, "bi": 2, "third": 3, "tripl": 3, "thrice": 3, "ternary": 3},
    **{"threefold": 3, "fourth": 4, "quadrupl": 4, "quarter": 25, "fifth": 5, "tenfold": 10, "dozen": 12, "half": 50},
    **{"halv": 50, "II": 2, "III": 3, "IV": 4},
}
_ALSO_WORD = re.compile(rf"\b(?:({'|'.join(each for each in _ALSO if each.islower())})\w{{0,3}}|(II|III|IV))\b")

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)(?:\.\d+)?|\.\d+"
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES)}))?|{'|'.join(_ONES)})"
_NUMBER = re.compile(
    rf"(?P<digits>(?<![\d.]){_DIGITS})"
    r"(?:(?P<power> ?\^ ?-?\d+|[eE][+-]?\d+)"
    r"|(?P<scale>[kKMBT](?![A-Za-z])|[ -]?(?:hundred|thousand|million|billion|trillion)|"
    r" ?(?:百万|千万|十亿|百亿|千亿|万亿|百|千|万|亿)))?"
    rf"|\b(?P<word>{_WORD})\b(?P<word_scale>[ -](?:hundred|thousand|million|billion|trillion))?",
    re.I,
)
# "A2C", "seq2seq", "3D", a link: for the guards of names and links. "x5" is a number.
_NO_NUMBER = re.compile(r"https?://\S+|(?<![A-Za-z0-9\\])(?!x\d)[A-Za-z]+\d+(?:\.\d+)?[A-Za-z]*|(?<![\w.])[23]-?[dD]\b")
_ITEM = re.compile(r"(?:^|(?<=\s))\(?[1-9][).](?=\s)")  # "(1) …", "2) …"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPT = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CHINESE_DIGITS = {**{sign: value for value, sign in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2}
_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?")
_CHINESE_SHARE = re.compile(rf"百分之({_CHINESE.pattern})")
_LARGEST_POWER = 30


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written, its value, and the values that its parts would have alone."""

    written: str
    value: Decimal
    parts: frozenset[Decimal] = frozenset()

    @property
    def is_in_figures(self) -> bool:
        return not self.written[:1].isalpha()


def stated(text: str) -> list[Number]:
    """The numbers that a text states, in figures or (from three on) in English words."""
    plain = _NO_NUMBER.sub(" ", _ITEM.sub(" ", _plain(text)))
    found = [number for number in _numbers(plain) if number.is_in_figures or number.value > 2]
    shares = (Number(share[0], value) for share in _CHINESE_SHARE.finditer(plain) for value in _chinese(share[1]))
    return [*found, *shares]


def known(text: str) -> set[Decimal]:
    """Every value that a text gives somebody the right to state: 0.4 also 40 (per cent), `both` also 2."""
    plain = _plain(text)
    values: set[Decimal] = set()
    for number in _numbers(plain):
        values |= {number.value, *number.parts}
    for word in _ALSO_WORD.finditer(plain):
        values.add(Decimal(_ALSO[word[1] or word[2]]))
    values |= {Decimal(value) for word, value in _SCALES.items() if len(word) > 1 and word in plain.lower()}
    for run in _CHINESE.finditer(plain):
        values |= set(_chinese(run[0]))
    if "半" in plain:
        values.add(Decimal(50))
    return (
        values | {_normal(value * 100) for value in values if value < 10} | {_normal(value / 100) for value in values}
    )


def number(texts: Sequence[Text], source: Source) -> Iterator[Finding]:
    """A number that neither title nor abstract has is invented."""
    allowed = known(source.text)
    for text in texts:
        if invented := [each.written for each in stated(text.text) if not _is_in(each, allowed)]:
            yield Finding("number", "reject", text.field, f"not in title or abstract: {_listed(invented)}")


def kept(texts: Sequence[Text], _source: Source) -> Iterator[Finding]:
    """A number in figures stands in the Chinese as in the English."""
    for text in texts:
        if text.language == "zh":
            there = known(text.text)
            english = [each for each in stated(text.english) if each.is_in_figures]
            if lost := [each.written for each in english if not _is_in(each, there)]:
                yield Finding(
                    "kept", "retry", text.field, f"the English has these numbers, this has not: {_listed(lost)}"
                )


def _is_in(number: Number, values: set[Decimal]) -> bool:
    return number.value in values or (bool(number.parts) and number.parts <= values)


def _listed(written: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(each.strip()[:20] for each in written[:8]))


def _plain(text: str) -> str:
    """The same with numbers as plain text: `$10{,}000$` is 10,000 and `$10^{4}$` and 10⁴ are 10^4."""
    text = re.sub(r"(?<=\d)(?:\{,\}|\\,|\\ |[\u2009\u202f\u00a0](?=\d{3}))(?=\d)", ",", text)
    text = _SUPERSCRIPT.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"\^ ?\{ ?([^{}]{1,12}?) ?\}", r"^\1", text)
    return text.replace("$", "").replace("\u2212", "-").replace("，", ", ")


def _numbers(plain: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(plain):
        if match["word"]:
            parts = [Decimal(_WORDS[each]) for each in re.split("[ -]", match["word"].lower())]
            value = sum(parts, Decimal(0))
            if match["word_scale"]:
                value *= _SCALES[match["word_scale"].strip(" -").lower()]
            yield Number(match[0], _normal(value))
            continue
        bare = _normal(Decimal(match["digits"].replace(",", "")))
        scale, power = match["scale"], match["power"]
        if scale:
            yield Number(match[0], _normal(bare * _SCALES[scale.strip(" -").lower()]))
        elif power:
            exponent = int(power.lstrip(" ^eE"))
            is_base = "^" in power
            value = bare
            if abs(exponent) <= _LARGEST_POWER and bare and len(str(bare)) <= _LARGEST_POWER:
                value = _normal(bare**exponent if is_base else bare.scaleb(exponent))
            yield Number(match[0], value, frozenset({bare, Decimal(abs(exponent))}))
        else:
            yield Number(match[0], bare)


def _normal(value: Decimal) -> Decimal:
    """Rounded to the context's 28 figures, so that a value that was computed equals one that was written."""
    return +value


def _chinese(run: str) -> Iterator[Decimal]:
    """The value of a Chinese numeral such as 三百二十 or 三点五; none for one that is no number."""
    whole, _, fraction = run.partition("点")
    total, section, digit = 0, 0, 0
    for sign in whole[:20]:
        if sign in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[sign]
        elif sign in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[sign]
            digit = 0
        else:
            total = (total + (section + digit or 1)) * {"万": 10**4, "亿": 10**8}[sign]
            section = digit = 0
    tail = "".join(str(_CHINESE_DIGITS[sign]) for sign in fraction[:20])
    yield Decimal(f"{total + section + digit}.{tail or 0}").normalize()
