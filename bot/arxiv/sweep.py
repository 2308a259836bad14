"""Sweeping: once a day each category's last days are compared with arXiv's records, and what no feed brought is stored.

A feed can serve a stale document all day, or be cut, and a process can be down for weeks.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import ARXIV_ZONE, ONE_DAY, Announcement, announcement_day, announcement_days, day_of
from bot.arxiv.api import submitted_between
from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.compare import Answers, Days, Stored, compare, holes
from bot.arxiv.listing import ListingPage, fetch_listing
from bot.arxiv.oai import list_records
from bot.arxiv.schedule import last_swept_day, sweep_again_at, sweep_at
from bot.clock import Clock
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.papers import PaperId, Submission
from bot.storage import announcements, feeds, papers
from bot.storage.database import Database
from bot.storage.feeds import Feed

FARTHEST = timedelta(days=30)
AGAIN_AFTER = timedelta(hours=1)
"""Where nobody answered."""
_SOME = 8
"""Categories that are compared, some seconds each, before feeds that are due meanwhile have their turn."""
_LONGEST_BEFORE = timedelta(days=6)
"""Between a submission and its announcement: over a weekend and a holiday."""

_INDEX_LAG = timedelta(days=3)
"""After which the search knows everything; what it was asked about by then need not be asked again."""
_NEVER = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Span:
    """The days of a category that are to be compared, both included, and what is known of its announcements since, and
    of what was new on each day.
    """

    feed: Feed
    first: date
    last: date
    chronicle: Sequence[Announcement]
    new: Mapping[date, Sequence[PaperId]]

    @property
    def category(self) -> str:
        return self.feed.category

    @property
    def unsettled(self) -> set[date]:
        """The days whose announcement is still awaited."""
        settled = {each.day for each in self.chronicle if not each.is_awaited}
        return set(announcement_days(self.first, self.last)) - settled

    @property
    def has_nothing_new(self) -> bool:
        """Whether it is a weekend before which everything was compared."""
        last_announced, swept_until = announcement_day(self.last), self.feed.swept_until
        was_compared = swept_until is not None and swept_until >= last_announced
        return self.last != last_announced and was_compared and not self.unsettled


class Sweeper:
    """Compares one category after the other; a source that does not answer is done without."""

    def __init__(
        self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv, metrics: Metrics
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._not_before: datetime | None = None
        self._again_at: dict[str, datetime] = {}
        """When categories are asked again that were asked in vain; the others come before them."""

    def next_at(self, known: Iterable[Feed]) -> datetime | None:
        """When the next category is to be compared."""
        return min(filter(None, map(self._due_at, known)), default=None)

    async def sweep_some(self, known: Iterable[Feed], now: datetime) -> list[Feed]:
        """Compare some of the categories that are due, if any are; what has changed of the feeds."""
        due = [feed for feed in known if self._is_due(feed, now)]
        due.sort(key=lambda feed: self._again_at.get(feed.category, _NEVER))
        if not due:
            return []
        spans = await self._spans(due[:_SOME], last_swept_day(now))
        done = [span for span in spans if span.has_nothing_new]
        await self._swept(done)
        for span in spans:
            now = self._clock.now()
            # Where nobody answered the one before, this one waits, too.
            if not span.has_nothing_new and self._is_due(span.feed, now) and await self._sweep(span, now):
                done.append(span)
        return [replace(span.feed, swept_until=span.last) for span in done]

    async def _spans(self, due: Iterable[Feed], last: date) -> list[_Span]:
        firsts = {feed: _first_day(feed, last, self._settings.sweep_days) for feed in due}
        categories, since = [feed.category for feed in firsts], min(firsts.values())
        async with self._database.read() as connection:
            known = await announcements.get(connection, categories, since)
            new = await papers.new_by_day(connection, categories, since - _LONGEST_BEFORE)
        return [
            _Span(feed, first, last, [each for each in known[feed.category] if each.day >= first], new[feed.category])
            for feed, first in firsts.items()
        ]

    async def _swept(self, spans: Sequence[_Span]) -> None:
        if spans:
            async with self._database.write() as connection:
                await feeds.swept(connection, [span.category for span in spans], spans[0].last)

    def _is_due(self, feed: Feed, now: datetime) -> bool:
        due_at = self._due_at(feed)
        return due_at is not None and due_at <= now

    def _due_at(self, feed: Feed) -> datetime | None:
        if (since := _followed_since(feed)) is None or not self._settings.sweep_days:
            return None
        due_at = sweep_at((feed.swept_until or since) + ONE_DAY)
        return max(due_at, self._not_before or due_at, self._again_at.get(feed.category, due_at))

    async def _sweep(self, span: _Span, now: datetime) -> bool:
        """Compare a category, and store what is missing; whether that was all for today."""
        category, first, last = span.category, span.first, span.last
        answers = await self._answers(span, now)
        closed = last - timedelta(days=self._settings.sweep_days)
        days = Days(_followed_since(span.feed) or first, first, last, closed)
        has_answers = answers.records is not None or answers.searches is not None
        async with self._database.write() as connection:
            # What somebody's digest had its feed read for meanwhile has its say.
            compared = compare(category, answers, await _stored(connection, span, answers), days, now)
            is_done = has_answers and not any(each.day == last and each.is_awaited for each in compared.announcements)
            await papers.add_announced(connection, compared.missing, now)
            await papers.redate(connection, category, compared.misdated)
            await announcements.put(connection, compared.announcements)
            if is_done:
                await feeds.swept(connection, [category], last)
        self._not_before = None if has_answers else now + AGAIN_AFTER
        if is_done:
            self._again_at.pop(category, None)
        else:
            self._again_at[category] = sweep_again_at(now) if has_answers else now + AGAIN_AFTER
        for each in compared.missing:
            self._metrics.filled.labels(answers.source_of(each.paper.id)).inc()
        message = "sweep.done" if is_done else "sweep.put_off"
        log.info(message, category=category, since=str(first), late=len(compared.missing))
        return is_done

    async def _answers(self, span: _Span, now: datetime) -> Answers:
        """What the sources say of these days. The later ones are only asked if need be."""
        category, first, last, unsettled = span.category, span.first, span.last, span.unsettled
        # What the feed has brought today the listing cannot know better.
        listing = await self._ask(category, "listing", self._from_listing(category)) if last in unsettled else None
        records = await self._ask(category, "records", self._from_records(category, first, now))
        recent = set(announcement_days(max(first, last - _INDEX_LAG), last))
        # Of today the page tells sooner than the search.
        doubtful = (unsettled | recent) - ({last} if listing is not None else set())
        searches = None
        if missing := holes(records, span.chronicle, span.new, doubtful):
            searches = await self._ask(category, "searches", self._from_searches(category, min(missing), now))
        return Answers(records, searches, listing)

    async def _ask(self, category: str, source: str, answer: Awaitable[T]) -> T | None:
        try:
            return await answer
        except ArxivError as error:
            # Once is enough: it is tried every hour, with or without a network.
            say = log.debug if category in self._again_at else log.warning
            say("sweep.not_read", category=category, source=source, reason=str(error))
            return None

    async def _from_records(self, category: str, first: date, now: datetime) -> list[Submission]:
        changed = list_records(self._client, self._settings.oai_url, category, first - ONE_DAY, now.date())
        return [each async for page in changed for each in page]

    async def _from_searches(self, category: str, first: date, now: datetime) -> list[Submission]:
        since = datetime.combine(first - _LONGEST_BEFORE, time(), ARXIV_ZONE)
        return await submitted_between(self._client, self._settings.api_url, [category], since, now)

    async def _from_listing(self, category: str) -> ListingPage:
        return await fetch_listing(self._client, self._settings.listing_url, category)


async def _stored(connection: AsyncConnection, span: _Span, answers: Answers) -> Stored:
    named, category = answers.named, span.category
    listed = await papers.fresh_listings(connection, named)
    unlisted = [paper_id for paper_id in named if (paper_id, category) not in listed]
    return Stored(
        listed,
        await papers.get(connection, unlisted),
        (await announcements.get(connection, [category], span.first))[category],
        span.new,
        await papers.replaced_before(connection, unlisted, category, span.first),
    )


def _followed_since(feed: Feed) -> date | None:
    """The day of a category's first reading, or of the first try where its feed could never be read."""
    since = feed.first_read_at or feed.failing_since
    return day_of(since) if since is not None else None


def _first_day(feed: Feed, last: date, days: int) -> date:
    """The first day to compare: some days are looked at again; none is before the category was first read.

    What was announced before that is not news to anybody.
    """
    since = _followed_since(feed)
    assert since is not None
    again = last - timedelta(days=days)
    return max(since + ONE_DAY, min(again, feed.swept_until or since), last - FARTHEST)
