"""Polling: arXiv is asked, and what follows from it is set going: summaries, words, hastened digests, alerts."""

from collections.abc import Sequence
from datetime import datetime

from bot.arxiv.poll import FeedPoller
from bot.clock import Scheduler
from bot.jobs.hastening import hasten
from bot.storage.database import Database


class Polling:
    """Asks the feed that is due first, and wakes whoever has something to do with what came."""

    def __init__(
        self, poller: FeedPoller, database: Database, scheduler: Scheduler, default_categories: Sequence[str]
    ) -> None:
        self._poller = poller
        self._database = database
        self._scheduler = scheduler
        self._default_categories = default_categories

    async def tick(self, now: datetime) -> datetime | None:
        """Ask if a feed is due; when the next is."""
        due = await self._poller.tick(now)
        await self._go_on(now)
        return due

    async def first(self, now: datetime) -> None:
        """Ask the one that is due first, waiting for arXiv's turn."""
        await self._poller.poll_first(now)
        await self._go_on(now)

    async def _go_on(self, now: datetime) -> None:
        self._scheduler.wake("summarise")
        self._scheduler.wake("index")
        if await hasten(self._database, self._default_categories, now):
            self._scheduler.wake("digest")
        # After that: what a digest brings now needs no alert.
        self._scheduler.wake("alert")
