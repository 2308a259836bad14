"""Plans: what is to become the digests of chats, before anything of it is written."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, local_day
from bot.digests.choose import OVERLAP, Selection
from bot.digests.edition import Edition, page_size
from bot.digests.known import Known
from bot.digests.updates import Updates
from bot.storage import digests, replacements
from bot.storage.digests import NewDigest, Occasion
from bot.storage.replacements import Replacement

_COMMITTED_WITHIN = timedelta(hours=1)
"""How far a digest looks back behind the last one: a replacement is committed a little after it was seen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become a chat's digest.

    `note`: what to say where it has no papers. `queries`: of an alert, what found its papers. `replaced`: what its
    closing section tells of papers that the chat was given before.
    """

    chat: Chat
    occasion: Occasion
    selection: Selection
    note: str = ""
    queries: tuple[str, ...] = ()
    replaced: tuple[Replacement, ...] = ()

    def edition(self, now: datetime, *, awaits_chinese: bool = False) -> Edition:
        """Its text, as far as it is the same for many chats."""
        preferences = self.chat.preferences
        return Edition(
            self.chat.platform,
            preferences.language,
            self.occasion,
            local_day(preferences, now),
            self.selection.choice,
            self.selection.latest_day,
            self.selection.late_days,
            preferences.format,
            self.note,
            awaits_chinese and preferences.language != "en",
            self.queries,
            page_size(preferences.format, preferences.language) if self._has_pages else 0,
            mention=preferences.mention if self._mentions else "",
        )

    @property
    def _mentions(self) -> bool:
        """People are called to the digest of the day, not to what somebody asked for, nor to a day without papers."""
        return self.occasion == "daily" and self.chat.platform == "discord" and bool(self.selection.choice.shown)

    @property
    def _has_pages(self) -> bool:
        # What found an alert's papers is not kept: its pages could not be made anew.
        return self.chat.preferences.paging == "pages" and self.occasion != "alert"

    @property
    def updates(self) -> Updates:
        """Its closing section, likewise."""
        return Updates(self.chat.platform, self.chat.preferences.language, self.replaced)

    def opened(self, edition: Edition) -> NewDigest:
        """The digest, about to be opened."""
        made = edition.choice.receipt, self.selection.announced_at, edition.latest_day, edition.late_days
        return NewDigest(self.chat.id, self.occasion, edition.day, *made)


Plans = Callable[[AsyncConnection, Known], Awaitable[list[Plan]]]
"""Plans some chats' digests by what is stored at this moment."""


async def with_replaced(connection: AsyncConnection, plans: Sequence[Plan], now: datetime) -> list[Plan]:
    """The same with what was replaced since each chat's last digest, of what it was given before.

    A chat that does not want to hear of that hears of withdrawn papers all the same.
    """
    last = await digests.last_dailies(connection, [plan.chat.id for plan in plans])
    since = {
        plan.chat.id: last[plan.chat.id] - _COMMITTED_WITHIN if plan.chat.id in last else now - OVERLAP
        for plan in plans
    }
    silent = {plan.chat.id for plan in plans if not plan.chat.preferences.replacements}
    replaced = await replacements.untold(connection, since, only_withdrawn=silent)
    return [replace(plan, replaced=tuple(replaced.get(plan.chat.id, ()))) for plan in plans]
