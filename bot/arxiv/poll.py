"""Polling: which feed is asked when, and what its answer adds to the store."""

import asyncio
import hashlib
import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import ONE_DAY, announcement_day, day_of
from bot.arxiv.batches import Batch, Judgement, after_failure, judge
from bot.arxiv.client import ArxivClient, ArxivError, Reason, RefusedError, UnreachableError
from bot.arxiv.feed import BrokenFeedError, FeedDocument, parse_feed
from bot.arxiv.history import History
from bot.arxiv.schedule import next_poll_at
from bot.arxiv.sweep import Sweeper
from bot.clock import Clock
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.papers import FRESH
from bot.storage import announcements, chats, feeds, papers
from bot.storage.database import Database
from bot.storage.feeds import Feed

FIRST_RETRY = timedelta(minutes=5)
LAST_RETRY = timedelta(hours=1)
LIMIT = 2_000
"""Entries of one document, counted over all its categories; what is more is cut off (https://info.arxiv.org/help/rss.html)."""
ROOM = 1_000
"""Entries that are asked for together, going by the last documents: the largest days have twice as many as others."""
MOST_TOGETHER = 64
SMALLEST = 20
"""Entries that are reckoned for a feed at least: an empty one will not stay so."""
NOT_EARLIER = timedelta(0)
LOOK_BACK = timedelta(days=7)
"""Of announcements that a document may bring."""
_MOST_FAILURES = 10
_BUILT = re.compile(rb"<updated>[^<]*</updated>")

log = structlog.get_logger(__name__)

Group = tuple[str, ...]
"""Categories that are asked for together, in their order."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The document that a request brought last: it saves reading it again on the same day, and decides nothing."""

    etag: str | None
    checksum: str
    day: date


def is_due(known: Iterable[Feed], now: datetime) -> bool:
    """Whether one of these feeds is to be asked."""
    return any(feed.next_poll_at <= now for feed in known)


def earliest(known: Iterable[Feed]) -> datetime | None:
    """When the feed that is due first is due."""
    return min((feed.next_poll_at for feed in known), default=None)


def groups(known: Iterable[Feed], now: datetime, earlier: timedelta) -> list[list[Feed]]:
    """The feeds that are due, as they go together; with them what is due so much later, for it costs nothing more.

    Together are never more than `ROOM` entries, going by their last documents. Those that were never read are asked
    by themselves; and those whose documents fail, ever fewer together, until the one is alone that spoils the others.
    """
    found: list[list[Feed]] = []
    for (spoiled, _), alike in groupby(sorted(known, key=_kind), key=_kind):
        several = list(alike)
        most = min(max(len(several) >> spoiled, 1), MOST_TOGETHER)
        group: list[Feed] = []
        for feed in several:
            if feed.next_poll_at > now + earlier:
                continue
            if group and (len(group) == most or sum(map(_expected, [*group, feed])) > ROOM):
                found.append(group)
                group = []
            group.append(feed)
        found.append(group)
    return [group for group in found if is_due(group, now)]


def _kind(feed: Feed) -> tuple[int, bool]:
    # Where arXiv is busy or out of reach fewer would fare no better.
    return feed.failures if feed.error not in ("busy", "no_connection") else 0, feed.read_at is None


def _expected(feed: Feed) -> int:
    return max(feed.entries, SMALLEST)


class FeedPoller:
    """Keeps the followed categories' feeds read, several in one request.

    A category has its own row (when to ask again, what was read last, since when it fails), whatever it is asked with.
    """

    def __init__(
        self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv, metrics: Metrics
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._sweeper = Sweeper(database, client, clock, settings, metrics)
        self.history = History(database, client, clock, settings)
        self._out_of_reach = False
        self._known: set[str] = set()
        self._look_for_left_at = datetime.min.replace(tzinfo=UTC)
        """When it is looked for feeds that nobody wants any more."""
        self._read_last: dict[Group, _Reading] = {}

    async def tick(self, now: datetime) -> datetime | None:
        """Ask the feeds that are due first in one request, or sweep some categories; when to come back."""
        feeds_known = await self._feeds(now)
        due_at = self._due_at(feeds_known)
        if due_at is None or due_at > now:
            return due_at
        if self._client.free_at > now:
            return self._client.free_at
        changed = {feed.category: feed for feed in await self._poll_first(feeds_known, now)}
        due_at = self._due_at([changed.get(feed.category, feed) for feed in feeds_known])
        return max(due_at, self._client.free_at) if due_at is not None else None

    async def poll_first(self, now: datetime) -> None:
        """The same once, waiting for the client's turn."""
        await self._poll_first(await self._feeds(now), now)

    async def next_poll_at(self, now: datetime) -> datetime | None:
        """When the next feed is due, or the next sweep."""
        return self._due_at(await self._feeds(now))

    def _due_at(self, feeds_known: Sequence[Feed]) -> datetime | None:
        return min(filter(None, (earliest(feeds_known), self._sweeper.next_at(feeds_known))), default=None)

    async def _poll_first(self, feeds_known: Sequence[Feed], now: datetime) -> list[Feed]:
        """What has changed of the feeds."""
        # What is due a little later comes along: so they stay together from then on.
        if together := groups(feeds_known, now, self._interval / 2):
            return await self.poll(together[0])
        return await self._sweeper.sweep_some(feeds_known, now)

    @property
    def _interval(self) -> timedelta:
        return timedelta(minutes=self._settings.poll_minutes)

    async def _feeds(self, now: datetime) -> list[Feed]:
        async with self._database.read() as connection:
            categories = await self._followed(connection)
            known = await feeds.get(connection, categories)
        if now >= self._look_for_left_at or not categories <= self._known:
            async with self._database.write() as connection:
                wanted = await chats.subscribed_categories(connection) | set(self._settings.default_categories)
                await feeds.leave(connection, wanted, now - ONE_DAY)
                await feeds.follow(connection, categories, now)
                known = await feeds.get(connection, categories)
            self._known, self._look_for_left_at = categories, now + ONE_DAY
        return known

    async def _followed(self, connection: AsyncConnection) -> set[str]:
        return await chats.followed_categories(connection) | set(self._settings.default_categories)

    async def refresh(self, categories: Collection[str]) -> None:
        """Ask these feeds now unless they were read within the polling interval; failures are only recorded."""
        now = self._clock.now()
        async with self._database.write() as connection:
            await feeds.follow(connection, categories, now)
        while True:
            # Read anew each time: where arXiv was just out of reach the others were put off, too.
            async with self._database.read() as connection:
                known = await feeds.get(connection, categories)
            old = now - self._interval
            due = [feed if feed.failures else _at_once(feed, now) for feed in known if (feed.read_at or old) <= old]
            if not (together := groups(due, now, NOT_EARLIER)):
                return
            await self.poll(together[0])

    async def poll(self, known: Sequence[Feed]) -> list[Feed]:
        """Ask these feeds in one request and keep what comes of it. A failure is recorded, backs off, loses nothing.

        What does not go together, for it is too much or arXiv does not know one of them, is asked in halves. Returns
        what is now known of these feeds, and of others where that has changed.
        """
        group = tuple(feed.category for feed in known)
        categories, last = "+".join(group), self._read_last.get(group)
        today = announcement_day(day_of(self._clock.now()))
        if last is not None and last.day != today:
            last = None  # on another day the same document says something else: that it is stale
        try:
            answer = await self._client.get(f"{self._settings.feed_url}/{categories}", etag=last.etag if last else None)
            reading = _Reading(answer.etag, await asyncio.to_thread(_checksum, answer.body), today)
            is_known = answer.unchanged or (last is not None and reading.checksum == last.checksum)
            document = None if is_known else await asyncio.to_thread(parse_feed, answer.body)
            if document is not None and document.entries >= LIMIT and len(group) > 1:
                return await self._halves(known)
            return await self._succeeded(known, reading, document)
        except RefusedError as error:
            if len(group) > 1:
                return await self._halves(known)
            return await self._failed(known, error)
        except ArxivError as error:
            return await self._failed(known, error)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # Whatever a document does to us, it must not keep the other feeds from being asked.
            log.exception("feed.failed", categories=categories)
            return await self._failed(known, BrokenFeedError(repr(error)))

    async def _halves(self, known: Sequence[Feed]) -> list[Feed]:
        middle = len(known) // 2
        return [*await self.poll(known[:middle]), *await self.poll(known[middle:])]

    async def _succeeded(self, known: Sequence[Feed], reading: _Reading, document: FeedDocument | None) -> list[Feed]:
        """Keep what a document brings; there is none where it is the one that was read last time."""
        now = self._clock.now()
        group, today = tuple(feed.category for feed in known), announcement_day(day_of(now))
        fresh = [each.paper.id for each in document.announced if each.announce_type in FRESH] if document else []
        async with self._database.read() as connection:
            chronicle = await announcements.get(connection, group, today - LOOK_BACK)
            listed = await papers.fresh_listings(connection, fresh)
        judgement = await asyncio.to_thread(judge, document, chronicle, listed, now) if document else Judgement()
        chronicle |= judgement.changed
        awaited = {name for name, days in chronicle.items() if any(day.day == today and day.is_awaited for day in days)}
        read = [_having_read(feed, document, now, self._next_poll_at(feed, awaited, now)) for feed in known]
        # What stood in a feed before its first reading was announced then: who subscribed since is not owed it.
        seen_at = now if known[0].read_at or document is None else min(document.built_at, now)
        async with self._database.write() as connection:
            new = await papers.add_announced(connection, judgement.announced, seen_at)
            await announcements.put(connection, itertools.chain.from_iterable(judgement.changed.values()))
            await feeds.put(connection, read)
        if document is not None:
            self._remember(group, reading, document)
            self._tell(document, judgement.batches, new)
        if self._out_of_reach:
            self._out_of_reach = False
            log.info("arxiv.reached_again")
        return read

    def _next_poll_at(self, feed: Feed, awaited: Collection[str], now: datetime) -> datetime:
        today = announcement_day(day_of(now))
        return next_poll_at(now, self._interval, today if feed.category in awaited else None)

    def _tell(self, document: FeedDocument, batches: Mapping[str, Batch], new: int) -> None:
        categories = "+".join(batches)
        stale = [category for category, batch in batches.items() if batch.verdict == "stale"]
        for category in stale:
            self._metrics.stale_documents.labels(category).inc()
        log.info("feed.read", categories=categories, entries=document.entries, new=new, stale="+".join(stale))
        log.debug("feed.papers", categories=categories, papers=[each.paper.id for each in document.announced])
        if document.unreadable:
            log.warning("feed.entries_unreadable", categories=categories, entries=document.unreadable)
        if document.entries >= LIMIT:
            log.warning("feed.cut", categories=categories, entries=document.entries)

    def _remember(self, group: Group, reading: _Reading, document: FeedDocument) -> None:
        """That this was read; but with entries that make no sense it is read again: they may be mended, or we."""
        self._forget(group)
        if not document.unreadable:
            self._read_last[group] = reading

    def _forget(self, categories: Collection[str]) -> None:
        self._read_last = {known: last for known, last in self._read_last.items() if set(known).isdisjoint(categories)}

    async def _failed(self, asked: Sequence[Feed], error: ArxivError) -> list[Feed]:
        now = self._clock.now()
        until = now + min(FIRST_RETRY * 2 ** max(feed.failures for feed in asked), LAST_RETRY)
        affected = list(asked)
        if isinstance(error, UnreachableError):
            # The others that are due would find the same: they wait too, instead of knocking one after the other.
            async with self._database.read() as connection:
                known = await feeds.get(connection, await self._followed(connection))
            affected += [each for each in known if each.next_poll_at <= now and each not in asked]
        names = [feed.category for feed in affected]
        self._forget(names)
        async with self._database.write() as connection:
            chronicle = await announcements.get(connection, names, announcement_day(day_of(now)))
            changed = (after_failure(days, category, error.reason, now) for category, days in chronicle.items())
            await announcements.put(connection, itertools.chain.from_iterable(changed))
            failing = [_failing(each, error.reason, now, until) for each in affected]
            await feeds.put(connection, failing)
        if not self._out_of_reach:
            self._out_of_reach = isinstance(error, UnreachableError)
            # Of a network that is away the operating system's words say no more; of a bad document the detail matters.
            reason = error.reason if self._out_of_reach else str(error)
            categories = "+".join(feed.category for feed in asked)
            log.warning("arxiv.not_read", categories=categories, reason=reason, next_try=f"{until:%H:%M} UTC")
        return failing


def _at_once(feed: Feed, now: datetime) -> Feed:
    return replace(feed, next_poll_at=now)


def _having_read(feed: Feed, document: FeedDocument | None, now: datetime, next_poll_at: datetime) -> Feed:
    entries = feed.entries
    if document is not None:
        entries = sum(feed.category in each.paper.categories for each in document.announced)
    return replace(
        feed,
        next_poll_at=next_poll_at,
        entries=entries,
        read_at=now,
        first_read_at=feed.first_read_at or feed.failing_since or now,
        failing_since=None,
        failures=0,
        error=None,
    )


def _failing(feed: Feed, reason: Reason, now: datetime, until: datetime) -> Feed:
    return replace(
        feed,
        next_poll_at=until,
        failing_since=feed.failing_since or now,
        failures=min(feed.failures + 1, _MOST_FAILURES),
        error=reason,
    )


def _checksum(body: bytes) -> str:
    """Of what a document says: one that was built anew and differs in nothing but when that was says nothing new."""
    return hashlib.sha256(_BUILT.sub(b"", body)).hexdigest()
