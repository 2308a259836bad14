"""The outside world of a replay: chats on three platforms, their people, and what each of them is seen to receive."""

import asyncio
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx
from httpx_sse import aconnect_sse
from lxml import html

from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub

PERSON = 7001
GUILD = 8001
_ABS = re.compile(r"https?://arxiv\.org/abs/(.+)")


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """One `[[chat]]` of the chats file."""

    name: str
    platform: Literal["telegram", "discord", "web"]
    queries: tuple[str, ...]
    zone: str = "UTC"
    time: str = "09:00"
    language: str = "both"
    cap: int = 12
    group: bool = False
    at_once: bool = False

    def commands(self) -> Iterator[tuple[str, str]]:
        """What its person says to set it up."""
        for name in ("zone", "time", "language", "cap"):
            yield "settings", f"{name} {getattr(self, name)}"
        for query in self.queries:
            yield "subscribe", query
        if self.at_once:
            yield from (("alert", str(number)) for number in range(1, len(self.queries) + 1))


def read_chats(file: Path) -> list[ChatPlan]:
    """The chats of a file."""
    return [
        ChatPlan(**{**chat, "queries": tuple(chat["queries"])})
        for chat in tomllib.loads(file.read_text("utf-8"))["chat"]
    ]


@dataclass(frozen=True, slots=True)
class Received:
    """A paper that a chat was seen to receive: its card's title link stood in that message."""

    chat: str
    paper: str
    at: datetime
    message: str


def repeats(received: Iterable[Received], plans: Sequence[ChatPlan]) -> Counter[str]:
    """How many messages brought papers that their chat had already received, by platform."""
    platforms = {plan.name: plan.platform for plan in plans}
    messages: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in received:
        messages[each.chat, each.message].add(each.paper)
    had: defaultdict[str, set[str]] = defaultdict(set)
    found = Counter[str]()
    for (chat, _), brought in messages.items():
        found[platforms[chat]] += bool(brought & had[chat])
        had[chat] |= brought
    return +found


def _papers_in(urls: Iterator[str]) -> Iterator[str]:
    for url in urls:
        if match := _ABS.fullmatch(url):
            yield match[1]


@dataclass
class TelegramWorld:
    """Telegram as the harness sees it."""

    stub: TelegramStub
    chats: dict[int, str] = field(default_factory=dict)

    async def set_up(self, plans: list[ChatPlan]) -> None:
        self.stub.add_user(PERSON, "Ada")
        for number, plan in enumerate(plans, start=1):
            chat_id = -(2000 + number) if plan.group else 1000 + number
            self.chats[chat_id] = plan.name
            self.stub.add_chat(chat_id, "group" if plan.group else "private", plan.name)
            self.stub.set_admin(chat_id, PERSON)
            for name, argument in plan.commands():
                seen = len(self.stub.messages)
                self.stub.say(chat_id, PERSON, f"/{name} {argument}")
                await _until(lambda seen=seen: len(self.stub.messages) > seen)

    def received(self) -> Iterator[Received]:
        for message in self.stub.messages:
            urls = (entity["url"] for entity in message.entities if entity["type"] == "text_link")
            for paper in _papers_in(urls):
                at = datetime.fromtimestamp(message.at, UTC)
                yield Received(self.chats[message.chat_id], paper, at, str(message.message_id))


@dataclass
class DiscordWorld:
    """Discord as the harness sees it."""

    stub: DiscordStub
    chats: dict[int, str] = field(default_factory=dict)

    async def set_up(self, plans: list[ChatPlan]) -> None:
        self.stub.add_guild(GUILD, "Lab")
        self.stub.add_user(PERSON, "Ada")
        self.stub.add_member(GUILD, PERSON, manage_guild=True)
        for number, plan in enumerate(plans, start=1):
            channel_id = 9000 + number
            self.chats[channel_id] = plan.name
            self.stub.add_channel(channel_id, GUILD, plan.name)
            for name, argument in plan.commands():
                option = {{"settings": "setting", "subscribe": "query"}.get(name, name): argument}
                await self.stub.reply_to(self.stub.command(channel_id, PERSON, name, option))

    def received(self) -> Iterator[Received]:
        for message in self.stub.messages:
            if message.channel_id in self.chats:
                for paper in _papers_in(embed.get("url", "") for embed in message.embeds):
                    at = datetime.fromtimestamp(message.at, UTC)
                    yield Received(self.chats[message.channel_id], paper, at, str(message.message_id))


@dataclass
class WebWorld:
    """A reader's browser, without the browser: one event stream a thread, resumed with Last-Event-ID."""

    on_message: Callable[[], None]
    address: str = ""
    threads: dict[str, str] = field(default_factory=dict)
    seen: list[Received] = field(default_factory=list)
    events: int = 0
    _last: dict[str, str] = field(default_factory=dict)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def set_up(self, plans: list[ChatPlan]) -> None:
        async with self._http() as http:
            for number, plan in enumerate(plans, start=1):
                answer = await http.post("/threads", data={"name": f"replay {number}"})
                slug = answer.headers["location"].rpartition("/")[2]
                self.threads[slug] = plan.name
                self.read([slug])
                for name, argument in plan.commands():
                    seen = self.events
                    await http.post(f"/t/{slug}/say", data={"text": f"/{name} {argument}"})
                    await _until(lambda seen=seen: self.events >= seen + 2)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.address, headers={"Origin": self.address}, timeout=30)

    def connect(self, address: str) -> None:
        """The bot is (again) at this address: go on reading where we stopped."""
        self.address = address
        self.read(self.threads)

    def read(self, slugs: object) -> None:
        self._readers += [asyncio.create_task(self._follow(slug)) for slug in slugs]

    async def _follow(self, slug: str) -> None:
        with suppress(httpx.HTTPError):
            async with httpx.AsyncClient(base_url=self.address, timeout=httpx.Timeout(10, read=None)) as http:
                headers = {"Last-Event-ID": self._last[slug]} if slug in self._last else {}
                async with aconnect_sse(http, "GET", f"/t/{slug}/events", headers=headers) as source:
                    async for event in source.aiter_sse():
                        if event.id and event.data:
                            self._last[slug] = event.id
                            self._receive(slug, event.id, event.data)

    def _receive(self, slug: str, message_id: str, data: str) -> None:
        self.events += 1
        element = html.fromstring(data)
        at = datetime.fromisoformat(element.xpath("string(//time/@datetime)")).astimezone(UTC)
        urls = element.xpath("//a[contains(concat(' ', @class, ' '), ' title ')]/@href")
        papers = list(_papers_in(iter(urls)))
        self.seen += [Received(self.threads[slug], paper, at, message_id) for paper in papers]
        if papers:
            self.on_message()

    async def drain(self) -> None:
        """Wait until the streams are quiet."""
        seen = -1
        while seen != self.events:
            seen = self.events
            await asyncio.sleep(0.3)

    async def stop(self) -> None:
        for reader in self._readers:
            reader.cancel()
        ended = await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers.clear()
        for error in ended:
            if isinstance(error, Exception):
                raise error


async def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.002)
