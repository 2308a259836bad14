"""What Procrastinate's tables, and the budgets, say of the work that several processes share."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.tables import budgets

_TAKING_OVER = 0x70617066
"""The number of an advisory lock of PostgreSQL's; any would do that nobody else uses."""

_jobs = sa.table("procrastinate_jobs", sa.column("lock", sa.Text), sa.column("status", sa.Text))
_workers = sa.table("procrastinate_workers", sa.column("last_heartbeat", sa.DateTime(timezone=True)))


async def locks(connection: AsyncConnection) -> set[str]:
    """The locks of all tasks that are queued or at work."""
    status = sa.cast(_jobs.c.status, sa.Text)
    query = sa.select(_jobs.c.lock).where(status.in_(("todo", "doing")), _jobs.c.lock.is_not(None))
    return set((await connection.execute(query)).scalars())


async def may_take_over(connection: AsyncConnection) -> bool:
    """Whether this transaction is the only one that gives out what dead workers were at, until it ends."""
    return bool((await connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_TAKING_OVER)))).scalar_one())


async def is_there(connection: AsyncConnection) -> bool:
    """Whether Procrastinate's tables are in the database."""
    return (await connection.execute(sa.select(sa.func.to_regclass("procrastinate_jobs")))).scalar_one() is not None


async def living_workers(connection: AsyncConnection, silence: timedelta) -> int:
    """How many workers were heard of within this time, by the database's own clock."""
    query = sa.select(sa.func.count()).where(_workers.c.last_heartbeat >= sa.func.now() - silence)
    return int((await connection.execute(query)).scalar_one())


async def clock(connection: AsyncConnection) -> datetime:
    """What the database's clock says."""
    now: datetime = (await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
    return now


async def silent_platforms(connection: AsyncConnection, now: datetime) -> dict[str, datetime]:
    """The platforms that want silence, and until when."""
    query = sa.select(budgets.c.scope, budgets.c.halted_until).where(
        budgets.c.scope.in_(("telegram", "discord", "web")), budgets.c.halted_until > now.timestamp()
    )
    return {row.scope: datetime.fromtimestamp(row.halted_until, UTC) for row in await connection.execute(query)}
