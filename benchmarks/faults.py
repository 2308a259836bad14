"""What becomes of messages on bad days: `python -m benchmarks.faults [--messages 10000] [--json]`.

The whole program on SQLite, with its clock turned by hand, sends through the real libraries to a Telegram and a Discord
that answer a fifth of all sends with a random one of their failures, or break the connection before or after acting.
What is given up because of it comes back as in life: people unblock the bot or speak to it, or it tries by itself. One
chat on each platform is told to wait for a month, which must hold up nobody else.
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import discord
import sqlalchemy as sa
from pydantic import SecretStr

from bot.app import App
from bot.cards.reply import Reply
from bot.chats import PlatformName
from bot.config import Arxiv, Discord, Log, Settings, Telegram, Web
from bot.delivery.outcomes import PROBE_AFTER
from bot.delivery.port import Pace
from bot.log import configure_logging
from bot.platforms.discord.render import render as render_discord
from bot.platforms.discord.send import DiscordPlatform
from bot.platforms.telegram.render import render as render_telegram
from bot.storage import outbox
from bot.storage.database import Database, open_database
from bot.storage.tables import chats, messages
from tests.builders import HandClock, HandScheduler, a_chat
from tests.servers.discord import ALL_FAULTS, DiscordStub
from tests.servers.telegram import TelegramStub

A_CHAT_GETS = 25
RATE = 0.2
STALL = 0.02
"""Seconds after which a stalled connection breaks."""
A_MONTH = timedelta(days=30)
_IDLE = 2 * PROBE_AFTER
PERSON, GUILD, TOPIC = 7, 10 << 22, 5
MALFORMED = 50035
UNLIMITED = Pace(overall=None, per_chat=None)
_NOBODY = "http://127.0.0.1:9/atom"
_PATIENCE = 30.0
_LABEL = re.compile(r"chat (\d+) message (\d+)")

Letter = tuple[int, int]
"""A message: the number of its chat, and its own among that chat's."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, seen from outside unless it says otherwise.

    `repeated`: messages that came again though one was enough, on Telegram and Discord; `unanswered`: how many Telegram
    took without an answer, each of which it may see again. `held_up`: whether somebody had to wait for the chats that
    had to wait. `failed`: by our own reason for giving them up.
    """

    messages: int
    faults: int
    lost: int
    repeated: dict[str, int]
    unanswered: int
    out_of_order: int
    held_up: bool
    states: dict[str, int]
    failed: dict[str, int]
    came_back: int
    seconds: float


@dataclass
class World:
    """The program and the two platforms."""

    app: App
    database: Database
    clock: HandClock
    scheduler: HandScheduler
    telegram: TelegramStub
    discord: DiscordStub
    queued: list[Letter] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    came_back: int = 0

    async def queue(self, how_many: int) -> None:
        """Chats of every kind, and as many messages, four of five on Telegram."""
        for number in range(how_many // A_CHAT_GETS):
            platform: PlatformName = "discord" if number % 5 == 4 else "telegram"
            place, is_group = self._add_place(platform, number)
            chat = await a_chat(self.database, platform=platform, address=place, is_group=is_group)
            letters = [(number, position) for position in range(A_CHAT_GETS)]
            render = render_discord if platform == "discord" else render_telegram
            texts = [payload for each in letters for payload in render(_reply(each))]
            async with self.database.write() as connection:
                await outbox.put(connection, chat.id, None, f"letters-{number}", texts, self.clock.now())
            self.queued += letters

    def _add_place(self, platform: PlatformName, number: int) -> tuple[str, bool]:
        """A new chat of the platform's: its address, and whether it is a group."""
        if platform == "discord":
            self.discord.add_channel(1_000 + number, GUILD, "papers")
            return str(1_000 + number), True
        kind = ("private", "private", "group", "supergroup")[number % 4]
        if kind == "private":
            self.telegram.add_chat(1_000 + number, "private")
            return str(1_000 + number), False
        if kind == "group":
            self.telegram.add_chat(-1_000 - number, "group")
            return str(-1_000 - number), True
        self.telegram.add_chat(-100_000 - number, "supergroup", topics=[TOPIC])
        return f"{-100_000 - number}:{TOPIC}", True

    def misbehave(self, seed: int) -> None:
        """Let the bad days begin."""
        self.telegram.fail_next("retry_after", chat_id=1_000, seconds=A_MONTH.total_seconds())
        self.discord.fail_next("rate", channel_id=1_004, retry_after=A_MONTH.total_seconds())
        self.held = {0, 4}
        self.telegram.misbehave(RATE, seed, stall_seconds=STALL)
        # Never by chance: what Discord took once in a form it does not refuse for its form when it comes again.
        self.discord.fail_next(MALFORMED, channel_id=1_009, times=2)
        self.discord.misbehave(RATE, seed, [kind for kind in ALL_FAULTS if kind != MALFORMED], stall=STALL)

    async def deliver(self) -> None:
        """Turn the clock until nothing is left to do, and let people bring back what was given up."""
        while True:
            due = await self._until_idle()
            if given_up := await self._given_up():
                await self._bring_back(given_up)
            elif due is None:
                return
            else:
                self.clock.set(due)

    async def _until_idle(self) -> datetime | None:
        """Until nothing leaves for days; when something does."""
        while True:
            due = await self.scheduler.ticks["deliver"](self.clock.now())
            await self.scheduler.settle()
            if "deliver" in self.scheduler.woken:
                self.scheduler.woken.clear()
            elif due is None or due > self.clock.now() + _IDLE:
                return due
            else:
                self.clock.set(max(due, self.clock.now()))

    async def _given_up(self) -> list[sa.Row[Any]]:
        async with self.database.read() as connection:
            query = sa.select(chats.c.platform, chats.c.address).where(chats.c.inactive_because.is_not(None))
            return list(await connection.execute(query))

    async def _bring_back(self, given_up: list[sa.Row[Any]]) -> None:
        self.came_back += len(given_up)
        for chat in given_up:
            if chat.platform == "telegram":
                self.telegram.member_changed(int(chat.address.partition(":")[0]), "left", "member", by=PERSON)
            else:
                await self.discord.reply_to(self.discord.command(int(chat.address), PERSON, "help"), _PATIENCE)
        async with asyncio.timeout(_PATIENCE):
            while await self._given_up():
                await asyncio.sleep(0.02)

    async def result(self, seconds: float) -> Result:
        """What was to be seen, and what is on record."""
        came: defaultdict[PlatformName, list[tuple[float, Letter]]] = defaultdict(list)
        for message in self.telegram.messages:
            came["telegram"] += _labelled(message.at, message.text)
        for posted in self.discord.messages:
            came["discord"] += _labelled(posted.at, posted.content, *(json.dumps(each) for each in posted.embeds))
        first: dict[Letter, float] = {}
        for at, letter in sorted(each for platform in came.values() for each in platform):
            first.setdefault(letter, at)
        async with self.database.read() as connection:
            is_letter = messages.c.key.startswith("letters-")
            rows = list(
                await connection.execute(sa.select(messages.c.key, messages.c.state, messages.c.error).where(is_letter))
            )
        failed = {_letter_of(row.key): row.error for row in rows if row.state == "failed"}
        held = [at for (chat, _), at in first.items() if chat in self.held]
        others = [at for (chat, _), at in first.items() if chat not in self.held]
        given = self.telegram.faults.given
        return Result(
            messages=len(self.queued),
            faults=given.total() + sum(n for status, n in self.discord.statuses.items() if not 200 <= status < 300),
            lost=len(set(self.queued) - first.keys() - failed.keys()),
            repeated={name: len(each) - len({letter for _, letter in each}) for name, each in came.items()},
            unanswered=given["reset_after"] + given["stall_after"],
            out_of_order=sum(_out_of_order([letter for _, letter in each]) for each in came.values()),
            held_up=max(others) >= min(held),
            states=dict(Counter(row.state for row in rows)),
            failed=dict(Counter(failed.values())),
            came_back=self.came_back,
            seconds=round(seconds, 1),
        )


def _reply(letter: Letter) -> Reply:
    return Reply("It has a second line.", title="chat {} message {}".format(*letter))


def _letter_of(key: str) -> Letter:
    _, chat, number = key.split("-")
    return int(chat), int(number)


def _labelled(at: float, *texts: str) -> list[tuple[float, Letter]]:
    """The letter that a message is: of one that was divided, its first part."""
    return [(at, (int(found[1]), int(found[2]))) for text in texts if (found := _LABEL.search(text))]


def _out_of_order(came: Iterable[Letter]) -> int:
    """How many letters came after one that was to follow them; what comes again has to come at once."""
    latest: defaultdict[int, int] = defaultdict(int)
    late = 0
    for chat, number in came:
        late += number < latest[chat]
        latest[chat] = max(latest[chat], number)
    return late


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """The program, started, with limits lifted and discord.py's own pauses shortened."""
    clock, scheduler = HandClock(), HandScheduler()
    hasty = types.ModuleType("asyncio")
    hasty.__dict__.update(vars(asyncio), sleep=lambda seconds: asyncio.sleep(seconds / 100))
    async with AsyncExitStack() as stack:
        stack.enter_context(patch("bot.platforms.telegram.send.PACE", UNLIMITED))
        stack.enter_context(patch.object(DiscordPlatform, "pace", UNLIMITED))
        stack.enter_context(patch.object(discord.http.Route, "BASE"))
        stack.enter_context(patch.object(discord.http, "asyncio", hasty))
        telegram = await stack.enter_async_context(TelegramStub(clock.epoch, enforce_rates=False))
        posts = await stack.enter_async_context(DiscordStub(clock.epoch))
        posts.rates = False
        posts.add_guild(GUILD, "Lab")
        for stub in (telegram, posts):
            stub.add_user(PERSON, "Ada")
        settings = Settings(
            web=Web(port=0),
            arxiv=Arxiv(feed_url=_NOBODY, default_categories=()),
            telegram=Telegram(token=SecretStr(telegram.token), base_url=telegram.api_url),
            discord=Discord(token=SecretStr(posts.token), api_url=posts.api_url, gateway_url=posts.gateway_url),
        )
        database = await open_database(f"sqlite:///{folder}/paperwire.db")
        app = App(settings, database, clock, scheduler)
        await app.start()
        async with asyncio.timeout(_PATIENCE):
            while not (posts.connected and posts.commands):
                await asyncio.sleep(0.02)
        yield World(app, database, clock, scheduler, telegram, posts)
        await app.finish()
        await scheduler.settle()
        await app.close()


async def bad_days(how_many: int, seed: int = 1) -> Result:
    """Send so many messages through them."""
    with tempfile.TemporaryDirectory() as folder:
        async with a_world(Path(folder)) as world:
            await world.queue(how_many)
            began = time.perf_counter()
            world.misbehave(seed)
            await world.deliver()
            return await world.result(time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="the same failures again")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    configure_logging(Settings(log=Log(level="error")))
    found = asdict(asyncio.run(bad_days(options.messages, options.seed)))
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<14} {value}")


if __name__ == "__main__":
    main()
