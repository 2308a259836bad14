"""Where a paper could be missed, come twice, or be news that is none: several feeds, second names, papers of before."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.announcements import ARXIV_ZONE
from bot.arxiv.client import ArxivClient
from bot.arxiv.poll import FeedPoller
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.papers import PaperId, month_of
from bot.storage import announcements, chats, digests, ended
from bot.storage.database import Database
from tests.builders import HandClock, a_chat, a_paper, announce
from tests.servers.arxiv import ArxivStub, Entry, atom_feed

MON, TUE, WED, THU, FRI = (date(2026, 3, day) for day in range(2, 7))
NEXT_TUE, OVER_NEXT_TUE = date(2026, 3, 10), date(2026, 3, 17)


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of day in New York, in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=ARXIV_ZONE).astimezone(UTC)


def evening_before(day: date) -> float:
    """The epoch second of the mailing for a day."""
    return at(day - timedelta(days=1), 20).timestamp()


def paper(number: int, *categories: str, month: str = "2603", submitted: datetime | None = None, **facts: Any) -> Entry:
    when = submitted.timestamp() if submitted else None
    return Entry(f"{month}.{number:05}", f"Paper {number}", "Text.", categories or ("cs.CL",), submitted=when, **facts)


class World:
    """arXiv and what is stored of it, while a process runs or does not."""

    def __init__(self, database: Database, arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
        self.database, self.arxiv, self.client, self.clock = database, arxiv, client, clock

    def start(self, *categories: str, **settings: object) -> FeedPoller:
        urls = {"feed": "/atom", "api": "/api/query", "oai": "/oai", "listing": "/list"}
        values = {f"{name}_url": f"{self.arxiv.url}{path}" for name, path in urls.items()} | settings
        settled = Arxiv.model_validate(values | {"default_categories": categories})
        self.poller = FeedPoller(self.database, self.client, self.clock, settled, Metrics())
        return self.poller

    def feed(self, category: str, built: datetime, *entries: Entry) -> None:
        self.arxiv.publish(category, atom_feed(category, entries, built.timestamp()), built.timestamp())

    async def run(self, until: datetime) -> None:
        while (due := await self.poller.tick(self.clock.now())) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
        self.clock.set(until)

    async def listed(self, category: str) -> dict[str, date]:
        async with self.database.read() as connection:
            found = await digests.listed(connection, [category], at(MON, 0) - timedelta(days=400))
        return {each.paper_id: each.day for each in found}

    async def state(self, category: str, day: date) -> str:
        async with self.database.read() as connection:
            known = await announcements.get(connection, [category], day)
        return next(each.state for each in known[category] if each.day == day)

    async def sizes(self, category: str, since: date) -> dict[date, int]:
        async with self.database.read() as connection:
            known = await announcements.get(connection, [category], since)
        return {each.day: each.size for each in known[category]}


@pytest.fixture
def clock() -> HandClock:
    return HandClock(at(MON, 0, 5))


@pytest.fixture
async def world(database: Database, clock: HandClock) -> AsyncIterator[World]:
    async with ArxivStub(now=clock.epoch, only_added=True) as arxiv:
        client = ArxivClient("mailto:tests@example.org", clock, Metrics())
        yield World(database, arxiv, client, clock)
        await client.close()


async def test_a_new_category_is_caught_up_with_from_when_it_was_followed_not_first_read(world: World) -> None:
    """It is followed on Monday; until Friday noon there is no network."""
    world.start("cs.CL")
    world.arxiv.down = True
    for number, day in enumerate((TUE, WED, THU, FRI), start=1):
        one = paper(number, submitted=at(day - timedelta(days=1), 10))
        world.arxiv.add_paper(one, evening_before(day))
        world.feed("cs.CL", at(day, 0, 0, 10), one)
    await world.run(at(FRI, 12))
    world.arxiv.down = False
    await world.run(at(NEXT_TUE, 6))
    assert sorted((await world.listed("cs.CL")).values()) == [TUE, WED, THU, FRI]


async def test_what_came_while_nobody_followed_a_category_is_not_news_to_who_follows_it_next(world: World) -> None:
    """A chat leaves it on Tuesday; three weeks later another one follows it."""
    for number in range(20):
        day = MON + timedelta(days=number + 2)
        if day.weekday() < 5:
            one = paper(number, submitted=at(day - timedelta(days=1), 10))
            world.arxiv.add_paper(one, evening_before(day))
    world.start("math.NT")
    world.feed("cs.CL", at(MON, 0, 0, 5), paper(900))
    chat = await a_chat(world.database, "cs.CL", now=world.clock.now())
    await world.run(at(TUE, 6))
    async with world.database.write() as connection:
        (followed,) = await chats.subscriptions_of(connection, chat.id)
        await ended.end(connection, chat, followed.id, world.clock.now())
    back = at(date(2026, 3, 24), 12)
    await world.run(back)
    await a_chat(world.database, "cs.CL", now=back, address="other")
    await world.run(back + timedelta(hours=20))
    async with world.database.read() as connection:
        assert await digests.listed(connection, ["cs.CL"], back) == []


async def test_a_chat_that_comes_back_is_caught_up_with(world: World) -> None:
    """Nobody else follows its category while it is not served."""
    world.start("math.NT")
    world.feed("cs.CL", at(MON, 0, 0, 5), paper(900))
    chat = await a_chat(world.database, "cs.CL", now=world.clock.now())
    await world.run(at(TUE, 6))
    async with world.database.write() as connection:
        await chats.set_access(connection, chat.id, "waiting")
    world.arxiv.add_paper(paper(1, submitted=at(WED, 10)), evening_before(THU))
    await world.run(at(NEXT_TUE, 12))
    async with world.database.write() as connection:
        await chats.set_access(connection, chat.id, "allowed")
    await world.run(at(NEXT_TUE, 20))
    assert (await world.listed("cs.CL")).get("2603.00001") == THU


async def test_what_a_feed_brings_while_others_are_compared_stays_told(world: World) -> None:
    world.start("cs.CL", "math.NT")
    for number, category in ((1, "cs.CL"), (101, "math.NT")):
        world.feed(category, at(MON, 0, 0, 5), paper(number, category))
        world.feed(category, at(TUE, 0, 0, 0), paper(number, category))
    world.feed("math.NT", at(TUE, 3, 59, 30), paper(102, "math.NT"))
    await world.run(at(TUE, 3, 59))
    assert await world.state("math.NT", TUE) == "stale"
    world.clock.set(at(TUE, 4, 20))
    await asyncio.gather(world.poller.tick(world.clock.now()), world.poller.refresh(["math.NT"]))
    await world.run(at(TUE, 4, 30))
    assert await world.state("math.NT", TUE) == "fresh"


@pytest.mark.parametrize("is_whole_stale", [True, False], ids=["the other list is stale", "its own list is stale"])
async def test_of_two_lists_in_one_document_each_is_judged_by_its_own_papers(
    world: World, is_whole_stale: bool
) -> None:
    world.start("cs.LG", "stat.ML", sweep_days=0)
    both = [paper(number, "cs.LG", "stat.ML") for number in range(1, 9)]
    alone = [paper(number, "stat.ML") for number in range(11, 15)]
    old_of_lg = both if is_whole_stale else [paper(20, "cs.LG")]
    world.feed("cs.LG", at(MON, 0, 0, 5), *old_of_lg)
    world.feed("stat.ML", at(MON, 0, 0, 5), *alone, *(both if is_whole_stale else ()))
    await world.run(at(MON, 23, 59))
    new = [paper(number, "stat.ML") for number in range(31, 36)]
    world.feed("cs.LG", at(TUE, 0, 0, 5), *both)
    world.feed("stat.ML", at(TUE, 0, 0, 5), *(new if is_whole_stale else alone))
    await world.run(at(TUE, 1))
    states = [await world.state(category, TUE) for category in ("cs.LG", "stat.ML")]
    assert states == (["stale", "fresh"] if is_whole_stale else ["fresh", "stale"])


async def test_a_cross_list_of_a_stale_list_is_looked_for_where_another_list_is_fresh(world: World) -> None:
    """Only the listing tells of it: the paper is an old one, and its record says nothing of a day."""
    world.start("cs.LG", "stat.ML")
    old = [paper(number, "stat.ML") for number in range(1, 4)]
    world.feed("cs.LG", at(MON, 0, 0, 5), paper(10, "cs.LG"))
    world.feed("stat.ML", at(MON, 0, 0, 5), *old)
    await world.run(at(MON, 23, 59))
    both = [paper(number, "cs.LG", "stat.ML", submitted=at(MON, 10)) for number in range(31, 36)]
    submitted = at(date(2025, 1, 7), 10)
    cross = paper(7, "cs.CV", "stat.ML", announce_type="cross", month="2501", submitted=submitted)
    for each in (*both, cross):
        world.arxiv.add_paper(each, evening_before(TUE))
    world.feed("cs.LG", at(TUE, 0, 0, 5), *both)
    world.feed("stat.ML", at(TUE, 0, 0, 0), *old)
    world.arxiv.publish_listing("stat.ML", TUE, [*both, cross], at(TUE, 0).timestamp())
    tomorrows = paper(41, "stat.ML", submitted=at(TUE, 10))
    world.feed("stat.ML", at(WED, 0, 0, 5), tomorrows)
    world.arxiv.publish_listing("stat.ML", WED, [tomorrows], at(WED, 0).timestamp())
    await world.run(at(NEXT_TUE, 6))
    assert (await world.listed("stat.ML")).get("2501.00007") == TUE


async def test_a_held_paper_is_found_where_no_other_was_new_meanwhile(world: World) -> None:
    """It came in while its small category was followed, and was announced two weeks later."""
    world.start("math.NT")
    await world.run(at(OVER_NEXT_TUE, 6))
    world.arxiv.add_paper(paper(500, "math.NT", submitted=at(MON, 10)), at(OVER_NEXT_TUE, 20).timestamp())
    world.clock.set(at(OVER_NEXT_TUE + timedelta(days=2), 9))  # the process was down on its day
    await world.run(at(OVER_NEXT_TUE + timedelta(days=8), 6))
    assert await world.listed("math.NT") == {"2603.00500": OVER_NEXT_TUE + timedelta(days=1)}


async def test_a_held_paper_that_was_replaced_before_it_was_found_is_found(world: World) -> None:
    world.start("math.NT")
    world.feed("math.NT", at(MON, 0, 0, 5), paper(10, "math.NT"))
    await world.run(at(OVER_NEXT_TUE, 6))
    held = paper(500, "math.NT", submitted=at(MON, 10))
    world.arxiv.add_paper(held, at(OVER_NEXT_TUE, 20).timestamp())
    world.arxiv.add_paper(replace(held, version=2), at(OVER_NEXT_TUE + timedelta(days=1), 20).timestamp())
    world.clock.set(at(OVER_NEXT_TUE + timedelta(days=3), 9))
    await world.run(at(OVER_NEXT_TUE + timedelta(days=8), 6))
    assert "2603.00500" in await world.listed("math.NT")


@pytest.mark.parametrize("sweep_days", [0, 7])
async def test_an_old_paper_that_is_cross_listed_is_no_news_in_its_own_category(world: World, sweep_days: int) -> None:
    """It was announced there long before that was followed."""
    world.start("math.NT", "cs.CL", sweep_days=sweep_days)
    submitted = at(date(2025, 1, 7), 10)
    cross = paper(7, "math.NT", "cs.CL", announce_type="cross", month="2501", submitted=submitted)
    world.arxiv.add_paper(cross, evening_before(MON))
    world.feed("math.NT", at(MON, 0, 0, 5), paper(1, "math.NT"))
    world.feed("cs.CL", at(MON, 0, 0, 5), paper(2), cross)
    await world.run(at(FRI, 6))
    assert set(await world.listed("cs.CL")) == {"2603.00002", "2501.00007"}
    assert set(await world.listed("math.NT")) == {"2603.00001"}


async def test_a_cross_list_from_before_a_category_was_followed_is_no_news_when_its_record_changes(
    world: World,
) -> None:
    """In February a replacement told of the category, which is followed since March."""
    january, february = date(2026, 1, 9), date(2026, 2, 12)
    await announce(world.database, at(january, 1), a_paper(1, "math.NT"), day=january)
    replaced = a_paper(1, "math.NT", "cs.CL", version=2)
    await announce(world.database, at(february, 1), replaced, announce_type="replace", day=february)
    world.start("cs.CL", "math.NT")
    await world.run(at(TUE, 6))
    changed = paper(1, "math.NT", "cs.CL", version=3, submitted=at(date(2026, 1, 7), 10))
    world.arxiv.add_paper(changed, at(WED, 20).timestamp())
    await world.run(at(NEXT_TUE, 6))
    assert await world.listed("cs.CL") == {}


async def test_a_listing_that_names_one_of_two_names_is_about_both(world: World) -> None:
    """arXiv's pages show `math.NA` and leave `cs.NA` out."""
    world.start("cs.NA")
    world.feed("cs.NA", at(MON, 0, 0, 5))
    world.arxiv.publish_listing("cs.NA", TUE, [paper(1, "math.NA")], at(TUE, 0).timestamp())
    world.arxiv.down_paths = ("/oai", "/api")
    await world.run(at(TUE, 6))
    assert await world.listed("cs.NA") == {"2603.00001": TUE}


async def test_a_cross_list_is_found_under_the_second_name_of_a_category(world: World) -> None:
    world.start("cs.NA")
    world.feed("cs.NA", at(MON, 0, 0, 5))
    await world.run(at(MON, 23, 59))
    submitted = at(date(2025, 1, 7), 10)
    record = paper(7, "cs.CV", "math.NA", "cs.NA", announce_type="cross", month="2501", submitted=submitted)
    world.arxiv.add_paper(record, evening_before(TUE))
    shown = replace(record, categories=("cs.CV", "math.NA"))
    world.arxiv.publish_listing("cs.NA", TUE, [shown], at(TUE, 0).timestamp())
    world.arxiv.publish_listing("cs.NA", WED, [], at(WED, 0).timestamp())
    await world.run(at(NEXT_TUE, 6))
    assert await world.listed("cs.NA") == {"2501.00007": TUE}


@pytest.mark.parametrize(
    ("paper_id", "month"),
    [
        ("2603.00001", date(2026, 3, 1)),
        ("0704.0001", date(2007, 4, 1)),
        ("math/0309136", date(2003, 9, 1)),
        ("hep-th/9108028", date(1991, 8, 1)),
        ("2600.00001", date(2026, 1, 1)),
    ],
)
def test_a_papers_number_tells_its_month(paper_id: str, month: date) -> None:
    assert month_of(PaperId(paper_id)) == month


@pytest.mark.parametrize("is_cross", [False, True], ids=["new papers", "a cross-list of an old paper too"])
async def test_yesterdays_papers_that_a_stale_feed_brings_first_get_their_own_day(world: World, is_cross: bool) -> None:
    """The process was down on Tuesday, and on Wednesday the feed has Tuesday's papers under Wednesday's date."""
    world.start("cs.CL")
    world.feed("cs.CL", at(MON, 0, 0, 5), paper(1))
    await world.run(at(MON, 23))
    of_tue = [paper(number, submitted=at(MON, 10)) for number in (11, 12)]
    if is_cross:
        of_tue.append(
            paper(7, "cs.CV", "cs.CL", announce_type="cross", month="2501", submitted=at(date(2025, 1, 7), 10))
        )
    of_wed = [paper(number, submitted=at(TUE, 10)) for number in (21, 22)]
    for day, entries in ((TUE, of_tue), (WED, of_wed)):
        for each in entries:
            world.arxiv.add_paper(each, evening_before(day))
    world.feed("cs.CL", at(WED, 0, 0, 5), *of_tue)
    world.clock.set(at(WED, 2))
    await world.run(at(WED, 3))
    assert await world.state("cs.CL", WED) == "stale"
    await world.run(at(WED, 12))
    days = await world.listed("cs.CL")
    assert {number: days[number] for number in days if number != "2603.00001"} == {
        **{each.id: TUE for each in of_tue},
        **{each.id: WED for each in of_wed},
    }
    assert await world.sizes("cs.CL", TUE) == {TUE: len(of_tue), WED: len(of_wed)}
    assert (await world.state("cs.CL", TUE), await world.state("cs.CL", WED)) == ("late", "late")


async def test_what_a_feed_brings_on_its_day_keeps_it_whatever_else_came_with_it(world: World) -> None:
    """The stale feed's papers are moved to Tuesday; those that the same feed brought later on Wednesday stay."""
    world.start("cs.CL")
    world.feed("cs.CL", at(MON, 0, 0, 5), paper(1))
    await world.run(at(MON, 23))
    of_tue = [paper(number, submitted=at(MON, 10)) for number in (11, 12)]
    of_wed = [paper(number, submitted=at(TUE, 10)) for number in (21, 22, 23)]
    for each in of_tue:
        world.arxiv.add_paper(each, evening_before(TUE))
    for each in of_wed:
        world.arxiv.add_paper(each, evening_before(WED))
    world.feed("cs.CL", at(WED, 0, 0, 5), *of_tue)
    world.clock.set(at(WED, 2))
    await world.poller.refresh(["cs.CL"])
    world.feed("cs.CL", at(WED, 2, 30), *of_wed)
    world.clock.set(at(WED, 3))
    await world.poller.refresh(["cs.CL"])
    assert await world.state("cs.CL", WED) == "fresh"
    await world.run(at(WED, 12))
    assert await world.sizes("cs.CL", TUE) == {TUE: 2, WED: 3}
    assert (await world.state("cs.CL", TUE), await world.state("cs.CL", WED)) == ("late", "fresh")
