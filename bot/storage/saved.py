"""What each person saved. A person is known by their id on a platform, and is the same one in all chats there."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import PlatformName
from bot.papers import Paper, PaperId
from bot.storage.dialect import insert
from bot.storage.papers import paper_from
from bot.storage.tables import papers, saved


async def add(
    connection: AsyncConnection, platform: PlatformName, user_id: str, paper_ids: Sequence[PaperId], now: datetime
) -> int:
    """Save stored papers; how many were not saved before."""
    rows = [{"platform": platform, "user_id": user_id, "paper_id": each, "at": now} for each in paper_ids]
    if not rows:
        return 0
    statement = insert(connection.dialect.name, saved).values(rows).on_conflict_do_nothing()
    return (await connection.execute(statement)).rowcount


async def remove(
    connection: AsyncConnection, platform: PlatformName, user_id: str, paper_ids: Sequence[PaperId]
) -> int:
    """Forget that these were saved; how many were."""
    statement = sa.delete(saved).where(_of(platform, user_id), saved.c.paper_id.in_(paper_ids))
    return (await connection.execute(statement)).rowcount


async def remove_all(connection: AsyncConnection, platform: PlatformName, user_id: str) -> int:
    """Forget all that a person saved; how many papers that were."""
    return (await connection.execute(sa.delete(saved).where(_of(platform, user_id)))).rowcount


async def count(connection: AsyncConnection, platform: PlatformName, user_id: str) -> int:
    """How many papers a person has saved."""
    counted = sa.select(sa.func.count()).select_from(saved).where(_of(platform, user_id))
    return int((await connection.execute(counted)).scalar_one())


async def latest(
    connection: AsyncConnection, platform: PlatformName, user_id: str, at_most: int, skip: int = 0
) -> list[Paper]:
    """What a person saved, the latest first."""
    query = (
        sa.select(papers)
        .join(saved, saved.c.paper_id == papers.c.id)
        .where(_of(platform, user_id))
        .order_by(saved.c.at.desc(), saved.c.paper_id.desc())
        .limit(at_most)
        .offset(skip)
    )
    return [paper_from(row) for row in await connection.execute(query)]


def _of(platform: PlatformName, user_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(saved.c.platform == platform, saved.c.user_id == user_id)
