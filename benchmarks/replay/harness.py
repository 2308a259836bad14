"""The harness: owns the simulated clock, the stub servers and the bot's process, and survives its kills."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.replay.world import ChatPlan, DiscordWorld, Received, TelegramWorld, WebWorld
from bot.arxiv import taxonomy
from tests.servers.arxiv import ArxivStub, Capture
from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub

_A_MOMENT = timedelta(seconds=5)
"""While the chats are set up only moments pass, such as a reply's pace; days begin to pass afterwards."""

_LAST_WORDS = 0.05
"""Real seconds in which the stubs take what a killed bot had already put on the wire."""

_PATIENCE = 60.0
"""Real seconds without a word from the bot before the replay is given up."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the chats received, how often the bot was killed, and how many accepted Messages that left unrecorded."""

    received: list[Received]
    kills: int
    uncommitted: int
    asked: int
    breaches: list[str]


class Harness:
    """One replay: the captures, served at the instants at which they were built, to these chats."""

    def __init__(
        self,
        captures: list[Capture],
        plans: list[ChatPlan],
        folder: Path,
        kill_every: int = 0,
        *,
        kill_daily: bool = False,
    ) -> None:
        built = sorted(capture.built for capture in captures)
        self._now = built[0] - timedelta(days=1)
        self._end = built[-1] + timedelta(days=2)
        self._plans = plans
        self._database = folder / "paperwire.db"
        self._log = folder / "bot.log"
        self._kill_every = kill_every
        self._kill_daily = kill_daily
        self._killed_on = self._now.date()
        self._is_set_up = False
        self._counting = False
        self._accepted = 0
        self._taken: set[tuple[str, str, str]] = set()
        self._kills = 0
        self._uncommitted = 0
        self._process: asyncio.subprocess.Process | None = None
        self._connected = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
        categories = {capture.category for capture in captures} | set(taxonomy.categories())
        self.arxiv = ArxivStub(categories, now=self._epoch)
        for capture in captures:
            self.arxiv.publish(capture.category, capture.body, capture.built.timestamp())
        self.telegram = TelegramWorld(TelegramStub(now=self._epoch))
        self.discord = DiscordWorld(DiscordStub(now=self._epoch))
        self.web = WebWorld(self._on_message)
        self.telegram.stub.on_accept = lambda message: self._on_accept("telegram", message.chat_id, message.message_id)
        self.discord.stub.on_accept = lambda message: self._on_accept("discord", message.channel_id, message.message_id)

    def _epoch(self) -> float:
        return self._now.timestamp()

    def _on_accept(self, platform: str, chat: int, message: int) -> None:
        # Also what was still on its way when the kill fell: a platform takes it all the same.
        if self._is_set_up:
            self._taken.add((platform, str(chat), str(message)))
        self._on_message()

    def _on_message(self) -> None:
        """The bot dies the moment a platform has taken the Nth message, before it hears of it."""
        if not self._counting:
            return
        self._accepted += 1
        day_is_due = self._kill_daily and self._killed_on < self._now.date()
        if day_is_due or (self._kill_every and self._accepted % self._kill_every == 0):
            self._kill()

    def _kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            self._kills += 1
            self._killed_on = self._now.date()
            self._counting = False

    async def run(self) -> Result:
        async with AsyncExitStack() as stack:
            for stub in (self.arxiv, self.telegram.stub, self.discord.stub):
                await stack.enter_async_context(stub)
            clock = await asyncio.start_server(lambda *streams: self._connected.put(streams), "127.0.0.1", 0)
            stack.callback(clock.close)
            stack.push_async_callback(self._stop)
            port = clock.sockets[0].getsockname()[1]
            await self._live(port)
            await self.web.drain()
        received = [*self.telegram.received(), *self.discord.received(), *self.web.seen]
        breaches = [*self.arxiv.violations, *self.telegram.stub.violations, *self.discord.stub.violations]
        return Result(received, self._kills, self._uncommitted, len(self.arxiv.journal), breaches)

    async def _live(self, port: int) -> None:
        first = True
        while True:
            reader, writer = await self._start(port)
            telling = asyncio.create_task(self._tell_time(reader, writer))
            if first:
                await self._set_up()
                first, self._is_set_up = False, True
            self._counting = True
            _say(writer, self._now)
            days_are_over = await telling
            writer.close()
            if days_are_over:
                return
            await self._process_ended()
            self._uncommitted += self._count_uncommitted()

    async def _start(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.replay.simulated", str(port), env=self._environment(), stderr=log
            )
        polls = self._polls()
        reader, writer = await asyncio.wait_for(self._connected.get(), _PATIENCE)
        _say(writer, self._now)
        address = json.loads(await asyncio.wait_for(reader.readline(), _PATIENCE))["address"]
        self.web.connect(address)
        async with asyncio.timeout(_PATIENCE):
            while not (self._polls() > polls and self.discord.stub.connected):
                await asyncio.sleep(0.005)
        return reader, writer

    def _polls(self) -> int:
        return sum(call.method == "getUpdates" for call in self.telegram.stub.calls)

    async def _set_up(self) -> None:
        for name, world in (("telegram", self.telegram), ("discord", self.discord), ("web", self.web)):
            await world.set_up([plan for plan in self._plans if plan.platform == name])

    async def _tell_time(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Let time go on whenever the bot has nothing in flight; True at the end of days, False when it is dead."""
        while True:
            try:
                line = await asyncio.wait_for(reader.readline(), _PATIENCE)
                if not line:
                    return False
                until = datetime.fromisoformat(json.loads(line)["idle_until"] or self._end.isoformat())
                if not self._counting and until - self._now > _A_MOMENT:
                    continue
                if until >= self._end:
                    return True
                if self._kill_daily and self._killed_on < self._now.date() < until.date():
                    self._kill()  # a day on which nothing was sent
                    continue
                self._now = max(self._now, until)
                _say(writer, self._now)
            except ConnectionError:
                return False

    async def _process_ended(self) -> None:
        assert self._process is not None
        await self._process.wait()
        if self._process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"the bot ended by itself; see {self._log}")
        await self.web.stop()
        while self.discord.stub.connected:
            await asyncio.sleep(0.005)
        await asyncio.sleep(_LAST_WORDS)

    def _count_uncommitted(self) -> int:
        """Accepted by a platform, not yet recorded as sent: read from the file that the dead process left."""
        with closing(sqlite3.connect(self._database)) as connection:
            sent = set(
                connection.execute(
                    "SELECT c.platform, c.address, m.platform_message_id "
                    "FROM messages m JOIN chats c ON c.id = m.chat_id WHERE m.state = 'sent'"
                )
            )
            (web,) = connection.execute(
                "SELECT count(*) FROM messages m JOIN web_messages w ON w.key = m.key WHERE m.state != 'sent'"
            ).fetchone()
        uncommitted = len(self._taken - sent) + int(web)
        self._taken.clear()
        return uncommitted

    async def _stop(self) -> None:
        await self.web.stop()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 15)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PAPERWIRE_DATABASE__URL": f"sqlite:///{self._database}",
            "PAPERWIRE_WEB__PORT": "0",
            "PAPERWIRE_ACCESS__OPEN": "true",
            "PAPERWIRE_ARXIV__FEED_URL": f"{self.arxiv.url}/atom",
            "PAPERWIRE_ARXIV__API_URL": f"{self.arxiv.url}/api/query",
            "PAPERWIRE_ARXIV__DEFAULT_CATEGORIES": "[]",
            "PAPERWIRE_TELEGRAM__TOKEN": self.telegram.stub.token,
            "PAPERWIRE_TELEGRAM__BASE_URL": self.telegram.stub.api_url,
            "PAPERWIRE_DISCORD__TOKEN": self.discord.stub.token,
            "PAPERWIRE_DISCORD__API_URL": self.discord.stub.api_url,
            "PAPERWIRE_DISCORD__GATEWAY_URL": self.discord.stub.gateway_url,
        }


def _say(writer: asyncio.StreamWriter, now: datetime) -> None:
    writer.write(json.dumps({"now": now.isoformat()}).encode() + b"\n")
