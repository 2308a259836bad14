"""Operators: who runs this bot, on which platform, and where they are told things."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.storage.chats import chat_from
from bot.storage.dialect import insert
from bot.storage.tables import chats, operators


async def add(connection: AsyncConnection, platform: PlatformName, user_id: str, chat_id: int) -> None:
    """This person runs the bot; requests are brought to that chat."""
    values = {"platform": platform, "user_id": user_id, "chat_id": chat_id}
    await connection.execute(
        insert(connection.dialect.name, operators)
        .values(values)
        .on_conflict_do_update(index_elements=["platform", "user_id"], set_={"chat_id": chat_id})
    )


async def is_operator(connection: AsyncConnection, platform: PlatformName, user_id: str) -> bool:
    query = sa.select(sa.exists().where(operators.c.platform == platform, operators.c.user_id == user_id))
    return bool((await connection.execute(query)).scalar_one())


async def has_any(connection: AsyncConnection, platforms: Iterable[PlatformName]) -> bool:
    """Whether somebody claimed the bot on a platform other than the local web chat."""
    outside = [platform for platform in platforms if platform != "web"]
    query = sa.select(sa.exists().where(operators.c.platform.in_(outside)))
    return bool((await connection.execute(query)).scalar_one())


async def their_chats(connection: AsyncConnection) -> list[Chat]:
    """Where operators are told things."""
    query = sa.select(chats).join(operators, operators.c.chat_id == chats.c.id).distinct().order_by(chats.c.id)
    return [chat_from(row) for row in await connection.execute(query)]
