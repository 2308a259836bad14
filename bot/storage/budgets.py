"""What pacing has to remember beyond one process: the taken slots of each scope, and how long it keeps silent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import budgets

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Slots:
    """One scope's slots, in seconds since the epoch; what they mean is `bot.delivery.budget`'s to say."""

    taken: list[float] = field(default_factory=list)
    reserved: list[float] = field(default_factory=list)
    halted_until: float = 0.0


async def load(connection: AsyncConnection) -> dict[str, Slots]:
    """Every scope that anything is known of."""
    rows = await connection.execute(sa.select(budgets))
    return {row.scope: Slots(row.taken, row.reserved, row.halted_until) for row in rows}


async def silences(connection: AsyncConnection, scopes: Collection[str]) -> dict[str, float]:
    """Of these scopes those that keep silent, or did, and until when."""
    if not scopes:
        return {}
    query = sa.select(budgets.c.scope, budgets.c.halted_until).where(budgets.c.scope.in_(list(scopes)))
    return {row.scope: row.halted_until for row in await connection.execute(query)}


async def lock(connection: AsyncConnection, scopes: Collection[str]) -> dict[str, Slots]:
    """These scopes, kept from everybody else until this transaction ends."""
    if not scopes:
        return {}
    names = sorted(scopes)  # always in the same order: two who lock the same ones do not wait for each other for ever
    query = sa.select(budgets).where(budgets.c.scope.in_(names)).order_by(budgets.c.scope).with_for_update()
    rows = (await connection.execute(query)).all()
    if len(rows) < len(names):
        new = [{"scope": name, "taken": [], "reserved": [], "halted_until": 0.0} for name in names]
        await connection.execute(insert(connection.dialect.name, budgets).on_conflict_do_nothing(), new)
        rows = (await connection.execute(query)).all()
    return {row.scope: Slots(row.taken, row.reserved, row.halted_until) for row in rows}


async def store(connection: AsyncConnection, scopes: Mapping[str, Slots]) -> None:
    """Put locked scopes back as they are now."""
    rows = [
        {"name": name, "taken": slots.taken, "reserved": slots.reserved, "halted_until": slots.halted_until}
        for name, slots in scopes.items()
    ]
    if rows:
        await connection.execute(sa.update(budgets).where(budgets.c.scope == sa.bindparam("name")), rows)


async def halt(connection: AsyncConnection, scope: str, until: float) -> None:
    """Keep silent in a scope until then; a shorter silence does not end a longer one."""
    statement = insert(connection.dialect.name, budgets).values(scope=scope, taken=[], reserved=[], halted_until=until)
    longer = statement.excluded.halted_until > budgets.c.halted_until
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scope"], set_={"halted_until": statement.excluded.halted_until}, where=longer
        )
    )


async def prune(connection: AsyncConnection, now: float) -> int:
    """Drop scopes that say nothing any more; how many they were."""
    query = sa.select(budgets).with_for_update(skip_locked=True)
    idle = [
        row.scope
        for row in await connection.execute(query)
        if max([*row.taken, *row.reserved, row.halted_until]) <= now
    ]
    for some in slices(idle, _BATCH):
        await connection.execute(sa.delete(budgets).where(budgets.c.scope.in_(some)))
    return len(idle)
