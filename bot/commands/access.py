"""/start and who is let in: the first operator's claim, chats that wait, an operator's yes or no."""

from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cards.reply import Button, Reply
from bot.chats import Access, Chat, PlatformName
from bot.commands.context import Context, Services, spoken
from bot.commands.request import Incoming, number_in
from bot.locales import phrases_of
from bot.storage import bans, chats, marks, operators
from bot.storage.bans import Ban

_TITLE_SHOWN = 60

MOST_REQUESTS = 20
"""Chats that may wait before operators are told of no more."""

log = structlog.get_logger(__name__)


async def start(context: Context) -> Reply:
    """Greet; with the claim code, make its sender the operator."""
    services, chat = context.services, context.chat
    if context.argument and services.claim.accepts(context.argument):
        # Else all who may write as it would run the bot, and none of them could say so in a private chat.
        if chat.is_group and context.sender.id == chat.place:
            return context.says("start.in_private")
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
    if chat.access == "banned":
        return context.says("ban.told")
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
        await services.tell(operator, f"access-{chat.platform}-{chat.place}-{operator.id}", request, urgent=True)
    return context.says("access.waiting")


def by_whom(context: Context) -> str:
    """Who gave a command, for the log."""
    return f"{context.chat.platform}:{context.sender.id}"


async def allow(context: Context) -> Reply:
    return await _decide(context, allowed=True)


async def deny(context: Context) -> Reply:
    return await _decide(context, allowed=False)


async def _decide(context: Context, *, allowed: bool) -> Reply:
    """Let a chat and all its topics in, or keep them out."""
    services = context.services
    async with services.database.write() as connection:
        number = number_in(context.argument)
        chat = await chats.get(connection, number) if number is not None else None
        if chat is None:
            return context.says("access.unknown")
        if chat.access == "banned":
            return context.says("access.is_banned", title=chat.title[:_TITLE_SHOWN], number=chat.id)
        for each in await chats.at(connection, chat.platform, chat.place):
            await chats.set_access(connection, each.id, "allowed" if allowed else "denied")
    log.info("access.decided", chat=chat.id, allowed=allowed, by=by_whom(context))
    if allowed and chat.access != "allowed":
        phrases = phrases_of(spoken(chat.preferences.language, None))
        await services.tell(chat, f"welcome-{chat.id}", Reply(phrases("access.allowed")))
    return context.says("access.allowed_done" if allowed else "access.denied_done", title=chat.title[:_TITLE_SHOWN])


async def meet(
    services: Services,
    platform: PlatformName,
    address: str,
    title: str,
    *,
    is_group: bool,
    person_id: str | None = None,
) -> Chat:
    """The chat there. One that is met for the first time may do what its group may, or as much as the bot is open."""
    async with services.database.write() as connection:
        siblings = await chats.at(connection, platform, address.partition(":")[0])
        access: Access = "allowed" if platform == "web" or await is_open(connection, services) else "waiting"
        return await chats.meet(
            connection,
            platform,
            address,
            title=title,
            is_group=is_group,
            access=siblings[0].access if siblings else access,
            preferences=services.settings.digest.preferences,
            now=services.clock.now(),
            quota=siblings[0].quota if siblings else None,
            person_id=person_id,
        )


async def glance(services: Services, incoming: Incoming, *, is_banned: bool) -> Chat:
    """The chat there, or what it would be if it were met now, with what it may do at this moment."""
    async with services.database.read() as connection:
        chat = await chats.find(connection, incoming.platform, incoming.address)
        if chat is None:
            siblings = await chats.at(connection, incoming.platform, incoming.address.partition(":")[0])
            access: Access = siblings[0].access if siblings else "waiting"
            preferences = services.settings.digest.preferences
            named = (incoming.platform, incoming.address, incoming.title, incoming.is_group)
            chat = Chat(0, *named, preferences, access)
        if is_banned:
            return replace(chat, access="banned")
        may = chat.access == "waiting" and (chat.platform == "web" or await is_open(connection, services))
        return replace(chat, access="allowed") if may else chat


async def is_open(connection: AsyncConnection, services: Services) -> bool:
    """Whether anybody may use the bot: as an operator chose last, else as the configuration has it."""
    chosen = await marks.get(connection, marks.ACCESS)
    return services.settings.access.open if chosen is None else chosen == "open"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who speaks: somebody who runs the bot, somebody (or in a chat) who is banned, or neither."""

    is_operator: bool
    ban: Ban | None = None


async def standing(services: Services, incoming: Incoming) -> Standing:
    """Who the sender is to us. Whoever can open the local web chat runs the bot; who runs it is never banned."""
    if incoming.platform == "web":
        return Standing(is_operator=True)
    platform, person = incoming.platform, incoming.sender.id
    async with services.database.read() as connection:
        if await operators.is_operator(connection, platform, person):
            return Standing(is_operator=True)
        found = await bans.touching(connection, platform, incoming.address.partition(":")[0], person)
    return Standing(is_operator=False, ban=found[0] if found else None)


async def let_in(services: Services, chat: Chat) -> Chat:
    """A chat that waited, once the bot is open."""
    async with services.database.write() as connection:
        if chat.access != "waiting" or not await is_open(connection, services):
            return chat
        await chats.set_access(connection, chat.id, "allowed")
    return replace(chat, access="allowed")
