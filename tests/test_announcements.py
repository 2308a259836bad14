"""Announcements: which day's a document brings is judged by what is in it, and silence is told from silence."""

import itertools
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.announcements import ARXIV_ZONE, Announcement, announcement_day, is_late, next_announcement_day
from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import parse_feed
from bot.arxiv.poll import FeedPoller
from bot.arxiv.schedule import CYCLES, is_holiday, next_poll_at
from bot.config import Arxiv
from bot.metrics import Metrics, Snapshot
from bot.storage import announcements, digests
from bot.storage.database import Database
from tests.builders import HandClock, a_paper, announce
from tests.servers.arxiv import ArxivStub, Entry, atom_feed, load_captures

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2026, 3, day) for day in range(2, 9))
SATURDAY_IN_AUGUST = date(2026, 8, 15)
START = datetime(2026, 3, 2, 0, 5, tzinfo=ARXIV_ZONE).astimezone(UTC)
Days = dict[date, Announcement]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


class Source:
    """A poller, its stub of arXiv, and time that passes for both."""

    def __init__(self, database: Database, arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
        self.database, self.arxiv, self.clock = database, arxiv, clock
        urls = {"feed": "/atom", "api": "/api/query", "oai": "/oai", "listing": "/list"}
        self.settings = {f"{name}_url": f"{arxiv.url}{path}" for name, path in urls.items()}
        self.client = client
        self.metrics = Metrics()
        self.poller = self.start()

    def start(self, categories: tuple[str, ...] = ("cs.CL",), sweep_days: int = 0) -> FeedPoller:
        settings = Arxiv.model_validate({**self.settings, "default_categories": categories, "sweep_days": sweep_days})
        self.poller = FeedPoller(self.database, self.client, self.clock, settings, self.metrics)
        return self.poller

    def publish(self, day: date, hour: int, *numbers: int, category: str = "cs.CL", second: int = 5) -> None:
        """The feed as it is built then."""
        built = at(day, hour, second=second).timestamp()
        entries = [Entry(f"2603.{number:05}", f"Paper {number}", "Text.", (category,)) for number in numbers]
        self.arxiv.publish(category, atom_feed(category, entries, built), built)

    async def run(self, until: datetime) -> None:
        while (due := await self.poller.tick(self.clock.now())) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
        self.clock.set(until)

    async def days(self, category: str = "cs.CL") -> Days:
        async with self.database.read() as connection:
            found = await announcements.get(connection, [category], MONDAY - timedelta(days=60))
        return {each.day: each for each in found[category]}

    async def states(self, category: str = "cs.CL") -> dict[date, str]:
        return {day: each.state for day, each in (await self.days(category)).items()}

    async def listed(self) -> dict[str, date]:
        async with self.database.read() as connection:
            found = await digests.listed(connection, ["cs.CL"], START - timedelta(days=60))
        return {each.paper_id[-5:].lstrip("0"): each.day for each in found}


@pytest.fixture
async def source(database: Database, arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> Source:
    return Source(database, arxiv, client, clock)


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An hour of a day in New York."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=ARXIV_ZONE).astimezone(UTC)


async def test_a_document_with_new_papers_is_the_announcement_of_its_day(source: Source) -> None:
    source.publish(MONDAY, 0, 1, 2, 3)
    await source.run(at(MONDAY, 1))
    (monday,) = (await source.days()).values()
    assert (monday.day, monday.state, monday.size) == (MONDAY, "fresh", 3)
    assert monday.told["feed"].said == "fresh"


async def test_yesterdays_papers_under_todays_date_are_stale_until_the_evening_brings_the_others(
    source: Source,
) -> None:
    source.publish(MONDAY, 0, 1, 2, 3)
    source.publish(TUESDAY, 0, 1, 2, 3)
    source.publish(TUESDAY, 21, 4, 5)
    await source.run(at(TUESDAY, 20))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "stale"}
    assert (await source.days())[TUESDAY].since == at(TUESDAY, 0, 10)
    await source.run(at(TUESDAY, 22))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "fresh"}
    assert await source.listed() == {"1": MONDAY, "2": MONDAY, "3": MONDAY, "4": TUESDAY, "5": TUESDAY}
    assert 'paperwire_stale_documents_total{category="cs.CL"} 1.0' in exposition(source)


async def test_a_document_of_last_night_that_still_stands_is_stale_today(source: Source) -> None:
    source.publish(MONDAY, 21, 1, 2, 3)
    source.publish(MONDAY, 23, 1, 2, 3, second=59)
    await source.run(at(TUESDAY, 12))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "stale"}


async def test_a_document_of_last_night_with_todays_papers_is_todays(source: Source) -> None:
    source.publish(MONDAY, 0, 1, 2, 3)
    built = at(MONDAY, 23, 59, 59).timestamp()
    entries = [Entry(f"2603.0000{number}", "Paper", "Text.", ("cs.CL",)) for number in (4, 5)]
    source.arxiv.publish("cs.CL", atom_feed("cs.CL", entries, built), built)
    await source.run(at(TUESDAY, 1))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "fresh"}
    assert (await source.listed())["4"] == TUESDAY


async def test_a_day_that_the_evening_missed_comes_late_on_saturday(source: Source) -> None:
    source.publish(THURSDAY, 0, 1, 2, 3)
    source.publish(FRIDAY, 0, 1, 2, 3)
    source.publish(SATURDAY, 0, 4, 5)
    await source.run(at(SATURDAY, 1))
    assert (await source.states())[FRIDAY] == "late"
    assert (await source.listed())["4"] == FRIDAY


async def test_an_empty_weekend_is_nothing_to_wait_for(source: Source) -> None:
    source.publish(FRIDAY, 0, 1, 2)
    source.publish(SATURDAY, 0)
    source.publish(SUNDAY, 0)
    await source.run(at(SUNDAY, 23))
    assert await source.states() == {
        MONDAY: "expected", TUESDAY: "expected", WEDNESDAY: "expected", THURSDAY: "expected", FRIDAY: "fresh"
    }  # fmt: skip
    weekend = [request for request in source.arxiv.journal if request.at >= at(SATURDAY, 0).timestamp()]
    assert len(weekend) <= 2 * len(CYCLES)


async def test_what_does_not_come_is_asked_for_ever_less_often(source: Source) -> None:
    source.publish(MONDAY, 0, 1, 2)
    source.publish(TUESDAY, 0, 1, 2)
    await source.run(at(TUESDAY, 6))
    asked = [request.at for request in source.arxiv.journal if request.at >= at(TUESDAY, 0).timestamp()]
    pauses = [round((later - earlier) / 60) for earlier, later in itertools.pairwise(asked)]
    assert pauses[:3] == [15, 25, 50]
    assert max(pauses) <= 60


async def test_while_the_feed_cannot_be_read_the_day_is_broken_and_mends(source: Source) -> None:
    source.publish(MONDAY, 0, 1, 2)
    await source.run(at(MONDAY, 23, 58))
    source.arxiv.down_paths = ("/atom",)
    await source.run(at(TUESDAY, 5))
    tuesday = (await source.days())[TUESDAY]
    assert (tuesday.state, tuesday.reason) == ("broken", "busy")
    source.arxiv.down_paths = ()
    source.publish(TUESDAY, 6, 3)
    await source.run(at(TUESDAY, 8))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "fresh"}


async def test_two_categories_of_one_document_are_judged_each_for_itself(source: Source) -> None:
    source.start(("cs.CL", "cs.CV"))
    for category, first in (("cs.CL", 1), ("cs.CV", 11)):
        source.publish(MONDAY, 0, first, first + 1, category=category)
    await source.run(at(MONDAY, 23, 58))
    source.publish(TUESDAY, 0, 1, 2)
    source.publish(TUESDAY, 0, 21, 22, category="cs.CV")
    await source.run(at(TUESDAY, 1))
    assert (await source.states(), await source.states("cs.CV")) == (
        {MONDAY: "fresh", TUESDAY: "stale"},
        {MONDAY: "fresh", TUESDAY: "fresh"},
    )


async def test_what_a_repetition_has_more_is_of_the_day_on_which_it_is_seen(source: Source) -> None:
    source.publish(MONDAY, 0, 1, 2, 3)
    source.publish(TUESDAY, 0, 1, 2, 3, 4)
    await source.run(at(TUESDAY, 1))
    assert await source.states() == {MONDAY: "fresh", TUESDAY: "stale"}
    assert (await source.listed())["4"] == TUESDAY


async def test_both_records_without_a_paper_make_a_day_quiet_once_it_is_over(source: Source) -> None:
    source.publish(MONDAY, 0, 1)
    source.start(sweep_days=7)
    source.publish(TUESDAY, 0)
    await source.run(at(MONDAY, 23, 58))
    source.arxiv.down_paths = ("/list",)
    await source.run(at(TUESDAY, 5))
    assert (await source.states())[TUESDAY] == "expected", "on the day itself the records may only lag"
    await source.run(at(WEDNESDAY, 5))
    assert (await source.states())[TUESDAY] == "quiet"


async def test_the_listing_of_the_day_makes_it_quiet_at_once(source: Source) -> None:
    source.publish(MONDAY, 0, 1)
    source.start(sweep_days=7)
    source.publish(TUESDAY, 0)
    source.arxiv.publish_listing("cs.CL", TUESDAY, [], at(TUESDAY, 0).timestamp())
    await source.run(at(TUESDAY, 5))
    tuesday = (await source.days())[TUESDAY]
    assert (tuesday.state, tuesday.told["listing"].said, tuesday.told["feed"].said) == ("quiet", "0", "empty")


async def test_a_quiet_day_that_was_none_is_put_right(source: Source) -> None:
    source.publish(MONDAY, 0, 1)
    source.start(sweep_days=7)
    source.publish(TUESDAY, 0)
    source.arxiv.publish_listing("cs.CL", TUESDAY, [], at(TUESDAY, 0).timestamp())
    await source.run(at(TUESDAY, 5))
    submitted = at(MONDAY, 10).timestamp()
    entry = Entry("2603.00002", "Paper 2", "Text.", ("cs.CL",), submitted=submitted)
    source.arxiv.add_paper(entry, at(MONDAY, 20).timestamp())
    await source.run(at(WEDNESDAY, 5))
    tuesday = (await source.days())[TUESDAY]
    assert (tuesday.state, tuesday.size, tuesday.filled) == ("late", 1, 1)
    assert (await source.listed())["2"] == TUESDAY
    assert 'paperwire_filled_papers_total{source="records"} 1.0' in exposition(source)


async def test_a_stale_day_counts_what_is_known_from_other_categories_too(source: Source) -> None:
    source.start(sweep_days=7)
    source.publish(MONDAY, 0, 1)
    source.publish(TUESDAY, 0, 1)
    await source.run(at(TUESDAY, 1))
    await announce(source.database, source.clock.now(), a_paper(2, "cs.CV", "cs.CL"), day=TUESDAY)
    for number, categories in ((2, ("cs.CV", "cs.CL")), (3, ("cs.CL",))):
        entry = Entry(f"2603.{number:05}", "Paper", "Text.", categories, submitted=at(MONDAY, 10).timestamp())
        source.arxiv.add_paper(entry, at(MONDAY, 20).timestamp())
    await source.run(at(TUESDAY, 5))
    tuesday = (await source.days())[TUESDAY]
    assert (tuesday.state, tuesday.size, tuesday.filled) == ("late", 2, 1)


async def test_a_day_of_which_no_source_tells_is_called_that_in_the_end(source: Source) -> None:
    source.publish(MONDAY, 0, 1)
    source.start(sweep_days=3)
    await source.run(at(MONDAY, 23, 58))
    source.arxiv.down_paths = ("/atom", "/list", "/api")
    await source.run(at(date(2026, 3, 10), 5))
    days = await source.days()
    assert (days[TUESDAY].state, days[TUESDAY].reason) == ("broken", "untold")


def exposition(source: Source) -> str:
    return source.metrics.exposition(Snapshot(), source.clock.now())[0].decode()


@pytest.mark.shared
async def test_the_documents_of_real_days_are_judged_by_what_is_in_them(
    source: Source, shared: Path, clock: HandClock
) -> None:
    names = ("cs.CL", "cs.CV")
    captures = [
        each
        for each in load_captures(shared / "arxiv" / "atom" / "replay")
        if each.category in names and each.built >= at(date(2026, 8, 7), 0)
    ]
    for capture in captures:
        source.arxiv.publish(capture.category, capture.body, capture.built.timestamp())
    clock.set(at(date(2026, 8, 7), 0, 5))
    source.start(names)
    await source.run(captures[-1].built + timedelta(hours=20))
    states = {name: await source.states(name) for name in names}
    friday = date(2026, 8, 14)
    assert {name: days.pop(friday) for name, days in states.items()} == {
        "cs.CL": "stale",
        "cs.CV": "fresh",
    }
    for days in states.values():
        assert set(days.values()) == {"fresh"}
        assert sorted(day.day for day in days) == [7, 10, 11, 12, 13], "weekends are nothing to wait for"


@pytest.mark.shared
async def test_what_the_stale_feeds_of_a_real_friday_hid_the_other_sources_tell(
    database: Database, clock: HandClock, shared: Path
) -> None:
    names = ("cs.AI", "cs.CV")
    wednesday, friday = date(2026, 8, 12), date(2026, 8, 14)
    captures = [
        each
        for each in load_captures(shared / "arxiv" / "atom" / "replay")
        if each.built >= at(wednesday, 0) and each.category in names
    ]
    clock.set(at(wednesday, 0))
    truth: dict[str, date] = {}
    async with ArxivStub(now=clock.epoch, only_added=True) as arxiv:
        for capture in captures:
            arxiv.publish(capture.category, capture.body, capture.built.timestamp())
            document = parse_feed(capture.body())
            for each in document.announced:
                paper = each.paper
                if each.announce_type == "new" and paper.id not in truth:
                    truth[paper.id] = each.day
                    submitted = at(each.day - timedelta(days=1), 12).timestamp()
                    entry = Entry(paper.id, paper.title, paper.abstract, paper.categories, submitted=submitted)
                    arxiv.add_paper(entry, at(each.day - timedelta(days=1), 20).timestamp())
        client = ArxivClient("mailto:tests@example.org", clock, Metrics())
        source = Source(database, arxiv, client, clock)
        source.start(names, sweep_days=7)
        await source.run(at(SATURDAY_IN_AUGUST, 6))
        await client.close()
        assert arxiv.violations == []
    assert {name: (await source.states(name))[friday] for name in names} == {
        "cs.AI": "late",
        "cs.CV": "fresh",
    }
    async with database.read() as connection:
        found = await digests.listed(connection, names, clock.now() - timedelta(days=30))
    days = {(each.paper_id, each.category): each.day for each in found}
    assert len(days) == len(found), "nothing is counted twice"
    assert {paper_id: day for (paper_id, _), day in days.items() if paper_id in truth} == truth


@pytest.mark.parametrize(
    ("now", "awaited", "expected"),
    [
        ("2026-03-02T00:10:05", None, "2026-03-02T23:50:00"),
        ("2026-03-02T00:10:05", MONDAY, "2026-03-02T00:25:05"),
        ("2026-03-02T05:30:00", MONDAY, "2026-03-02T06:30:00"),
        ("2026-03-02T23:20:00", MONDAY, "2026-03-02T23:50:00"),
        ("2026-03-02T12:30:00", MONDAY, "2026-03-02T13:30:00"),
        ("2026-03-02T23:50:01", None, "2026-03-03T00:10:00"),
        ("2026-03-07T23:55:00", None, "2026-03-08T00:10:00"),  # the night in which the clocks go forward
        ("2026-03-08T00:10:01", None, "2026-03-08T23:50:00"),
    ],
)
def test_feeds_are_asked_in_cycles_and_what_is_awaited_in_between(
    now: str, awaited: date | None, expected: str
) -> None:
    asked = datetime.fromisoformat(now).replace(tzinfo=ARXIV_ZONE).astimezone(UTC)
    again = next_poll_at(asked, timedelta(minutes=15), awaited)
    assert again == datetime.fromisoformat(expected).replace(tzinfo=ARXIV_ZONE).astimezone(UTC)


def test_days() -> None:
    assert [announcement_day(day) for day in (THURSDAY, FRIDAY, SATURDAY, SUNDAY)] == [THURSDAY, FRIDAY, FRIDAY, FRIDAY]
    assert next_announcement_day(FRIDAY) == date(2026, 3, 9)
    assert is_late(FRIDAY, at(SATURDAY, 0))
    assert not is_late(FRIDAY, at(FRIDAY, 23, 59))
    assert is_holiday(date(2026, 11, 27))
