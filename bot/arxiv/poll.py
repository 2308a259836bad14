"""Polling: which feed is asked when, and what its answer adds to the store."""

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.arxiv.client import Answer, ArxivClient, ArxivError, Reason, UnreachableError
from bot.arxiv.feed import ARXIV_ZONE, BrokenFeedError, FeedDocument, parse_feed
from bot.clock import Clock
from bot.config import Arxiv
from bot.storage import chats, feeds, papers
from bot.storage.database import Database
from bot.storage.feeds import Feed

FIRST_RETRY = timedelta(minutes=5)
LAST_RETRY = timedelta(hours=1)
_ROWS_AT_ONCE = 200
_MOST_FAILURES = 10
_BUSY_FROM, _BUSY_UNTIL = 20, 3  # hours, US/Eastern
_QUIET_INTERVAL = timedelta(hours=1)

log = structlog.get_logger(__name__)


class FeedPoller:
    """Keeps the followed categories' feeds read."""

    def __init__(self, database: Database, client: ArxivClient, clock: Clock, settings: Arxiv) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._settings = settings
        self._out_of_reach = False
        self._known: set[str] = set()

    async def tick(self, now: datetime) -> datetime | None:
        """Ask the one feed that is due first, if any; when to come back."""
        due = await self._next_due(now)
        if due is None or due.next_poll_at > now:
            return due.next_poll_at if due else None
        if self._client.free_at <= now:
            await self.poll(due)
        return self._client.free_at

    async def poll_first(self, now: datetime) -> None:
        """Ask the one feed that is due first, if any, waiting for the client's turn."""
        due = await self._next_due(now)
        if due is not None and due.next_poll_at <= now:
            await self.poll(due)

    async def next_poll_at(self, now: datetime) -> datetime | None:
        """When the feed that is due first is due."""
        due = await self._next_due(now)
        return due.next_poll_at if due else None

    async def _next_due(self, now: datetime) -> Feed | None:
        async with self._database.read() as connection:
            categories = await self._followed(connection)
            due = await feeds.next_due(connection, categories)
        if not categories <= self._known:
            async with self._database.write() as connection:
                await feeds.follow(connection, categories, now)
                due = await feeds.next_due(connection, categories)
            self._known |= categories
        return due

    async def _followed(self, connection: AsyncConnection) -> set[str]:
        return await chats.followed_categories(connection) | set(self._settings.default_categories)

    async def refresh(self, categories: Collection[str]) -> None:
        """Ask these feeds now unless they were read within the polling interval; failures are only recorded."""
        now = self._clock.now()
        async with self._database.write() as connection:
            await feeds.follow(connection, categories, now)
        for category in categories:
            # Each one read anew: where arXiv was just out of reach the others were put off, too.
            async with self._database.read() as connection:
                (feed,) = await feeds.get(connection, [category])
            if feed.next_poll_at <= now:
                await self.poll(feed)

    async def poll(self, feed: Feed) -> None:
        """Ask one feed and keep what comes of it. A failure is recorded, backs off, and loses nothing."""
        try:
            answer = await self._client.get(f"{self._settings.feed_url}/{feed.category}", etag=feed.etag)
            document = await self._read(feed, answer)
            await self._succeeded(feed, answer, document)
        except ArxivError as error:
            await self._failed(feed, error)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # Whatever a document does to us, it must not keep the other feeds from being asked.
            log.exception("feed.failed", category=feed.category)
            await self._failed(feed, BrokenFeedError(repr(error)))

    async def _read(self, feed: Feed, answer: Answer) -> FeedDocument | None:
        """The document, or None where it is the one that was read last time."""
        if answer.unchanged or _checksum(answer.body) == feed.checksum:
            return None
        return await asyncio.to_thread(parse_feed, answer.body)

    async def _succeeded(self, feed: Feed, answer: Answer, document: FeedDocument | None) -> None:
        now = self._clock.now()
        known = replace(
            feed,
            next_poll_at=next_poll_at(now, timedelta(minutes=self._settings.poll_minutes)),
            read_at=now,
            failing_since=None,
            failures=0,
            error=None,
        )
        if document is not None:
            # What stood in a feed before its first reading was announced then: who subscribed since is not owed it.
            seen_at = now if feed.read_at else min(document.built_at, now)
            new = await self._store(document, seen_at)
            known = replace(
                known,
                # A document with entries that make no sense is read again next time: they may be mended, or we.
                etag=None if document.unreadable else answer.etag,
                checksum=None if document.unreadable else _checksum(answer.body),
                built_at=document.built_at,
                entries=len(document.announced),
                new_at=now if new else feed.new_at,
            )
            log.info("feed.read", category=feed.category, entries=len(document.announced), new=new)
            log.debug("feed.papers", category=feed.category, papers=[each.paper.id for each in document.announced])
            if document.unreadable:
                log.warning("feed.entries_unreadable", category=feed.category, entries=document.unreadable)
        async with self._database.write() as connection:
            await feeds.put(connection, known)
        if self._out_of_reach:
            self._out_of_reach = False
            log.info("arxiv.reached_again")

    async def _store(self, document: FeedDocument, seen_at: datetime) -> int:
        """All of a document or nothing of it; row by row it would hold the event loop."""
        new = 0
        async with self._database.write() as connection:
            for start in range(0, len(document.announced), _ROWS_AT_ONCE):
                batch = document.announced[start : start + _ROWS_AT_ONCE]
                new += await papers.add_announced(connection, batch, seen_at)
        return new

    async def _failed(self, feed: Feed, error: ArxivError) -> None:
        now = self._clock.now()
        until = now + min(FIRST_RETRY * 2**feed.failures, LAST_RETRY)
        affected = [feed]
        if isinstance(error, UnreachableError):
            # The others that are due would find the same: they wait too, instead of knocking one after the other.
            async with self._database.read() as connection:
                known = await feeds.get(connection, await self._followed(connection))
            affected += [each for each in known if each.next_poll_at <= now and each.category != feed.category]
        async with self._database.write() as connection:
            for each in affected:
                await feeds.put(connection, _failing(each, error.reason, now, until))
        if not self._out_of_reach:
            self._out_of_reach = isinstance(error, UnreachableError)
            # Of a network that is away the operating system's words say no more; of a bad document the detail matters.
            reason = error.reason if self._out_of_reach else str(error)
            log.warning("arxiv.not_read", category=feed.category, reason=reason, next_try=f"{until:%H:%M} UTC")


def next_poll_at(now: datetime, interval: timedelta) -> datetime:
    """When a feed that was just read is asked again: often while arXiv publishes, once an hour else, weekends too.

    Feeds are built from 00:00 US/Eastern on, and again after the announcement at 20:00 (measured: 21:18 to 23:37).
    """
    hour = now.astimezone(ARXIV_ZONE).hour
    return now + (interval if hour >= _BUSY_FROM or hour < _BUSY_UNTIL else max(interval, _QUIET_INTERVAL))


def _failing(feed: Feed, reason: Reason, now: datetime, until: datetime) -> Feed:
    return replace(
        feed,
        next_poll_at=until,
        failing_since=feed.failing_since or now,
        failures=min(feed.failures + 1, _MOST_FAILURES),
        error=reason,
    )


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
