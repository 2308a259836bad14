"""Alerting: what came and a subscription wants at once makes its chat's alert due; due ones are composed."""

from datetime import datetime, timedelta

import structlog

from bot.chats import Chat
from bot.digests.alerts import alert_due
from bot.digests.compose import Composer
from bot.digests.known import match
from bot.interests import Matches
from bot.storage import alerts, digests, marks
from bot.storage.database import Database
from bot.storage.digests import Listing

log = structlog.get_logger(__name__)

_LOOKED_UNTIL = "alerted_until"
_OVERLAP = timedelta(minutes=1)
"""How far a look goes back behind the last one: another process may commit a listing a little after it was seen."""


class Alerting:
    """Looks at each listing when it came, for the chats alone that want something at once."""

    def __init__(self, database: Database, composer: Composer) -> None:
        self._database = database
        self._composer = composer
        self._looked_at: frozenset[Listing] = frozenset()
        """What the last look found: seen again in the overlap, it saves matching it again, and decides nothing."""

    async def tick(self, now: datetime) -> datetime | None:
        """Look, and compose what is due here and now; when the next alert is."""
        await self.look(now)
        return await self._composer.alerts(now)

    async def look(self, now: datetime) -> None:
        """Have alerts due for the chats for which something came since the last look.

        What is due and how far was looked is written together, so that a kill costs nothing; of two processes that
        look at the same both write the same.
        """
        async with self._database.read() as connection:
            since = await alerts.since(connection)
            if since is None:
                return
            stored = await marks.get(connection, _LOOKED_UNTIL)
            last = datetime.fromisoformat(stored) if stored else since
            found = await digests.listed_after(connection, max(last - _OVERLAP, since - timedelta.resolution))
            new = [each for each in found if each not in self._looked_at]
            if not new:
                return
            followers = await alerts.followers(connection, now)
            matches = Matches({each.interest for _, several in followers for each in several})
            await match(connection, matches, new)
        matching = {each.interest for _, several in followers for each in several if matches.of(each.interest)}
        wanting = (chat for chat, several in followers if any(each.interest in matching for each in several))
        due = {chat.id: at for chat in wanting if (at := alert_due(chat, now)) is not None}
        async with self._database.write() as connection:
            await alerts.wait(connection, due, min(each.first_seen_at for each in new))
            await marks.put(connection, _LOOKED_UNTIL, max(last, *(each.first_seen_at for each in new)).isoformat())
        self._looked_at = frozenset(found)
        if due:
            log.info("alerts.due", alerts=len(due), papers=len({each.paper_id for each in new}))

    async def alert(self, chat: Chat, now: datetime) -> int:
        """Compose one chat's alert, if it is due; how many papers it shows."""
        return await self._composer.alert(chat, now)
