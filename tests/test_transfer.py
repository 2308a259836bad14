"""`migrate --to`: a SQLite database with every kind of row becomes a PostgreSQL one, whole or not at all."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.chats import Preferences
from bot.storage import chats, marks, outbox
from bot.storage.database import Database, DatabaseError, open_database
from bot.storage.tables import metadata
from bot.storage.transfer import transfer
from tests.builders import MONDAY, a_chat

NOW = MONDAY + timedelta(days=1)
INSTANT = datetime(2026, 3, 2, 23, 59, 59, 123456, tzinfo=UTC)
MANY = 2_500

ROWS: dict[str, list[dict[str, Any]]] = {
    "papers": [
        {
            "id": "hep-th/9901001",
            "version": 3,
            "title": "Ünïcode 视觉 𝔸 and \\ \" ' %s {x}",
            "abstract": "a\nb\tc",
            "authors": ["Ada", "王"],
            "categories": [],
            "licence": None,
            "comment": "",
            "withdrawn": True,
            "updated_at": INSTANT,
        },
        *(
            {
                "id": f"2603.{number:05}",
                "version": 1,
                "title": "T",
                "abstract": "A",
                "authors": [],
                "categories": ["cs.CL"],
                "licence": "CC0",
                "comment": None,
                "withdrawn": False,
                "updated_at": INSTANT,
            }
            for number in range(MANY)
        ),
    ],
    "unindexed": [{"paper_id": "hep-th/9901001"}],
    "paper_words": [
        {
            "id": 12,
            "paper_id": "hep-th/9901001",
            "made_from": "3",
            "title": "unicode 视觉 a and s x",
            "abstract": "a b c",
            "authors": "ada 王",
            "others": "",
        }
    ],
    "saved": [{"platform": "discord", "user_id": "9" * 19, "paper_id": "hep-th/9901001", "at": INSTANT}],
    "votes": [
        {
            "platform": "discord",
            "user_id": "9" * 19,
            "paper_id": "hep-th/9901001",
            "value": -1,
            "engine": "model",
            "model": "toy",
            "at": INSTANT,
        }
    ],
    "listings": [
        {
            "paper_id": "hep-th/9901001",
            "category": "hep-th",
            "announce_type": "new",
            "day": date(1999, 1, 1),
            "first_seen_at": INSTANT,
            "is_sample": False,
        }
    ],
    "feeds": [
        {
            "category": "cs.CL",
            "next_poll_at": INSTANT,
            "entries": 7,
            "read_at": INSTANT,
            "failing_since": None,
            "failures": 0,
            "error": None,
        }
    ],
    "announcements": [
        {
            "category": "cs.CL",
            "day": date(2026, 3, 2),
            "state": "late",
            "since": INSTANT,
            "counts": {"new": 3, "cross": 1},
            "filled": 2,
            "reason": None,
            "told": {"feed": ["stale", "2026-03-02T05:10:00+00:00"]},
        }
    ],
    "summaries": [
        {
            "paper_id": "hep-th/9901001",
            "paper_version": 3,
            "tldr": "Short.",
            "tldr_zh": "短。",
            "title_zh": None,
            "abstract_zh": None,
            "takeaways": [{"en": "One", "zh": None, "scores": [0.1, 1e-9]}],
            "engine": "extractive",
            "engine_version": "1",
            "model": None,
            "translator": "toy",
            "checks": ["acronym: TLA"],
            "source": "0123456789abcdef",
            "written_at": INSTANT,
        }
    ],
    "wanted": [{"paper_id": "hep-th/9901001", "since": INSTANT, "claimed_at": None}],
    "rejections": [
        {
            "id": 8,
            "paper_id": "hep-th/9901001",
            "paper_version": 3,
            "model": "toy",
            "prompt": "1",
            "guard": "number",
            "detail": "97 %",
            "reply": "{}",
            "rejected_at": INSTANT,
        }
    ],
    "spending": [
        {"day": date(2026, 3, 2), "model": "toy", "requests": 2, "tokens_in": 2**33, "tokens_out": 500},
    ],
    "chats": [
        {
            "id": number,
            "platform": "telegram",
            "address": f"-100{number}",
            "title": title,
            "is_group": True,
            "time": time(8, 30),
            "zone": "Asia/Shanghai",
            "language": "zh",
            "cap": 0,
            "asap": True,
            "days": "01234",
            "quiet_from": time(22, 0),
            "quiet_until": time(7, 0),
            "format": "titles",
            "cross_lists": False,
            "quiet_note": True,
            "replacements": True,
            "access": "allowed",
            "inactive_because": because,
            "inactive_since": INSTANT if because else None,
            "shut": 2,
            "probe_at": None,
            "next_digest_at": INSTANT,
            "last_digest_day": date(2026, 2, 28),
            "created_at": INSTANT,
            "paused_until": INSTANT,
            "paging": "pages",
            "most_papers": 20,
            "most_subscriptions": None,
            "person_id": "777",
            "alert_at": INSTANT,
            "alert_from": INSTANT,
            "links": True,
            "mention": "1100000000000000099",
        }
        for number, title, because in ((3, "A \0 chat", None), (41, "", "Forbidden: bot was kicked"))
    ],
    "subscriptions": [
        {
            "id": 5,
            "chat_id": 41,
            "query": "cs.CV+cs.CL -cs.RO",
            "since": INSTANT,
            "made_at": INSTANT,
            "alerts_since": INSTANT,
        },
    ],
    "ended_subscriptions": [
        {
            "id": 4,
            "chat_id": 41,
            "query": "cs.RO",
            "since": INSTANT,
            "made_at": None,
            "alerts_since": None,
            "ended_at": INSTANT,
        },
    ],
    "bans": [{"platform": "discord", "kind": "person", "name": "777", "at": INSTANT, "told": True}],
    "broadcasts": [
        {"id": 2, "chat_id": 41, "text": "Hello all", "state": "sending", "at": INSTANT, "through": 3},
    ],
    "stand_ins": [{"chat_id": 41, "channel_id": 3, "until": INSTANT}],
    "links_answered": [{"chat_id": 41, "paper_id": "2502.14584", "at": INSTANT}],
    "imports": [{"id": 6, "chat_id": 41, "content": 'paperwire = 1\nsubscriptions = ["cs.CL"]\n', "at": INSTANT}],
    "changes": [
        {"id": 4, "chat_id": 41, "before": [{"id": 5, "query": "cs.CV", "after": "cs.CV -cs.RO"}], "at": INSTANT}
    ],
    "digests": [
        {
            "id": 9,
            "chat_id": 41,
            "occasion": "daily",
            "local_day": date(2026, 3, 1),
            "composed_at": INSTANT,
            "announced_at": None,
            "announced": 4,
            "matched": 3,
            "shown": 2,
            "held": 1,
            "latest_day": date(2026, 2, 27),
            "late_days": ["2026-02-26"],
        }
    ],
    "digest_papers": [
        {"chat_id": 41, "paper_id": "hep-th/9901001", "digest_id": 9, "position": 0, "held": False},
    ],
    "replacements": [
        {
            "paper_id": "hep-th/9901001",
            "version": 3,
            "withdrawn": True,
            "before": 2,
            "comment": "12 pages",
            "seen_at": INSTANT,
        },
    ],
    "told_versions": [
        {"chat_id": 41, "paper_id": "hep-th/9901001", "version": 3, "withdrawn": True, "told_at": INSTANT},
    ],
    "payloads": [
        {"id": 17, "checksum": "c", "content": '{"text": "Hello \\u0000"}', "used_at": INSTANT},
        {"id": 18, "checksum": "d", "content": "{}", "used_at": INSTANT},
    ],
    "messages": [
        {
            "id": 100 + position,
            "chat_id": 41,
            "digest_id": 9,
            "key": f"digest-9-{position}",
            "payload_id": payload_id,
            "part": 0,
            "further_parts": parts,
            "urgent": position == 2,
            "state": state,
            "not_before": INSTANT,
            "attempts": 1,
            "doubts": 0,
            "doubt_since": None,
            "sending_at": INSTANT,
            "sent_at": None,
            "platform_message_id": None,
            "error": None,
            "created_at": INSTANT,
        }
        for position, (state, payload_id, parts) in enumerate(
            (("pending", 17, None), ("failed", None, []), ("waiting", 17, [18]), ("sent", 18, None))
        )
    ],
    "budgets": [
        {"scope": "telegram", "taken": [1772452800.1234567], "reserved": [], "halted_until": 1772452800.9876543}
    ],
    "updates_seen": [{"platform": "telegram", "update_id": 2**40, "at": INSTANT}],
    "operators": [{"platform": "telegram", "user_id": "7", "chat_id": 41}],
    "web_messages": [
        {"id": 1, "chat_id": 3, "author": "you", "key": "k", "html": "<p>&amp;</p>", "at": INSTANT},
        {
            "id": 2,
            "chat_id": 3,
            "author": "bot",
            "key": "l",
            "html": "<p></p>",
            "at": INSTANT,
            "file_name": "saved.bib",
            "file_text": "@misc{}",
        },
    ],
    "marks": [{"name": "greeted", "value": "yes"}],
}


def nobody_looks(_table: str, _over: int, _total: int) -> None:
    """Nobody watches the progress."""


async def content_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    async with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
        }


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await open_database(url)
    try:
        yield database
    finally:
        await database.close()


async def is_empty(url: str) -> bool:
    async with opened(url) as database:
        return not any((await content_of(database)).values())


@pytest.fixture
async def source(tmp_path: Path) -> str:
    """A SQLite database with a row of every kind; its URL."""
    url = f"sqlite:///{tmp_path}/paperwire.db"
    async with opened(url) as database, database.write() as connection:
        for table in metadata.sorted_tables:
            # Columns without a value are left out: a JSON column would keep the text `null` for None.
            filled = [{name: value for name, value in row.items() if value is not None} for row in ROWS[table.name]]
            for _, alike in groupby(filled, key=list):
                await connection.execute(sa.insert(table), list(alike))
    return url


@pytest.fixture
def target(new_migrated_postgres: Callable[[], str]) -> str:
    return new_migrated_postgres()


async def test_every_row_arrives_with_its_numbers_instants_and_texts(
    source: str, new_postgres: Callable[..., str]
) -> None:
    target = new_postgres()
    assert ROWS.keys() == metadata.tables.keys()
    async with opened(source) as database:
        before = await content_of(database)
    told: list[tuple[str, int, int]] = []
    rows = await transfer(source, target, NOW, lambda *step: told.append(step))
    assert rows == sum(map(len, ROWS.values()))
    assert [step for step in told if step[0] == "papers"] == [
        ("papers", over, MANY + 1) for over in (0, 1_000, 2_000, MANY + 1)
    ]
    async with opened(target) as database:
        after = await content_of(database)
    # PostgreSQL's texts cannot hold a NUL.
    before["chats"] = [
        tuple(part.replace("\0", "\ufffd") if isinstance(part, str) else part for part in row)
        for row in before["chats"]
    ]
    assert after == before


async def test_what_was_nothing_is_nothing_there_too(source: str, target: str) -> None:
    await transfer(source, target, NOW, nobody_looks)
    with psycopg.connect(target) as connection:
        rows = connection.execute("SELECT key FROM messages WHERE further_parts IS NULL ORDER BY id").fetchall()
    assert [key for (key,) in rows] == ["digest-9-0", "digest-9-3"]


async def test_new_rows_get_the_numbers_that_follow(source: str, target: str) -> None:
    await transfer(source, target, NOW, nobody_looks)
    async with opened(target) as database:
        chat = await a_chat(database, "cs.CL", address="new")
        async with database.write() as connection:
            await outbox.put(connection, chat.id, None, "new", ["{}", "[]"], NOW)
            number = sa.select(sa.func.max(metadata.tables["messages"].c.id))
            assert (await connection.execute(number)).scalar_one() == 105
    assert chat.id == 42


async def test_what_was_in_flight_at_a_kill_is_sent_again_there(source: str, target: str) -> None:
    async with opened(source) as database, database.write() as connection:
        update = sa.update(metadata.tables["messages"]).where(metadata.tables["messages"].c.id == 100)
        await connection.execute(update.values(state="sending", sending_at=NOW))
    await transfer(source, target, NOW, nobody_looks)
    async with opened(target) as database, database.read() as connection:
        counts = await outbox.counts(connection)
    assert counts == {"uncertain": 1, "failed": 1, "waiting": 1, "sent": 1}


async def test_the_old_file_put_back_in_service_asks_first(source: str, target: str) -> None:
    await transfer(source, target, NOW, nobody_looks)
    async with opened(source) as database, database.read() as connection:
        assert await marks.get(connection, marks.RESTORED) == NOW.isoformat()
    async with opened(target) as database, database.read() as connection:
        assert not await marks.is_held(connection)


async def test_a_row_that_postgresql_refuses_leaves_the_target_empty_and_the_source_as_it_was(
    source: str, target: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "paperwire.db")) as connection:
        connection.execute("UPDATE web_messages SET id = 3000000000 WHERE id = 1")
        connection.commit()
    with pytest.raises(DatabaseError, match=r"Nothing was copied\. At table web_messages: .*integer out of range"):
        await transfer(source, target, NOW, nobody_looks)
    assert await is_empty(target)
    async with opened(source) as database, database.read() as connection:
        assert not await marks.is_held(connection)
        assert len(await chats.everyone(connection)) == 2
    with closing(sqlite3.connect(tmp_path / "paperwire.db")) as connection:
        connection.execute("UPDATE web_messages SET id = 3 WHERE id <> 2")
        connection.commit()
    await transfer(source, target, NOW, nobody_looks)


async def test_a_stop_half_way_leaves_the_target_empty(source: str, target: str) -> None:
    def stop(table: str, _over: int, _total: int) -> None:
        if table == "messages":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await transfer(source, target, NOW, stop)
    assert await is_empty(target)


@pytest.mark.parametrize(
    ("table", "what_it_does"), [("updates_seen", "RETURN NULL"), ("chats", "NEW.title := 'x'; RETURN NEW")]
)
async def test_rows_that_are_missing_or_differ_afterwards_are_found_and_leave_the_target_empty(
    source: str, target: str, table: str, what_it_does: str
) -> None:
    with psycopg.connect(target) as connection:
        connection.execute(
            f"CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what_it_does}; END $$".encode()
        )
        connection.execute(
            f"CREATE TRIGGER tamper BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION tamper()".encode()
        )
    with pytest.raises(DatabaseError, match=rf"Nothing was copied: table {table} .* or they differ"):
        await transfer(source, target, NOW, nobody_looks)
    assert await is_empty(target)


async def test_a_target_in_use_is_refused_and_left_as_it_is(source: str, target: str) -> None:
    async with opened(target) as database, database.write() as connection:
        await marks.put(connection, "greeted", "long ago")
    with pytest.raises(DatabaseError, match="is in use already: its table marks is not empty"):
        await transfer(source, target, NOW, nobody_looks)
    async with opened(target) as database, database.read() as connection:
        assert await marks.get(connection, "greeted") == "long ago"
        assert await chats.everyone(connection) == []


async def test_a_source_that_somebody_runs_on_is_refused(source: str, target: str) -> None:
    async with opened(source):
        with pytest.raises(DatabaseError, match="Another Paperwire already works on"):
            await transfer(source, target, NOW, nobody_looks)
    assert await is_empty(target)


@pytest.mark.parametrize(
    ("source_url", "target_url", "said"),
    [
        ("sqlite:///missing.db", "postgresql://host/name", "There is no database at missing.db"),
        ("sqlite:///missing.db", "sqlite:///other.db", "--to is a PostgreSQL"),
        ("sqlite:///missing.db", "papers", "--to is no database URL"),
        ("postgresql://host/name", "postgresql://host/other", "is a PostgreSQL already"),
    ],
)
async def test_wrong_urls_are_told(source_url: str, target_url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        await transfer(source_url, target_url, NOW, nobody_looks)


async def test_a_postgresql_that_cannot_be_reached_is_told_without_its_password(source: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be reached") as refused:
        await transfer(source, "postgresql://me:secret@127.0.0.1:9/papers", NOW, nobody_looks)
    assert "secret" not in str(refused.value)


async def test_an_untouched_database_is_moved_too(tmp_path: Path, target: str) -> None:
    url = f"sqlite:///{tmp_path}/paperwire.db"
    async with opened(url):
        pass
    assert await transfer(url, target, NOW, nobody_looks) == 0
    async with opened(target) as database, database.write() as connection:
        chat = await chats.meet(
            connection,
            "web",
            "first",
            title="First",
            is_group=False,
            access="allowed",
            preferences=Preferences(),
            now=NOW,
        )
    assert chat.id == 1
