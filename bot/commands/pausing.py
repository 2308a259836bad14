"""/pause and /resume: nothing comes unasked for a while, and nothing of it is lost."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import structlog

from bot.cards.reply import Reply
from bot.chats import UNTIL_RESUMED, Preferences, end_of_quiet
from bot.commands.context import Context
from bot.commands.returning import TIME_TO_CHOOSE, both_ways
from bot.commands.status import paused
from bot.storage import chats, outbox

LONGEST = timedelta(days=366)
"""A longer pause has no end but /resume."""

_UNITS = {
    unit: length
    for units, length in (
        ("h hour hours 小时 个小时", timedelta(hours=1)),
        ("d day days 天 日", timedelta(days=1)),
        ("w week weeks 周 星期 个星期", timedelta(weeks=1)),
    )
    for unit in units.split()
}
_DATE = re.compile(r"(?:until|till|to|直到|到|至)?\s*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")

log = structlog.get_logger(__name__)


async def pause(context: Context) -> Reply:
    """Send nothing unasked for `7d`, `12h`, `2w`, `until 2026-12-24`, or until somebody resumes."""
    chat, now = context.chat, context.now
    until = pause_until(context.argument, chat.preferences, now)
    if until is None:
        return context.says("pause.how", value=context.argument[:40])
    async with context.services.database.write() as connection:
        chat = await chats.pause(connection, chat.id, until, now)
        await outbox.hold_back(connection, chat.id, until)
    log.info("chat.paused", chat=chat.id, until=str(until))
    return Reply("\n".join([paused(replace(context, chat=chat)), context.phrases("pause.meanwhile")]))


def pause_until(text: str, preferences: Preferences, now: datetime) -> datetime | None:
    """When a pause ends that somebody asks for; None where the text says no time to come, or one too far away.

    On a day it ends when that day's digest is due, and never within quiet hours.
    """
    text = text.strip().lower()
    if not text:
        return UNTIL_RESUMED
    if found := _DATE.fullmatch(text):
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return None
        until = datetime.combine(day, preferences.time, preferences.tz)
    elif (found := re.fullmatch(r"([0-9]{1,4})\s*(\D+)", text)) and found[2] in _UNITS:
        until = now + int(found[1]) * _UNITS[found[2]]
    else:
        return None
    if not now < until <= now + LONGEST:
        return None
    return end_of_quiet(preferences, until.astimezone(UTC))


async def resume(context: Context) -> Reply:
    """End a pause; if anything came meanwhile, ask whether it is still wanted. Without an answer it comes in its time.

    That is within the hour for what was on its way when the pause began, and the next digest for all the rest.
    """
    services, phrases, now = context.services, context.phrases, context.now
    if not context.chat.is_paused(now):
        return context.says("resume.not_paused")
    owed = await services.composer.owed(context.chat, now)
    async with services.database.write() as connection:
        chat = await chats.pause(connection, context.chat.id, None, now)
        waiting = await outbox.hold_back(connection, chat.id, now + TIME_TO_CHOOSE)
    log.info("chat.resumed", chat=chat.id, owed=owed, waiting=waiting)
    services.scheduler.wake("digest")
    lines = [phrases("resume.done")]
    if owed:
        lines.append(phrases("resume.owed", count=owed))
    if waiting:
        lines.append(phrases("resume.waiting"))
    if chat.next_digest_at is not None:
        lines.append(phrases("status.next", at=context.local(chat.next_digest_at)))
    return Reply("\n".join(lines), buttons=both_ways(phrases, "return") if owed or waiting else ())
