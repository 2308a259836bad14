"""What a tick of digests costs as chats grow: `python -m benchmarks.compose [--chats 1000,10000,100000] [--json]`.

Every chat is due at once, on SQLite as in production, with two captured days of four feeds: the first day's digests
fill the ledger and are not measured, the second day's are. Each size has a process and a folder of its own.
`to_smallest` is the time of one digest as a multiple of what it is at the smallest size: growth is linear at 1 or less.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
import structlog

from benchmarks.load import longest_holdup, table
from bot.arxiv.feed import parse_feed
from bot.chats import Language, PlatformName, Preferences
from bot.clock import WallClock
from bot.digests.compose import Composer
from bot.digests.ports import Renders
from bot.metrics import Metrics
from bot.platforms.discord.render import render as render_discord
from bot.platforms.telegram.render import render as render_telegram
from bot.platforms.webchat.render import render as render_web
from bot.storage import papers
from bot.storage.database import Database, open_database
from bot.storage.tables import chats, digest_papers, digests, messages, subscriptions
from bot.summaries.write import WRITERS, Summariser
from tests.servers.arxiv import load_captures

CAPTURES = Path(__file__).parents[2] / "shared" / "data" / "arxiv" / "atom" / "replay"
FIRST_DAY, SECOND_DAY = datetime(2026, 8, 6, 12, tzinfo=UTC), datetime(2026, 8, 7, 12, tzinfo=UTC)

PLATFORMS: tuple[PlatformName, ...] = ("telegram", "telegram", "telegram", "discord", "discord", "web")
QUERIES = (
    ("cs.CL",),
    ("cs.CV",),
    ("cs.CL+cs.LG -cs.CV",),
    ("cs.RO", "cs.SD"),
    ("cs.AI",),
    ("cs.CV+cs.RO",),
    ("cs.IR",),
)
LANGUAGES: tuple[Language, ...] = ("both", "en", "zh")
ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")
CAPS = (12, 12, 12, 5, 20)
_AT_ONCE = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tick took: `loop_ms` is the longest that nothing else could run; `rows` are the ledger's a digest."""

    chats: int
    seconds: float
    digests_per_s: float
    peak_mb: float
    bytes_on_disk: float
    rows: float
    messages: float
    loop_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compose", description=__doc__)
    parser.add_argument("--chats", default="1000,10000,100000", help="how many chats there are, size by size")
    parser.add_argument("--captures", type=Path, default=CAPTURES, help="folder of *.xml.gz captures")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    sizes = sorted(map(int, options.chats.split(",")))
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        costs = list(pool.map(partial(measure, options.captures), sizes))
    rows = [_row(cost, costs[0]) for cost in costs]
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))


def _row(cost: Cost, smallest: Cost) -> dict[str, object]:
    return {
        "chats": cost.chats,
        "seconds": round(cost.seconds, 2),
        "digests_per_s": round(cost.digests_per_s),
        "peak_mb": round(cost.peak_mb),
        "bytes_on_disk": round(cost.bytes_on_disk),
        "ledger_rows": round(cost.rows, 1),
        "messages": round(cost.messages, 1),
        "loop_ms": round(cost.loop_ms),
        "to_smallest": round(smallest.digests_per_s / cost.digests_per_s, 2),
    }


def measure(captures: Path, how_many: int) -> Cost:
    """Compose the second day's digests of so many chats."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with tempfile.TemporaryDirectory(prefix="paperwire-compose-") as folder:
        return asyncio.run(_measure(Path(folder) / "paperwire.db", captures, how_many))


async def _measure(file: Path, captures: Path, how_many: int) -> Cost:
    database = await open_database(f"sqlite:///{file}")
    summarise = Summariser(database, WallClock(), WRITERS).at_once
    renders: Renders = {"telegram": render_telegram, "discord": render_discord, "web": render_web}
    composer = Composer(database, summarise, renders, (), Metrics())
    await _people(database, how_many)
    await _announce(database, captures, FIRST_DAY)
    await composer.tick(FIRST_DAY)
    await _announce(database, captures, SECOND_DAY)
    before, bytes_before = await _counts(database), await _size(database)
    holdup = asyncio.create_task(longest_holdup())
    began = time.perf_counter()
    await composer.tick(SECOND_DAY)
    seconds = time.perf_counter() - began
    holdup.cancel()
    after, bytes_after = await _counts(database), await _size(database)
    made, rows, queued = (late - early for late, early in zip(after, before, strict=True))
    if made != how_many:
        raise SystemExit(f"{made} digests for {how_many} chats")
    await database.close()
    return Cost(
        chats=how_many,
        seconds=seconds,
        digests_per_s=made / seconds,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        bytes_on_disk=(bytes_after - bytes_before) / made,
        rows=rows / made,
        messages=queued / made,
        loop_ms=await holdup * 1000,
    )


async def _people(database: Database, how_many: int) -> None:
    """Chats that differ in platform, subscriptions, language, zone and cap; all have their digest at noon UTC."""
    since = FIRST_DAY - timedelta(days=30)
    for start in range(0, how_many, _AT_ONCE):
        numbers = range(start + 1, min(start + _AT_ONCE, how_many) + 1)
        async with database.write() as connection:
            await connection.execute(sa.insert(chats), [_chat(number, since) for number in numbers])
            await connection.execute(
                sa.insert(subscriptions),
                [
                    {"chat_id": number, "query": query, "since": since}
                    for number in numbers
                    for query in _pick(QUERIES, number)
                ],
            )


def _chat(number: int, now: datetime) -> dict[str, object]:
    zone = _pick(ZONES, number // 3)
    preferences = Preferences(zone=zone, language=_pick(LANGUAGES, number // 5), cap=_pick(CAPS, number // 7))
    local = FIRST_DAY.astimezone(preferences.tz).time()
    return {
        "id": number,
        "platform": _pick(PLATFORMS, number // 2),
        "address": str(number),
        "title": f"Chat {number}",
        "is_group": False,
        "access": "allowed",
        "time": local,
        "zone": zone,
        "language": preferences.language,
        "cap": preferences.cap,
        "created_at": now,
        "next_digest_at": FIRST_DAY,
    }


def _pick(choices: tuple[T, ...], number: int) -> T:
    return choices[number % len(choices)]


async def _announce(database: Database, captures: Path, now: datetime) -> None:
    for capture in load_captures(captures):
        if capture.built.date() == now.date():
            async with database.write() as connection:
                await papers.add_announced(connection, parse_feed(capture.body()).announced, now - timedelta(hours=6))


async def _counts(database: Database) -> list[int]:
    async with database.read() as connection:
        return [
            (await connection.execute(sa.select(sa.func.count()).select_from(each))).scalar_one()
            for each in (digests, digest_papers, messages)
        ]


async def _size(database: Database) -> int:
    """The bytes that are used: the full-text index leaves pages free, which digests would fill unseen."""
    async with database.read() as connection:
        pages, free, size = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        ]
    return int((pages - free) * size)


if __name__ == "__main__":
    main()
