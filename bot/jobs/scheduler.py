"""The scheduler of one machine: APScheduler calls `tick(now)`; what is due is for the tick to read from storage.

Nothing is lost by a firing that comes late or not at all (a suspended laptop): every tick is called at least once a
heartbeat, and finds everything that has become due meanwhile.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from bot.clock import Clock, Tick

HEARTBEAT = timedelta(seconds=30)
GRACE = 7.0
"""Seconds that work in progress is given at the end."""

log = structlog.get_logger(__name__)


class JobScheduler:
    """One one-shot APScheduler job a tick; the next one is set when the tick has ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._ticks: dict[str, Tick] = {}
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._stopping = False

    def add(self, name: str, tick: Tick) -> None:
        self._ticks[name] = tick

    def wake(self, name: str) -> None:
        if name in self._running:
            self._again.add(name)
        else:
            self._set(name, self._clock.now())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._ended)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        try:
            await task
        finally:
            self._work.discard(task)

    def start(self) -> None:
        self._scheduler.start()
        for name in self._ticks:
            self._set(name, self._clock.now())

    async def stop(self) -> None:
        """Start nothing more, give what runs its grace, then end it."""
        self._stopping = True
        if self._scheduler.running:
            # A firing that has just begun ends by itself; APScheduler would cancel it, and log that as an error.
            self._scheduler.remove_all_jobs()
            await asyncio.sleep(0.01)
            self._scheduler.shutdown(wait=False)
        # Work that ends may have begun more (a tick, its sends): the grace is for all of it together.
        try:
            async with asyncio.timeout(GRACE):
                while self._work:
                    await asyncio.wait(set(self._work))
        except TimeoutError:
            late = set(self._work)
            log.warning("stopping.late", tasks=len(late))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _set(self, name: str, at: datetime) -> None:
        if self._stopping:
            return
        self._scheduler.add_job(
            self._fire, DateTrigger(at), [name], id=name, replace_existing=True, misfire_grace_time=None
        )

    async def _fire(self, name: str) -> None:
        if name not in self._running:
            self.spawn(self._run(name))

    async def _run(self, name: str) -> None:
        self._running.add(name)
        self._again.discard(name)
        wanted = None
        try:
            wanted = await self._ticks[name](self._clock.now())
        except Exception:
            log.exception("tick.failed", tick=name)
        finally:
            self._running.discard(name)
            now = self._clock.now()
            heartbeat = now + HEARTBEAT
            self._set(name, now if name in self._again else min(wanted or heartbeat, heartbeat))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work.failed", exc_info=error)
