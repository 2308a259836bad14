"""/start and who is let in: the first operator's claim, chats that wait, an operator's yes or no."""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cards.reply import Button, Reply
from bot.chats import Access, Chat
from bot.commands.context import Context, Services, spoken
from bot.commands.request import Incoming
from bot.locales import phrases_of
from bot.storage import chats, operators

_TITLE_SHOWN = 60
_LONGEST_NUMBER = 19

MOST_REQUESTS = 20
"""Chats that may wait before operators are told of no more."""

log = structlog.get_logger(__name__)


async def start(context: Context) -> Reply:
    """Greet; with the claim code, make its sender the operator."""
    services, chat = context.services, context.chat
    if context.argument and services.claim.accepts(context.argument):
        async with services.database.write() as connection:
            # Each of several processes has a code of its own; the first one that is used ends them all.
            if await operators.has_any(connection, services.renders):
                services.claim.code = None
                return Reply(context.phrases("start.hello"), title=context.phrases("start.title"))
            await operators.add(connection, chat.platform, context.sender.id, chat.id)
            await chats.set_access(connection, chat.id, "allowed")
        services.claim.code = None
        log.info("operator.claimed", platform=chat.platform, chat=chat.id)
        return context.says("start.claimed")
    if chat.access != "allowed":
        return await ask_for_access(context)
    return Reply(context.phrases("start.hello"), title=context.phrases("start.title"))


async def ask_for_access(context: Context) -> Reply:
    """Tell the operators that a chat waits, and the chat that it has to.

    Once for a chat with all its topics; and while too many wait already, no more, so that strangers cannot flood.
    """
    services, chat = context.services, context.chat
    if chat.access == "denied":
        return context.says("access.denied")
    async with services.database.read() as connection:
        told = await operators.their_chats(connection)
        waiting = await chats.waiting(connection)
    if waiting > MOST_REQUESTS:
        log.warning("access.too_many_waiting", waiting=waiting, chat=chat.id)
        return context.says("access.waiting")
    for operator in told:
        phrases = phrases_of(spoken(operator.preferences.language, None))
        request = Reply(
            phrases(
                "access.request",
                title=chat.title[:_TITLE_SHOWN],
                sender=context.sender.name[:_TITLE_SHOWN],
                platform=chat.platform.capitalize(),
            ),
            buttons=(
                Button(phrases("button.allow"), f"allow:{chat.id}"),
                Button(phrases("button.deny"), f"deny:{chat.id}"),
            ),
        )
        await services.tell(operator, f"access-{chat.platform}-{_place(chat)}-{operator.id}", request, urgent=True)
    return context.says("access.waiting")


async def allow(context: Context) -> Reply:
    return await _decide(context, allowed=True)


async def deny(context: Context) -> Reply:
    return await _decide(context, allowed=False)


async def _decide(context: Context, *, allowed: bool) -> Reply:
    """Let a chat and all its topics in, or keep them out."""
    services = context.services
    async with services.database.write() as connection:
        is_number = context.argument.isdecimal() and len(context.argument) < _LONGEST_NUMBER
        chat = await chats.get(connection, int(context.argument)) if is_number else None
        if chat is None:
            return context.says("access.unknown")
        for each in await chats.at(connection, chat.platform, _place(chat)):
            await chats.set_access(connection, each.id, "allowed" if allowed else "denied")
    log.info("access.decided", chat=chat.id, allowed=allowed)
    if allowed and chat.access != "allowed":
        phrases = phrases_of(spoken(chat.preferences.language, None))
        await services.tell(chat, f"welcome-{chat.id}", Reply(phrases("access.allowed")))
    return context.says("access.allowed_done" if allowed else "access.denied_done", title=chat.title[:_TITLE_SHOWN])


async def first_access(connection: AsyncConnection, services: Services, incoming: Incoming) -> Access:
    """What a chat that is met for the first time may do: as open as the bot is; a topic, what its group may."""
    if incoming.platform == "web" or services.settings.access.open:
        return "allowed"
    siblings = await chats.at(connection, incoming.platform, incoming.address.partition(":")[0])
    return siblings[0].access if siblings else "waiting"


def _place(chat: Chat) -> str:
    """A chat's address without its topic."""
    return chat.address.partition(":")[0]


async def is_operator(services: Services, incoming: Incoming) -> bool:
    """Whether the sender runs the bot. Whoever can open the local web chat does."""
    if incoming.platform == "web":
        return True
    async with services.database.read() as connection:
        return await operators.is_operator(connection, incoming.platform, incoming.sender.id)
