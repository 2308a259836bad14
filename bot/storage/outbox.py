"""The outbox: every Message that leaves by itself, from composed to confirmed.

    pending ──> sending ──> sent
       ^           ├──> waiting    (not sent; again at `not_before`)
       │           ├──> uncertain  (nobody knows; again at `not_before`)
       └───────────┴──> failed     (the platform will never take it)

`void` is what an operator, or a chat that wants no old papers, took back.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.metrics import Depth
from bot.storage.chats import chat_from
from bot.storage.dialect import insert, is_among
from bot.storage.slices import slices
from bot.storage.tables import OPEN, chats, digests, messages, payloads

State = Literal["pending", "sending", "sent", "waiting", "uncertain", "failed", "void"]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One part of a digest, rendered for its platform and frozen.

    `doubt`: since when it may already be there. `stands_in`: it was put differently once, and will not be again.
    `announced_at`: when the last of its digest's papers was seen.
    """

    id: int
    key: str
    payload_id: int
    not_before: datetime
    attempts: int
    doubt: datetime | None
    urgent: bool
    stands_in: bool
    digest_id: int | None
    announced_at: datetime | None


_OF_A_MESSAGE: tuple[sa.ColumnElement[Any], ...] = (
    *(messages.c.id, messages.c.key, messages.c.part, messages.c.payload_id, messages.c.not_before),
    *(messages.c.attempts, messages.c.doubt_since, messages.c.urgent, messages.c.further_parts.is_not(None)),
    *(messages.c.digest_id, digests.c.announced_at),
)


def _message_from(number: int, key: str, part: int, *rest: Any) -> Message:
    return Message(number, f"{key}.{part}" if part else key, *rest)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rendered texts, by their numbers, that go to one chat in this order, `not_before` an instant if there is one."""

    chat_id: int
    digest_id: int | None
    key: str
    payload_ids: tuple[int, ...]
    not_before: datetime | None = None


async def put(
    connection: AsyncConnection,
    chat_id: int,
    digest_id: int | None,
    key: str,
    contents: Sequence[str],
    now: datetime,
    *,
    urgent: bool = False,
) -> None:
    """Queue rendered messages in their order; the same key again queues nothing. Urgent ones go before all others."""
    if contents:
        known = await keep(connection, contents, now)
        payload_ids = tuple(known[content] for content in contents)
        await put_many(connection, [Parcel(chat_id, digest_id, key, payload_ids)], now, urgent=urgent)


async def put_many(
    connection: AsyncConnection, parcels: Iterable[Parcel], now: datetime, *, urgent: bool = False
) -> None:
    """The same for many chats, with texts that are kept already."""
    rows = [
        {
            "chat_id": parcel.chat_id,
            "digest_id": parcel.digest_id,
            "key": f"{parcel.key}-{position}",
            "payload_id": payload_id,
            "urgent": urgent,
            "state": "pending",
            "not_before": parcel.not_before or now,
            "created_at": now,
        }
        for parcel in parcels
        for position, payload_id in enumerate(parcel.payload_ids)
    ]
    if rows:
        await connection.execute(insert(connection.dialect.name, messages).on_conflict_do_nothing(), rows)


async def keep(connection: AsyncConnection, contents: Iterable[str], now: datetime) -> dict[str, int]:
    """Keep each text once; the number of each."""
    checksums = {content: sha256(content.encode()).hexdigest() for content in contents}
    statement = insert(connection.dialect.name, payloads)
    # Touched also where it is known: whatever was used lately is not pruned.
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["checksum"], set_={"used_at": statement.excluded.used_at}),
        [
            {"checksum": checksum, "content": content, "used_at": now}
            for content, checksum in sorted(checksums.items(), key=lambda each: each[1])
        ],
    )
    query = sa.select(payloads.c.checksum, payloads.c.id).where(payloads.c.checksum.in_(list(checksums.values())))
    numbers = {row.checksum: row.id for row in await connection.execute(query)}
    return {content: numbers[checksum] for content, checksum in checksums.items()}


def is_open() -> sa.ColumnElement[bool]:
    """Whether a message is still to be sent, and not in flight."""
    # Written out, not bound: only so do both databases see that the partial index fits.
    return messages.c.state.in_([sa.literal_column(f"'{state}'") for state in OPEN])


def may_be_written_to(now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Whether a chat may get anything at present."""
    return sa.and_(chats.c.access == "allowed", sa.or_(chats.c.inactive_because.is_(None), chats.c.probe_at <= now))


async def due(
    connection: AsyncConnection,
    now: datetime,
    platforms: Collection[PlatformName],
    besides: Collection[int],
    at_most: int,
    *,
    only_urgent: bool = False,
) -> list[int]:
    """The chats that something can leave for now, `besides` these: those that wait longest, then the fullest ones.

    A chat's messages leave in their order: while its first one waits, so do the others; urgent ones are a row of their
    own, which nothing of the other holds up.
    """
    heads = (
        sa.select(
            messages.c.chat_id,
            messages.c.urgent,
            sa.func.min(messages.c.id).label("first"),
            sa.func.count().label("how_many"),
        )
        .where(is_open())
        .group_by(messages.c.chat_id, messages.c.urgent)
        .subquery()
    )
    # Looked up one by one, not joined: an outbox fills faster than PostgreSQL counts its rows, and for the few that it
    # then believes in it would go through all chats once for each.
    may_leave = sa.select(messages.c.not_before <= now).where(messages.c.id == heads.c.first)
    may_receive = sa.select(sa.and_(chats.c.platform.in_(list(platforms)), may_be_written_to(now))).where(
        chats.c.id == heads.c.chat_id
    )
    ready = sa.select(heads.c.chat_id, heads.c.first, heads.c.how_many, heads.c.urgent).where(
        may_leave.scalar_subquery(), may_receive.scalar_subquery()
    )
    if besides:
        ready = ready.where(~is_among(heads.c.chat_id, connection.dialect.name, list(besides)))
    if only_urgent:
        ready = ready.where(heads.c.urgent)
    oldest = ready.order_by(heads.c.urgent.desc(), heads.c.first).limit(at_most)
    fullest = ready.where(heads.c.how_many > 1).order_by(heads.c.how_many.desc()).limit(at_most // 8)
    found = [row.chat_id for query in (oldest, fullest) for row in await connection.execute(query)]
    return list(dict.fromkeys(found))


async def queues(
    connection: AsyncConnection, chat_ids: Sequence[int], now: datetime, *, only_urgent: bool = False
) -> list[tuple[Chat, list[Message]]]:
    """What can leave now for each of these chats, in order: urgent ones first, up to the first that has to wait."""
    found: list[tuple[Chat, list[Message]]] = []
    for batch in slices(chat_ids, _BATCH):
        people = await connection.execute(
            sa.select(chats, chats.c.inactive_because.is_not(None).label("is_probe")).where(
                chats.c.id.in_(batch), may_be_written_to(now)
            )
        )
        rows = await connection.execute(
            sa.select(messages.c.chat_id, *_OF_A_MESSAGE)
            .outerjoin(digests, digests.c.id == messages.c.digest_id)
            .where(messages.c.chat_id.in_(batch), is_open())
            .order_by(messages.c.chat_id, messages.c.urgent.desc(), messages.c.id)
        )
        by_chat: dict[int, list[Message]] = {}
        for chat_id, *facts in rows:
            by_chat.setdefault(chat_id, []).append(_message_from(*facts))
        for person in people:
            leaving = _leaving(by_chat.get(person.id, []), now, only_urgent=only_urgent)
            found.append((chat_from(person), leaving[:1] if person.is_probe else leaving))
    return found


def _leaving(waiting: Sequence[Message], now: datetime, *, only_urgent: bool) -> list[Message]:
    leaving = []
    blocked: set[bool] = {False} if only_urgent else set()
    for message in waiting:
        if message.not_before > now:
            blocked.add(message.urgent)
        elif message.urgent not in blocked:
            leaving.append(message)
    return leaving


async def contents(connection: AsyncConnection, payload_ids: Collection[int]) -> dict[int, str]:
    """The texts of these numbers."""
    query = sa.select(payloads.c.id, payloads.c.content).where(payloads.c.id.in_(list(payload_ids)))
    return {row.id: row.content for row in await connection.execute(query)}


async def next_at(connection: AsyncConnection, now: datetime, platforms: Collection[PlatformName]) -> datetime | None:
    """When the next message that has to wait may leave, or the next chat be probed."""
    query = (
        sa.select(
            sa.func.min(
                sa.case((chats.c.probe_at > messages.c.not_before, chats.c.probe_at), else_=messages.c.not_before)
            )
        )
        .select_from(messages)
        .join(chats)
        .where(
            is_open(),
            sa.or_(messages.c.not_before > now, chats.c.probe_at > now),
            chats.c.platform.in_(list(platforms)),
            chats.c.access == "allowed",
            sa.or_(chats.c.inactive_because.is_(None), chats.c.probe_at.is_not(None)),
        )
    )
    at: datetime | None = (await connection.execute(query)).scalar_one()
    return at


async def rest(connection: AsyncConnection, resting: Mapping[int, datetime]) -> None:
    """Let messages wait, each until its chat's pace lets it leave."""
    if not resting:
        return
    await connection.execute(
        sa.update(messages)
        .where(messages.c.id == sa.bindparam("message"), is_open())
        .values(state="waiting", not_before=sa.bindparam("until")),
        [{"message": message, "until": until} for message, until in resting.items()],
    )


async def void(connection: AsyncConnection, condition: sa.ColumnElement[bool], reason: str) -> int:
    """Take back what is still to be sent; how much that was."""
    statement = sa.update(messages).where(is_open(), condition).values(state="void", error=reason)
    return (await connection.execute(statement)).rowcount


async def hold_back(connection: AsyncConnection, chat_id: int, until: datetime) -> int:
    """Let a chat's messages, but for the urgent ones, wait until then; how many they are."""
    statement = (
        sa.update(messages)
        .where(is_open(), messages.c.chat_id == chat_id, messages.c.urgent.is_(False))
        .values(state="waiting", not_before=until)
    )
    return (await connection.execute(statement)).rowcount


async def sent_since(connection: AsyncConnection, since: datetime, now: datetime) -> list[tuple[Chat, datetime]]:
    """Which chats were sent something when, lately: what pacing has to remember over a restart.

    What nobody confirmed may have arrived at any moment up to now.
    """
    query = (
        sa.select(chats, messages.c.sent_at)
        .join(chats, chats.c.id == messages.c.chat_id)
        .where(messages.c.sending_at >= since)
        .order_by(messages.c.sending_at)
    )
    return [(chat_from(row), row.sent_at or now) for row in await connection.execute(query)]


async def prune_texts(connection: AsyncConnection, before: datetime) -> int:
    """Drop texts that were last used before an instant and that nobody is still to get; how many they were."""
    is_needed = sa.or_(is_open(), messages.c.state == sa.literal_column("'sending'"))
    divided = sa.select(messages.c.further_parts).where(is_needed, messages.c.further_parts.is_not(None))
    parts = [part for further in (await connection.execute(divided)).scalars() for part in further or ()]
    needed = sa.select(messages.c.id).where(messages.c.payload_id == payloads.c.id, is_needed)
    statement = sa.delete(payloads).where(payloads.c.used_at < before, ~needed.exists(), payloads.c.id.not_in(parts))
    return (await connection.execute(statement)).rowcount


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """How many messages are in each state."""
    query = sa.select(messages.c.state, sa.func.count().label("how_many")).group_by(messages.c.state)
    return {row.state: row.how_many for row in await connection.execute(query)}


async def depths(connection: AsyncConnection) -> list[Depth]:
    """How much there is of each platform's messages in each state, and how old the oldest is that is to be sent.

    What waits for the end of a pause is not late, however old.
    """
    in_a_pause = sa.func.coalesce(messages.c.not_before == chats.c.paused_until, sa.false())
    oldest = sa.func.min(sa.case((sa.and_(is_open(), ~in_a_pause), messages.c.created_at)))
    query = (
        sa.select(chats.c.platform, messages.c.state, sa.func.count().label("how_many"), oldest.label("oldest_at"))
        .join(chats, chats.c.id == messages.c.chat_id)
        .group_by(chats.c.platform, messages.c.state)
    )
    return [Depth(row.platform, row.state, row.how_many, row.oldest_at) for row in await connection.execute(query)]


async def refused(connection: AsyncConnection, chat_id: int) -> int:
    """How many of a chat's messages its platform would not take."""
    query = sa.select(sa.func.count()).where(messages.c.chat_id == chat_id, messages.c.state == "failed")
    return int((await connection.execute(query)).scalar_one())
