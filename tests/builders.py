"""Builders: a world for a test in a line or two."""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from shutil import disk_usage
from typing import Any

from bot.chats import Chat, PlatformName, Preferences
from bot.clock import Tick
from bot.interests import stored_interest
from bot.papers import Announced, AnnounceType, Paper, PaperId
from bot.storage import chats, papers
from bot.storage.database import Database, open_database
from bot.summaries.write import Summariser
from bot.summary import Summary

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TODAY = MONDAY.date()


class HandClock:
    """A clock that stands still until it is turned; sleeping turns it."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def epoch(self) -> float:
        return self._now.timestamp()

    def turn(self, **by: float) -> datetime:
        self._now += timedelta(**by)
        return self._now

    def set(self, now: datetime) -> datetime:
        self._now = now
        return now

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class HandScheduler:
    """Runs nothing by itself: a test calls ticks when it wants to. Spawned work can be waited for."""

    def __init__(self) -> None:
        self.ticks: dict[str, Tick] = {}
        self.woken: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, name: str, tick: Tick) -> None:
        self.ticks[name] = tick

    def wake(self, name: str) -> None:
        self.woken.append(name)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        await work

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def settle(self) -> None:
        while self._tasks:
            await self._tasks.pop(0)


@cache
def _with_our_tables() -> bytes:
    """A SQLite file with our tables, made once for all tests of a process: that is most of what opening one takes."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        file = Path(folder) / "paperwire.db"
        thread.submit(asyncio.run, _make(file)).result()  # a loop of its own: a test's may be running here
        return file.read_bytes()


async def _make(file: Path) -> None:
    await (await open_database(f"sqlite:///{file}")).close()


def in_memory(room: int) -> str | None:
    """Where files are not written to a disk, if there is such a place with so many bytes of room."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and disk_usage(memory).free > room else None


async def a_database(folder: Path, name: str = "paperwire.db") -> Database:
    """A new SQLite database in a folder."""
    (folder / name).write_bytes(_with_our_tables())
    return await open_database(f"sqlite:///{folder / name}")


def a_paper(number: int = 1, *categories: str, **facts: Any) -> Paper:
    """An invented paper: `a_paper(7, "cs.CL", "cs.AI")` is 2603.00007, primary cs.CL."""
    values: dict[str, Any] = {
        "id": PaperId(f"2603.{number:05}"),
        "version": 1,
        "title": f"Paper {number}",
        "abstract": f"We study question {number}. We propose an answer. Results show that it holds.",
        "authors": ("Ada Lovelace", "Wang Zhenyi"),
        "categories": categories or ("cs.CL",),
    }
    return Paper(**(values | facts))


async def announce(
    database: Database,
    seen_at: datetime,
    *announced: Paper,
    announce_type: AnnounceType = "new",
    day: date = TODAY,
) -> None:
    """Papers come in as if a feed had brought them."""
    async with database.write() as connection:
        await papers.add_announced(connection, [Announced(paper, announce_type, day) for paper in announced], seen_at)


async def a_chat(
    database: Database,
    *queries: str,
    now: datetime = MONDAY,
    platform: PlatformName = "web",
    address: str = "papers",
    is_group: bool = False,
    person_id: str | None = None,
    **preferences: Any,
) -> Chat:
    """A chat that is let in, follows these queries since `now`, and is as its preferences say."""
    async with database.write() as connection:
        chat = await chats.meet(
            connection,
            platform,
            address,
            title=address,
            is_group=is_group,
            access="allowed",
            preferences=Preferences(**preferences),
            now=now,
            person_id=person_id,
        )
        for query in queries:
            await chats.subscribe(connection, chat, stored_interest(query), now)
            chat = await chats.get(connection, chat.id) or chat
    return chat


async def written(
    summariser: Summariser, papers: Sequence[Paper], *, bilingual: bool = False
) -> dict[PaperId, Summary]:
    """The papers' summaries, once they were written."""
    await summariser.write(papers, bilingual=bilingual)
    return await summariser.at_once(papers)
