"""Summarising ahead: what came and somebody wants has its summary before a digest asks for it.

Composing still writes what is missing, such as for a chat that subscribed after a paper had come.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.digests.known import match
from bot.interests import Matches
from bot.papers import Paper, PaperId
from bot.storage import chats, digests, marks, papers
from bot.storage.database import Database

TOGETHER = 50
"""Papers of one task."""
_LOOKED_UNTIL = "summarised_until"
_FIRST_LOOK = timedelta(days=2)
"""How far back the very first look goes: what is older is seldom asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Papers that some chat will see, in batches; `until`: when the last of those looked at came."""

    batches: tuple[tuple[PaperId, ...], ...] = ()
    until: datetime | None = None


class Summarising:
    """Looks at each listing once, when it came, and has those that some interest matches summarised."""

    def __init__(self, database: Database, summarise: Callable[[Sequence[Paper]], Awaitable[object]]) -> None:
        self._database = database
        self._summarise = summarise

    async def tick(self, now: datetime) -> datetime | None:
        """Write what is wanted here and now."""
        wanted = await self.wanted(now)
        for batch in wanted.batches:
            await self.write(batch)
        await self.looked_at(wanted)
        return None

    async def wanted(self, now: datetime) -> Wanted:
        """Which papers of those that came since the last look some chat wants."""
        async with self._database.read() as connection:
            stored = await marks.get(connection, _LOOKED_UNTIL)
            looked_until = datetime.fromisoformat(stored) if stored else now - _FIRST_LOOK
            found = await digests.listed_after(connection, looked_until)
            if not found:
                return Wanted()
            interests = await chats.interests(connection)
            matches = Matches(interests)
            await match(connection, matches, found)
        ids = matches.of_any()
        batches = tuple(tuple(ids[start : start + TOGETHER]) for start in range(0, len(ids), TOGETHER))
        return Wanted(batches, max(each.first_seen_at for each in found))

    async def write(self, paper_ids: Sequence[PaperId]) -> None:
        """Have these papers summarised; what is there already stays."""
        async with self._database.read() as connection:
            found = await papers.get(connection, paper_ids)
        await self._summarise(list(found.values()))

    async def looked_at(self, wanted: Wanted) -> None:
        """These are done, or somebody has been told to do them: next time begins after them."""
        if wanted.until is not None:
            async with self._database.write() as connection:
                await marks.put(connection, _LOOKED_UNTIL, wanted.until.isoformat())
