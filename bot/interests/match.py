"""Matching: which of many papers each of many interests wants, every distinct term looked up once.

A set of papers is an integer here: bit n stands for the nth paper.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from bot.interests.terms import All, AnyOf, Author, Category, Interest, Named, Term, Without, Words
from bot.interests.wording import Wording, wording
from bot.papers import PaperId

_ONES = re.compile("1")


@dataclass(frozen=True, slots=True)
class Document:
    """What a paper is matched by; without its texts it can be matched by its categories alone."""

    paper_id: PaperId
    categories: Sequence[str]
    title: str = ""
    abstract: str = ""
    authors: Sequence[str] = ()


class Matches:
    """Which of the papers that it was given each of these interests wants. Papers' texts are not kept."""

    def __init__(self, interests: Iterable[Interest]) -> None:
        self._found = dict.fromkeys(interests, 0)
        self._papers: list[PaperId] = []
        self._known: set[PaperId] = set()
        self.needs_texts = any(interest.has_words for interest in self._found)

    def add(self, documents: Iterable[Document]) -> None:
        """Look through these papers, a thousand of which take about half a second; those known already are left out."""
        new = {each.paper_id: each for each in documents if each.paper_id not in self._known}
        index, offset = _Index(new.values()), len(self._papers)
        self._papers += new
        self._known |= new.keys()
        for interest in self._found:
            self._found[interest] |= index.matching(interest) << offset

    def knows(self, interests: Iterable[Interest]) -> bool:
        """Whether these are among its interests."""
        return all(interest in self._found for interest in interests)

    def has(self, paper_id: PaperId) -> bool:
        """Whether it was given this paper."""
        return paper_id in self._known

    def of(self, interest: Interest) -> list[PaperId]:
        """The papers that one of its interests wants, in the order in which they were given."""
        return [self._papers[place] for place in _places(self._found[interest])]

    def of_any(self) -> list[PaperId]:
        """The papers that any of its interests wants."""
        return [self._papers[place] for place in _places(reduce(or_, self._found.values(), 0))]


class _Index:
    """Papers, ready to be asked which of them match."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._titles: list[Wording] = []
        self._abstracts: list[Wording] = []
        self._authors: list[list[Wording]] = []
        self._in_category: defaultdict[str, int] = defaultdict(int)
        self._primary: defaultdict[str, int] = defaultdict(int)
        self._in_title: defaultdict[str, int] = defaultdict(int)
        self._in_abstract: defaultdict[str, int] = defaultdict(int)
        self._in_authors: defaultdict[str, int] = defaultdict(int)
        self._known: dict[Term, int] = {}
        for document in documents:
            self._add(document)

    def _add(self, document: Document) -> None:
        bit = 1 << len(self._titles)
        title, abstract = wording(document.title), wording(document.abstract)
        authors = [wording(author) for author in document.authors]
        self._titles.append(title)
        self._abstracts.append(abstract)
        self._authors.append(authors)
        for category in document.categories:
            self._in_category[category] |= bit
        if document.categories:
            self._primary[document.categories[0]] |= bit
        for word in title.words:
            self._in_title[word] |= bit
        for word in abstract.words:
            self._in_abstract[word] |= bit
        for word in {word for author in authors for word in author.words}:
            self._in_authors[word] |= bit

    def matching(self, interest: Interest) -> int:
        """The papers that an interest wants."""
        return self._found(interest.term)

    def _found(self, term: Term) -> int:
        found = self._known.get(term)
        if found is None:
            found = self._known[term] = self._look_up(term)
        return found

    def _look_up(self, term: Term) -> int:
        match term:
            case Category():
                found = (self._primary if term.primary else self._in_category).get(term.code, 0)
            case Words():
                found = self._with_words(term)
            case Author():
                found = self._by(term)
            case Named():
                found = self._found(term.meaning)
            case AnyOf():
                found = reduce(or_, map(self._found, term.terms), 0)
            case All():
                found = reduce(and_, map(self._found, term.terms), self._everything)
            case Without():
                found = self._everything & ~self._found(term.term)
        return found

    @property
    def _everything(self) -> int:
        return (1 << len(self._titles)) - 1

    def _with_words(self, term: Words) -> int:
        phrase = wording(term.text)
        found = 0
        if term.within in ("", "ti"):
            found |= _having(phrase, self._in_title, self._titles)
        if term.within in ("", "abs"):
            found |= _having(phrase, self._in_abstract, self._abstracts)
        return found

    def _by(self, term: Author) -> int:
        name = wording(term.name)
        candidates = self._with_name(name.apart.split()) | self._with_name(name.joined.split())
        return _set(
            place for place in _places(candidates) if any(is_called(author, name) for author in self._authors[place])
        )

    def _with_name(self, parts: Sequence[str]) -> int:
        """The papers whose authors have, between them, each of these parts of a name or its initial."""
        candidates = reduce(or_, (self._in_authors.get(part, 0) for part in parts if len(part) > 1), 0)
        for part in parts:
            if len(part) > 1:
                candidates &= self._in_authors.get(part, 0) | self._in_authors.get(part[0], 0)
        return candidates


def is_called(author: Wording, name: Wording) -> bool:
    """Whether an author's name has every part of another, in any order, an initial standing for what begins so.

    One part at least must be there in full.
    """
    return any(
        _has_parts(parts.split(), wanted.split())
        for parts in {author.apart, author.joined}
        for wanted in {name.apart, name.joined}
    )


def _has_parts(parts: list[str], wanted: list[str]) -> bool:
    in_full = [part for part in wanted if part in parts and len(part) > 1]
    left = [part for part in parts if part not in in_full]
    for part in wanted:
        if part not in in_full:
            initial = next((each for each in left if each == part or _is_initial(each, part)), None)
            if initial is None:
                return False
            left.remove(initial)
    return bool(in_full)


def _is_initial(one: str, other: str) -> bool:
    return min(len(one), len(other)) == 1 and one[0] == other[0]


def _having(phrase: Wording, postings: dict[str, int], texts: Sequence[Wording]) -> int:
    """The texts that have a phrase: those that have its words, looked through where these are several."""
    apart, joined = phrase.apart.split(), phrase.joined.split()
    everything = (1 << len(texts)) - 1
    candidates = _all_words(apart, postings, everything) | _all_words(joined, postings, everything)
    if len(apart) == 1:
        return candidates
    return _set(place for place in _places(candidates) if texts[place].has(phrase))


def _all_words(words: Sequence[str], postings: dict[str, int], everything: int) -> int:
    return reduce(and_, (postings.get(word, 0) for word in words), everything)


def _places(found: int) -> Iterable[int]:
    """Which bits are set."""
    return (match.start() for match in _ONES.finditer(f"{found:b}"[::-1]))


def _set(places: Iterable[int]) -> int:
    return sum(1 << place for place in places)
