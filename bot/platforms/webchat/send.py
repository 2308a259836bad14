"""Sending: a message into a thread, and word of it to the pages that show the thread."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from bot.clock import Clock
from bot.delivery.port import Gone, Outcome, Pace, Sent, Wait
from bot.storage import chats, threads
from bot.storage.database import Database


class Listeners:
    """Who waits in this process for news of a thread, by chat id."""

    def __init__(self) -> None:
        self.closed = False
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def listening(self, chat_id: int) -> Iterator[asyncio.Event]:
        """An event that each news of a chat sets. Clear it before reading what is new, so that nothing is missed."""
        news = asyncio.Event()
        self._waiting[chat_id].add(news)
        try:
            yield news
        finally:
            self._waiting[chat_id].discard(news)

    def wake(self, chat_id: int) -> None:
        """There is news of a chat."""
        for news in self._waiting[chat_id]:
            news.set()

    def close(self) -> None:
        """Send all listeners home."""
        self.closed = True
        for chat_id in self._waiting:
            self.wake(chat_id)


class WebChatPlatform:
    """Delivery's port to the web chat, which takes messages as fast as they can be stored."""

    pace = Pace(overall=None, per_chat=None)

    def __init__(self, database: Database, clock: Clock, listeners: Listeners) -> None:
        self._database = database
        self._clock = clock
        self._listeners = listeners

    async def send(self, address: str, payload: str, key: str, doubt: datetime | None = None) -> Outcome:
        """Add a message to a thread; the same key again adds nothing."""
        try:
            async with self._database.write() as connection:
                chat = await chats.find(connection, "web", address)
                if chat is None:
                    return Gone("no such thread")
                said = await threads.say(connection, chat.id, "bot", key, payload, self._clock.now())
        except SQLAlchemyError as error:
            return Wait(str(error))
        self._listeners.wake(chat.id)
        return Sent(str(said.id))
