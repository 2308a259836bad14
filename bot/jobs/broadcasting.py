"""Broadcasting: what an operator sends to every chat goes into the outbox, some chats at a time."""

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from bot.cards.reply import Render, Reply
from bot.chats import Chat, PlatformName, end_of_quiet
from bot.storage import broadcasts, outbox
from bot.storage.database import Database
from bot.storage.outbox import Parcel

AT_ONCE = 100
"""Chats in one transaction."""

log = structlog.get_logger(__name__)


class Broadcasting:
    """Goes on where it was when the process ended: each place gets a message of one key, however often it is tried."""

    def __init__(self, database: Database, renders: Mapping[PlatformName, Render], wake: Callable[[], None]) -> None:
        self._database = database
        self._renders = renders
        self._wake = wake

    async def tick(self, now: datetime) -> datetime | None:
        """Queue all that is to be sent; called again when there is news."""
        while True:
            async with self._database.read() as connection:
                broadcast = await broadcasts.sending(connection)
            if broadcast is None:
                return None
            contents = {name: render(Reply(broadcast.text)) for name, render in self._renders.items()}
            through: int | None = broadcast.through
            while through is not None:
                through = await self._some(broadcast.id, contents, through, now)
                self._wake()
            log.info("broadcast.queued", broadcast=broadcast.id)

    async def _some(
        self, number: int, contents: Mapping[PlatformName, list[str]], through: int, now: datetime
    ) -> int | None:
        """The next chats after that one; the last of them, None where there are none any more."""
        async with self._database.write() as connection:
            readers = await broadcasts.readers(connection, list(contents), through, AT_ONCE)
            if not readers:
                await broadcasts.is_sent(connection, number)
                return None
            known = await outbox.keep(connection, {each for texts in contents.values() for each in texts}, now)
            parcels = [
                Parcel(
                    chat.id,
                    None,
                    # A group is one place: with all its topics it gets it once.
                    f"broadcast-{number}-{chat.platform}-{chat.place}",
                    tuple(known[text] for text in contents[chat.platform]),
                    _not_before(chat, now),
                )
                for chat in readers
            ]
            await outbox.put_many(connection, parcels, now)
            await broadcasts.went(connection, number, readers[-1].id)
        return readers[-1].id


def _not_before(chat: Chat, now: datetime) -> datetime:
    """Nothing comes unasked in a pause, nor in quiet hours."""
    if chat.paused_until is not None and chat.paused_until > now:
        return chat.paused_until
    return end_of_quiet(chat.preferences, now)
