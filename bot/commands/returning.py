"""Coming back: a chat that was given up for a while, or a restored backup, goes on from now or catches up."""

from datetime import datetime, timedelta

import structlog

from bot.cards.reply import Button, Reply
from bot.chats import Chat, local_day
from bot.commands.context import Context, Services, spoken
from bot.locales import Phrases, phrases_of
from bot.storage import chats, marks, outbox
from bot.storage.database import Database
from bot.storage.tables import messages

TIME_TO_CHOOSE = timedelta(hours=1)
"""For so long what waited is held back, so that a chat can choose; then it catches up: nothing is lost by default."""

log = structlog.get_logger(__name__)


async def welcome_back(services: Services, chat: Chat) -> Reply | None:
    """Let a chat that was given up be written to again; what to ask it, if anything came meanwhile.

    One that is paused stays so, and goes on as it would have.
    """
    now = services.clock.now()
    async with services.database.write() as connection:
        await chats.reactivate(connection, chat.id)
        if chat.is_paused(now):
            return None
        waiting = await outbox.hold_back(connection, chat.id, now + TIME_TO_CHOOSE)
        follows = bool(await chats.subscriptions_of(connection, chat.id))
        missed_a_digest = follows and chat.next_digest_at is not None and chat.next_digest_at <= now
        if missed_a_digest:
            await chats.digest_now(connection, chat.id, now + TIME_TO_CHOOSE)
    log.info("chat.active_again", chat=chat.id, waiting=waiting)
    services.scheduler.wake("digest")
    services.scheduler.wake("deliver")
    if not (waiting or missed_a_digest):
        return None
    phrases = phrases_of(spoken(chat.preferences.language, None))
    return Reply(
        phrases("return.question", since=f"{chat.inactive_since or now:%Y-%m-%d}"),
        title=phrases("return.title"),
        buttons=both_ways(phrases, "return"),
    )


def both_ways(phrases: Phrases, verb: str, argument: str = "") -> tuple[Button, Button]:
    """The two ways to go on: from now, or with what came before."""
    return (
        Button(phrases("button.from_now"), f"{verb}:from-now{argument}"),
        Button(phrases("button.catch_up"), f"{verb}:catch-up{argument}"),
    )


async def choose(context: Context) -> Reply:
    """What a chat that came back, or whose pause is over, wants of what it missed: nothing, or all of it at once."""
    services, chat, now = context.services, context.chat, context.now
    is_served = chat.last_digest_day is not None and chat.last_digest_day >= local_day(chat.preferences, now)
    async with services.database.write() as connection:
        if context.argument not in ("from-now", "catch-up"):
            return context.says("button.stale")
        await chats.pause(connection, chat.id, None, now)
        if context.argument == "from-now":
            await outbox.void(connection, messages.c.chat_id == chat.id, "the chat goes on from now")
            await chats.from_now(connection, chat.id, now)
        else:
            await outbox.hold_back(connection, chat.id, now)
            if not is_served:
                await chats.digest_now(connection, chat.id, now)
        current = await chats.schedule(connection, chat.id, now)
    if context.argument == "catch-up" and is_served and await services.composer.owed(chat, now):
        await services.composer.on_demand(chat, now)  # a day has one daily digest
    services.scheduler.wake("digest")
    services.scheduler.wake("deliver")
    if context.argument == "catch-up":
        return context.says("return.catching_up")
    due = current.next_digest_at
    return context.says("return.from_now", next=context.local(due)) if due else context.says("status.follows_nothing")


async def choose_after_restore(context: Context) -> Reply:
    """What an operator wants of a restored backup: go on from now, or catch up with what it may have sent already."""
    if context.argument not in ("from-now", "catch-up"):
        return context.says("button.stale")
    if not await go_on_after_restore(context.services, catch_up=context.argument == "catch-up"):
        return context.says("restore.decided")
    return context.says("restore.catching_up" if context.argument == "catch-up" else "restore.from_now")


async def go_on_after_restore(services: Services, *, catch_up: bool) -> bool:
    """Begin to send again after a restore; False where somebody chose already."""
    if not await release(services.database, services.clock.now(), catch_up=catch_up):
        return False
    log.info("restore.decided", catch_up=catch_up)
    services.scheduler.wake("digest")
    services.scheduler.wake("deliver")
    return True


async def release(database: Database, now: datetime, *, catch_up: bool) -> bool:
    """The same for whoever has no scheduler to wake: a running Paperwire notices by itself."""
    async with database.write() as connection:
        if not await marks.is_held(connection):
            return False
        await marks.remove(connection, marks.RESTORED)
        if not catch_up:
            await outbox.void(connection, messages.c.urgent.is_(False), "restored: on from now")
            await chats.all_from_now(connection, now)
    return True
