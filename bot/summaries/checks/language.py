"""Language: English texts are English, Chinese ones Chinese, and simplified."""

import re
from collections.abc import Iterator, Sequence

from bot.summaries.checks.finding import Finding, Source, Text

LEAST_HAN = 0.3
"""The least share of Chinese characters among the letters of a Chinese text, formulas and names of things aside."""
LEAST_HAN_IN_TITLE = 0.15
"""Titles are often half a name: `BERT: …`."""
LEAST_LATIN = 0.8
"""The least share of Latin letters among those of an English text."""
_LONGEST_RUN = 8
_LONGEST_PROSE = 4

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA_OR_HANGUL = re.compile("[\u3041-\u3096\u30a1-\u30fa\uac00-\ud7a3]")
_LATIN = re.compile("[A-Za-zÀ-ɏ]")
_FORMULA = re.compile(r"\$[^$]{0,300}\$|\\[a-zA-Z]+(?:\{[^{}]{0,60}\})?|https?://\S+|[（(][A-Za-z0-9 ,.\-]{1,60}[)）]")
_RUN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[ ,]+[A-Za-z][A-Za-z'’-]*)+")
_PROSE = re.compile(r"\b(?:the|of|an?|and|we|is|are|to|in|that|this|with|for|by|our|which|on|as|from|it)\b", re.I)
# What the languages next to English can hardly do without, and English has not.
_NEIGHBOURS = re.compile(
    r"\b(?:el|los|las|una|para|con|que|por|les|une|est|dans|pour|nous|und|der|das|ist|nicht|eine|mit|für|wir|della|che|"
    r"sono|não|uma|com|dos)\b",
    re.I,
)
# Characters that simplified Chinese writes otherwise, and that hardly any Chinese text goes without.
_TRADITIONAL = re.compile(
    "[們個這學說對時後過來還為與從開關問題應該實現發產無業動務數據據模訓練網絡結構優證際變點級種義語]"
)
_ALIKE_IN_BOTH = frozenset("模据数题")
_TRADITIONAL_ENOUGH = 3


def language(texts: Sequence[Text], _source: Source) -> Iterator[Finding]:
    """A text in another language than its field's."""
    for text in texts:
        fault = _of_chinese(text) if text.language == "zh" else _of_english(text.text)
        if fault:
            yield Finding("language", "reject", text.field, fault)


def script(texts: Sequence[Text], _source: Source) -> Iterator[Finding]:
    """Chinese in traditional characters, which readers of the simplified can read all the same."""
    for text in texts:
        if text.language == "zh" and len(found := set(_TRADITIONAL.findall(text.text))) >= _TRADITIONAL_ENOUGH:
            yield Finding("script", "retry", text.field, f"not simplified: {''.join(sorted(found)[:8])}")


def han_share(text: str) -> float:
    """The share of Chinese characters among a text's letters, without formulas, links and what stands in brackets."""
    plain = _FORMULA.sub(" ", text)
    han = len(_HAN.findall(plain))
    return han / max(1, han + len(_LATIN.findall(plain)))


def _of_english(text: str) -> str:
    plain = _FORMULA.sub(" ", text)
    letters = sum(sign.isalpha() for sign in plain)
    is_latin = len(_LATIN.findall(plain)) >= LEAST_LATIN * letters
    return "must be English" if not is_latin or len(_NEIGHBOURS.findall(plain)) >= 3 else ""


def _of_chinese(text: Text) -> str:
    if _KANA_OR_HANGUL.search(text.text):
        return "must be Chinese, and has letters of another language"
    is_title = text.field == "title_zh"
    if is_title and len(text.english.split()) <= 2 and text.text == text.english:
        return ""  # a title that is a name stays one
    if han_share(text.text) < (LEAST_HAN_IN_TITLE if is_title else LEAST_HAN):
        return "must be Chinese"
    for run in _RUN.finditer(_FORMULA.sub(" ", text.text)):
        words = len(run[0].split())
        if words >= _LONGEST_RUN or (words >= _LONGEST_PROSE and len(_PROSE.findall(run[0])) >= 2):
            return f'must be Chinese, and has "{run[0][:60]}"'
    return ""
