"""A lease: of the processes on one PostgreSQL, one holds it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
import structlog

from bot.storage.database import Database

_ASK_AGAIN = 3.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def lease(database: Database, name: str) -> AsyncIterator[None]:
    """Wait until this process holds the lease of that name, and hold it inside. A process alone holds all of them.

    It ends with the process or its connection: https://www.postgresql.org/docs/current/explicit-locking.html
    """
    if not database.is_shared:
        yield
        return
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        is_first = True
        while not (await connection.execute(sa.select(sa.func.pg_try_advisory_lock(number)))).scalar_one():
            if is_first:
                log.info("lease.waiting", name=name)
                is_first = False
            await asyncio.sleep(_ASK_AGAIN)
        log.info("lease.held", name=name)
        try:
            yield
        finally:
            await connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
