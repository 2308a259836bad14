"""/why: each reason for which a paper came, or did not."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.storage import papers
from tests.builders import MONDAY, TODAY, a_paper, announce
from tests.room import Room, a_room, says


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


ASKED = "/why 2603.00001"


async def daily(room: Room, address: str) -> int:
    person = await room.person(address=address)
    return await room.services.composer.daily(await room.chat(person), room.clock.now())


async def test_a_paper_that_was_sent_tells_when_and_by_which_subscription(room: Room) -> None:
    person = await room.person("cs.CL", "math.NT")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    room.clock.turn(hours=20)
    assert await daily(room, person.address) == 1
    answer = await person.reads(ASKED)
    assert says(answer, "why.sent", at="09:00")
    assert says(answer, "why.match", query="cs.CL")
    assert says(answer, "why.no_match", query="math.NT", missing="math.NT")


async def test_a_paper_beyond_the_cap_is_held_back(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.says("/settings cap 1")
    await announce(room.database, room.clock.turn(hours=1), a_paper(0, "cs.CL"))
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    room.clock.turn(hours=19)
    assert await daily(room, person.address) == 1
    assert says(await person.reads(ASKED), "why.held", at="09:00")


async def test_what_a_paper_lacks_is_named(room: Room) -> None:
    person = await room.person('(cs.CL OR cs.CV) "vision transformer" -question', language="zh")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    query = 'cs.CL+cs.CV "vision transformer" -question'
    missing = '"vision transformer", -question'
    assert says(await person.reads(ASKED), "why.no_match", "zh", query=query, missing=missing)


async def test_a_paper_announced_before_the_subscription_is_not_owed(room: Room) -> None:
    await announce(room.database, room.clock.now() - timedelta(hours=5), a_paper(1, "cs.CL"))
    person = await room.person("cs.CL")
    assert says(await person.reads(ASKED), "why.before", query="cs.CL", since="12:00")


async def test_a_cross_list_is_told_from_a_first_category(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.says("/settings crosslists off")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.AI", "cs.CL"))
    assert says(await person.reads(ASKED), "why.cross_list", query="cs.CL", primary="cs.AI")


async def test_a_late_paper_tells_its_day(room: Room) -> None:
    person = await room.person("cs.CL")
    await announce(room.database, room.clock.turn(days=2), a_paper(1, "cs.CL"), day=TODAY)
    assert says(await person.reads(ASKED), "why.late", day="Mon 2 Mar", at="12:00")


async def test_a_paper_that_was_only_looked_up_was_in_no_list(room: Room) -> None:
    person = await room.person()
    async with room.database.write() as connection:
        await papers.add(connection, [a_paper(1)], MONDAY)
    answer = await person.reads(ASKED)
    assert says(answer, "why.not_listed")
    assert says(answer, "why.nothing_followed")


@pytest.mark.parametrize(
    ("said", "key"), [("/why", "why.how"), ("/why 12345", "paper.bad"), ("/why 2603.99999", "why.unknown")]
)
async def test_without_a_known_paper_it_says_so(room: Room, said: str, key: str) -> None:
    assert says(await (await room.person()).reads(said), key, text="12345", id="2603.99999")
