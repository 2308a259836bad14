"""Ended: subscriptions that a chat gave up, kept for a while so that it can take them up again as they were."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, Subscription
from bot.interests import stored_interest
from bot.storage import chats
from bot.storage.dialect import insert
from bot.storage.tables import ended_subscriptions, subscriptions


async def end(connection: AsyncConnection, chat: Chat, number: int, now: datetime) -> Subscription | None:
    """End a subscription of this chat; what it was, None where the chat has none of this number."""
    mine = (subscriptions.c.id == number, subscriptions.c.chat_id == chat.id)
    row = (await connection.execute(sa.select(subscriptions).where(*mine))).first()
    if row is None:
        return None
    await connection.execute(sa.delete(subscriptions).where(*mine))
    await connection.execute(sa.insert(ended_subscriptions).values({**row._mapping, "ended_at": now}))
    await chats.schedule(connection, chat.id, now)
    return Subscription(row.id, row.chat_id, stored_interest(row.query), row.since, row.made_at or row.since)


async def named(connection: AsyncConnection, chat_id: int, numbers: Collection[int]) -> dict[int, str]:
    """The queries of those of these numbers that the chat has ended."""
    query = sa.select(ended_subscriptions.c.id, ended_subscriptions.c.query).where(
        ended_subscriptions.c.chat_id == chat_id, ended_subscriptions.c.id.in_(numbers)
    )
    return {row.id: row.query for row in await connection.execute(query)}


async def take_up(
    connection: AsyncConnection, chat: Chat, number: int, ended_since: datetime, now: datetime
) -> Subscription | None:
    """Go on with what was ended at `ended_since` or later, as if it never had been: it owes what it owed.

    None where the chat has nothing such to take up.
    """
    mine = (ended_subscriptions.c.id == number, ended_subscriptions.c.chat_id == chat.id)
    found = sa.select(ended_subscriptions).where(*mine, ended_subscriptions.c.ended_at >= ended_since)
    row = (await connection.execute(found)).first()
    if row is None:
        return None
    await connection.execute(sa.delete(ended_subscriptions).where(*mine))
    again = insert(connection.dialect.name, subscriptions).values(
        chat_id=chat.id, query=row.query, since=row.since, made_at=row.made_at, alerts_since=row.alerts_since
    )
    earlier = sa.case((subscriptions.c.since < again.excluded.since, subscriptions.c.since), else_=again.excluded.since)
    # Who subscribed to it anew meanwhile is owed what it owed, too.
    await connection.execute(again.on_conflict_do_update(index_elements=["chat_id", "query"], set_={"since": earlier}))
    await chats.schedule(connection, chat.id, now)
    return Subscription(row.id, chat.id, stored_interest(row.query), row.since, row.made_at or row.since)


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Drop what was ended before an instant."""
    await connection.execute(sa.delete(ended_subscriptions).where(ended_subscriptions.c.ended_at < before))
