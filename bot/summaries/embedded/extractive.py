"""The embedded writer: a TLDR and takeaways picked from the abstract's own sentences, in plain Python.

A sentence's score is a weighted sum of its features; the weights were learnt from TLDRs that people wrote. Takeaways
are judged by the same score, later places first, and differ from each other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.summaries.embedded.features import content_words, measure
from bot.summaries.embedded.roles import is_background, role_of
from bot.summaries.embedded.sentences import split
from bot.summaries.embedded.trimming import trim
from bot.summaries.embedded.weights import ranking_weights
from bot.summary import Role, Takeaway

TAKEAWAYS = 3
# arXiv's longest abstract has under 3,000 characters; what is longer is hostile.
LONGEST = 5_000

# What the weights cannot know, in their unit (one standard deviation of a score): the TLDRs they were learnt from are
# of machine learning alone, were read without the title above them, and seldom meet these.
TASTE = {
    "code": -2.0,
    "question": -1.0,
    "opens_anaphora": -1.0,
    "opens_because": -0.75,
    "opens_notation": -1.0,
    "opens_proof": -1.0,
    "points_back": -0.5,
}
# Words beyond the title's: fewer than ENOUGH cost something each, fewer than LEAST say nothing new.
ENOUGH, LEAST = 4, 2
LESS = -0.75
# For takeaways: the last place of an abstract against the first, and a sentence that repeats one already taken.
LATER = 2.0
REPEATS = -2.5

# Headings of structured abstracts, and the role of what stands under them.
HEADINGS: dict[str, Role] = {
    **dict.fromkeys(("context", "background", "motivation", "introduction"), "problem"),
    **dict.fromkeys(("method", "methods", "approach", "methodology"), "method"),
    **dict.fromkeys(("result", "results", "findings", "conclusion", "conclusions"), "result"),
    **dict.fromkeys(("aim", "aims", "objective", "objectives", "purpose", "discussion", "significance"), ""),
}
_HEADING = re.compile(rf"({'|'.join(HEADINGS)}) ?[.:]", re.I)
_WITHDRAWN = re.compile(
    r"(?:(?:this|the) )?(?:arxiv )?(?:paper|article|manuscript|submission|work|version|preprint|study)(?: \w+){0,4}? "
    r"(?:withdrawn|retracted)\b|withdrawn\b|(?:we|the authors?|i) (?:have |has )?withdr[ae]w",
    re.I,
)
_ADMIN_NOTE = re.compile(r"arXiv admin note", re.I)
_CLAUSE = re.compile(r"; (?:and |but )?(?=\w)")


@dataclass(frozen=True, slots=True)
class Extract:
    """What the embedded writer found: one sentence, and further ones in the order of the abstract."""

    tldr: str
    takeaways: tuple[Takeaway, ...]


@dataclass(frozen=True, slots=True)
class _Sentence:
    place: float  # 0 is the first of the abstract, 1 the last
    text: str
    words: frozenset[str]
    features: Mapping[str, float]
    headed: Role | None  # None where the abstract has no headings
    added: int  # words beyond the title's
    score: float

    @property
    def is_news(self) -> bool:
        return self.added >= LEAST and not is_background(self.features)

    @property
    def takeaway(self) -> Takeaway:
        return Takeaway(self.text, role=role_of(self.features) if self.headed is None else self.headed)


def extract(title: str, abstract: str, weights: Mapping[str, float] | None = None) -> Extract:
    """The TLDR and up to TAKEAWAYS takeaways of `abstract`, LaTeX as it is; both empty for an empty abstract.

    A notice of withdrawal is its own TLDR and has no takeaways. `weights` are the shipped ones unless given.
    """
    sentences = list(_sentences(title, abstract[:LONGEST], ranking_weights() if weights is None else weights))
    withdrawn = next((each for each in sentences if _WITHDRAWN.match(each.text)), None)
    if withdrawn:
        return Extract(withdrawn.text, ())
    if len(sentences) == 1:
        return _of_one_sentence(sentences[0])
    if not sentences:
        return Extract("", ())
    ranked = sorted(sentences, key=lambda sentence: sentence.score, reverse=True)
    best = next((each for each in ranked if each.is_news), ranked[0])
    taken = _diverse(best, [sentence for sentence in sentences if sentence.text != best.text])
    return Extract(best.text, tuple(each.takeaway for each in taken))


def _sentences(title: str, abstract: str, weights: Mapping[str, float]) -> Iterator[_Sentence]:
    bodies: list[str] = []
    headed: list[Role | None] = []
    under: Role | None = None
    for sentence in split(abstract):
        heading = _HEADING.match(sentence)
        under = HEADINGS[heading[1].lower()] if heading else under
        body = sentence[heading.end() :].strip() if heading else sentence
        if body and not _ADMIN_NOTE.search(sentence):
            bodies.append(body)
            headed.append(under)
    title_words = content_words(title)
    for found, under in zip(measure(title, bodies), headed, strict=True):
        if found.trimmed:
            added = len(found.content - title_words)
            score = _score(found.features, weights) + LESS * max(0, ENOUGH - added)
            yield _Sentence(found.features["place"], found.trimmed, found.content, found.features, under, added, score)


def _score(features: Mapping[str, float], weights: Mapping[str, float]) -> float:
    learnt = sum(weights[name] * value for name, value in features.items() if value)
    return learnt + sum(weight * features[name] for name, weight in TASTE.items())


def _diverse(tldr: _Sentence, others: list[_Sentence]) -> list[_Sentence]:
    """The takeaways: each time the best of what is left, less what it repeats (maximal marginal relevance)."""
    taken, left = [tldr], list(others)
    while left and len(taken) <= TAKEAWAYS:

        def worth(sentence: _Sentence) -> float:
            repeats = max(len(sentence.words & each.words) / max(1, len(sentence.words)) for each in taken)
            return sentence.score + LATER * sentence.place + REPEATS * repeats

        best = max(left, key=worth)
        left.remove(best)
        taken.append(best)
    return sorted(taken[1:], key=lambda sentence: sentence.place)


def _of_one_sentence(sentence: _Sentence) -> Extract:
    clauses = [trim(clause).rstrip(".") + "." for clause in _CLAUSE.split(sentence.text)]
    if any(
        len(clause.split()) < 5 or clause.count("$") % 2 or clause.count("(") != clause.count(")") for clause in clauses
    ):
        return Extract(sentence.text, ())
    return Extract(clauses[0], tuple(Takeaway(clause) for clause in clauses[1 : 1 + TAKEAWAYS]))
