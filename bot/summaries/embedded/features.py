"""What is measured of an abstract's sentences before one is chosen as the TLDR: what their words announce, what they
share with the title and with each other, where they stand, how long they are, and what stands beside them.

All are plain numbers, most of them 0 or 1. The weights in `weights.json` belong to one VERSION of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.summaries.embedded.trimming import trim

VERSION = 1
"""Changes with the meaning of any feature: weights trained for another version are refused."""

# The authors speak, and the next word that is no adverb says what the sentence is about.
_AUTHORS_VERB = re.compile(
    r"\b(?:we|i|this (?:paper|work|article|study|letter|thesis|note|report|survey|chapter|review|manuscript)|"
    r"(?:the|our) (?:paper|study|work))(?: (?:\w+ly|also|then|first|further|thus|here|therefore|instead))? (\w+)"
)
# How the verbs begin that authors use of their own work.
_VERBS = {
    "proposes": "propos present introduc",
    "builds": "develop devis design build releas creat offer provid formulat construct publish",
    "studies": "explor investigat study studi analy examin consider address tackl revisit focus aim seek",
    "shows": "show demonstrat prov find found establish",
    "evaluates": "evaluat test compar validat benchmark experiment apply verif",
}
# Words that count wherever they stand.
_WORDS = {
    "we": "we",
    "our": "our ours",
    "novel": "novel new first",
    "named": "called termed dubbed named coined",
    "method": "method methods approach approaches framework model algorithm technique architecture system",
    "data": "dataset datasets corpus benchmark benchmarks",
    "experiments": "experiments experimental experimentally empirical empirically evaluation evaluations simulations",
    "theory": "theoretical theoretically analysis theory provably guarantees bounds",
    "hard": "challenging challenge challenges difficult expensive costly limited lack lacks suffer suffers hard "
    "problem limitations unclear",
    "modal": "may might could would should",
    "is": "is are",
    "been": "been become became recently recent",
    "which": "which where whose",
    "that": "that",
}
_OPENINGS = {
    "opens_we": r"we\b",
    "opens_this_paper": r"(?:this|the present|our) (?:paper|work|article|study|letter|thesis|note|report|survey)\b",
    "opens_in_this_paper": r"(?:in|with|through) (?:this|the present|our) (?:\w+ )?(?:paper|work|article|study|letter|"
    r"note|survey|report)\b|here,? we\b",
    "opens_our": r"our\b",
    "opens_others": r"(?:existing|previous|prior|current|most|many|traditional|conventional|recent|several|some)\b",
    "opens_contrast": r"(?:however|but|unfortunately|yet|despite|although|while|whereas|nevertheless|though)\b",
    "opens_addition": r"(?:moreover|furthermore|additionally|finally|in addition|besides|lastly|also|further|"
    r"we (?:also|then|further|finally|additionally))\b",
    "opens_detail": r"(?:specifically|more precisely|in particular|for example|for instance|first|second|then|"
    r"concretely|more specifically|to this end|in our)\b",
    "opens_setting": r"(?:let|suppose|assume|denote|consider|given|if|when|once|under|"
    r"for (?:any|every|all|each|an?))\b",
    "opens_conclusion": r"(?:thus|therefore|hence|overall|consequently|as a result|these (?:results|findings)|"
    r"our (?:results|findings|experiments)|(?:the )?(?:results|experiments)|in (?:experiments|contrast))\b",
    "opens_state": r"(?:[\w-]+ ){1,5}(?:is|are) (?:an?|the|one|among|often|typically|essential|important|crucial|"
    r"key)\b",
}
# What keeps the trimmed sentence from standing alone: it points to what was said before, or prepares what follows.
_LOOSE = {
    "opens_anaphora": r"(?:it|they|these|those|such|its|their|there(?=,| we)|"
    r"this (?!paper|work|article|study|letter))\b",
    "opens_because": r"(?:because|since|as|due)\b",
    "opens_proof": r"(?:the|our|its) (?:\w+ )?(?:proofs?|arguments?|ingredients?|inputs?|tools?|idea)\b",
    "opens_notation": r"(?:let|fix|recall|suppose|assume|denote)\b|"
    r"(?:we|i) (?:will |shall )?(?:denote|write|recall|fix|assume|let|suppose|call)\b",
    "points_back": r"(?:\S+ ){1,6}?(?:(?:this|these|those) (?!paper|work|article|study|letter|thesis|note|report|"
    r"survey|chapter|review|manuscript|end\b|is\b)\w|such an? |the (?:above|aforementioned) |"
    r"(?:it|them)\b)",
}


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# A result is what shows something: words of both kinds.
_EVIDENCE = _words("results experiments evaluation evaluations simulations findings")
_SHOWS = _words(
    "show shows showed demonstrate demonstrates demonstrated indicate indicates suggest suggests confirm confirms "
    "reveal reveals"
)
_LINKS = _words("http https github")
_SHARED = _words("code codes publicly software implementation")
_STOP_WORDS = _words("the and for with from that this are our via using based can has have its into")
_VERB_STARTS = {name: tuple(starts.split()) for name, starts in _VERBS.items()}
_WORD_SETS = {name: _words(words) for name, words in _WORDS.items()}
_OPENING = {name: re.compile(pattern) for name, pattern in _OPENINGS.items()}
_LOOSENESS = {name: re.compile(pattern) for name, pattern in _LOOSE.items()}
_WORD = re.compile(r"[a-z0-9]+")
COMFORTABLE, BRIEF = 30, 15


@dataclass(frozen=True, slots=True)
class Measured:
    """A sentence, how it reads once trimmed, the trimmed text's words that carry meaning, and its features."""

    text: str
    trimmed: str
    content: frozenset[str]
    features: dict[str, float]


def measure(title: str, sentences: Sequence[str]) -> list[Measured]:
    """An abstract's sentences with their features: the same names for each of them."""
    trimmed = [trim(sentence) for sentence in sentences]
    contents = [content_words(text) for text in trimmed]
    titled = _Title(title)
    found = [
        _announced(sentence.lower()) | _sizes(text) | titled.shared(text, content) | _loose(text.lower())
        for sentence, text, content in zip(sentences, trimmed, contents, strict=True)
    ]
    _compare(found, contents)
    _look_around(found)
    return [Measured(*each) for each in zip(sentences, trimmed, contents, found, strict=True)]


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut so that singular and plural meet."""
    return frozenset(word[:6] for word in _WORD.findall(text.lower()) if len(word) > 2 and word not in _STOP_WORDS)


class _Title:
    def __init__(self, title: str) -> None:
        words = _WORD.findall(title.lower())
        name, colon, _ = title.partition(":")
        self._content = content_words(title)
        self._name = content_words(name) if colon else frozenset()
        self._pairs = frozenset(pairwise(words))

    def shared(self, text: str, content: frozenset[str]) -> dict[str, float]:
        common = len(content & self._content)
        return {
            "title_recall": common / max(1, len(self._content)),
            "title_precision": common / max(1, len(content)),
            "title_pairs": len(self._pairs.intersection(pairwise(_WORD.findall(text.lower()))))
            / max(1, len(self._pairs)),
            "title_name": float(bool(self._name) and self._name <= content),
        }


def _announced(sentence: str) -> dict[str, float]:
    verbs = _AUTHORS_VERB.findall(sentence)
    words = frozenset(_WORD.findall(sentence))
    cues = chain(
        ((name, any(verb.startswith(starts) for verb in verbs)) for name, starts in _VERB_STARTS.items()),
        ((name, not words.isdisjoint(group)) for name, group in _WORD_SETS.items()),
        ((name, bool(opening.match(sentence))) for name, opening in _OPENING.items()),
        [
            ("results", not (words.isdisjoint(_EVIDENCE) or words.isdisjoint(_SHOWS))),
            ("code", ("available" in words and not words.isdisjoint(_SHARED)) or not words.isdisjoint(_LINKS)),
            ("question", sentence.endswith("?")),
        ],
    )
    return {name: float(present) for name, present in cues}


def _loose(text: str) -> dict[str, float]:
    return {name: float(bool(pattern.match(text))) for name, pattern in _LOOSENESS.items()}


def _sizes(text: str) -> dict[str, float]:
    words = text.split()
    return {
        "length": float(len(words)),
        "excess": max(0.0, len(words) - COMFORTABLE),
        "short": max(0.0, BRIEF - len(words)),
        "letters": len(text) / max(1, len(words)),
        "commas": min(6.0, text.count(",")),
        "brackets": min(3.0, text.count("(")),
        "capitals": min(5.0, sum(word[1:].lower() != word[1:] for word in words)),
        "percent": float("%" in text),
        "formula": float("$" in text),
        "colon": float(":" in text),
    }


def _compare(found: list[dict[str, float]], contents: list[frozenset[str]]) -> None:
    """Add what a sentence shares with the others, and how it stands among them."""
    used = Counter(chain.from_iterable(contents))
    elsewhere = sum(count - 1 for count in used.values())
    for index, (own, content) in enumerate(zip(found, contents, strict=True)):
        shared = sum(used[word] - 1 for word in content)
        before = contents[index - 1] if index else frozenset()
        own["central"] = shared / max(1, len(content)) / max(1, len(contents) - 1)
        own["coverage"] = shared / max(1, elsewhere)
        own["like_before"] = len(content & before) / max(1, len(content))
        own["first"] = float(index == 0)
        own["place"] = index / max(1, len(contents) - 1)
        own["late"] = own["place"] ** 2
    for own, (title, coverage, length) in zip(
        found, _shares(found, ("title_recall", "coverage", "length")), strict=True
    ):
        own["most_title"] = float(title == 1)
        own["relative_coverage"] = coverage
        own["relative_length"] = length


def _shares(found: list[dict[str, float]], names: Sequence[str]) -> Iterable[tuple[float, ...]]:
    """Each sentence's part of the abstract's greatest value."""
    greatest = [max((own[name] for own in found), default=0.0) or 1.0 for name in names]
    return [tuple(own[name] / most for name, most in zip(names, greatest, strict=True)) for own in found]


def _look_around(found: list[dict[str, float]]) -> None:
    """Add what the sentences before and behind announce."""
    nothing = dict.fromkeys(found[0], 0.0) if found else {}
    earlier: Counter[str] = Counter()
    left = sum(own["studies"] for own in found)
    for before, own, after in zip([nothing, *found], found, [*found[1:], nothing], strict=False):
        left -= own["studies"]
        own |= {f"{name}_before": before[name] for name in ("we", "proposes", "hard", "opens_contrast", "opens_detail")}
        own |= {f"{name}_after": after[name] for name in ("hard", "studies", "opens_contrast", "opens_addition")}
        own["shown_earlier"] = float(earlier["shows"] > 0)
        own["studied_later"] = float(left > 0)
        own["first_we"] = float(own["we"] > earlier["we"])
        own["first_proposal"] = float(own["proposes"] > earlier["proposes"])
        earlier.update(name for name in ("we", "proposes", "shows") if own[name])


NAMES = tuple(measure("", ["One."])[0].features)
"""The features, in their order."""
