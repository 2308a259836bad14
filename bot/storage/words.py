"""The words that papers are searched by: made a little after the papers were stored, which must not wait for that."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.interests.wording import wording
from bot.papers import PaperId
from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import paper_words, papers, unindexed

_ROWS_AT_ONCE = 50
_IDS: sa.BindParameter[Any] = sa.bindparam("paper_ids", expanding=True)
_MADE_FROM = (
    sa.select(papers.c.id, papers.c.version, papers.c.categories, paper_words.c.made_from)
    .join_from(papers, paper_words, isouter=True)
    .where(papers.c.id.in_(_IDS))
)
_FACTS = sa.select(
    papers.c.id, papers.c.version, papers.c.title, papers.c.abstract, papers.c.authors, papers.c.categories
).where(papers.c.id.in_(_IDS))


async def note(connection: AsyncConnection, paper_ids: Sequence[PaperId]) -> None:
    """Remember those of these papers whose words are not what is stored of them now: making words takes 2 ms each."""
    stale: list[dict[str, PaperId]] = []
    for some in slices(paper_ids, _ROWS_AT_ONCE):
        known = await connection.execute(_MADE_FROM, {"paper_ids": some})
        stale += [{"paper_id": row.id} for row in known if row.made_from != _source(row)]
    if stale:
        await connection.execute(_remember(connection.dialect.name), stale)


async def catch_up(connection: AsyncConnection, at_most: int) -> int:
    """Make the words of some remembered papers, the latest first; how many these were."""
    waiting = sa.select(unindexed.c.paper_id).order_by(unindexed.c.paper_id.desc()).limit(at_most)
    paper_ids = list(await connection.scalars(waiting))
    for some in slices(paper_ids, _ROWS_AT_ONCE):
        facts = (await connection.execute(_FACTS, {"paper_ids": some})).all()
        rows = await asyncio.to_thread(lambda facts: list(map(words_of, facts)), facts)
        await connection.execute(_put(connection.dialect.name), rows)
    await connection.execute(sa.delete(unindexed).where(unindexed.c.paper_id.in_(paper_ids)))
    return len(paper_ids)


async def are_made(connection: AsyncConnection) -> bool:
    """Whether those of all stored papers are."""
    return not (await connection.execute(sa.select(sa.exists(sa.select(unindexed))))).scalar_one()


@cache
def _remember(dialect: str) -> sa.Insert:
    return insert(dialect, unindexed).on_conflict_do_nothing()


@cache
def _put(dialect: str) -> sa.Insert:
    statement = insert(dialect, paper_words)
    changed = ("made_from", "title", "abstract", "authors", "others")
    return statement.on_conflict_do_update(
        index_elements=["paper_id"], set_={name: statement.excluded[name] for name in changed}
    )


def words_of(facts: Any) -> dict[str, str]:
    """The row of `paper_words` for a row of `papers`."""
    title, abstract = wording(facts.title), wording(facts.abstract)
    authors = [wording(author) for author in facts.authors]
    # What only reading over a hyphen makes a word: "pretraining" of "pre-training".
    compounds = [
        word for text in (title, abstract) for word in Counter(text.joined.split()) - Counter(text.apart.split())
    ]
    categories = [in_category(code) for code in facts.categories]
    primary = [in_category(code, primary=True) for code in facts.categories[:1]]
    return {
        "paper_id": facts.id,
        "made_from": _source(facts),
        "title": title.apart.strip(),
        "abstract": abstract.apart.strip(),
        "authors": " ".join(
            form.strip() for author in authors for form in dict.fromkeys((author.apart, author.joined))
        ),
        "others": " ".join([*categories, *primary, *compounds]),
    }


def _source(facts: Any) -> str:
    return " ".join([str(facts.version), *facts.categories])


def in_category(code: str, *, primary: bool = False) -> str:
    """The word that stands for a category: `incscl`, `primarycscl`."""
    return ("primary" if primary else "in") + re.sub(r"[\W_]", "", code.lower())
