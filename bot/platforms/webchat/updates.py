"""Updates: what a person says or presses in a thread, and the answers to it."""

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Callable
from hashlib import sha256
from uuid import uuid4

from markupsafe import Markup

from bot.cards.plain import plain
from bot.cards.reply import Reply
from bot.chats import Chat
from bot.clock import Clock
from bot.commands.request import BRIEF, LONGEST_TEXT, Incoming, Sender, longest
from bot.platforms.webchat.render import render
from bot.platforms.webchat.send import Listeners
from bot.storage import chats, threads
from bot.storage.database import Database
from bot.storage.threads import Said

Answer = Callable[[Incoming], Awaitable[Reply | None]]


class TooLong(ValueError):
    """More than LONGEST_TEXT characters; nothing was stored."""


class NoSuchThread(LookupError):
    """No thread has this address."""


class ForgottenThread(LookupError):
    """The thread was forgotten, as its person asked."""


class WebChat:
    """The person's side of the threads. All who reach the pages are the same person, as the password is one.

    What is said or pressed raises ForgottenThread where it had the thread forgotten.
    """

    def __init__(self, database: Database, clock: Clock, listeners: Listeners, answer: Answer) -> None:
        self._database = database
        self._clock = clock
        self._listeners = listeners
        self._answer = answer

    async def say(self, thread: str, text: str) -> Said:
        """Take in a text and answer it; what was said, as stored. Raises TooLong and NoSuchThread."""
        chat = await self._chat(thread, text)
        return await self._hear(chat, text, lambda: self._answer(_incoming(chat, text=text)))

    async def press(
        self, thread: str, action: str, message: int | None = None, *, takes_asides: bool = False
    ) -> Said | str:
        """Take in a pressed Button's action and answer it. Raises TooLong and NoSuchThread.

        Returns the press as stored; or, where the answer takes its place, the message that the Button stood under; or
        the text of an aside, for a page that takes them.
        """
        chat = await self._chat(thread, action)
        shown, incoming = action.replace(":", " ", 1), _incoming(chat, action=action)
        if action.partition(":")[0] not in BRIEF:
            return await self._hear(chat, shown, lambda: self._answer(incoming))
        reply = await self._answer(incoming)
        if takes_asides and reply is not None and reply.is_aside and not reply.buttons:
            return plain(reply.text)
        replaced = None
        if message is not None and reply is not None and reply.in_place:
            replaced = await self._replaced(chat, message, reply)
        return replaced or await self._hear(chat, shown, lambda: _known(reply))

    async def _chat(self, thread: str, said: str) -> Chat:
        if len(said) > longest(said):
            raise TooLong(len(said))
        async with self._database.read() as connection:
            chat = await chats.find(connection, "web", thread)
        if chat is None:
            raise NoSuchThread(thread)
        return chat

    async def _hear(self, chat: Chat, shown: str, answer: Callable[[], Awaitable[Reply | None]]) -> Said:
        key = uuid4().hex
        html = Markup('<p class="text">{}</p>').format(plain(shown[:LONGEST_TEXT]))
        async with self._database.write() as connection:
            said = await threads.say(connection, chat.id, "person", key, html, self._clock.now())
        self._listeners.wake(chat.id)
        reply = await answer()
        if reply is not None:
            payloads = await asyncio.to_thread(render, reply)
            async with self._database.write() as connection:
                if await chats.get(connection, chat.id) is None:
                    raise ForgottenThread(chat.address)
                for number, payload in enumerate(payloads, 1):
                    file = reply.file if number == len(payloads) else None
                    await threads.say(connection, chat.id, "bot", f"{key}:{number}", payload, self._clock.now(), file)
            self._listeners.wake(chat.id)
        return said

    async def _replaced(self, chat: Chat, message: int, reply: Reply) -> Said | None:
        payloads = await asyncio.to_thread(render, reply)
        if len(payloads) != 1 or reply.file:
            return None
        async with self._database.write() as connection:
            return await threads.replace(connection, chat.id, message, payloads[0])


async def _known(reply: Reply | None) -> Reply | None:
    return reply


def _incoming(chat: Chat, *, text: str = "", action: str = "") -> Incoming:
    sender = Sender("local", "you")
    return Incoming("web", chat.address, chat.title, is_group=False, sender=sender, text=text, action=action)


def slug_of(name: str) -> str:
    """A thread's address for its name: `[a-z0-9-]{1,40}`; letters that it cannot hold are stood for by a checksum."""
    letters = unicodedata.normalize("NFKD", name.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[\u0300-\u036f]", "", letters)).strip("-")
    if slug and not any(letter.isalnum() and not letter.isascii() for letter in letters):
        return slug[:40].rstrip("-")
    return f"{slug[:31] or 'thread'}-{sha256(name.encode()).hexdigest()[:8]}"
