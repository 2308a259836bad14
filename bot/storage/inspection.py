"""The outbox as its operator sees it: what is not well or not sent yet, and what is to become of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.outbox import State
from bot.storage.slices import slices
from bot.storage.tables import OPEN, chats, messages, payloads

STATES: tuple[State, ...] = ("pending", "waiting", "uncertain", "sending", "failed", "sent", "void")
NOT_DONE: tuple[State, ...] = ("pending", "waiting", "uncertain", "sending", "failed")
RETRIED: tuple[State, ...] = ("failed", "void", "waiting")
"""What an operator can have sent again. The other states are sent, or about to be."""

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A Message with its chat. `since`: when it came into its state, as near as is known; `again_at`: when it goes on.

    `reason` is the platform's, or why its chat gets nothing at present.
    """

    id: int
    platform: str
    chat_id: int
    chat: str
    state: State
    since: datetime
    again_at: datetime | None
    attempts: int
    doubts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The messages that were changed, and of the others each one's reason."""

    ids: Sequence[int]
    refused: dict[int, str]


async def entries(connection: AsyncConnection, states: Collection[State], at_most: int) -> list[Entry]:
    """Messages in one of these states, the newest first."""
    query = (
        sa.select(messages, chats.c.platform, chats.c.title, chats.c.access, chats.c.inactive_because)
        .join(chats, chats.c.id == messages.c.chat_id)
        .where(messages.c.state.in_(states))
        .order_by(messages.c.id.desc())
        .limit(at_most)
    )
    return [_entry_from(row) for row in await connection.execute(query)]


def _entry_from(row: sa.Row[Any]) -> Entry:
    is_open = row.state in OPEN
    return Entry(
        id=row.id,
        platform=row.platform,
        chat_id=row.chat_id,
        chat=row.title,
        state=row.state,
        since=row.created_at if is_open else row.sent_at or row.sending_at or row.created_at,
        again_at=row.not_before if is_open else None,
        attempts=row.attempts,
        doubts=row.doubts,
        reason=(_silence(row) if is_open else "") or row.error or "",
    )


def _silence(row: sa.Row[Any]) -> str:
    if row.access != "allowed":
        return "the chat is not let in"
    return f"the chat was given up: {row.inactive_because}" if row.inactive_because is not None else ""


async def oldest_due(connection: AsyncConnection, now: datetime) -> datetime | None:
    """When the oldest message was written that could have left by now, to a chat that may be written to."""
    query = (
        sa.select(sa.func.min(messages.c.created_at))
        .join(chats, chats.c.id == messages.c.chat_id)
        .where(
            messages.c.state.in_(OPEN),
            messages.c.not_before <= now,
            chats.c.access == "allowed",
            chats.c.inactive_because.is_(None),
        )
    )
    at: datetime | None = (await connection.execute(query)).scalar_one()
    return at


async def failed(connection: AsyncConnection) -> list[int]:
    """The messages that their platform would not take."""
    query = sa.select(messages.c.id).where(messages.c.state == "failed").order_by(messages.c.id)
    return list((await connection.execute(query)).scalars())


async def retry(connection: AsyncConnection, message_ids: Sequence[int], now: datetime) -> Changed:
    """Let messages leave now, as if for the first time; what may already be there of them stays known."""
    refused = await _refused(connection, message_ids, RETRIED)
    texts = await _texts_of(connection, [each for each in message_ids if each not in refused])
    refused |= {message_id: "its text is no longer kept" for message_id, has_text in texts.items() if not has_text}
    values = {"state": "pending", "not_before": now, "attempts": 0, "error": None}
    return await _change(connection, message_ids, refused, RETRIED, values)


async def void(connection: AsyncConnection, message_ids: Sequence[int]) -> Changed:
    """Take back messages that are still to be sent."""
    refused = await _refused(connection, message_ids, OPEN)
    values = {"state": "void", "error": "taken back by an operator"}
    return await _change(connection, message_ids, refused, OPEN, values)


async def open_in(connection: AsyncConnection, chat_id: int) -> list[int]:
    """What is still to be sent to a chat."""
    query = sa.select(messages.c.id).where(messages.c.chat_id == chat_id, messages.c.state.in_(OPEN))
    return list((await connection.execute(query.order_by(messages.c.id))).scalars())


async def _refused(connection: AsyncConnection, message_ids: Sequence[int], states: Collection[str]) -> dict[int, str]:
    """Which of these messages are in none of these states, and what they are instead."""
    found: dict[int, str] = {}
    for batch in slices(message_ids, _BATCH):
        query = sa.select(messages.c.id, messages.c.state).where(messages.c.id.in_(batch))
        found |= {row.id: row.state for row in await connection.execute(query)}
    return {
        each: f"it is {found[each]}" if each in found else "there is no such message"
        for each in message_ids
        if found.get(each) not in states
    }


async def _texts_of(connection: AsyncConnection, message_ids: Sequence[int]) -> dict[int, bool]:
    """Whether the texts of each message are still there."""
    kept: dict[int, bool] = {}
    for batch in slices(message_ids, _BATCH):
        query = sa.select(messages.c.id, messages.c.payload_id, messages.c.further_parts)
        rows = (await connection.execute(query.where(messages.c.id.in_(batch)))).all()
        parts = {part for row in rows for part in (row.payload_id, *(row.further_parts or ()))}
        stored = set((await connection.execute(sa.select(payloads.c.id).where(payloads.c.id.in_(parts)))).scalars())
        kept |= {row.id: {row.payload_id, *(row.further_parts or ())} <= stored for row in rows}
    return kept


async def _change(
    connection: AsyncConnection,
    message_ids: Sequence[int],
    refused: dict[int, str],
    states: Collection[str],
    values: dict[str, Any],
) -> Changed:
    changed: list[int] = []
    for batch in slices([each for each in message_ids if each not in refused], _BATCH):
        # The state once more: on PostgreSQL a worker may have taken it up since it was read.
        statement = (
            sa.update(messages)
            .where(messages.c.id.in_(batch), messages.c.state.in_(states))
            .values(values)
            .returning(messages.c.id)
        )
        changed += (await connection.execute(statement)).scalars()
    return Changed(sorted(changed), refused)
