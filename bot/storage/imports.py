"""Imports that wait until somebody says yes to them: a chat has one at a time, the last."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.tables import imports


async def put(connection: AsyncConnection, chat_id: int, content: str, now: datetime) -> int:
    """Keep what a chat may import, instead of what it might have before; its number."""
    await connection.execute(sa.delete(imports).where(imports.c.chat_id == chat_id))
    statement = sa.insert(imports).values(chat_id=chat_id, content=content, at=now).returning(imports.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def get(connection: AsyncConnection, chat_id: int, number: int, since: datetime) -> str | None:
    """The chat's import of this number, if it was put there at `since` or later and nobody has decided on it."""
    query = sa.select(imports.c.content).where(
        imports.c.id == number, imports.c.chat_id == chat_id, imports.c.at >= since
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def end(connection: AsyncConnection, chat_id: int, number: int) -> bool:
    """It was decided on; False where somebody did so already."""
    statement = sa.delete(imports).where(imports.c.id == number, imports.c.chat_id == chat_id)
    return bool((await connection.execute(statement)).rowcount)


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Drop those on which nobody has decided."""
    await connection.execute(sa.delete(imports).where(imports.c.at < before))
