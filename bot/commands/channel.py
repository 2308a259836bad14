"""/channel: in a private chat with the bot, somebody sets up a channel or group that they administer."""

from dataclasses import replace
from datetime import timedelta

import structlog

from bot.cards.reply import Button, Reply
from bot.chats import Chat
from bot.commands import access
from bot.commands.context import Context
from bot.commands.queries import LONGEST_ACTION
from bot.commands.request import Incoming, NotReachedError, number_in
from bot.storage import chats, stand_ins

STAYS = timedelta(hours=1)
"""After so long without a word for the channel, what is said is meant for the private chat again."""

_MARK = "for"
_TITLE_SHOWN = 60

log = structlog.get_logger(__name__)


async def channel(context: Context) -> Reply:
    """Choose the channel, or leave it: `/channel @name`, `/channel off`; or say which one it is."""
    if context.chat.platform != "telegram":
        return context.says(f"channel.{context.chat.platform}")
    if context.reach is None:
        return context.says("channel.in_private")
    argument = context.argument.strip()
    if argument.lower() in ("off", "stop", "end", "关", "结束"):
        return await _leave(context)
    if argument:
        return await _choose(context, argument)
    current = await current_of(context)
    return context.says("channel.current", title=short(current)) if current else context.says("channel.how")


async def _choose(context: Context, argument: str) -> Reply:
    assert context.reach is not None
    try:
        place = await context.reach(argument)
    except NotReachedError as error:
        return context.says(f"channel.{error.why}", title=argument[:_TITLE_SHOWN])
    chosen = await access.meet(context.services, "telegram", place.address, place.title, is_group=True)
    if chosen.access == "banned":
        return context.says("ban.told")
    await stay(context, chosen)
    log.info("channel.chosen", chat=context.chat.id, channel=chosen.id, sender=context.sender.id)
    if chosen.access != "allowed":
        return labelled(await access.ask_for_access(replace(context, chat=chosen)), chosen, "")
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, chosen.id)
    return labelled(context.says("channel.chosen", count=len(followed)), chosen, "")


async def _leave(context: Context) -> Reply:
    async with context.services.database.write() as connection:
        await stand_ins.end(connection, context.chat.id)
    return context.says("channel.left")


async def current_of(context: Context) -> Chat | None:
    """The channel that is set up from this private chat at present."""
    async with context.services.database.read() as connection:
        return await stand_ins.get(connection, context.chat.id, context.now)


async def stay(context: Context, chosen: Chat) -> None:
    """What is said in this private chat is meant for that channel, for a while from now on."""
    async with context.services.database.write() as connection:
        await stand_ins.put(connection, context.chat.id, chosen.id, context.now + STAYS)


def labelled(reply: Reply | None, chosen: Chat, sent: str) -> Reply:
    """An answer that says for which channel it is, and whose buttons go on being for it.

    `sent`: what is said where the answer went to the channel itself.
    """
    title = f"📣 {short(chosen)}"
    if reply is None:
        return Reply(sent, title=title)
    buttons = tuple(Button(each.label, f"{_MARK}:{chosen.id}:{each.action}") for each in reply.buttons)
    return replace(
        reply,
        title=f"{title} · {reply.title}" if reply.title else title,
        buttons=tuple(each for each in buttons if len(each.action.encode()) <= LONGEST_ACTION),
    )


def unlabelled(incoming: Incoming) -> tuple[Incoming, int | None]:
    """What was pressed, and for which channel, where the button stood below an answer for one."""
    mark, _, rest = incoming.action.partition(":")
    number, _, action = rest.partition(":")
    if mark != _MARK or (meant := number_in(number)) is None:
        return incoming, None
    return replace(incoming, action=action), meant


def short(chosen: Chat) -> str:
    """Its title, short enough for a line."""
    return chosen.title[:_TITLE_SHOWN] or chosen.address
