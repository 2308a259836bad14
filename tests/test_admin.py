"""/admin: what operators see and do at run time, and what of it reaches others."""

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.cards.reply import Reply
from bot.chats import Quota
from bot.commands.admin import FORMS
from bot.log import level, set_level
from bot.storage import bans, chats, marks, overview
from bot.storage.bans import Ban
from bot.storage.database import Database
from tests.builders import a_chat
from tests.room import Person, Room, a_room, as_read, says


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path, is_open=False) as made:
        yield made


@pytest.fixture
async def operator(room: Room) -> Person:
    person = Person(room.desk, address="operator", name="Grace", language="en")
    assert says(await person.reads("/start let-me-in"), "start.claimed")
    return person


@pytest.fixture(autouse=True)
def same_log_level() -> Iterator[None]:
    before = logging.getLogger("bot").level
    yield
    logging.getLogger("bot").setLevel(before)


def actions(reply: Reply | None) -> list[str]:
    assert reply is not None
    return [button.action for button in reply.buttons]


async def test_only_operators_have_it_and_only_where_nobody_reads_along(room: Room, operator: Person) -> None:
    stranger = await room.person(address="lab", name="Eve")
    for name in ("", *FORMS):
        assert await stranger.reads(f"/admin {name}") == as_read(await stranger.presses(f"admin:{name}"))
        assert says(await stranger.reads(f"/admin {name}"), "error.operators_only")
    group = await room.person(address="group", group=True, name="Grace")
    for reply in (await group.says("/admin chats"), await group.presses("admin:chats"), await group.says("/admin")):
        assert says(as_read(reply), "admin.in_private")
        assert "Eve" not in as_read(reply)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_button_of_the_menu_is_answered_in_place(room: Room, operator: Person, language: str) -> None:
    await operator.says(f"/settings language {language}")
    await Person(room.desk, address="lab", name="Eve").says("/start")
    seen: set[str] = set()
    waiting = actions(await operator.says("/admin"))
    assert {action for action in waiting if "waiting" in action}
    while waiting:
        action = waiting.pop()
        if action in seen:
            continue
        seen.add(action)
        reply = await operator.presses(action)
        assert reply is not None
        assert reply.in_place
        assert reply.text
        waiting += [each for each in actions(reply) if len(each) <= 60]
    assert len(seen) > 20


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_it_does_not_know_is_answered_with_what_is_possible(
    room: Room, operator: Person, language: str
) -> None:
    await operator.says(f"/settings language {language}")
    for said, key in (
        ("nonsense", "admin.unknown"),
        ("chat", "admin.no_chat"),
        ("chat 99", "admin.no_chat"),
        ("chat ²", "admin.no_chat"),
        ("ban", "admin.ban_how"),
        ("unban 99", "admin.ban_how"),
        ("ban icq:777", "admin.ban_how"),
        ("quota", "admin.quota_how"),
        ("quota 1 pages 3", "admin.quota_how"),
        ("quota 1 papers 0", "admin.quota_range"),
        ("quota 1 papers many", "admin.quota_range"),
        ("quota 1 subscriptions 51", "admin.quota_range"),
        ("access maybe", "admin.access_how"),
        ("log loud", "admin.level_how"),
        ("broadcast", "admin.broadcast_how"),
        ("send 1", "admin.broadcast_decided"),
        ("leave x", "admin.broadcast_decided"),
        ("chats no such", "admin.no_chats"),
        ("allow 99", "admin.no_chat"),
    ):
        answer = await operator.reads(f"/admin {said}")
        values = dict.fromkeys(("name", "number", "most", "level", "title"), "\0")
        assert says(answer, key, "zh" if language == "zh" else "en", **values), said


async def test_chats_are_listed_in_pages_with_those_that_wait_first_and_can_be_searched(
    room: Room, operator: Person
) -> None:
    await Person(room.desk, address="waits", name="Eve").says("/start")
    for number in range(20):
        await room.person("cs.CL", "cs.CV", address=f"lab {number}")
    first = await operator.says("/admin chats")
    assert first is not None
    assert says(first.title, "admin.chats_title", count=22)
    assert "Eve's" in first.text.splitlines()[0]
    assert "lab 19" in first.text.splitlines()[1]
    assert "subscriptions: 2" in first.text.splitlines()[1]
    assert "admin:chats p2" in actions(first)
    last = await operator.presses("admin:chats p3")
    assert "lab 0" in as_read(last)
    assert "3/3" in as_read(last)
    assert as_read(await operator.presses("admin:chats p99")) == as_read(last)
    found = await operator.says("/admin chats LAB 1")
    assert found is not None
    assert says(found.title, "admin.chats_title", count=11)
    assert "admin:chats p2 lab 1" in actions(found)
    waiting = await operator.reads("/admin chats waiting")
    assert "Eve's" in waiting
    assert "lab 1" not in waiting
    assert says(await operator.reads("/admin chats %"), "admin.no_chats")


async def test_a_chats_page_tells_what_there_is_to_know_and_lets_it_in(room: Room, operator: Person) -> None:
    stranger = Person(room.desk, address="lab", name="Eve")
    await stranger.says("/start")
    number = (await room.chat(stranger)).id
    page = await operator.says(f"/admin chat {number}")
    assert says(as_read(page), "admin.chat_person", person="telegram:eve")
    assert says(as_read(page), "admin.chat_state", state="waits", since="2026-03-02")
    assert says(as_read(page), "admin.chat_follows", count=0, most=50)
    with capture_logs() as logs:
        allowed = await operator.presses(f"admin:allow {number}")
    assert says(as_read(allowed), "access.allowed_done", title="Eve's")
    assert f"admin:deny {number}" in actions(allowed)
    assert [line["by"] for line in logs if line["event"] == "access.decided"] == ["telegram:grace"]
    assert says(await stranger.reads("/subscribe cs.CL"), "query.named", query="cs.CL")


async def test_who_may_use_the_bot_can_be_changed_while_it_runs_and_goes_before_the_configuration(
    room: Room, operator: Person
) -> None:
    early = Person(room.desk, address="early", name="Eve")
    assert says(await early.reads("/subscribe cs.CL"), "access.waiting")
    menu = await operator.reads("/admin")
    assert says(menu, "admin.closed")
    assert says(menu, "admin.configured")
    opened = await operator.presses("admin:access open")
    assert says(as_read(opened), "admin.open")
    assert says(as_read(opened), "admin.chosen")
    late = Person(room.desk, address="late", name="Mallory")
    for person in (early, late):
        assert says(await person.reads("/subscribe cs.CL"), "query.named", query="cs.CL")
    await operator.says("/admin access closed")
    assert says(await Person(room.desk, address="later").reads("/digest"), "access.waiting")
    assert says(await late.reads("/subscriptions"), "subscriptions.title"), "who was let in stays"
    async with room.database.read() as connection:
        assert await marks.get(connection, marks.ACCESS) == "closed"


async def test_an_open_bot_can_be_closed(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=True) as room:
        web = Person(room.desk, platform="web", name="local")
        await web.says("/admin access closed")
        assert says(await Person(room.desk).reads("/digest"), "access.waiting")


async def test_the_log_level_changes_for_this_process_and_says_so(room: Room, operator: Person) -> None:
    set_level("info")
    answer = await operator.reads("/admin log debug")
    assert says(answer, "admin.level_set", level="debug")
    assert level() == "debug"
    assert logging.getLogger("bot.commands").isEnabledFor(logging.DEBUG)
    await operator.presses("admin:log error")
    assert not logging.getLogger("bot.commands").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_limit_of_papers_lowers_the_cap_and_is_explained_where_it_bites(
    room: Room, operator: Person, language: str
) -> None:
    person = await room.person("cs.CL", address="lab", name="Eve", language=language)
    await person.says("/settings cap all")
    number = (await room.chat(person)).id
    await operator.presses(f"admin:quota {number} papers 20")
    assert (await room.chat(person)).preferences.cap == 20
    for said in ("/settings cap 21", "/settings cap 0"):
        answer = await person.says(said)
        assert says(as_read(answer), "quota.papers", "zh" if language == "zh" else "en", count=20)
        assert actions(answer) == ["set:cap ?"]
    assert (await room.chat(person)).preferences.cap == 20
    await person.says("/settings cap 7")
    assert (await room.chat(person)).preferences.cap == 7
    text = "paperwire = 1\nsubscriptions = []\n[settings]\ncap = 'all'"
    assert says(await person.reads(f"/import {text}"), "quota.papers", "zh" if language == "zh" else "en", count=20)
    await operator.presses(f"admin:quota {number} papers off")
    assert (await room.chat(person)).quota == Quota()
    await person.says("/settings cap all")
    assert (await room.chat(person)).preferences.cap == 0


async def test_a_limit_of_subscriptions_is_explained_where_it_bites(room: Room, operator: Person) -> None:
    person = await room.person("cs.CL", address="lab", name="Eve")
    number = (await room.chat(person)).id
    await operator.says(f"/admin quota {number} subscriptions 2")
    assert says(await person.reads("/subscribe cs.CV"), "subscribe.done", query="\0")
    assert says(await person.reads("/subscribe cs.RO"), "quota.subscriptions", count=2)
    assert says(await person.reads("/subscribe cs.CV"), "subscribe.already", query="\0")
    text = "paperwire = 1\nsubscriptions = ['cs.RO']"
    assert says(await person.reads(f"/import {text}"), "quota.subscriptions", count=2)


async def test_a_limit_holds_for_a_group_with_all_its_topics(room: Room, operator: Person) -> None:
    group = await room.person(address="-100", group=True)
    topic = await room.person(address="-100:5", group=True)
    await operator.says(f"/admin quota {(await room.chat(group)).id} papers 5")
    assert (await room.chat(topic)).preferences.cap == 5
    fresh = Person(room.desk, address="-100:6", group=True)
    await fresh.says("/status")
    assert (await room.chat(fresh)).preferences.cap == 5


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_is_banned_is_told_once_and_gets_nothing_more(room: Room, operator: Person, language: str) -> None:
    person = await room.person("cs.CL", address="lab", name="Eve", language=language)
    chat = await room.chat(person)
    with capture_logs() as logs:
        page = await operator.presses(f"admin:ban {chat.id}")
    assert says(as_read(page), "admin.banned", title="lab")
    assert [line["by"] for line in logs if line["event"] == "admin.banned"] == ["telegram:grace"]
    assert says(await person.reads("/digest"), "ban.told", "zh" if language == "zh" else "en")
    assert [await person.says("/digest"), await person.presses("set:cap 5"), await person.says("hello")] == [None] * 3
    async with room.database.read() as connection:
        later = room.clock.now() + timedelta(days=3)
        assert await chats.due(connection, later, ["telegram"]) == []
        assert len(await chats.subscriptions_of(connection, chat.id)) == 1
    # Nor anywhere else: a ban of a private chat is one of its person.
    group = Person(room.desk, address="group", group=True, name="Eve")
    assert says(as_read(await group.says("/digest")), "ban.told")
    assert await group.says("/digest") is None
    others = await room.person(address="group", group=True, name="Ada")
    assert says(await others.reads("/subscriptions"), "subscriptions.none")
    # A yes to an old request does not undo it by accident.
    assert says(as_read(await operator.presses(f"allow:{chat.id}")), "access.is_banned", title="\0", number=chat.id)
    again = await operator.presses(f"admin:unban {chat.id}")
    assert says(as_read(again), "admin.unbanned", title="lab")
    assert says(await person.reads("/subscriptions"), "subscriptions.title", "zh" if language == "zh" else "en")
    assert says(as_read(await operator.presses(f"admin:unban {chat.id}")), "admin.was_not_banned", title="lab")


async def test_a_person_is_banned_by_their_id_with_the_private_chats_that_are_known(
    room: Room, operator: Person
) -> None:
    chat = Person(room.desk, platform="discord", address="dm", name="777")
    group = await room.person(platform="discord", address="papers", group=True, name="777")
    await chat.says("/start")
    assert says(await operator.reads("/admin ban discord:777"), "admin.banned", title="discord:777")
    assert (await room.chat(chat)).access == "banned"
    assert says(as_read(await group.says("/digest")), "ban.told")
    assert await group.says("/digest") is None
    assert (await room.chat(group)).access == "allowed"
    unmet = Person(room.desk, platform="discord", address="another dm", name="777")
    assert await unmet.says("/start") is None
    assert says(await operator.reads("/admin unban discord:777"), "admin.unbanned", title="discord:777")
    assert says(await operator.reads("/admin unban discord:777"), "admin.was_not_banned", title="discord:777")
    assert says(await chat.reads("/start"), "start.hello")


async def test_a_banned_group_is_silent_in_topics_that_are_opened_later_too(room: Room, operator: Person) -> None:
    group = await room.person("cs.CL", address="-100", group=True)
    await operator.says(f"/admin ban {(await room.chat(group)).id}")
    assert says(await Person(room.desk, address="-100:9", group=True).reads("/digest"), "ban.told")
    assert await group.says("/digest") is None
    async with room.database.read() as connection:
        assert await chats.find(connection, "telegram", "-100:9") is None


async def test_an_operator_cannot_lock_themselves_out(room: Room, operator: Person) -> None:
    number = (await room.chat(operator)).id
    assert says(as_read(await operator.presses(f"admin:deny {number}")), "admin.not_bannable")
    await operator.presses(f"deny:{number}")
    assert says(await operator.reads(f"/admin allow {number}"), "access.allowed_done", title="Grace's")
    assert says(await operator.reads("/subscriptions"), "subscriptions.none")


async def test_nobody_who_runs_the_bot_can_be_banned(room: Room, operator: Person) -> None:
    web = Person(room.desk, platform="web", address="home", name="local")
    await web.says("/help")
    for person in (operator, web):
        number = (await room.chat(person)).id
        assert says(as_read(await operator.presses(f"admin:ban {number}")), "admin.not_bannable")
    await room.person(platform="telegram", address="x", name="9")
    async with room.database.write() as connection:
        await connection.execute(sa.text("UPDATE operators SET user_id = '9'"))
    second = await room.person(address="second", name="9")
    assert says(await second.reads("/admin ban telegram:9"), "admin.not_bannable")
    async with room.database.read() as connection:
        assert await bans.touching(connection, "telegram", "operator", "9") == []


async def test_overseeing_ten_thousand_chats_takes_one_page_at_a_time(room: Room, operator: Person) -> None:
    made_at = datetime(2026, 3, 2, tzinfo=UTC)
    async with room.database.write() as connection:
        chat = await chats.meet(
            connection,
            "web",
            "first",
            title="first",
            is_group=False,
            access="allowed",
            preferences=(await room.chat(operator)).preferences,
            now=made_at,
        )
        await connection.execute(
            sa.text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                "INSERT INTO chats (platform, address, title, is_group, time, zone, language, cap, access, created_at) "
                f"SELECT platform, 'c' || i, 'Chat ' || i, is_group, time, zone, language, cap, access, created_at "
                f"FROM chats, n WHERE id = {chat.id}"
            )
        )
    page = await operator.says("/admin chats p600 chat")
    assert page is not None
    assert len(page.text) < 2_000
    async with room.database.read() as connection:
        assert await overview.count(connection, "") == 10_002


async def test_bans_limits_and_the_overview_are_the_same_on_both_databases(any_database: Database) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    group = await a_chat(any_database, "cs.CL", platform="telegram", address="-100", is_group=True)
    await a_chat(any_database, platform="telegram", address="-100:5", is_group=True)
    private = await a_chat(any_database, platform="telegram", address="7", person_id="7", cap=0)
    async with any_database.write() as connection:
        await bans.put(connection, Ban("telegram", "chat", "-100"), now)
        await bans.put(connection, Ban("telegram", "person", "7"), now)
        await bans.put(connection, Ban("telegram", "person", "7"), now)
        assert [await bans.tell_once(connection, Ban("telegram", "person", "7")) for _ in range(2)] == [True, False]
        assert await bans.touching(connection, "telegram", "-100", "7") == [
            Ban("telegram", "chat", "-100"),
            Ban("telegram", "person", "7"),
        ]
        assert await bans.touching(connection, "discord", "-100", "7") == []
        assert await overview.count(connection, "banned") == 3
        assert [each.chat.address for each in await overview.page(connection, "banned", 2, 1)] == ["-100:5", "-100"]
        assert await bans.remove(connection, Ban("telegram", "chat", "-100"))
        assert not await bans.remove(connection, Ban("telegram", "chat", "-100"))
        await bans.let_in_again(connection, Ban("telegram", "chat", "-100"))
        await overview.set_quota(connection, private, Quota(papers=9))
        shown = await overview.one(connection, group.id)
        limited = await chats.get(connection, private.id)
    assert shown is not None
    assert limited is not None
    assert (shown.state, shown.subscriptions) == ("allowed", 1)
    assert (limited.access, limited.preferences.cap) == ("banned", 9)
