"""Comparing: what arXiv's other interfaces say was announced in a category, beside what is stored of it.

Records (OAI-PMH, and the API's search) tell no announcement day, only when a paper was submitted: the earliest day for
that is its day, unless its id says otherwise. arXiv numbers papers when it announces them, so that one between two
known ones was announced on a day between theirs, however long it was held. (Measured on twelve days of four
categories: no id of one day is among those of another.) The listing page tells day and kind, but has one day only.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from bot.announcements import Announcement, Source, announcement_day, announcement_days, midnight_of
from bot.arxiv.batches import Listed, kind_in
from bot.arxiv.listing import ListingPage
from bot.arxiv.schedule import first_day_for
from bot.papers import FRESH, Announced, AnnounceType, Paper, PaperId, Submission
from bot.taxonomy import canonical

_Numbers = Mapping[date, tuple[PaperId, PaperId]]
"""The lowest and the highest id of what was new on a day."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What each source answered about a category; None where it could not be read."""

    records: Sequence[Submission] | None
    searches: Sequence[Submission] | None
    listing: ListingPage | None

    @property
    def submissions(self) -> dict[PaperId, Submission]:
        """The papers of both; OAI-PMH knows them best."""
        both = [*(self.searches or ()), *(self.records or ())]
        return {each.paper.id: each for each in both}

    @property
    def named(self) -> list[PaperId]:
        """Every paper that one of them has."""
        return list({*self.submissions, *(each.paper.id for each in self.listed)})

    @property
    def listed(self) -> tuple[Announced, ...]:
        """What the listing has as new or cross-listed."""
        return tuple(each for each in self.listing.entries if each.announce_type in FRESH) if self.listing else ()

    def source_of(self, paper_id: PaperId) -> Source:
        """The best source that has a paper."""
        if any(each.paper.id == paper_id for each in self.records or ()):
            return "records"
        return "searches" if any(each.paper.id == paper_id for each in self.searches or ()) else "listing"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a category: where the papers that a source named are listed, the others of them if known from
    elsewhere, the announcements so far, the ids of what was new on each day, and which of those others were replaced
    there before.
    """

    listed: Listed = field(default_factory=dict)
    papers: Mapping[PaperId, Paper] = field(default_factory=dict)
    announcements: Sequence[Announcement] = ()
    new: Mapping[date, Sequence[PaperId]] = field(default_factory=dict)
    replaced: Collection[PaperId] = ()


@dataclass(frozen=True, slots=True)
class Days:
    """The announcement days that are compared, from `first` to `last`.

    Those up to `closed` will not be looked at again; the category was followed from `followed_since` on.
    """

    followed_since: date
    first: date
    last: date
    closed: date


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is missing, what is listed under a later day than its own, and what is new about the announcements."""

    missing: tuple[Announced, ...]
    misdated: tuple[Announced, ...]
    announcements: tuple[Announcement, ...]


def compare(category: str, answers: Answers, stored: Stored, days: Days, now: datetime) -> Comparison:
    """Compare what was announced on these days; some ms where that is much."""
    found = _found(category, answers, stored, days)
    listed_on = {paper_id: day for (paper_id, listed_in), day in stored.listed.items() if listed_in == category}
    missing = tuple(each for each in found if each.paper.id not in listed_on)
    misdated = tuple(each for each in found if listed_on.get(each.paper.id, each.day) != each.day)
    known = {each.day: each for each in stored.announcements}
    changed: dict[date, Announcement] = {}
    for day in {listed_on[each.paper.id] for each in misdated} & known.keys():
        lost = [each for each in misdated if listed_on[each.paper.id] == day]
        there = [each for each in found if each.day == day]
        left = Counter(known[day].counts) - _counts(lost, category) | _counts(there, category)
        known[day] = changed[day] = known[day].left_with(left, now)
    for day in announcement_days(days.first, days.last):
        before = known.get(day, Announcement(category, day, since=midnight_of(day)))
        after = _judged(before, category, found, missing, answers, is_over=day < days.last, now=now)
        if after.is_awaited and day <= days.closed:
            after = after.becomes("broken", now, "untold")
        if after != before or day not in known:
            changed[day] = after
    return Comparison(missing, misdated, tuple(changed.values()))


def holes(
    records: Iterable[Submission] | None,
    announcements: Iterable[Announcement],
    new: Mapping[date, Collection[PaperId]],
    days: Collection[date],
) -> set[date]:
    """Of which of these days OAI-PMH cannot be trusted: it lacks papers that were new then, or has none at all."""
    if records is None:
        return set(days)
    first_days = {each.paper.id: first_day_for(each.submitted_at) for each in records}
    told = {each.day for each in announcements if each.state == "quiet" or each.size}
    accounted = {*first_days.values(), *new, *told}
    return {day for day in days if day not in accounted or not first_days.keys() >= {*new.get(day, ())}}


def _found(category: str, answers: Answers, stored: Stored, days: Days) -> list[Announced]:
    """What these sources say was announced in that time. How a paper was announced, the listing knows best."""
    come = {each.day for each in stored.announcements if each.size}
    missed = set(announcement_days(days.first, days.last)) - come
    numbers = {day: (min(ids), max(ids)) for day, ids in stored.new.items()}
    known_in = _known_in(stored)
    found: dict[PaperId, Announced] = {}
    for paper_id, each in answers.submissions.items():
        if canonical(category) not in map(canonical, each.paper.categories):
            continue
        kind: AnnounceType = "new" if canonical(each.paper.primary) == canonical(category) else "cross"
        if listed_on := stored.listed.get((paper_id, category)):
            day = _own_day(each, listed_on, missed)
        elif kind == "cross" and paper_id in known_in and canonical(category) not in known_in[paper_id]:
            # We have it from other categories; its record changed when it was cross-listed to this one.
            day = announcement_day(each.changed_on or days.last)
        else:
            day = _day_of(each, numbers, missed)
            if days.followed_since < day < days.first:
                # It came in when the category was followed, and was never listed: it was held until now.
                day = max(days.first, min(announcement_day(each.changed_on or days.first), days.last))
        if listed_on or days.first <= day <= days.last:
            found[paper_id] = Announced(each.paper, kind, day)
    for entry in answers.listed:
        is_repeated = stored.listed.get((entry.paper.id, category), entry.day) != entry.day
        if days.first <= entry.day <= days.last and not is_repeated:
            paper = found[entry.paper.id].paper if entry.paper.id in found else entry.paper
            found[paper.id] = replace(entry, paper=paper)
    return list(found.values())


def _known_in(stored: Stored) -> dict[PaperId, set[str]]:
    """In which categories papers were announced so far; for those that never were, which ones they have.

    What they have is not enough: a replacement may have told of a new category before its own feed does.
    """
    have = {paper_id: set(map(canonical, paper.categories)) for paper_id, paper in stored.papers.items()}
    announced: defaultdict[PaperId, set[str]] = defaultdict(set)
    for paper_id, category in stored.listed:
        if paper_id not in stored.replaced:
            announced[paper_id].add(canonical(category))
    return have | announced


def _own_day(each: Submission, listed_on: date, missed: Collection[date]) -> date:
    """The announcement day of a listed paper: an earlier one where its record is older than its listing.

    A stale document brought it then, of a day that was never read.
    """
    known_by = announcement_day(each.changed_on or listed_on)
    is_earlier = first_day_for(each.submitted_at) <= known_by < listed_on
    return known_by if is_earlier and known_by in missed else listed_on


def _day_of(each: Submission, numbers: _Numbers, missed: Collection[date]) -> date:
    """The announcement day of a paper that is new somewhere, as well as it can be known."""
    day = first_day_for(each.submitted_at)
    if "/" in each.paper.id:
        return day  # numbered before 2007, when archives had their own numbers
    not_before = max((known for known, (_, highest) in numbers.items() if highest < each.paper.id), default=day)
    not_after = min((known for known, (lowest, _) in numbers.items() if lowest > each.paper.id), default=date.max)
    if not_before > not_after:
        return day
    is_untouched = each.changed_on is not None and each.paper.version == 1
    if (day < not_before or day in missed) and is_untouched and each.changed_on is not None:
        day = max(day, announcement_day(each.changed_on))  # held, or there was no mailing on the evening before
    return min(max(day, not_before), not_after)


def _counts(announced: Iterable[Announced], category: str) -> Counter[AnnounceType]:
    return Counter(kind_in(each, category) for each in announced)


def _judged(
    before: Announcement,
    category: str,
    found: Iterable[Announced],
    missing: Iterable[Announced],
    answers: Answers,
    *,
    is_over: bool,
    now: datetime,
) -> Announcement:
    """An announcement as it stands after a comparison; `is_over`: its day is, so that every source should know."""
    there, lacking = (
        _counts((each for each in several if each.day == before.day), category) for several in (found, missing)
    )
    listing = answers.listing if answers.listing is not None and answers.listing.day == before.day else None
    told: dict[Source, Sequence[object] | None] = {
        "records": answers.records, "searches": answers.searches, "listing": answers.listed if listing else None
    }  # fmt: skip
    after = before
    if lacking:
        after = before.filled_with(lacking, now)
        if before.is_awaited:
            after = replace(after, counts=there)  # some of it may be known from other categories
    elif before.is_awaited and there:
        # All of it is known by now, but its own feed has not told.
        after = replace(before, counts=there).becomes("late", now)
    elif before.is_awaited and not there and _is_quiet(answers, listing, is_over=is_over):
        after = before.becomes("quiet", now)
    if after is before and not before.is_awaited:
        return before
    for source, answer in told.items():
        if answer is not None:
            after = after.heard(source, str(there.total()), now)
    return after


def _is_quiet(answers: Answers, listing: ListingPage | None, *, is_over: bool) -> bool:
    """Whether there is evidence that nothing was announced: the page of that day says so, or both records do later."""
    if listing is not None:
        return not answers.listed
    return is_over and answers.records is not None and answers.searches is not None
