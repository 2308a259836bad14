"""Sweeping: once a day each category's last days are compared with arXiv's records, and what no feed brought is stored.

A feed can serve a stale document all day, or be cut, and a process can be down for weeks. The records (OAI-PMH, and
the API's search) tell no announcement day, only when a paper was submitted: the earliest day for that is its day. The
listing page tells day and kind, cross-lists too, but only of the latest announcement.
"""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar

import structlog

from bot.arxiv.api import submitted_between
from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.listing import fetch_listing
from bot.arxiv.oai import list_records
from bot.arxiv.schedule import ARXIV_ZONE, ONE_DAY, day_of, first_day_for, last_swept_day, sweep_at
from bot.arxiv.taxonomy import canonical
from bot.clock import Clock
from bot.config import Arxiv
from bot.papers import FRESH, Announced, PaperId, Submission
from bot.storage import feeds, papers
from bot.storage.database import Database
from bot.storage.feeds import Feed

FARTHEST = timedelta(days=30)
AGAIN_AFTER = timedelta(hours=1)
_LONGEST_BEFORE = timedelta(days=6)
"""Between a submission and its announcement: over a weekend and a holiday."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Sweeper:
    """Compares one category at a time; a source that does not answer is done without."""

    def __init__(self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._not_before: dict[str, datetime] = {}

    def next_at(self, known: Iterable[Feed]) -> datetime | None:
        """When the next category is to be compared."""
        return min(filter(None, map(self._due_at, known)), default=None)

    async def sweep_first(self, known: Iterable[Feed], now: datetime) -> None:
        """Compare a category that is due, if any."""
        for feed in known:
            if (due_at := self._due_at(feed)) is not None and due_at <= now:
                await self._sweep(feed, now)
                break

    def _due_at(self, feed: Feed) -> datetime | None:
        if feed.first_read_at is None or not self._settings.sweep_days:
            return None
        due_at = sweep_at((feed.swept_until or day_of(feed.first_read_at)) + ONE_DAY)
        return max(due_at, self._not_before.get(feed.category, due_at))

    async def _sweep(self, feed: Feed, now: datetime) -> None:
        """Compare a category up to today, and store what is missing. A failure is tried again later."""
        assert feed.first_read_at is not None
        last = last_swept_day(now)
        first = first_day(feed.first_read_at, feed.swept_until, last, self._settings.sweep_days)
        records = await self._ask(feed.category, "records", self._from_records(feed.category, first, now))
        searches = await self._ask(feed.category, "searches", self._from_searches(feed.category, first, now))
        listing = await self._ask(feed.category, "listing", self._from_listing(feed.category))
        found = _announced([*(records or ()), *(searches or ())], listing or (), feed.category, first, last)
        # The listing has one day only: whoever tells of the others is to be asked again.
        is_done = records is not None or searches is not None
        late = await self._store(found, feed.category, last if is_done else None, now)
        if is_done:
            self._not_before.pop(feed.category, None)
        else:
            self._not_before[feed.category] = now + AGAIN_AFTER
        log.info("sweep.done" if is_done else "sweep.put_off", category=feed.category, since=str(first), late=late)

    async def _ask(self, category: str, source: str, answer: Awaitable[T]) -> T | None:
        try:
            return await answer
        except ArxivError as error:
            # Once is enough: it is tried every hour, with or without a network.
            say = log.debug if category in self._not_before else log.warning
            say("sweep.not_read", category=category, source=source, reason=str(error))
            return None

    async def _from_records(self, category: str, first: date, now: datetime) -> list[Submission]:
        changed = list_records(self._client, self._settings.oai_url, category, first - ONE_DAY, now.date())
        return [each async for page in changed for each in page]

    async def _from_searches(self, category: str, first: date, now: datetime) -> list[Submission]:
        since = datetime.combine(first - _LONGEST_BEFORE, time(), ARXIV_ZONE)
        return await submitted_between(self._client, self._settings.api_url, [category], since, now)

    async def _from_listing(self, category: str) -> tuple[Announced, ...]:
        return (await fetch_listing(self._client, self._settings.listing_url, category)).entries

    async def _store(self, found: Mapping[PaperId, Announced], category: str, until: date | None, now: datetime) -> int:
        async with self._database.write() as connection:
            known = await papers.fresh_listings(connection, list(found))
            missing = [each for paper_id, each in found.items() if (paper_id, category) not in known]
            await papers.add_announced(connection, missing, now)
            if until is not None:
                await feeds.swept(connection, category, until)
        return len(missing)


def first_day(first_read_at: datetime, swept_until: date | None, last: date, days: int) -> date:
    """The first day to compare: some days are looked at again; none is before the category was first read.

    What was announced before that is not news to anybody.
    """
    since = day_of(first_read_at)
    again = last - timedelta(days=days)
    return max(since + ONE_DAY, min(again, swept_until or since), last - FARTHEST)


def _announced(
    submissions: Iterable[Submission], listing: Iterable[Announced], category: str, first: date, last: date
) -> dict[PaperId, Announced]:
    """What these sources say was announced in a category in that time.

    The records know a paper best; how and on which day it was announced the listing alone knows.
    """
    found: dict[PaperId, Announced] = {}
    for each in submissions:
        day = first_day_for(each.submitted_at)
        own = [canonical(name) for name in each.paper.categories]
        if first <= day <= last and canonical(category) in own:
            found[each.paper.id] = Announced(each.paper, "new" if own[0] == canonical(category) else "cross", day)
    for entry in listing:
        if entry.announce_type in FRESH and first <= entry.day <= last:
            paper = found[entry.paper.id].paper if entry.paper.id in found else entry.paper
            found[paper.id] = replace(entry, paper=paper)
    return found
