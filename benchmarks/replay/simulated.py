"""The bot's side of a replay: the production composition root with a clock and a scheduler that obey the harness.

Run as a process of its own: `python -m benchmarks.replay.simulated CLOCK_PORT`; settings come from the environment.
When nothing is in flight here it tells the harness until when it could sleep; the harness says when "now" is.
"""

import asyncio
import contextlib
import heapq
import itertools
import json
import sys
from collections.abc import Coroutine
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.app import App
from bot.clock import Tick
from bot.config import load_settings
from bot.log import configure_logging
from bot.storage.database import open_database

_tracked: ContextVar[bool] = ContextVar("_tracked", default=False)


class SimulatedTime:
    """Clock and Scheduler in one: ticks run when the harness's time has come to them."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ticks: dict[str, Tick] = {}
        self._due: dict[str, datetime | None] = {}
        self._running: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._sleepers: list[tuple[datetime, int, bool, asyncio.Event]] = []
        self._count = itertools.count()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        awake, tracked = asyncio.Event(), _tracked.get()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._count), tracked, awake))
        self._busy -= tracked
        self._changed.set()
        await awake.wait()

    def add(self, name: str, tick: Tick) -> None:
        self._ticks[name] = tick
        self._due[name] = self._now

    def wake(self, name: str) -> None:
        self._due[name] = self._now
        self._changed.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy += 1
        task = asyncio.create_task(self._track(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _track(self, work: Coroutine[Any, Any, None]) -> None:
        _tracked.set(True)
        try:
            await work
        finally:
            self._busy -= 1
            self._changed.set()

    async def _run(self, name: str) -> None:
        self._running.add(name)
        self._due[name] = None
        try:
            wanted = await self._ticks[name](self._now)
            if wanted is not None and (self._due[name] is None or wanted < self._due[name]):
                self._due[name] = wanted
        finally:
            self._running.discard(name)

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run what is due; when all is quiet, report and wait for the harness (or for news from a person)."""
        order = asyncio.create_task(reader.readline())
        while True:
            self._changed.clear()
            for name, due in list(self._due.items()):
                if due is not None and due <= self._now and name not in self._running:
                    self.spawn(self._run(name))
            while self._sleepers and self._sleepers[0][0] <= self._now:
                _, _, tracked, awake = heapq.heappop(self._sleepers)
                self._busy += tracked
                awake.set()
            if not self._busy and not self._is_due():
                until = min([*filter(None, self._due.values()), *(at for at, *_ in self._sleepers)], default=None)
                writer.write(json.dumps({"idle_until": until and until.isoformat()}).encode() + b"\n")
            news = asyncio.create_task(self._changed.wait())
            await asyncio.wait({news, order}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if order.done():
                line = order.result()
                if not line:
                    return
                self._now = datetime.fromisoformat(json.loads(line)["now"])
                order = asyncio.create_task(reader.readline())

    def _is_due(self) -> bool:
        return any(due is not None and due <= self._now for due in self._due.values())


async def main(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    time = SimulatedTime(datetime.fromisoformat(json.loads(await reader.readline())["now"]).astimezone(UTC))
    settings = load_settings()
    configure_logging(settings)
    app = App(settings, await open_database(settings.database.url), time, time)
    await app.start()
    writer.write(json.dumps({"address": app.address}).encode() + b"\n")
    with contextlib.suppress(ConnectionError):
        await time.obey(reader, writer)
    await app.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
