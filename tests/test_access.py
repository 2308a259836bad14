"""Who is let in: nobody before an operator said so; the operator is who knew the one-time code."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cards.reply import Reply
from bot.commands.context import Claim
from bot.commands.desk import COMMANDS
from bot.locales import phrases_of
from bot.storage import outbox
from bot.storage.database import Database
from tests.builders import a_paper, announce
from tests.room import ANYTHING, Person, Room, a_room, as_read, says

WAITING = phrases_of("en")("access.waiting")
REFUSED = phrases_of("en")("error.operators_only")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path, is_open=False) as made:
        yield made


@pytest.fixture
async def operator(room: Room) -> Person:
    person = Person(room.desk, address="operator", name="Grace")
    assert says(await person.reads("/start let-me-in"), "start.claimed")
    return person


async def queued(database: Database) -> int:
    async with database.read() as connection:
        return sum((await outbox.counts(connection)).values())


def request_in(room: Room) -> Reply:
    return room.came[-1][1]


async def test_nothing_is_done_for_a_chat_that_was_not_let_in(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1, "cs.CL"))
    stranger = Person(room.desk)
    for command in COMMANDS:
        if command.name != "help":
            assert WAITING in await stranger.reads(f"/{command.name} cs.CL 2603.00001 cap 5"), command.name
    for action in ("abstract:2603.00001", "more:2603.00001", "set:cap 5", "allow:1"):
        assert WAITING in as_read(await stranger.presses(action)), action
    assert "Paper 1" not in await stranger.reads("2603.00001")
    chat = await room.chat(stranger)
    assert (chat.access, chat.preferences.cap, chat.next_digest_at) == ("waiting", 12, None)
    assert room.arxiv.journal == []


async def test_a_group_that_was_not_let_in_is_told_so_but_not_at_every_word(room: Room) -> None:
    group = Person(room.desk, group=True)
    assert WAITING in await group.reads("/subscribe cs.CL")
    assert await group.says("good morning") is None


async def test_help_is_for_everybody(room: Room) -> None:
    assert says(await Person(room.desk).reads("/help"), "help.title")


async def test_the_waiting_are_told_so_in_their_own_language(room: Room) -> None:
    assert says(await Person(room.desk, language="zh-CN").reads("/start"), "access.waiting", "zh")


async def test_the_code_makes_an_operator_once(room: Room, operator: Person) -> None:
    assert (await room.chat(operator)).access == "allowed"
    assert says(await operator.reads("/subscribe cs.CL"), "query.named", query="cs.CL")
    assert WAITING in await Person(room.desk, address="late", name="Eve").reads("/start let-me-in")


@pytest.mark.parametrize("address", ["-100", "-100:5"])
async def test_a_group_that_writes_as_itself_is_no_operator(room: Room, address: str) -> None:
    anonymous = Person(room.desk, address=address, group=True, name="-100")
    assert says(await anonymous.reads("/start let-me-in"), "start.in_private")
    assert says(await Person(room.desk).reads("/start let-me-in"), "start.claimed")


async def test_wrong_guesses_open_nothing_and_lock_nobody_out(room: Room) -> None:
    guesser = Person(room.desk, address="guesser", name="Mallory")
    for number in range(30):
        assert WAITING in await guesser.reads(f"/start guess-{number}")
    assert says(await Person(room.desk).reads("/start let-me-in"), "start.claimed")


def test_the_code_is_too_long_to_be_guessed_and_another_at_every_start() -> None:
    codes = {Claim().code or "" for _ in range(50)}
    assert len(codes) == 50
    assert min(map(len, codes)) >= 12


@pytest.mark.parametrize(
    "said", ["/start LET-ME-IN", "/start let-me-in x", "/start let", "/start", "let-me-in", "/start é"]
)
async def test_what_is_not_quite_the_code_opens_nothing(room: Room, said: str) -> None:
    stranger = Person(room.desk)
    await stranger.says(said)
    assert (await room.chat(stranger)).access == "waiting"


async def test_a_waiting_chat_is_brought_to_the_operator_once_with_buttons(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    for said in ("/start", "/subscribe cs.CL", "/digest"):
        assert WAITING in await stranger.reads(said)
    request = request_in(room)
    assert request.text == phrases_of("en")("access.request", title="Eve's", platform="Telegram", sender="Eve")
    assert [button.label for button in request.buttons] == list(map(phrases_of("en"), ("button.allow", "button.deny")))
    assert await queued(room.database) == 1
    assert "deliver" in room.scheduler.woken
    await Person(room.desk, address="other", name="Mallory").says("/start")
    assert await queued(room.database) == 2


async def test_the_request_is_in_the_operators_language_and_short(room: Room, operator: Person) -> None:
    await operator.says("/settings language zh")
    await Person(room.desk, address="lab", name="Eve" * 200).says("/start")
    assert says(request_in(room).text, "access.request", "zh", title=ANYTHING, platform="Telegram", sender=ANYTHING)
    assert len(request_in(room).text) < 200


async def test_a_chat_that_asked_before_there_was_an_operator_is_brought_when_it_speaks_again(room: Room) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    await Person(room.desk, address="operator", name="Grace").says("/start let-me-in")
    assert await queued(room.database) == 0
    await stranger.says("/start")
    assert await queued(room.database) == 1


async def test_a_chat_that_is_let_in_is_told_and_can_subscribe(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    allow, _ = request_in(room).buttons
    assert says(as_read(await operator.presses(allow.action)), "access.allowed_done", title="Eve's")
    assert request_in(room).text == phrases_of("en")("access.allowed")
    assert says(await stranger.reads("/subscribe cs.CL"), "query.named", query="cs.CL")
    before = await queued(room.database)
    await operator.presses(allow.action)
    assert await queued(room.database) == before


async def test_a_chat_that_is_kept_out_is_told_when_it_speaks_and_asks_no_more(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    allow, deny = request_in(room).buttons
    assert says(as_read(await operator.presses(deny.action)), "access.denied_done", title="Eve's")
    asked = await queued(room.database)
    assert says(await stranger.reads("/subscribe cs.CL"), "access.denied")
    assert await queued(room.database) == asked
    await operator.presses(allow.action)
    assert says(await stranger.reads("/subscribe cs.CL"), "query.named", query="cs.CL")


async def test_who_was_let_in_once_can_be_put_out(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    allow, deny = request_in(room).buttons
    await operator.presses(allow.action)
    await operator.presses(deny.action)
    assert says(await stranger.reads("/digest"), "access.denied")


async def test_only_an_operator_lets_chats_in(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    allow, deny = request_in(room).buttons
    for button in (allow, deny):
        assert WAITING in as_read(await stranger.presses(button.action))
        in_his_chat = replace(operator, name="Eve")
        assert REFUSED in as_read(await in_his_chat.presses(button.action))
    assert (await room.chat(stranger)).access == "waiting"


async def test_an_operator_of_one_platform_is_nobody_on_another(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    namesake = await room.person(platform="discord", name="Grace")
    answer = await namesake.presses(request_in(room).buttons[0].action)
    assert REFUSED in as_read(answer)


async def test_an_operator_needs_no_admin_in_a_group(room: Room, operator: Person) -> None:
    group = await room.person(address="group", group=True, admin=False, name="Grace")
    assert says(await group.reads("/subscribe cs.CL"), "query.named", query="cs.CL")


@pytest.mark.parametrize("argument", ["", "x", "-1", "0", "99", "²", "9" * 40])
async def test_a_button_for_a_chat_that_is_no_more_says_so(room: Room, operator: Person, argument: str) -> None:
    assert says(as_read(await operator.presses(f"allow:{argument}")), "access.unknown")
    assert says(as_read(await operator.presses(f"deny:{argument}")), "access.unknown")


async def test_an_open_bot_lets_everybody_in(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=True) as room:
        for facts in ({"address": "1"}, {"address": "2", "group": True}, {"platform": "discord"}):
            anyone: Any = Person(room.desk, **facts)
            assert says(await anyone.reads("/subscribe cs.CL"), "query.named", query="cs.CL")
        answer = await Person(room.desk).presses("allow:1")
        assert REFUSED in as_read(answer)


async def test_the_web_chat_is_the_operators_own(room: Room) -> None:
    web = Person(room.desk, platform="web", name="local")
    assert says(await web.reads("/subscribe cs.CL"), "query.named", query="cs.CL")
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    allow = f"allow:{(await room.chat(stranger)).id}"
    assert says(as_read(await web.presses(allow)), "access.allowed_done", title="Eve's")
