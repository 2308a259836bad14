"""Banning: a chat or a person gets nothing and is not answered, until an operator ends it. What they follow is kept."""

import structlog

from bot.cards.reply import Reply
from bot.chats import Chat, PlatformName
from bot.commands.access import by_whom
from bot.commands.context import Context, Services, spoken
from bot.commands.request import Incoming
from bot.locales import phrases_of
from bot.storage import bans, chats, operators
from bot.storage.bans import Ban

_LONGEST_ID = 40
_TITLE_SHOWN = 60

log = structlog.get_logger(__name__)


async def farewell(services: Services, ban: Ban, incoming: Incoming) -> Reply | None:
    """What who is banned hears: why nothing is answered, once; then nothing."""
    async with services.database.read() as connection:
        chat = await chats.find(connection, incoming.platform, incoming.address)
    async with services.database.write() as connection:
        if not await bans.tell_once(connection, ban):
            return None
    language = chat.preferences.language if chat else "both"
    return Reply(phrases_of(spoken(language, incoming.sender.language))("ban.told"))


async def ban(context: Context, chat: Chat) -> Reply | None:
    """Ban a chat with all its topics; a private chat's person, too. None: done; else why it cannot be."""
    banned = banned_by(chat)
    if await runs_the_bot(context, chat):
        return context.says("admin.not_bannable")
    async with context.services.database.write() as connection:
        for each in banned:
            await bans.put(connection, each, context.now)
    log.info("admin.banned", bans=[f"{each.kind} {each.platform}:{each.name}" for each in banned], by=by_whom(context))
    return None


async def unban(context: Context, chat: Chat) -> bool:
    """Let a chat, and a private chat's person, in again; False where neither was banned."""
    return await _lift(context, banned_by(chat))


async def ban_person(context: Context, named: Ban) -> Reply:
    """Ban somebody wherever they are."""
    async with context.services.database.write() as connection:
        if await operators.is_operator(connection, named.platform, named.name):
            return context.says("admin.not_bannable")
        await bans.put(connection, named, context.now)
    log.info("admin.banned", bans=[f"{named.kind} {named.platform}:{named.name}"], by=by_whom(context))
    return context.says("admin.banned", title=f"{named.platform}:{named.name}")


async def unban_person(context: Context, named: Ban) -> Reply:
    """End that."""
    key = "admin.unbanned" if await _lift(context, [named]) else "admin.was_not_banned"
    return context.says(key, title=f"{named.platform}:{named.name}")


def banned_by(chat: Chat) -> list[Ban]:
    """What a ban of this chat is."""
    person = [Ban(chat.platform, "person", chat.person_id)] if chat.person_id else []
    return [Ban(chat.platform, "chat", chat.place), *person]


def person_of(text: str) -> Ban | None:
    """Who is meant by `telegram:777`."""
    platform, _, name = text.strip().lower().partition(":")
    if name.lstrip("-").isdecimal() and name.isascii() and len(name) <= _LONGEST_ID:
        known: dict[str, PlatformName] = {"telegram": "telegram", "discord": "discord"}
        if platform in known:
            return Ban(known[platform], "person", name)
    return None


async def _lift(context: Context, lifted: list[Ban]) -> bool:
    async with context.services.database.write() as connection:
        found = [each for each in lifted if await bans.remove(connection, each)]
        for each in found:
            await bans.let_in_again(connection, each)
    context.services.scheduler.wake("deliver")
    context.services.scheduler.wake("digest")
    log.info("admin.unbanned", bans=[f"{each.kind} {each.platform}:{each.name}" for each in found], by=by_whom(context))
    return bool(found)


async def runs_the_bot(context: Context, chat: Chat) -> bool:
    """Whether this is the web chat, an operator's private chat, or where they are told things."""
    if chat.platform == "web":
        return True
    async with context.services.database.read() as connection:
        if chat.id in {each.id for each in await operators.their_chats(connection)}:
            return True
        return bool(chat.person_id) and await operators.is_operator(connection, chat.platform, chat.person_id or "")
