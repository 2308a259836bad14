"""Attempts: a message of the outbox in flight, from its claim to what became of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import outbox
from bot.storage.dialect import is_among, pairs
from bot.storage.outbox import Message, is_open, may_be_written_to
from bot.storage.tables import chats, messages


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
    rows, other = pairs(dialect, "rows"), messages.alias("other")
    at: sa.BindParameter[datetime] = sa.bindparam("at")
    in_flight = sa.select(sa.func.count()).where(
        other.c.chat_id == messages.c.chat_id, other.c.state == sa.literal_column("'sending'")
    )
    may_receive = sa.select(may_be_written_to(at)).where(chats.c.id == messages.c.chat_id)
    return (
        sa.update(messages)
        .where(
            messages.c.id == rows.c.key.cast(sa.Integer),
            # Spelt so that no index fits, as in `outbox.due`: it is to begin with these rows, not with all open ones.
            sa.case((is_open(), messages.c.not_before <= at), else_=sa.false()),
            may_receive.scalar_subquery(),
            in_flight.scalar_subquery() == 0,
        )
        .values(state="sending", sending_at=sa.bindparam("at"), attempts=messages.c.attempts + 1)
        .returning(messages.c.id)
    )


@cache
def _confirming(dialect: str) -> sa.Executable:
    rows = pairs(dialect, "rows")
    return (
        sa.update(messages)
        .where(messages.c.id == rows.c.key.cast(sa.Integer), messages.c.state != "sent")
        .values(state="sent", sent_at=sa.bindparam("at"), platform_message_id=rows.c.value, error=None)
    )


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
    numbers = await outbox.keep(connection, contents, now)
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
        query = query.where(~is_among(messages.c.chat_id, connection.dialect.name, list(at_work)))
    return list((await connection.execute(query)).scalars())


async def recover(
    connection: AsyncConnection, now: datetime, chat_ids: Sequence[int] | None = None
) -> list[tuple[int, datetime]]:
    """What was in flight when its process died may or may not have arrived: it goes again; whose, and claimed when.

    `chat_ids`: of these chats only, whose outbox nobody else is at.
    """
    statement = (
        sa.update(messages)
        .where(messages.c.state == sa.literal_column("'sending'"))
        .values(state="uncertain", not_before=now, error="stopped between request and record", **_in_doubt(now))
    )
    if chat_ids is not None:
        statement = statement.where(is_among(messages.c.chat_id, connection.dialect.name, list(chat_ids)))
    found = await connection.execute(statement.returning(messages.c.chat_id, messages.c.sending_at))
    return [(row.chat_id, row.sending_at) for row in found]
