"""Database: opens the engine, brings the schema up to date, hands out transactions, refuses what it cannot trust."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import PaperwireError

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10
_CONNECTIONS = 10
"""That a process keeps open to PostgreSQL; as many again for a rush."""
ALIVE: dict[str, object] = {
    "connect_timeout": _BUSY_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""For libpq: a connection whose other end is gone without a word is given up within seconds, not hours."""
_COUNTED = {"preserve_rowcount": True}
"""How many rows an INSERT wrote tells what was known before; without this it is told of UPDATE and DELETE only."""
_MIGRATING = 0x70617065
"""The number of PostgreSQL's advisory lock under which the schema is changed; any would do that nobody else uses."""


class DatabaseError(PaperwireError):
    """The database cannot be used; the text says why and what to do. Nothing in it was changed."""


class Database:
    """One database, open: a SQLite file of this process alone, or PostgreSQL, which other processes may share.

    On SQLite `write` transactions follow each other; readers never wait for them.
    """

    def __init__(self, engine: AsyncEngine, lease: FileLock | None) -> None:
        self.engine = engine
        self._lease = lease
        self._writing = asyncio.Lock() if not self.is_shared else None

    @property
    def is_shared(self) -> bool:
        """Whether other processes may work on it at the same time."""
        return self.engine.dialect.name == "postgresql"

    @property
    def place(self) -> str:
        """The database as people are told of it, without its password."""
        return _place(self.engine.url)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block."""
        async with self._writing or nullcontext(), self.engine.connect() as connection:
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
    """What SQLite says of the file's soundness: `ok`, or the first damage it finds. PostgreSQL looks after itself."""
    if database.is_shared:
        return "ok"
    async with database.read() as connection:
        return str((await connection.execute(sa.text("PRAGMA quick_check(1)"))).scalar_one())


async def open_database(url: str, *, exclusive: bool = True) -> Database:
    """Open the database at an SQLAlchemy URL, creating and migrating it as needed.

    `exclusive` takes the lease that keeps a second Paperwire off the same SQLite file; a reader beside a running one
    (a dry run, the doctor) goes without, and then leaves the schema alone. PostgreSQL needs no lease: there each
    process that is to work with it brings the schema up to date, one after the other.
    Raises DatabaseError with what to do.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise DatabaseError(
            '[database] url is no database URL; write for example "sqlite:///data/paperwire.db".'
        ) from None
    match parsed.get_backend_name():
        case "sqlite":
            lease = _check_file(_file_of(parsed), exclusive=exclusive)
            database = Database(_sqlite(parsed), lease)
        case "postgresql":
            database = Database(_postgresql(parsed), None)
        case other:
            raise DatabaseError(
                f"[database] url: {other} is not supported; use sqlite:///path/to/file.db or "
                "postgresql+psycopg://user:password@host/name."
            )
    try:
        if exclusive:
            await asyncio.to_thread(_migrate, parsed)
        async with database.read() as connection:
            await connection.run_sync(_refuse_other_versions, parsed)
    except BaseException as error:
        await database.close()
        if isinstance(error, sa.exc.DBAPIError):
            raise DatabaseError(explain(error.orig or error, _place(parsed))) from error
        raise
    return database


@asynccontextmanager
async def opened_beside(url: str) -> AsyncIterator[Database]:
    """The database for a command, beside a running Paperwire or without one. What fails in it raises DatabaseError."""
    database = await open_database(url, exclusive=False)
    try:
        yield database
    except DBAPIError as error:
        raise DatabaseError(explain(error.orig or error, database.place)) from error
    finally:
        await database.close()


def _sqlite(url: sa.URL) -> AsyncEngine:
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": _BUSY_SECONDS}, execution_options=_COUNTED
    )
    sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _postgresql(url: sa.URL) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**ALIVE, "options": "-c timezone=UTC"},
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_pre_ping=True,
        execution_options=_COUNTED,
    )


def _place(url: sa.URL) -> str:
    """The database as people are told of it, without its password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string()


def _file_of(url: sa.URL) -> Path:
    if not url.database or url.database == ":memory:" or Path(url.database).is_dir():
        raise DatabaseError('[database] url names no file; write for example "sqlite:///data/paperwire.db".')
    return Path(url.database)


def explain(error: BaseException, file: Path | str) -> str:
    """What a person can do about an error of the database's."""
    text = str(error)
    for sign, advice in {
        "not a database": "is no SQLite database. It was left untouched: restore a backup, or name another file.",
        "malformed": "is damaged. It was left untouched: restore a backup, or recover it with `sqlite3 FILE .recover`.",
        "locked": "is locked by another program. Close that program and start again.",
        "readonly": "is read-only. Give this user write permission on the file and its folder.",
        "disk is full": "could not be written: the disk is full. Free some space; nothing stored was lost.",
        "unable to open": "cannot be opened. Check that its folder exists and that this user may write there.",
        "disk I/O error": "could not be read or written (disk I/O error). Check the disk, and that it is not full.",
        "authentication failed": "refuses this user or password. Check [database] url.",
        "does not exist": "does not exist, or not for this user. Create it, or check [database] url.",
        "connection failed": "cannot be reached. Check that PostgreSQL runs there, and [database] url.",
        "connection is bad": "cannot be reached. Check that PostgreSQL runs there, and [database] url.",
        "connection timeout": "does not answer. Check that PostgreSQL runs there, and [database] url.",
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
    begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes", False) else "BEGIN"
    driver = cast(AdaptedConnection, connection.connection.dbapi_connection)
    try:
        driver.run_async(lambda sqlite: sqlite.execute(begin))
    except sqlite3.OperationalError as error:
        raise sa.exc.OperationalError(begin, None, error) from error


def _migrate(url: sa.URL) -> None:
    try:
        if url.get_backend_name() == "sqlite" and (file := Path(url.database or "")).exists():
            _refuse_other_programs(file)
        driver = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"
        engine = sa.create_engine(url.set(drivername=driver), poolclass=sa.NullPool)
        with engine.connect() as connection:
            if _version(connection) == _head():
                return
            connection.rollback()
            if engine.dialect.name == "postgresql":
                # Of several processes that start at once one migrates, and the others wait for it.
                connection.execute(sa.text(f"SELECT pg_advisory_lock({_MIGRATING})"))
                connection.commit()
            _upgrade(connection)
    except sa.exc.DBAPIError as error:
        raise DatabaseError(explain(error.orig or error, _place(url))) from error
    except sqlite3.DatabaseError as error:
        raise DatabaseError(explain(error, _place(url))) from error


def _upgrade(connection: sa.Connection) -> None:
    # Seldom needed, and long to import.
    from alembic import command
    from alembic.util.exc import CommandError

    config = _alembic()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise DatabaseError(_newer(_place(connection.engine.url))) from None
    connection.commit()


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _refuse_other_programs(file: Path) -> None:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "alembic_version" not in tables:
        raise DatabaseError(f"{file} is a database of another program. Name another file in [database] url.")


def _newer(place: str) -> str:
    return f"The database {place} was written by a newer Paperwire and left untouched: upgrade, or restore a backup."


@cache
def _head() -> str:
    """The schema's version that this Paperwire has: the number of its last migration."""
    return max(file.name[:4] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(connection: sa.Connection) -> str | None:
    """The schema's version that a database has; None where it has no tables of ours."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


def _refuse_other_versions(connection: sa.Connection, url: sa.URL) -> None:
    head, current = _head(), _version(connection)
    if current != head:
        raise DatabaseError(
            f"The database {_place(url)} has schema {current or 'none'}, this Paperwire has {head}. "
            "Run `paperwire migrate`, or upgrade Paperwire."
        )
