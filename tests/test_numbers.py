"""Subscriptions by their numbers: ended by what the person saw, and taken up again as they were."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cards.reply import Reply
from bot.chats import Quota, Subscription
from bot.commands.listed import MOST, Listed
from bot.commands.request import Sender, number_in
from bot.config import Retention
from bot.jobs.housekeeping import Housekeeper
from bot.storage import chats, ended, overview
from bot.storage.database import Database
from tests.builders import MONDAY, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


async def followed(room: Room, person: Person) -> list[Subscription]:
    async with room.database.read() as connection:
        return await chats.subscriptions_of(connection, (await room.chat(person)).id)


async def queries(room: Room, person: Person) -> list[str]:
    return [str(each.interest) for each in await followed(room, person)]


def actions(reply: Reply | None) -> list[str]:
    assert reply is not None
    return [button.action for button in reply.buttons]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        ("１７", 17),
        ("9" * 9, 999_999_999),
        ("9" * 10, None),
        ("-1", None),
        ("²", None),
        ("", None),
    ],
)
def test_a_number_is_one_however_it_was_typed(text: str, number: int | None) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("written", ["2", "#2", "2.", " 2 ", "２．"])
async def test_a_number_ends_what_stands_there_and_the_answer_names_it(room: Room, language: str, written: str) -> None:
    person = await room.person("cs.CL", "cs.CV", "cs.RO", language=language)
    listed = await person.reads("/subscriptions")
    assert [line[:8] for line in listed.splitlines()[1:4]] == ["1. cs.CL", "2. cs.CV", "3. cs.RO"]
    answer = await person.says(f"/unsubscribe {written}")
    assert says(as_read(answer), "unsubscribe.done", "zh" if language == "zh" else "en", query="cs.CV")
    assert await queries(room, person) == ["cs.CL", "cs.RO"]
    undone = await person.presses(actions(answer)[0])
    assert says(as_read(undone), "unsubscribe.undone", "zh" if language == "zh" else "en", query="cs.CV")
    assert await queries(room, person) == ["cs.CL", "cs.RO", "cs.CV"]


async def test_a_number_means_what_the_person_saw_last(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV", "cs.RO")
    await person.says("/subscriptions")
    await person.says("/unsubscribe 1")
    # Somebody who reads from a list of before still means cs.RO by 3, and cs.CL by 1.
    assert says(await person.reads("/unsubscribe 3"), "unsubscribe.done", query="cs.RO")
    await person.says("/subscriptions")
    assert says(await person.reads("/unsubscribe 1"), "unsubscribe.done", query="cs.CV")
    again = await person.reads("/unsubscribe 1")
    assert says(again, "unsubscribe.gone", number=1, query="cs.CV")
    assert says(again, "subscriptions.none")


async def test_two_people_of_a_group_each_mean_their_own_list(room: Room) -> None:
    one = await room.person("cs.CL", "cs.CV", group=True)
    other = Person(room.desk, group=True, name="Lin")
    await one.says("/subscriptions")
    await other.says("/subscriptions")
    await one.says("/unsubscribe cs.CL")
    await one.says("/subscriptions")
    assert says(await other.reads("/unsubscribe 2"), "unsubscribe.done", query="cs.CV")


async def test_who_saw_no_list_means_the_present_one(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    assert says(await person.reads("/unsubscribe 2"), "unsubscribe.done", query="cs.CV")


@pytest.mark.parametrize("number", ["0", "3", "999"])
async def test_a_number_that_is_not_there_is_answered_with_the_list(room: Room, number: str) -> None:
    person = await room.person("cs.CL", "cs.CV")
    answer = await person.reads(f"/unsubscribe {number}")
    assert says(answer, "unsubscribe.no_number", number=number)
    assert "2. cs.CV" in answer
    assert await queries(room, person) == ["cs.CL", "cs.CV"]


async def test_undo_owes_what_came_meanwhile_and_what_was_owed_before(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    (before, *_) = await followed(room, person)
    await announce(room.database, room.clock.turn(minutes=5), a_paper(1, "cs.CL"))
    answer = await person.says("/unsubscribe cs.CL")
    await announce(room.database, room.clock.turn(hours=5), a_paper(2, "cs.CL"))
    await person.presses(actions(answer)[0])
    (*_, after) = await followed(room, person)
    assert (after.interest, after.since, after.made_at) == (before.interest, before.since, before.made_at)
    assert await room.services.composer.owed(await room.chat(person), room.clock.now()) == 2


async def test_undo_after_subscribing_anew_keeps_the_earlier_beginning(room: Room) -> None:
    person = await room.person("cs.CL")
    (before,) = await followed(room, person)
    answer = await person.says("/unsubscribe cs.CL")
    room.clock.turn(hours=1)
    await person.says("/subscribe cs.CL")
    await person.presses(actions(answer)[0])
    (after,) = await followed(room, person)
    assert after.since == before.since


async def test_undo_is_for_a_day_and_once_and_for_its_own_chat(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    other = await room.person("cs.AI", address="other", name="Eve")
    first, second = [actions(await person.says(f"/unsubscribe {each}"))[0] for each in ("cs.CL", "cs.CV")]
    assert says(as_read(await other.presses(first)), "unsubscribe.too_late")
    assert await queries(room, other) == ["cs.AI"]
    await person.presses(first)
    assert says(as_read(await person.presses(first)), "unsubscribe.too_late")
    room.clock.turn(hours=25)
    assert says(as_read(await person.presses(second)), "unsubscribe.too_late")
    assert await queries(room, person) == ["cs.CL"]
    chat = await room.chat(person)
    await Housekeeper(room.database, Retention()).tick(room.clock.now())
    async with room.database.read() as connection:
        assert await ended.named(connection, chat.id, range(99)) == {}


async def test_undo_keeps_to_the_limit(room: Room) -> None:
    person = await room.person("cs.CL")
    answer = await person.says("/unsubscribe cs.CL")
    async with room.database.write() as connection:
        await overview.set_quota(connection, await room.chat(person), Quota(subscriptions=1))
    await person.says("/subscribe cs.CV")
    assert says(as_read(await person.presses(actions(answer)[0])), "quota.subscriptions", count=1)


async def test_a_button_below_the_list_ends_what_it_stood_for_and_shows_the_rest(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV", "cs.RO")
    drops = actions(await person.says("/subscriptions"))[:3]
    shown = await person.presses(drops[1])
    assert shown is not None
    assert shown.in_place
    assert says(shown.text, "unsubscribe.done", query="cs.CV")
    assert "2. cs.RO" in shown.text
    assert actions(shown)[:3] == ["undo:2", drops[0], drops[2]]
    stale = await person.presses(drops[1])
    assert says(as_read(stale), "unsubscribe.dropped")
    assert await queries(room, person) == ["cs.CL", "cs.RO"]
    assert "cs.CV" in as_read(await person.presses("undo:2"))


async def test_a_number_that_was_freed_is_given_to_no_other_subscription(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    _, last, *_ = actions(await person.says("/subscriptions"))
    await person.presses(last)
    await person.says("/subscribe cs.RO")
    assert says(as_read(await person.presses(last)), "unsubscribe.dropped")
    assert await queries(room, person) == ["cs.CL", "cs.RO"]


@pytest.mark.parametrize("argument", ["", "x", "-1", "²", "9" * 30, "1 2"])
async def test_forged_buttons_change_nothing(room: Room, argument: str) -> None:
    person = await room.person("cs.CL")
    assert says(as_read(await person.presses(f"drop:{argument}")), "unsubscribe.dropped")
    assert (await person.reads("/subscriptions")).strip()
    assert as_read(await person.presses(f"undo:{argument}")).strip()
    other = await room.person("cs.AI", address="other", name="Eve")
    await other.presses(f"drop:{(await followed(room, person))[0].id}")
    assert await queries(room, person) == ["cs.CL"]


async def test_in_a_group_only_administrators_end_something(room: Room) -> None:
    member = await room.person("cs.CL", group=True, admin=False)
    drop, *_ = actions(await member.says("/subscriptions"))
    for answer in (await member.presses(drop), await member.says("/unsubscribe 1"), await member.presses("undo:1")):
        assert says(as_read(answer), "error.admins_only")
    assert await queries(room, member) == ["cs.CL"]


async def test_a_long_list_has_buttons_for_its_beginning(room: Room) -> None:
    person = await room.person(*(f"cs.CL w{number}" for number in range(50)))
    listed = await person.says("/subscriptions")
    assert len(actions(listed)) == 20
    assert says(await person.reads("/unsubscribe 50"), "unsubscribe.done", query="cs.CL w49")


async def test_lists_are_remembered_of_so_many_people_and_no_more(room: Room) -> None:
    listed, chat = Listed(), await a_chat(room.database)
    for number in range(MOST + 10):
        listed.show(chat, Sender(str(number), ""), (number,))
    assert listed.last(chat, Sender("0", "")) is None
    assert listed.last(chat, Sender(str(MOST + 9), "")) == (MOST + 9,)


async def test_what_was_ended_is_kept_and_taken_up_on_both_databases(any_database: Database) -> None:
    chat = await a_chat(any_database, "cs.CL", "cs.CV")
    async with any_database.write() as connection:
        first, _ = await chats.subscriptions_of(connection, chat.id)
        assert await ended.end(connection, chat, first.id, MONDAY) == first
        assert await ended.end(connection, chat, first.id, MONDAY) is None
        assert await ended.named(connection, chat.id, [first.id, 99]) == {first.id: "cs.CL"}
        again = await ended.take_up(connection, chat, first.id, MONDAY, MONDAY)
        assert await ended.take_up(connection, chat, first.id, MONDAY, MONDAY) is None
        _, last = await chats.subscriptions_of(connection, chat.id)
    assert again is not None
    assert (last.since, last.made_at, again.interest) == (first.since, first.made_at, first.interest)
    assert last.id > first.id + 1, "its number is not given again"
