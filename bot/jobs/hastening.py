"""Hastening: chats that want their digest as soon as it is complete get it when the last of their lists has come."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.announcements import announcement_day, day_of
from bot.chats import Chat, end_of_quiet, local_day
from bot.storage import announcements, chats
from bot.storage.database import Database

log = structlog.get_logger(__name__)


async def hasten(database: Database, default_categories: Sequence[str], now: datetime) -> int:
    """Have the digests due now for whose chats every list of today's is there; how many these are."""
    today = announcement_day(day_of(now))
    if today != day_of(now):
        return 0
    async with database.read() as connection:
        waiting = [chat for chat in await chats.in_a_hurry(connection, now) if _may_have_one(chat, now)]
        follows = await chats.subscriptions_by_chat(connection, [chat.id for chat in waiting])
        looked_at = {
            chat_id: await chats.looked_at(connection, [each.interest for each in several], default_categories)
            for chat_id, several in follows.items()
        }
        told = await announcements.get(connection, {name for names in looked_at.values() for name in names}, today)
    is_there = {name: bool(days) and not days[-1].is_awaited for name, days in told.items()}
    ready = [chat_id for chat_id, names in looked_at.items() if all(is_there[name] for name in names)]
    if ready:
        async with database.write() as connection:
            await chats.due_at(connection, ready, now)
        log.info("digests.hastened", digests=len(ready))
    return len(ready)


def _may_have_one(chat: Chat, now: datetime) -> bool:
    preferences = chat.preferences
    today = local_day(preferences, now)
    is_new_day = chat.last_digest_day is None or chat.last_digest_day < today
    return is_new_day and today.weekday() in preferences.days and end_of_quiet(preferences, now) <= now
