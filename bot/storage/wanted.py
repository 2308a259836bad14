"""Wanted: the papers that somebody is going to see and that are still to be summarised, or translated."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import PaperId
from bot.storage.dialect import insert
from bot.storage.tables import wanted

ABANDONED_AFTER = timedelta(minutes=30)
"""A paper that was claimed so long ago and is still here is free again: whoever claimed it is gone."""


async def add(connection: AsyncConnection, paper_ids: Iterable[PaperId], now: datetime) -> None:
    """Want these papers; one that is wanted already stays so since then."""
    rows = [{"paper_id": paper_id, "since": now} for paper_id in dict.fromkeys(paper_ids)]
    if rows:
        await connection.execute(insert(connection.dialect.name, wanted).on_conflict_do_nothing(), rows)


async def since(connection: AsyncConnection, paper_ids: Collection[PaperId]) -> dict[PaperId, datetime]:
    """Since when each of these papers is wanted, of those that are."""
    rows = await connection.execute(sa.select(wanted).where(wanted.c.paper_id.in_(paper_ids)))
    return {PaperId(row.paper_id): row.since for row in rows}


async def oldest(connection: AsyncConnection, at_most: int) -> list[PaperId]:
    """Those that wait longest."""
    query = sa.select(wanted.c.paper_id).order_by(wanted.c.since, wanted.c.paper_id).limit(at_most)
    return [PaperId(paper_id) for paper_id in await connection.scalars(query)]


async def claim(connection: AsyncConnection, now: datetime, at_most: int) -> list[PaperId]:
    """The same of those that nobody is at, who is at them from now on."""
    row = wanted.c
    is_free = sa.or_(row.claimed_at.is_(None), row.claimed_at < now - ABANDONED_AFTER)
    query = sa.select(row.paper_id).where(is_free).order_by(row.since, row.paper_id).limit(at_most)
    free = list(await connection.scalars(query.with_for_update(skip_locked=True)))
    await connection.execute(sa.update(wanted).where(row.paper_id.in_(free)).values(claimed_at=now))
    return [PaperId(paper_id) for paper_id in free]


async def done(connection: AsyncConnection, paper_ids: Sequence[PaperId]) -> None:
    """These have what they were wanted for."""
    await connection.execute(sa.delete(wanted).where(wanted.c.paper_id.in_(paper_ids)))
