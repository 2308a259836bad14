"""The updates that came in, so that one that a platform brings again is known."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import PlatformName
from bot.storage.dialect import insert
from bot.storage.tables import updates_seen


async def is_new(connection: AsyncConnection, platform: PlatformName, update_id: int, now: datetime) -> bool:
    """Note an update; False where it was noted before, by whichever process."""
    values = {"platform": platform, "update_id": update_id, "at": now}
    result = await connection.execute(
        insert(connection.dialect.name, updates_seen).values(values).on_conflict_do_nothing()
    )
    return bool(result.rowcount)


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Forget what came before this instant."""
    await connection.execute(sa.delete(updates_seen).where(updates_seen.c.at < before))
