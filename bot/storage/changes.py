"""What was left out of a chat's subscriptions by a button, kept for a while so that it can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, Subscription
from bot.interests import Interest
from bot.storage import chats
from bot.storage.tables import changes, subscriptions


@dataclass(frozen=True, slots=True)
class Change:
    """A subscription as it was, and what became of its query."""

    before: Subscription
    after: Interest


async def make(connection: AsyncConnection, chat: Chat, wanted: Sequence[Change], now: datetime) -> int:
    """Change these subscriptions of a chat; the number by which that can be undone.

    They go on owing what they owed: nothing that came comes again. No two of a chat's may have the same query.
    """
    row = subscriptions.c
    for each in wanted:
        mine = (row.chat_id == chat.id, row.id == each.before.id)
        await connection.execute(sa.update(subscriptions).where(*mine).values(query=str(each.after)))
    await chats.schedule(connection, chat.id, now)
    before = [{"id": each.before.id, "query": str(each.before.interest), "after": str(each.after)} for each in wanted]
    kept = sa.insert(changes).values(chat_id=chat.id, before=before, at=now).returning(changes.c.id)
    return int((await connection.execute(kept)).scalar_one())


async def undo(connection: AsyncConnection, chat: Chat, number: int, now: datetime) -> list[str] | None:
    """Take a change of this chat back, once; the queries that are as they were before.

    What somebody changed once more meanwhile stays as it is. None where the chat has no such change, or no more.
    """
    kept = sa.delete(changes).where(changes.c.chat_id == chat.id, changes.c.id == number).returning(changes.c.before)
    before = (await connection.execute(kept)).scalar_one_or_none()
    if before is None:
        return None
    row, restored = subscriptions.c, []
    followed = {str(each.interest) for each in await chats.subscriptions_of(connection, chat.id)}
    for each in before:
        if each["query"] in followed:
            continue
        same = (row.chat_id == chat.id, row.id == each["id"], row.query == each["after"])
        if (await connection.execute(sa.update(subscriptions).where(*same).values(query=each["query"]))).rowcount:
            restored.append(each["query"])
    await chats.schedule(connection, chat.id, now)
    return restored


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Forget the changes that nobody took back."""
    await connection.execute(sa.delete(changes).where(changes.c.at < before))
