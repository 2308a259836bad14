"""Summarising ahead: what came and somebody wants has its summary before a digest asks for it.

Matching records which papers are wanted, those are summarised and translated, and digests are composed of them. A
digest waits for what is wanted since a short while only; of what is not there by then it shows what takes no time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.digests.known import match
from bot.interests import Matches
from bot.papers import Paper, PaperId
from bot.storage import chats, digests, marks, papers, wanted
from bot.storage.database import Database

TOGETHER = 50
"""Papers of one task."""
_LOOKED_UNTIL = "summarised_until"
_FIRST_LOOK = timedelta(days=2)
"""How far back the very first look goes: what is older is seldom asked for."""


class Writes(Protocol):
    """What summaries are written by."""

    async def write(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        """Have them written and stored; what is there already stays."""

    async def unready(self, papers: Sequence[Paper], *, bilingual: bool) -> set[PaperId]:
        """Those of which `write` would make more than there is."""


class Summarising:
    """Looks at each listing once, when it came, and has those that some interest matches summarised.

    `longest_wait`: after which a digest does without. `news`: told when more is wanted than `tick` knows of.
    """

    def __init__(
        self,
        database: Database,
        summariser: Writes,
        longest_wait: timedelta = timedelta(0),
        news: Callable[[], None] = lambda: None,
    ) -> None:
        self._news = news
        self._database = database
        self._summariser = summariser
        self._longest_wait = longest_wait

    async def tick(self, now: datetime) -> datetime | None:
        """Write what is wanted here and now."""
        await self.look(now)
        while True:
            async with self._database.read() as connection:
                some = await wanted.oldest(connection, TOGETHER)
            if not some:
                return None
            await self.write(some)

    async def look(self, now: datetime) -> None:
        """Want those papers of what came since the last look that match some interest."""
        async with self._database.read() as connection:
            stored = await marks.get(connection, _LOOKED_UNTIL)
            looked_until = datetime.fromisoformat(stored) if stored else now - _FIRST_LOOK
            found = await digests.listed_after(connection, looked_until)
            if not found:
                return
            matches = Matches(await chats.interests(connection))
            await match(connection, matches, found)
        async with self._database.write() as connection:
            await wanted.add(connection, matches.of_any(), now)
            await marks.put(connection, _LOOKED_UNTIL, max(each.first_seen_at for each in found).isoformat())

    async def claimed(self, now: datetime) -> list[PaperId]:
        """Some wanted papers that nobody is at, for a task of their own; none: there are none."""
        async with self._database.write() as connection:
            return await wanted.claim(connection, now, TOGETHER)

    async def write(self, paper_ids: Sequence[PaperId]) -> None:
        """Have these papers summarised; what is there already stays."""
        async with self._database.read() as connection:
            found = await papers.get(connection, paper_ids)
            bilingual = await chats.anyone_reads_chinese(connection)
        await self._summariser.write(list(found.values()), bilingual=bilingual)
        async with self._database.write() as connection:
            await wanted.done(connection, paper_ids)

    async def awaited(self, papers: Sequence[Paper], now: datetime, *, bilingual: bool) -> set[PaperId]:
        """Those of these papers for whose summary a digest should wait; from now on they are wanted."""
        unready = await self._summariser.unready(papers, bilingual=bilingual)
        if not unready:
            return set()
        async with self._database.write() as connection:
            await wanted.add(connection, unready, now)
            since = await wanted.since(connection, unready)
        self._news()
        return {paper_id for paper_id, at in since.items() if now < at + self._longest_wait}
