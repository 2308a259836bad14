"""The outbox: every Message that leaves by itself, from composed to confirmed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.storage.chats import chat_from
from bot.storage.tables import chats, messages


@dataclass(frozen=True, slots=True)
class Message:
    """One part of a digest, rendered for its platform and frozen. `key` is the same at every attempt."""

    id: int
    chat: Chat
    key: str
    payload: str
    attempts: int


async def put(
    connection: AsyncConnection, chat_id: int, digest_id: int | None, key: str, payloads: Sequence[str], now: datetime
) -> None:
    """Queue rendered messages in their order; the same key again queues nothing."""
    rows = [
        {
            "chat_id": chat_id,
            "digest_id": digest_id,
            "key": f"{key}-{position}",
            "payload": payload,
            "state": "pending",
            "not_before": now,
            "created_at": now,
        }
        for position, payload in enumerate(payloads)
    ]
    if rows:
        await connection.execute(insert(messages).on_conflict_do_nothing(), rows)


async def heads(
    connection: AsyncConnection, now: datetime, platforms: Sequence[PlatformName], busy: Collection[int], at_most: int
) -> list[Message]:
    """The first pending message of each chat that can be written to, is not busy, and whose time has come."""
    rows = await connection.execute(
        _heads()
        .where(messages.c.not_before <= now, chats.c.platform.in_(platforms), chats.c.id.not_in(busy))
        .order_by(messages.c.not_before, messages.c.id)
        .limit(at_most)
    )
    return [Message(row.message_id, chat_from(row), row.key, row.payload, row.attempts) for row in rows]


async def next_at(connection: AsyncConnection, now: datetime) -> datetime | None:
    """When the next message that has to wait may leave."""
    waiting = _heads().where(messages.c.not_before > now).order_by(messages.c.not_before).limit(1)
    row = (await connection.execute(waiting)).first()
    return row.not_before if row else None


def _heads() -> sa.Select[Any]:
    first = sa.select(sa.func.min(messages.c.id)).where(messages.c.state == "pending").group_by(messages.c.chat_id)
    return (
        sa.select(messages.c.id.label("message_id"), messages.c.key, messages.c.payload, messages.c.attempts)
        .add_columns(messages.c.not_before, chats)
        .join(chats, chats.c.id == messages.c.chat_id)
        .where(messages.c.id.in_(first), chats.c.inactive_because.is_(None), chats.c.access == "allowed")
    )


async def begin(connection: AsyncConnection, message_ids: Sequence[int], now: datetime) -> None:
    """Mark messages `sending`. Commit before they leave: after a kill they are found so, and none is lost."""
    await connection.execute(
        sa.update(messages)
        .where(messages.c.id.in_(message_ids))
        .values(state="sending", sending_at=now, attempts=messages.c.attempts + 1)
    )


async def sent(connection: AsyncConnection, message_id: int, platform_message_id: str, now: datetime) -> None:
    """The platform confirmed it."""
    await _set(connection, message_id, state="sent", sent_at=now, platform_message_id=platform_message_id, error=None)


async def put_back(
    connection: AsyncConnection, message_id: int, not_before: datetime, reason: str, *, uncertain: bool
) -> None:
    """It did not leave, or nobody knows (`uncertain`): it is tried again from then on, the same and in its order."""
    await _set(
        connection,
        message_id,
        state="pending",
        not_before=not_before,
        error=reason,
        uncertain=messages.c.uncertain + int(uncertain),
    )


async def fail(connection: AsyncConnection, message_id: int, reason: str) -> None:
    """The platform will never take it; what comes behind it goes on."""
    await _set(connection, message_id, state="failed", error=reason)


async def _set(connection: AsyncConnection, message_id: int, **values: Any) -> None:
    await connection.execute(sa.update(messages).where(messages.c.id == message_id).values(**values))


async def recover(connection: AsyncConnection) -> int:
    """After a kill: what was in flight may or may not have arrived. It goes again; how many there were."""
    result = await connection.execute(
        sa.update(messages)
        .where(messages.c.state == "sending")
        .values(state="pending", uncertain=messages.c.uncertain + 1, error="stopped between request and record")
    )
    return result.rowcount


async def sent_since(connection: AsyncConnection, since: datetime) -> list[tuple[Chat, datetime]]:
    """Which chats were sent something when, lately: what pacing has to remember over a restart."""
    query = (
        sa.select(chats, messages.c.sending_at)
        .join(chats, chats.c.id == messages.c.chat_id)
        .where(messages.c.sending_at >= since)
        .order_by(messages.c.sending_at)
    )
    return [(chat_from(row), row.sending_at) for row in await connection.execute(query)]


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """How many messages are in each state."""
    query = sa.select(messages.c.state, sa.func.count().label("how_many")).group_by(messages.c.state)
    return {row.state: row.how_many for row in await connection.execute(query)}


async def refused(connection: AsyncConnection, chat_id: int) -> int:
    """How many of a chat's messages its platform would not take."""
    query = sa.select(sa.func.count()).where(messages.c.chat_id == chat_id, messages.c.state == "failed")
    return int((await connection.execute(query)).scalar_one())
