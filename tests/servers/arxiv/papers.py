"""What the stub knows of papers."""

import re
from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

ID = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v(?P<version>[1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper as a feed announces it: bare `id`, primary category first.

    Feeds show neither `comment` nor what follows it. `submitted`, in epoch seconds, is the first version's; without
    it a paper counts as submitted when the stub first heard of it.
    """

    id: str
    title: str
    abstract: str
    categories: tuple[str, ...]
    announce_type: str = "new"
    authors: tuple[str, ...] = ("Ada Example", "Lin Beispiel")
    version: int = 1
    rights: str = "http://creativecommons.org/licenses/by/4.0/"
    comment: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    withdrawn: bool = False
    submitted: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A paper, when the stub first heard of it and when it last changed, in epoch seconds."""

    entry: Entry
    first_at: float
    changed_at: float

    @property
    def submitted(self) -> float:
        return self.first_at if self.entry.submitted is None else self.entry.submitted

    @property
    def changed_on(self) -> date:
        return datetime.fromtimestamp(self.changed_at, UTC).date()


class Papers(dict[str, Known]):
    """All papers by their bare ids; found by category and by day without a look at all of them."""

    def __init__(self) -> None:
        super().__init__()
        self._by_category: defaultdict[str, set[str]] = defaultdict(set)
        self._by_day: defaultdict[date, set[str]] = defaultdict(set)

    def learn(self, entry: Entry, at: float) -> None:
        """A paper was announced or added; what a poorer source leaves out stays known."""
        known = self.get(entry.id)
        if known is None:
            self._put(Known(entry, at, at))
        elif entry.version >= known.entry.version:
            for name in ("comment", "journal_ref", "doi", "submitted"):
                if getattr(entry, name) is None:
                    entry = replace(entry, **{name: getattr(known.entry, name)})
            is_cross_listed = set(entry.categories) > set(known.entry.categories)
            changed_at = at if entry.version > known.entry.version or is_cross_listed else known.changed_at
            self._by_day[known.changed_on].discard(entry.id)
            self._put(Known(entry, known.first_at, changed_at))

    def _put(self, known: Known) -> None:
        self[known.entry.id] = known
        self._by_day[known.changed_on].add(known.entry.id)
        for category in known.entry.categories:
            self._by_category[category].add(known.entry.id)

    def listed_in(self, categories: Iterable[str]) -> list[Known]:
        """The papers in any of these categories, by id, the latest first."""
        found = set().union(*(self._by_category[category] for category in categories))
        return [self[bare] for bare in sorted(found, reverse=True)]

    def changed_between(self, first: date, last: date, without: Container[date] = ()) -> list[Known]:
        """The papers that last changed on one of these days, by day and id."""
        days = sorted(day for day in self._by_day if first <= day <= last and day not in without)
        return [self[bare] for day in days for bare in sorted(self._by_day[day])]

    def named(self, asked: str) -> Known | None:
        """The paper of a well-formed id, as of the version that it names."""
        match = ID.fullmatch(asked)
        assert match is not None
        known, version = self.get(match["id"]), int(match["version"] or 0)
        if known is None or version > known.entry.version:
            return None
        return replace(known, entry=replace(known.entry, version=version or known.entry.version))
