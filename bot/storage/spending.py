"""Spending: what models were asked and answered on each day, so that a day's budget outlives a restart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.dialect import insert
from bot.storage.tables import spending


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests to a model, tokens of what it was given, and of what it wrote."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, more: "Spent") -> "Spent":
        return Spent(self.requests + more.requests, self.tokens_in + more.tokens_in, self.tokens_out + more.tokens_out)

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def cost(self, price_in: float | None, price_out: float | None) -> float | None:
        """What it costs at these prices for a million tokens, in their currency; None where one is not known."""
        if price_in is None or price_out is None:
            return None
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1_000_000


async def add(connection: AsyncConnection, day: date, model: str, more: Spent) -> None:
    """Count what was spent on a day (UTC) besides."""
    row = spending.c
    statement = insert(connection.dialect.name, spending).values(
        day=day, model=model, requests=more.requests, tokens_in=more.tokens_in, tokens_out=more.tokens_out
    )
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "model"],
            set_={
                "requests": row.requests + new.requests,
                "tokens_in": row.tokens_in + new.tokens_in,
                "tokens_out": row.tokens_out + new.tokens_out,
            },
        )
    )


async def spent_since(connection: AsyncConnection, first: date) -> Mapping[date, dict[str, Spent]]:
    """What was spent on that day and each later one, by model."""
    query = sa.select(spending).where(spending.c.day >= first).order_by(spending.c.day, spending.c.model)
    days: dict[date, dict[str, Spent]] = {}
    for row in await connection.execute(query):
        days.setdefault(row.day, {})[row.model] = Spent(row.requests, row.tokens_in, row.tokens_out)
    return days


async def spent_on(connection: AsyncConnection, day: date) -> dict[str, Spent]:
    """What was spent on one day (UTC), by model."""
    rows = await connection.execute(sa.select(spending).where(spending.c.day == day))
    return {row.model: Spent(row.requests, row.tokens_in, row.tokens_out) for row in rows}
