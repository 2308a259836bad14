"""Alerts: the subscriptions whose papers come at once, and the chats that such papers wait for."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName, Subscription
from bot.interests import stored_interest
from bot.storage.chats import chat_from, is_served
from bot.storage.tables import chats, digests, subscriptions

_A_LOCAL_DAY = timedelta(days=2)
"""Any local day's digests were composed within so long before its end."""


async def switch(
    connection: AsyncConnection, chat_id: int, subscription_ids: Collection[int], since: datetime | None
) -> None:
    """Let what these subscriptions of the chat find from then on come at once (None: with the day's digest).

    One whose papers come at once already stays so since then.
    """
    row = subscriptions.c
    changed = sa.update(subscriptions).where(row.chat_id == chat_id, row.id.in_(subscription_ids))
    if since is not None:
        changed = changed.where(row.alerts_since.is_(None))
    await connection.execute(changed.values(alerts_since=since))


async def since(connection: AsyncConnection) -> datetime | None:
    """Since when anybody's papers come at once; None where nobody's do."""
    query = sa.select(sa.func.min(subscriptions.c.alerts_since))
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def followers(connection: AsyncConnection, now: datetime) -> list[tuple[Chat, list[Subscription]]]:
    """The served chats, none of them paused, with the subscriptions whose papers come at once."""
    row = subscriptions.c
    query = (
        sa.select(subscriptions)
        .join(chats, chats.c.id == row.chat_id)
        .where(row.alerts_since.is_not(None), is_served(), _is_awake(now))
        .order_by(row.id)
    )
    found: dict[int, list[Subscription]] = {}
    for each in await connection.execute(query):
        interest, made_at = stored_interest(each.query), each.made_at or each.since
        subscription = Subscription(each.id, each.chat_id, interest, each.since, made_at, each.alerts_since)
        found.setdefault(each.chat_id, []).append(subscription)
    people = sa.select(chats).where(
        chats.c.id.in_(sa.select(row.chat_id).where(row.alerts_since.is_not(None))), is_served(), _is_awake(now)
    )
    return [(chat, found[chat.id]) for chat in map(chat_from, await connection.execute(people)) if chat.id in found]


def _is_awake(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(chats.c.paused_until.is_(None), chats.c.paused_until <= now)


async def wait(connection: AsyncConnection, due: Mapping[int, datetime], first_seen: datetime) -> None:
    """Have alerts due for these chats, of what was first seen then or later; one that is due already reaches on."""
    if due:
        await connection.execute(
            sa.update(chats)
            .where(chats.c.id == sa.bindparam("chat"))
            .values(
                alert_at=sa.bindparam("due"),
                alert_from=sa.func.coalesce(chats.c.alert_from, sa.literal(first_seen, chats.c.alert_from.type)),
            ),
            [{"chat": chat_id, "due": at} for chat_id, at in due.items()],
        )


async def put_off(connection: AsyncConnection, chat_ids: Collection[int], until: datetime) -> None:
    """Have these chats' alerts due a little later."""
    await connection.execute(sa.update(chats).where(chats.c.id.in_(chat_ids)).values(alert_at=until))


async def done(connection: AsyncConnection, alerted: Mapping[int, datetime]) -> None:
    """These chats were served, whose alerts were due then; one that has become due anew stays so."""
    if alerted:
        await connection.execute(
            sa.update(chats)
            .where(chats.c.id == sa.bindparam("chat"), chats.c.alert_at == sa.bindparam("due"))
            .values(alert_at=None, alert_from=None),
            [{"chat": chat_id, "due": at} for chat_id, at in alerted.items()],
        )


async def due(connection: AsyncConnection, now: datetime, platforms: Collection[PlatformName]) -> dict[int, datetime]:
    """The chats of these platforms whose alert is due, and since when, the longest waiting first."""
    query = sa.select(chats.c.id, chats.c.alert_at).where(
        chats.c.alert_at <= now, is_served(), _is_awake(now), chats.c.platform.in_(platforms)
    )
    return {row.id: row.alert_at for row in await connection.execute(query.order_by(chats.c.alert_at, chats.c.id))}


async def due_since(connection: AsyncConnection, chat_id: int, now: datetime) -> dict[int, datetime]:
    """The same for one chat; nothing where its alert is not due."""
    query = sa.select(chats.c.alert_at).where(chats.c.id == chat_id, chats.c.alert_at <= now)
    at = (await connection.execute(query)).scalar_one_or_none()
    return {} if at is None else {chat_id: at}


async def next_at(
    connection: AsyncConnection, platforms: Collection[PlatformName], after: datetime | None = None
) -> datetime | None:
    """When the next alert is due, later than `after`."""
    query = sa.select(sa.func.min(chats.c.alert_at)).where(is_served(), chats.c.platform.in_(platforms))
    if after is not None:
        query = query.where(chats.c.alert_at > after)
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def still_due(
    connection: AsyncConnection, chat_ids: Collection[int], now: datetime
) -> list[tuple[Chat, datetime]]:
    """Those of these chats whose alert is due and not their digest, which brings the same; and from when on.

    What was first seen at that instant or later is the alert's.
    """
    row = chats.c
    has_digest = sa.and_(row.next_digest_at.is_not(None), row.next_digest_at <= now)
    query = sa.select(chats).where(row.id.in_(chat_ids), row.alert_at <= now, _is_awake(now), sa.not_(has_digest))
    found = await connection.execute(query.order_by(row.alert_at, row.id))
    return [(chat_from(each), each.alert_from) for each in found]


async def shown_on(connection: AsyncConnection, days: Mapping[int, date], now: datetime) -> dict[int, int]:
    """How many papers each of these chats was shown in alerts of its local day."""
    row = digests.c
    query = (
        sa.select(row.chat_id, row.local_day, sa.func.sum(row.shown).label("shown"))
        .where(row.chat_id.in_(days), row.occasion == "alert", row.composed_at > now - _A_LOCAL_DAY)
        .group_by(row.chat_id, row.local_day)
    )
    return {
        each.chat_id: int(each.shown)
        for each in await connection.execute(query)
        if each.local_day == days[each.chat_id]
    }


async def shown_since(connection: AsyncConnection, chat_id: int, since: datetime) -> int:
    """How many papers a chat was shown in alerts since then."""
    row = digests.c
    query = sa.select(sa.func.sum(row.shown)).where(
        row.chat_id == chat_id, row.occasion == "alert", row.composed_at > since
    )
    return int((await connection.execute(query)).scalar_one() or 0)


async def last_at(connection: AsyncConnection, chat_id: int) -> datetime | None:
    """When a chat got its last alert."""
    row = digests.c
    query = sa.select(sa.func.max(row.composed_at)).where(row.chat_id == chat_id, row.occasion == "alert")
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found
