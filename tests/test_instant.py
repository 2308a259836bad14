"""/alert and its buttons: whose papers come at once, said in every way that people would try."""

import pytest

from bot.cards.reply import Button
from bot.digests.compose import Composer
from bot.jobs.alerting import Alerting
from bot.storage import chats, ended
from tests.builders import a_paper, announce
from tests.room import Person, Room, as_read, says

VIT = '"vision transformer"'


async def at_once(room: Room, person: Person) -> list[str]:
    chat = await room.chat(person)
    async with room.database.read() as connection:
        followed = await chats.subscriptions_of(connection, chat.id)
    return [str(each.interest) for each in followed if each.alerts_since is not None]


def actions(buttons: tuple[Button, ...]) -> dict[str, str]:
    return {button.label: button.action for button in buttons}


@pytest.mark.parametrize("said", ["2", "2 on", "2 开", VIT, f"{VIT} on", "“vision transformer” ON"])
async def test_a_subscription_is_named_by_its_number_or_its_words(room: Room, said: str) -> None:
    person = await room.person("cs.CL", VIT)
    answer = await person.reads(f"/alert {said}")
    assert says(answer, "alert.on", query=VIT)
    assert says(answer, "alert.bounds", count=12)
    assert await at_once(room, person) == [VIT]


@pytest.mark.parametrize("said", ["2 off", "2 关", f"{VIT} off", "off", "关闭"])
async def test_and_so_is_the_one_that_comes_with_the_digest_again(room: Room, said: str) -> None:
    person = await room.person("cs.CL", VIT, language="zh")
    await person.says("/alert 2")
    answer = await person.reads(f"/alert {said}")
    key = "alert.off" if VIT in said or "2" in said else "alert.all_off"
    assert says(answer, key, "zh", query=VIT)
    assert await at_once(room, person) == []


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("/alert", "subscriptions.alerts"),
        ("/alert on", "alert.how"),
        ("/alert 3", "alert.how"),
        ("/alert 0", "alert.how"),
        ("/alert robots off", "alert.not_followed"),
        ("/alert cs.CLL", "query.category"),
        ("/alert " + "9" * 3000, "query.too_long"),
    ],
)
async def test_whatever_names_nothing_is_answered_with_the_next_step(room: Room, said: str, key: str) -> None:
    person = await room.person("cs.CL")
    values = {"alert.not_followed": {"query": "robots"}, "query.too_long": {"limit": 500}}
    assert says(await person.reads(said), key, **values.get(key, {}))
    assert await at_once(room, person) == []


async def test_a_number_means_what_it_stood_for_in_the_list_that_was_seen_last(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV", "cs.RO")
    await person.says("/subscriptions")
    chat = await room.chat(person)
    async with room.database.write() as connection:
        first, *_ = await chats.subscriptions_of(connection, chat.id)
        await ended.end(connection, chat, first.id, room.clock.now())
    assert says(await person.reads("/alert 2"), "alert.on", query="cs.CV (Computer Vision and Pattern Recognition)")
    assert await at_once(room, person) == ["cs.CV"]


async def test_a_chat_without_subscriptions_is_told_how_to_begin(room: Room) -> None:
    person = await room.person()
    for said in ("/alert", "/alert off"):
        assert says(await person.reads(said), "subscriptions.none")


async def test_the_answer_to_subscribe_offers_it_and_the_list_has_a_bell_for_each(room: Room) -> None:
    person = await room.person("cs.CL")
    reply = await person.says(f"/subscribe {VIT}")
    assert reply is not None
    (button,) = reply.buttons
    assert button.label == "Alert me at once"
    switched = await person.presses(button.action)
    assert switched is not None
    assert says(as_read(switched), "alert.on", query=VIT)
    assert says(await person.reads(f"/subscribe {VIT}"), "subscribe.alerts")
    listed = await person.says("/subscriptions")
    assert listed is not None
    assert f"2. {VIT} · at once" in listed.text
    bells = actions(listed.buttons)
    assert bells.keys() == {"✕ 1", "✕ 2", "🔔 1", "🔕 2"}
    anew = await person.presses(bells["🔕 2"])
    assert anew is not None
    assert anew.in_place
    assert actions(anew.buttons).keys() == {"✕ 1", "✕ 2", "🔔 1", "🔔 2"}
    assert says(as_read(await person.presses(switched.buttons[0].action)), "alert.off", query=VIT)


async def test_pressing_twice_changes_nothing_more(room: Room) -> None:
    person = await room.person("cs.CL")
    reply = await person.says("/subscriptions")
    assert reply is not None
    for _ in range(2):
        await person.presses(actions(reply.buttons)["🔔 1"])
        assert await at_once(room, person) == ["cs.CL"]


@pytest.mark.parametrize(
    "action", ["alert:", "alert:on", "alert:maybe 1", "alert:on ²", "alert:on 1; x", "alert:on -1"]
)
async def test_what_no_button_of_ours_says_is_answered_kindly(room: Room, action: str) -> None:
    person = await room.person("cs.CL")
    assert says(as_read(await person.presses(action)), "button.stale")


async def test_a_press_acts_on_no_other_chat_and_not_on_what_is_gone(room: Room) -> None:
    person, other = await room.person("cs.CL"), await room.person("cs.CL", address="other")
    async with room.database.read() as connection:
        (theirs,) = await chats.subscriptions_of(connection, (await room.chat(other)).id)
    for action in (f"alert:on {theirs.id}", f"alert:on {theirs.id} list"):
        assert says(as_read(await person.presses(action)), "alert.gone")
    assert says(as_read(await person.presses("alert:on " + "9" * 40)), "button.stale")
    assert await at_once(room, other) == []


async def test_in_a_group_only_admins_change_it(room: Room) -> None:
    member = await room.person("cs.CL", group=True, admin=False)
    for answer in (await member.says("/alert 1"), await member.presses("alert:on 1"), await member.says("/alert off")):
        assert says(as_read(answer), "error.admins_only")
    assert await at_once(room, member) == []
    assert says(await member.reads("/alert"), "subscriptions.title")


async def test_quiet_hours_and_the_bound_are_said(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.says("/settings quiet 22:00-07:00")
    await person.says("/settings cap 1")
    answer = await person.reads("/alert 1")
    assert says(answer, "alert.quiet", until="07:00")
    assert says(answer, "alert.bounds", count=1)


async def test_status_and_why_tell_of_it_and_a_quiet_day_of_what_came_before(room: Room) -> None:
    person = await room.person("ti:paper")
    await person.says("/settings note on")
    assert not says(await person.reads("/status"), "status.alerts", count=1)
    await person.says("/alert 1")
    assert says(await person.reads("/status"), "status.alerts", count=1)
    await announce(room.database, room.clock.turn(minutes=1), a_paper(1))
    composer: Composer = room.services.composer
    await Alerting(room.database, composer).tick(room.clock.now())
    assert [reply.title for _, reply in room.came] == ["Alert · ti:paper"]
    assert says(await person.reads("/why 2603.00001"), "why.alerted", at="12:01")
    assert says(await person.reads("/status"), "status.last_alert", at="12:01")
    await announce(room.database, room.clock.turn(minutes=1), a_paper(2, title="Another matter"))
    await composer.tick(room.clock.turn(days=1))
    assert room.came[-1][1].text == "Nothing more for today: 1 paper came as an alert already."


async def test_why_tells_of_a_new_version(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.says("/settings replacements on")
    await announce(room.database, room.clock.turn(minutes=1), a_paper(1))
    await room.services.composer.tick(room.clock.turn(days=1))
    await announce(room.database, room.clock.turn(minutes=1), a_paper(1, version=2), announce_type="replace")
    await room.services.composer.tick(room.clock.turn(days=1))
    assert says(await person.reads("/why 2603.00001"), "why.replaced", version=2, at="12:02")
    await announce(
        room.database, room.clock.turn(minutes=1), a_paper(1, version=3, withdrawn=True), announce_type="replace"
    )
    await room.services.composer.tick(room.clock.turn(days=1))
    assert says(await person.reads("/why 2603.00001"), "why.withdrawn", at="12:03")


async def test_it_goes_along_in_an_export_and_comes_in_only_with_a_yes(room: Room) -> None:
    person = await room.person("cs.CL", VIT)
    await person.says("/alert 2")
    exported = await person.says("/export")
    assert exported is not None
    assert exported.file is not None
    assert "alerts = [\n  '\"vision transformer\"',\n]" in exported.file.text
    newcomer = await room.person("cs.CL", address="new")
    offer = await newcomer.says(f"/import {exported.file.text}")
    assert offer is not None
    assert says(as_read(offer), "import.alerts")
    assert await at_once(room, newcomer) == []
    await newcomer.presses(offer.buttons[0].action)
    assert await at_once(room, newcomer) == [VIT]
    assert says(await newcomer.reads(f"/import {exported.file.text}"), "import.nothing")
    await newcomer.says("/alert off")
    room.clock.turn(minutes=1)
    assert says(await newcomer.reads(f"/import {exported.file.text}"), "import.alerts")


async def test_an_import_may_name_what_is_to_come_at_once_alone(room: Room) -> None:
    person = await room.person()
    offer = await person.says('/import paperwire = 1\nalerts = ["cs.CL"]')
    assert offer is not None
    await person.presses(offer.buttons[0].action)
    assert await at_once(room, person) == ["cs.CL"]
