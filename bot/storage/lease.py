"""A lease: of the processes on one PostgreSQL, one holds it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database

_ASK_AGAIN = 3.0
_LOOK_AGAIN = 2.0

log = structlog.get_logger(__name__)


class LeaseLostError(Exception):
    """The connection that held the lease is gone, and with it the lease."""


@asynccontextmanager
async def lease(database: Database, name: str) -> AsyncIterator[None]:
    """Wait until this process holds the lease of that name, and hold it inside. A process alone holds all of them.

    It ends with the process or its connection: https://www.postgresql.org/docs/current/explicit-locking.html
    What is done inside is cancelled when the connection is lost; LeaseLostError is raised then.
    """
    if not database.is_shared:
        yield
        return
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await _acquire(connection, name, number)
        holder = asyncio.current_task()
        assert holder is not None
        watching = asyncio.create_task(_cancel_when_lost(connection, holder))
        try:
            yield
        except asyncio.CancelledError:
            if watching.done():
                holder.uncancel()
                raise LeaseLostError(name) from None
            raise
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            with suppress(SQLAlchemyError):
                await connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))


async def _acquire(connection: AsyncConnection, name: str, number: int) -> None:
    is_first = True
    while not (await connection.execute(sa.select(sa.func.pg_try_advisory_lock(number)))).scalar_one():
        if is_first:
            log.info("lease.waiting", name=name)
            is_first = False
        await asyncio.sleep(_ASK_AGAIN)
    log.info("lease.held", name=name)


async def _cancel_when_lost(connection: AsyncConnection, holder: asyncio.Task[object]) -> None:
    try:
        while True:
            await asyncio.sleep(_LOOK_AGAIN)
            await connection.execute(sa.select(1))
    except SQLAlchemyError:
        holder.cancel()
