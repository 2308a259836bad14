"""Floods: who asks too much at once is told once, politely, and answered again a little later."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.commands.desk import Desk
from bot.commands.flood import MOST_REMEMBERED, Flood, Rate, Verdict
from bot.commands.request import Incoming, Sender
from tests.builders import MONDAY
from tests.room import Person, Room, a_room, as_read, says

RATE = Rate()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


async def slowed(room: Room, **facts: object) -> Person:
    """Somebody at a desk that slows floods down as it does in life."""
    return replace(await room.person(**facts), desk=Desk(room.services))


async def answers(person: Person, count: int) -> list[str]:
    return [await person.reads("/help") for _ in range(count)]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_asks_too_fast_is_told_once_and_answered_again_after_a_minute(room: Room, language: str) -> None:
    person = await slowed(room, language=language)
    catalogue = "zh" if language == "zh" else "en"
    assert all(says(each, "help.title", catalogue) for each in await answers(person, RATE.person))
    room.clock.turn(seconds=20)
    warned, *silence = [await person.says("/help"), await person.presses("set:cap 5"), await person.says("hello")]
    assert says(as_read(warned), "error.too_fast", catalogue, count=40)
    assert silence == [None, None]
    assert (await room.chat(person)).preferences.cap == 12
    room.clock.turn(seconds=41)
    assert says(await person.reads("/help"), "help.title", catalogue)


async def test_a_flood_costs_no_query(room: Room) -> None:
    person = await slowed(room)
    await answers(person, RATE.person + 1)
    asked: list[str] = []

    @sa.event.listens_for(room.database.engine.sync_engine, "before_cursor_execute")
    def _(_c: object, _u: object, statement: str, *_: object) -> None:
        asked.append(statement)

    assert await answers(person, 100) == [""] * 100
    assert asked == []


async def test_one_persons_flood_does_not_silence_the_group(room: Room) -> None:
    one = await slowed(room, address="group", group=True, name="Eve")
    other = replace(one, name="Ada")
    await answers(one, RATE.person)
    assert (await one.reads("/help")).strip().startswith("Eve: ")
    assert await answers(one, 100) == [""] * 100
    assert says(await other.reads("/help"), "help.title")
    elsewhere = replace(one, address="papers", group=False)
    assert await elsewhere.says("/help") is None, "it is the person who is slowed down, wherever they are"


async def test_a_group_that_asks_too_much_in_all_is_told_once(room: Room) -> None:
    first = await slowed(room, address="-100", group=True)
    heard = [await replace(first, name=f"Reader {number % 20}").reads("/help") for number in range(RATE.group)]
    assert all(says(each, "help.title") for each in heard)
    topic = replace(first, address="-100:5", name="Late")
    assert says(await topic.reads("/help"), "error.too_fast", count=60)
    assert await replace(topic, name="Later").says("/help") is None
    assert says(await replace(first, address="-200").reads("/help"), "help.title")


async def test_what_people_say_to_each_other_in_a_group_does_not_count(room: Room) -> None:
    person = await slowed(room, address="group", group=True)
    for _ in range(200):
        assert await person.says("good morning") is None
        assert await person.says("/command_of_another_bot") is None
    assert says(await person.reads("/help"), "help.title")


async def test_operators_and_the_web_chat_are_not_slowed_down(room: Room) -> None:
    operator = Person(Desk(room.services), address="operator", name="Grace")
    await operator.says("/start let-me-in")
    web = Person(operator.desk, platform="web", address="home", name="local")
    in_group = replace(operator, address="group", group=True)
    for person in (operator, web, in_group):
        assert all(await answers(person, RATE.group + 40))
    room.clock.turn(seconds=61)
    assert all(await answers(operator, RATE.group + 40))


async def test_who_waits_to_be_let_in_is_slowed_down_too(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=False) as room:
        stranger = Person(Desk(room.services), name="Eve")
        said = [await stranger.reads(f"/start guess-{number}") for number in range(RATE.person + 20)]
        assert says(said[RATE.person], "error.too_fast", count=60)
        assert not any(said[RATE.person + 1 :])


def test_strangers_take_no_memory_without_end() -> None:
    flood = Flood(RATE)
    for number in range(3 * MOST_REMEMBERED):
        incoming = Incoming("telegram", str(number), "", is_group=True, sender=Sender(str(number), ""), text="/help")
        assert flood.hear(incoming, MONDAY)[0] is Verdict.ANSWER
    assert flood.remembered <= MOST_REMEMBERED
