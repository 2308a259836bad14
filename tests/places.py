"""Places: a chat on each platform in which people of the tests speak to a running bot, and what they see there."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import httpx
import lxml.html
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from bot import locales
from bot.commands.desk import COMMANDS
from bot.locales import CatalogueName
from tests.servers.discord import DiscordStub
from tests.servers.discord.validation import walk
from tests.servers.telegram import TelegramStub

PATIENCE = 60
"""Seconds for an answer, while many chats are answered at the same time."""


class Place(Protocol):
    """A chat, its administrator and another member; in a private one both are its person.

    `is_prompt`: what is said there is answered before `say` and `press` return, but for digests.
    """

    is_prompt: bool

    async def say(self, text: str, *, as_member: bool = False) -> None: ...

    async def press(self, action: str, *, as_member: bool = False) -> None:
        """Press the newest button whose action begins like this. LookupError: none has."""

    async def seen(self) -> str:
        """Everything that the bot shows there now: texts, labels of buttons, names of files."""


@dataclass
class TelegramPlace:
    """A private chat, or with a `group` that."""

    stub: TelegramStub
    person: int
    member: int
    group: int | None = None
    is_prompt: bool = False
    pressed: set[str] = field(default_factory=set)

    @property
    def chat(self) -> int:
        return self.group or self.person

    async def say(self, text: str, *, as_member: bool = False) -> None:
        self.stub.say(self.chat, self.member if as_member else self.person, text)

    async def press(self, action: str, *, as_member: bool = False) -> None:
        shown = [message for message in self.stub.shown.values() if message.chat_id == self.chat]
        for message in reversed(shown):
            for data in (data for row in message.buttons for _, data in row):
                if data.startswith(action):
                    who = self.member if as_member else self.person
                    self.pressed.add(str(self.stub.press(message.message_id, self.chat, who, data)))
                    return
        raise LookupError(action)

    async def seen(self) -> str:
        shown = [message for message in self.stub.shown.values() if message.chat_id == self.chat]
        parts = [part for each in shown for part in (each.text, *(label for row in each.buttons for label, _ in row))]
        files = [file.name for file in self.stub.documents if file.chat_id == self.chat]
        asides = [
            call.params.get("text", "")
            for call in self.stub.calls
            if call.method == "answerCallbackQuery" and str(call.params["callback_query_id"]) in self.pressed
        ]
        return "\n".join([*parts, *files, *asides])


@dataclass
class DiscordPlace:
    """A direct message, or a channel of a server of its own."""

    stub: DiscordStub
    person: int
    member: int
    channel: int
    is_prompt: bool = False

    async def say(self, text: str, *, as_member: bool = False) -> None:
        name, _, rest = text.removeprefix("/").partition(" ")
        takes = next(command.takes for command in COMMANDS if command.name == name)
        self.stub.command(self.channel, self.member if as_member else self.person, name, {takes: rest} if rest else {})

    async def press(self, action: str, *, as_member: bool = False) -> None:
        for message in reversed(self.stub.shown_in(self.channel)):
            for custom_id in (each["custom_id"] for _, each in walk(message["components"]) if "custom_id" in each):
                if custom_id.startswith(action):
                    who = self.member if as_member else self.person
                    self.stub.press(int(message["id"]), who, custom_id)
                    return
        raise LookupError(action)

    async def seen(self) -> str:
        return "\n".join(part for message in self.stub.shown_in(self.channel) for part in _texts(message))


@dataclass
class WebPlace:
    """A thread of the web chat; whoever is there is its person."""

    browser: httpx.AsyncClient
    path: str
    is_prompt: bool = True

    async def say(self, text: str, *, as_member: bool = False) -> None:
        await self._post("say", {"text": text})

    async def press(self, action: str, *, as_member: bool = False) -> None:
        for message in reversed((await self._page()).find_class("message")):
            for value in message.xpath(".//button[@name='action']/@value"):
                if value.startswith(action):
                    await self._post("press", {"action": value, "message": message.get("id").removeprefix("m")})
                    return
        raise LookupError(action)

    async def seen(self) -> str:
        said = (await self._page()).find_class("message")
        return "\n".join(each.text_content() for each in said if "person" not in each.get("class", "").split())

    async def _page(self) -> lxml.html.HtmlElement:
        return lxml.html.fromstring((await self.browser.get(self.path)).text)

    async def _post(self, verb: str, values: dict[str, str]) -> None:
        files: Any = {name: (None, value) for name, value in values.items()}
        answer = await self.browser.post(f"{self.path}/{verb}", files=files)
        assert answer.status_code == 303, answer.text


def _texts(message: dict[str, Any]) -> Iterable[str]:
    yield message["content"]
    for embed in message["embeds"]:
        yield from (embed.get("title", ""), embed.get("description", ""), (embed.get("footer") or {}).get("text", ""))
        yield from (text for each in embed.get("fields", ()) for text in (each["name"], each["value"]))
        yield (embed.get("author") or {}).get("name", "")
    yield from (each["label"] for _, each in walk(message["components"]) if each.get("label"))
    yield from (each["filename"] for each in message.get("attachments", ()))


def shows(seen: str, key: str, language: CatalogueName, **values: object) -> bool:
    """Whether a text stands in what is seen: the catalogue's with these values, of which those not given may be
    anything; or, where it has no such key, the text itself.

    Only letters and digits are compared: each platform has its own marks between them.
    """
    message = _catalogue(language).get(key)
    forms = message.string if message else key
    known = {name: re.escape(_plain(str(value))) for name, value in values.items()}
    return any(
        re.search(_pattern(form, known), _plain(seen)) for form in ([forms] if isinstance(forms, str) else forms)
    )


def _pattern(form: str, known: Mapping[str, str]) -> str:
    parts = re.split(r"\{(\w+)[^{}]*\}", form)
    return "".join(
        known.get(part, ".*") if number % 2 else re.escape(_plain(part)) for number, part in enumerate(parts)
    )


@cache
def _catalogue(language: CatalogueName) -> Catalog:
    with (Path(locales.__file__).parent / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


async def until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Whether something comes to hold while one waits for it."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await holds():
                await asyncio.sleep(0.3)
    except TimeoutError:
        return False
    return True
