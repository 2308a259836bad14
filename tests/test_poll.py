"""Polling: what a feed adds to the store, and that a bad answer adds nothing and loses nothing."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot import taxonomy
from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import BrokenFeedError, parse_feed
from bot.arxiv.poll import FeedPoller
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.storage import digests, feeds, papers
from bot.storage.database import Database
from bot.storage.feeds import Feed
from tests.builders import MONDAY, HandClock, a_chat
from tests.servers.arxiv import ArxivStub, Entry, atom_feed


@pytest.fixture
def poller(database: Database, arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> FeedPoller:
    return FeedPoller(
        database,
        client,
        clock,
        Arxiv(feed_url=f"{arxiv.url}/atom", default_categories=("cs.CL",), sweep_days=0),
        Metrics(),
    )


def publish(arxiv: ArxivStub, *numbers: int, category: str = "cs.CL", built: float | None = None) -> None:
    entries = [Entry(f"2603.{number:05}", f"Paper {number}", "An abstract.", [category, "cs.AI"]) for number in numbers]
    at = built if built is not None else arxiv.now()
    arxiv.publish(category, atom_feed(category, entries, at), at)


async def poll(poller: FeedPoller, clock: HandClock, minutes: float = 1020) -> None:
    """Let the poller do as it likes for a while: until the next cycle at least."""
    end = clock.now() + timedelta(minutes=minutes)
    while True:
        due = await poller.tick(clock.now())
        if due is None or due > end:
            break
        clock.set(max(due, clock.now()))
    clock.set(end)


async def stored(database: Database) -> list[str]:
    async with database.read() as connection:
        found = await digests.listed(connection, ["cs.CL", "cs.AI"], MONDAY - timedelta(days=30))
    return sorted({listing.paper_id for listing in found})


async def seen_since(database: Database, since: datetime) -> list[str]:
    async with database.read() as connection:
        return [listing.paper_id for listing in await digests.listed(connection, ["cs.CL"], since)]


async def feed(database: Database) -> Feed:
    async with database.read() as connection:
        (known,) = await feeds.get(connection, ["cs.CL"])
    return known


async def test_new_papers_are_stored_under_all_their_categories(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    publish(arxiv, 1, 2)
    await poll(poller, clock)
    assert await stored(database) == ["2603.00001", "2603.00002"]
    async with database.read() as connection:
        (paper,) = (await papers.get(connection, ["2603.00001"])).values()
    assert (paper.title, paper.categories) == ("Paper 1", ("cs.CL", "cs.AI"))
    assert arxiv.violations == []


async def test_feeds_are_asked_politely_however_many_there_are(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, *(f"cs.{name}" for name in ("AI", "CV", "LG", "RO", "SE")), now=clock.now())
    await poll(poller, clock, minutes=200)
    assert len(arxiv.journal) >= 3
    assert arxiv.violations == []


async def test_what_stood_in_a_feed_at_its_first_reading_is_not_news(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    publish(arxiv, 1)
    clock.turn(hours=5)
    subscribed = clock.now()
    await poll(poller, clock)
    publish(arxiv, 1, 2)
    await poll(poller, clock)
    async with database.read() as connection:
        fresh = await digests.listed(connection, ["cs.CL"], subscribed)
    assert {listing.paper_id for listing in fresh} == {"2603.00002"}


async def test_an_empty_first_reading_counts_as_one(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    subscribed = clock.now()
    await poll(poller, clock)
    publish(arxiv, 1)
    await poll(poller, clock)
    async with database.read() as connection:
        fresh = await digests.listed(connection, ["cs.CL"], subscribed)
    assert {listing.paper_id for listing in fresh} == {"2603.00001"}


async def test_a_repeated_announcement_adds_nothing(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    publish(arxiv, 1)
    await poll(poller, clock)
    read_at = (await feed(database)).read_at
    publish(arxiv, 1)
    await poll(poller, clock)
    assert await seen_since(database, read_at) == []
    assert (await feed(database)).read_at > read_at


async def test_what_was_only_built_anew_is_not_read_again(
    arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    publish(arxiv, 1)
    with capture_logs() as logs:
        await poll(poller, clock, minutes=1)
        for numbers in ((1,), (1, 2)):
            clock.set(clock.now() + timedelta(hours=2))
            publish(arxiv, *numbers)
            await poller.refresh(["cs.CL"])
    assert [request.status for request in arxiv.journal] == [200, 200, 200]
    assert [each["new"] for each in logs if each["event"] == "feed.read"] == [2, 2]


async def test_a_replacement_changes_the_facts_and_is_no_new_paper(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    replaced = Entry("2603.00009", "Better title", "Better.", ["cs.CL"], announce_type="replace", version=2)
    publish(arxiv, 9)
    await poll(poller, clock)
    arxiv.publish("cs.CL", atom_feed("cs.CL", [replaced], clock.epoch()), clock.epoch())
    await poll(poller, clock)
    async with database.read() as connection:
        (paper,) = (await papers.get(connection, ["2603.00009"])).values()
    assert (paper.version, paper.title) == (2, "Better title")
    arxiv.publish("cs.CL", atom_feed("cs.CL", [replaced], clock.epoch()), clock.epoch())
    assert await stored(database) == ["2603.00009"]


@pytest.mark.parametrize(
    "fault",
    ["http_429", "http_503", "http_500", "blank", "html", "cut", "cut_clean", "huge", "entities", "reset", "binary"],
)
async def test_a_bad_answer_is_recorded_asked_again_and_never_taken_for_an_empty_day(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock, fault: str
) -> None:
    publish(arxiv, 1)
    arxiv.fail_next(fault)
    await poll(poller, clock, minutes=0.1)
    failed = await feed(database)
    assert failed.error
    assert failed.failing_since is not None
    assert failed.read_at is None
    assert await stored(database) == []
    await poll(poller, clock, minutes=10)
    assert (await feed(database)).error is None
    assert await stored(database) == ["2603.00001"]
    assert arxiv.violations == []


@pytest.mark.parametrize("fault", ["stall", "endless"])
async def test_an_answer_that_never_ends_is_given_up(
    database: Database,
    arxiv: ArxivStub,
    poller: FeedPoller,
    clock: HandClock,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.arxiv.client.LONGEST_WAIT", 0.3)
    publish(arxiv, 1)
    arxiv.fail_next(fault)
    await poll(poller, clock, minutes=0.1)
    assert (await feed(database)).error in ("no_answer", "unreadable")
    await poll(poller, clock, minutes=10)
    assert await stored(database) == ["2603.00001"]


async def test_while_arxiv_is_down_it_is_asked_ever_more_rarely(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, "cs.AI", "cs.CV", now=clock.now())
    arxiv.down = True
    await poll(poller, clock, minutes=12 * 60)
    assert 10 <= len(arxiv.journal) <= 20
    arxiv.down = False
    publish(arxiv, 1)
    await poll(poller, clock, minutes=61)
    assert await stored(database) == ["2603.00001"]


def asked(arxiv: ArxivStub) -> list[str]:
    return [request.path.removeprefix("/atom/") for request in arxiv.journal]


async def test_all_that_is_due_is_asked_for_in_one_request(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, "cs.CV", "cs.LG", now=clock.now())
    publish(arxiv, 1)
    publish(arxiv, 2, category="cs.CV")
    await poll(poller, clock, minutes=1)
    assert asked(arxiv) == ["cs.CL+cs.CV+cs.LG"]
    assert await stored(database) == ["2603.00001", "2603.00002"]
    async with database.read() as connection:
        entries = {feed.category: feed.entries for feed in await feeds.get(connection, ["cs.CL", "cs.CV", "cs.LG"])}
    assert entries == {"cs.CL": 1, "cs.CV": 1, "cs.LG": 0}


async def test_a_category_that_is_followed_later_joins_the_others(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await poll(poller, clock, minutes=12)
    await a_chat(database, "cs.CV", now=clock.now())
    await poll(poller, clock)
    assert asked(arxiv)[:2] == ["cs.CL", "cs.CV"]
    assert asked(arxiv)[-1] == "cs.CL+cs.CV", "at the next cycle they are asked together"


async def test_none_is_asked_again_because_others_are_due(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, "cs.AI", now=clock.now())
    publish(arxiv, *range(1, 700))
    publish(arxiv, *range(1200, 1900), category="cs.AI")
    await poll(poller, clock, minutes=17 * 60)  # over 23:50 and 00:10 in New York
    assert len(asked(arxiv)) <= 2 * 30


async def test_what_is_cut_off_is_asked_for_in_halves(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, "cs.AI", now=clock.now())
    publish(arxiv, *range(1, 1200))
    publish(arxiv, *range(1200, 2300), category="cs.AI")
    await poll(poller, clock, minutes=1)
    assert asked(arxiv) == ["cs.AI+cs.CL", "cs.AI", "cs.CL"]
    assert len(await stored(database)) == 2299
    await poll(poller, clock)
    assert set(asked(arxiv)[3:]) == {"cs.AI", "cs.CL"}, "what was too much is not tried again"


async def test_an_unknown_category_does_not_stop_the_others(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    await a_chat(database, "cs.NOPE", "cs.CV", now=clock.now())
    publish(arxiv, 1)
    await poll(poller, clock, minutes=1)
    assert await stored(database) == ["2603.00001"]
    async with database.read() as connection:
        failing = [feed.category for feed in await feeds.get(connection, ["cs.CL", "cs.CV", "cs.NOPE"]) if feed.error]
    assert failing == ["cs.NOPE"]


async def test_a_document_that_spoils_the_others_is_soon_alone(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    spoiled = "cs.AI", "cs.CV", "cs.LG", "cs.RO", "cs.SE"
    await a_chat(database, *spoiled, now=clock.now())
    arxiv.publish("cs.AI", b"<feed>", clock.epoch())
    publish(arxiv, 1)
    await poll(poller, clock, minutes=8 * 60)
    assert await stored(database) == ["2603.00001"]
    async with database.read() as connection:
        failing = [feed.category for feed in await feeds.get(connection, [*spoiled, "cs.CL"]) if feed.error]
    assert failing == ["cs.AI"]


async def test_all_of_arxiv_on_a_record_day_takes_few_requests(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    names = sorted(taxonomy.categories())
    await a_chat(database, *names, now=clock.now())
    usual, record = 1_200, 3_126
    for how_many, first in ((usual, 1), (record, 10_001)):
        for place, name in enumerate(names):
            share = range(first + place, first + how_many, len(names))
            publish(arxiv, *share, category=name)
        before = len(arxiv.journal)
        await poll(poller, clock)
        requests = len(arxiv.journal) - before
    assert requests <= 8
    async with database.read() as connection:
        found = await digests.listed(connection, names, MONDAY - timedelta(days=30))
    assert len({listing.paper_id for listing in found}) == usual + record
    assert arxiv.violations == []


async def test_the_event_loop_goes_on_while_a_large_feed_is_read(
    database: Database, arxiv: ArxivStub, poller: FeedPoller, clock: HandClock
) -> None:
    publish(arxiv, *range(1, 1001))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    counting = asyncio.create_task(count())
    await poll(poller, clock, minutes=1)
    counting.cancel()
    assert len(await stored(database)) == 1000
    assert turns > 20


def test_texts_come_through_unaltered() -> None:
    entry = Entry("2603.00001", "R&D for $0<d<1$ and <think>", 'We use `<b>` & "quotes".', ["cs.CL"])
    (announced,) = parse_feed(atom_feed("cs.CL", [entry], 0)).announced
    assert announced.paper.title == "R&D for $0<d<1$ and <think>"
    assert announced.paper.abstract == 'We use `<b>` & "quotes".'


def test_accents_are_decoded_and_affiliations_dropped() -> None:
    entry = Entry("2603.00001", "T", "A", ["cs.CL"], authors=("Rapha\\\"el Dubois (Lyon), Jos\\'e Garc\\'ia",))
    (announced,) = parse_feed(atom_feed("cs.CL", [entry], 0)).announced
    assert announced.paper.authors == ("Raphaël Dubois", "José García")


@pytest.mark.shared
def test_real_feeds_are_read_and_every_real_error_is_refused(shared: Path) -> None:
    import gzip

    for file in sorted((shared / "arxiv/atom").glob("*/*.xml.gz"))[::3]:
        assert parse_feed(gzip.decompress(file.read_bytes())).unreadable == 0
    for file in (shared / "arxiv/errors").glob("rss_*"):
        with pytest.raises(BrokenFeedError):
            parse_feed(file.read_bytes())
