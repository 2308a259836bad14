"""/forget: all that is kept about a chat, and about who asks, is deleted, once they said yes."""

from datetime import timedelta

import structlog

from bot.cards.reply import Button, Reply
from bot.commands.context import Context
from bot.storage import chats, forgetting

TIME_TO_CONFIRM = timedelta(minutes=10)
"""A yes is taken for so long after the question."""

_LONGEST_TIME = 12

log = structlog.get_logger(__name__)


async def forget(context: Context) -> Reply:
    """Say what would be deleted, offer the export first, and ask."""
    phrases = context.phrases
    async with context.services.database.read() as connection:
        if await forgetting.serves_others(connection, context.chat, context.sender.id):
            return context.says("forget.serves_others")
        followed = await chats.subscriptions_of(connection, context.chat.id)
    lines = [phrases("forget.question", count=len(followed))]
    if context.is_operator and context.chat.platform != "web":
        lines.append(phrases("forget.operator"))
    return Reply(
        "\n".join(lines),
        title=phrases("forget.title"),
        buttons=(
            Button(phrases("button.export"), "export:"),
            Button(phrases("button.forget"), f"forget:yes {context.now.timestamp():.0f}"),
            Button(phrases("button.keep"), "forget:no"),
        ),
    )


async def choose(context: Context) -> Reply:
    """Delete everything, if the question is not older than a few minutes; or keep it."""
    answer, _, asked = context.argument.partition(" ")
    if answer == "no":
        return context.says("forget.kept")
    if answer != "yes" or not (asked.isascii() and asked.isdecimal()):
        return context.says("button.stale")
    age = context.now.timestamp() - int(asked[:_LONGEST_TIME])
    if not -1 <= age <= TIME_TO_CONFIRM.total_seconds():
        return context.says("forget.too_late")
    async with context.services.database.write() as connection:
        if await forgetting.serves_others(connection, context.chat, context.sender.id):
            return context.says("forget.serves_others")
        if not await forgetting.forget(connection, context.chat, context.sender.id):
            return context.says("forget.in_flight")
    log.info("chat.forgotten", chat=context.chat.id)
    return context.says("forget.done")
