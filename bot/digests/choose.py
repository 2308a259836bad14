"""Choosing: from what was announced to what one digest shows and holds back."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.announcements import is_late
from bot.chats import Subscription
from bot.interests import Interest, Matches
from bot.papers import PaperId
from bot.storage.digests import Listing, Receipt

OVERLAP = timedelta(days=2)
"""How far a digest looks back behind the last one: a listing may be committed after it was seen; the ledger knows."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a digest shows, in order, what it holds back, and its receipt."""

    shown: tuple[PaperId, ...]
    held: tuple[PaperId, ...]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice, the last announcement day among what matched, and when the last of what it shows was seen.

    `late_days`: the announcement days, if over when they were first seen, of the papers that it shows.
    """

    choice: Choice
    latest_day: date | None = None
    late_days: tuple[date, ...] = ()
    announced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that decides what a chat may be owed, the ledger aside: chats with the same wishes are offered the same.

    `interests`: each with the instant from which it counts. `since`: how far back to look. `last`: the last daily.
    `cross_lists`: whether a paper counts whose first category is none of those that an interest names.
    """

    interests: tuple[tuple[Interest, datetime], ...]
    since: datetime
    last: datetime | None
    cross_lists: bool = True

    @classmethod
    def of(cls, subscriptions: Sequence[Subscription], last: datetime | None, *, cross_lists: bool = True) -> "Wishes":
        interests = tuple((each.interest, _counts_from(each, last)) for each in subscriptions)
        since = min((counts for _, counts in interests), default=_NEVER)
        return cls(interests, since, last, cross_lists)

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that one of these names as wanted, in their order."""
        return tuple(dict.fromkeys(category for interest, _ in self.interests for category in interest.wanted))

    @property
    def is_open(self) -> bool:
        """Whether one of these looks everywhere."""
        return any(interest.is_open for interest, _ in self.interests)


def _counts_from(subscription: Subscription, last: datetime | None) -> datetime:
    """The instant from which a subscription counts in the digest that follows the `last` one.

    Nothing older is looked at, so that what was subscribed to long ago is alike whenever that was; but one that was
    made after that digest may reach further back.
    """
    if last is None or subscription.made_at >= last:
        return subscription.since
    return max(subscription.since, last - OVERLAP)


@dataclass(frozen=True, slots=True)
class Offer:
    """What these wishes match, and the papers that came since the last digest, wanted or not."""

    matching: tuple[Listing, ...]
    fresh: frozenset[PaperId]

    @property
    def papers(self) -> list[PaperId]:
        """Those that match, each once."""
        return sorted({each.paper_id for each in self.matching})


def offer(listings: Iterable[Listing], wishes: Wishes, matches: Matches) -> Offer:
    """What is listed where an interest looks, after it counts: matching or, of late, only announced."""
    wanted_by: defaultdict[PaperId, list[tuple[Interest, datetime]]] = defaultdict(list)
    for interest, since in wishes.interests:
        for paper_id in matches.of(interest):
            wanted_by[paper_id].append((interest, since))
    found = [each for each in listings if each.first_seen_at >= wishes.since]
    matching = (
        each
        for each in found
        if any(
            each.first_seen_at >= since and looks_at(interest, each, cross_lists=wishes.cross_lists)
            for interest, since in wanted_by.get(each.paper_id, ())
        )
    )
    fresh = (each.paper_id for each in found if wishes.last is None or each.first_seen_at >= wishes.last)
    return Offer(tuple(matching), frozenset(fresh))


def looks_at(interest: Interest, listing: Listing, *, cross_lists: bool) -> bool:
    """Whether an interest looks where a paper is listed: everywhere, in its categories, or in those as first ones."""
    if interest.is_open:
        return True
    return listing.category in interest.wanted and (cross_lists or listing.categories[0] in interest.wanted)


def owed(offered: Offer, given: Collection[str], wanted: Iterable[str], cap: int) -> Selection:
    """Of an offer what the chat was not given yet. Announced is also what is still owed from before."""
    matched = [each for each in offered.matching if each.paper_id not in given]
    announced = len(offered.fresh | {each.paper_id for each in matched})
    return select(announced, matched, wanted, cap)


def select(announced: int, matched: Sequence[Listing], wanted: Iterable[str], cap: int) -> Selection:
    """Each paper once, those whose primary category is wanted first, then the cross-lists; at most `cap` (0: all)."""
    first = set(wanted)
    papers = {each.paper_id: each for each in matched}
    order = sorted(papers, key=lambda paper_id: (papers[paper_id].categories[0] not in first, _age(papers[paper_id])))
    cut = cap or len(order)
    shown, held = tuple(order[:cut]), tuple(order[cut:])
    seen = set(shown)
    late = [papers[each].day for each in shown if is_late(papers[each].day, papers[each].first_seen_at)]
    return Selection(
        Choice(shown, held, Receipt(announced, len(order), len(shown), len(held), len(late))),
        latest_day=max((each.day for each in matched), default=None),
        late_days=tuple(sorted(set(late))),
        announced_at=max((each.first_seen_at for each in matched if each.paper_id in seen), default=None),
    )


def _age(listing: Listing) -> tuple[datetime, str]:
    return listing.first_seen_at, listing.paper_id
