"""Interest: what somebody wants, as a query over papers; and the terms that a query is made of."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bot import taxonomy

Field = Literal["", "ti", "abs"]
"""Where words are looked for: in title and abstract, or in one of them."""

_BARE = re.compile(r"[^\W_](?:[\w'’-]*\w)?")
OPERATORS = ("or", "and", "not")


@dataclass(frozen=True, slots=True)
class Category:
    """In this category, as the primary one or as any of a paper's."""

    code: str
    primary: bool = False

    def __str__(self) -> str:
        return f"primary:{self.code}" if self.primary else self.code


@dataclass(frozen=True, slots=True)
class Words:
    """These words one after the other."""

    text: str
    within: Field = ""

    def __str__(self) -> str:
        return f"{self.within}:{_quoted(self.text)}" if self.within else _quoted(self.text)


@dataclass(frozen=True, slots=True)
class Author:
    """By somebody of this name: all its parts, in any order, a single letter standing for a name that begins so."""

    name: str

    def __str__(self) -> str:
        return f"au:{_quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Named:
    """A ready-made topic, which stands for the query that it has today."""

    slug: str
    meaning: "Term" = field(compare=False)

    def __str__(self) -> str:
        return f"#{self.slug}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these at least."""

    terms: tuple["Term", ...]

    def __str__(self) -> str:
        if is_categories(self):
            first, *others = self.terms
            return "+".join([str(first), *(each.code for each in others if isinstance(each, Category))])
        return " OR ".join(_in_brackets(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these."""

    terms: tuple["Term", ...]

    def __str__(self) -> str:
        categories = [term for term in self.terms if is_categories(term)]
        others = self.terms[len(categories) :]
        # Side by side categories are alternatives: that a paper is to be in several has to be said.
        together = " AND ".join(map(str, categories))
        first = [f"({together})" if len(categories) > 1 and others else together] if categories else []
        return " ".join([*first, *map(_in_brackets, others)])


@dataclass(frozen=True, slots=True)
class Without:
    """Not this."""

    term: "Term"

    def __str__(self) -> str:
        return (
            f"-({self.term})" if is_categories(self.term) and "+" in str(self.term) else f"-{_in_brackets(self.term)}"
        )


Term = Category | Words | Author | Named | AnyOf | All | Without


@dataclass(frozen=True, slots=True)
class Interest:
    """A query: `query` is its canonical form, what people are shown and what is stored; `term` is what it means.

    `wanted`: the categories that can bring it a paper; none where any category can.
    """

    query: str
    term: Term = field(compare=False, repr=False)
    wanted: tuple[str, ...] = field(compare=False, repr=False)

    @classmethod
    def of(cls, term: Term) -> "Interest":
        return cls(str(term), term, tuple(dict.fromkeys(_scope(term) or ())))

    @classmethod
    def in_categories(cls, wanted: Iterable[str], unwanted: Iterable[str] = ()) -> "Interest":
        """In any of the wanted categories and in none of the unwanted ones."""
        return cls.of(all_of([any_of(map(Category, wanted)), *(Without(Category(code)) for code in unwanted)]))

    @property
    def is_open(self) -> bool:
        """Whether a paper of any category may be wanted."""
        return not self.wanted

    @property
    def has_words(self) -> bool:
        """Whether more than a paper's categories has to be known."""
        return any(isinstance(term, Words | Author) for term in walk(self.term))

    def __str__(self) -> str:
        return self.query


def any_of(terms: Iterable[Term]) -> Term:
    """One of these at least, each once."""
    flat = dict.fromkeys(part for term in terms for part in (term.terms if isinstance(term, AnyOf) else (term,)))
    return AnyOf(tuple(flat)) if len(flat) > 1 else next(iter(flat))


def all_of(terms: Iterable[Term]) -> Term:
    """Every one of these, each once: categories first, what is excluded last."""
    flat = dict.fromkeys(part for term in terms for part in (term.terms if isinstance(term, All) else (term,)))
    parts = sorted(flat, key=lambda term: 0 if is_categories(term) else 2 if isinstance(term, Without) else 1)
    return All(tuple(parts)) if len(parts) > 1 else parts[0]


def without(term: Term) -> Term:
    """Not this; what is excluded twice is wanted."""
    return term.term if isinstance(term, Without) else Without(term)


def walk(term: Term) -> Iterable[Term]:
    """The term and every part of it, topics taken apart too."""
    yield term
    parts: tuple[Term, ...] = ()
    if isinstance(term, AnyOf | All):
        parts = term.terms
    elif isinstance(term, Without):
        parts = (term.term,)
    elif isinstance(term, Named):
        parts = (term.meaning,)
    for part in parts:
        yield from walk(part)


def is_categories(term: Term) -> bool:
    """Whether this is a category, or a choice of some that are looked for in the same way."""
    if isinstance(term, AnyOf):
        kinds = {part.primary if isinstance(part, Category) else None for part in term.terms}
        return len(kinds) == 1 and None not in kinds
    return isinstance(term, Category)


def wants_something(term: Term) -> bool:
    """Whether it says what is wanted, not only what is not."""
    if isinstance(term, AnyOf):
        return all(map(wants_something, term.terms))
    if isinstance(term, All):
        return any(map(wants_something, term.terms))
    return not isinstance(term, Without)


def is_plain(word: str) -> bool:
    """Whether a word can stand without quotation marks and will not be taken for anything else."""
    return bool(_BARE.fullmatch(word)) and word.lower() not in OPERATORS and not taxonomy.resembles_one(word)


def _scope(term: Term) -> list[str] | None:
    """The categories of which a paper must have one to match; None where it need not have any."""
    if isinstance(term, Category):
        return [term.code]
    if isinstance(term, Named):
        return _scope(term.meaning)
    if isinstance(term, AnyOf | All):
        scopes = [_scope(part) for part in term.terms]
        if isinstance(term, AnyOf) and None in scopes:
            return None
        return [code for scope in scopes if scope for code in scope] or None
    return None


def _quoted(text: str) -> str:
    return text if is_plain(text) else f'"{text}"'


def _in_brackets(term: Term) -> str:
    return f"({term})" if isinstance(term, AnyOf | All) and not is_categories(term) else str(term)
