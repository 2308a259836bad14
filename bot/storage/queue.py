"""What Procrastinate's tables, and the budgets, say of the work that several processes share."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.tables import budgets

_jobs = sa.table("procrastinate_jobs", sa.column("lock", sa.Text), sa.column("status", sa.Text))


async def locks(connection: AsyncConnection) -> set[str]:
    """The locks of all tasks that are queued or at work."""
    status = sa.cast(_jobs.c.status, sa.Text)
    query = sa.select(_jobs.c.lock).where(status.in_(("todo", "doing")), _jobs.c.lock.is_not(None))
    return set((await connection.execute(query)).scalars())


async def silent_platforms(connection: AsyncConnection, now: datetime) -> dict[str, datetime]:
    """The platforms that want silence, and until when."""
    query = sa.select(budgets.c.scope, budgets.c.halted_until).where(
        budgets.c.scope.in_(("telegram", "discord", "web")), budgets.c.halted_until > now.timestamp()
    )
    return {row.scope: datetime.fromtimestamp(row.halted_until, UTC) for row in await connection.execute(query)}
