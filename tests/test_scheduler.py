"""The scheduler by the wall clock: ticks at their time, woken early, never beside themselves; an end that waits."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from bot.clock import WallClock
from bot.jobs.scheduler import JobScheduler


@dataclass
class Tick:
    """A tick that writes down its calls, takes as long as it was told, and wants to come back after `again`."""

    again: timedelta | None = None
    takes: float = 0.0
    fails: bool = False
    calls: list[datetime] = field(default_factory=list)
    ends: int = 0
    running: int = 0
    most_at_once: int = 0

    async def __call__(self, now: datetime) -> datetime | None:
        self.calls.append(now)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await asyncio.sleep(self.takes)
        self.running -= 1
        self.ends += 1
        if self.fails:
            raise RuntimeError("a bug")
        return now + self.again if self.again is not None else None

    async def reaches(self, calls: int) -> None:
        async with asyncio.timeout(5):
            while self.ends < calls:
                await asyncio.sleep(0.005)


@pytest.fixture
async def scheduler() -> AsyncIterator[JobScheduler]:
    running = JobScheduler(WallClock())
    yield running
    await running.stop()


async def test_a_tick_is_called_at_the_start_and_whenever_it_asked_to_be(scheduler: JobScheduler) -> None:
    tick = Tick(again=timedelta(seconds=0.1))
    scheduler.add("tick", tick)
    scheduler.start()
    await tick.reaches(4)
    assert all(
        timedelta(seconds=0.09) <= after - before < timedelta(seconds=1) for before, after in pairwise(tick.calls)
    )


async def test_a_tick_is_woken_before_its_time(scheduler: JobScheduler) -> None:
    tick, other = Tick(), Tick()
    scheduler.add("tick", tick)
    scheduler.add("other", other)
    scheduler.start()
    await tick.reaches(1)
    scheduler.wake("tick")
    await tick.reaches(2)
    assert other.ends == 1


async def test_a_tick_that_was_woken_before_the_start_is_called_once(scheduler: JobScheduler) -> None:
    tick = Tick()
    scheduler.add("tick", tick)
    scheduler.wake("tick")
    scheduler.start()
    await asyncio.sleep(0.2)
    assert tick.ends == 1


async def test_a_tick_woken_while_it_runs_runs_right_after_once_and_never_beside_itself(
    scheduler: JobScheduler,
) -> None:
    tick = Tick(takes=0.1)
    scheduler.add("tick", tick)
    scheduler.start()
    await asyncio.sleep(0.05)
    for _ in range(5):
        scheduler.wake("tick")
    await tick.reaches(2)
    await asyncio.sleep(0.15)
    assert (tick.ends, tick.most_at_once) == (2, 1)


async def test_ticks_do_not_wait_for_each_other(scheduler: JobScheduler) -> None:
    slow, quick = Tick(takes=0.5), Tick(again=timedelta(seconds=0.02))
    scheduler.add("slow", slow)
    scheduler.add("quick", quick)
    scheduler.start()
    await quick.reaches(5)
    assert slow.ends == 0


async def test_a_tick_that_fails_is_called_again_and_the_others_go_on(
    scheduler: JobScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.scheduler.HEARTBEAT", timedelta(seconds=0.05))
    failing, well = Tick(fails=True), Tick()
    scheduler.add("failing", failing)
    scheduler.add("well", well)
    scheduler.start()
    await failing.reaches(3)
    await well.reaches(3)


async def test_however_late_a_tick_wants_to_come_back_it_is_called_once_a_heartbeat(
    scheduler: JobScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.scheduler.HEARTBEAT", timedelta(seconds=0.05))
    tick = Tick(again=timedelta(days=1))
    scheduler.add("tick", tick)
    scheduler.start()
    await tick.reaches(3)


async def test_stopping_waits_for_what_runs_and_starts_nothing_more(scheduler: JobScheduler) -> None:
    tick, work = Tick(takes=0.2, again=timedelta(0)), Tick(takes=0.2)
    scheduler.add("tick", tick)
    scheduler.start()
    scheduler.spawn(_run(work))
    await asyncio.sleep(0.05)
    await scheduler.stop()
    assert (tick.ends, work.ends) == (1, 1)
    scheduler.wake("tick")
    await asyncio.sleep(0.1)
    assert len(tick.calls) == 1


async def test_work_that_does_not_end_is_ended_after_its_grace(
    scheduler: JobScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.scheduler.GRACE", 0.1)
    work = Tick(takes=60)
    scheduler.start()
    scheduler.spawn(_run(work))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        await scheduler.stop()
    assert (len(work.calls), work.ends) == (1, 0)


async def test_work_that_fails_ends_nothing_else(scheduler: JobScheduler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    tick = Tick(again=timedelta(seconds=0.02))
    scheduler.add("tick", tick)
    scheduler.start()
    scheduler.spawn(_run(Tick(fails=True)))
    await tick.reaches(5)


async def test_what_was_never_started_can_be_stopped() -> None:
    await JobScheduler(WallClock()).stop()


async def _run(work: Tick) -> None:
    await work(WallClock().now())
