"""Sweeping: once a day each category's last days are compared with arXiv's records, and what no feed brought is stored.

A feed can serve a stale document all day, or be cut, and a process can be down for weeks.
"""

from collections.abc import Awaitable, Iterable
from datetime import date, datetime, time, timedelta
from typing import TypeVar

import structlog

from bot.announcements import ARXIV_ZONE, ONE_DAY, day_of
from bot.arxiv.api import submitted_between
from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.compare import Answers, Comparison, Stored, compare
from bot.arxiv.listing import fetch_listing
from bot.arxiv.oai import list_records
from bot.arxiv.schedule import last_swept_day, sweep_at
from bot.clock import Clock
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.papers import Submission
from bot.storage import announcements, feeds, papers
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

    def __init__(
        self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv, metrics: Metrics
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._not_before: dict[str, datetime] = {}

    def next_at(self, known: Iterable[Feed]) -> datetime | None:
        """When the next category is to be compared."""
        return min(filter(None, map(self._due_at, known)), default=None)

    async def sweep_first(self, known: Iterable[Feed], now: datetime) -> None:
        """Compare a category that is due, if any."""
        for feed in known:
            due_at, since = self._due_at(feed), _followed_since(feed)
            if due_at is not None and since is not None and due_at <= now:
                await self._sweep(feed, since, now)
                break

    def _due_at(self, feed: Feed) -> datetime | None:
        if (since := _followed_since(feed)) is None or not self._settings.sweep_days:
            return None
        due_at = sweep_at((feed.swept_until or since) + ONE_DAY)
        return max(due_at, self._not_before.get(feed.category, due_at))

    async def _sweep(self, feed: Feed, since: date, now: datetime) -> None:
        """Compare a category up to today, and store what is missing. A failure is tried again later."""
        last = last_swept_day(now)
        first = first_day(since, feed.swept_until, last, self._settings.sweep_days)
        answers = Answers(
            await self._ask(feed.category, "records", self._from_records(feed.category, first, now)),
            await self._ask(feed.category, "searches", self._from_searches(feed.category, first, now)),
            await self._ask(
                feed.category, "listing", fetch_listing(self._client, self._settings.listing_url, feed.category)
            ),
        )
        # The listing has one day only: whoever tells of the others is to be asked again.
        is_done = answers.records is not None or answers.searches is not None
        compared = await self._store(feed.category, answers, first, last, now, is_done=is_done)
        if is_done:
            self._not_before.pop(feed.category, None)
        else:
            self._not_before[feed.category] = now + AGAIN_AFTER
        for each in compared.missing:
            self._metrics.filled.labels(answers.source_of(each.paper.id)).inc()
        log.info(
            "sweep.done" if is_done else "sweep.put_off",
            category=feed.category,
            since=str(first),
            late=len(compared.missing),
        )

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

    async def _store(
        self, category: str, answers: Answers, first: date, last: date, now: datetime, *, is_done: bool
    ) -> Comparison:
        named = list({*answers.submissions, *(each.paper.id for each in answers.listed)})
        async with self._database.write() as connection:
            chronicle = await announcements.get(connection, [category], first)
            stored = Stored(
                await papers.fresh_listings(connection, named),
                await papers.get(connection, named),
                chronicle[category],
                await papers.numbers_by_day(connection, category, first - _LONGEST_BEFORE),
            )
            closed = last - timedelta(days=self._settings.sweep_days)
            compared = compare(category, answers, stored, first, last, closed, now)
            await papers.add_announced(connection, compared.missing, now)
            await announcements.put(connection, compared.announcements)
            if is_done:
                await feeds.swept(connection, category, last)
        return compared


def _followed_since(feed: Feed) -> date | None:
    """The day of a category's first reading, or of the first try where its feed could never be read."""
    since = feed.first_read_at or feed.failing_since
    return day_of(since) if since is not None else None


def first_day(since: date, swept_until: date | None, last: date, days: int) -> date:
    """The first day to compare: some days are looked at again; none is before the category was first read.

    What was announced before that is not news to anybody.
    """
    again = last - timedelta(days=days)
    return max(since + ONE_DAY, min(again, swept_until or since), last - FARTHEST)
