"""👍 and 👎: one vote of a person on a paper's summary, told to them alone and counted for operators."""

from dataclasses import replace

import pytest

from bot.storage import votes
from bot.storage.database import Database
from bot.storage.votes import Opinion
from bot.summary import Provenance
from tests.builders import MONDAY, a_paper, announce
from tests.room import Person, Room, as_read, says

EXTRACT, MODEL = Provenance("extract", "2", MONDAY), Provenance("model", "1", MONDAY, "toy")


async def counted(room: Room) -> list[tuple[int, int]]:
    async with room.database.read() as connection:
        return [(each.liked, each.disliked) for each in await votes.opinions(connection)]


async def reader(room: Room, **facts: object) -> Person:
    await announce(room.database, room.clock.now(), a_paper(1, "cs.CL"))
    return await room.person(**facts)


async def test_a_vote_is_counted_once_changed_by_the_other_and_taken_back_by_the_same(room: Room) -> None:
    person = await reader(room)
    for action, key, after in (
        ("up", "vote.up", [(1, 0)]),
        ("down", "vote.down", [(0, 1)]),
        ("down", "vote.taken_back", []),
        ("up", "vote.up", [(1, 0)]),
    ):
        reply = await person.presses(f"vote:2603.00001 {action}")
        assert says(as_read(reply), key)
        assert reply is not None
        assert reply.is_aside
        assert await counted(room) == after


async def test_everybody_has_a_vote_wherever_they_press(room: Room) -> None:
    ada = await reader(room, group=True, admin=False)
    at_home = await room.person(address="home")
    for person in (ada, replace(ada, name="Lin"), replace(ada, platform="discord")):
        await person.presses("vote:2603.00001 up")
    assert await counted(room) == [(3, 0)]
    assert says(as_read(await at_home.presses("vote:2603.00001 up")), "vote.taken_back"), "it is the same Ada"
    assert await counted(room) == [(2, 0)]


@pytest.mark.parametrize("argument", ["2603.00001 sideways", "2603.00001", "2600.00001 up", "", "up"])
async def test_what_is_no_vote_is_none(room: Room, argument: str) -> None:
    person = await reader(room)
    await room.add_sample()
    assert says(as_read(await person.presses(f"vote:{argument}")), "button.stale")
    assert await counted(room) == []


async def test_votes_go_to_who_wrote_what_was_voted_on(any_database: Database) -> None:
    await announce(any_database, MONDAY, a_paper(1), a_paper(2))
    async with any_database.write() as connection:
        for user, number, value, by in (("a", 1, 1, EXTRACT), ("b", 1, -1, MODEL), ("a", 2, -1, MODEL)):
            assert await votes.cast(connection, "web", user, a_paper(number).id, 1 if value > 0 else -1, by, MONDAY)
        # The summary was written anew meanwhile: the vote that counts is on the new one.
        assert await votes.cast(connection, "web", "a", a_paper(1).id, -1, MODEL, MONDAY)
        assert await votes.opinions(connection) == [Opinion("model", "toy", 0, 3)]


async def test_operators_see_what_people_think_and_others_do_not(room: Room) -> None:
    person = await reader(room)
    operator = replace(person, name="Grace")
    await operator.says("/start let-me-in")
    assert "👍" not in await operator.reads("/status")
    await person.presses("vote:2603.00001 down")
    assert "Votes on summaries: quoted from the abstract 👍 0 👎 1" in await operator.reads("/status")
    assert "👎" not in await person.reads("/status")
