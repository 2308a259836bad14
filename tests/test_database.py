"""The database refuses what it cannot trust, says what to do, and changes nothing of it."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import storage
from bot.storage import attempts, chats, digests, outbox
from bot.storage.database import Database, DatabaseError, explain, open_database
from bot.storage.tables import messages, metadata
from tests.builders import MONDAY, a_chat


def url(file: Path) -> str:
    return f"sqlite:///{file}"


async def test_a_new_database_has_every_table_and_the_promised_settings(database: Database) -> None:
    async with database.read() as connection:
        tables = await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))
        pragmas = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    # SQLite keeps a full-text index in tables of its own: https://www.sqlite.org/fts5.html#fts5_data_structures
    assert {each for each in tables if not each.startswith("found_words")} == {*metadata.tables, "alembic_version"}
    assert pragmas == ["wal", 2, 1]


def test_the_last_migrations_number_is_the_schemas_version() -> None:
    from alembic.script import ScriptDirectory

    from bot.storage.database import _alembic, _head

    assert ScriptDirectory.from_config(_alembic()).get_current_head() == _head()


async def test_the_migrations_make_the_schema_that_the_code_expects(any_database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def is_ours(name: str | None, _kind: str, _parents: object) -> bool:
        # The full-text index is the database's own matter: a virtual table here, a column there.
        return not (name or "").startswith(("procrastinate", "found_words", "ix_paper_words_found"))

    def is_compared(each: sa.schema.SchemaItem, name: str | None, *_: object) -> bool:
        return not (isinstance(each, sa.Column) and each.table.name == "paper_words" and name == "found")

    async with any_database.read() as connection:
        difference = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"include_name": is_ours, "include_object": is_compared}),
                metadata,
            )
        )
    assert difference == []


async def test_processes_that_start_at_once_migrate_postgresql_once(new_postgres: Callable[[], str]) -> None:
    opened = await asyncio.gather(*(open_database(each) for each in [new_postgres()] * 4))
    for database in opened:
        await database.close()


async def test_a_postgresql_that_cannot_be_used_is_told_in_one_line_without_its_password(
    new_postgres: Callable[[], str],
) -> None:
    missing = sa.make_url(new_postgres()).set(database="nowhere").render_as_string(hide_password=False)
    for wrong, said in (
        ("postgresql://bot:hush-hush@127.0.0.1:1/x", "cannot be reached"),
        (missing, "does not exist"),
        ("mysql://x", "not supported"),
    ):
        with pytest.raises(DatabaseError) as caught:
            await open_database(wrong)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "hush-hush" not in str(caught.value)


async def test_a_database_of_the_first_release_opens_in_this_one(tmp_path: Path) -> None:
    first = Path(__file__).parent / "data" / "first_release.sql"
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(first.read_text("utf-8"))
    connection.close()
    database = await open_database(url(tmp_path / "old.db"))
    async with database.read() as read:
        (chat,) = await chats.everyone(read)
        (subscription,) = await chats.subscriptions_of(read, chat.id)
    await database.close()
    assert (chat.platform, chat.preferences.zone) == ("telegram", "Asia/Shanghai")
    assert str(subscription.interest) == "cs.CV+cs.CL -cs.RO"


async def test_numbering_a_database_anew_loses_no_row_and_nothing_that_refers_to_one(tmp_path: Path) -> None:
    engine = sa.create_engine(url(tmp_path / "old.db"))
    with engine.connect() as connection:
        migrate_to("0006", connection)
        for table, row in OLD_ROWS.items():
            connection.execute(sa.insert(metadata.tables[table]), row)
        connection.commit()
    engine.dispose()
    with sqlite3.connect(tmp_path / "old.db") as left:
        left.execute("CREATE TABLE _alembic_tmp_digests (id INTEGER)")  # by an attempt that was killed
    left.close()
    database = await open_database(url(tmp_path / "old.db"))
    async with database.read() as read:
        for table in OLD_ROWS:
            count = sa.select(sa.func.count()).select_from(metadata.tables[table])
            assert (await read.execute(count)).scalar_one() == 1, table
        assert (await read.execute(sa.text("PRAGMA foreign_key_check"))).all() == []
        (chat,) = await chats.everyone(read)
        (subscription,) = await chats.subscriptions_of(read, chat.id)
    await database.close()
    assert (chat.paused_until, subscription.made_at) == (None, MONDAY)


def migrate_to(revision: str, connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


_CHAT = {"platform": "web", "address": "home", "title": "Home", "is_group": False, "time": MONDAY.time(), "zone": "UTC"}
_PAPER = {"id": "2603.00001", "version": 1, "title": "T", "abstract": "A", "authors": [], "categories": ["cs.CL"]}
_DIGEST = {"chat_id": 1, "occasion": "daily", "local_day": MONDAY.date(), "composed_at": MONDAY, "announced": 1}
OLD_ROWS: dict[str, dict[str, Any]] = {
    "chats": _CHAT | {"id": 1, "language": "en", "cap": 12, "access": "allowed", "created_at": MONDAY},
    "subscriptions": {"id": 1, "chat_id": 1, "query": "cs.CL", "since": MONDAY},
    "papers": _PAPER | {"withdrawn": False, "updated_at": MONDAY},
    "digests": _DIGEST | {"id": 1, "matched": 1, "shown": 1, "held": 0},
    "digest_papers": {"chat_id": 1, "paper_id": "2603.00001", "digest_id": 1, "position": 0, "held": False},
    "payloads": {"id": 1, "checksum": "c", "content": "text", "used_at": MONDAY},
    "messages": {"id": 1, "chat_id": 1, "digest_id": 1, "key": "d1-0", "payload_id": 1, "state": "pending"}
    | {"not_before": MONDAY, "created_at": MONDAY},
    "operators": {"platform": "web", "user_id": "local", "chat_id": 1},
    "web_messages": {"id": 1, "chat_id": 1, "author": "bot", "key": "k", "html": "<p></p>", "at": MONDAY},
}


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda read: outbox.due(read, MONDAY, ["web"], [], 10), "ix_messages_open"),
        (lambda read: outbox.queues(read, [1], MONDAY), "ix_messages_open"),
        (lambda read: attempts.left_behind(read, []), "ix_messages_sending"),
        (lambda read: digests.last(read, 1), "ix_digests_chat_id_id"),
        (lambda read: digests.last_dailies(read, [1]), "uq_digests_daily"),
    ],
)
async def test_what_is_asked_often_costs_nothing_for_what_was_sent_long_ago(
    database: Database, ask: Callable[[AsyncConnection], Awaitable[object]], index: str
) -> None:
    asked: list[tuple[str, object]] = []

    @sa.event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def _(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    async with database.read() as read:
        await ask(read)
        statements = [each for each in asked if "FROM messages" in each[0] or "FROM digests" in each[0]]
        plan = ""
        for statement, parameters in statements:
            rows = await read.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plan += "\n".join(row.detail for row in rows)
    assert index in plan
    assert "SCAN messages\n" not in f"{plan}\n"
    assert "SCAN digests\n" not in f"{plan}\n"


async def test_what_the_first_release_had_still_to_send_is_sent_by_this_one(tmp_path: Path) -> None:
    first = Path(__file__).parent / "data" / "first_release.sql"
    rows = [
        (number, "pending" if number < 700 else "sent", f"text {number % 7}", number % 3) for number in range(1, 1001)
    ]
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(first.read_text("utf-8"))
        (chat_id,) = connection.execute("SELECT id FROM chats").fetchone()
        connection.executemany(
            "INSERT INTO messages (id, chat_id, key, payload, state, not_before, attempts, uncertain, created_at) "
            f"VALUES (?1, {chat_id}, 'd' || ?1, ?3, ?2, '2026-03-02 12:00:00', 1, ?4, '2026-03-02 12:00:00')",
            rows,
        )
        connection.execute("UPDATE chats SET access = 'allowed'")
    connection.close()
    database = await open_database(url(tmp_path / "old.db"))
    async with database.read() as read:
        ((_, queue),) = await outbox.queues(read, [chat_id], MONDAY)
        texts = await outbox.contents(read, {message.payload_id for message in queue})
        counts = await outbox.counts(read)
        doubts = (await read.execute(sa.select(messages.c.doubts).order_by(messages.c.id))).scalars().all()
    await database.close()
    assert [(message.key, texts[message.payload_id]) for message in queue] == [
        (f"d{number}", text) for number, state, text, _ in rows if state == "pending"
    ]
    assert counts == {"pending": 699, "sent": 301}
    assert list(doubts) == [doubts for *_, doubts in rows]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty file"), (b"no database" * 500, "no SQLite database"), (b"\0" * 9000, "no SQLite")],
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "broken.db"
    file.write_bytes(content)
    with pytest.raises(DatabaseError, match=said):
        await open_database(url(file))
    assert file.read_bytes() == content


async def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "damaged.db"
    await (await open_database(url(file))).close()
    damaged = bytearray(file.read_bytes())
    damaged[100:2000] = b"\xff" * 1900
    file.write_bytes(damaged)
    with pytest.raises(DatabaseError, match="damaged"):
        await open_database(url(file))
    assert file.read_bytes() == bytes(damaged)


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "newer.db"
    await (await open_database(url(file))).close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseError, match="newer Paperwire"):
        await open_database(url(file))


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE songs (id INTEGER)")
    connection.close()
    with pytest.raises(DatabaseError, match="another program"):
        await open_database(url(file))


async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path / "one.db"))
    program = (
        "import asyncio, sys\nfrom bot.storage.database import open_database, DatabaseError\n"
        "try: asyncio.run(open_database(sys.argv[1]))\nexcept DatabaseError as error: print(error)"
    )
    second = subprocess.run(
        [sys.executable, "-c", program, url(tmp_path / "one.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    await database.close()
    assert "Another Paperwire already works on" in second.stdout
    await (await open_database(url(tmp_path / "one.db"))).close()


async def test_a_locked_database_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "locked.db"
    await (await open_database(url(file))).close()
    monkeypatch.setattr("bot.storage.database._BUSY_SECONDS", 0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    database = None
    try:
        with pytest.raises(DatabaseError, match="locked by another program"):
            database = await open_database(url(file))
            async with database.write() as connection:
                await connection.execute(sa.text("DELETE FROM marks"))
    except sa.exc.OperationalError as error:
        assert "locked" in explain(error, file)
    finally:
        other.close()
        if database is not None:
            await database.close()


async def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path / "full.db"))
    chat = await a_chat(database, "cs.CL")
    async with database.read() as connection:
        pages = (await connection.execute(sa.text("PRAGMA page_count"))).scalar_one()
    # SQLite answers a full disk and a reached page limit with the same error, at the same places.
    with pytest.raises(sa.exc.OperationalError, match="full"):
        async with database.write() as connection:
            await connection.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
            for number in range(5_000):
                await connection.execute(
                    sa.text("INSERT INTO marks VALUES (:name, :value)"), {"name": str(number), "value": "x" * 2_000}
                )
    await database.close()
    database = await open_database(url(tmp_path / "full.db"))
    async with database.read() as connection:
        assert await chats.get(connection, chat.id) == chat
    await database.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DatabaseError, match="data cannot be written"):
        await open_database(url(tmp_path / "data" / "paperwire.db"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("database is locked", "locked by another program"),
        ("attempt to write a readonly database", "read-only"),
        ("database or disk is full", "disk is full"),
        ("disk I/O error", "disk I/O error"),
        ("unable to open database file", "cannot be opened"),
    ],
)
def test_sqlites_errors_become_advice(error: str, said: str) -> None:
    assert said in explain(Exception(error), "paperwire.db")


@pytest.mark.parametrize("wrong", ["nonsense", "mysql://x/y"])
async def test_a_wrong_url_names_its_key(wrong: str) -> None:
    with pytest.raises(DatabaseError, match=r"\[database\] url"):
        await open_database(wrong)
