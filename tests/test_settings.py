"""Settings: a menu that changes itself, what can be written, and what each does to a digest."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from datetime import time as TimeOfDay  # noqa: N812
from pathlib import Path

import pytest

from bot.chats import EVERY_DAY, PlatformName, Preferences, end_of_quiet, local_day, next_digest_at
from bot.commands.settings import SETTINGS
from bot.commands.zones import find_zone, nearest_zone
from bot.locales import phrases_of
from tests.builders import a_paper, announce
from tests.room import Room, a_room, as_read, says


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


OF_SERVERS = ("links", "mention")
OF_GROUPS = ("links",)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("platform", "group", "more"),
    [
        ("telegram", False, ()),
        ("telegram", True, OF_GROUPS),
        ("discord", False, ()),
        ("discord", True, OF_SERVERS),
        ("web", False, ()),
    ],
)
async def test_every_setting_is_in_the_menu_and_every_choice_of_it_is_taken(
    room: Room, language: str, platform: PlatformName, group: bool, more: tuple[str, ...]
) -> None:
    person = await room.person("cs.CL", language=language, platform=platform, group=group)
    menu = await person.says("/settings")
    assert menu is not None
    expected = [name for name in SETTINGS if name not in OF_SERVERS or name in more]
    assert [button.action for button in menu.buttons] == [f"set:{name} ?" for name in expected]
    for button in menu.buttons:
        choices = await person.presses(button.action)
        assert choices is not None
        assert choices.in_place
        *values, back = choices.buttons
        assert values
        for value in values:
            spoken = (await room.chat(person)).preferences.language
            changed = await person.presses(value.action)
            assert changed is not None
            assert changed.in_place
            now = (await room.chat(person)).preferences.language
            assert changed.title == phrases_of("zh" if now == "zh" else "en")("settings.changed"), (spoken, value)
        returned = await person.presses(back.action)
        assert returned is not None
        assert returned.in_place


async def test_only_an_administrator_changes_a_group_by_a_button(room: Room) -> None:
    person = await room.person(group=True, admin=False)
    refused = await person.presses("set:cap 5")
    assert says(as_read(refused), "error.admins_only")
    assert refused is not None
    assert not refused.in_place


@pytest.mark.parametrize(
    ("said", "preferences"),
    [
        ("days weekdays", {"days": frozenset(range(5))}),
        ("days mon,wed,FRI", {"days": frozenset({0, 2, 4})}),
        ("days Tuesday", {"days": frozenset({1})}),
        ("days fri-mon", {"days": frozenset({4, 5, 6, 0})}),
        ("days 周一、周三", {"days": frozenset({0, 2})}),
        ("days 每天", {"days": EVERY_DAY}),
        ("quiet 22:00-07:00", {"quiet": (TimeOfDay(22), TimeOfDay(7))}),
        ("quiet 22 – 7.30", {"quiet": (TimeOfDay(22), TimeOfDay(7, 30))}),
        ("quiet off", {"quiet": None}),
        ("format titles+tldr", {"format": "tldrs"}),
        ("cap all", {"cap": 0}),
        ("crosslists off", {"cross_lists": False}),
        ("note 开", {"quiet_note": True}),
        ("paging pages", {"paging": "pages"}),
        ("paging 翻页", {"paging": "pages"}),
        ("zone UTC+8", {"zone": "Etc/GMT-8"}),
    ],
)
async def test_a_change_can_be_written(room: Room, said: str, preferences: dict[str, object]) -> None:
    person = await room.person()
    assert says(await person.reads(f"/settings {said}"), "settings.changed")
    chat = await room.chat(person)
    assert {name: getattr(chat.preferences, name) for name in preferences} == preferences


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("days nonsense", "settings.bad_days"),
        ("days mon-nonsense", "settings.bad_days"),
        ("days", "settings.bad_days"),
        ("quiet 22:00", "settings.bad_quiet"),
        ("quiet 22:00-22:00", "settings.bad_quiet"),
        ("quiet night", "settings.bad_quiet"),
        ("format pdf", "settings.bad_format"),
        ("paging scroll", "settings.bad_paging"),
        ("crosslists maybe", "settings.bad_switch"),
        ("note", "settings.bad_switch"),
    ],
)
async def test_what_does_not_fit_is_told_with_an_example(room: Room, said: str, key: str) -> None:
    person = await room.person()
    before = (await room.chat(person)).preferences
    assert says(await person.reads(f"/settings {said}"), key)
    assert (await room.chat(person)).preferences == before


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("asia/shanghai", "Asia/Shanghai"),
        ("Beijing", "Asia/Shanghai"),
        ("北京", "Asia/Shanghai"),
        ("上海", "Asia/Shanghai"),
        ("纽约", "America/New_York"),
        ("new york", "America/New_York"),
        ("San Francisco", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("utc+8", "Etc/GMT-8"),
        ("UTC -5", "Etc/GMT+5"),
        ("+5:30", "Asia/Kolkata"),
        ("GMT+0", "UTC"),
        ("UTC+15", None),
        ("UTC+5:17", None),
        ("nowhere at all", None),
    ],
)
def test_a_zone_is_found_by_its_name_a_city_or_an_offset(text: str, zone: str | None) -> None:
    assert find_zone(text) == zone


def test_a_zone_nearly_written_is_suggested() -> None:
    assert nearest_zone("Berlln") == "Europe/Berlin"


def test_only_the_chosen_days_have_a_digest() -> None:
    preferences = Preferences(days=frozenset(range(5)))
    friday = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
    assert next_digest_at(preferences, friday, date(2026, 3, 6)) == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_what_is_due_in_quiet_hours_comes_at_their_end_once_a_day() -> None:
    preferences = Preferences(TimeOfDay(23, 30), quiet=(TimeOfDay(22), TimeOfDay(7)))
    due, last_day = datetime(2026, 3, 2, 12, tzinfo=UTC), date(2026, 3, 1)
    days = []
    for _ in range(3):
        due = next_digest_at(preferences, due, last_day)
        last_day = local_day(preferences, due)
        days.append(due)
    assert days == [datetime(2026, 3, day, 7, tzinfo=UTC) for day in (3, 4, 5)]


@pytest.mark.parametrize(
    ("hours", "at", "end"),
    [
        ((22, 7), "2026-03-02T23:00", "2026-03-03T07:00"),
        ((22, 7), "2026-03-02T06:59", "2026-03-02T07:00"),
        ((22, 7), "2026-03-02T07:00", "2026-03-02T07:00"),
        ((22, 7), "2026-03-02T21:59", "2026-03-02T21:59"),
        ((12, 14), "2026-03-02T13:00", "2026-03-02T14:00"),
        ((12, 14), "2026-03-02T15:00", "2026-03-02T15:00"),
    ],
)
def test_quiet_hours_may_go_over_midnight(hours: tuple[int, int], at: str, end: str) -> None:
    preferences = Preferences(quiet=(TimeOfDay(hours[0]), TimeOfDay(hours[1])))
    assert end_of_quiet(preferences, datetime.fromisoformat(f"{at}+00:00")) == datetime.fromisoformat(f"{end}+00:00")


async def daily(room: Room, query: str, said: str) -> str:
    """The daily digest of somebody who follows this and has set that; three papers came."""
    person = await room.person(query)
    await person.says(f"/settings {said}")
    await announce(
        room.database,
        room.clock.turn(hours=1),
        a_paper(1, "cs.CL", title="First"),
        a_paper(2, "cs.AI", "cs.CL", title="Crossed"),
    )
    room.clock.turn(hours=20)
    room.came.clear()
    await room.services.composer.daily(await room.chat(person), room.clock.now())
    return as_read(room.came[-1][1]) if room.came else ""


async def test_cross_lists_can_be_left_out(room: Room) -> None:
    shown = await daily(room, "cs.CL", "crosslists off")
    assert "First" in shown
    assert "Crossed" not in shown


async def test_a_list_of_titles_shows_nothing_else(room: Room) -> None:
    shown = await daily(room, "cs.CL", "format titles")
    assert "First" in shown
    assert "Ada Lovelace" not in shown
    assert "We study question" not in shown


async def test_a_list_with_tldrs_has_these_too(room: Room) -> None:
    shown = await daily(room, "cs.CL", "format tldrs")
    assert "Ada Lovelace" not in shown
    assert "We " in shown


@pytest.mark.parametrize("language", ["en", "zh", "both"])
async def test_a_day_without_papers_is_told_to_those_who_want_it(room: Room, language: str) -> None:
    person = await room.person("math.NT nonsense", language=language)
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "math.NT"))
    room.clock.turn(hours=20)
    assert await room.services.composer.daily(await room.chat(person), room.clock.now()) == 0
    assert room.came == []
    await person.says("/settings note on")
    for said in ("quiet.no_match", "quiet.nothing"):
        if said == "quiet.no_match":
            await announce(room.database, room.clock.now(), a_paper(2, "math.NT"))
        room.clock.turn(hours=24)
        assert await room.services.composer.daily(await room.chat(person), room.clock.now()) == 0
        answer = as_read(room.came.pop()[1])
        assert says(answer, said, "en", count=1) is (language != "zh")
        assert says(answer, said, "zh", count=1) is (language != "en")
