"""Stand-ins: private chats from which somebody sets up a channel for a while."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat
from bot.storage.chats import chat_from
from bot.storage.dialect import insert
from bot.storage.tables import chats, stand_ins


async def put(connection: AsyncConnection, chat_id: int, channel_id: int, until: datetime) -> None:
    """What is said in this private chat is meant for that channel, until then."""
    values = {"channel_id": channel_id, "until": until}
    await connection.execute(
        insert(connection.dialect.name, stand_ins)
        .values(chat_id=chat_id, **values)
        .on_conflict_do_update(index_elements=["chat_id"], set_=values)
    )


async def get(connection: AsyncConnection, chat_id: int, now: datetime) -> Chat | None:
    """The channel that is set up from a private chat at present."""
    query = (
        sa.select(chats)
        .join(stand_ins, stand_ins.c.channel_id == chats.c.id)
        .where(stand_ins.c.chat_id == chat_id, stand_ins.c.until > now)
    )
    row = (await connection.execute(query)).first()
    return chat_from(row) if row else None


async def end(connection: AsyncConnection, chat_id: int) -> None:
    await connection.execute(sa.delete(stand_ins).where(stand_ins.c.chat_id == chat_id))
