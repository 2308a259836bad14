"""The database refuses what it cannot trust, says what to do, and changes nothing of it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.storage.database import Database, DatabaseError, explain, open_database
from bot.storage.tables import metadata
from tests.builders import a_chat


def url(file: Path) -> str:
    return f"sqlite:///{file}"


async def test_a_new_database_has_every_table_and_the_promised_settings(database: Database) -> None:
    async with database.read() as connection:
        tables = await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))
        pragmas = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert tables == {*metadata.tables, "alembic_version"}
    assert pragmas == ["wal", 2, 1]


async def test_the_migrations_make_the_schema_that_the_code_expects(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    async with database.read() as connection:
        difference = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert difference == []


async def test_a_database_of_the_first_release_opens_in_this_one(tmp_path: Path) -> None:
    first = Path(__file__).parent / "data" / "first_release.sql"
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(first.read_text("utf-8"))
    connection.close()
    database = await open_database(url(tmp_path / "old.db"))
    async with database.read() as read:
        from bot.storage import chats

        (chat,) = await chats.everyone(read)
        (subscription,) = await chats.subscriptions_of(read, chat.id)
    await database.close()
    assert (chat.platform, chat.preferences.zone) == ("telegram", "Asia/Shanghai")
    assert str(subscription.interest) == "cs.CV+cs.CL -cs.RO"


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
        from bot.storage import chats

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
