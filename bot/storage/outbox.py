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
from functools import cache
from hashlib import sha256
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.metrics import Depth
from bot.storage.chats import chat_from
from bot.storage.tables import OPEN, chats, digests, messages, payloads
from bot.storage.upsert import insert

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
    *(messages.c.chat_id, messages.c.id, messages.c.key, messages.c.part, messages.c.payload_id, messages.c.not_before),
    *(messages.c.attempts, messages.c.doubt_since, messages.c.urgent, messages.c.further_parts, messages.c.digest_id),
    digests.c.announced_at,
)


def _message_from(row: sa.Row[Any]) -> Message:
    return Message(
        id=row.id,
        key=f"{row.key}.{row.part}" if row.part else row.key,
        payload_id=row.payload_id,
        not_before=row.not_before,
        attempts=row.attempts,
        doubt=row.doubt_since,
        urgent=row.urgent,
        stands_in=row.further_parts is not None,
        digest_id=row.digest_id,
        announced_at=row.announced_at,
    )


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rendered texts, by their numbers, that go to one chat in this order."""

    chat_id: int
    digest_id: int | None
    key: str
    payload_ids: tuple[int, ...]


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
            "not_before": now,
            "created_at": now,
        }
        for parcel in parcels
        for position, payload_id in enumerate(parcel.payload_ids)
    ]
    if rows:
        await connection.execute(insert(connection, messages).on_conflict_do_nothing(), rows)


async def keep(connection: AsyncConnection, contents: Iterable[str], now: datetime) -> dict[str, int]:
    """Keep each text once; the number of each."""
    checksums = {content: sha256(content.encode()).hexdigest() for content in contents}
    statement = insert(connection, payloads)
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


def _is_open() -> sa.ColumnElement[bool]:
    # Written out, not bound: only so do both databases see that the partial index fits.
    return messages.c.state.in_([sa.literal_column(f"'{state}'") for state in OPEN])


def _may_be_written_to(now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
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
        .where(_is_open())
        .group_by(messages.c.chat_id, messages.c.urgent)
        .subquery()
    )
    ready = (
        sa.select(heads.c.chat_id, heads.c.first, heads.c.how_many, heads.c.urgent)
        .join(messages, messages.c.id == heads.c.first)
        .join(chats, chats.c.id == heads.c.chat_id)
        .where(messages.c.not_before <= now, chats.c.platform.in_(list(platforms)), _may_be_written_to(now))
    )
    if besides:
        ready = ready.where(heads.c.chat_id.not_in(list(besides)))
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
    for start in range(0, len(chat_ids), _BATCH):
        batch = chat_ids[start : start + _BATCH]
        people = await connection.execute(
            sa.select(chats, chats.c.inactive_because.is_not(None).label("is_probe")).where(
                chats.c.id.in_(batch), _may_be_written_to(now)
            )
        )
        rows = await connection.execute(
            sa.select(*_OF_A_MESSAGE)
            .outerjoin(digests, digests.c.id == messages.c.digest_id)
            .where(messages.c.chat_id.in_(batch), _is_open())
            .order_by(messages.c.chat_id, messages.c.urgent.desc(), messages.c.id)
        )
        by_chat: dict[int, list[Message]] = {}
        for row in rows:
            by_chat.setdefault(row.chat_id, []).append(_message_from(row))
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
            _is_open(),
            sa.or_(messages.c.not_before > now, chats.c.probe_at > now),
            chats.c.platform.in_(list(platforms)),
            chats.c.access == "allowed",
            sa.or_(chats.c.inactive_because.is_(None), chats.c.probe_at.is_not(None)),
        )
    )
    at: datetime | None = (await connection.execute(query)).scalar_one()
    return at


async def claim(connection: AsyncConnection, message_ids: Sequence[int], now: datetime) -> set[int]:
    """Mark messages `sending`; those of them that may still leave now, with none of their chat in flight.

    Commit before they leave: after a kill they are found so, and none is lost.
    """
    if not message_ids:
        return set()
    claimed = await connection.execute(
        _claiming(connection.dialect.name), {"rows": dict.fromkeys(message_ids), "at": now}
    )
    return set(claimed.scalars())


async def sent(connection: AsyncConnection, confirmed: Mapping[int, str], now: datetime) -> None:
    """The platform confirmed these messages, under these ids. One that has further parts goes on with the next."""
    if not confirmed:
        return
    await connection.execute(_confirming(connection.dialect.name), {"rows": dict(confirmed), "at": now})


# Every round needs these two: each is built once, and does all its messages in one step of the database's.


@cache
def _claiming(dialect: str) -> sa.Executable:
    rows, other = _rows(dialect), messages.alias("other")
    in_flight = sa.select(other.c.id).where(
        other.c.chat_id == messages.c.chat_id, other.c.state == sa.literal_column("'sending'")
    )
    return (
        sa.update(messages)
        .where(
            messages.c.id == rows.c.key.cast(sa.Integer),
            _is_open(),
            messages.c.not_before <= sa.bindparam("at"),
            chats.c.id == messages.c.chat_id,
            _may_be_written_to(sa.bindparam("at")),
            ~in_flight.exists(),
        )
        .values(state="sending", sending_at=sa.bindparam("at"), attempts=messages.c.attempts + 1)
        .returning(messages.c.id)
    )


@cache
def _confirming(dialect: str) -> sa.Executable:
    rows = _rows(dialect)
    return (
        sa.update(messages)
        .where(messages.c.id == rows.c.key.cast(sa.Integer), messages.c.state != "sent")
        .values(state="sent", sent_at=sa.bindparam("at"), platform_message_id=rows.c.value, error=None)
    )


def _rows(dialect: str) -> sa.TableValuedAlias:
    """The parameter `rows`, keys and values, as a table of texts."""
    split = sa.func.json_each_text if dialect == "postgresql" else sa.func.json_each
    columns = sa.column("key", sa.Text), sa.column("value", sa.Text)
    return split(sa.bindparam("rows", type_=sa.JSON)).table_valued(*columns, name="rows")


# What follows changes a message only while it is in flight by the very attempt that is spoken of. A process that was
# taken for dead and wakes up again thus changes nothing of what its successor does.


async def go_on(connection: AsyncConnection, message: Message, now: datetime) -> bool:
    """After a part of a divided message was sent: make the next part pending. False where there is none."""
    row = (await connection.execute(sa.select(messages).where(messages.c.id == message.id))).one_or_none()
    if row is None or not row.further_parts:
        return False
    first, *rest = row.further_parts
    await _set(
        connection,
        message,
        state="pending",
        payload_id=first,
        further_parts=rest,
        part=row.part + 1,
        attempts=0,
        doubt_since=None,
        not_before=now,
    )
    return True


async def put_back(
    connection: AsyncConnection, message: Message, not_before: datetime, reason: str, now: datetime, *, uncertain: bool
) -> None:
    """It did not leave, or nobody knows (`uncertain`): it is tried again from then on, the same and in its order."""
    values: dict[str, Any] = {
        "state": "uncertain" if uncertain else "waiting",
        "not_before": not_before,
        "error": reason,
    }
    if uncertain:
        values |= _in_doubt(now)
    await _set(connection, message, **values)


def _in_doubt(now: datetime) -> dict[str, Any]:
    return {
        "doubts": messages.c.doubts + 1,
        "doubt_since": sa.func.coalesce(
            messages.c.doubt_since, messages.c.sending_at, sa.literal(now, messages.c.doubt_since.type)
        ),
    }


async def put_differently(
    connection: AsyncConnection, message: Message, contents: Sequence[str], reason: str, now: datetime
) -> None:
    """The message becomes these texts, in its place and one after the other."""
    numbers = await keep(connection, contents, now)
    first, *rest = (numbers[content] for content in contents)
    await _set(
        connection,
        message,
        state="pending",
        payload_id=first,
        further_parts=rest,
        part=messages.c.part + 1,
        not_before=now,
        error=reason,
    )


async def fail(connection: AsyncConnection, message: Message, reason: str) -> None:
    """The platform will never take it; what comes behind it goes on."""
    await _set(connection, message, state="failed", error=reason)


async def _set(connection: AsyncConnection, message: Message, **values: Any) -> None:
    mine = (messages.c.state == "sending", messages.c.attempts == message.attempts + 1)
    await connection.execute(sa.update(messages).where(messages.c.id == message.id, *mine).values(**values))


async def left_behind(connection: AsyncConnection, at_work: Collection[int]) -> list[int]:
    """The chats that have a message in flight though nobody is at them: whoever sent it has died."""
    query = sa.select(messages.c.chat_id).where(messages.c.state == sa.literal_column("'sending'")).distinct()
    if at_work:
        query = query.where(messages.c.chat_id.not_in(list(at_work)))
    return list((await connection.execute(query)).scalars())


async def recover(connection: AsyncConnection, now: datetime, chat_ids: Sequence[int] | None = None) -> list[datetime]:
    """What was in flight when its process died may or may not have arrived: it goes again; when each was claimed.

    `chat_ids`: of these chats only, whose outbox nobody else is at.
    """
    statement = (
        sa.update(messages)
        .where(messages.c.state == sa.literal_column("'sending'"))
        .values(state="uncertain", not_before=now, error="stopped between request and record", **_in_doubt(now))
    )
    if chat_ids is not None:
        statement = statement.where(messages.c.chat_id.in_(chat_ids))
    return list((await connection.execute(statement.returning(messages.c.sending_at))).scalars())


async def rest(connection: AsyncConnection, resting: Mapping[int, datetime]) -> None:
    """Let messages wait, each until its chat's pace lets it leave."""
    if not resting:
        return
    await connection.execute(
        sa.update(messages)
        .where(messages.c.id == sa.bindparam("message"), _is_open())
        .values(state="waiting", not_before=sa.bindparam("until")),
        [{"message": message, "until": until} for message, until in resting.items()],
    )


async def void(connection: AsyncConnection, condition: sa.ColumnElement[bool], reason: str) -> int:
    """Take back what is still to be sent; how much that was."""
    statement = sa.update(messages).where(_is_open(), condition).values(state="void", error=reason)
    return (await connection.execute(statement)).rowcount


async def hold_back(connection: AsyncConnection, chat_id: int, until: datetime) -> int:
    """Let a chat's messages, but for the urgent ones, wait until then; how many they are."""
    statement = (
        sa.update(messages)
        .where(_is_open(), messages.c.chat_id == chat_id, messages.c.urgent.is_(False))
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
    is_needed = sa.or_(_is_open(), messages.c.state == sa.literal_column("'sending'"))
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
    """How much there is of each platform's messages in each state, and how old the oldest is that is to be sent."""
    oldest = sa.func.min(sa.case((_is_open(), messages.c.created_at)))
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
