"""`paperwire outbox` and `paperwire restored`: what an operator sees of the outbox, and does to it, at the terminal."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from rich.console import Console

from bot.app import App
from bot.chats import Chat
from bot.clock import WallClock
from bot.config import Arxiv, Retention, Settings, Web
from bot.config import Database as DatabaseSettings
from bot.jobs.scheduler import JobScheduler
from bot.locales import phrases_of
from bot.outbox_desk import Overview, as_table, remarks, span
from bot.storage import chats, inspection, marks, outbox
from bot.storage.database import Database, open_database
from bot.storage.inspection import NOT_DONE, STATES, Changed, Entry
from bot.storage.outbox import State
from bot.storage.tables import messages, metadata
from tests.builders import MONDAY, a_chat
from tests.terminal import Done, Terminal

NOBODY = "http://127.0.0.1:9"
"""The discard port: nobody listens there."""
TEXT = json.dumps({"html": "<p>Hello</p>"})


async def queue(database: Database, chat: Chat, *states: State, **values: object) -> list[int]:
    """A message in each of these states; their numbers."""
    numbers = []
    for state in states:
        async with database.write() as connection:
            key = f"{state}-{len(numbers)}-{chat.id}"
            await outbox.put(connection, chat.id, None, key, [TEXT], MONDAY)
            query = sa.select(messages.c.id).where(messages.c.key == f"{key}-0")
            numbers.append((await connection.execute(query)).scalar_one())
            await connection.execute(
                sa.update(messages).where(messages.c.id == numbers[-1]).values({"state": state} | values)
            )
    return numbers


async def states_of(database: Database) -> dict[int, str]:
    async with database.read() as connection:
        rows = await connection.execute(sa.select(messages.c.id, messages.c.state).order_by(messages.c.id))
        return {row.id: row.state for row in rows}


async def retried(database: Database, *numbers: int) -> Changed:
    async with database.write() as connection:
        return await inspection.retry(connection, numbers, MONDAY)


# What becomes of messages, on both databases.


async def test_what_failed_waits_or_was_taken_back_is_sent_again_and_nothing_else(any_database: Database) -> None:
    chat = await a_chat(any_database)
    numbers = dict(zip(STATES, await queue(any_database, chat, *STATES, attempts=7, error="so"), strict=True))
    changed = await retried(any_database, *numbers.values(), 999)
    assert set(changed.ids) == {numbers["failed"], numbers["void"], numbers["waiting"]}
    assert changed.refused == {
        numbers["pending"]: "it is pending",
        numbers["uncertain"]: "it is uncertain",
        numbers["sending"]: "it is sending",
        numbers["sent"]: "it is sent",
        999: "there is no such message",
    }
    async with any_database.read() as connection:
        ((found, leaving),) = await outbox.queues(connection, [chat.id], MONDAY)
    again = {message.id: message.attempts for message in leaving if message.id in changed.ids}
    assert again == dict.fromkeys(changed.ids, 0)
    assert found.id == chat.id


async def test_what_may_already_be_there_stays_known_when_it_is_sent_again(any_database: Database) -> None:
    chat = await a_chat(any_database)
    (number,) = await queue(any_database, chat, "failed", doubts=1, doubt_since=MONDAY)
    await retried(any_database, number)
    async with any_database.read() as connection:
        ((_, (message,)),) = await outbox.queues(connection, [chat.id], MONDAY)
        (entry,) = await inspection.entries(connection, NOT_DONE, 1)
    assert (message.doubt, entry.doubts, entry.reason) == (MONDAY, 1, "")


async def test_a_message_of_which_a_text_is_gone_is_not_sent_again(any_database: Database) -> None:
    chat = await a_chat(any_database)
    whole, gone = await queue(any_database, chat, "failed", "void")
    (divided,) = await queue(any_database, chat, "waiting", further_parts=[999])
    async with any_database.write() as connection:
        await connection.execute(sa.update(messages).where(messages.c.id == gone).values(payload_id=None))
    changed = await retried(any_database, whole, gone, divided)
    assert changed == Changed([whole], dict.fromkeys((gone, divided), "its text is no longer kept"))


async def test_only_what_is_still_to_be_sent_is_taken_back(any_database: Database) -> None:
    chat, other = await a_chat(any_database), await a_chat(any_database, address="other")
    numbers = await queue(any_database, chat, *STATES)
    await queue(any_database, other, "pending")
    async with any_database.write() as connection:
        assert await inspection.open_in(connection, chat.id) == numbers[:3]
        changed = await inspection.void(connection, numbers)
    assert changed.ids == numbers[:3]
    assert set(changed.refused) == set(numbers[3:])
    assert list((await states_of(any_database)).values()) == ["void"] * 3 + list(STATES[3:]) + ["pending"]


async def test_thousands_are_sent_again_at_once(any_database: Database) -> None:
    chat = await a_chat(any_database)
    async with any_database.write() as connection:
        for start in range(0, 1_200, 100):
            await outbox.put(connection, chat.id, None, f"many-{start}", [TEXT] * 100, MONDAY)
        await connection.execute(sa.update(messages).values(state="failed"))
        numbers = await inspection.failed(connection)
        changed = await inspection.retry(connection, numbers, MONDAY)
    assert (len(changed.ids), changed.refused) == (1_200, {})


async def test_a_message_says_since_when_it_is_so_and_why(any_database: Database) -> None:
    fine, shut, new = [await a_chat(any_database, address=name) for name in ("fine", "shut", "new")]
    later = MONDAY + timedelta(hours=1)
    await queue(any_database, fine, "waiting", error="Too Many Requests", not_before=later, created_at=MONDAY)
    await queue(any_database, fine, "failed", error="Bad Request", sending_at=later)
    await queue(any_database, fine, "sent", sending_at=MONDAY, sent_at=later)
    await queue(any_database, shut, "pending", error="earlier")
    await queue(any_database, new, "pending")
    async with any_database.write() as connection:
        await chats.deactivate(connection, shut.id, "bot was kicked", MONDAY)
        await chats.set_access(connection, new.id, "waiting")
    async with any_database.read() as connection:
        entries = await inspection.entries(connection, STATES, 50)
    shown = [(entry.state, entry.since, entry.again_at, entry.reason) for entry in reversed(entries)]
    assert shown == [
        ("waiting", MONDAY, later, "Too Many Requests"),
        ("failed", later, None, "Bad Request"),
        ("sent", later, None, ""),
        ("pending", MONDAY, MONDAY, "the chat was given up: bot was kicked"),
        ("pending", MONDAY, MONDAY, "the chat is not let in"),
    ]


# What the terminal shows.

ENTRY = Entry(
    id=7,
    platform="telegram",
    chat_id=3,
    chat="Vision \x1b[31mreaders",
    state="waiting",
    since=MONDAY - timedelta(hours=5),
    again_at=MONDAY + timedelta(seconds=90),
    attempts=4,
    doubts=1,
    reason="[red]Too Many\x07 Requests[/]",
)


def test_a_table_row_tells_all_and_no_outside_text_reaches_the_terminal_as_a_command() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(as_table([ENTRY, replace(ENTRY, id=8, again_at=None, doubts=0)], MONDAY))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip()]
    assert lines[0] == "no. chat state for again in tries reason"
    assert lines[2] == "7 telegram 3 Vision [31mr… waiting 5 h 90 s 4 (1) [red]Too Many Requests[/]"
    assert lines[3] == "8 telegram 3 Vision [31mr… waiting 5 h 4 [red]Too Many Requests[/]"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_time_span_is_told_in_its_largest_unit(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_the_table_is_summed_up_by_state_with_what_it_leaves_out() -> None:
    found = Overview({"sent": 90, "failed": 2, "waiting": 1}, 3, [ENTRY], "2026-03-02T12:00:00+00:00")
    assert remarks(found) == [
        "1 waiting · 2 failed · 90 sent",
        "Shown are the newest 1 of 3; --limit shows more.",
        "Nothing is sent: this is a restored backup. Choose: paperwire restored --from-now, or --catch-up.",
    ]
    assert remarks(Overview({}, 0, [], None)) == ["No messages yet."]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, {}).with_settings(database__url=f"sqlite:///{tmp_path}/paperwire.db")


async def test_the_outbox_is_listed_beside_whoever_has_the_database(terminal: Terminal, database: Database) -> None:
    chat = await a_chat(database, address="lab")
    await queue(database, chat, *STATES, error="so")
    listed, failed, everything, as_json, unknown = await asyncio.gather(
        terminal.runs("outbox"),
        terminal.runs("outbox", "--state", "failed", "--state", "void"),
        terminal.runs("outbox", "--all", "--limit", "3"),
        terminal.runs("outbox", "--state", "sent", "--json"),
        terminal.runs("outbox", "--state", "lost"),
    )
    assert (listed.code, listed.err) == (0, "")
    for done, numbers in ((listed, "54321"), (failed, "75"), (everything, "765")):
        rows = [line.split()[0] for line in done.out.splitlines() if "web 1 lab" in line]
        assert rows == list(numbers)
        assert "1 pending · 1 waiting · 1 uncertain · 1 sending · 1 failed · 1 sent · 1 void\n" in done.out
    found = json.loads(as_json.out)
    assert found["counts"] == dict.fromkeys(STATES, 1)
    (message,) = found["messages"]
    assert (message["id"], message["chat"], message["state"]) == (6, "lab", "sent")
    assert message["since"] == MONDAY.isoformat()
    assert (unknown.code, unknown.err[:32]) == (1, "--state lost: no such state. Kno")


async def test_messages_are_sent_again_and_taken_back_by_number_or_all_of_a_kind(
    terminal: Terminal, database: Database
) -> None:
    await queue(database, await a_chat(database), "failed", "failed", "sent", "pending", "waiting")
    again = await terminal.runs("outbox", "retry", "1", "3")
    assert again == Done(
        1,
        "1 message to be sent again; a running Paperwire looks at least every half minute.\n",
        "3: left as it is; it is sent.\n",
    )
    assert (await terminal.runs("outbox", "retry", "--failed")).out.startswith("1 message to be sent again")
    assert (await terminal.runs("outbox", "retry", "--failed")).out.startswith("0 messages")
    refused = await terminal.runs("outbox", "void", "1", typed="n\n")
    assert refused.code == 1
    assert "Take back 1 message, which nobody will get then?" in refused.out
    assert (await states_of(database))[1] == "pending"
    assert (await terminal.runs("outbox", "void", "1", typed="y\n")).out.endswith("1 message taken back.\n")
    assert await terminal.runs("outbox", "void", "--chat", "1", "--yes") == Done(0, "3 messages taken back.\n", "")
    assert list((await states_of(database)).values()) == ["void", "void", "sent", "void", "void"]
    for words in (("retry",), ("retry", "1", "--failed"), ("void",), ("void", "1", "--chat", "1")):
        done = await terminal.runs("outbox", *words)
        assert (done.code, done.err[:32]) == (1, "Name messages by their numbers, ")


async def test_a_settings_file_can_be_named_before_or_after_the_word(terminal: Terminal, database: Database) -> None:
    await queue(database, await a_chat(database), "failed")
    named = terminal.folder / "mine.toml"
    named.write_text(f'[database]\nurl = "sqlite:///{terminal.folder}/paperwire.db"')
    bare = Terminal(terminal.folder, {})
    assert (await bare.runs("outbox", "--config", "mine.toml", "retry", "1")).code == 0
    assert (await bare.runs("outbox", "void", "1", "--yes", "--config", "mine.toml")).code == 0


async def test_a_restored_backup_is_told_and_decided_at_the_terminal(terminal: Terminal, database: Database) -> None:
    now = WallClock().now()
    chat = await a_chat(database, "cs.CL", now=now - timedelta(days=9))
    await queue(database, chat, "pending", "failed")
    assert (await terminal.runs("restored")).out == "This is no restored backup: nothing is to be chosen.\n"
    assert (await terminal.runs("restored", "--from-now")).code == 1
    assert (await terminal.runs("restored", "--hold")).code == 0
    assert "and nothing is sent. Choose: " in (await terminal.runs("restored")).out
    assert (await terminal.runs("restored", "--from-now", "--catch-up")).code == 1
    async with database.read() as connection:
        assert await marks.is_held(connection)
    assert await terminal.runs("restored", "--from-now") == Done(0, "From now on.\n", "")
    assert list((await states_of(database)).values()) == ["void", "failed"]
    async with database.read() as connection:
        (subscription,) = await chats.subscriptions_of(connection, chat.id)
    assert subscription.since >= now


async def test_catching_up_leaves_what_waits_to_be_sent(terminal: Terminal, database: Database) -> None:
    await queue(database, await a_chat(database), "pending")
    await terminal.runs("restored", "--hold")
    assert (await terminal.runs("restored", "--catch-up")).out.startswith("Catching up.")
    assert await states_of(database) == {1: "pending"}


async def test_a_backup_is_made_at_the_terminal(terminal: Terminal, database: Database) -> None:
    made, again = await terminal.runs("backup", "copy.db"), await terminal.runs("backup", "copy.db")
    assert (made.code, made.out[:26]) == (0, "copy.db is a complete copy")
    assert (again.code, again.out) == (1, "")
    assert (await terminal.runs("backup", "--force", "copy.db")).code == 0


@pytest.mark.thorough
async def test_a_database_is_moved_to_postgresql_and_used_there_at_the_terminal(
    terminal: Terminal, database: Database, new_postgres: Callable[[], str]
) -> None:
    there = new_postgres()
    await queue(database, await a_chat(database), "failed", "pending")
    running = await terminal.runs("migrate", "--to", there)
    assert (running.code, running.err[:25]) == (1, "Another Paperwire already")
    await database.close()
    moved = await terminal.runs("migrate", "--to", there)
    assert moved.code == 0
    assert moved.out.startswith(
        f"Copied 4 rows in {len(metadata.tables)} tables, and compared each table's rows. "
        "What is next:\n1. Set [database] url"
    )
    assert "messages" in moved.err
    moved_to = terminal.with_settings(database__url=there)
    assert (await moved_to.runs("outbox", "retry", "1")).code == 0
    assert "2 pending\n" in (await moved_to.runs("outbox")).out
    assert (await terminal.runs("migrate", "--to", there)).err.startswith("The database at --to is in use already")


# Beside a running Paperwire.


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[App]:
    settings = Settings(
        web=Web(port=0),
        database=DatabaseSettings(url=f"sqlite:///{folder}/paperwire.db"),
        arxiv=Arxiv(feed_url=NOBODY, default_categories=()),
        retention=Retention(days=36_500),  # the tests' texts are of a spring, and are not to be dropped meanwhile
    )
    clock = WallClock()
    scheduler = JobScheduler(clock)
    app = App(settings, await open_database(settings.database.url), clock, scheduler)
    await app.start()
    scheduler.start()
    try:
        yield app
    finally:
        await app.finish()
        await scheduler.stop()
        await app.close()


async def test_a_running_paperwire_sends_what_is_retried_at_its_next_heartbeat(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.scheduler.HEARTBEAT", timedelta(seconds=0.3))
    async with running(terminal.folder):
        beside = await open_database(f"sqlite:///{terminal.folder}/paperwire.db", exclusive=False)
        (number,) = await queue(beside, await a_chat(beside, address="lab"), "failed")
        assert (await terminal.runs("outbox", "retry", str(number))).code == 0
        async with asyncio.timeout(20):
            while (await states_of(beside))[number] != "sent":
                await asyncio.sleep(0.05)
        await beside.close()


async def test_a_held_database_is_told_on_the_page_until_somebody_chooses(terminal: Terminal) -> None:
    async with running(terminal.folder) as app, httpx.AsyncClient(base_url=app.address, follow_redirects=True) as page:
        held = phrases_of("en")("status.held")
        assert held not in (await page.get("/")).text
        await terminal.runs("restored", "--hold")
        assert held in (await page.get("/")).text
        await terminal.runs("restored", "--catch-up")
        assert held not in (await page.get("/")).text
