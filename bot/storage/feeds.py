"""What is known of each polled feed: when to ask again, what was read last, since when it fails."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.dialect import insert
from bot.storage.tables import feeds


@dataclass(frozen=True, slots=True)
class Feed:
    """One category's feed as last met. `read_at` is None until it was read once; `error` is None while it answers.

    `swept_until`: up to this announcement day its papers were compared with arXiv's records.
    """

    category: str
    next_poll_at: datetime
    entries: int = 0
    read_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    error: str | None = None
    first_read_at: datetime | None = None
    swept_until: date | None = None


_GET = (
    sa.select(*[feeds.c[name] for name in Feed.__slots__])
    .where(feeds.c.category.in_(sa.bindparam("categories", expanding=True)))
    .order_by(feeds.c.category)
)

_SWEPT = (
    sa.update(feeds)
    .where(feeds.c.category.in_(sa.bindparam("categories", expanding=True)))
    .values(swept_until=sa.bindparam("until"))
)
_KEPT = [name for name in Feed.__slots__ if name != "swept_until"]
"""How far a feed was swept is for `swept` to say: the two may be at work at the same time."""


def _feed_from(row: sa.Row[Any]) -> Feed:
    return Feed(**row._mapping)


async def follow(connection: AsyncConnection, categories: Iterable[str], now: datetime) -> None:
    """Begin to poll categories that are not polled yet, at once."""
    rows = [{"category": category, "next_poll_at": now} for category in categories]
    if rows:
        await connection.execute(insert(connection.dialect.name, feeds).on_conflict_do_nothing(), rows)


async def leave(connection: AsyncConnection, wanted: Collection[str], since: datetime) -> None:
    """Know no more of feeds that nobody wants, and that were not asked since then.

    What is announced while nobody follows a category is no news to those who follow it later.
    """
    is_left = sa.and_(feeds.c.category.not_in(wanted), feeds.c.next_poll_at < since)
    await connection.execute(sa.delete(feeds).where(is_left))


async def get(connection: AsyncConnection, categories: Iterable[str]) -> list[Feed]:
    """What is known of these categories' feeds, by name."""
    return [_feed_from(row) for row in await connection.execute(_GET, {"categories": list(categories)})]


async def swept(connection: AsyncConnection, categories: Collection[str], until: date) -> None:
    """These categories were compared up to this announcement day."""
    await connection.execute(_SWEPT, {"categories": list(categories), "until": until})


async def put(connection: AsyncConnection, known: Iterable[Feed]) -> None:
    """Keep what is now known of feeds."""
    if rows := [{name: getattr(feed, name) for name in _KEPT} for feed in known]:
        await connection.execute(_put(connection.dialect.name), rows)


@cache
def _put(dialect: str) -> sa.Insert:
    statement = insert(dialect, feeds)
    values = {name: statement.excluded[name] for name in _KEPT}
    return statement.on_conflict_do_update(index_elements=["category"], set_=values)
