"""Papers and where they were listed."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import midnight_of
from bot.interests import Document
from bot.papers import FRESH, Announced, Paper, PaperId
from bot.storage import replacements, words
from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import listings, papers
from bot.taxonomy import canonical

_BATCH = 200
_DOCUMENTS = 1_000
_ROWS_AT_ONCE = 50
"""That are written together: thousands would hold the event loop while they are made ready."""

_LISTED = sa.select(listings.c.paper_id, listings.c.category, listings.c.day).where(
    listings.c.paper_id.in_(sa.bindparam("paper_ids", expanding=True)), listings.c.announce_type.in_(FRESH)
)
_NEW = sa.select(listings.c.category, listings.c.day, listings.c.paper_id).where(
    listings.c.category.in_(sa.bindparam("categories", expanding=True)),
    listings.c.first_seen_at >= sa.bindparam("seen_since"),
    listings.c.day >= sa.bindparam("since"),
    listings.c.announce_type == "new",
    listings.c.is_sample.is_(False),
)


async def add_announced(connection: AsyncConnection, announced: Sequence[Announced], seen_at: datetime) -> int:
    """Store an announcement's papers and list each under all its categories; how many listings were not known before.

    A paper already listed keeps its day; what is cross-listed later is news only in the categories that it came to, and
    never in its own. A higher version replaces the facts, a lower one does not.
    """
    return sum([await _add_announced(connection, some, seen_at) for some in slices(announced, _ROWS_AT_ONCE)])


async def _add_announced(connection: AsyncConnection, announced: Sequence[Announced], seen_at: datetime) -> int:
    await add(connection, [each.paper for each in announced], seen_at)
    known = await fresh_listings(connection, [each.paper.id for each in announced])
    rows = [
        {
            "paper_id": each.paper.id,
            "category": category,
            "announce_type": each.announce_type,
            "day": each.day,
            "first_seen_at": seen_at,
            "is_sample": each.paper.is_sample,
        }
        for each in announced
        for category in each.paper.categories
        if each.announce_type not in FRESH or (each.paper.id, category) not in known
        if not (each.is_late_cross_list and canonical(category) == canonical(each.paper.primary))
    ]
    if not rows:
        return 0
    return (await connection.execute(_list(connection.dialect.name), rows)).rowcount


@cache
def _list(dialect: str) -> sa.Insert:
    return insert(dialect, listings).on_conflict_do_nothing()


async def fresh_listings(connection: AsyncConnection, paper_ids: Sequence[PaperId]) -> dict[tuple[PaperId, str], date]:
    """In which categories these papers were listed as new or cross-listed ones, and on which announcement day."""
    found: dict[tuple[PaperId, str], date] = {}
    for some in slices(paper_ids, _BATCH):
        rows = await connection.execute(_LISTED, {"paper_ids": some})
        found |= {(PaperId(row.paper_id), row.category): row.day for row in rows}
    return found


async def redate(connection: AsyncConnection, category: str, announced: Sequence[Announced]) -> None:
    """List these papers, which are listed in a category already, under their own announcement day instead."""
    for day in {each.day for each in announced}:
        paper_ids = [each.paper.id for each in announced if each.day == day]
        for some in slices(paper_ids, _BATCH):
            await connection.execute(
                sa.update(listings)
                .where(
                    listings.c.paper_id.in_(some),
                    listings.c.category == category,
                    listings.c.announce_type.in_(FRESH),
                )
                .values(day=day)
            )


async def replaced_before(
    connection: AsyncConnection, paper_ids: Sequence[PaperId], category: str, day: date
) -> set[PaperId]:
    """Those of these papers that were in a category before that day, as a replacement told."""
    found: set[PaperId] = set()
    for some in slices(paper_ids, _BATCH):
        query = sa.select(listings.c.paper_id).where(
            listings.c.paper_id.in_(some),
            listings.c.category == category,
            listings.c.day < day,
        )
        found |= {PaperId(row.paper_id) for row in await connection.execute(query)}
    return found


async def new_by_day(
    connection: AsyncConnection, categories: Sequence[str], since: date
) -> dict[str, dict[date, list[PaperId]]]:
    """What was new, not cross-listed, in each of these categories on each announcement day."""
    found: dict[str, dict[date, list[PaperId]]] = {category: {} for category in categories}
    values = {"categories": categories, "since": since, "seen_since": midnight_of(since)}
    for row in await connection.execute(_NEW, values):
        found[row.category].setdefault(row.day, []).append(PaperId(row.paper_id))
    return found


async def add(connection: AsyncConnection, new: Iterable[Paper], seen_at: datetime) -> None:
    """Store papers. A higher version replaces the facts, a lower one adds only what was missing.

    A source that does not tell a fact (a feed has no comment, a listing no licence) never erases it.
    """
    rows = {paper.id: _row(paper, seen_at) for paper in new}
    if not rows:
        return
    await replacements.note(connection, list(rows.values()), seen_at)
    await connection.execute(_put(connection.dialect.name), list(rows.values()))
    await words.note(connection, list(rows))


@cache
def _put(dialect: str) -> sa.Insert:
    statement = insert(dialect, papers)
    fresh = statement.excluded
    newer, as_new = fresh.version > papers.c.version, fresh.version >= papers.c.version
    facts = ("version", "title", "abstract", "authors", "updated_at")
    may_be_missing = ("licence", "comment", "journal_ref", "doi")
    seen_withdrawn = sa.case((as_new, sa.or_(papers.c.withdrawn, fresh.withdrawn)), else_=papers.c.withdrawn)
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_={
            **{name: sa.case((newer, fresh[name]), else_=papers.c[name]) for name in facts},
            **{
                name: sa.func.coalesce(sa.case((as_new, fresh[name])), papers.c[name], fresh[name])
                for name in may_be_missing
            },
            "categories": sa.case((as_new, fresh.categories), else_=papers.c.categories),
            "withdrawn": sa.case((newer, fresh.withdrawn), else_=seen_withdrawn),
        },
    )


def _row(paper: Paper, seen_at: datetime) -> dict[str, Any]:
    return {
        "id": paper.id,
        "version": paper.version,
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "licence": paper.licence,
        "comment": paper.comment,
        "withdrawn": paper.withdrawn,
        "updated_at": seen_at,
        "journal_ref": paper.journal_ref,
        "doi": paper.doi,
    }


def paper_from(row: sa.Row[Any]) -> Paper:
    return Paper(
        id=PaperId(row.id),
        version=row.version,
        title=row.title,
        abstract=row.abstract,
        authors=tuple(row.authors),
        categories=tuple(row.categories),
        licence=row.licence,
        comment=row.comment,
        withdrawn=row.withdrawn,
        journal_ref=row.journal_ref,
        doi=row.doi,
    )


async def get(connection: AsyncConnection, paper_ids: Sequence[PaperId]) -> dict[PaperId, Paper]:
    """The stored ones among these papers."""
    found: dict[PaperId, Paper] = {}
    for some in slices(paper_ids, _BATCH):
        rows = await connection.execute(sa.select(papers).where(papers.c.id.in_(some)))
        found |= {paper.id: paper for paper in map(paper_from, rows)}
    return found


async def documents(connection: AsyncConnection, paper_ids: Sequence[PaperId]) -> AsyncIterator[list[Document]]:
    """What these papers are matched by, some at a time."""
    columns = (papers.c.id, papers.c.categories, papers.c.title, papers.c.abstract, papers.c.authors)
    for some in slices(paper_ids, _DOCUMENTS):
        rows = await connection.execute(sa.select(*columns).where(papers.c.id.in_(some)))
        yield [Document(PaperId(row.id), row.categories, row.title, row.abstract, row.authors) for row in rows]
