"""Broadcasts: seen before they are sent, sent once to every chat, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from datetime import time as TimeOfDay  # noqa: N812
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.chats import UNTIL_RESUMED
from bot.jobs import broadcasting
from bot.jobs.broadcasting import Broadcasting
from bot.platforms.telegram.render import render
from bot.storage import broadcasts, chats, outbox
from bot.storage.database import Database
from bot.storage.tables import messages, payloads
from tests.builders import MONDAY, a_chat
from tests.room import Person, Room, a_room, as_read, says

TEXT = "Tomorrow the bot moves.\n  *Nothing* is lost <b>at all</b>."


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


@pytest.fixture
async def operator(room: Room) -> Person:
    person = Person(room.desk, address="operator", name="Grace", language="en")
    await person.says("/start let-me-in")
    return person


def the_job(room: Room) -> Broadcasting:
    return Broadcasting(room.database, room.services.renders, lambda: room.scheduler.wake("deliver"))


async def queued(database: Database) -> list[tuple[int, str, datetime]]:
    """For which chats something is in the outbox, with which key, from when on."""
    async with database.read() as connection:
        rows = await connection.execute(
            sa.select(messages.c.chat_id, messages.c.key, messages.c.not_before).order_by(messages.c.chat_id)
        )
        return [(row.chat_id, row.key, row.not_before) for row in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_it_is_seen_before_it_is_sent_and_goes_to_everybody_once(
    room: Room, operator: Person, language: str
) -> None:
    await operator.says(f"/settings language {language}")
    await room.person(address="lab", name="Eve")
    await room.person(platform="discord", address="papers", group=True)
    preview = await operator.says(f"/admin broadcast {TEXT}")
    assert preview is not None
    assert preview.text == TEXT
    assert says(preview.footer, "admin.broadcast_to", "zh" if language == "zh" else "en", count=3)
    send, cancel = preview.buttons
    assert await the_job(room).tick(room.clock.now()) is None
    assert await queued(room.database) == []
    room.came.clear()
    sent = await operator.presses(send.action)
    assert says(as_read(sent), "admin.broadcast_sent", "zh" if language == "zh" else "en")
    assert "broadcast" in room.scheduler.woken
    for _ in range(2):
        again = await operator.presses(send.action)
        assert as_read(again) == as_read(sent)
        await the_job(room).tick(room.clock.now())
    assert says(
        as_read(await operator.presses(cancel.action)), "admin.broadcast_decided", "zh" if language == "zh" else "en"
    )
    assert len(await queued(room.database)) == 3
    assert {reply.text for _, reply in room.came} == {TEXT}
    assert "deliver" in room.scheduler.woken


async def test_what_was_cancelled_or_is_too_old_is_not_sent(room: Room, operator: Person) -> None:
    first, second = [await operator.says(f"/admin broadcast {text}") for text in ("One", "Two")]
    assert first is not None
    assert second is not None
    left = await operator.presses(first.buttons[1].action)
    assert says(as_read(left), "admin.broadcast_left")
    assert says(as_read(await operator.presses(first.buttons[0].action)), "admin.broadcast_decided")
    room.clock.turn(minutes=61)
    assert says(as_read(await operator.presses(second.buttons[0].action)), "admin.broadcast_decided")
    await the_job(room).tick(room.clock.now())
    assert await queued(room.database) == []


async def test_a_preview_is_sent_only_from_where_it_was_shown(room: Room, operator: Person) -> None:
    preview = await operator.says("/admin broadcast One")
    assert preview is not None
    web = Person(room.desk, platform="web", name="local")
    assert says(as_read(await web.presses(preview.buttons[0].action)), "admin.broadcast_decided")


async def test_it_waits_for_the_end_of_a_pause_and_of_quiet_hours_and_passes_by_who_is_not_served(
    room: Room, operator: Person
) -> None:
    now = room.clock.now()
    eve = await room.person(address="eve")
    quiet = await room.person(address="quiet")
    paused = await room.person(address="paused")
    denied, gone = await room.person(address="denied"), await room.person(address="gone")
    await quiet.says("/settings quiet 11:00-14:30")
    await paused.says("/pause")
    async with room.database.write() as connection:
        await chats.set_access(connection, (await room.chat(denied)).id, "denied")
        await chats.deactivate(connection, (await room.chat(gone)).id, "blocked", now)
    preview = await operator.says(f"/admin broadcast {TEXT}")
    assert preview is not None
    assert says(preview.footer, "admin.broadcast_to", count=4)
    assert says(preview.footer, "admin.broadcast_paused", count=1)
    await operator.presses(preview.buttons[0].action)
    await the_job(room).tick(now)
    at = {chat_id: not_before for chat_id, _, not_before in await queued(room.database)}
    assert at == {
        (await room.chat(operator)).id: now,
        (await room.chat(eve)).id: now,
        (await room.chat(quiet)).id: datetime(2026, 3, 2, 14, 30, tzinfo=UTC),
        (await room.chat(paused)).id: UNTIL_RESUMED,
    }
    await paused.says("/resume")
    async with room.database.read() as connection:
        later = now + timedelta(hours=2)
        assert await outbox.due(connection, later, ["telegram"], [], 10)
        assert (await room.chat(paused)).id in await outbox.due(connection, later, ["telegram"], [], 10)


async def test_a_group_with_topics_gets_it_once(room: Room, operator: Person) -> None:
    for address in ("-100", "-100:5", "-100:6", "-200:7", "-1001"):
        await room.person(address=address, group=True)
    preview = await operator.says(f"/admin broadcast {TEXT}")
    assert preview is not None
    assert says(preview.footer, "admin.broadcast_to", count=4)
    await operator.presses(preview.buttons[0].action)
    await the_job(room).tick(room.clock.now())
    assert len(await queued(room.database)) == 4


async def many(database: Database, count: int) -> int:
    """So many chats, and a broadcast to them that an operator just sent; its number."""
    chat = await a_chat(database, platform="telegram", address="operator", quiet=(TimeOfDay(22), TimeOfDay(7)))
    async with database.write() as connection:
        # Written as SQL, since so many cannot be met one by one in a test.
        names = "zone, language, cap, quiet_from, quiet_until, format, days, asap, cross_lists, quiet_note, shut"
        await connection.execute(
            sa.text(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}) "
                f"INSERT INTO chats (platform, address, title, is_group, time, access, created_at, {names}) "
                f"SELECT platform, CAST(i AS TEXT), title, is_group, time, access, created_at, {names} "
                f"FROM chats, n WHERE id = {chat.id}"
            )
        )
        number = await broadcasts.ask(connection, chat.id, TEXT, MONDAY)
        assert await broadcasts.decide(connection, number, chat.id, MONDAY, send=True)
    return number


class Killed(BaseException):
    """The process ends here."""


async def test_an_end_in_the_middle_loses_nothing_and_repeats_nothing(any_database: Database) -> None:
    await many(any_database, 3 * broadcasting.AT_ONCE)
    batches = 0

    def wake() -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Killed

    with pytest.raises(Killed):
        await Broadcasting(any_database, {"telegram": render}, wake).tick(MONDAY)
    assert len(await queued(any_database)) == 2 * broadcasting.AT_ONCE
    # What was committed without its progress is tried again.
    async with any_database.write() as connection:
        await connection.execute(sa.text("UPDATE broadcasts SET through = 0"))
    await Broadcasting(any_database, {"telegram": render}, lambda: None).tick(MONDAY)
    keys = [key for _, key, _ in await queued(any_database)]
    assert len(keys) == len(set(keys)) == 3 * broadcasting.AT_ONCE
    async with any_database.read() as connection:
        assert await broadcasts.sending(connection) is None
        assert await broadcasts.count(connection, ["telegram"], MONDAY) == (3 * broadcasting.AT_ONCE, 0)
        assert (await connection.execute(sa.select(sa.func.count()).select_from(payloads))).scalar_one() == 1


async def test_ten_thousand_chats_are_queued_in_batches_and_others_have_their_turn_in_between(
    database: Database,
) -> None:
    await many(database, 10_000)
    turns, batches, done = 0, 0, asyncio.Event()

    async def others() -> None:
        nonlocal turns
        while not done.is_set():
            await asyncio.sleep(0)
            turns += 1

    def wake() -> None:
        nonlocal batches
        batches += 1

    waiting = asyncio.create_task(others())
    await Broadcasting(database, {"telegram": render}, wake).tick(MONDAY)
    done.set()
    await waiting
    assert batches == 10_000 // broadcasting.AT_ONCE + 1
    assert turns > 2 * batches
    assert len(await queued(database)) == 10_000
