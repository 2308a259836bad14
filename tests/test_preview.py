"""What a query would have brought: counted over the last week, fetched where nobody had read it yet."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.announcements import midnight_of
from bot.storage import announcements, digests
from tests.builders import MONDAY, a_paper, announce
from tests.room import NEXT, Room, a_room, as_read, says
from tests.servers.arxiv import Entry

LAST_WEEK = [date(2026, 2, day) for day in range(24, 28)]
"""The announcement days before Monday, 2 March that a preview counts: Tuesday to Friday."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        room.publish(category="cs.CL")
        yield room


def announced_on(room: Room, day: date, number: int, title: str, *categories: str, author: str = "Ada Example") -> None:
    """A paper that only the search knows, submitted in time for that day."""
    submitted = midnight_of(day) - timedelta(hours=20)
    entry = Entry(
        f"2602.{number:05}",
        title,
        "Text.",
        categories or ("cs.CL",),
        authors=(author,),
        submitted=submitted.timestamp(),
    )
    room.arxiv.add_paper(entry, at=submitted.timestamp())


async def test_days_that_were_never_read_are_fetched_and_it_is_said_first(room: Room) -> None:
    for number, day in enumerate(LAST_WEEK, start=1):
        announced_on(room, day, number, f"Vision transformer {number}")
        announced_on(room, day, 10 + number, f"Something else {number}")
    person = await room.person()
    answer = await person.reads("/preview cs.CL ViT OR vision-transformers")
    assert says(as_read(room.came[0][1]), "preview.reading", count=4, categories="cs.CL")
    assert says(answer, "preview.title", query="cs.CL (ViT OR vision-transformers)")
    assert "Tue 24 Feb · 1 paper\nWed 25 Feb · 1 paper\nThu 26 Feb · 1 paper\nFri 27 Feb · 1 paper\n" in answer
    assert "• Vision transformer 4 · 2602.00004\n• Vision transformer 3 · 2602.00003" in answer
    assert "Something else" not in answer
    assert says(answer, "query.expected", count=1)
    assert room.arxiv.violations == []


async def test_what_was_fetched_once_is_not_fetched_again(room: Room) -> None:
    for number, day in enumerate(LAST_WEEK, start=1):
        announced_on(room, day, number, f"Paper {number}")
    person = await room.person()
    first = await person.reads("/preview cs.CL paper")
    asked = len(room.arxiv.journal)
    assert await person.reads("/preview cs.CL paper") == first
    assert len(room.arxiv.journal) == asked
    assert len(room.came) == 1


async def test_what_was_fetched_is_news_to_nobody(room: Room) -> None:
    """Somebody else follows the words, everywhere, since long ago: old papers of a new category are not owed."""
    person = await room.person("paper", address="old")
    announced_on(room, LAST_WEEK[0], 1, "Paper 1", "cs.RO")
    room.publish(category="cs.RO")
    assert "Paper 1" in await (await room.person(address="new")).reads("/preview cs.RO paper")
    room.clock.turn(days=1)
    assert await room.services.composer.daily(await room.chat(person), room.clock.now()) == 0


async def test_what_a_followed_category_should_have_had_is_owed_there_all_the_same(room: Room) -> None:
    """A preview of one category can come upon a paper that the feed of another one never brought."""
    room.clock.set(midnight_of(LAST_WEEK[0]) - timedelta(hours=12))
    person = await room.person("cs.CL", address="old")
    await room.services.poller.refresh(["cs.CL"])
    room.clock.set(MONDAY)
    announced_on(room, LAST_WEEK[2], 1, "Paper 1", "cs.RO", "cs.CL")
    room.publish(category="cs.RO")
    await (await room.person(address="new")).reads("/preview cs.RO")
    assert await room.services.composer.daily(await room.chat(person), room.clock.now()) == 1


async def test_where_nothing_can_be_fetched_what_is_known_is_counted(room: Room) -> None:
    room.arxiv.down_paths = ("/api",)
    await announce(room.database, room.clock.now(), a_paper(1))
    answer = await (await room.person()).reads("/preview cs.CL paper")
    assert says(answer, "preview.unreachable")


async def test_an_author_is_looked_for_in_all_that_is_followed_and_the_answer_says_where(room: Room) -> None:
    await room.person("math.NT", address="somebody else")
    room.publish(category="math.NT")
    announced_on(room, LAST_WEEK[1], 1, "Primes", "math.NT", author="Terence Tao")
    announced_on(room, LAST_WEEK[1], 2, "Robots", "cs.RO", author="Terence Tao")
    person = await room.person()
    answer = await person.reads('/preview au:"T. Tao"')
    assert says(answer, "query.everywhere", count=2, categories="cs.CL, math.NT")
    assert "Primes" in answer
    assert "Robots" not in answer


async def test_a_preview_can_be_subscribed_to_at_once(room: Room) -> None:
    person = await room.person()
    reply = await person.says("/preview cs.CL -survey")
    assert reply is not None
    (button,) = reply.buttons
    assert says(as_read(await person.presses(button.action)), "query.named", query="cs.CL -survey")
    assert "cs.CL -survey" in await person.reads("/subscriptions")


async def test_only_an_administrator_subscribes_a_group_by_the_button(room: Room) -> None:
    person = await room.person(group=True, admin=False)
    reply = await person.says("/preview cs.CL")
    assert reply is not None
    assert says(as_read(await person.presses(reply.buttons[0].action)), "error.admins_only")


async def test_a_query_too_long_for_a_button_has_none(room: Room) -> None:
    reply = await (await room.person()).says(f"/preview cs.CL {'w' * 60}")
    assert reply is not None
    assert reply.buttons == ()


async def test_subscribing_says_what_to_expect_where_the_last_days_are_known(room: Room) -> None:
    for number in range(1, 7):
        announced_on(room, LAST_WEEK[number % 4], number, "Paper")
    person = await room.person()
    assert not says(await person.reads("/subscribe cs.CL paper"), "query.expected", count=2)
    await person.reads("/preview cs.CL")
    assert says(await person.reads("/subscribe cs.CL papers"), "query.expected", count=2)
    assert says(await person.reads("/subscribe cs.CL nothing"), "query.expected_none")


async def test_a_digest_brings_what_the_words_match_and_nothing_else(room: Room) -> None:
    person = await room.person('"vision transformer" -survey', "au:Lovelace cs.AI")
    await announce(
        room.database,
        room.clock.turn(hours=1),
        a_paper(1, title="Vision Transformers"),
        a_paper(2, title="Vision Transformers: a Survey"),
        a_paper(3, "cs.AI", title="Something else"),
        a_paper(4, "cs.AI", title="Something else", authors=("Wang Zhenyi",)),
        a_paper(5, "math.NT", title="A vision-transformer for primes"),
    )
    room.clock.turn(hours=20)
    assert await room.services.composer.daily(await room.chat(person), room.clock.now()) == 3
    shown = as_read(room.came[-1][1])
    assert "Vision Transformers\n" in shown
    assert "primes" in shown
    assert "Survey" not in shown
    assert "Announced 5 · matched 3 · shown 3" in shown


async def test_status_and_digest_look_where_a_query_without_a_category_does(room: Room) -> None:
    person = await room.person("au:Lovelace")
    assert says(await person.reads("/status"), "status.next", at=NEXT)
    await room.services.poller.refresh(["cs.CL"])
    assert "cs.CL" in await person.reads("/status")
    assert says(await person.reads("/digest"), "digest.nothing_new", next=NEXT)


async def test_a_day_is_quiet_only_when_the_search_must_know_it(room: Room) -> None:
    announced_on(room, LAST_WEEK[3], 1, "Paper 1")
    await (await room.person()).reads("/preview cs.CL")
    async with room.database.read() as connection:
        told = await announcements.get(connection, ["cs.CL"], LAST_WEEK[0])
        listed = await digests.listed(connection, ["cs.CL"], datetime(2026, 2, 1, tzinfo=UTC))
    states = {each.day: each.state for each in told["cs.CL"]}
    assert [states.get(day) for day in LAST_WEEK] == ["quiet", "quiet", "quiet", "late"]
    assert [(each.day, each.first_seen_at) for each in listed] == [(LAST_WEEK[3], midnight_of(LAST_WEEK[3]))]
