"""The bots' processes: real ones, forked from a parent that has imported the program, so that a kill costs little."""

import asyncio
import json
import multiprocessing
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from benchmarks.replay import simulated
from bot.app import Role

PATIENCE = 120.0
"""Real seconds in which nothing moves before the replay is given up."""

KILLED = -signal.SIGKILL
"""The exit code of a process that was killed."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["benchmarks.replay.simulated"])


@dataclass(frozen=True, slots=True)
class Rest:
    """A bot that has nothing to do before `until` (None: before there is news); tasks with these locks wait there."""

    until: datetime | None
    at_rest: frozenset[str]


class Clock:
    """Where the bots' processes are told the time: one connection each."""

    def __init__(self) -> None:
        self._connected = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(lambda *streams: self._connected.put(streams), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def start(
        self,
        roles: Collection[Role],
        environment: dict[str, str],
        log: Path,
        now: datetime,
        on_news: Callable[[], None],
    ) -> "Bot":
        """A new process with these roles and settings, once it is ready. To be called one after the other."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        process = _FORKS.Process(target=simulated.run, args=(port, tuple(roles), environment, log), daemon=True)
        process.start()
        async with asyncio.timeout(PATIENCE):
            reader, writer = await self._connected.get()
            bot = Bot(roles, process, reader, writer, on_news)
            bot.say(now)
            line = await reader.readline()
        if not line:
            raise RuntimeError(f"a bot did not start; see {log}")
        bot.listen(json.loads(line)["address"])
        return bot


class Bot:
    """One process; what it last said of itself."""

    def __init__(
        self,
        roles: Collection[Role],
        process: multiprocessing.process.BaseProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_news: Callable[[], None],
    ) -> None:
        self.roles = roles
        self.address = ""
        self.rest: Rest | None = None
        self._process = process
        self._reader = reader
        self._writer = writer
        self._on_news = on_news
        self._said = 0
        self._is_killed = False
        self._listening: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has gone silent for good."""
        return self._listening is not None and self._listening.done()

    def say(self, now: datetime, die_at: str = "") -> None:
        """Tell it the time, and at which step it is to die."""
        self._said += 1
        self.rest = None
        self._writer.write(json.dumps({"now": now.isoformat(), "said": self._said, "die_at": die_at}).encode() + b"\n")

    def listen(self, address: str) -> None:
        """It is ready, with its page at this address: hear what it reports from now on."""
        self.address = address
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._hear(json.loads(line))
                self._on_news()
        except ConnectionError:
            pass
        finally:
            self._on_news()

    def _hear(self, report: dict[str, object]) -> None:
        if report.get("busy") or self._is_killed:
            self.rest = None
        elif report["said"] == self._said:  # else it speaks of a time that is over
            until = report["idle_until"]
            assert isinstance(report["at_rest"], list)
            self.rest = Rest(datetime.fromisoformat(str(until)) if until else None, frozenset(report["at_rest"]))

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._process.kill()
        self._is_killed, self.rest = True, None

    async def ended(self) -> int:
        """Wait until nothing of the process is left; its exit code, which is a signal's negative number."""
        await asyncio.to_thread(self._process.join, PATIENCE)
        self._writer.close()
        assert self._process.exitcode is not None
        return self._process.exitcode

    async def stop(self) -> None:
        """End it in an orderly way: it does so where the harness goes."""
        self._writer.close()
        await asyncio.to_thread(self._process.join, 15)
        self._process.kill()
        if self._listening is not None:
            self._listening.cancel()
