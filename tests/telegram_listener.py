"""Who listens in tests of Telegram's updates: the rest of the bot, as its adapter sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from bot.cards.reply import Button, Reply
from bot.commands.offers import Results
from bot.commands.request import Incoming
from bot.config import Telegram
from bot.platforms.telegram.menu import MenuCommand
from bot.platforms.telegram.updates import TelegramUpdates
from tests.servers.telegram import TOKEN, TelegramStub

ADA, LIN, GROUP, CHANNEL = 7, 8, -100, -200
COMMANDS = [
    MenuCommand("start", "Begin", "开始"),
    MenuCommand("subscribe", "Follow", "关注", is_for_everyone=False),
    MenuCommand("status", "How things are", "现状"),
]


@dataclass
class Hasty:
    """A clock on which nobody waits."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0.01)


class Deaf(list[str]):
    """Alerts that reach nobody."""

    def append(self, alert: str) -> None:
        raise ConnectionError(alert)


@dataclass
class Listener:
    """What the rest of the bot hears, and what it says to it."""

    heard: list[Incoming] = field(default_factory=list)
    members: list[tuple[str, ...]] = field(default_factory=list)
    answers: Callable[[Incoming], Awaitable[Reply | None]] | None = None
    typed: list[tuple[Incoming, str]] = field(default_factory=list)
    finds: Callable[[Incoming, str], Awaitable[Results]] | None = None
    clock: Hasty = field(default_factory=Hasty)
    turns: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    lease: Callable[[], AbstractAsyncContextManager[None]] = nullcontext

    async def is_new(self, update_id: int) -> bool:
        is_new = update_id not in self.known
        self.known.add(update_id)
        return is_new

    async def alert(self, alert: str, _reason: str) -> None:
        self.alerts.append(alert)

    async def answer(self, incoming: Incoming) -> Reply | None:
        self.heard.append(incoming)
        return await self.answers(incoming) if self.answers else Reply(text=f"You said {incoming.text}")

    async def find(self, incoming: Incoming, page: str) -> Results:
        self.typed.append((incoming, page))
        return await self.finds(incoming, page) if self.finds else Results(hint=f"You typed {incoming.text}")

    async def joined(self, address: str) -> None:
        self.members.append(("joined", address))

    async def left(self, address: str, reason: str) -> None:
        self.members.append(("left", address, reason))

    async def moved(self, old: str, new: str) -> None:
        self.members.append(("moved", old, new))

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        self.turns.append(address)
        yield


def settings(stub: TelegramStub, token: str = TOKEN) -> Telegram:
    return Telegram(token=SecretStr(token), base_url=stub.api_url, base_file_url=f"{stub.url}/file/bot")


@asynccontextmanager
async def listening(at: Telegram, listener: Listener) -> AsyncIterator[TelegramUpdates]:
    updates = TelegramUpdates(
        at,
        listener.clock,
        COMMANDS,
        listener.answer,
        listener.find,
        listener.joined,
        listener.left,
        listener.moved,
        listener.turn,
        listener.is_new,
        listener.lease,
        listener.alert,
    )
    await updates.start()
    try:
        yield updates
    finally:
        await updates.stop()


async def with_a_button(_: Incoming) -> Reply:
    return Reply(text="Hello", buttons=(Button("More", "more:1"),))


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def small_world() -> AsyncIterator[TelegramStub]:
    """A Bot API server with two people, a group with a topic, and a channel."""
    async with TelegramStub(enforce_rates=False) as stub:
        stub.add_user(ADA, "Ada", "zh-hans")
        stub.add_user(LIN, "Lin")
        stub.add_chat(ADA, title="Ada")
        stub.add_chat(GROUP, "supergroup", "Readers", topics=[5])
        stub.add_chat(CHANNEL, "channel", "News")
        yield stub


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with small_world() as stub:
        yield stub


@pytest.fixture
async def listener(stub: TelegramStub) -> AsyncIterator[Listener]:
    listener = Listener()
    async with listening(settings(stub), listener):
        yield listener
