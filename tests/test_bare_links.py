"""Links to papers that people of a group post: answered shortly, seldom, and only where that is wanted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cards.reply import Reply
from bot.commands import links
from bot.commands.request import Hearing, Incoming, Sender, Venue
from bot.config import Retention
from bot.jobs.housekeeping import Housekeeper
from bot.locales import CatalogueName, phrases_of
from bot.papers import PaperId, find_linked_ids
from bot.platforms.telegram.render import render
from bot.storage import chats, links_answered, tables
from bot.storage.database import Database
from tests.builders import HandClock, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says
from tests.servers.telegram import TelegramStub
from tests.telegram_listener import ADA, CHANNEL, GROUP, LIN, Listener, listening, settings, small_world, until

LINK = "https://arxiv.org/abs/2603.00001"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        await announce(room.database, room.clock.now(), *map(a_paper, range(1, 41)))
        yield room


async def a_group(room: Room, language: str = "en", **facts: Any) -> Person:
    group = await room.person(group=True, language=language, **facts)
    await group.says("/settings links on")
    return group


async def overheard(room: Room, text: str, group: Person) -> Reply | None:
    sender = Sender("7", "Ada")
    said = Incoming(group.platform, group.address, "Lab", True, sender, text=text, overheard=True)
    return await room.desk.answer(said)


@pytest.mark.parametrize(
    "text",
    [
        "see https://arxiv.org/abs/2603.00001v2.",
        "(http://www.arxiv.org/pdf/2603.00001.pdf)",
        "arxiv.org/html/2603.00001",
        "https://export.arxiv.org/abs/2603.00001",
        "https://www.alphaxiv.org/overview/2603.00001",
        "https://huggingface.co/papers/2603.00001",
        "https://papers.cool/arxiv/2603.00001",
        "https://ar5iv.labs.arxiv.org/html/2603.00001",
        "https://doi.org/10.48550/arXiv.2603.00001",
        "看看https://arxiv.org/abs/2603.00001。",
    ],
)
def test_links_to_arxiv_and_its_readers_are_found(text: str) -> None:
    assert list(find_linked_ids(text)) == ["2603.00001"]


@pytest.mark.parametrize(
    "text",
    [
        "2603.00001",
        "arXiv:2603.00001",
        "https://github.com/lab/papers/2603.00001",
        "https://evilarxiv.org/abs/2603.00001",
        "https://arxiv.org.example.org/abs/2603.00001",
        "somebody@arxiv.org/abs/2603.00001",
        "https://arxiv.org/list/cs.CL/recent",
        "it costs 2603.00001 at https://arxiv.org/",
    ],
)
def test_what_is_no_link_to_a_paper_is_none(text: str) -> None:
    assert list(find_linked_ids(text)) == []


@pytest.mark.parametrize("platform", ["telegram", "discord"])
async def test_a_link_is_answered_with_a_short_card(room: Room, platform: Any) -> None:
    reply = await overheard(room, f"look: {LINK}", await a_group(room, platform=platform))
    assert reply is not None
    (card,) = reply.cards
    assert (card.title, card.url, card.is_line) == ("Paper 1", LINK, True)
    assert card.tldrs[0] == "Ada Lovelace, Wang Zhenyi"
    assert len(card.tldrs) == 2
    assert (reply.text, reply.title, reply.buttons, card.buttons) == ("", "", (), ())
    assert len(render(reply)) == 1


async def test_of_many_links_the_first_three_papers_are_shown(room: Room) -> None:
    text = " ".join(f"https://arxiv.org/abs/2603.0000{number}" for number in (5, 5, 3, 1, 2))
    reply = await overheard(room, text, await a_group(room))
    assert reply is not None
    assert [card.paper_id for card in reply.cards] == ["2603.00005", "2603.00003", "2603.00001"]


async def test_a_paper_is_shown_once_an_hour_in_each_chat(room: Room) -> None:
    group, other = await a_group(room), await a_group(room, address="other")
    assert await overheard(room, LINK, group)
    assert await overheard(room, LINK, group) is None
    assert await overheard(room, LINK, other)
    both = await overheard(room, f"{LINK} https://arxiv.org/abs/2603.00002", group)
    assert both is not None
    assert [card.paper_id for card in both.cards] == ["2603.00002"]
    room.clock.set(room.clock.now() + timedelta(hours=1))
    assert await overheard(room, LINK, group)


async def test_a_flood_of_links_ends_in_silence(room: Room) -> None:
    group = await a_group(room)
    answers = [await overheard(room, f"https://arxiv.org/abs/2603.{number:05}", group) for number in range(1, 41)]
    assert [answer is not None for answer in answers] == [True] * links.MOST + [False] * 10


async def test_a_paper_that_arxiv_does_not_know_is_asked_for_once_and_not_spoken_of(room: Room) -> None:
    group, unknown = await a_group(room), "https://arxiv.org/abs/2603.99999"
    assert await overheard(room, unknown, group) is None
    asked = len(room.arxiv.journal)
    assert await overheard(room, unknown, group) is None
    assert len(room.arxiv.journal) == asked > 0


async def test_an_arxiv_that_takes_long_is_not_spoken_of(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PATIENCE", 0.05)
    async with room.services.client._turn:
        assert await overheard(room, "https://arxiv.org/abs/2603.99999", await a_group(room)) is None


async def test_nothing_is_answered_where_nobody_wants_it(room: Room) -> None:
    silent = await room.person(group=True, address="silent")
    assert await overheard(room, LINK, silent) is None
    paused = await a_group(room, address="paused")
    await paused.says("/pause 7d")
    assert await overheard(room, LINK, paused) is None
    denied = await a_group(room, address="denied")
    async with room.database.write() as connection:
        await chats.set_access(connection, (await room.chat(denied)).id, "denied")
    assert await overheard(room, LINK, denied) is None
    assert await overheard(room, LINK, replace(silent, address="never met")) is None
    async with room.database.read() as connection:
        assert "never met" not in [chat.address for chat in await chats.everyone(connection)]


async def test_a_command_in_what_people_say_to_each_other_is_none(room: Room) -> None:
    group = await a_group(room)
    assert await overheard(room, f"/settings links off {LINK}", group)
    assert (await room.chat(group)).preferences.links


async def test_trouble_of_ours_is_not_spoken_of(room: Room) -> None:
    group = await a_group(room)
    async with room.database.write() as connection:
        await connection.exec_driver_sql("DROP TABLE links_answered")
    assert await overheard(room, LINK, group) is None


async def test_two_processes_answer_a_link_once(any_database: Database, clock: HandClock) -> None:
    chat, now, ids = await a_chat(any_database), clock.now(), [PaperId("2603.00001"), PaperId("2603.00002")]

    async def claim(wanted: list[PaperId]) -> list[PaperId]:
        async with any_database.write() as connection:
            since = now - links.AGAIN_AFTER
            return await links_answered.claim(connection, chat.id, wanted, now, since, links.MOST)

    claimed = await asyncio.gather(*(claim(ids[: 1 + number % 2]) for number in range(6)))
    assert sorted(paper_id for each in claimed for paper_id in each) == ids


async def test_what_was_answered_is_kept_for_an_hour_and_forgotten_with_the_chat(room: Room) -> None:
    group = await a_group(room)
    await overheard(room, LINK, group)
    keeper = Housekeeper(room.database, Retention())
    assert await rows(room.database) == 1
    await keeper.tick(room.clock.now() + timedelta(hours=2))
    assert await rows(room.database) == 0
    room.clock.set(room.clock.now() + timedelta(hours=2))
    await overheard(room, LINK, group)
    async with room.database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM chats")
    assert await rows(room.database) == 0


async def rows(database: Database) -> int:
    async with database.read() as connection:
        return int(
            (await connection.execute(sa.select(sa.func.count()).select_from(tables.links_answered))).scalar_one()
        )


# The setting.


def hearing(person: Person, hears: Hearing) -> Incoming:
    async def asked() -> Hearing:
        return hears

    said = Incoming(person.platform, person.address, "Lab", person.group, Sender("7", "Ada"))
    return replace(said, venue=Venue(hears=asked))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("hears", ["commands", "mentions"])
async def test_whoever_switches_it_on_is_told_what_it_needs(
    room: Room, hears: Hearing, language: CatalogueName
) -> None:
    group = await room.person(group=True, language=language)
    needs = phrases_of(language)(f"links.hears.{hears}")
    on = as_read(await room.desk.answer(replace(hearing(group, hears), text="/settings links on")))
    assert says(on, "settings.changed", language)
    assert needs in on
    assert needs in as_read(await room.desk.answer(replace(hearing(group, hears), action="set:links ?")))
    off = as_read(await room.desk.answer(replace(hearing(group, hears), text="/settings links off")))
    assert needs not in off


async def test_where_everything_is_heard_nothing_is_needed(room: Room) -> None:
    group = await room.person(group=True)
    on = as_read(await room.desk.answer(replace(hearing(group, "all"), text="/settings links on")))
    assert says(on, "settings.links", state="on")
    assert "@BotFather" not in on


async def test_a_private_chat_has_no_use_for_it(room: Room) -> None:
    person = await room.person()
    assert says(await person.reads("/settings links on"), "setting.links.elsewhere")
    assert not (await room.chat(person)).preferences.links


async def test_only_administrators_switch_it_on(room: Room) -> None:
    member = await room.person(group=True, admin=False)
    assert says(await member.reads("/settings links on"), "error.admins_only")
    assert says(as_read(await member.presses("set:links on")), "error.admins_only")


# In Telegram.


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with small_world() as stub:
        yield stub


async def test_in_privacy_mode_telegram_tells_nothing_of_what_people_say(stub: TelegramStub) -> None:
    listener = Listener()
    async with listening(settings(stub), listener):
        assert not stub.say(GROUP, ADA, LINK)
        stub.say(GROUP, ADA, "/status")
        await until(lambda: listener.heard)
        assert await listener.heard[0].venue.hears() == "commands"
        stub.set_admin(GROUP, stub.me["id"])
        assert await listener.heard[0].venue.hears() == "all"
        stub.say(GROUP, ADA, f"look {LINK}", thread=5)
        await until(lambda: len(listener.heard) == 2)
    heard = listener.heard[1]
    assert (heard.text, heard.overheard, heard.address) == (f"look {LINK}", True, f"{GROUP}:5")


async def test_without_privacy_mode_only_links_of_people_are_handed_on(stub: TelegramStub) -> None:
    stub.me["can_read_all_group_messages"] = True
    listener = Listener()
    async with listening(settings(stub), listener):
        stub.say(GROUP, ADA, "2603.00001 is good, and so is https://example.org/abs/2603.00001")
        stub.say(GROUP, ADA, LINK, via_bot=stub.me)
        stub.say(GROUP, ADA, f"/read@another_bot {LINK}")
        stub.say(GROUP, ADA, LINK, sender_chat=CHANNEL, is_automatic_forward=True)
        stub.say(GROUP, LIN, "this one", entities=[{"type": "text_link", "offset": 0, "length": 4, "url": LINK}])
        stub.say(CHANNEL, LIN, LINK)
        await until(lambda: len(listener.heard) == 2)
        assert await listener.heard[0].venue.hears() == "all"
    assert {(incoming.address, incoming.sender.id, incoming.overheard) for incoming in listener.heard} == {
        (str(GROUP), str(LIN), True),
        (str(CHANNEL), str(CHANNEL), True),
    }
    assert listener.heard[0].text.endswith(LINK)


async def test_a_link_is_answered_where_it_was_posted(stub: TelegramStub, room: Room) -> None:
    stub.me["can_read_all_group_messages"] = True
    await a_group(room, address=f"{GROUP}:5")
    async with listening(settings(stub), Listener(answers=room.desk.answer)):
        stub.say(GROUP, ADA, LINK, thread=5)
        answer = await stub.wait_for(lambda message: message.chat_id == GROUP)
    assert answer.thread == 5
    assert answer.text.startswith("Paper 1\nAda Lovelace, Wang Zhenyi\n")
    assert {entity.get("url") for entity in answer.entities} >= {LINK}
    assert answer.buttons == []


async def test_where_telegram_does_not_say_what_the_bot_hears_nothing_is_claimed(stub: TelegramStub) -> None:
    listener = Listener()
    async with listening(settings(stub), listener):
        stub.say(GROUP, ADA, "/status")
        await until(lambda: listener.heard)
        stub.fail_next("500", method="getMe")
        assert await listener.heard[0].venue.hears() == "all"
