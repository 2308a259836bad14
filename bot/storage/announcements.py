"""Announcements: what is known of each category's announcement days."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import AWAITED, Announcement, Told
from bot.storage.dialect import insert
from bot.storage.tables import announcements

_GET = (
    sa.select(announcements)
    .where(
        announcements.c.category.in_(sa.bindparam("categories", expanding=True)),
        announcements.c.day >= sa.bindparam("since"),
    )
    .order_by(announcements.c.category, announcements.c.day)
)


async def get(connection: AsyncConnection, categories: Collection[str], since: date) -> dict[str, list[Announcement]]:
    """These categories' announcements of that day and later, the oldest first; a list for each category."""
    found: dict[str, list[Announcement]] = {category: [] for category in categories}
    for each in await connection.execute(_GET, {"categories": list(categories), "since": since}):
        found[each.category].append(_announcement_from(each))
    return found


async def last_good(connection: AsyncConnection, categories: Collection[str]) -> dict[str, Announcement]:
    """The last announcement of each of these categories that brought papers."""
    row = announcements.c
    newest = (
        sa.select(row.category, sa.func.max(row.day).label("day"))
        .where(row.category.in_(categories), row.state.not_in((*AWAITED, "quiet")))
        .group_by(row.category)
        .subquery()
    )
    is_newest = sa.and_(row.category == newest.c.category, row.day == newest.c.day)
    query = sa.select(announcements).join(newest, is_newest)
    return {each.category: _announcement_from(each) for each in await connection.execute(query)}


async def put(connection: AsyncConnection, changed: Iterable[Announcement]) -> None:
    """Keep what is now known of these announcements."""
    if rows := [_row(each) for each in changed]:
        await connection.execute(_put(connection.dialect.name), rows)


@cache
def _put(dialect: str) -> sa.Insert:
    statement = insert(dialect, announcements)
    values = {column.name: statement.excluded[column.name] for column in announcements.c}
    return statement.on_conflict_do_update(index_elements=["category", "day"], set_=values)


def _row(each: Announcement) -> dict[str, Any]:
    return {
        "category": each.category,
        "day": each.day,
        "state": each.state,
        "since": each.since,
        "counts": dict(each.counts),
        "filled": each.filled,
        "reason": each.reason,
        "told": {source: [told.said, told.at.isoformat()] for source, told in each.told.items()},
    }


def _announcement_from(row: sa.Row[Any]) -> Announcement:
    return Announcement(
        category=row.category,
        day=row.day,
        state=row.state,
        since=row.since,
        counts=row.counts,
        filled=row.filled,
        reason=row.reason,
        told={source: Told(said, datetime.fromisoformat(at)) for source, (said, at) in row.told.items()},
    )
