"""Announcement: arXiv's list for one category on one announcement day, and what its sources said of it, and when.

A day is a calendar day in US/Eastern, as arXiv counts: what is mailed at 20:00 stands in the feeds of the next day,
from midnight on (https://info.arxiv.org/help/availability.html).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bot.papers import FRESH, AnnounceType

ARXIV_ZONE = ZoneInfo("US/Eastern")
ONE_DAY = timedelta(days=1)
_SATURDAY = 5

State = Literal["expected", "fresh", "stale", "late", "quiet", "broken"]
"""Of an announcement.

`expected`: its day has begun, and nothing is known of it yet. `fresh`: the feed brought it on its day. `stale`: the
feed repeats an earlier one instead. `late`: it came after its day, or from another source than the feed. `quiet`:
nothing was announced, and there is evidence for that. `broken`: no source could be read.
"""

AWAITED: tuple[State, ...] = ("expected", "stale", "broken")
"""The states in which the announcement is still to come, or to be told that there is none."""

Source = Literal["feed", "listing", "records", "searches"]
"""Which of arXiv's interfaces: the feed, the page of new listings, OAI-PMH, the API's search."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a source said last of an announcement: a word for the log and for operators, and when (aware UTC)."""

    said: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is known of a category's announcement day. `since`: since when it is in this state (aware UTC).

    `counts`: papers by announcement type. `filled`: how many of the new and cross-listed ones the feed did not bring.
    `reason`: why it is broken, as `ArxivError.reason`, or `untold` where all sources were asked for a week.
    """

    category: str
    day: date
    since: datetime
    state: State = "expected"
    counts: Mapping[AnnounceType, int] = field(default_factory=dict)
    filled: int = 0
    reason: str | None = None
    told: Mapping[Source, Told] = field(default_factory=dict)

    @property
    def is_awaited(self) -> bool:
        return self.state in AWAITED

    @property
    def size(self) -> int:
        """New and cross-listed papers."""
        return sum(self.counts.get(kind, 0) for kind in FRESH)

    def becomes(self, state: State, at: datetime, reason: str | None = None) -> "Announcement":
        """The same in another state; its `since` only moves where the state does."""
        if state == self.state:
            return replace(self, reason=reason)
        return replace(self, state=state, since=at, reason=reason)

    def heard(self, source: Source, said: str, at: datetime) -> "Announcement":
        """The same with a source's last word."""
        return replace(self, told={**self.told, source: Told(said, at)})

    def brought(self, counts: Mapping[AnnounceType, int], at: datetime) -> "Announcement":
        """The feed had these: on its day that makes it fresh, afterwards late."""
        most = {kind: max(count, self.counts.get(kind, 0)) for kind, count in {**self.counts, **counts}.items()}
        known = replace(self, counts=most)
        if not self.is_awaited and self.state != "quiet":
            return known
        return known.becomes("fresh" if day_of(at) <= self.day else "late", at)

    def filled_with(self, counts: Mapping[AnnounceType, int], at: datetime) -> "Announcement":
        """Other sources had these, which no feed brought."""
        known = replace(self, counts=Counter(self.counts) + Counter(counts), filled=self.filled + sum(counts.values()))
        return known if self.state == "fresh" else known.becomes("late", at)

    def left_with(self, counts: Mapping[AnnounceType, int], at: datetime) -> "Announcement":
        """Others of what it had turned out to be an earlier one's. Where that was all, the feed repeated that one."""
        left = replace(self, counts=counts)
        return left if left.size else left.becomes("stale", at)


def day_of(at: datetime) -> date:
    """The day in US/Eastern at an instant."""
    return at.astimezone(ARXIV_ZONE).date()


def midnight_of(day: date) -> datetime:
    """When a day begins in US/Eastern, aware UTC."""
    return datetime.combine(day, time(), ARXIV_ZONE).astimezone(UTC)


def announcement_day(day: date) -> date:
    """The day whose announcement stands in the feeds on this one: on a weekend Friday's."""
    return day - ONE_DAY * max(0, day.weekday() - _SATURDAY + 1)


def next_announcement_day(day: date) -> date:
    """The first day after this one that has an announcement, holidays aside."""
    following = day + ONE_DAY
    while following.weekday() >= _SATURDAY:
        following += ONE_DAY
    return following


def announcement_days(first: date, last: date) -> Iterator[date]:
    """The days from the first to the last that have an announcement, holidays aside."""
    day = first
    while day <= last:
        if announcement_day(day) == day:
            yield day
        day += ONE_DAY


def is_late(day: date, first_seen_at: datetime) -> bool:
    """Whether a paper was first seen when its announcement day was over."""
    return day_of(first_seen_at) > day
