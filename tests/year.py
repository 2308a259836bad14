"""A year of arXiv, made up from a seed: what it announces, and everything that its interfaces do to hide it.

The rates are those of 3,608 daily captures of four feeds (shared/data/arxiv/rss/snapshots_2024-03_2026-08.csv), of
which one test holds the table of stale documents; the rest is rounded.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.servers.arxiv import ArxivStub, Entry, Fault, atom_feed

CATEGORIES = ("cs.AI", "cs.CL", "cs.CV", "cs.LG", "math.NT", "stat.ML")
FIRST_DAY = date(2026, 1, 5)
"""A Monday."""
DAYS = 365

STALE_BY_SECOND = (0.381, 0.025, 0.007, 0.0)
"""How many of the documents that were built in this second after midnight, or later, repeated the last batch."""
BUILT_BY_SECOND = (0.08, 0.14, 0.14, 0.64)
"""How many of all documents are built in this second after midnight, or later."""
REBUILT = 0.6
"""How many are built anew late in the evening, between 21:18 and 23:37."""
REBUILT_AT_THE_LAST_SECOND = 0.01
"""How many are built anew at 23:59:59, and kept for the whole of the next day."""
_REPLACED = 0.3
_CROSS_LISTED = 0.35

_EASTERN = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_STILL_CHANGES = timedelta(days=40)
_SATURDAY = 5
_FAULTS: tuple[Fault, ...] = ("http_429", "http_503", "blank", "cut", "cut_clean", "html", "reset")


@dataclass(frozen=True, slots=True)
class Mailing:
    """What is announced on a day, from the epoch second `at` on."""

    day: date
    at: float
    entries: tuple[Entry, ...]

    def of(self, category: str) -> tuple[Entry, ...]:
        """What its list for a category has; a cross-list is news only where it goes to."""
        return tuple(
            entry
            for entry in self.entries
            if category in entry.categories and (entry.announce_type != "cross" or category == entry.categories[-1])
        )


@dataclass(slots=True)
class Year:
    """A seed's year: `announced` is on which day each paper was new or cross-listed in each category; `thrown` counts
    what was done to hide that.
    """

    seed: int
    announced: dict[tuple[str, str], date] = field(default_factory=dict)
    thrown: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(init=False)
    _papers: dict[str, Entry] = field(default_factory=dict)
    _first: dict[str, Entry] = field(default_factory=dict)
    _recent: list[Entry] = field(default_factory=list)
    _numbers: Counter[str] = field(default_factory=Counter)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def prepare(self, stub: ArxivStub) -> None:
        """Plan everything that will happen on this stub; `until` lets it happen."""
        mailings = self._mailings()
        for mailing in mailings.values():
            self._do(mailing.at, self._reveal, stub, mailing)
        for category in CATEGORIES:
            self._feed(stub, category, mailings)
        self._troubles(stub)
        self._events.sort(key=lambda event: event[:2])
        self._events.reverse()

    def papers_before(self, day: date) -> Iterator[Entry]:
        """Every paper that is announced before that day, as first announced."""
        for entry in self._first.values():
            if self._day_of(entry) < day:
                yield entry

    def until(self, epoch: float) -> None:
        """Let happen what does up to then."""
        while self._events and self._events[-1][0] <= epoch:
            _, _, happen = self._events.pop()
            happen()

    def _do(self, epoch: float, what: Callable[..., None], *arguments: object) -> None:
        self._events.append((epoch, len(self._events), lambda: what(*arguments)))

    # What is announced.

    def _mailings(self) -> dict[date, Mailing]:
        days = [day for day in _days() if day.weekday() < _SATURDAY]
        holidays = set(self._chance.sample(days[5:-5], 9))
        # The mailing fails: its papers come with the next, which so has two batches.
        failed = set(self._chance.sample([day for day in days[5:-5] if day not in holidays], 4))
        self.thrown["holidays"], self.thrown["double_batches"] = len(holidays), len(failed)
        mailings: dict[date, Mailing] = {}
        waiting: list[date] = []
        for day in days:
            waiting.append(day)
            if day in holidays | failed:
                continue
            at = _epoch(day - _DAY, time(20))
            if self._chance.random() < 8 / 250:
                at += self._chance.uniform(4, 22) * 3600
                self.thrown["late_batches"] += 1
            mailings[day] = Mailing(day, at, tuple(self._entries(day, waiting)))
            waiting = []
        return mailings

    def _entries(self, day: date, submission_days: Sequence[date]) -> Iterator[Entry]:
        how_many = sum(round(10 + 30 * self._chance.random() ** 2) for _ in submission_days)
        for number in range(how_many):
            yield self._new(day, self._submitted(self._chance.choice(submission_days), day), number)
        self._recent = [entry for entry in self._recent if day - self._day_of(entry) < _STILL_CHANGES]
        recent = [self._papers[entry.id] for entry in self._recent if self._day_of(entry) < day]
        for old in self._chance.sample(recent, min(len(recent), self._chance.randint(0, 3))):
            others = [category for category in CATEGORIES if category not in old.categories]
            if not others:
                continue
            cross = replace(old, categories=(*old.categories, self._chance.choice(others)), announce_type="cross")
            self._papers[old.id] = cross
            self.announced[old.id, cross.categories[-1]] = day
            yield cross
        for old in self._chance.sample(recent, min(len(recent), self._chance.randint(1, 4))):
            current = self._papers[old.id]
            self._papers[old.id] = replaced = replace(current, version=current.version + 1, announce_type="replace")
            yield replaced

    def _new(self, day: date, submitted: float, number: int) -> Entry:
        month = f"{day:%y%m}"
        self._numbers[month] += 1
        primary, *others = self._chance.sample(CATEGORIES, 3)
        crosses = [other for other in others if self._chance.random() < _CROSS_LISTED]
        bare = f"{month}.{self._numbers[month]:05}"
        text = f"We study question {bare}, the {number}th of its day. The answer is yes."
        entry = Entry(bare, f"On question {bare}", text, (primary, *crosses), submitted=submitted)
        self._papers[bare] = self._first[bare] = entry
        self._recent.append(entry)
        self.announced |= {(bare, category): day for category in entry.categories}
        return entry

    def _submitted(self, of: date, announced_on: date) -> float:
        """When a paper for that day came in: before 14:00 of the weekday before; now and then it was held for weeks."""
        if self._chance.random() < 0.01:
            self.thrown["held"] += 1
            return _epoch(announced_on, time(14)) - self._chance.uniform(9, 30) * 86_400
        last = _weekday_before(of)
        return self._chance.uniform(_epoch(_weekday_before(last), time(14, 1)), _epoch(last, time(13, 59)))

    def _day_of(self, entry: Entry) -> date:
        return self.announced[entry.id, entry.categories[0]]

    def _reveal(self, stub: ArxivStub, mailing: Mailing) -> None:
        """The API, OAI-PMH and the listings have what was mailed."""
        for entry in mailing.entries:
            stub.add_paper(entry, mailing.at)
        for category in CATEGORIES:
            stub.publish_listing(category, mailing.day, mailing.of(category), mailing.at)

    # What the feeds show of it.

    def _feed(self, stub: ArxivStub, category: str, mailings: Mapping[date, Mailing]) -> None:
        is_kept = False
        shown: tuple[Entry, ...] = ()
        last: Mailing | None = None
        for day in _days():
            mailing = mailings.get(day)
            before = last
            last = mailing or last
            if not is_kept:
                second, seconds = self._second()
                at = _epoch(day, time()) + seconds
                truth = self._at_midnight(day, mailing, before, at, category)
                if mailing is not None and before is not None and self._chance.random() < STALE_BY_SECOND[second]:
                    truth = before.of(category)
                    self.thrown["stale_served"] += 1
                shown = truth
                self._build(stub, category, at, shown)
            elif mailing is not None:
                self.thrown["stale_served"] += 1
            is_kept = False
            if mailing is None:
                continue
            if mailing.at > _epoch(day, time()) and self._chance.random() < 0.5:
                shown = mailing.of(category)
                self._build(stub, category, mailing.at + 60, shown)
            if self._chance.random() < REBUILT:
                at = _epoch(day, time(21, 18)) + self._chance.uniform(0, 139 * 60)
                shown = mailing.of(category) if mailing.at <= at else shown
                self._build(stub, category, at, shown)
            if self._chance.random() < REBUILT_AT_THE_LAST_SECOND:
                is_kept = True
                self._build(stub, category, _epoch(day, time(23, 59, 59)), shown)

    def _at_midnight(
        self, day: date, mailing: Mailing | None, before: Mailing | None, at: float, category: str
    ) -> tuple[Entry, ...]:
        if mailing is not None and mailing.at <= at:
            return mailing.of(category)
        if day.weekday() >= _SATURDAY or before is None:
            is_repaired = day.weekday() == _SATURDAY and before is not None and self._chance.random() < 0.03
            return before.of(category) if is_repaired and before is not None else ()
        return before.of(category) if self._chance.random() < 0.5 else ()

    def _second(self) -> tuple[int, float]:
        (second,) = self._chance.choices(range(4), BUILT_BY_SECOND)
        return second, second + self._chance.random() + (self._chance.expovariate(1 / 20) if second == 3 else 0)

    def _build(self, stub: ArxivStub, category: str, at: float, entries: tuple[Entry, ...]) -> None:
        def publish() -> None:
            stub.publish(category, lambda: _document(category, entries, at), at)

        self._do(at, publish)

    # What else is done to those who ask.

    def _troubles(self, stub: ArxivStub) -> None:
        # Each has days of its own: what no interface tells nobody can find.
        starts = [FIRST_DAY + number * _DAY for number in range(10, DAYS - 20, 5)]
        self._chance.shuffle(starts)
        for path, times in (("/atom", 4), ("/", 2), ("/api", 4), ("/list", 4), ("/oai", 3)):
            for _ in range(times):
                self._outage(stub, starts.pop(), self._chance.choice([1, 1, 2, 3]), path)
        for _ in range(4):
            start = starts.pop()
            hole = {start + number * _DAY for number in range(self._chance.choice([1, 2, 3]))}
            stub.oai.holes |= hole
            self.thrown["holes"] += len(hole)
        days = list(_days())
        for day in days:
            if day.weekday() == 0:
                self._do(_epoch(day, time()), self._set_lag, stub, self._chance.choice([0, 2, 9, 20, 30]))
            if self._chance.random() < 0.15:
                at = _epoch(day, time()) + self._chance.uniform(0, 86_400)
                self._fail(stub, at, self._chance.choice(_FAULTS), self._chance.randint(1, 6))
        for day in self._chance.sample(days, 8):
            self._fail(stub, _epoch(day, time(0, 9)), "stall", 1)

    def _outage(self, stub: ArxivStub, start: date, length: int, path: str) -> None:
        def begin() -> None:
            stub.down_paths = (path,)

        def end() -> None:
            stub.down_paths = ()

        self._do(_epoch(start, time(0, 0, 1)), begin)
        self._do(_epoch(start + length * _DAY, time(0, 0, 1)), end)
        self.thrown["outage_days"] += length

    def _set_lag(self, stub: ArxivStub, hours: float) -> None:
        stub.index_lag_hours = hours

    def _fail(self, stub: ArxivStub, at: float, kind: Fault, times: int) -> None:
        self.thrown["bad_answers"] += times
        self._do(at, stub.fail_next, kind, times)


@lru_cache(2 * len(CATEGORIES))
def _document(category: str, entries: tuple[Entry, ...], at: float) -> bytes:
    return atom_feed(category, entries, at)


def _days() -> Iterator[date]:
    for number in range(DAYS):
        yield FIRST_DAY + number * _DAY


def _weekday_before(day: date) -> date:
    day -= _DAY
    while day.weekday() >= _SATURDAY:
        day -= _DAY
    return day


def _epoch(day: date, at: time) -> float:
    return datetime.combine(day, at, _EASTERN).timestamp()
