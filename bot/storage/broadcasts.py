"""Broadcasts: what an operator wants every chat to read, from the preview until it is in the outbox for all of them.

asked ──> sending ──> sent
  └─────> left
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.storage.chats import chat_from, is_served
from bot.storage.tables import broadcasts, chats


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A text for every chat; it is in the outbox for all of them up to the number `through`."""

    id: int
    text: str
    through: int


async def ask(connection: AsyncConnection, chat_id: int, text: str, now: datetime) -> int:
    """Keep what an operator in this chat may send; its number."""
    values = {"chat_id": chat_id, "text": text, "state": "asked", "at": now, "through": 0}
    return int((await connection.execute(sa.insert(broadcasts).values(values).returning(broadcasts.c.id))).scalar_one())


async def decide(connection: AsyncConnection, number: int, chat_id: int, asked_since: datetime, *, send: bool) -> bool:
    """Send it, or leave it; False where the chat has none such to decide on any more."""
    statement = (
        sa.update(broadcasts)
        .where(
            broadcasts.c.id == number,
            broadcasts.c.chat_id == chat_id,
            broadcasts.c.state == "asked",
            broadcasts.c.at >= asked_since,
        )
        .values(state="sending" if send else "left")
    )
    return bool((await connection.execute(statement)).rowcount)


async def state_of(connection: AsyncConnection, number: int, chat_id: int) -> str | None:
    """What became of one that an operator in this chat asked for."""
    query = sa.select(broadcasts.c.state).where(broadcasts.c.id == number, broadcasts.c.chat_id == chat_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def sending(connection: AsyncConnection) -> Broadcast | None:
    """The oldest one that is not in the outbox for everybody yet."""
    query = sa.select(broadcasts).where(broadcasts.c.state == "sending").order_by(broadcasts.c.id).limit(1)
    row = (await connection.execute(query)).first()
    return Broadcast(row.id, row.text, row.through) if row else None


async def went(connection: AsyncConnection, number: int, through: int) -> None:
    """It is in the outbox for everybody up to this chat."""
    await connection.execute(sa.update(broadcasts).where(broadcasts.c.id == number).values(through=through))


async def is_sent(connection: AsyncConnection, number: int) -> None:
    """It is in the outbox for everybody."""
    await connection.execute(sa.update(broadcasts).where(broadcasts.c.id == number).values(state="sent"))


async def readers(connection: AsyncConnection, platforms: list[PlatformName], after: int, at_most: int) -> list[Chat]:
    """The chats that get it, from behind this number on."""
    query = sa.select(chats).where(chats.c.id > after, *_is_reader(platforms)).order_by(chats.c.id).limit(at_most)
    return [chat_from(row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection, platforms: list[PlatformName], now: datetime) -> tuple[int, int]:
    """To how many places it goes, and for how many of these a pause has to end first."""
    if connection.dialect.name == "postgresql":
        place: sa.ColumnElement[str] = sa.func.split_part(chats.c.address, ":", 1)
    else:
        place = sa.func.substr(chats.c.address, 1, sa.func.instr(chats.c.address.concat(":"), ":") - 1)
    whole = chats.c.platform.concat(" ").concat(place)
    paused = sa.case((chats.c.paused_until > now, whole))
    query = sa.select(sa.func.count(whole.distinct()), sa.func.count(paused.distinct())).where(*_is_reader(platforms))
    everyone, later = (await connection.execute(query)).one()
    return int(everyone), int(later)


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Drop those that were asked before an instant, but for what is still being sent."""
    old = broadcasts.c.at < before, broadcasts.c.state != "sending"
    await connection.execute(sa.delete(broadcasts).where(*old))


def _is_reader(platforms: list[PlatformName]) -> tuple[sa.ColumnElement[bool], ...]:
    return is_served(), chats.c.platform.in_(platforms)
