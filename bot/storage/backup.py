"""Backups of a SQLite database, and noticing that an older copy of it was put back.

What was sent after a copy was made is not in the copy: in service it would send that again. So a backup carries the
mark `marks.RESTORED`, under which nothing is sent until somebody chooses. A file that was copied by other means has no
mark; it is found out by the entry that the running database and a small file beside it (`paperwire.db.last`) both hold:
that database's own name, and how many entries it has had. The database is written first, so that a kill between the two
leaves it ahead, never behind.
"""

import asyncio
import contextlib
import os
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.storage import marks
from bot.storage.database import Database, DatabaseError, explain

ENTRY_EVERY = timedelta(hours=1)
"""A copy that is older than this is noticed after a kill too; after an orderly end, every older copy is."""
_ENTRY = "last"

log = structlog.get_logger(__name__)


# Making one.


def back_up(url: str, file: Path, now: datetime, *, replace: bool = False) -> int:
    """Copy the database at an SQLAlchemy URL to a file, beside a running Paperwire or not; its size in bytes.

    The file appears when it is complete and checked. Raises DatabaseError with what to do.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(
            f"PostgreSQL has its own tool for this: pg_dump --format=custom --file={file} "
            f"{parsed.set(drivername='postgresql').render_as_string()}"
        )
    source = Path(parsed.database or "")
    if not source.is_file():
        raise DatabaseError(f"There is no database at {source} yet.")
    if file.exists() and file.samefile(source):
        raise DatabaseError(f"{file} is the database itself. Name another file.")
    if file.exists() and not replace:
        raise DatabaseError(f"{file} is there already. Name another file, or add --force to replace it.")
    try:
        with _beside(file) as unfinished:
            with closing(_read_only(source)) as origin, closing(sqlite3.connect(unfinished)) as copy:
                # All pages in one go: in steps it would begin anew each time the running Paperwire writes.
                origin.backup(copy)
                _check(copy, source)
                _mark(copy, now)
            unfinished.replace(file)
        return file.stat().st_size
    except sqlite3.Error as error:
        raise DatabaseError(explain(error, source)) from error
    except OSError as error:
        raise DatabaseError(f"{file} cannot be written ({error.strerror}). Nothing was changed.") from error


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A file in the same folder, which only this user may read, and which is gone at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _check(copy: sqlite3.Connection, source: Path) -> None:
    (soundness,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if soundness != "ok":
        raise DatabaseError(f"The database {source} is damaged ({soundness}); no backup was made of it.")
    if not copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'marks'").fetchone():
        raise DatabaseError(f"{source} is no database of Paperwire; no backup was made of it.")


def _mark(copy: sqlite3.Connection, now: datetime) -> None:
    # One file that can be moved: the journal comes back when Paperwire opens it.
    copy.execute("PRAGMA journal_mode=DELETE")
    # A copy of a copy that nobody has decided about keeps the older instant.
    copy.execute(
        "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (marks.RESTORED, now.isoformat())
    )
    copy.commit()


# Noticing one.


@dataclass(frozen=True, slots=True)
class Entry:
    """Which database this is, the how-manieth entry, and when it was made."""

    database: str
    number: int
    at: datetime

    @classmethod
    def read(cls, text: str | None) -> "Entry | None":
        """The entry that a text holds; None where it holds none."""
        try:
            name, number, at = (text or "").split()
            return cls(name, int(number), datetime.fromisoformat(at))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.database} {self.number} {self.at.isoformat()}"


def is_older_copy(stored: Entry, beside: Entry | None) -> bool:
    """Whether the database's own entry is behind the one in the file beside it, of the same database."""
    return beside is not None and stored.database == beside.database and stored.number < beside.number


class Logbook:
    """Keeps the two entries of a SQLite database that this process has for itself. PostgreSQL has none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        name = database.engine.url.database
        self._file = Path(f"{name}.last") if name and not database.is_shared else None
        self._entered_at: datetime | None = None

    async def open(self, now: datetime) -> None:
        """At the start: notice an older copy, which is then marked, and make an entry."""
        await self._make_entry(now)

    async def tick(self, now: datetime) -> datetime | None:
        """Make an entry once in a while; when to come back."""
        if self._entered_at is None or now - self._entered_at >= ENTRY_EVERY:
            await self._make_entry(now)
        return now + ENTRY_EVERY

    async def close(self, now: datetime) -> None:
        """At the end: the last entry, so that whatever was copied before is behind."""
        try:
            await self._make_entry(now)
        except SQLAlchemyError as error:
            log.warning("logbook.not_written", reason=str(error))

    async def _make_entry(self, now: datetime) -> None:
        if self._file is None:
            return
        beside = Entry.read(await asyncio.to_thread(_text_in, self._file))
        async with self._database.write() as connection:
            stored = Entry.read(await marks.get(connection, _ENTRY))
            if stored is not None and is_older_copy(stored, beside) and not await marks.is_held(connection):
                await marks.put(connection, marks.RESTORED, stored.at.isoformat())
                log.warning("restore.noticed", last_entry=str(stored.at), file=str(self._file))
            entry = next_entry(stored, beside, now)
            await marks.put(connection, _ENTRY, str(entry))
        try:
            await asyncio.to_thread(_write, self._file, f"{entry}\n")
        except OSError as error:
            log.warning("logbook.not_written", file=str(self._file), reason=error.strerror)
        self._entered_at = now


def next_entry(stored: Entry | None, beside: Entry | None, now: datetime) -> Entry:
    """The entry that follows both; the first one of a database that has none."""
    if stored is None:
        return Entry(secrets.token_hex(8), 1, now)
    last = max(entry.number for entry in (stored, beside) if entry is not None and entry.database == stored.database)
    return Entry(stored.database, last + 1, now)


def _text_in(file: Path) -> str | None:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None


def _write(file: Path, text: str) -> None:
    with _beside(file) as unfinished:
        with unfinished.open("w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
