"""The bot's side of a replay: the production composition root with a clock and a scheduler that obey the harness.

A process of its own for each bot, forked from one that has imported all this. When nothing is in flight here it tells
the harness until when it could sleep; the harness says when "now" is.
"""

import asyncio
import contextlib
import heapq
import itertools
import json
import os
from collections.abc import Callable, Collection, Coroutine
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

# The platforms are loaded here, which the program does only where it needs them: whoever is forked from here has them.
import bot.platforms.discord.updates
import bot.platforms.telegram.updates  # noqa: F401
from benchmarks.replay.steps import die_at
from bot.app import App, Role
from bot.clock import Tick
from bot.config import load_settings
from bot.delivery import courier
from bot.jobs import distributed
from bot.jobs.scheduler import HEARTBEAT
from bot.log import configure_logging
from bot.storage.database import open_database

distributed._FETCH_AGAIN = 0.05
"""Real seconds until a worker sees a task of which it got no word; for simulated days production's two are too long."""
courier.GATHER = 0
"""These are real seconds, too, and nobody measures how few commits a replay needs."""

log = structlog.get_logger(__name__)

_tracked: ContextVar[bool] = ContextVar("_tracked", default=False)


class SimulatedTime:
    """Clock and Scheduler in one: ticks run when the harness's time has come to them."""

    def __init__(self, now: datetime, writer: asyncio.StreamWriter) -> None:
        self._now = now
        self._writer = writer
        self._said = 0
        self._is_quiet = False
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
        self._stir()

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy += 1
        self._stir()
        await self._track(work)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy += 1
        self._stir()
        task = asyncio.create_task(self._track(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def has_sleepers(self) -> bool:
        """Whether work of ours waits for its time, such as a poll of arXiv for its turn."""
        return any(tracked for _, _, tracked, _ in self._sleepers)

    async def _track(self, work: Coroutine[Any, Any, None]) -> None:
        token = _tracked.set(True)
        try:
            await work
        finally:
            _tracked.reset(token)
            self._busy -= 1
            self._changed.set()

    async def _run(self, name: str) -> None:
        self._running.add(name)
        self._due[name] = None
        try:
            wanted = await self._ticks[name](self._now)
        except Exception:
            # As in life it is called again; and the replay goes on, to show what came of it.
            log.exception("tick.failed", tick=name)
            wanted = self._now + HEARTBEAT
        finally:
            self._running.discard(name)
        if wanted is not None and (self._due[name] is None or wanted < self._due[name]):
            self._due[name] = wanted

    async def obey(
        self, reader: asyncio.StreamReader, at_rest: Callable[[], list[str]], arm: Callable[[str], None]
    ) -> None:
        """Run what is due; when all is quiet, report and wait for the harness (or for news from a person).

        `at_rest`: the locks of the tasks that wait here for their time. `arm` gets the step at which to die.
        """
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
                self._is_quiet = True
                self.tell(said=self._said, idle_until=until and until.isoformat(), at_rest=at_rest())
            news = asyncio.create_task(self._changed.wait())
            await asyncio.wait({news, order}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if order.done():
                line = order.result()
                if not line:
                    return
                said = json.loads(line)
                self._now, self._said = datetime.fromisoformat(said["now"]), said["said"]
                if said["die_at"]:
                    arm(said["die_at"])
                order = asyncio.create_task(reader.readline())

    def tell(self, **words: object) -> None:
        """Tell the harness."""
        self._writer.write(json.dumps(words).encode() + b"\n")

    def _stir(self) -> None:
        """Take back that all is quiet before anything comes of it that the harness could see."""
        if self._is_quiet:
            self._is_quiet = False
            self.tell(busy=True)
        self._changed.set()

    def _is_due(self) -> bool:
        return any(due is not None and due <= self._now for due in self._due.values())


def run(port: int, roles: Collection[Role], environment: dict[str, str], log: Path) -> None:
    """Be a bot with these roles and settings, whose clock is at this port, until the harness goes."""
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as out:
        os.dup2(out.fileno(), 2)
    asyncio.run(_run(port, roles))


async def _run(port: int, roles: Collection[Role]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    now = datetime.fromisoformat(json.loads(await reader.readline())["now"]).astimezone(UTC)
    time = SimulatedTime(now, writer)
    settings = load_settings()
    configure_logging(settings)
    app = App(settings, await open_database(settings.database.url), time, time, roles)

    def at_rest() -> list[str]:
        # Idle as we are, whatever chat is still in hand waits for its pace; the ticks know for how long.
        return [*(f"chat-{chat_id}" for chat_id in app._courier._turns), *(["arxiv"] if time.has_sleepers else [])]

    await app.start()
    time.tell(address=app.address)
    with contextlib.suppress(ConnectionError):
        await time.obey(reader, at_rest, lambda step: die_at(step, app))
    await app.finish()
    await app.close()
