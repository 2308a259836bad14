"""Broadcasting: an operator shows a text to every chat, after seeing how it looks and how far it goes."""

from datetime import timedelta

import structlog

from bot.cards.reply import Button, Reply
from bot.commands.access import by_whom
from bot.commands.context import Context
from bot.commands.request import number_in
from bot.storage import broadcasts

TIME_TO_CONFIRM = timedelta(hours=1)
"""For so long a preview waits for its Send."""

log = structlog.get_logger(__name__)


async def preview(context: Context) -> Reply:
    """How the text looks, and to how many chats it would go. Nothing is sent yet."""
    services, phrases = context.services, context.phrases
    text = context.argument.replace("\0", "").strip()
    if not text:
        back = Button(phrases("button.back"), "admin:")
        return Reply(phrases("admin.broadcast_how"), title=phrases("button.broadcast"), buttons=(back,))
    async with services.database.write() as connection:
        everyone, paused = await broadcasts.count(connection, list(services.renders), context.now)
        number = await broadcasts.ask(connection, context.chat.id, text, context.now)
    about = [phrases("admin.broadcast_to", count=everyone)]
    if paused:
        about.append(phrases("admin.broadcast_paused", count=paused))
    return Reply(
        text,
        footer=" ".join(about),
        buttons=(
            Button(phrases("button.send"), f"admin:send {number}"),
            Button(phrases("button.cancel"), f"admin:leave {number}"),
        ),
    )


async def send(context: Context) -> Reply:
    """Send it to all of them, once; pressed again, it says so again."""
    number = number_in(context.argument) or 0
    async with context.services.database.write() as connection:
        is_new = await broadcasts.decide(connection, number, context.chat.id, context.now - TIME_TO_CONFIRM, send=True)
        state = await broadcasts.state_of(connection, number, context.chat.id)
    if is_new:
        log.warning("admin.broadcast", broadcast=number, by=by_whom(context))
        context.services.scheduler.wake("broadcast")
    return context.says("admin.broadcast_sent" if state in ("sending", "sent") else "admin.broadcast_decided")


async def leave(context: Context) -> Reply:
    """Do not send it."""
    number = number_in(context.argument) or 0
    async with context.services.database.write() as connection:
        since = context.now - TIME_TO_CONFIRM
        decided = await broadcasts.decide(connection, number, context.chat.id, since, send=False)
    if decided:
        log.info("admin.broadcast_left", broadcast=number, by=by_whom(context))
    return context.says("admin.broadcast_left" if decided else "admin.broadcast_decided")
