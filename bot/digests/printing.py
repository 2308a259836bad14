"""Printing: digests as their platforms' texts, each kept once for all chats that get it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bot.digests.edition import Edition, reply_of
from bot.digests.known import Known
from bot.digests.ports import Renders, Summarise
from bot.digests.updates import Updates
from bot.papers import Paper, PaperId
from bot.storage import outbox, papers
from bot.storage.database import Database
from bot.storage.slices import slices
from bot.summary import Summary

_AT_ONCE = 20

T = TypeVar("T")


class Press:
    """Renders what is not known yet, a few at a time, and keeps the texts.

    Each is kept at once: whatever becomes of the digests, the same text is the same row.
    """

    def __init__(self, database: Database, summarise: Summarise, renders: Renders) -> None:
        self._database = database
        self._summarise = summarise
        self._renders = renders

    async def print(self, editions: Iterable[Edition], updates: Iterable[Updates], now: datetime, known: Known) -> None:
        """Have the texts of these digests, and of these closing sections."""
        new_editions = [each for each in dict.fromkeys(editions) if each not in known.payload_ids]
        for some in slices(new_editions, _AT_ONCE):
            texts = await asyncio.to_thread(self._render, some, *await self.facts(some))
            known.payload_ids |= await self._keep(some, texts, now)
        new_updates = [each for each in dict.fromkeys(updates) if each not in known.update_ids]
        for several in slices(new_updates, _AT_ONCE):
            texts = await asyncio.to_thread(self._render_updates, several)
            known.update_ids |= await self._keep(several, texts, now)

    async def facts(self, editions: Iterable[Edition]) -> tuple[dict[PaperId, Paper], dict[PaperId, Summary]]:
        """The papers that these editions show, and their summaries."""
        ids = dict.fromkeys(paper_id for edition in editions for paper_id in edition.on_page)
        async with self._database.read() as connection:
            found = await papers.get(connection, list(ids))
        return found, await self._summarise(list(found.values()))

    def _render(
        self, editions: Iterable[Edition], found: Mapping[PaperId, Paper], written: Mapping[PaperId, Summary]
    ) -> list[list[str]]:
        return [self._renders[edition.platform](reply_of(edition, found, written)) for edition in editions]

    def _render_updates(self, updates: Iterable[Updates]) -> list[list[str]]:
        return [self._renders[each.platform](each.reply()) for each in updates]

    async def _keep(
        self, printed: Sequence[T], texts: Sequence[Sequence[str]], now: datetime
    ) -> dict[T, tuple[int, ...]]:
        async with self._database.write() as connection:
            numbers = await outbox.keep(connection, {text for parts in texts for text in parts}, now)
        return {each: tuple(numbers[text] for text in parts) for each, parts in zip(printed, texts, strict=True)}
