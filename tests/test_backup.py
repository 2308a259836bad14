"""Backups: made beside a running Paperwire, and noticed when an older copy of a database is put back in service."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from bot.locales import phrases_of
from bot.storage import marks
from bot.storage.backup import Entry, Logbook, back_up, is_older_copy, next_entry
from bot.storage.database import Database, DatabaseError, check, open_database
from tests.builders import MONDAY, HandClock, a_chat, a_paper, announce
from tests.process import paperwire

LATER = MONDAY + timedelta(days=3)


def url(file: Path) -> str:
    return f"sqlite:///{file}"


async def restored_from(database: Database) -> str | None:
    async with database.read() as connection:
        return await marks.get(connection, marks.RESTORED)


async def a_run(file: Path, clock: HandClock, *, killed: bool = False) -> str | None:
    """Paperwire starts on a file, works for two hours and ends; since when it took it for restored."""
    database = await open_database(url(file))
    logbook = Logbook(database)
    await logbook.open(clock.now())
    found = await restored_from(database)
    for _ in range(2):
        await logbook.tick(clock.turn(hours=1))
    if not killed:
        await logbook.close(clock.now())
    await database.close()
    return found


# Making one.


async def test_a_backup_made_beside_a_running_paperwire_is_whole_and_one_file(
    database: Database, tmp_path: Path
) -> None:
    await a_chat(database, "cs.CL")
    await announce(database, MONDAY, *(a_paper(number) for number in range(200)))
    async with database.write() as writing:
        await marks.put(writing, "not", "committed")
        size = back_up(url(tmp_path / "paperwire.db"), tmp_path / "copy.db", MONDAY)
    assert sorted(file.name for file in tmp_path.glob("*copy*")) == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_size == size
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    copy = await open_database(url(tmp_path / "copy.db"))
    async with copy.read() as connection:
        assert await marks.get(connection, "not") is None
        assert len((await connection.exec_driver_sql("SELECT id FROM papers")).all()) == 200
    assert await check(copy) == "ok"
    await copy.close()


async def test_the_copy_is_marked_with_its_instant_and_the_original_is_not(database: Database, tmp_path: Path) -> None:
    back_up(url(tmp_path / "paperwire.db"), tmp_path / "copy.db", MONDAY)
    copy = await open_database(url(tmp_path / "copy.db"))
    assert await restored_from(copy) == "2026-03-02T12:00:00+00:00"
    assert await restored_from(database) is None
    await copy.close()


async def test_a_copy_of_a_copy_that_nobody_decided_about_keeps_the_older_instant(
    database: Database, tmp_path: Path
) -> None:
    back_up(url(tmp_path / "paperwire.db"), tmp_path / "once.db", MONDAY)
    back_up(url(tmp_path / "once.db"), tmp_path / "twice.db", LATER)
    twice = await open_database(url(tmp_path / "twice.db"))
    assert await restored_from(twice) == MONDAY.isoformat()
    await twice.close()


async def test_a_backup_replaces_a_file_only_when_told_to_and_never_the_database_itself(
    database: Database, tmp_path: Path
) -> None:
    original, copy = tmp_path / "paperwire.db", tmp_path / "copy.db"
    copy.write_text("precious")
    with pytest.raises(DatabaseError, match="--force"):
        back_up(url(original), copy, MONDAY)
    assert copy.read_text() == "precious"
    back_up(url(original), copy, MONDAY, replace=True)
    assert copy.read_bytes().startswith(b"SQLite format 3")
    (tmp_path / "link.db").symlink_to(original)
    for same in (original, tmp_path / "link.db"):
        with pytest.raises(DatabaseError, match="is the database itself"):
            back_up(url(original), same, MONDAY, replace=True)


async def test_what_cannot_be_copied_is_told_and_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    original = tmp_path / "paperwire.db"
    (tmp_path / "none.db").write_bytes(b"no database" * 500)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (title)")
    for source, target, said in (
        (tmp_path / "missing.db", "copy.db", "There is no database"),
        (tmp_path / "none.db", "copy.db", "is no SQLite database"),
        (tmp_path / "other.db", "copy.db", "is no database of Paperwire"),
        (original, "nowhere/copy.db", "cannot be written"),
    ):
        with pytest.raises(DatabaseError, match=said):
            back_up(url(source), tmp_path / target, MONDAY)
    with pytest.raises(DatabaseError, match="pg_dump") as refused:
        back_up("postgresql+psycopg://me:secret@host/papers", tmp_path / "copy.db", MONDAY)
    assert "secret" not in str(refused.value)
    assert not list(tmp_path.glob("*copy*"))


# Noticing one.


@pytest.mark.parametrize(
    ("stored", "beside", "is_older", "following"),
    [
        (Entry("a", 3, MONDAY), Entry("a", 5, LATER), True, 6),
        (Entry("a", 5, MONDAY), Entry("a", 5, MONDAY), False, 6),  # an orderly end
        (Entry("a", 6, MONDAY), Entry("a", 5, MONDAY), False, 7),  # killed between the database and the file
        (Entry("a", 5, MONDAY), None, False, 6),  # moved without the file, or it was deleted
        (Entry("a", 5, MONDAY), Entry("b", 9, LATER), False, 6),  # another database at the same place
    ],
)
def test_only_an_entry_behind_that_of_the_same_database_is_an_older_copy(
    stored: Entry, beside: Entry | None, is_older: bool, following: int
) -> None:
    assert is_older_copy(stored, beside) is is_older
    assert next_entry(stored, beside, LATER) == Entry("a", following, LATER)


@pytest.mark.parametrize("text", [None, "", "a", "a b c", "a 1 noon", "a 1 2026-03-02T12:00 more", "\0" * 50])
def test_a_text_that_is_no_entry_counts_as_none(text: str | None) -> None:
    assert Entry.read(text) is None


def test_two_new_databases_have_different_names() -> None:
    assert next_entry(None, None, MONDAY).database != next_entry(None, None, MONDAY).database


async def test_starts_ends_and_kills_raise_no_alarm(tmp_path: Path, clock: HandClock) -> None:
    file = tmp_path / "paperwire.db"
    assert [await a_run(file, clock, killed=killed) for killed in (False, True, True, False, False)] == [None] * 5


@pytest.mark.parametrize("killed", [False, True])
async def test_an_older_copy_put_back_is_noticed_and_told_once(tmp_path: Path, clock: HandClock, killed: bool) -> None:
    file = tmp_path / "paperwire.db"
    await a_run(file, clock)
    shutil.copy(file, tmp_path / "copy.db")
    copied_at = clock.now()
    await a_run(file, clock, killed=killed)
    shutil.copy(tmp_path / "copy.db", file)
    with capture_logs() as logs:
        assert await a_run(file, clock) == copied_at.isoformat()
    assert [event["event"] for event in logs] == ["restore.noticed"]
    database = await open_database(url(file))
    async with database.write() as connection:
        await marks.remove(connection, marks.RESTORED)
    await database.close()
    assert await a_run(file, clock) is None


async def test_a_copy_taken_while_it_ran_is_noticed_after_an_orderly_end(tmp_path: Path, clock: HandClock) -> None:
    file = tmp_path / "paperwire.db"
    database = await open_database(url(file))
    logbook = Logbook(database)
    await logbook.open(clock.now())
    with closing(sqlite3.connect(file)) as running, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        running.backup(copy)
    await logbook.close(clock.turn(minutes=1))
    await database.close()
    shutil.copy(tmp_path / "copy.db", file)
    assert await a_run(file, clock) == MONDAY.isoformat()


async def test_a_database_moved_elsewhere_and_a_new_one_in_its_place_raise_no_alarm(
    tmp_path: Path, clock: HandClock
) -> None:
    file = tmp_path / "paperwire.db"
    await a_run(file, clock)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(file, tmp_path / "elsewhere")
    assert await a_run(tmp_path / "elsewhere" / "paperwire.db", clock) is None
    assert await a_run(file, clock) is None


async def test_a_backup_keeps_its_own_instant_also_where_the_file_beside_it_is_ahead(
    tmp_path: Path, clock: HandClock
) -> None:
    file = tmp_path / "paperwire.db"
    await a_run(file, clock)
    back_up(url(file), tmp_path / "copy.db", clock.turn(minutes=30))
    made_at = clock.now()
    await a_run(file, clock)
    shutil.copy(tmp_path / "copy.db", file)
    assert await a_run(file, clock) == made_at.isoformat()


async def test_an_entry_is_made_once_an_hour(database: Database, tmp_path: Path, clock: HandClock) -> None:
    logbook = Logbook(database)
    await logbook.open(clock.now())
    numbers = []
    for _ in range(5):
        assert await logbook.tick(clock.turn(minutes=30)) is not None
        entry = Entry.read((tmp_path / "paperwire.db.last").read_text())
        assert entry is not None
        numbers.append(entry.number)
    assert numbers == [1, 2, 2, 3, 3]


async def test_a_folder_in_which_the_file_cannot_be_written_is_told_and_nothing_stops(
    database: Database, tmp_path: Path, clock: HandClock
) -> None:
    (tmp_path / "paperwire.db.last").mkdir()
    with capture_logs() as logs:
        await Logbook(database).open(clock.now())
    assert [event["event"] for event in logs] == ["logbook.not_written"]


async def test_postgresql_has_no_file_beside_it(
    new_migrated_postgres: Callable[[], str], tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = await open_database(new_migrated_postgres())
    logbook = Logbook(database)
    await logbook.open(clock.now())
    await logbook.tick(clock.now())
    await logbook.close(clock.now())
    assert await restored_from(database) is None
    await database.close()
    assert not list(tmp_path.iterdir())


async def test_paperwire_started_on_a_copy_that_was_put_back_sends_nothing_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "data" / "paperwire.db"
    settings = {"arxiv__feed_url": "http://127.0.0.1:9"}
    async with paperwire(tmp_path, **settings) as running:
        await running.stop()
    shutil.copy(file, tmp_path / "copy.db")
    async with paperwire(tmp_path, **settings) as running:
        assert "restore" not in running.printed
        await running.stop()
    shutil.copy(tmp_path / "copy.db", file)
    async with paperwire(tmp_path, **settings) as running, httpx.AsyncClient(base_url=running.address) as page:
        assert "restore.noticed" in running.printed
        held = phrases_of("en")("status.held")
        assert (await page.get("/t/papers")).text.count(held) == 1  # the status line
        await page.post("/t/papers/say", data={"text": "/status"}, headers={"Origin": running.address})
        assert (await page.get("/t/papers")).text.count(held) == 2
