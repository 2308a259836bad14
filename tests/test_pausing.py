"""A pause: nothing comes unasked, all is gathered, and afterwards it goes on by itself or as its people like."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from bot.chats import UNTIL_RESUMED, Preferences, next_digest_at
from bot.commands.pausing import pause_until
from bot.digests.compose import Composer
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import bans, chats, ended, moves, outbox
from bot.storage.bans import Ban
from bot.storage.database import Database
from bot.summary import Summary
from tests.builders import MONDAY, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says

SHANGHAI = Preferences(zone="Asia/Shanghai")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("7d", MONDAY + timedelta(days=7)),
        ("12h", MONDAY + timedelta(hours=12)),
        ("2 weeks", MONDAY + timedelta(weeks=2)),
        ("7天", MONDAY + timedelta(days=7)),
        ("12 小时", MONDAY + timedelta(hours=12)),
        ("2周", MONDAY + timedelta(weeks=2)),
        ("", UNTIL_RESUMED),
        ("until 2026-12-24", datetime(2026, 12, 24, 1, 0, tzinfo=UTC)),
        ("到2026-12-24", datetime(2026, 12, 24, 1, 0, tzinfo=UTC)),
        ("2026-3-9", datetime(2026, 3, 9, 1, 0, tzinfo=UTC)),
    ],
)
def test_a_pause_ends_when_its_words_say_and_on_a_day_at_the_digest(text: str, until: datetime) -> None:
    assert pause_until(text, SHANGHAI, MONDAY) == until


@pytest.mark.parametrize(
    "text",
    ["0d", "-1d", "7", "soon", "7 moons", "until 2026-02-01", "until 2026-02-31", "until 9999-12-31", "9999w", "٧d"],
)
def test_what_says_no_time_to_come_is_no_pause(text: str) -> None:
    assert pause_until(text, SHANGHAI, MONDAY) is None


def test_a_pause_does_not_end_in_quiet_hours() -> None:
    quiet = replace(SHANGHAI, quiet=(time(22), time(7)))
    assert pause_until("12h", quiet, MONDAY) == datetime(2026, 3, 3, 1, 0, tzinfo=UTC) - timedelta(hours=1)  # 08:00
    assert pause_until("4h", quiet, MONDAY) == datetime(2026, 3, 2, 23, 0, tzinfo=UTC), "07:00 there"


async def leaving(database: Database, chat_id: int, now: datetime) -> int:
    async with database.read() as connection:
        ((_, queue),) = await outbox.queues(connection, [chat_id], now)
    return sum(not message.urgent for message in queue)


async def days_go_by(room: Room, days: int, first: int = 1) -> None:
    """Each day a paper comes and every tick is called at noon."""
    for number in range(first, first + days):
        await announce(room.database, room.clock.turn(hours=1), a_paper(number, "cs.CL"))
        await room.services.composer.tick(room.clock.turn(hours=23))


async def test_nothing_comes_in_a_pause_and_the_first_digest_afterwards_has_it_all(room: Room) -> None:
    person = await room.person("cs.CL")
    assert says(await person.reads("/pause 3d"), "pause.until", at="Thu 5 Mar 12:00")
    await days_go_by(room, 3)
    assert room.came == []
    due = (await room.chat(person)).next_digest_at
    assert due == datetime(2026, 3, 6, 9, 0, tzinfo=UTC), "the first digest time after the pause"
    await room.services.composer.tick(room.clock.set(due))
    ((_, digest),) = room.came
    assert {card.title for card in digest.cards} == {"Paper 1", "Paper 2", "Paper 3"}
    assert not (await room.chat(person)).is_paused(room.clock.now())


async def test_a_pause_that_ends_at_the_digest_time_does_not_cost_that_day(any_database: Database) -> None:
    chat = await a_chat(any_database, "cs.CL")
    until = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    async with any_database.write() as connection:
        paused = await chats.pause(connection, chat.id, until, MONDAY)
    assert (paused.next_digest_at, paused.paused_until) == (until, until)
    async with any_database.read() as connection:
        assert await chats.due(connection, until - timedelta(seconds=1), ["web"]) == []
        assert await chats.due(connection, until, ["web"]) == [chat.id]
        assert await chats.next_due_at(connection, ["web"]) == until


async def test_what_a_paused_chat_follows_is_read_all_the_while(any_database: Database) -> None:
    chat = await a_chat(any_database, "cs.CL")
    async with any_database.write() as connection:
        await chats.pause(connection, chat.id, UNTIL_RESUMED, MONDAY)
        assert await chats.followed_categories(connection) == {"cs.CL"}
        (current,) = await chats.everyone(connection)
    assert current.paused_until == UNTIL_RESUMED
    assert current.next_digest_at is not None
    assert current.next_digest_at > UNTIL_RESUMED


async def test_a_digest_that_was_overdue_waits_too(any_database: Database) -> None:
    chat = await a_chat(any_database, "cs.CL")
    late = MONDAY + timedelta(days=3)
    async with any_database.write() as connection:
        await chats.pause(connection, chat.id, late + timedelta(days=7), late)
        assert await chats.due(connection, late, ["web"]) == []
        resumed = await chats.pause(connection, chat.id, None, late)
    assert resumed.next_digest_at == next_digest_at(chat.preferences, late, None)


async def test_a_digest_that_is_being_written_when_the_pause_begins_is_not_sent(room: Room) -> None:
    person, other = await room.person("cs.CL"), await room.person("cs.CL", address="other")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))

    async def pause_meanwhile(papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        if not (await room.chat(person)).is_paused(room.clock.now()):
            await person.reads("/pause 7d")
        return await room.services.summarise(papers)

    composer = Composer(room.database, pause_meanwhile, room.services.renders, ("cs.CL",), Metrics())
    await composer.tick(room.clock.turn(days=1))
    async with room.database.read() as connection:
        queues = await outbox.queues(
            connection, [(await room.chat(each)).id for each in (person, other)], room.clock.now()
        )
    assert [(chat.address, len(queue)) for chat, queue in queues] == [("papers", 0), ("other", 1)]


async def test_what_was_on_its_way_waits_for_the_end(room: Room) -> None:
    person = await room.person("cs.CL")
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await outbox.put(connection, chat.id, None, "old", ["a digest"], MONDAY)
    await person.reads("/pause 7d")
    assert await leaving(room.database, chat.id, MONDAY + timedelta(days=6)) == 0
    assert await leaving(room.database, chat.id, MONDAY + timedelta(days=7)) == 1


async def test_what_waits_for_the_end_of_a_pause_does_not_count_as_late(any_database: Database) -> None:
    chat, other = await a_chat(any_database, "cs.CL"), await a_chat(any_database, "cs.CL", address="other")
    until = MONDAY + timedelta(days=7)
    async with any_database.write() as connection:
        await outbox.put(connection, chat.id, None, "old", ["a digest"], MONDAY)
        await chats.pause(connection, chat.id, until, MONDAY)
        await outbox.hold_back(connection, chat.id, until)
        (depth,) = await outbox.depths(connection)
        assert (depth.messages, depth.oldest_at) == (1, None)
        await outbox.put(connection, other.id, None, "other", ["a digest"], MONDAY)
        assert {each.state: each.oldest_at for each in await outbox.depths(connection)} == {
            "waiting": None,
            "pending": MONDAY,
        }


async def test_a_digest_that_is_asked_for_comes_in_a_pause_and_brings_what_waited(room: Room) -> None:
    person = await room.person("cs.CL")
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await outbox.put(connection, chat.id, None, "old", ["a digest"], MONDAY)
    await person.reads("/pause")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    assert await person.says("/digest") is None
    assert await leaving(room.database, chat.id, room.clock.now()) == 2
    assert (await room.chat(person)).is_paused(room.clock.now())


async def test_status_and_settings_say_that_the_chat_is_paused(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.reads("/pause 12h")
    for command in ("/status", "/settings", "/settings time 10:00"):
        assert says(await person.reads(command), "pause.until", at="Tue 3 Mar 00:00")
    await person.reads("/pause")
    for command in ("/status", "/settings"):
        answer = await person.reads(command)
        assert says(answer, "pause.on")
        assert says(answer, "status.next", at="after /resume")
    await person.reads("/resume")
    assert not says(await person.reads("/status"), "pause.on")


async def test_a_pause_that_nobody_can_read_changes_nothing(room: Room) -> None:
    person = await room.person("cs.CL")
    before = await room.chat(person)
    assert says(await person.reads("/pause for ever"), "pause.how", value="for ever")
    assert await room.chat(person) == before


async def test_resuming_asks_about_what_came_and_no_answer_loses_nothing(room: Room) -> None:
    person = await paused_for_days(room)
    reply = await person.says("/resume")
    assert says(as_read(reply), "resume.owed", count=2)
    assert reply is not None
    assert [button.action for button in reply.buttons] == ["return:from-now", "return:catch-up"]
    chat = await room.chat(person)
    assert chat.next_digest_at == datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    await room.services.composer.tick(room.clock.set(chat.next_digest_at))
    assert len(room.came[-1][1].cards) == 2


async def paused_for_days(room: Room) -> Person:
    person = await room.person("cs.CL")
    await person.reads("/pause")
    await days_go_by(room, 2)
    return person


async def test_resuming_from_now_leaves_out_what_came(room: Room) -> None:
    person = await paused_for_days(room)
    await person.reads("/resume")
    assert says(as_read(await person.presses("return:from-now")), "return.from_now")
    due = (await room.chat(person)).next_digest_at
    assert due is not None
    await room.services.composer.tick(room.clock.set(due))
    assert room.came == []


async def test_resuming_with_catching_up_brings_it_at_once(room: Room) -> None:
    person = await paused_for_days(room)
    await person.reads("/resume")
    assert says(as_read(await person.presses("return:catch-up")), "return.catching_up")
    await room.services.composer.tick(room.clock.now())
    assert len(room.came[-1][1].cards) == 2


async def test_catching_up_on_a_day_that_had_its_digest_brings_the_rest_at_once(room: Room) -> None:
    person = await room.person("cs.CL")
    await announce(room.database, MONDAY, a_paper(1, "cs.CL"))
    await room.services.composer.tick(room.clock.set(MONDAY + timedelta(days=1)))
    await person.reads("/pause")
    await announce(room.database, room.clock.turn(hours=1), a_paper(2, "cs.CL"))
    await person.reads("/resume")
    assert says(as_read(await person.presses("return:catch-up")), "return.catching_up")
    assert [[card.title for card in digest.cards] for _, digest in room.came] == [["Paper 1"], ["Paper 2"]]
    due = (await room.chat(person)).next_digest_at
    assert due == datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


async def test_resuming_where_nothing_came_asks_nothing(room: Room) -> None:
    person = await room.person("cs.CL")
    await person.reads("/pause")
    reply = await person.says("/resume")
    assert says(as_read(reply), "resume.done")
    assert reply is not None
    assert reply.buttons == ()
    assert says(await person.reads("/resume"), "resume.not_paused")


async def test_who_blocks_the_bot_in_a_pause_and_comes_back_is_still_paused(room: Room) -> None:
    person = await room.person("cs.CL")
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await outbox.put(connection, chat.id, None, "old", ["a digest"], MONDAY)
    await person.reads("/pause 7d")
    async with room.database.write() as connection:
        await chats.deactivate(connection, chat.id, "blocked", MONDAY)
    room.clock.turn(days=2)
    await person.reads("/start")
    chat = await room.chat(person)
    assert (chat.inactive_because, chat.is_paused(room.clock.now())) == (None, True)
    assert await leaving(room.database, chat.id, MONDAY + timedelta(days=6)) == 0


async def test_a_group_that_moves_stays_banned_and_can_still_undo(any_database: Database) -> None:
    old = await a_chat(any_database, "cs.CL", platform="telegram", address="-5", is_group=True)
    await a_chat(any_database, platform="telegram", address="-1005", is_group=True)
    async with any_database.write() as connection:
        (followed,) = await chats.subscriptions_of(connection, old.id)
        await ended.end(connection, old, followed.id, MONDAY)
        await bans.put(connection, Ban("telegram", "chat", "-5"), MONDAY)
        moved = await moves.move(connection, old, "-1005", MONDAY)
        assert moved.access == "banned"
        assert await bans.touching(connection, "telegram", "-5", "") == []
        assert await bans.touching(connection, "telegram", "-1005", "") == [Ban("telegram", "chat", "-1005")]
        assert await ended.take_up(connection, moved, followed.id, MONDAY, MONDAY) is not None


async def test_a_group_that_moves_stays_paused(any_database: Database) -> None:
    old = await a_chat(any_database, "cs.CL", platform="telegram", address="-5", is_group=True)
    await a_chat(any_database, "cs.CL", platform="telegram", address="-1005", is_group=True)
    until = MONDAY + timedelta(days=7)
    async with any_database.write() as connection:
        await chats.pause(connection, old.id, until, MONDAY)
        moved = await moves.move(connection, old, "-1005", MONDAY)
    assert moved.paused_until == until
    assert moved.next_digest_at is not None
    assert moved.next_digest_at > until


@pytest.mark.parametrize("command", ["/pause", "/resume"])
async def test_in_a_group_only_administrators_pause(room: Room, command: str) -> None:
    member = replace(await room.person("cs.CL", group=True), admin=False)
    assert says(await member.reads(command), "error.admins_only")
    assert not (await room.chat(member)).is_paused(MONDAY)


async def test_blocking_the_bot_and_coming_back_loses_no_subscription(room: Room) -> None:
    person = await room.person("cs.CL", "au:Turing")
    chat = await room.chat(person)
    async with room.database.write() as connection:
        await chats.deactivate(connection, chat.id, "bot was blocked by the user", MONDAY)
    room.clock.turn(days=400)
    await person.reads("/start")
    async with room.database.read() as connection:
        followed = await chats.subscriptions_of(connection, chat.id)
    assert [str(each.interest) for each in followed] == ["cs.CL", "au:Turing"]
