"""Transfer: a SQLite database becomes a PostgreSQL one, whole, counted and compared, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import attempts, marks
from bot.storage.database import Database, DatabaseError, check, open_database
from bot.storage.tables import metadata

Progress = Callable[[str, int, int], None]
"""Told as rows are copied: the table, how many of its rows are over, how many it has."""

_AT_ONCE = 1_000
_SUM = 2**256


@dataclass(slots=True)
class Content:
    """What a table holds: how many rows, and a checksum of them in whatever order they come."""

    rows: int = 0
    checksum: int = 0

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self.checksum = (self.checksum + int.from_bytes(sha256(repr(list(row.values())).encode()).digest())) % _SUM


async def transfer(source_url: str, target_url: str, now: datetime, progress: Progress) -> int:
    """Copy every row of a SQLite database, on which nobody may run, to an empty PostgreSQL; how many there were.

    Raises DatabaseError with what to do; the target is then as empty as before. Afterwards the source counts as an
    older copy: put back in service it asks before it sends anything.
    """
    _check(sa.make_url(source_url), target_url)
    source = await open_database(source_url)
    try:
        if (soundness := await check(source)) != "ok":
            raise DatabaseError(f"The database is damaged ({soundness}); nothing was copied. Restore a backup.")
        target = await open_database(target_url)
        try:
            rows = await _copy(source, target, now, progress)
        finally:
            await target.close()
        async with source.write() as connection:
            await marks.put(connection, marks.RESTORED, now.isoformat())
    finally:
        await source.close()
    return rows


def _check(source: sa.URL, target_url: str) -> None:
    try:
        target = sa.make_url(target_url)
    except sa.exc.ArgumentError:
        raise DatabaseError(
            '--to is no database URL; write for example "postgresql://user:password@host/name".'
        ) from None
    if target.get_backend_name() != "postgresql":
        raise DatabaseError('--to is a PostgreSQL: write for example "postgresql://user:password@host/name".')
    if source.get_backend_name() != "sqlite":
        raise DatabaseError("[database] url is a PostgreSQL already. Set it to the SQLite file that is to be copied.")
    if not Path(source.database or "").is_file():
        raise DatabaseError(f"There is no database at {source.database}.")


async def _copy(source: Database, target: Database, now: datetime, progress: Progress) -> int:
    rows = 0
    async with source.read() as origin, target.write() as copy:
        await _refuse_content(copy)
        for table in metadata.sorted_tables:
            try:
                read = await _copy_table(origin, copy, table, progress)
                written = await _content(copy, table)
            except DBAPIError as error:
                raise DatabaseError(f"Nothing was copied. At table {table.name}: {error.orig}") from error
            if read != written:
                raise DatabaseError(
                    f"Nothing was copied: table {table.name} has {read.rows} rows here and {written.rows} there, "
                    "or they differ. Try once more, and report it if it stays so."
                )
            rows += read.rows
        # What was in flight when the source was last killed: no worker would know of it.
        await attempts.recover(copy, now)
    return rows


async def _refuse_content(copy: AsyncConnection) -> None:
    """Raise DatabaseError where any table has a row; till the end of the transaction nobody else writes one."""
    await copy.execute(sa.text(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE"))
    for table in metadata.sorted_tables:
        if (await copy.execute(sa.select(sa.exists(sa.select(table))))).scalar_one():
            raise DatabaseError(
                f"The database at --to is in use already: its table {table.name} is not empty. Name an empty one."
            )


async def _copy_table(origin: AsyncConnection, copy: AsyncConnection, table: sa.Table, progress: Progress) -> Content:
    total = int((await origin.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())
    content = Content()
    progress(table.name, 0, total)
    statement = sa.insert(table).values({column.name: _parameter(column) for column in table.columns})
    async with origin.stream(sa.select(table), execution_options={"yield_per": _AT_ONCE}) as result:
        async for some in result.mappings().partitions():
            rows = [{name: _writable(value) for name, value in row.items()} for row in some]
            await copy.execute(statement, rows)
            for row in rows:
                content.add(row)
            progress(table.name, content.rows, total)
    await _set_numbers_on(copy, table)
    return content


def _parameter(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    # Nothing stays nothing: the type's own default would make the JSON text `null` of it.
    kind = sa.JSON(none_as_null=True) if isinstance(column.type, sa.JSON) else column.type
    return sa.bindparam(column.name, type_=kind)


def _writable(value: Any) -> Any:
    """A value as PostgreSQL takes it: its texts have no NUL, https://www.postgresql.org/docs/current/datatype-character.html"""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


async def _content(connection: AsyncConnection, table: sa.Table) -> Content:
    content = Content()
    async with connection.stream(sa.select(table), execution_options={"yield_per": _AT_ONCE}) as result:
        async for row in result.mappings():
            content.add(dict(row))
    return content


async def _set_numbers_on(copy: AsyncConnection, table: sa.Table) -> None:
    """Let the next row's number follow the largest one."""
    if (column := table.autoincrement_column) is None:
        return
    largest = (await copy.execute(sa.select(sa.func.max(column)))).scalar_one()
    if largest is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        await copy.execute(sa.select(sa.func.setval(sequence, largest)))
