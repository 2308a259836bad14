"""Chats, their subscriptions, and the operators."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Access, Chat, PlatformName, Preferences, Quota, Subscription, next_digest_at
from bot.interests import Interest, stored_interest
from bot.storage.dialect import insert
from bot.storage.tables import chats, subscriptions

_NO_ALERT = {"alert_at": None, "alert_from": None}
"""Whatever keeps a chat from being written to for a while leaves what would have come at once to its next digest."""


def chat_from(row: sa.Row[Any]) -> Chat:
    return Chat(
        id=row.id,
        platform=row.platform,
        address=row.address,
        title=row.title,
        is_group=row.is_group,
        preferences=_preferences_from(row),
        access=row.access,
        inactive_because=row.inactive_because,
        inactive_since=row.inactive_since,
        shut=row.shut,
        next_digest_at=row.next_digest_at,
        last_digest_day=row.last_digest_day,
        paused_until=row.paused_until,
        quota=Quota(row.most_papers, row.most_subscriptions),
        person_id=row.person_id,
    )


def _preferences_from(row: sa.Row[Any]) -> Preferences:
    return Preferences(
        time=row.time,
        zone=row.zone,
        language=row.language,
        cap=row.cap,
        asap=row.asap,
        days=frozenset(map(int, row.days)),
        quiet=None if row.quiet_from is None else (row.quiet_from, row.quiet_until),
        format=row.format,
        cross_lists=row.cross_lists,
        quiet_note=row.quiet_note,
        paging=row.paging,
        replacements=row.replacements,
        links=row.links,
        mention=row.mention,
    )


def _row(preferences: Preferences) -> dict[str, Any]:
    quiet_from, quiet_until = preferences.quiet or (None, None)
    return {
        "time": preferences.time,
        "zone": preferences.zone,
        "language": preferences.language,
        "cap": preferences.cap,
        "asap": preferences.asap,
        "days": "".join(map(str, sorted(preferences.days))),
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "format": preferences.format,
        "cross_lists": preferences.cross_lists,
        "quiet_note": preferences.quiet_note,
        "paging": preferences.paging,
        "replacements": preferences.replacements,
        "links": preferences.links,
        "mention": preferences.mention,
    }


async def find(connection: AsyncConnection, platform: PlatformName, address: str) -> Chat | None:
    """The chat at a platform's address, if we have met it."""
    query = sa.select(chats).where(chats.c.platform == platform, chats.c.address == address)
    row = (await connection.execute(query)).first()
    return chat_from(row) if row else None


async def get(connection: AsyncConnection, chat_id: int) -> Chat | None:
    row = (await connection.execute(sa.select(chats).where(chats.c.id == chat_id))).first()
    return chat_from(row) if row else None


async def on_platform(connection: AsyncConnection, platform: PlatformName) -> list[Chat]:
    """Every chat of a platform, oldest first."""
    return [
        chat_from(row)
        for row in await connection.execute(sa.select(chats).where(chats.c.platform == platform).order_by(chats.c.id))
    ]


async def meet(
    connection: AsyncConnection,
    platform: PlatformName,
    address: str,
    *,
    title: str,
    is_group: bool,
    access: Access,
    preferences: Preferences,
    now: datetime,
    quota: Quota | None = None,
    person_id: str | None = None,
) -> Chat:
    """The chat at this address, made with these beginnings when we meet it for the first time."""
    quota = quota or Quota()
    values = {
        "platform": platform,
        "address": address,
        "title": title,
        "is_group": is_group,
        "access": access,
        "created_at": now,
        "most_papers": quota.papers,
        "most_subscriptions": quota.subscriptions,
        "person_id": person_id,
        **_row(quota.keep(preferences)),
    }
    await connection.execute(insert(connection.dialect.name, chats).values(values).on_conflict_do_nothing())
    chat = await find(connection, platform, address)
    assert chat is not None
    return chat


async def set_preferences(
    connection: AsyncConnection, chat_id: int, change: Callable[[Preferences], Preferences], now: datetime
) -> Chat:
    """Change how a chat is served, from how it is served at this instant, within its quota; its next digest moves."""
    chat = await _one(connection, chat_id)
    preferences = chat.quota.keep(change(chat.preferences))
    await connection.execute(sa.update(chats).where(chats.c.id == chat_id).values(**_row(preferences)))
    return await schedule(connection, chat_id, now)


async def pause(connection: AsyncConnection, chat_id: int, until: datetime | None, now: datetime) -> Chat:
    """Let nothing come unasked before then (None: it may at once); the next digest moves behind it.

    What the chat follows is gathered all the while, and the first digest afterwards has it all.
    """
    await connection.execute(sa.update(chats).where(chats.c.id == chat_id).values(paused_until=until, **_NO_ALERT))
    return await schedule(connection, chat_id, now)


async def schedule(connection: AsyncConnection, chat_id: int, now: datetime, made: date | None = None) -> Chat:
    """Set when the chat's next digest is due: never while it follows nothing, nor within a pause. `made`: this day's
    was just made.

    One that is due already stays so: whatever was changed meanwhile does not cost a day.
    """
    (chat,) = await schedule_all(connection, {chat_id: made}, now)
    return chat


async def schedule_all(connection: AsyncConnection, made: Mapping[int, date | None], now: datetime) -> list[Chat]:
    """The same for many chats, each with the day whose digest was just made."""
    following = sa.select(subscriptions.c.chat_id).where(subscriptions.c.chat_id.in_(made)).distinct()
    follows = {row.chat_id for row in await connection.execute(following)}
    found = await connection.execute(sa.select(chats).where(chats.c.id.in_(made)))
    scheduled = [_scheduled(chat_from(row), now, made[row.id], follows=row.id in follows) for row in found]
    if scheduled:
        await connection.execute(
            sa.update(chats)
            .where(chats.c.id == sa.bindparam("chat"))
            .values(next_digest_at=sa.bindparam("due"), last_digest_day=sa.bindparam("day")),
            [{"chat": chat.id, "due": chat.next_digest_at, "day": chat.last_digest_day} for chat in scheduled],
        )
    return scheduled


def _scheduled(chat: Chat, now: datetime, made: date | None, *, follows: bool) -> Chat:
    last_day = max(filter(None, (made, chat.last_digest_day)), default=None)
    due = None
    if follows and chat.paused_until is not None and chat.paused_until > now:
        due = next_digest_at(chat.preferences, chat.paused_until - timedelta.resolution, last_day)
    elif follows:
        is_overdue = made is None and chat.next_digest_at is not None and chat.next_digest_at <= now
        due = chat.next_digest_at if is_overdue else next_digest_at(chat.preferences, now, last_day)
    return replace(chat, next_digest_at=due, last_digest_day=last_day)


async def _one(connection: AsyncConnection, chat_id: int) -> Chat:
    return chat_from((await connection.execute(sa.select(chats).where(chats.c.id == chat_id))).one())


async def set_access(connection: AsyncConnection, chat_id: int, access: Access) -> None:
    await connection.execute(sa.update(chats).where(chats.c.id == chat_id).values(access=access, **_NO_ALERT))


async def deactivate(
    connection: AsyncConnection, chat_id: int, reason: str, now: datetime, probe_at: datetime | None = None
) -> None:
    """Send nothing more until it lets us in again; subscriptions stay. `probe_at`: when to try by ourselves."""
    await connection.execute(
        sa.update(chats)
        .where(chats.c.id == chat_id)
        .values(
            inactive_because=reason,
            inactive_since=sa.func.coalesce(chats.c.inactive_since, sa.literal(now, chats.c.inactive_since.type)),
            probe_at=probe_at,
        )
    )


async def reactivate(connection: AsyncConnection, chat_id: int) -> None:
    """It may be written to again."""
    await connection.execute(
        sa.update(chats)
        .where(chats.c.id == chat_id)
        .values(inactive_because=None, inactive_since=None, probe_at=None, shut=0, **_NO_ALERT)
    )


async def count_shut(connection: AsyncConnection, chat_id: int) -> int:
    """The chat could not be written to; how often in a row that is now."""
    query = sa.update(chats).where(chats.c.id == chat_id).values(shut=chats.c.shut + 1).returning(chats.c.shut)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def from_now(connection: AsyncConnection, chat_id: int, now: datetime) -> None:
    """Let a chat be owed only what is seen from now on."""
    await connection.execute(sa.update(subscriptions).where(subscriptions.c.chat_id == chat_id).values(since=now))


async def all_from_now(connection: AsyncConnection, now: datetime) -> None:
    """Let every chat be owed only what is seen from now on; digests that were due meanwhile are left out."""
    await connection.execute(sa.update(subscriptions).values(since=now))
    for row in (await connection.execute(sa.select(chats.c.id).where(chats.c.next_digest_at <= now))).all():
        await connection.execute(sa.update(chats).where(chats.c.id == row.id).values(next_digest_at=None))
        await schedule(connection, row.id, now)


async def digest_now(connection: AsyncConnection, chat_id: int, now: datetime) -> None:
    """Let a chat's next digest be due at once, if it follows anything."""
    await connection.execute(
        sa.update(chats).where(chats.c.id == chat_id, chats.c.next_digest_at.is_not(None)).values(next_digest_at=now)
    )


async def due(connection: AsyncConnection, now: datetime, platforms: Collection[PlatformName]) -> list[int]:
    """The chats of these platforms whose digest is due, the longest waiting first."""
    query = sa.select(chats.c.id).where(chats.c.next_digest_at <= now, is_served(), chats.c.platform.in_(platforms))
    return list(await connection.scalars(query.order_by(chats.c.next_digest_at, chats.c.id)))


async def still_due(connection: AsyncConnection, chat_ids: Collection[int], now: datetime) -> list[Chat]:
    """Those of these chats whose digest is due, the longest waiting first."""
    query = sa.select(chats).where(chats.c.id.in_(chat_ids), chats.c.next_digest_at <= now)
    return [chat_from(row) for row in await connection.execute(query.order_by(chats.c.next_digest_at, chats.c.id))]


async def next_due_at(
    connection: AsyncConnection, platforms: Collection[PlatformName], after: datetime | None = None
) -> datetime | None:
    """When the next digest of any chat of these platforms is due; the next one `after` an instant."""
    query = sa.select(chats.c.next_digest_at).where(
        chats.c.next_digest_at.is_not(None), is_served(), chats.c.platform.in_(platforms)
    )
    if after is not None:
        query = query.where(chats.c.next_digest_at > after)
    return (await connection.execute(query.order_by(chats.c.next_digest_at).limit(1))).scalar_one_or_none()


def is_served() -> sa.ColumnElement[bool]:
    """Whether a chat was let in and may be written to."""
    return sa.and_(chats.c.access == "allowed", chats.c.inactive_because.is_(None))


async def any_paused(connection: AsyncConnection, chat_ids: Collection[int], now: datetime) -> bool:
    """Whether nothing may come unasked to one of these chats."""
    query = sa.select(sa.exists().where(chats.c.id.in_(chat_ids), chats.c.paused_until > now))
    return bool((await connection.execute(query)).scalar_one())


async def subscribe(
    connection: AsyncConnection, chat: Chat, interest: Interest, now: datetime, since: datetime | None = None
) -> bool:
    """Begin a subscription; False when the chat has it already. `since`: it owes what was seen from then on."""
    values = {"chat_id": chat.id, "query": str(interest), "since": since or now, "made_at": now}
    result = await connection.execute(
        insert(connection.dialect.name, subscriptions).values(values).on_conflict_do_nothing()
    )
    if result.rowcount:
        await schedule(connection, chat.id, now)
    return bool(result.rowcount)


async def subscriptions_of(connection: AsyncConnection, chat_id: int) -> list[Subscription]:
    """What a chat follows, oldest first."""
    return (await subscriptions_by_chat(connection, [chat_id])).get(chat_id, [])


async def subscriptions_by_chat(
    connection: AsyncConnection, chat_ids: Collection[int]
) -> dict[int, list[Subscription]]:
    """What each of these chats follows, oldest first; those that follow nothing are left out."""
    query = sa.select(subscriptions).where(subscriptions.c.chat_id.in_(chat_ids)).order_by(subscriptions.c.id)
    found: dict[int, list[Subscription]] = {}
    for row in await connection.execute(query):
        made_at = row.made_at or row.since  # it was not kept before
        interest = stored_interest(row.query)
        subscription = Subscription(row.id, row.chat_id, interest, row.since, made_at, row.alerts_since)
        found.setdefault(row.chat_id, []).append(subscription)
    return found


_INTERESTS = sa.select(subscriptions.c.query).join(chats).where(is_served()).distinct()


async def interests(connection: AsyncConnection) -> set[Interest]:
    """What served chats want, each interest once however many have it."""
    return set(map(stored_interest, await connection.scalars(_INTERESTS)))


async def followed_categories(connection: AsyncConnection) -> set[str]:
    """Every category that some served chat wants."""
    return {category for interest in await interests(connection) for category in interest.wanted}


async def subscribed_categories(connection: AsyncConnection) -> set[str]:
    """Every category that some chat wants, also one that is not served for now and may come back."""
    queries = await connection.scalars(sa.select(subscriptions.c.query).distinct())
    return {category for query in queries for category in stored_interest(query).wanted}


async def anyone_reads_chinese(connection: AsyncConnection) -> bool:
    """Whether some served chat has Chinese among its languages."""
    query = sa.select(sa.exists().where(is_served(), chats.c.language != "en"))
    return bool((await connection.execute(query)).scalar_one())


async def in_a_hurry(connection: AsyncConnection, now: datetime) -> list[Chat]:
    """The chats that want their digest as soon as it is complete, and for which it is not due yet."""
    query = sa.select(chats).where(is_served(), chats.c.asap, chats.c.next_digest_at > now)
    return [chat_from(row) for row in await connection.execute(query.order_by(chats.c.id))]


async def due_at(connection: AsyncConnection, chat_ids: Collection[int], instant: datetime) -> None:
    """Have these chats' digests due then: sooner or a little later, it is the same day's."""
    await connection.execute(sa.update(chats).where(chats.c.id.in_(chat_ids)).values(next_digest_at=instant))


async def looked_at(
    connection: AsyncConnection, wishes: Collection[Interest], default_categories: Iterable[str]
) -> list[str]:
    """The categories whose papers these interests are matched against.

    One that names no category, and somebody who wants nothing in particular, looks at all that are followed here.
    """
    wanted = [category for interest in wishes for category in interest.wanted]
    if not wishes or any(interest.is_open for interest in wishes):
        wanted += [*default_categories, *sorted(await followed_categories(connection))]
    return list(dict.fromkeys(wanted))


async def waiting(connection: AsyncConnection) -> int:
    """How many chats wait for an operator's yes."""
    query = sa.select(sa.func.count()).where(chats.c.access == "waiting")
    return int((await connection.execute(query)).scalar_one())


async def everyone(connection: AsyncConnection) -> list[Chat]:
    """Every chat, oldest first."""
    return [chat_from(row) for row in await connection.execute(sa.select(chats).order_by(chats.c.id))]


async def at(connection: AsyncConnection, platform: PlatformName, address: str) -> list[Chat]:
    """The chat at an address and those of its topics, whose addresses go on behind a colon."""
    places = sa.or_(chats.c.address == address, chats.c.address.startswith(f"{address}:", autoescape=True))
    return [
        chat_from(row) for row in await connection.execute(sa.select(chats).where(chats.c.platform == platform, places))
    ]
