"""Digests as soon as possible: when the day's last list has come, and no second one that day."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.announcements import Announcement
from bot.chats import Preferences, next_digest_at
from bot.jobs.hastening import hasten
from bot.storage import announcements, chats
from tests.builders import MONDAY, a_paper, announce
from tests.room import Person, Room, a_room, says

TODAY = MONDAY.date()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


async def reader(room: Room, *said: str) -> Person:
    person = await room.person("cs.CL", "math.NT")
    for each in ("time asap", *said):
        await person.says(f"/settings {each}")
    return person


async def came(room: Room, *categories: str) -> int:
    """These lists of today's are there; how many digests that hastens."""
    told = [Announcement(name, TODAY, since=MONDAY).brought({"new": 1}, room.clock.now()) for name in categories]
    async with room.database.write() as connection:
        await announcements.put(connection, told)
    return await hasten(room.database, ["cs.CL"], room.clock.now())


async def due(room: Room) -> list[int]:
    async with room.database.read() as connection:
        return await chats.due(connection, room.clock.now(), ["telegram"])


async def test_a_digest_comes_when_the_last_of_its_lists_has(room: Room) -> None:
    person = await reader(room)
    await announce(room.database, room.clock.turn(minutes=5), a_paper(1))
    assert await came(room, "cs.CL") == 0
    assert await due(room) == []
    assert await came(room, "math.NT") == 1
    assert await room.services.composer.tick(room.clock.now()) is not None
    assert len(room.came) == 1
    assert await came(room, "cs.CL", "math.NT") == 0
    chat = await room.chat(person)
    assert chat.next_digest_at == datetime(2026, 3, 3, 21, 0, tzinfo=UTC)


async def test_it_waits_for_a_late_list_until_the_afternoon_of_new_york() -> None:
    preferences = Preferences(asap=True, zone="Asia/Shanghai")
    after = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert next_digest_at(preferences, after, None) == datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
    assert next_digest_at(preferences, after, date(2026, 3, 3)) == datetime(2026, 3, 3, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize("said", ["quiet 11:00-14:00", "days tue"])
async def test_neither_quiet_hours_nor_days_off_are_disturbed(room: Room, said: str) -> None:
    await reader(room, said)
    assert await came(room, "cs.CL", "math.NT") == 0


async def test_on_a_weekend_there_is_nothing_to_hasten(room: Room) -> None:
    await reader(room)
    room.clock.set(MONDAY + timedelta(days=5))
    assert await came(room, "cs.CL", "math.NT") == 0


async def test_a_time_of_day_ends_the_haste(room: Room) -> None:
    person = await reader(room)
    assert says(await person.reads("/settings"), "settings.asap", zone="UTC")
    assert says(await person.reads("/settings time 9:00"), "settings.time", time="09:00", zone="UTC")
    assert await came(room, "cs.CL", "math.NT") == 0
