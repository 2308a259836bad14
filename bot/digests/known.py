"""Known: what the digests of one tick have in common, found out once however many chats there are."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.digests.choose import Offer, Selection, Wishes, offer, owed
from bot.digests.edition import Edition
from bot.storage import digests
from bot.storage.digests import Listing

_OFFERS = 500
_SELECTIONS = 500
_EDITIONS = 5_000


class Known:
    """Listings, what they come to for each wish, and the texts that were rendered."""

    def __init__(self) -> None:
        self.offer = lru_cache(_OFFERS)(self._offer)
        self.selection = lru_cache(_SELECTIONS)(self._selection)
        self.payload_ids: dict[Edition, tuple[int, ...]] = {}
        self.forget()

    def forget(self) -> None:
        """Let the listings be read anew, and stay small."""
        self._listings: dict[str, list[Listing]] = {}
        self._since: dict[str, datetime] = {}
        self.offer.cache_clear()
        self.selection.cache_clear()
        if len(self.payload_ids) > _EDITIONS:
            self.payload_ids.clear()

    async def read(self, connection: AsyncConnection, wishes: Iterable[Wishes]) -> None:
        """Have the listings that these wishes need.

        What is listed after that is not lost: the next digest looks further back.
        """
        needed: dict[str, datetime] = {}
        for each in wishes:
            for category in each.categories:
                needed[category] = min(each.since, needed.get(category, each.since))
        missing = [
            category
            for category, since in needed.items()
            if category not in self._since or self._since[category] > since
        ]
        if not missing:
            return
        since = min(needed[category] for category in missing)
        found = await digests.listed(connection, missing, since)
        for category in missing:
            self._since[category] = since
            self._listings[category] = []
        for listing in found:
            self._listings[listing.category].append(listing)

    def _offer(self, wishes: Wishes) -> Offer:
        # Of a paper that is in several categories the last one's listing counts, so their order matters.
        return offer((each for name in sorted(wishes.categories) for each in self._listings[name]), wishes)

    def _selection(self, wishes: Wishes, given: str, cap: int) -> Selection:
        return owed(self.offer(wishes), frozenset(given.split()), wishes.categories, cap)
