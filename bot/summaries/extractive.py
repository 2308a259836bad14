"""The embedded writer: a TLDR and takeaways picked from the abstract's own sentences, without a model.

A sentence's score is a sum of hand-set weights: what its words announce, what it shares with the title, where it
stands and how long it is. Takeaways are judged by the same score, later places first, and differ from each other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.summaries.sentences import split
from bot.summary import Role, Takeaway

TAKEAWAYS = 3
# arXiv's longest abstract has under 3,000 characters; what is longer is hostile.
LONGEST = 5_000

# What a sentence's words announce, and how much that speaks for it as the TLDR.
_AUTHORS = (
    r"(?:we|this (?:paper|work|article|study|letter|thesis|note|report|survey|chapter|review)|"
    r"(?:the|our) (?:paper|study|work))"
)
_SOON = r"(?: (?:\w+ly|also|then|first|further|thus|here|therefore|instead))?"
CUES = {
    "propose": (
        1.0,
        rf"\b{_AUTHORS}{_SOON} (?:propos|present|introduc|develop|devis|design|describ|build|releas|creat|offer|provid|"
        r"formulat|explor|investigat|stud(?:y|ie)|analy[sz]|examin|consider|address|tackl|revisit)",
    ),
    "show": (
        0.5,
        rf"\b{_AUTHORS}{_SOON} (?:show|demonstrat|prov(?:e|es)\b|find|found|establish|reveal|argu|observ|report|deriv|"
        r"discover|obtain|determin|identif|conclud|confirm|detect|constrain|characteri|measur)",
    ),
    "here": (0.6, r"\bin this (?:paper|work|article|study|letter|note|survey)\b|\bhere,? we\b"),
    "ours": (0.3, r"\bour (?:\w+ )?(?:method|approach|model|framework|algorithm|system|analysis|main)"),
    "we": (0.2, r"\bwe\b"),
    "named": (0.3, r"\b(?:called|termed|dubbed|named|coined|novel|new)\b"),
    "results": (
        -0.1,
        r"\b(?:results|experiments|evaluations?|simulations)\b.{0,60}\b(?:show|demonstrat|indicat|suggest|confirm|reveal)|"
        r"\boutperform|\bachiev|\bstate[- ]of[- ]the[- ]art\b|\bsignificant(?:ly)? (?:improv|better)",
    ),
    "background": (-0.5, r"\b(?:ha(?:s|ve) (?:been|become|shown|recently)|widely|remains?|recent(?:ly)?)\b"),
    "state": (
        -0.5,
        r"^(?:[\w-]+ ){1,5}(?:is|are) (?:an?|the|one|among|often|typically|essential|important|crucial|key)\b",
    ),
    "others": (-0.5, r"^(?:existing|previous|prior|current|most|many|traditional|conventional)\b"),
    "contrast": (-0.4, r"^(?:however|but|unfortunately|yet|despite|although|while|nevertheless)\b"),
    "addition": (
        -0.5,
        r"^(?:moreover|furthermore|additionally|finally|in addition|besides|lastly|(?:we )?(?:also|then|further))\b",
    ),
    "anaphora": (-0.4, r"^(?:it|they|these|those|such|its|their|this (?!paper|work|article|study|letter))\b"),
    "detail": (
        -0.4,
        r"^(?:specifically|more precisely|in particular|for example|for instance|first|second|then|because|since)\b",
    ),
    "setting": (-0.6, r"^(?:let|suppose|assume|given|denote|for (?:any|every|all|each|an?))\b"),
    "conclusion": (-0.4, r"^(?:thus|therefore|hence|overall|consequently|these results|these findings|as a result)\b"),
    "code": (-1.5, r"\b(?:code|data|datasets?|models?|project page)\b.{0,60}\bavailable\b|\bgithub\b|https?:"),
    "question": (-0.4, r"\?$"),
}
TITLE_WEIGHT = 2.0
EXCESS_WEIGHT = -0.03  # a word beyond COMFORTABLE
BRIEF_WEIGHT = -0.12  # a word short of BRIEF
COMFORTABLE, BRIEF = 30, 10
# For takeaways: the last place of an abstract against the first, and a sentence that repeats one already taken.
LATER_WEIGHT = 1.5
REPEAT_WEIGHT = -2.0

# A sentence without any of these gets no role: a wrong label is worse than none.
ROLE_CUES: dict[Role, str] = {
    "result": r"\b(?:results|experiments|evaluations?|simulations|analys[ei]s|findings)\b.{0,60}\b(?:show|demonstrat|"
    r"indicat|suggest|confirm|reveal)|\boutperform|\bwe (?:\w+ )?(?:find|found|conclude)\b|"
    r"\bwe (?:\w+ )?(?:show|prove|observe) that\b|\b(?:achiev|improv|reduc|increas)\w+\b.{0,40}\d",
    "method": rf"\b{_AUTHORS}{_SOON} (?:propos|introduc|develop|devis|design|build|formulat|use|employ|appl|train|"
    r"combin)|\bour (?:method|approach|framework|algorithm) (?:is|uses|combines|relies|consists|leverages)",
    "problem": r"^(?:however|but|unfortunately|yet|existing|current|traditional|conventional|previous|prior)\b"
    r"(?!.*\b(?:we|our)\b)|\bremains? (?:a |an |un|challeng|difficult|open|limited|poorly)",
}
# Headings of structured abstracts, and the role of what stands under them.
HEADINGS: dict[str, Role] = {
    **dict.fromkeys(("context", "background", "motivation", "introduction"), "problem"),
    **dict.fromkeys(("method", "methods", "approach", "methodology"), "method"),
    **dict.fromkeys(("result", "results", "findings", "conclusion", "conclusions"), "result"),
    **dict.fromkeys(("aim", "aims", "objective", "objectives", "purpose", "discussion", "significance"), ""),
}

_ROLES = [(role, re.compile(pattern, re.I)) for role, pattern in ROLE_CUES.items()]
_CUES = [(weight, re.compile(pattern, re.I)) for weight, pattern in CUES.values()]
_HEADING = re.compile(rf"({'|'.join(HEADINGS)}) ?[.:]", re.I)
_WORD = re.compile(r"[a-z0-9]{3,}")
_STOP_WORDS = frozenset(_WORD.findall("the and for with from that this are our via using based can has have its into"))
_WITHDRAWN = re.compile(
    r"(?:(?:this|the) )?(?:arxiv )?(?:paper|article|manuscript|submission|work|version|preprint|study)(?: \w+){0,4}? "
    r"(?:withdrawn|retracted)\b|withdrawn\b|(?:we|the authors?|i) (?:have |has )?withdr[ae]w",
    re.I,
)
_ADMIN_NOTE = re.compile(r"arXiv admin note", re.I)
_LEAD_IN = re.compile(
    r"(?:\(?(?:\d{1,2}|[ivx]+|[a-h])\) |(?:in|with|through) (?:this|the present|our) (?:\w+ )?(?:paper|work|article|"
    r"study|letter|thesis|note|report|survey|manuscript),? |(?:to|motivated by|inspired by|based on)(?: \w+)? "
    r"(?:this|these|that)(?: [^,$]{1,40})?, (?=(?:we|this)\b)|(?:here|moreover|furthermore|additionally|"
    r"in addition|besides|however|but|therefore|thus|hence|consequently|accordingly|finally|lastly|specifically|"
    r"in particular|notably|importantly|overall|also|then|as a result|in this context|further|unfortunately|"
    r"nevertheless|nonetheless|meanwhile|concretely|in summary|in conclusion|in short|indeed|to (?:this|that) end|"
    r"to address this|more precisely), |"
    r"(?:here|thus|hence|therefore) (?=we\b))",
    re.I,
)
# "As shown in [3]" needs its number, "as is known [3]" does not. The possessive `++` keeps a hostile row of years from
# being tried in every division.
_CITATION = re.compile(
    r"(?<![ ~])[ ~]*(?<! in )(?<! by )(?<! of )(?<! to )(?<! and )(?<! from )(?<! see )"
    r"(?:\\cite\w*(?:\[[^\]]*\])*\{[^}]*\}|\[\d+(?:[,;–-] ?\d+)*\]|"
    r"\((?:[A-Z][\w.&' -]{1,40},? (?:et al\.?,? )?(?:19|20)\d\d[a-z]?(?:; )?)++\))"
)
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
    role: Role
    words: frozenset[str]
    score: float


def extract(title: str, abstract: str) -> Extract:
    """The TLDR and up to TAKEAWAYS takeaways of `abstract`, LaTeX as it is; both empty for an empty abstract.

    A notice of withdrawal is its own TLDR and has no takeaways.
    """
    sentences = list(_sentences(title, abstract[:LONGEST]))
    withdrawn = next((each for each in sentences if _WITHDRAWN.match(each.text)), None)
    if withdrawn:
        return Extract(withdrawn.text, ())
    if len(sentences) == 1:
        return _of_one_sentence(sentences[0])
    if not sentences:
        return Extract("", ())
    best = max(sentences, key=lambda sentence: sentence.score)
    taken = _diverse(best, [sentence for sentence in sentences if sentence.text != best.text])
    return Extract(best.text, tuple(Takeaway(each.text, role=each.role) for each in taken))


def trim(sentence: str) -> str:
    """The sentence on its own: without "In this paper," or "Moreover," before it, and without citations in brackets."""
    text = _CITATION.sub("", sentence).strip()
    while lead_in := _LEAD_IN.match(text):
        text = text[lead_in.end() :]
    first_word = text.split(" ", 1)[0].replace("-", "")
    return text[:1].upper() + text[1:] if first_word.isalpha() and first_word.islower() else text


def _sentences(title: str, abstract: str) -> Iterator[_Sentence]:
    found = [sentence for sentence in split(abstract) if not _ADMIN_NOTE.search(sentence)]
    title_words = _words(title)
    under: Role | None = None
    for index, sentence in enumerate(found):
        heading = _HEADING.match(sentence)
        under = HEADINGS[heading[1].lower()] if heading else under
        body = sentence[heading.end() :].strip() if heading else sentence
        text = trim(body)
        if text:
            place = index / max(1, len(found) - 1)
            words = _words(text)
            score = _score(body, words, title_words)
            yield _Sentence(place, text, _role(body, place) if under is None else under, words, score)


def _words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut so that singular and plural meet."""
    return frozenset(word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


def _score(sentence: str, words: frozenset[str], title_words: frozenset[str]) -> float:
    length = len(sentence.split())
    return (
        sum(weight for weight, cue in _CUES if cue.search(sentence))
        + TITLE_WEIGHT * len(words & title_words) / max(1, len(title_words))
        + EXCESS_WEIGHT * max(0, length - COMFORTABLE)
        + BRIEF_WEIGHT * max(0, BRIEF - length)
    )


def _role(sentence: str, place: float) -> Role:
    for role, cue in _ROLES:
        # Late in an abstract "However, …" limits the result rather than states the problem.
        if cue.search(sentence) and not (role == "problem" and place > 0.5):
            return role
    return ""


def _diverse(tldr: _Sentence, others: list[_Sentence]) -> list[_Sentence]:
    """The takeaways: each time the best of what is left, less what it repeats (maximal marginal relevance)."""
    taken, left = [tldr], list(others)
    while left and len(taken) <= TAKEAWAYS:

        def worth(sentence: _Sentence) -> float:
            repeats = max(len(sentence.words & each.words) / max(1, len(sentence.words)) for each in taken)
            return sentence.score + LATER_WEIGHT * sentence.place + REPEAT_WEIGHT * repeats

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
