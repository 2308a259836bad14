"""Moves: a platform gives a chat another address."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, local_day
from bot.storage import bans, chats, tables
from bot.storage.tables import (
    changes,
    digest_papers,
    digests,
    ended_subscriptions,
    messages,
    operators,
    subscriptions,
    told_versions,
)

_GO_ALONG = (
    subscriptions,
    ended_subscriptions,
    changes,
    digests,
    digest_papers,
    told_versions,
    messages,
    operators,
)


async def move(connection: AsyncConnection, chat: Chat, address: str, now: datetime) -> Chat:
    """The platform gave the chat a new address (a group that became a supergroup); the chat as it is from now on.

    Where somebody already spoke at the new address the two become one: what the old one followed, was given and is
    still to get goes over. A ban goes along.
    """
    known, current = await chats.find(connection, chat.platform, address), await chats.get(connection, chat.id)
    if current is None:
        return known or chat  # that was done already
    await bans.move(connection, chat.platform, chat.place, address.partition(":")[0])
    if known is None or known.id == chat.id:
        await connection.execute(sa.update(tables.chats).where(tables.chats.c.id == chat.id).values(address=address))
        return replace(current, address=address)
    # A day has one daily digest. Where both had one, the old one's stays on as another kind: its messages hang on it.
    days = sa.select(digests.c.local_day).where(digests.c.chat_id == known.id)
    await connection.execute(
        sa.update(digests)
        .where(digests.c.chat_id == chat.id, digests.c.local_day.in_(days), digests.c.occasion == "daily")
        .values(occasion="asked")
    )
    same = subscriptions.alias()
    has_same = (same.c.chat_id == chat.id, same.c.query == subscriptions.c.query)
    since = sa.select(same.c.since).where(*has_same, same.c.since < subscriptions.c.since).scalar_subquery()
    alerts_since = sa.select(same.c.alerts_since).where(*has_same).scalar_subquery()
    await connection.execute(
        sa.update(subscriptions)
        .where(subscriptions.c.chat_id == known.id)
        .values(
            since=sa.func.coalesce(since, subscriptions.c.since),
            alerts_since=sa.func.coalesce(subscriptions.c.alerts_since, alerts_since),
        )
    )
    # What the new one has as well stays behind, and goes with the old one.
    for table, what in ((subscriptions, "query"), (digest_papers, "paper_id"), (told_versions, "paper_id")):
        new = table.alias()
        has_too = sa.select(new.c[what]).where(new.c.chat_id == known.id)
        await connection.execute(sa.delete(table).where(table.c.chat_id == chat.id, table.c[what].in_(has_too)))
    for table in _GO_ALONG:
        await connection.execute(sa.update(table).where(table.c.chat_id == chat.id).values(chat_id=known.id))
    due = min(filter(None, (current.next_digest_at, known.next_digest_at)), default=None)
    last_day = max(filter(None, (current.last_digest_day, known.last_digest_day)), default=None)
    paused_until = max(filter(None, (current.paused_until, known.paused_until)), default=None)
    if last_day is not None and last_day >= local_day(known.preferences, now):
        due = None  # today had its digest
    await connection.execute(
        sa.update(tables.chats)
        .where(tables.chats.c.id == known.id)
        .values(
            access=current.access,
            next_digest_at=due,
            last_digest_day=last_day,
            paused_until=paused_until,
            most_papers=current.quota.papers,
            most_subscriptions=current.quota.subscriptions,
            cap=current.quota.keep(known.preferences).cap,
        )
    )
    await connection.execute(sa.delete(tables.chats).where(tables.chats.c.id == chat.id))
    return await chats.schedule(connection, known.id, now)
