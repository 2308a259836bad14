"""What no feed brought is found in arXiv's records, and comes late instead of never."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from bot.arxiv.client import ArxivClient
from bot.arxiv.poll import FeedPoller
from bot.arxiv.schedule import ARXIV_ZONE, first_day_for
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.storage import digests
from bot.storage.database import Database
from bot.storage.digests import Listing
from tests.builders import HandClock, a_paper, announce
from tests.servers.arxiv import ArxivStub, Entry, atom_feed

Start = Callable[..., FeedPoller]
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday morning in the United States."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture(autouse=True)
def _an_empty_feed(arxiv: ArxivStub, clock: HandClock) -> None:
    arxiv.publish("cs.CL", atom_feed("cs.CL", [], clock.epoch() - 60), clock.epoch() - 60)


@pytest.fixture
async def start(database: Database, arxiv: ArxivStub, clock: HandClock) -> AsyncIterator[Start]:
    """What a process has of arXiv's after its start."""
    clients: list[ArxivClient] = []

    def poller(**settings: object) -> FeedPoller:
        clients.append(ArxivClient("mailto:tests@example.org", clock, Metrics()))
        urls = {"feed": "/atom", "api": "/api/query", "oai": "/oai", "listing": "/list"}
        values = {f"{name}_url": f"{arxiv.url}{path}" for name, path in urls.items()} | settings
        return FeedPoller(
            database, clients[-1], clock, Arxiv.model_validate({"default_categories": ["cs.CL"]} | values), Metrics()
        )

    yield poller
    for client in clients:
        await client.close()


async def run(poller: FeedPoller, clock: HandClock, until: datetime) -> None:
    """Let the poller do as it likes until then."""
    while (due := await poller.tick(clock.now())) is not None and due <= until:
        clock.set(max(due, clock.now()))
    clock.set(until)


def submitted(day: int, hour: int = 15) -> datetime:
    """An hour of a day in March, in New York."""
    return datetime(2026, 3, day, hour, tzinfo=ARXIV_ZONE)


def announce_by_records(arxiv: ArxivStub, number: int, at: datetime, *categories: str) -> None:
    """A paper that was submitted then, and is in arXiv's records since its mailing's evening, but in no feed."""
    mailing = datetime.combine(first_day_for(at) - timedelta(days=1), at.time(), ARXIV_ZONE).replace(hour=20)
    entry = Entry(f"2603.{number:05}", f"Paper {number}", "Text.", categories or ("cs.CL",), submitted=at.timestamp())
    arxiv.add_paper(entry, at=mailing.timestamp())


def publish(arxiv: ArxivStub, built: datetime, *numbers: int) -> None:
    """The feed as it is built then."""
    entries = [Entry(f"2603.{number:05}", f"Paper {number}", "Text.", ("cs.CL",)) for number in numbers]
    for entry in entries:
        arxiv.add_paper(replace(entry, submitted=(built - timedelta(hours=14)).timestamp()), built.timestamp() - 14_400)
    arxiv.publish("cs.CL", atom_feed("cs.CL", entries, built.timestamp()), built.timestamp())


async def listed(database: Database, category: str = "cs.CL") -> list[Listing]:
    async with database.read() as connection:
        return await digests.listed(connection, [category], START - timedelta(days=60))


async def test_what_a_feed_never_brought_is_there_the_next_day_under_its_own_day(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    announce_by_records(arxiv, 1, submitted(3))
    announce_by_records(arxiv, 2, submitted(3), "cs.AI", "cs.CL")
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    found = await listed(database)
    assert [(each.paper_id, each.day) for each in found] == [
        ("2603.00001", date(2026, 3, 5)),
        ("2603.00002", date(2026, 3, 5)),
    ]
    assert arxiv.violations == []


async def test_what_a_feed_brought_is_left_as_it_is(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    announce_by_records(arxiv, 1, submitted(3))
    built = submitted(5, hour=0).replace(minute=20).timestamp()
    arxiv.publish("cs.CL", atom_feed("cs.CL", [Entry("2603.00001", "Paper 1", "Text.", ("cs.CL",))], built), built)
    await run(start(), clock, submitted(8, hour=6).astimezone(UTC))
    (listing,) = await listed(database)
    assert listing.first_seen_at < submitted(5, hour=2)


@pytest.mark.parametrize("away", ["/oai", "/api"])
async def test_either_source_alone_is_enough(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start, away: str
) -> None:
    arxiv.down_paths = (away,)
    announce_by_records(arxiv, 1, submitted(3))
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert [each.paper_id for each in await listed(database)] == ["2603.00001"]


async def test_the_listing_alone_tells_of_its_own_day(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    arxiv.down_paths = ("/oai", "/api")
    posted = submitted(5, hour=0).timestamp()
    entry = Entry("2603.00001", "Paper 1", "Text.", ("cs.CL",))
    arxiv.publish_listing("cs.CL", date(2026, 3, 5), [entry], posted)
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert [(each.paper_id, each.day) for each in await listed(database)] == [("2603.00001", date(2026, 3, 5))]


async def test_a_late_cross_list_that_no_feed_brought_is_on_the_listing(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    old = datetime(2026, 1, 7, 12, tzinfo=ARXIV_ZONE)
    cross = Entry(
        "2601.00001", "Paper 1", "Text.", ("cs.AI", "cs.CL"), announce_type="cross", submitted=old.timestamp()
    )
    arxiv.add_paper(cross, at=submitted(4, hour=20).timestamp())
    arxiv.publish_listing("cs.CL", date(2026, 3, 5), [cross], submitted(5, hour=0).timestamp())
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert [(each.paper_id, each.day) for each in await listed(database)] == [("2601.00001", date(2026, 3, 5))]


@pytest.mark.parametrize("alive", ["/oai", "/api", "/list"])
async def test_each_source_alone_tells_of_what_comes_while_no_feed_can_be_read(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start, alive: str
) -> None:
    arxiv.down_paths = tuple(path for path in ("/atom", "/oai", "/api", "/list") if path != alive)
    for number, day in ((1, 4), (2, 5), (3, 6)):
        announce_by_records(arxiv, number, submitted(day - 1, hour=12))
        entry = Entry(f"2603.{number:05}", f"Paper {number}", "Text.", ("cs.CL",))
        arxiv.publish_listing("cs.CL", date(2026, 3, day), [entry], submitted(day, hour=0).timestamp())
    await run(start(), clock, submitted(6, hour=6).astimezone(UTC))
    assert {each.paper_id: each.day.day for each in await listed(database)} == {
        "2603.00001": 4,
        "2603.00002": 5,
        "2603.00003": 6,
    }
    assert arxiv.violations == []


async def test_a_paper_that_was_held_for_weeks_is_known_by_its_number(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    publish(arxiv, submitted(3, hour=0), 10, 11)
    publish(arxiv, submitted(4, hour=0), 10, 11)  # stale: the true ones are 12 and 13
    publish(arxiv, submitted(5, hour=0), 14, 15)
    mailed = submitted(3, hour=20).timestamp()
    for number, when in ((12, datetime(2026, 2, 9, tzinfo=ARXIV_ZONE)), (13, submitted(3, hour=12))):
        entry = Entry(f"2603.{number:05}", "Held", "Text.", ("cs.CL",), submitted=when.timestamp())
        arxiv.add_paper(entry, at=mailed)
    old = Entry("2601.00007", "Old", "Text.", ("cs.CL",), submitted=datetime(2026, 1, 9, tzinfo=ARXIV_ZONE).timestamp())
    arxiv.add_paper(old, at=mailed)  # only its record has changed
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    found = {each.paper_id[-2:]: each.day.day for each in await listed(database)}
    assert found == {"10": 3, "11": 3, "12": 4, "13": 4, "14": 5, "15": 5}


async def test_a_known_paper_that_is_cross_listed_later_is_found_by_its_record(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    await announce(database, START, a_paper(1, "math.NT"), day=date(2026, 1, 9))
    when = datetime(2026, 1, 7, tzinfo=ARXIV_ZONE).timestamp()
    entry = Entry("2603.00001", "Paper 1", "Text.", ("math.NT", "cs.CL"), submitted=when)
    arxiv.add_paper(entry, at=submitted(4, hour=20).timestamp())
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert [(each.paper_id, each.day.day) for each in await listed(database)] == [("2603.00001", 5)]


async def test_a_cross_list_that_a_replacement_told_of_before_is_found_all_the_same(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    """Its own feed is stale; that of its primary category shows a new version, with all its categories."""
    await announce(database, START, a_paper(1, "math.NT"), day=date(2026, 1, 9))
    replaced = a_paper(1, "math.NT", "cs.CL", version=2)
    await announce(database, submitted(5, hour=0), replaced, announce_type="replace", day=date(2026, 3, 5))
    when = datetime(2026, 1, 7, tzinfo=ARXIV_ZONE).timestamp()
    entry = Entry("2603.00001", "Paper 1", "Text.", ("math.NT", "cs.CL"), version=2, submitted=when)
    arxiv.add_paper(entry, at=submitted(4, hour=20).timestamp())
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert [(each.paper_id, each.day.day) for each in await listed(database)] == [("2603.00001", 5)]


async def test_while_neither_answers_it_is_tried_again_and_nothing_is_lost(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    arxiv.down_paths = ("/oai", "/api")
    announce_by_records(arxiv, 1, submitted(3))
    poller = start()
    await run(poller, clock, submitted(7, hour=6).astimezone(UTC))
    assert await listed(database) == []
    arxiv.down_paths = ()
    await run(poller, clock, clock.now() + timedelta(hours=2))
    assert [each.paper_id for each in await listed(database)] == ["2603.00001"]


async def test_what_was_announced_before_a_category_was_first_read_is_not_late(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    announce_by_records(arxiv, 1, datetime(2026, 2, 25, 15, tzinfo=ARXIV_ZONE))
    announce_by_records(arxiv, 2, datetime(2026, 2, 27, 10, tzinfo=ARXIV_ZONE))
    await run(start(), clock, submitted(5, hour=6).astimezone(UTC))
    assert await listed(database) == []


@pytest.mark.parametrize("days", [1, 10, 28])
async def test_all_that_was_announced_while_the_process_was_down_is_caught_up_with(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start, days: int
) -> None:
    await run(start(), clock, submitted(3, hour=6).astimezone(UTC))
    times = [submitted(3) + timedelta(days=number) for number in range(days)]
    for number, at in enumerate(times, start=1):
        announce_by_records(arxiv, number, at)
    back_at = datetime.combine(first_day_for(times[-1]), submitted(1, hour=9).timetz()).astimezone(UTC)
    clock.set(back_at)
    await run(start(), clock, back_at + timedelta(hours=1))
    found = {each.paper_id: each.day for each in await listed(database)}
    assert found == {f"2603.{number:05}": first_day_for(at) for number, at in enumerate(times, start=1)}


@pytest.mark.parametrize(("down", "asked"), [((), {"cs:cs:CL", "math:math:NT"}), (("/oai", "/api"), {"cs:cs:CL"})])
async def test_categories_that_are_due_together_are_compared_together_while_somebody_answers(
    arxiv: ArxivStub, clock: HandClock, start: Start, down: tuple[str, ...], asked: set[str]
) -> None:
    arxiv.publish("math.NT", atom_feed("math.NT", [], clock.epoch() - 60), clock.epoch() - 60)
    poller = start(default_categories=("cs.CL", "math.NT"))
    announce_by_records(arxiv, 1, submitted(2), "cs.CL", "math.NT")
    while not any(request.path == "/oai" for request in arxiv.journal):
        arxiv.down_paths = down if clock.now() > START + timedelta(hours=6) else ()
        clock.set(max(clock.now(), (await poller.tick(clock.now())) or clock.now()))
    assert {parse_qs(request.query)["set"][0] for request in arxiv.journal if request.path == "/oai"} == asked


async def test_nothing_is_compared_where_nobody_wants_it(
    database: Database, arxiv: ArxivStub, clock: HandClock, start: Start
) -> None:
    announce_by_records(arxiv, 1, submitted(3))
    await run(start(sweep_days=0), clock, submitted(6, hour=6).astimezone(UTC))
    assert await listed(database) == []
    assert {request.path for request in arxiv.journal} == {"/atom/cs.CL"}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-03-04T13:59", "2026-03-05"),  # Wednesday before the deadline: Thursday
        ("2026-03-04T14:01", "2026-03-06"),
        ("2026-03-05T15:00", "2026-03-09"),  # Thursday after it: Monday, like Friday before it
        ("2026-03-06T13:00", "2026-03-09"),
        ("2026-03-06T15:00", "2026-03-10"),  # the weekend's: Tuesday, like Monday's
        ("2026-03-07T10:00", "2026-03-10"),
        ("2026-03-09T13:00", "2026-03-10"),
    ],
)
def test_the_deadline_decides_the_first_day(at: str, day: str) -> None:
    assert first_day_for(datetime.fromisoformat(at).replace(tzinfo=ARXIV_ZONE)) == date.fromisoformat(day)
