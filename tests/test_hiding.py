"""Hide: what a paper brought here is left out from now on, plainly said, and undone by one press."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.announcements import Announcement, midnight_of
from bot.cards.reply import Reply
from bot.chats import Subscription
from bot.interests import stored_interest
from bot.storage import announcements, changes, chats
from bot.storage.changes import Change
from bot.storage.database import Database
from tests.builders import MONDAY, TODAY, a_chat, a_paper, announce
from tests.room import Person, Room, as_read, says

VIDEO = a_paper(1, "cs.CV", "cs.RO", title="Video generation for robots", abstract="We ask a language model.")
PLAIN = a_paper(2, "cs.CV", title="Colours", abstract="We paint.")
HIDE = "hide:2603.00001"


async def reader(room: Room, *queries: str, **facts: object) -> Person:
    await announce(room.database, room.clock.now(), VIDEO, PLAIN)
    return await room.person(*queries, **facts)


async def followed(room: Room, person: Person) -> list[Subscription]:
    async with room.database.read() as connection:
        return await chats.subscriptions_of(connection, (await room.chat(person)).id)


async def queries(room: Room, person: Person) -> list[str]:
    return [str(each.interest) for each in await followed(room, person)]


def actions(reply: Reply | None) -> dict[str, str]:
    assert reply is not None
    return {button.label: button.action for button in reply.buttons}


async def test_it_tells_what_brought_the_paper_and_what_can_be_left_out(room: Room) -> None:
    person = await reader(room, "cs.CV", "cs.CL")
    menu = await person.presses(HIDE)
    assert actions(menu) == {
        "Leave out Video Generation": "exclude:2603.00001 #video-generation",
        "Leave out cs.RO Robotics": "exclude:2603.00001 cs.RO",
        "Unsubscribe cs.CV": f"drop:{(await followed(room, person))[0].id}",
    }
    assert menu is not None
    assert "Video generation for robots" in menu.text
    assert "• cs.CV\n" in menu.text
    assert "cs.CL" not in menu.text, "that did not bring it"
    assert (menu.is_aside, menu.in_place) == (True, False)
    assert all(len(button.action.encode()) <= 60 for button in menu.buttons)


async def test_what_is_left_out_comes_no_more_and_everything_else_does(room: Room) -> None:
    person = await reader(room, "cs.CV", "cs.CL")
    before = (await followed(room, person))[0]
    done = await person.presses("exclude:2603.00001 #video-generation")
    assert done is not None
    assert done.in_place
    assert done.title == "From now on without: Video Generation"
    assert "• cs.CV → cs.CV -#video-generation" in done.text
    changed = (await followed(room, person))[0]
    assert str(changed.interest) == "cs.CV -#video-generation"
    assert (changed.id, changed.since, changed.made_at) == (before.id, before.since, before.made_at)
    assert (await queries(room, person))[1] == "cs.CL"
    again = (replace(each, id=f"2603.0001{number}") for number, each in enumerate((VIDEO, PLAIN)))
    await announce(room.database, room.clock.turn(hours=1), *again)
    await room.services.composer.tick(room.clock.turn(days=1))
    assert [card.paper_id for _, reply in room.came for card in reply.cards] == ["2603.00002", "2603.00011"]


async def test_one_press_undoes_it_once(room: Room) -> None:
    person = await reader(room, "cs.CV")
    before = await followed(room, person)
    undo = actions(await person.presses("exclude:2603.00001 cs.RO"))["Undo"]
    assert await queries(room, person) == ["cs.CV -cs.RO"]
    undone = await person.presses(undo)
    assert says(as_read(undone), "hide.undone")
    assert undone is not None
    assert undone.in_place
    assert await followed(room, person) == before
    assert says(as_read(await person.presses(undo)), "hide.cannot_undo")


async def test_a_subscription_that_was_ended_comes_back_owing_what_it_owed(room: Room) -> None:
    person = await reader(room, "cs.CV")
    (before,) = await followed(room, person)
    room.clock.turn(days=2)
    done = await person.presses(f"drop:{before.id}")
    assert says(as_read(done), "unsubscribe.done", query="cs.CV")
    assert await queries(room, person) == []
    assert (await room.chat(person)).next_digest_at is None
    await person.presses(actions(done)["Undo"])
    (after,) = await followed(room, person)
    assert (str(after.interest), after.since, after.made_at) == ("cs.CV", before.since, before.made_at)
    assert (await room.chat(person)).next_digest_at is not None


async def test_what_was_changed_again_meanwhile_is_not_undone(room: Room) -> None:
    person = await reader(room, "cs.CV")
    first = actions(await person.presses("exclude:2603.00001 #video-generation"))["Undo"]
    await person.says("/unsubscribe cs.CV -#video-generation")
    await person.says("/subscribe cs.CV -survey")
    assert says(as_read(await person.presses(first)), "hide.cannot_undo")
    assert await queries(room, person) == ["cs.CV -survey"]


async def test_another_chat_can_neither_end_nor_undo(room: Room) -> None:
    person = await reader(room, "cs.CV")
    (mine,) = await followed(room, person)
    undo = actions(await person.presses("exclude:2603.00001 cs.RO"))["Undo"]
    stranger = await room.person("cs.CV", address="2")
    assert says(as_read(await stranger.presses(f"drop:{mine.id}")), "unsubscribe.dropped")
    assert says(as_read(await stranger.presses(undo)), "hide.cannot_undo")
    assert await queries(room, person) == ["cs.CV -cs.RO"]
    assert await queries(room, stranger) == ["cs.CV"]
    assert says(as_read(await person.presses(undo)), "hide.undone")


async def test_what_nobody_here_follows_cannot_be_hidden(room: Room) -> None:
    menu = await (await reader(room, "cs.CL")).presses(HIDE)
    assert says(as_read(menu), "hide.nothing")
    assert menu is not None
    assert menu.is_aside


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        ("#video-generation", ["Leave out cs.CV Computer Vision and Pattern Recognition", "Leave out cs.RO Robotics"]),
        ("cs.CV+cs.RO", ["Leave out Video Generation"]),
        ("robots -#agents", ["Leave out Video Generation", "Leave out cs.CV Computer Vision and Pattern Recognition"]),
        ("cs.CV " + " OR ".join(f"robots{number}" for number in range(48)) + " OR video", []),
    ],
    ids=["a topic", "both categories", "words", "as long as can be"],
)
async def test_nothing_is_offered_that_would_make_no_sense(room: Room, query: str, offered: list[str]) -> None:
    menu = await (await reader(room, query)).presses(HIDE)
    labels = [label for label in actions(menu) if label.startswith("Leave out")]
    assert labels[: len(offered)] == offered
    assert bool(labels) == bool(offered)


async def test_what_another_subscription_asks_for_is_not_left_out_of_this_one(room: Room) -> None:
    person = await reader(room, "cs.CV", "#video-generation")
    assert "Leave out Video Generation" not in actions(await person.presses(HIDE))
    assert says(as_read(await person.presses("exclude:2603.00001 #video-generation")), "hide.cannot")
    await person.presses("exclude:2603.00001 cs.RO")
    assert await queries(room, person) == ["cs.CV -cs.RO", "#video-generation -cs.RO"]


async def test_what_cannot_be_changed_is_refused_kindly(room: Room) -> None:
    person = await reader(room, "cs.CV", "cs.CV -cs.RO")
    assert says(as_read(await person.presses("exclude:2603.00001 cs.RO")), "hide.cannot")
    assert says(as_read(await person.presses("exclude:2603.00001 cs.CV")), "hide.cannot")
    assert await queries(room, person) == ["cs.CV", "cs.CV -cs.RO"]


@pytest.mark.parametrize("argument", ["2603.00001 cs.XX", "2603.00001 #nothing", "2603.00001 -survey", "2603.00001"])
async def test_what_no_button_says_changes_nothing(room: Room, argument: str) -> None:
    person = await reader(room, "cs.CV")
    assert says(as_read(await person.presses(f"exclude:{argument}")), "button.stale")
    assert await queries(room, person) == ["cs.CV"]


async def test_the_effect_is_told_going_by_the_last_week(room: Room) -> None:
    person = await reader(room, "cs.CV")
    async with room.database.write() as connection:
        known = Announcement("cs.CV", TODAY, midnight_of(TODAY), "fresh", {"new": 2})
        await announcements.put(connection, [known])
    done = await person.presses("exclude:2603.00001 cs.RO")
    assert says(as_read(done), "hide.effect", before=2, after=1)


async def test_from_a_cards_menu_it_takes_the_menus_place(room: Room) -> None:
    person = await reader(room, "cs.CV")
    menu = await person.presses("card:2603.00001")
    assert menu is not None
    assert (menu.text, menu.is_aside, menu.in_place) == ("Video generation for robots", True, False)
    assert list(actions(menu)) == ["BibTeX", "Similar", "Hide…", "👍", "👎"]
    offer = await person.presses(actions(menu)["Hide…"])
    assert says(as_read(offer), "hide.title")
    assert offer is not None
    assert (offer.is_aside, offer.in_place) == (False, True)


async def test_it_is_told_in_chinese(room: Room) -> None:
    person = await reader(room, "cs.CV", language="zh")
    menu = await person.presses(HIDE)
    assert says(as_read(menu), "hide.title", "zh")
    assert "不看 视频生成" in actions(menu)
    done = await person.presses(actions(menu)["不看 视频生成"])
    assert says(as_read(done), "hide.done", "zh", what="视频生成")


async def test_what_a_button_changed_is_the_same_on_both_databases(any_database: Database) -> None:
    chat = await a_chat(any_database, "cs.CV", "cs.CL")
    async with any_database.write() as connection:
        before = await chats.subscriptions_of(connection, chat.id)
        wanted = [
            Change(each, stored_interest(query))
            for each, query in zip(before, ("cs.CV -cs.RO", "cs.CL -cs.RO"), strict=True)
        ]
        number = await changes.make(connection, chat, wanted, MONDAY)
        after = await chats.subscriptions_of(connection, chat.id)
        assert [(each.id, each.interest) for each in after] == [(each.before.id, each.after) for each in wanted]
        assert await changes.undo(connection, chat, number, MONDAY) == ["cs.CV", "cs.CL"]
        assert await chats.subscriptions_of(connection, chat.id) == before
        number = await changes.make(connection, chat, wanted[:1], MONDAY)
        await changes.prune(connection, MONDAY)
        assert await changes.undo(connection, chat, number, MONDAY) == ["cs.CV"]
        number = await changes.make(connection, chat, wanted[1:], MONDAY)
        await changes.prune(connection, MONDAY + timedelta(seconds=1))
        assert await changes.undo(connection, chat, number, MONDAY) is None
