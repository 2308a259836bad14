"""Coming back: a chat that was given up, or a restored backup, goes on from now or catches up, as its people like."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.commands.notices import ask_about_restore, explain_detour, tell_operators
from bot.commands.returning import TIME_TO_CHOOSE, welcome_back
from bot.storage import chats, marks, operators, outbox
from tests.builders import MONDAY, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says

AWAY = timedelta(days=3)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


async def away(room: Room, *queries: str) -> Person:
    """A person who blocked the bot on Monday, while a digest was on its way; three days and two papers went by."""
    person = await room.person(*queries)
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await outbox.put(connection, chat.id, None, "d", ["old digest"], MONDAY)
        await chats.deactivate(connection, chat.id, "bot was blocked by the user", MONDAY)
    room.clock.set(MONDAY + AWAY)
    await announce(room.database, MONDAY + timedelta(days=1), a_paper(1, "cs.CL"), a_paper(2, "cs.CL"))
    return person


async def waiting(room: Room) -> dict[str, int]:
    async with room.database.read() as connection:
        return await outbox.counts(connection)


async def may_leave(room: Room, chat: Chat) -> int:
    async with room.database.read() as connection:
        ((_, queue),) = await outbox.queues(connection, [chat.id], room.clock.now())
    return sum(not message.urgent for message in queue)


def question(room: Room) -> Reply:
    return next(
        reply for _, reply in reversed(room.came) if any("return:" in button.action for button in reply.buttons)
    )


async def test_whoever_writes_after_a_block_is_answered_and_asked_how_to_go_on(room: Room) -> None:
    person = await away(room, "cs.CL")
    assert says(await person.reads("/start"), "start.hello")
    assert (await room.chat(person)).inactive_because is None
    assert says(as_read(question(room)), "return.question", since="2026-03-02")
    assert await may_leave(room, await room.chat(person)) == 0, "what waited is held back for the choice"


async def test_from_now_on_leaves_out_what_came_meanwhile(room: Room) -> None:
    person = await away(room, "cs.CL")
    await person.reads("/start")
    answer = as_read(await person.presses("return:from-now"))
    assert says(answer, "return.from_now")
    assert (await waiting(room))["void"] >= 1
    chat = await room.chat(person)
    room.clock.set(chat.next_digest_at or MONDAY)
    assert await room.services.composer.daily(chat, room.clock.now()) == 0


async def test_catching_up_sends_what_waited_and_makes_the_digest_at_once(room: Room) -> None:
    person = await away(room, "cs.CL")
    await person.reads("/start")
    assert says(as_read(await person.presses("return:catch-up")), "return.catching_up")
    chat = await room.chat(person)
    assert await may_leave(room, chat) == 1
    assert await room.services.composer.daily(chat, room.clock.now()) == 2
    assert {"digest", "deliver"} <= set(room.scheduler.woken)


async def test_who_says_nothing_catches_up_after_a_while(room: Room) -> None:
    person = await away(room, "cs.CL")
    await person.reads("/start")
    chat = await room.chat(person)
    room.clock.set(room.clock.now() + TIME_TO_CHOOSE)
    assert await may_leave(room, chat) == 1
    assert await room.services.composer.daily(chat, room.clock.now()) == 2


async def test_a_chat_that_missed_nothing_is_not_asked(room: Room) -> None:
    person = await room.person()
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await chats.deactivate(connection, chat.id, "blocked", MONDAY)
    assert await welcome_back(room.services, await room.chat(person)) is None
    assert (await room.chat(person)).inactive_because is None


async def test_in_a_group_only_administrators_choose(room: Room) -> None:
    person = replace(await room.person("cs.CL", group=True), admin=False)
    assert says(as_read(await person.presses("return:from-now")), "error.admins_only")


async def test_a_forged_choice_changes_nothing(room: Room) -> None:
    person = await away(room, "cs.CL")
    await person.reads("/start")
    assert says(as_read(await person.presses("return:whatever")), "button.stale")
    assert says(as_read(await person.presses("restored:catch-up")), "error.operators_only")
    assert "void" not in await waiting(room)


async def some_operators(room: Room, *languages: str) -> list[Chat]:
    found = []
    for number, language in enumerate(languages):
        chat = await a_chat(room.database, platform="telegram", address=f"operator {number}", language=language)
        async with room.database.write() as connection:
            await operators.add(connection, "telegram", str(number), chat.id)
        found.append(chat)
    return found


async def test_operators_are_told_of_a_cause_once_a_day_however_many_chats_it_touches(room: Room) -> None:
    await some_operators(room, "en", "zh")
    for _ in range(500):
        await tell_operators(room.services, "discord", "no_rights", "Missing Permissions")
    assert await waiting(room) == {"pending": 2}
    texts = [reply.text for _, reply in room.came[:2]]
    assert says(texts[0], "notice.no_rights", platform="Discord", reason="Missing Permissions")
    assert says(texts[1], "notice.no_rights", "zh", platform="Discord", reason="Missing Permissions")
    await tell_operators(room.services, "telegram", "no_rights", "another platform")
    room.clock.turn(days=1)
    await tell_operators(room.services, "discord", "no_rights", "still")
    assert await waiting(room) == {"pending": 6}


async def test_a_group_whose_topic_is_closed_is_told_why_digests_come_to_it(room: Room) -> None:
    await a_chat(room.database, platform="telegram", address="-100", is_group=True, language="en")
    await explain_detour(room.services, "telegram", "-100", "TOPIC_CLOSED")
    assert says(room.came[-1][1].text, "chat.detour", reason="TOPIC_CLOSED")


async def restored(room: Room) -> Person:
    (chat, *_) = await some_operators(room, "en")
    async with room.database.write() as connection:
        await marks.put(connection, marks.RESTORED, MONDAY.isoformat())
        await outbox.put(connection, chat.id, None, "old", ["old digest"], MONDAY)
    return Person(room.desk, platform="telegram", address=chat.address, name="0")


async def test_after_a_restore_the_operator_is_asked_and_from_now_sends_nothing_old(room: Room) -> None:
    operator = await restored(room)
    reader = await room.person("cs.CL", address="reader")
    await announce(room.database, MONDAY + timedelta(hours=1), a_paper(1, "cs.CL"))
    room.clock.turn(days=1)
    await ask_about_restore(room.services, MONDAY)
    assert says(as_read(room.came[-1][1]), "restore.question", at="2026-03-02 12:00 UTC")
    assert await room.services.composer.tick(room.clock.now()) is None, "nothing is composed before the choice"
    assert says(as_read(await operator.presses("restored:from-now")), "restore.from_now")
    assert (await waiting(room))["void"] == 1
    chat = await room.chat(reader)
    assert chat.next_digest_at is not None
    assert chat.next_digest_at > room.clock.now()
    assert await room.services.composer.daily(chat, chat.next_digest_at) == 0
    assert says(as_read(await operator.presses("restored:catch-up")), "restore.decided")


async def test_after_a_restore_catching_up_goes_on_with_everything(room: Room) -> None:
    operator = await restored(room)
    await room.person("cs.CL", address="reader")
    await announce(room.database, MONDAY + timedelta(hours=1), a_paper(1, "cs.CL"))
    room.clock.turn(days=1)
    assert says(as_read(await operator.presses("restored:catch-up")), "restore.catching_up")
    assert "void" not in await waiting(room)
    await room.services.composer.tick(room.clock.now())
    assert len(room.came) >= 1
