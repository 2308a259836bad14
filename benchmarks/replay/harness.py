"""The harness: owns the simulated clock, the stub servers and the bots' processes, and survives their kills."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.replay.bots import KILLED, PATIENCE, Bot, Clock
from benchmarks.replay.ledger import Ledger, Taken
from benchmarks.replay.world import ChatPlan, DiscordWorld, Received, TelegramWorld, WebWorld, repeats
from bot import taxonomy
from bot.app import ROLES, Role
from tests.servers.arxiv import ArxivStub, Capture
from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub

_A_MOMENT = timedelta(seconds=5)
"""While the chats are set up only moments pass, such as a reply's pace; days begin to pass afterwards."""

_LAST_WORDS = 0.05
"""Real seconds in which the stubs take what a killed bot had already put on the wire."""

_LOOK_AGAIN = 0.005
"""Real seconds after which tasks that are still open are looked at again."""

_HEARTBEAT = 1.0
"""Real seconds: a killed bot's tasks are given to others after three of them."""

_HELPERS: tuple[Role, ...] = ("worker",)
"""The roles of all processes but the first."""


@dataclass(frozen=True, slots=True)
class Kills:
    """When a bot is killed: after so many messages that the platforms took, on each day, or once at a step."""

    every: int = 0
    daily: bool = False
    at_step: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What the chats received, how often a bot was killed, and what that left.

    `uncommitted`: messages by platform that it had accepted and that were not on record when their bot died.
    `repeats`: messages that brought papers again, by platform. `unsent`: what is in the outbox at the end, by state.
    """

    received: list[Received]
    kills: int
    uncommitted: Counter[str]
    repeats: Counter[str]
    unsent: dict[str, int]
    http_429: int
    asked: int
    breaches: list[str]


class Harness:
    """One replay: the captures, served at the instants at which they were built, to these chats.

    `database`: the URL of an empty PostgreSQL database; without one a SQLite file in `folder`. `workers`: processes
    on it; the first has all roles, the others only work. They are killed in turn. `before`, `after`: how much time
    there is around the captures.
    """

    def __init__(
        self,
        captures: list[Capture],
        plans: list[ChatPlan],
        folder: Path,
        kills: Kills | None = None,
        *,
        database: str = "",
        workers: int = 1,
        before: timedelta = timedelta(days=1),
        after: timedelta = timedelta(days=2),
    ) -> None:
        built = sorted(capture.built for capture in captures)
        self._now = built[0] - before
        self._end = built[-1] + after
        self._plans = plans
        self._database = database or f"sqlite:///{folder / 'paperwire.db'}"
        self._ledger = Ledger(self._database)
        self._log = folder / "bot.log"
        self._plan_of_kills = kills or Kills()
        self._killed_on = self._now.date()
        self._is_set_up = False
        self._counting = False
        self._accepted = Counter[str]()
        self._taken: set[Taken] = set()
        self._kills = 0
        self._in_doubt: set[Taken] = set()
        self._uncommitted = Counter[str]()
        self._roles: Sequence[Sequence[Role]] = [ROLES, *[_HELPERS] * (workers - 1)]
        self._bots: list[Bot | None] = [None] * workers
        self._clock = Clock()
        self._news = asyncio.Event()
        categories = {capture.category for capture in captures} | set(taxonomy.categories())
        self.arxiv = ArxivStub(categories, now=self._epoch)
        for capture in captures:
            self.arxiv.publish(capture.category, capture.body, capture.built.timestamp())
        self.telegram = TelegramWorld(TelegramStub(now=self._epoch))
        self.discord = DiscordWorld(DiscordStub(now=self._epoch))
        self.web = WebWorld(lambda: self._on_message("web"))
        self.telegram.stub.on_accept = lambda message: self._on_accept("telegram", message.chat_id, message.message_id)
        self.discord.stub.on_accept = lambda message: self._on_accept("discord", message.channel_id, message.message_id)

    def _epoch(self) -> float:
        return self._now.timestamp()

    # Kills.

    def _on_accept(self, platform: str, chat: int, message: int) -> None:
        # Also what was still on its way when the kill fell: a platform takes it all the same.
        if self._is_set_up:
            self._taken.add(Taken(platform, str(chat), str(message)))
        self._on_message(platform)

    def _on_message(self, platform: str) -> None:
        """A bot dies the moment a platform has taken the Nth message, before it hears of it."""
        if not self._counting:
            return
        self._accepted[platform] += 1
        every, step = self._plan_of_kills.every, self._plan_of_kills.at_step
        day_is_due = self._plan_of_kills.daily and self._killed_on < self._now.date()
        number_is_due = every and self._accepted.total() % every == 0
        step_is_reached = step == "accepted" and not self._kills and len(self._accepted) == 3
        if day_is_due or number_is_due or step_is_reached:
            self._kill()

    def _kill(self) -> None:
        victim = self._bots[self._kills % len(self._bots)]
        if victim is not None and not victim.has_ended:
            victim.kill()
            self._killed_on = self._now.date()
            self._counting = False

    async def _bury(self, dead: Bot) -> None:
        if await dead.ended() != KILLED:
            raise RuntimeError(f"a bot ended by itself; see {self._log}")
        self._kills += 1
        self._counting = False
        if dead.address == self.web.address:
            await self.web.stop()
            while self.discord.stub.connected:
                await asyncio.sleep(_LOOK_AGAIN)
        await asyncio.sleep(_LAST_WORDS)
        self._in_doubt |= (self._taken | await self._ledger.shown()) - await self._ledger.recorded()
        self._taken.clear()
        if not self._living:
            self._count_uncommitted(set())

    def _count_uncommitted(self, recorded_since: set[Taken]) -> None:
        """What was not on record at a kill; but the living had some of it in flight, and recorded that since."""
        self._uncommitted.update(each.platform for each in self._in_doubt - recorded_since)
        self._in_doubt.clear()

    # Time.

    async def run(self) -> Result:
        async with AsyncExitStack() as stack:
            for part in (self.arxiv, self.telegram.stub, self.discord.stub, self._clock):
                await stack.enter_async_context(part)
            stack.push_async_callback(self._stop)
            await self._raise()
            setting_up = asyncio.create_task(self._set_up())
            stack.callback(setting_up.cancel)
            await self._live(setting_up)
            await self.web.drain()
            unsent = await self._ledger.unsent()
        received = [*self.telegram.received(), *self.discord.received(), *self.web.seen]
        return Result(
            received=received,
            kills=self._kills,
            uncommitted=self._uncommitted,
            repeats=repeats(received, self._plans),
            unsent=unsent,
            http_429=self.telegram.stub.http_429 + sum(call.status == 429 for call in self.discord.stub.calls),
            asked=len(self.arxiv.journal),
            breaches=[*self.arxiv.violations, *self.telegram.stub.violations, *self.discord.stub.violations],
        )

    async def _set_up(self) -> None:
        for name, world in (("telegram", self.telegram), ("discord", self.discord), ("web", self.web)):
            await world.set_up([plan for plan in self._plans if plan.platform == name])
        self._is_set_up = self._counting = True
        if self._plan_of_kills.at_step == "accepted":
            self.telegram.stub.fail_next("stall_after")
            self.discord.stub.fail_next("stall_after")
        self._say(self._plan_of_kills.at_step)
        self._news.set()

    async def _live(self, setting_up: asyncio.Task[None]) -> None:
        """Let time go on whenever no bot has anything in flight, to the end of days."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    until = await self._settle()
            except TimeoutError:
                rests, open_locks = [bot and bot.rest for bot in self._bots], await self._ledger.open_locks()
                raise RuntimeError(f"time stands still: {rests}; {open_locks}; {self._log}") from None
            if setting_up.done():
                setting_up.result()
            elif until - self._now > _A_MOMENT:
                await self._hear(PATIENCE)
                continue
            if until >= self._end:
                return
            if self._plan_of_kills.daily and self._killed_on < self._now.date() < until.date():
                self._kill()  # a day on which nothing was sent
                continue
            self._now = max(self._now, until)
            self._say()

    def _say(self, die_at: str = "") -> None:
        for bot in self._living:
            bot.say(self._now, die_at)

    @property
    def _living(self) -> list[Bot]:
        return [bot for bot in self._bots if bot is not None]

    async def _settle(self) -> datetime:
        """Wait until nothing is in flight and all processes are up; until when that will be so.

        What a killed one was at is finished by the others, at the same instant, before it is started again.
        """
        while True:
            for number, bot in enumerate(self._bots):
                if bot is not None and bot.has_ended:
                    self._bots[number] = None
                    await self._bury(bot)
            if not self._living or (await self._is_quiet() and None in self._bots):
                await self._raise()
            elif await self._is_quiet():
                if self._in_doubt:
                    self._count_uncommitted(await self._ledger.recorded())
                return min(filter(None, (bot.rest and bot.rest.until for bot in self._living)), default=self._end)
            elif any(bot.rest is None for bot in self._living):
                await self._hear(PATIENCE)
            else:
                await self._hear(_LOOK_AGAIN)

    async def _is_quiet(self) -> bool:
        """Every bot rests, and no task waits for one, at two looks: a task may have ended by waking its bot."""
        for _ in range(2):
            rests = [bot.rest for bot in self._bots if bot is not None]
            if any(rest is None for rest in rests) or any(bot.has_ended for bot in self._living):
                return False
            at_rest = frozenset().union(*(rest.at_rest for rest in rests if rest is not None))
            if not await self._ledger.open_locks() <= at_rest:
                return False
        # While the ledger was asked one may have woken.
        return all(bot.rest is not None for bot in self._living)

    async def _hear(self, seconds: float) -> None:
        """Wait for a word from a bot, so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    # Processes.

    async def _raise(self) -> None:
        """Start whichever processes are not there."""
        for number, bot in enumerate(self._bots):
            if bot is None:
                self._bots[number] = await self._start(self._roles[number])
        self._counting = self._is_set_up
        self._say()

    async def _start(self, roles: Sequence[Role]) -> Bot:
        polls, logins = self._polls(), self._logins()
        bot = await self._clock.start(roles, self._environment(), self._log, self._now, self._news.set)
        if "web" in roles:
            self.web.connect(bot.address)
        async with asyncio.timeout(PATIENCE):
            while self._logins() == logins or ("discord" in roles and not self.discord.stub.connected):
                await asyncio.sleep(_LOOK_AGAIN)
            while "telegram" in roles and self._polls() == polls:
                await asyncio.sleep(_LOOK_AGAIN)
        return bot

    def _polls(self) -> int:
        return sum(call.method == "getUpdates" for call in self.telegram.stub.calls)

    def _logins(self) -> int:
        return sum(call.path == "/users/@me" for call in self.discord.stub.calls)

    async def _stop(self) -> None:
        await self.web.stop()
        await asyncio.gather(*(bot.stop() for bot in self._living))
        await self._ledger.close()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PAPERWIRE_DATABASE__URL": self._database,
            "PAPERWIRE_WORKERS__HEARTBEAT_SECONDS": f"{_HEARTBEAT}",
            "PAPERWIRE_WORKERS__STALLED_SECONDS": f"{3 * _HEARTBEAT}",
            "PAPERWIRE_WEB__PORT": "0",
            "PAPERWIRE_TRANSLATION__DOWNLOAD": "false",
            "PAPERWIRE_ACCESS__OPEN": "true",
            "PAPERWIRE_ARXIV__FEED_URL": f"{self.arxiv.url}/atom",
            "PAPERWIRE_ARXIV__API_URL": f"{self.arxiv.url}/api/query",
            "PAPERWIRE_ARXIV__OAI_URL": f"{self.arxiv.url}/oai",
            "PAPERWIRE_ARXIV__LISTING_URL": f"{self.arxiv.url}/list",
            "PAPERWIRE_ARXIV__DEFAULT_CATEGORIES": "[]",
            "PAPERWIRE_ARXIV__SWEEP_DAYS": "0",
            "PAPERWIRE_TELEGRAM__TOKEN": self.telegram.stub.token,
            "PAPERWIRE_TELEGRAM__BASE_URL": self.telegram.stub.api_url,
            "PAPERWIRE_DISCORD__TOKEN": self.discord.stub.token,
            "PAPERWIRE_DISCORD__API_URL": self.discord.stub.api_url,
            "PAPERWIRE_DISCORD__GATEWAY_URL": self.discord.stub.gateway_url,
        }
