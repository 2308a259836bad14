"""Batches: which announcement a feed document brings, by what is in it. Its date decides nothing: feeds repeat
yesterday's papers under today's date, and keep a document of last night for all of today.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from bot.announcements import Announcement, announcement_day, day_of, midnight_of
from bot.arxiv.client import Reason
from bot.arxiv.feed import FeedDocument
from bot.papers import FRESH, Announced, AnnounceType, PaperId
from bot.taxonomy import canonical

Verdict = Literal["fresh", "stale", "empty"]
Listed = Mapping[tuple[PaperId, str], date]
"""On which day a paper was new or cross-listed in a category."""

_ENOUGH = 3
"""Papers that tell of what age a list is."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a document has of one category: papers of the announcement of `day`, by type.

    `fresh` also where it was read before, if it is the latest; `stale` where it is an earlier one again.
    """

    verdict: Verdict
    day: date
    counts: Mapping[AnnounceType, int]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A document's batches and what they change about the announcements, by category; and its entries, each with the
    announcement day that it has if it was not listed before.
    """

    batches: Mapping[str, Batch] = field(default_factory=dict)
    changed: dict[str, list[Announcement]] = field(default_factory=dict)
    announced: Sequence[Announced] = ()


def judge(
    document: FeedDocument, chronicle: Mapping[str, Sequence[Announcement]], listed: Listed, now: datetime
) -> Judgement:
    """Judge a document for each of its categories, whose last announcements these are; some ms where it is large."""
    today = announcement_day(day_of(now))
    batches = {
        category: batch_of(document, category, listed, known, today, chronicle) for category, known in chronicle.items()
    }
    changed: dict[str, list[Announcement]] = {}
    for category, batch in batches.items():
        if after := after_batch(chronicle[category], batch, category, now):
            changed[category] = after
    announced = [replace(each, day=_day_of(each, batches, today)) for each in document.announced]
    return Judgement(batches, changed, announced)


def _day_of(entry: Announced, batches: Mapping[str, Batch], today: date) -> date:
    """Its document's, unless that one is stale."""
    own = [batch for category, batch in batches.items() if category in entry.paper.categories]
    fresh = (batch.day for batch in own if batch.verdict == "fresh")
    return next(fresh, today if own else entry.day)


def batch_of(
    document: FeedDocument,
    category: str,
    listed: Listed,
    known: Sequence[Announcement],
    today: date,
    together: Collection[str] = (),
) -> Batch:
    """Judge a document for one of its categories, by whether half of its papers were listed there before.

    Of the categories that the document is about `together`, one can be stale and another not. A paper in several may
    come from any of their lists: those in no other tell, where there are enough of them.

    `known` are the category's last announcements; that of `today` should be in the document by now.
    """
    entries = [each for each in document.announced if category in each.paper.categories]
    counts = Counter(kind_in(each, category) for each in entries)
    fresh = [each for each in entries if each.announce_type in FRESH]
    if not fresh:
        return Batch("empty", today, counts)
    others = {each for each in together if canonical(each) != canonical(category)}
    own = [each for each in fresh if others.isdisjoint(each.paper.categories)]
    fresh = own if len(own) >= _ENOUGH else fresh
    before = Counter(day for each in fresh if (day := listed.get((each.paper.id, category))))
    if 2 * before.total() >= len(fresh):
        day = before.most_common(1)[0][0]
        return Batch("fresh" if day >= today else "stale", day, counts)
    stated = announcement_day(Counter(each.day for each in fresh).most_common(1)[0][0])
    # The document of last evening may be the first to have the papers of today.
    has_come = any(each.day == stated and each.size for each in known)
    return Batch("fresh", today if stated < today and has_come else stated, counts)


def kind_in(entry: Announced, category: str) -> AnnounceType:
    """How an entry was announced in a category: a document of several names its kind in one of them only."""
    if canonical(entry.paper.primary) == canonical(category):
        return "replace" if entry.announce_type not in FRESH else "new"
    return "replace-cross" if entry.announce_type not in FRESH else "cross"


def after_batch(known: Sequence[Announcement], batch: Batch, category: str, at: datetime) -> list[Announcement]:
    """What is different about a category's announcements once its feed was read."""
    by_day = {each.day: each for each in known}
    today = announcement_day(day_of(at))
    awaited = by_day.get(today, _expected(category, today)).heard("feed", batch.verdict, at)
    match batch.verdict:
        case "empty":
            # Nothing is to be expected of a weekend.
            if today not in by_day and day_of(at) != today:
                return []
            return [awaited.becomes("expected", at) if awaited.state == "broken" else awaited]
        case "stale":
            return [awaited.becomes("stale", at) if awaited.is_awaited else awaited]
        case "fresh":
            came = by_day.get(batch.day, _expected(category, batch.day)).heard("feed", batch.verdict, at)
            changed = [came.brought(batch.counts, at)]
            if batch.day < today and awaited.is_awaited:
                changed.append(awaited.heard("feed", "stale", at).becomes("stale", at))
            return changed


def after_failure(known: Sequence[Announcement], category: str, reason: Reason, at: datetime) -> list[Announcement]:
    """The same once it could not be read."""
    today = announcement_day(day_of(at))
    awaited = next((each for each in known if each.day == today), None)
    if awaited is None and day_of(at) != today:
        return []
    awaited = (awaited or _expected(category, today)).heard("feed", reason, at)
    return [awaited.becomes("broken", at, reason) if awaited.is_awaited else awaited]


def _expected(category: str, day: date) -> Announcement:
    return Announcement(category, day, since=midnight_of(day))
