"""Membership: what platforms tell of the places where the bot is: taken in, put out, or named otherwise."""

import structlog

from bot.chats import PlatformName
from bot.commands.context import Services
from bot.commands.returning import welcome_back
from bot.storage import chats, moves

log = structlog.get_logger(__name__)


async def left(services: Services, platform: PlatformName, address: str, reason: str) -> None:
    """The bot may write there no more; what is followed there stays."""
    async with services.database.write() as connection:
        for chat in await chats.at(connection, platform, address):
            await chats.deactivate(connection, chat.id, reason, services.clock.now())
            log.info("chat.inactive", chat=chat.id, reason=reason)


async def joined(services: Services, platform: PlatformName, address: str) -> None:
    """The bot may write there (again)."""
    async with services.database.read() as connection:
        found = await chats.at(connection, platform, address)
    for chat in found:
        if chat.inactive_because is not None:
            await welcome_back(services, chat)


async def moved(services: Services, platform: PlatformName, old: str, new: str) -> None:
    """A place has another address, and so have all its topics."""
    async with services.database.write() as connection:
        for chat in await chats.at(connection, platform, old):
            await moves.move(connection, chat, new + chat.address.removeprefix(old), services.clock.now())
            log.info("chat.moved", chat=chat.id)
