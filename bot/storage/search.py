"""Searching the stored papers: the full-text index finds candidates and ranks them, the Interest itself decides.

The index finds a little too much (words of a phrase on both sides of a hyphen, the names of two authors as one), never
too little; so what it finds is looked through as for a subscription, and both mean the same by a query.
"""

import asyncio
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.interests import Document, Interest, Matches
from bot.interests.terms import All, AnyOf, Author, Category, Field, Named, Term, Without, Words
from bot.interests.wording import wording
from bot.papers import Paper, PaperId, is_sample
from bot.storage import papers
from bot.storage.slices import slices
from bot.storage.words import in_category

MOST_CANDIDATES = 500
"""That are looked through for one search, the best first."""
MOST_RANKED = 10_000
"""Of papers that have words as common as "model", the latest so many are ranked: that bounds what a search costs."""
_AT_ONCE = 20

_COLUMNS: dict[Field, tuple[str, ...]] = {"": ("title", "abstract"), "ti": ("title",), "abs": ("abstract",)}
_WEIGHTS = {"title": "A", "abstract": "B", "authors": "C", "others": "D"}

_NEWEST = {
    "sqlite": """
        SELECT paper_id FROM paper_words WHERE id IN (
            SELECT rowid FROM found_words WHERE found_words MATCH :query ORDER BY rowid DESC LIMIT :most
        ) ORDER BY id DESC""",
    "postgresql": """
        SELECT paper_id FROM paper_words WHERE found @@ to_tsquery('simple', :query) ORDER BY id DESC LIMIT :most""",
}
# https://www.sqlite.org/fts5.html#the_bm25_function, https://www.postgresql.org/docs/current/textsearch-controls.html
_RANKED = {
    "sqlite": """
        SELECT paper_words.paper_id FROM (
            SELECT rowid, bm25(found_words, 5, 1, 3, 0) AS score FROM found_words
            WHERE found_words MATCH :query AND rowid > coalesce((
                SELECT rowid FROM found_words WHERE found_words MATCH :query
                ORDER BY rowid DESC LIMIT 1 OFFSET :ranked
            ), 0)
            ORDER BY score, rowid DESC LIMIT :most
        ) AS best JOIN paper_words ON paper_words.id = best.rowid
        ORDER BY best.score, best.rowid DESC""",
    "postgresql": """
        SELECT paper_id FROM (
            SELECT id, paper_id, found FROM paper_words WHERE found @@ to_tsquery('simple', :query)
            ORDER BY id DESC LIMIT :ranked
        ) AS latest
        ORDER BY ts_rank('{0, 0.2, 0.6, 1}', found, to_tsquery('simple', :query), 1) DESC, id DESC LIMIT :most""",
}


async def find(
    connection: AsyncConnection, interest: Interest, at_most: int, *, with_sample: bool = False
) -> list[Paper]:
    """The stored papers that a query wants: the best first, or, where it names categories only, the latest."""
    query = _wanted(interest.term)
    if query is None:
        return []
    dialect = connection.dialect.name
    spelt = _as_tsquery(query) if dialect == "postgresql" else _as_match(query)
    statement = (_RANKED if interest.has_words else _NEWEST)[dialect]
    values = {"query": spelt, "most": MOST_CANDIDATES, "ranked": MOST_RANKED}
    rows = await connection.execute(sa.text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
    candidates = [PaperId(paper_id) for (paper_id,) in rows if with_sample or not is_sample(paper_id)]
    found: list[Paper] = []
    for some in slices(candidates, _AT_ONCE):
        stored = await papers.get(connection, some)
        in_order = [stored[each] for each in some if each in stored]
        found += await asyncio.to_thread(_matching, interest, in_order)
        if len(found) >= at_most:
            break
    return found[:at_most]


def having(words: tuple[str, ...], dialect: str) -> str:
    """The index's own query for these words, in their plain form, one after the other in a title or abstract."""
    phrase = _Phrase(words, _COLUMNS[""])
    return _as_tsquery(phrase) if dialect == "postgresql" else _as_match(phrase)


def _matching(interest: Interest, some: list[Paper]) -> list[Paper]:
    matches = Matches([interest])
    matches.add(Document(each.id, each.categories, each.title, each.abstract, each.authors) for each in some)
    wanted = set(matches.of(interest))
    return [each for each in some if each.id in wanted]


# What the index is asked, in words of our own before it is spelt for SQLite or PostgreSQL.


@dataclass(frozen=True, slots=True)
class _Phrase:
    """These words one after the other, in one of these columns."""

    words: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Every:
    parts: tuple["_Query", ...]


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple["_Query", ...]


@dataclass(frozen=True, slots=True)
class _Except:
    wanted: "_Query"
    unwanted: "_Query"


_Query = _Phrase | _Every | _Any | _Except


def _wanted(term: Term) -> _Query | None:  # noqa: PLR0911 -- a table: one return a row
    """What finds every paper that a term wants; None where any paper may be one."""
    match term:
        case Category():
            return _Phrase((in_category(term.code, primary=term.primary),), ("others",))
        case Words():
            return _with_words(term)
        case Author():
            return _by(term)
        case Named():
            return _wanted(term.meaning)
        case AnyOf():
            parts = [_wanted(each) for each in term.terms]
            return _Any(tuple(part for part in parts if part)) if parts and None not in parts else None
        case All():
            return _all(term)
        case Without():
            return None


def _all(term: All) -> _Query | None:
    parts = tuple(part for each in term.terms if (part := _wanted(each)))
    query: _Query | None = _Every(parts) if parts else None
    for each in term.terms:
        if query and isinstance(each, Without) and (unwanted := _exactly(each.term)):
            query = _Except(query, unwanted)
    return query


def _exactly(term: Term) -> _Query | None:
    """What finds the papers that a term wants and no others, so that they can be left out; None: the index cannot."""
    match term:
        case Category():
            return _wanted(term)
        case Words(text=text, within=within):
            words = wording(text)
            alone = tuple(words.apart.split())
            columns = (*_COLUMNS[within], *(("others",) if not within else ()))
            return _Phrase(alone, columns) if len(alone) == 1 and words.apart == words.joined else None
        case _:
            return None


def _with_words(term: Words) -> _Query:
    words, columns = wording(term.text), _COLUMNS[term.within]
    apart, joined = tuple(words.apart.split()), tuple(words.joined.split())
    phrases = [_Phrase(each, columns) for each in dict.fromkeys((apart, joined))]
    # Where the paper has a hyphen and the query has none, no column has the phrase as a whole.
    has_compound = _Any(tuple(_Phrase((word,), ("others",)) for word in joined))
    has_all = [_Phrase((word,), (*columns, "others")) for word in joined]
    return _Any((*phrases, _Every((has_compound, *has_all))))


def _by(term: Author) -> _Query:
    """One part of the name in full, and of each part this or its initial."""
    name = wording(term.name)
    spellings = []
    for parts in dict.fromkeys((tuple(name.apart.split()), tuple(name.joined.split()))):
        long = [part for part in parts if len(part) > 1]
        if long:
            in_full = _Any(tuple(_Phrase((part,), ("authors",)) for part in long))
            each = (_Any((_Phrase((part,), ("authors",)), _Phrase((part[0],), ("authors",)))) for part in long)
            spellings.append(_Every((in_full, *each)))
    return _Any(tuple(spellings))


def _as_match(query: _Query) -> str:
    """https://www.sqlite.org/fts5.html#full_text_query_syntax; words are letters and digits only."""
    match query:
        case _Phrase(words, columns):
            return f'{{{" ".join(columns)}}} : "{" ".join(words)}"'
        case _Every(parts):
            return f"({' AND '.join(map(_as_match, parts))})"
        case _Any(parts):
            return f"({' OR '.join(map(_as_match, parts))})"
        case _Except(wanted, unwanted):
            return f"({_as_match(wanted)} NOT {_as_match(unwanted)})"


def _as_tsquery(query: _Query) -> str:
    """https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY"""
    match query:
        case _Phrase(words, columns):
            weights = "".join(_WEIGHTS[column] for column in columns)
            spelt = [f"'{word}':{weights}" for word in words]
            return f"({' <-> '.join(spelt)})"
        case _Every(parts):
            return f"({' & '.join(map(_as_tsquery, parts))})"
        case _Any(parts):
            return f"({' | '.join(map(_as_tsquery, parts))})"
        case _Except(wanted, unwanted):
            return f"({_as_tsquery(wanted)} & !{_as_tsquery(unwanted)})"
