"""Parsing: from what a person writes to an Interest, or to where it stops making sense and why."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken

from bot import taxonomy
from bot.interests.terms import (
    AnyOf,
    Author,
    Category,
    Field,
    Interest,
    Named,
    Term,
    Words,
    all_of,
    any_of,
    is_categories,
    walk,
    wants_something,
    without,
)
from bot.interests.topics import Topic, find_topic, nearest_topics
from bot.interests.wording import wording

LONGEST_QUERY = 500
MOST_TERMS = 100
DEEPEST = 10
"""Brackets within each other."""

Problem = Literal[
    "empty", "too_long", "too_many", "too_deep", "unclosed_quote", "unclosed_bracket", "stray_bracket", "half", "field",
    "category", "topic", "wildcard", "no_words", "no_name", "chinese", "only_not", "unreadable",
]  # fmt: skip

_QUOTES = str.maketrans("“”„‟«»「」『』", '""""""""""')
_DASHES = str.maketrans("‐‑–−", "----")
_HAN = re.compile(r"[\u3400-\u9fff]")
_FIELDS: dict[str, Field] = {"all": "", "ti": "ti", "title": "ti", "abs": "abs", "abstract": "abs"}


class BadQuery(ValueError):
    """The text is no query: from `position` (counted from 0) on there is a `problem`, with the word that makes it.

    `near`: the categories that may have been meant; `topics`: the topics.
    """

    def __init__(
        self,
        text: str,
        position: int,
        problem: Problem,
        word: str = "",
        near: Sequence[str] = (),
        topics: Sequence[Topic] = (),
    ) -> None:
        super().__init__(f"{problem} at {position}: {word}")
        self.text = text
        self.position = position
        self.problem = problem
        self.word = word
        self.near = tuple(near)
        self.topics = tuple(topics)


def parse_interest(text: str) -> Interest:
    """Read a query; README's "Queries" tells the language. Raises BadQuery."""
    text = unicodedata.normalize("NFKC", text[: LONGEST_QUERY + 1]).translate(_QUOTES).translate(_DASHES).strip()
    if not text:
        raise BadQuery(text, 0, "empty")
    if len(text) > LONGEST_QUERY:
        raise BadQuery(text[:LONGEST_QUERY], LONGEST_QUERY, "too_long")
    term = _parsed(text, _strict())
    if not wants_something(term):
        raise BadQuery(text, 0, "only_not")
    if sum(1 for _ in walk(term)) > MOST_TERMS:
        raise BadQuery(text, 0, "too_many")
    return Interest.of(term)


@lru_cache(20_000)
def stored_interest(canonical: str) -> Interest:
    """The Interest whose canonical form was stored; what it names and does not exist any more matches nothing."""
    return Interest.of(_parsed(canonical, _lenient()))


@cache
def _strict() -> Lark:
    return _parser(_Reader())


@cache
def _lenient() -> Lark:
    return _parser(_LenientReader())


def _parser(reader: "_Reader") -> Lark:
    codes = "|".join(re.escape(code) for code in sorted(taxonomy.categories(), key=len, reverse=True))
    code = rf"(?:{codes})(?![\w.])"
    categories = rf"CATEGORIES.2: /{code}(?:\s*[+,、]\s*{code})*/i"
    grammar = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(f"{grammar}\n{categories}\n", parser="lalr", lexer="basic", transformer=reader)


def _parsed(text: str, parser: Lark) -> Term:
    _check_brackets(text)
    try:
        return cast("Term", parser.parse(text))
    except _BadWord as error:
        raise BadQuery(text, error.token.start_pos or 0, error.problem, *error.details) from None
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise BadQuery(text, len(text), "half") from None
        raise BadQuery(text, error.token.start_pos or 0, "half", str(error.token)) from None


def _check_brackets(text: str) -> None:
    """Brackets and quotation marks come in pairs: said before anything else goes wrong because of it."""
    opened: list[int] = []
    for match in re.finditer(r'"[^"]*("?)|[()]', text):
        sign = match[0][0]
        if sign == '"' and not match[1]:
            raise BadQuery(text, match.start(), "unclosed_quote", match[0])
        if sign == "(":
            opened.append(match.start())
        elif sign == ")" and not opened:
            raise BadQuery(text, match.start(), "stray_bracket", sign)
        elif sign == ")":
            opened.pop()
        if len(opened) > DEEPEST:
            raise BadQuery(text, match.start(), "too_deep", sign)
    if opened:
        raise BadQuery(text, opened[-1], "unclosed_bracket", "(")


def _unreadable(text: str, position: int) -> BadQuery:
    rest = text[position:]
    if rest[0] == ":":
        start = re.search(r"[^\s()\"+,;|]*$", text[:position])
        begin = start.start() if start else position
        return BadQuery(text, begin, "field", text[begin : position + 1])
    if rest[0] == "*":
        return BadQuery(text, position, "wildcard", "*")
    return BadQuery(text, position, "unreadable", rest[:1])


class _BadWord(Exception):
    """A token that can be read and makes no sense."""

    def __init__(self, token: Token, problem: Problem, near: Sequence[str] = (), topics: Sequence[Topic] = ()) -> None:
        super().__init__(problem)
        self.token = token
        self.problem: Problem = problem
        self.details = (token.strip('" '), near, topics)


class _Reader(Transformer[Token, Term]):
    """Makes terms of the grammar's rules."""

    def side(self, parts: list[Term]) -> Term:
        # Side by side categories are alternatives, as in arXiv's own "cs.CV+cs.CL".
        categories = [part for part in parts if is_categories(part)]
        first = [any_of(categories)] if categories else []
        return all_of([*first, *(part for part in parts if part not in categories)])

    def either(self, parts: list[Term]) -> Term:
        return any_of(parts)

    def both(self, parts: list[Term]) -> Term:
        return all_of(parts)

    def excluded(self, parts: list[Term]) -> Term:
        return without(parts[0])

    def categories(self, parts: list[Token]) -> Term:
        return self._categories(parts[0], parts[0])

    def in_field(self, parts: list[Token]) -> Term:
        field, token = parts[0].rstrip(": \t\n").lower(), parts[1]
        value = str(token.strip('"'))
        if field in ("cat", "category", "primary"):
            return self._categories(token, value, primary=field == "primary")
        if field in ("au", "author"):
            if not any(len(part) > 1 for part in wording(value).apart.split()):
                raise _BadWord(token, "no_name")
            return Author(value)
        return self._words(token, value, _FIELDS[field])

    def topic(self, parts: list[Token]) -> Term:
        topic = find_topic(parts[0][1:])
        return self._missing_topic(parts[0]) if topic is None else Named(topic.slug, _meaning(topic.slug))

    def word(self, parts: list[Token]) -> Term:
        token = parts[0]
        archive, dot, _ = token.partition(".")
        if taxonomy.resembles_one(str(token)) or (dot and archive.lower() in taxonomy.archives()):
            return self._categories(token, str(token))
        return self._words(token, str(token))

    def quoted(self, parts: list[Token]) -> Term:
        return self._words(parts[0], parts[0].strip('"'))

    def _words(self, token: Token, text: str, field: Field = "") -> Term:
        text = " ".join(text.split())
        if _HAN.search(text):
            raise _BadWord(token, "chinese", topics=nearest_topics(text))
        if not wording(text).apart.strip():
            raise _BadWord(token, "no_words")
        return Words(text, field)

    def _categories(self, token: Token, names: str, *, primary: bool = False) -> Term:
        known = taxonomy.codes()
        found = (known.get(name.lower()) or self._missing(token, name) for name in re.split(r"\s*[+,、]\s*", names))
        return any_of([Category(code, primary) for code in found])

    def _missing(self, token: Token, category: str) -> str:
        raise _BadWord(token, "category", near=taxonomy.nearest(category))

    def _missing_topic(self, token: Token) -> Term:
        raise _BadWord(token, "topic", topics=nearest_topics(token[1:]))


class _LenientReader(_Reader):
    """The same for what was stored when it was right."""

    def _missing(self, token: Token, category: str) -> str:
        return category

    def _missing_topic(self, token: Token) -> Term:
        return Named(str(token[1:]), AnyOf(()))


@cache
def _meaning(slug: str) -> Term:
    topic = find_topic(slug)
    assert topic is not None
    return _parsed(topic.query, _strict())
