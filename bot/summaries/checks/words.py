"""Words: what a summary talks about is what the paper talks about, and it brings in nobody."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from bot.summaries.checks.finding import Finding, Source, Text

LEAST_SUPPORT = 0.3
"""The least share of an English text's content words that stand in title or abstract."""
_FEWEST_WORDS = 4
_STEM = 6


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STOP_WORDS = _listed(
    "a about across after against all also although an and any are as at be been being between both but by can could "
    "do does each either few for from further had has have how however if in into is it its itself just like made "
    "make may might more most much must new no nor not of off on one only onto or other our over own per rather same "
    "several she should show shows since so some such than that the their them then there these they this those "
    "through thus to too under until up upon use used uses using very via was we were what when where which while who "
    "whose why will with within without would yet you your"
)
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ'’]+")
_PIECES = re.compile(r"[A-Za-zÀ-ÿ]+|\d+")
_ACRONYM = re.compile(r"(?<![A-Za-z0-9\\])(?=[A-Za-z0-9]*[A-Z][A-Za-z0-9]*[A-Z])[A-Za-z0-9]{2,20}(?![A-Za-z0-9])")
# So common that they need not be in an abstract to be right.
_EVERYDAY = _listed("ai ml gpu gpus cpu cpus us usa uk eu un api apis url pdf id it pc sota tv dna rna hiv 2d 3d")

_INSTITUTION = re.compile(
    r"\b(?:University|Universit[äéày]\w*|Institutes?|Institution|Academy|College|Laborator(?:y|ies)|Hospital|"
    r"Corporation|Inc\.|Ltd\.?|GmbH)\b"
)
_CHINESE_INSTITUTION = re.compile(r"大学(?!生|本科|教育|水平|课程)|研究院|研究所|科学院|理工学院|公司|医院|实验室")
_INSTITUTIONS_IN_ENGLISH = re.compile(
    r"\b(?:universit|institut|academ|college|laborator|labs?\b|compan|corporat|firm|enterpris|hospital|clinic|patient|"
    r"industr|business|school|campus|medical|startup|vendor)",
    re.I,
)
_COMPANY = re.compile(
    r"\b(?:Google|DeepMind|OpenAI|Anthropic|Microsoft|Facebook|Amazon|Nvidia|NVIDIA|Baidu|Alibaba|Tencent|Huawei|"
    r"ByteDance|Stanford|Harvard|Berkeley|Princeton|Oxford|Tsinghua|Peking|Caltech|MIT|ETH|CMU|EPFL|CERN|NASA)\b"
    r"|谷歌|微软|百度|阿里巴巴|腾讯|华为|字节跳动|清华|北大|斯坦福|哈佛|麻省理工|牛津|剑桥"
)
_IN_ENGLISH = {"谷歌": "Google", "微软": "Microsoft", "百度": "Baidu", "阿里巴巴": "Alibaba", "腾讯": "Tencent"} | {
    **{"华为": "Huawei", "字节跳动": "ByteDance", "清华": "Tsinghua", "北大": "Peking", "斯坦福": "Stanford"},
    **{"哈佛": "Harvard", "麻省理工": "MIT", "牛津": "Oxford", "剑桥": "Cambridge"},
}
_PERSON = re.compile(
    r"\b(?:Dr|Prof|Professor|Mr|Mrs|Ms)\.? [A-Z]\w+|\b[A-Z]\w+ (?:et al\b|and (?:\w+ )?(?:colleagues|co-?workers))"
    r"|\b(?:by|authors?|researchers?) (?:[A-Z][a-z]+ )(?:[A-Z]\. ?)?[A-Z][a-z]+\b"
)
_CHINESE_PERSON = re.compile(r"[\u4e00-\u9fff]{1,3}(?:教授|博士(?!生|后|论文|学位))|[\u4e00-\u9fffA-Za-z]{2,12}等人")
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][a-zà-ÿ]+(?: [A-Z]\.)?(?: [A-Z][a-zà-ÿ]+)+")


def content_words(text: str) -> list[str]:
    """The words that carry meaning, in lower case and cut so that singular and plural meet."""
    return [word[:_STEM] for each in _LATIN_WORD.findall(text) if (word := each.lower()) not in _STOP_WORDS]


def support(text: str, source: str) -> float | None:
    """The share of a text's content words that `source` has; None where there are too few of them to say."""
    words = content_words(text)
    if len(words) < _FEWEST_WORDS:
        return None
    return sum(_has_word(source, word) for word in words) / len(words)


def supported(texts: Sequence[Text], source: Source) -> Iterator[Finding]:
    """A text that shares hardly a word with title and abstract is about something else."""
    for text in texts:
        share = support(text.text, source.text) if text.language == "en" else None
        if share is not None and share < LEAST_SUPPORT:
            yield Finding("support", "reject", text.field, f"only {share:.0%} of its words are the paper's")


def acronym(texts: Sequence[Text], source: Source) -> Iterator[Finding]:
    """An acronym that the paper neither has nor spells out."""
    for text in texts:
        found = dict.fromkeys(match[0] for match in _ACRONYM.finditer(text.text))
        if unknown := [each for each in found if not _has_acronym(source.text, each)]:
            yield Finding("acronym", "retry", text.field, f"not in title or abstract: {', '.join(unknown[:8])}")


def name(texts: Sequence[Text], source: Source) -> Iterator[Finding]:
    """People and institutions that neither the abstract nor the list of authors names."""
    everything = f"{source.text}\n{source.authors}"
    for text in texts:
        invented = [*_people(text.text, everything), *_institutions(text.text, source.text)]
        if invented:
            yield Finding("name", "reject", text.field, f"names that the abstract has not: {', '.join(invented[:5])}")


def _people(text: str, source: str) -> Iterator[str]:
    for match in _PERSON.finditer(text):
        if not all(_has(source, word) for word in _LATIN_WORD.findall(match[0]) if word[0].isupper()):
            yield match[0]
    for match in _CHINESE_PERSON.finditer(text):
        if not re.search(r"\bet al\b|\b(?:Dr|Prof)\b|professor|doctor|and (?:colleagues|coworkers)", source, re.I):
            yield match[0]
    for match in _NAME.finditer(text):
        words = _LATIN_WORD.findall(match[0])
        if not any(_has(source, word) for word in words) and not _has_acronym(source, "".join(w[0] for w in words)):
            yield match[0]


def _institutions(text: str, source: str) -> Iterator[str]:
    for match in _INSTITUTION.finditer(text):
        if not _has(source, match[0].rstrip(".")):
            yield match[0]
    for match in _CHINESE_INSTITUTION.finditer(text):
        if not _INSTITUTIONS_IN_ENGLISH.search(source):
            yield match[0]
    for match in _COMPANY.finditer(text):
        if not _has(source, _IN_ENGLISH.get(match[0], match[0])):
            yield match[0]


def _has(source: str, word: str) -> bool:
    """Whether a source has a word, a longer one as the beginning of another, too."""
    return re.search(rf"(?<![a-z]){re.escape(word)}{'' if len(word) > 4 else '(?![a-z])'}", source, re.I) is not None


@lru_cache(maxsize=64)
def _words_of(source: str) -> tuple[frozenset[str], str, str]:
    """A source's words cut like content words, its letters and figures in a row, and its words' initials in a row."""
    pieces = [piece.lower() for piece in _PIECES.findall(source)]
    spelled = " ".join(piece[0] for piece in pieces if piece not in _STOP_WORDS)
    with_all = " ".join(piece[0] for piece in pieces)
    stems = frozenset(piece[:_STEM] for piece in pieces) | frozenset(content_words(source))
    return stems, "".join(pieces), f"{spelled}|{with_all}".replace(" ", "")


def _has_word(source: str, stem: str) -> bool:
    stems, row, _ = _words_of(source)
    return stem in stems or (len(stem) >= 5 and (stem in row or stem[:5] in {each[:5] for each in stems}))


def _has_acronym(source: str, acronym: str) -> bool:
    _, row, initials = _words_of(source)
    letters = "".join(_PIECES.findall(acronym)).lower()
    forms = {letters, letters.removesuffix("s")}
    return bool(forms & _EVERYDAY) or any(
        form in row or re.sub(r"\d", "", form) in initials for form in forms if len(re.sub(r"\d", "", form)) > 1
    )
