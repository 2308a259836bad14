"""Known: what the digests of one tick have in common, found out once however many chats there are."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.digests.choose import Offer, Selection, Wishes, offer, owed
from bot.digests.edition import Edition
from bot.digests.updates import Updates
from bot.interests import Document, Interest, Matches
from bot.storage import digests, papers
from bot.storage.digests import Listing

_OFFERS = 500
_SELECTIONS = 500
_EDITIONS = 5_000
_EVERYWHERE = ""
"""Stands where a category does for those who look at all of them."""


class Known:
    """Listings, what they come to for each wish, and the texts that were rendered.

    `interests`: those that are going to be asked about, so that each paper is looked through once for all of them.
    """

    def __init__(self, interests: Collection[Interest] = ()) -> None:
        self.offer = lru_cache(_OFFERS)(self._offer)
        self.selection = lru_cache(_SELECTIONS)(self._selection)
        self.payload_ids: dict[Edition, tuple[int, ...]] = {}
        self.update_ids: dict[Updates, tuple[int, ...]] = {}
        self._interests = set(interests)
        self.forget()

    def forget(self) -> None:
        """Let the listings be read anew, and stay small."""
        self._listings: dict[str, list[Listing]] = {}
        self._since: dict[str, datetime] = {}
        self._matches = Matches(self._interests)
        self.offer.cache_clear()
        self.selection.cache_clear()
        if len(self.payload_ids) + len(self.update_ids) > _EDITIONS:
            self.payload_ids.clear()
            self.update_ids.clear()

    async def read(self, connection: AsyncConnection, wishes: Iterable[Wishes]) -> None:
        """Have the listings that these wishes need, and know which of them they match.

        What is listed after that is not lost: the next digest looks further back.
        """
        needed: dict[str, datetime] = {}
        interests: set[Interest] = set()
        for each in wishes:
            interests |= {interest for interest, _ in each.interests}
            for place in (_EVERYWHERE,) if each.is_open else each.categories:
                needed[place] = min(each.since, needed.get(place, each.since))
        await self._read_listings(connection, needed)
        if not self._matches.knows(interests):
            self._interests |= interests
            self._matches = Matches(self._interests)
        await match(connection, self._matches, (each for found in self._listings.values() for each in found))

    async def _read_listings(self, connection: AsyncConnection, needed: dict[str, datetime]) -> None:
        missing = [place for place, since in needed.items() if place not in self._since or self._since[place] > since]
        if not missing:
            return
        since = min(needed[place] for place in missing)
        for place in missing:
            self._since[place] = since
            self._listings[place] = []
        if _EVERYWHERE in missing:
            self._listings[_EVERYWHERE] = await digests.listed(connection, None, since)
        if categories := [place for place in missing if place != _EVERYWHERE]:
            for listing in await digests.listed(connection, categories, since):
                self._listings[listing.category].append(listing)

    def _offer(self, wishes: Wishes) -> Offer:
        # Of a paper that is in several categories the last one's listing counts, so their order matters.
        places = [_EVERYWHERE] if wishes.is_open else sorted(wishes.categories)
        return offer((each for place in places for each in self._listings[place]), wishes, self._matches)

    def _selection(self, wishes: Wishes, given: str, cap: int) -> Selection:
        return owed(self.offer(wishes), frozenset(given.split()), wishes.categories, cap)


async def match(connection: AsyncConnection, matches: Matches, listings: Iterable[Listing]) -> None:
    """Have these papers looked through, in a thread."""
    new = {each.paper_id: each for each in listings if not matches.has(each.paper_id)}
    if not matches.needs_texts:
        matches.add([Document(each.paper_id, each.categories) for each in new.values()])
        return
    async for some in papers.documents(connection, list(new)):
        await asyncio.to_thread(matches.add, some)
