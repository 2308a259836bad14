"""Database: opens the engine, brings the schema up to date, hands out transactions, refuses what it cannot trust."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from filelock import FileLock, Timeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import PaperwireError

_BUSY_SECONDS = 10


class DatabaseError(PaperwireError):
    """The database cannot be used; the text says why and what to do. Nothing in it was changed."""


class Database:
    """One database, open. `write` transactions of one process follow each other; readers never wait for them."""

    def __init__(self, engine: AsyncEngine, lease: FileLock | None) -> None:
        self.engine = engine
        self._lease = lease
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block."""
        async with self._writing, self.engine.connect() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view of what was committed."""
        async with self.engine.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self.engine.dispose()
        if self._lease is not None:
            self._lease.release()


async def check(database: Database) -> str:
    """What SQLite says of the file's soundness: `ok`, or the first damage it finds."""
    async with database.read() as connection:
        return str((await connection.execute(sa.text("PRAGMA quick_check(1)"))).scalar_one())


async def open_database(url: str, *, exclusive: bool = True) -> Database:
    """Open the database at an SQLAlchemy URL, creating and migrating it as needed.

    `exclusive` takes the lease that keeps a second Paperwire off the same SQLite file; a reader beside a running one
    (a dry run, the doctor) goes without, and then leaves the schema alone.
    Raises DatabaseError with what to do.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise DatabaseError(
            '[database] url is no database URL; write for example "sqlite:///data/paperwire.db".'
        ) from None
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(
            f"[database] url: {parsed.get_backend_name()} is not supported; use sqlite:///path/to/file.db."
        )
    file = _file_of(parsed)
    lease = _check_file(file, exclusive=exclusive)
    engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": _BUSY_SECONDS})
    sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    database = Database(engine, lease)
    try:
        if exclusive:
            await asyncio.to_thread(_migrate, parsed)
        async with database.read() as connection:
            await connection.run_sync(_refuse_other_versions, parsed)
    except BaseException as error:
        await database.close()
        if isinstance(error, sa.exc.DatabaseError):
            raise DatabaseError(explain(error.orig or error, file)) from error
        raise
    return database


def _file_of(url: sa.URL) -> Path:
    if not url.database or url.database == ":memory:" or Path(url.database).is_dir():
        raise DatabaseError('[database] url names no file; write for example "sqlite:///data/paperwire.db".')
    return Path(url.database)


def explain(error: BaseException, file: Path | str) -> str:
    """What a person can do about an error of SQLite's."""
    text = str(error)
    for sign, advice in {
        "not a database": "is no SQLite database. It was left untouched: restore a backup, or name another file.",
        "malformed": "is damaged. It was left untouched: restore a backup, or recover it with `sqlite3 FILE .recover`.",
        "locked": "is locked by another program. Close that program and start again.",
        "readonly": "is read-only. Give this user write permission on the file and its folder.",
        "disk is full": "could not be written: the disk is full. Free some space; nothing stored was lost.",
        "unable to open": "cannot be opened. Check that its folder exists and that this user may write there.",
        "disk I/O error": "could not be read or written (disk I/O error). Check the disk, and that it is not full.",
    }.items():
        if sign in text:
            return f"The database {file} {advice}"
    return f"The database {file} answered: {text}"


def _check_file(file: Path, *, exclusive: bool) -> FileLock | None:
    wal = file.with_name(file.name + "-wal")
    if file.exists() and file.stat().st_size == 0 and not (wal.exists() and wal.stat().st_size):
        raise DatabaseError(
            f"The database {file} is an empty file, which SQLite would take for a new database. "
            "Restore a backup; or, to start anew, delete the file."
        )
    if not exclusive:
        if not file.exists():
            raise DatabaseError(f"There is no database at {file} yet. Start Paperwire once with `paperwire run`.")
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lease = FileLock(file.with_name(file.name + ".lock"), timeout=0)
        lease.acquire()
    except Timeout:
        raise DatabaseError(
            f"Another Paperwire already works on {file}. Stop that one first, or give this one its own [database] url."
        ) from None
    except OSError as error:
        raise DatabaseError(
            f"The folder {file.parent} cannot be written ({error.strerror}). Check its permissions."
        ) from None
    return lease


def _set_pragmas(connection: Any, _record: object) -> None:
    """WAL so that readers never wait; FULL so that "sent" survives a power cut; foreign keys are off by default."""
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, see _begin
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_SECONDS * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """A writer takes the write lock at once: a read that turns into a write could otherwise fail half-way."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _alembic(url: sa.URL) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url.set(drivername="sqlite")
    return config


def _migrate(url: sa.URL) -> None:
    file = Path(url.database or "")
    try:
        if file.exists():
            _refuse_other_programs(file)
        command.upgrade(_alembic(url), "head")
    except CommandError:
        raise DatabaseError(_newer(file)) from None
    except sa.exc.DatabaseError as error:
        raise DatabaseError(explain(error.orig or error, file)) from error
    except sqlite3.DatabaseError as error:
        raise DatabaseError(explain(error, file)) from error


def _refuse_other_programs(file: Path) -> None:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "alembic_version" not in tables:
        raise DatabaseError(f"{file} is a database of another program. Name another file in [database] url.")


def _newer(file: Path) -> str:
    return f"The database {file} was written by a newer Paperwire and left untouched: upgrade, or restore a backup."


def _refuse_other_versions(connection: sa.Connection, url: sa.URL) -> None:
    head = ScriptDirectory.from_config(_alembic(url)).get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    if current != head:
        raise DatabaseError(
            f"The database {url.database} has schema {current or 'none'}, this Paperwire has {head}. "
            "Run `paperwire migrate`, or upgrade Paperwire."
        )
