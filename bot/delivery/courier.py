"""The courier: takes what is due from the outbox, sends it, and records what became of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.chats import Chat, PlatformName
from bot.clock import Clock, Scheduler
from bot.delivery.pacing import Pacer
from bot.delivery.port import Gone, Moved, Outcome, Platform, Refused, Sent, Uncertain, Wait
from bot.storage import chats, outbox
from bot.storage.database import Database
from bot.storage.outbox import Message

FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(minutes=10)
_RECORD_AGAIN = timedelta(seconds=10)
_AT_ONCE = 30
_REMEMBERED = timedelta(minutes=2)

log = structlog.get_logger(__name__)


class Courier:
    """One Message in flight per chat; order kept within a chat; `sending` is committed before a request leaves."""

    def __init__(
        self, database: Database, clock: Clock, scheduler: Scheduler, platforms: Mapping[PlatformName, Platform]
    ) -> None:
        self._database = database
        self._clock = clock
        self._scheduler = scheduler
        self._platforms = platforms
        self._pacers = {name: Pacer(platform.pace) for name, platform in platforms.items()}
        self._in_flight: set[int] = set()
        self._resting: dict[int, datetime] = {}

    async def recover(self) -> None:
        """After a start: what was in flight at the last end goes again, at the pace that was kept then."""
        now = self._clock.now()
        async with self._database.write() as connection:
            uncertain = await outbox.recover(connection)
            recent = await outbox.sent_since(connection, now - _REMEMBERED)
        for chat, at in recent:
            if chat.platform in self._pacers:
                self._pacers[chat.platform].left(chat, at)
        if uncertain:
            log.warning("outbox.recovered", uncertain=uncertain)

    async def tick(self, now: datetime) -> datetime | None:
        """Send off what may leave now; when the next may."""
        self._resting = {chat_id: until for chat_id, until in self._resting.items() if until > now}
        async with self._database.read() as connection:
            heads = await outbox.heads(
                connection, now, list(self._platforms), [*self._in_flight, *self._resting], _AT_ONCE
            )
            later = await outbox.next_at(connection, now)
        leaving = [message for message in heads if self._may_leave(message.chat, now)]
        if leaving:
            async with self._database.write() as connection:
                await outbox.begin(connection, [message.id for message in leaving], now)
            for message in leaving:
                self._in_flight.add(message.chat.id)
                self._scheduler.spawn(self._deliver(message, now))
        if len(heads) == _AT_ONCE:
            return now  # there may be others behind these
        return min([*self._resting.values(), *([later] if later else [])], default=None)

    @asynccontextmanager
    async def turn(self, platform: PlatformName, address: str) -> AsyncIterator[None]:
        """A reply's turn: waits until one message may go to this address, and counts the one sent inside.

        Replies thus keep the same pace as the outbox, and go before whatever waits in it.
        """
        async with self._database.read() as connection:
            chat = await chats.find(connection, platform, address)
        if chat is None:
            yield
            return
        pacer = self._pacers[platform]
        while (free_at := pacer.free_at(chat, self._clock.now())) > self._clock.now():
            await self._clock.sleep((free_at - self._clock.now()).total_seconds())
        left_at = self._clock.now()
        pacer.left(chat, left_at)
        try:
            yield
        finally:
            pacer.answered(chat, left_at, self._clock.now())

    def _may_leave(self, chat: Chat, now: datetime) -> bool:
        pacer = self._pacers[chat.platform]
        free_at = pacer.free_at(chat, now)
        if free_at > now:
            self._resting[chat.id] = free_at
            return False
        pacer.left(chat, now)
        return True

    async def _deliver(self, message: Message, left_at: datetime) -> None:
        chat = message.chat
        try:
            outcome = await self._send(message)
            self._pacers[chat.platform].answered(chat, left_at, self._clock.now())
            await self._keep(message, outcome)
        finally:
            self._in_flight.discard(chat.id)
            self._scheduler.wake("deliver")

    async def _send(self, message: Message) -> Outcome:
        try:
            return await self._platforms[message.chat.platform].send(message.chat.address, message.payload, message.key)
        except Exception as error:
            # The port never raises; where it does all the same nobody knows how far the message came.
            log.exception("send.failed", message=message.id)
            return Uncertain(repr(error))

    async def _keep(self, message: Message, outcome: Outcome) -> None:
        """Record an outcome, however long the database cannot be written; till then the chat is busy."""
        while True:
            try:
                return await self._record(message, outcome)
            except SQLAlchemyError as error:
                log.error("message.not_recorded", message=message.id, reason=str(error))
                await self._clock.sleep(_RECORD_AGAIN.total_seconds())

    async def _record(self, message: Message, outcome: Outcome) -> None:
        now = self._clock.now()
        retry = now + min(FIRST_RETRY * 2 ** min(message.attempts, 10), LAST_RETRY)
        event = log.bind(chat=message.chat.id, message=message.id, key=message.key)
        async with self._database.write() as connection:
            match outcome:
                case Sent(message_id):
                    await outbox.sent(connection, message.id, message_id, now)
                    event.debug("message.sent", platform_message_id=message_id)
                case Wait(reason, after, whole_platform):
                    until = now + after if after is not None else retry
                    if whole_platform:
                        self._pacers[message.chat.platform].halt(until)
                    await outbox.put_back(connection, message.id, until, reason, uncertain=False)
                    event.warning("message.waits", reason=reason, until=until.isoformat())
                case Uncertain(reason):
                    await outbox.put_back(connection, message.id, retry, reason, uncertain=True)
                    event.warning("message.uncertain", reason=reason)
                case Refused(reason):
                    await outbox.fail(connection, message.id, reason)
                    event.error("message.refused", reason=reason)
                case Gone(reason):
                    await outbox.put_back(connection, message.id, now, reason, uncertain=False)
                    await chats.deactivate(connection, message.chat.id, reason)
                    event.warning("chat.inactive", reason=reason)
                case Moved(address):
                    await outbox.put_back(connection, message.id, now, "moved", uncertain=False)
                    await chats.move(connection, message.chat, address)
                    event.info("chat.moved", address=address)
