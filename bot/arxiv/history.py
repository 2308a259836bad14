"""History: announcement days from before a category was followed, read from the API's search when somebody asks."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import structlog

from bot.announcements import Announcement, announcement_day, announcement_days, day_of, midnight_of
from bot.arxiv.api import submitted_between
from bot.arxiv.batches import Listed, kind_in
from bot.arxiv.client import ArxivClient
from bot.arxiv.schedule import first_day_for
from bot.clock import Clock
from bot.config import Arxiv
from bot.papers import Announced, Submission
from bot.storage import announcements, feeds, papers
from bot.storage.database import Database

_TOGETHER = 20
"""Categories of one search."""
_LONGEST_BEFORE = timedelta(days=6)
"""Between a submission and its announcement: over a weekend and a holiday."""
_INDEX_LAG = timedelta(days=3)
"""So long the search may not know yet what was announced: until then that it finds nothing means nothing."""

Unread = Mapping[str, Collection[date]]
"""By category, the days of which nothing is known."""

log = structlog.get_logger(__name__)


class History:
    """Fills in days before today, for any category, once."""

    def __init__(self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._turn = asyncio.Lock()

    async def unread(self, categories: Sequence[str], back: timedelta) -> dict[str, set[date]]:
        """The announcement days so far back, today's aside, of which nothing is known, by category; none left out."""
        today = announcement_day(day_of(self._clock.now()))
        days = set(announcement_days(today - back, today)) - {today}
        async with self._database.read() as connection:
            told = await announcements.get(connection, categories, today - back)
        missing = {category: days - {each.day for each in told[category]} for category in categories}
        return {category: unknown for category, unknown in missing.items() if unknown}

    async def fill(self, categories: Sequence[str], back: timedelta) -> None:
        """Store what was announced on those days, as seen when it was announced: it is news to nobody.

        Raises ArxivError where the search cannot be read; what was read until then stays.
        """
        async with self._turn:
            unread = await self.unread(categories, back)
            names = list(unread)
            for start in range(0, len(names), _TOGETHER):
                await self._fill({name: unread[name] for name in names[start : start + _TOGETHER]})

    async def _fill(self, unread: Unread) -> None:
        now = self._clock.now()
        days = sorted({day for several in unread.values() for day in several})
        since, until = midnight_of(days[0]) - _LONGEST_BEFORE, midnight_of(days[-1])
        found = await submitted_between(self._client, self._settings.api_url, list(unread), since, until)
        async with self._database.read() as connection:
            listed = await papers.fresh_listings(connection, [each.paper.id for each in found])
            followed_since = {
                feed.category: day_of(feed.first_read_at)
                for feed in await feeds.get(connection, {name for each in found for name in each.paper.categories})
                if feed.first_read_at is not None
            }
        announced = list(_announced(found, unread))
        seen: defaultdict[datetime, list[Announced]] = defaultdict(list)
        for each in announced:
            seen[now if _is_owed(each, listed, followed_since) else midnight_of(each.day)].append(each)
        for seen_at, several in seen.items():
            async with self._database.write() as connection:
                await papers.add_announced(connection, several, seen_at)
        async with self._database.write() as connection:
            await announcements.put(connection, _told(announced, unread, now))
        log.info("history.filled", categories="+".join(unread), days=len(days), papers=len(announced))


def _announced(found: Iterable[Submission], unread: Unread) -> Iterable[Announced]:
    for each in found:
        day = first_day_for(each.submitted_at)
        if any(day in unread.get(category, ()) for category in each.paper.categories):
            yield Announced(each.paper, "new", day)


def _is_owed(each: Announced, listed: Listed, followed_since: Mapping[str, date]) -> bool:
    """Whether it is missing in a category that was followed by then: there it is late news, and must not look old."""
    return any(
        followed_since.get(category, date.max) < each.day and (each.paper.id, category) not in listed
        for category in each.paper.categories
    )


def _told(announced: Sequence[Announced], unread: Unread, now: datetime) -> Iterable[Announcement]:
    for category, days in unread.items():
        for day in days:
            counts = Counter(
                kind_in(each, category) for each in announced if each.day == day and category in each.paper.categories
            )
            told = Announcement(category, day, since=now).heard("searches", str(counts.total()), now)
            if counts:
                yield told.filled_with(counts, now)
            elif day <= day_of(now) - _INDEX_LAG:
                yield told.becomes("quiet", now)
