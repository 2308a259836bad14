"""A year of arXiv in a minute: is anything missed, or sent twice, whatever its interfaces do to hide it?

Nothing of ours is exchanged but the clock, and the summaries, which are of no interest here. A chat follows all six
categories, and gets a digest a day. The two halves of a year run side by side, each on a core of its own; a second one
knows the papers of the first, as if it had read them. `python -m benchmarks.year --seeds 1-20 [--json]`
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import structlog

from benchmarks.load import table
from bot.announcements import is_late
from bot.arxiv import client as polite
from bot.arxiv.client import ArxivClient
from bot.arxiv.poll import FeedPoller
from bot.cards.reply import Reply
from bot.config import Arxiv
from bot.digests.compose import Composer
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import digests, papers
from bot.storage.database import Database, open_database
from bot.summary import Provenance, Summary
from tests.builders import HandClock, a_chat, in_memory
from tests.servers.arxiv import ArxivStub
from tests.year import CATEGORIES, DAYS, FIRST_DAY, Year

MIDDLE = FIRST_DAY + timedelta(weeks=26)
END = FIRST_DAY + timedelta(days=DAYS)
HALVES = ((FIRST_DAY, MIDDLE), (MIDDLE, END))
BEFORE, AFTER = timedelta(hours=12), timedelta(days=9)
A_WAIT = 0.2
"""Real seconds that stand for the minute after which a request is given up."""
ENOUGH = 2**29
"""Bytes, for the databases of both halves."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a half. `announced` counts a paper in each of its categories; `missed` those that were never listed,
    or whose paper was in no digest; `duplicates` papers that were in two; `late` those first seen after their day;
    `misdated` those listed under another day; `breaches` of arXiv's rules.
    """

    announced: int
    missed: int
    duplicates: int
    late: int
    misdated: int
    requests: int
    breaches: int
    seconds: float
    thrown: Mapping[str, int]


class Reader:
    """The chat that follows everything, and counts how often each paper comes."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.came = Counter[PaperId]()
        self._clock = clock
        self._composer = Composer(database, self._summarise, {"web": self._read}, CATEGORIES, Metrics())

    async def _summarise(self, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        by = Provenance("extract", "none", self._clock.now())
        return {paper.id: Summary(paper.id, paper.version, paper.title, (), by) for paper in papers}

    def _read(self, reply: Reply) -> list[str]:
        self.came.update(card.paper_id for card in reply.cards)
        return [f"{self._clock.now()}"]

    async def tick(self) -> datetime | None:
        return await self._composer.tick(self._clock.now())


def live(seed: int, first: date, end: date) -> Outcome:
    """A seed's half year, from one day to before another."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    polite.LONGEST_WAIT = A_WAIT
    if hasattr(os, "sched_setaffinity"):
        # The event loop and SQLite's thread take turns anyway, and do so faster on one core.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[(end == END) % len(cores)]})
    with tempfile.TemporaryDirectory(prefix="paperwire-year-", dir=in_memory(ENOUGH)) as folder:
        return asyncio.run(_live(Year(seed), first, end, Path(folder)))


async def _live(year: Year, first: date, end: date, folder: Path) -> Outcome:
    begun = perf_counter()
    clock = HandClock(datetime.combine(first, time(), UTC) - BEFORE)
    async with ArxivStub(set(CATEGORIES), clock.epoch, only_added=True) as stub:
        year.prepare(stub)
        year.until(clock.epoch())
        database = await open_database(f"sqlite:///{folder / 'paperwire.db'}")
        await _remember(database, year, first, clock.now())
        client = ArxivClient("mailto:benchmarks@example.org", clock, Metrics())
        reader = Reader(database, clock)
        await a_chat(database, *CATEGORIES, now=clock.now(), cap=0, time=time(14))
        gc.unfreeze()
        gc.freeze()  # the year that is planned here would be looked through again and again
        until = datetime.combine(end, time(), UTC) + AFTER
        await _pass(year, _poller(database, client, clock, stub), reader, clock, until)
        announced = {each: day for each, day in year.announced.items() if first <= day < end}
        missed, late, misdated = await _compare(announced, database, reader)
        await client.close()
        await database.close()
        return Outcome(
            announced=len(announced),
            missed=missed,
            duplicates=sum(times > 1 for times in reader.came.values()),
            late=late,
            misdated=misdated,
            requests=len(stub.journal),
            breaches=len(stub.violations),
            seconds=perf_counter() - begun,
            thrown=year.thrown,
        )


async def _remember(database: Database, year: Year, first: date, now: datetime) -> None:
    known = (
        Paper(PaperId(each.id), each.version, each.title, each.abstract, each.authors, each.categories)
        for each in year.papers_before(first)
    )
    async with database.write() as connection:
        await papers.add(connection, known, now)


def _poller(database: Database, client: ArxivClient, clock: HandClock, stub: ArxivStub) -> FeedPoller:
    urls = {"feed": "/atom", "api": "/api/query", "oai": "/oai", "listing": "/list"}
    settings = {f"{name}_url": f"{stub.url}{path}" for name, path in urls.items()}
    return FeedPoller(
        database, client, clock, Arxiv.model_validate(settings | {"default_categories": CATEGORIES}), Metrics()
    )


async def _pass(year: Year, poller: FeedPoller, reader: Reader, clock: HandClock, until: datetime) -> None:
    digest_at: datetime | None = clock.now()
    while clock.now() < until:
        year.until(clock.epoch())
        due = await poller.tick(clock.now()) or until
        if digest_at is None or digest_at <= clock.now():
            digest_at = await reader.tick()
        clock.set(max(clock.now(), min(due, digest_at or until, until)))


async def _compare(
    announced: Mapping[tuple[str, str], date], database: Database, reader: Reader
) -> tuple[int, int, int]:
    """How much is missing, late, and listed under another day than its own."""
    async with database.read() as connection:
        found = await digests.listed(connection, CATEGORIES, datetime(2000, 1, 1, tzinfo=UTC))
    listed = {(each.paper_id, each.category): each for each in found}
    missed = [each for each in announced if each not in listed or not reader.came[PaperId(each[0])]]
    there = {each: listed[each] for each in announced if each in listed}
    late = sum(is_late(announced[each], listing.first_seen_at) for each, listing in there.items())
    return len(missed), late, sum(announced[each] != listing.day for each, listing in there.items())


def row(seed: int, halves: Sequence[Outcome]) -> dict[str, object]:
    """A seed's line: what came of its year, what was thrown at it, and how long both cores were busy with it."""
    counted = ("announced", "missed", "duplicates", "late", "misdated", "breaches")
    thrown = ("stale_served", "late_batches", "double_batches", "outage_days", "holes", "bad_answers")
    days = DAYS + len(HALVES) * AFTER.days
    return {
        "seed": seed,
        **{name: sum(getattr(half, name) for half in halves) for name in counted},
        "requests_per_day": round(sum(half.requests for half in halves) / days, 1),
        **{name: halves[0].thrown[name] for name in thrown},
        "seconds": round(sum(half.seconds for half in halves) / len(halves), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--seeds", default="1-5", help="such as 1-20 or 3,7")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    rows = []
    with ExitStack() as stack:
        # A half that is done makes room for that of the next seed, however long the other half takes.
        cores = [ProcessPoolExecutor(1, get_context("spawn")) for _ in HALVES]
        for core in cores:
            stack.enter_context(core)
        lived = {
            seed: [core.submit(live, seed, *half) for core, half in zip(cores, HALVES, strict=True)]
            for seed in _seeds(options.seeds)
        }
        for seed, halves in lived.items():
            rows.append(row(seed, [half.result() for half in halves]))
            if options.json:
                print(json.dumps(rows[-1]), flush=True)
    if not options.json:
        print(table(rows))


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


if __name__ == "__main__":
    main()
