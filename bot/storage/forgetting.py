"""Forgetting: everything that is kept about a chat, and about the person who asks for it, is deleted."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat
from bot.storage import outbox
from bot.storage.chats import at
from bot.storage.dialect import is_among
from bot.storage.tables import chats, digest_papers, digests, messages, operators, payloads, saved, votes

OF_A_PERSON = (operators, saved, votes)
"""The tables whose rows are somebody's, by `platform` and `user_id`."""

_LONG_AGO = datetime.fromtimestamp(0, UTC)


async def serves_others(connection: AsyncConnection, chat: Chat, user_id: str) -> bool:
    """Whether somebody else runs the bot from this chat, and would lose that with it."""
    row = operators.c
    others = sa.or_(row.platform != chat.platform, row.user_id != user_id)
    return bool((await connection.execute(sa.select(sa.exists().where(row.chat_id == chat.id, others)))).scalar_one())


async def forget(connection: AsyncConnection, chat: Chat, user_id: str) -> bool:
    """Delete a chat with all that refers to it, and what is kept about this person. Papers and summaries stay.

    False while a message of the chat is in flight: then only what has not left yet is taken back, and nothing deleted.
    Texts that others may have been sent as well are dropped with the next housekeeping, if nobody is still to get them.
    """
    await outbox.void(connection, messages.c.chat_id == chat.id, "the chat is forgotten")
    in_flight = sa.exists().where(messages.c.chat_id == chat.id, messages.c.state == sa.literal_column("'sending'"))
    if (await connection.execute(sa.select(in_flight))).scalar_one():
        return False
    which = messages.c.chat_id == chat.id
    place = chat.address.partition(":")[0]
    if not [each for each in await at(connection, chat.platform, place) if each.id != chat.id]:
        # What operators were told when it asked to be let in; it may ask again.
        asked = messages.c.key.startswith(f"access-{chat.platform}-{place}-", autoescape=True)
        which |= sa.and_(asked, messages.c.state != "sending")
    await _forget_messages(connection, which)
    for table in OF_A_PERSON:
        mine = (table.c.platform == chat.platform, table.c.user_id == user_id)
        await connection.execute(sa.delete(table).where(*mine))
    for table in (digest_papers, digests):  # the largest ones, in one step each; the rest goes with the chat
        await connection.execute(sa.delete(table).where(table.c.chat_id == chat.id))
    await connection.execute(sa.delete(chats).where(chats.c.id == chat.id))
    return True


async def _forget_messages(connection: AsyncConnection, which: sa.ColumnElement[bool]) -> None:
    found = (await connection.execute(sa.select(messages.c.id, messages.c.payload_id).where(which))).all()
    name = connection.dialect.name
    texts = [row.payload_id for row in found if row.payload_id is not None]
    await connection.execute(sa.update(payloads).where(is_among(payloads.c.id, name, texts)).values(used_at=_LONG_AGO))
    await connection.execute(sa.delete(messages).where(is_among(messages.c.id, name, [row.id for row in found])))
