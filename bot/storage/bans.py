"""Bans: chats and people who get nothing and are not answered. What they follow is kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.storage import chats, tables
from bot.storage.dialect import insert
from bot.storage.tables import bans


@dataclass(frozen=True, slots=True)
class Ban:
    """Who is banned: a `chat` by its address without a topic, a `person` by the id that the platform gives them."""

    platform: PlatformName
    kind: Literal["chat", "person"]
    name: str


async def put(connection: AsyncConnection, ban: Ban, now: datetime) -> None:
    """Ban a chat with all its topics, or a person with their private chats."""
    values = {"platform": ban.platform, "kind": ban.kind, "name": ban.name, "at": now, "told": False}
    await connection.execute(insert(connection.dialect.name, bans).values(values).on_conflict_do_nothing())
    for chat in await _chats_of(connection, ban):
        await chats.set_access(connection, chat.id, "banned")


async def remove(connection: AsyncConnection, ban: Ban) -> bool:
    """End a ban; False where there was none."""
    return bool((await connection.execute(sa.delete(bans).where(*_of(ban)))).rowcount)


async def move(connection: AsyncConnection, platform: PlatformName, old: str, new: str) -> None:
    """The platform gave a place a new address: a ban goes along."""
    row = bans.c
    is_banned_there = sa.select(row.name).where(row.platform == platform, row.kind == "chat", row.name == new)
    await connection.execute(
        sa.update(bans)
        .where(row.platform == platform, row.kind == "chat", row.name == old, ~is_banned_there.exists())
        .values(name=new)
    )


async def let_in_again(connection: AsyncConnection, ban: Ban) -> None:
    """Let the chats of a ban that ended be served, but for those that another one touches."""
    for chat in await _chats_of(connection, ban):
        if chat.access == "banned" and not await touching(connection, chat.platform, chat.place, chat.person_id or ""):
            await chats.set_access(connection, chat.id, "allowed")


async def touching(connection: AsyncConnection, platform: PlatformName, place: str, person_id: str) -> list[Ban]:
    """The bans of a place, and of a person."""
    one = (
        sa.and_(bans.c.kind == "chat", bans.c.name == place),
        sa.and_(bans.c.kind == "person", bans.c.name == person_id),
    )
    query = sa.select(bans).where(bans.c.platform == platform, sa.or_(*one)).order_by(bans.c.kind)
    return [Ban(row.platform, row.kind, row.name) for row in await connection.execute(query)]


async def tell_once(connection: AsyncConnection, ban: Ban) -> bool:
    """Whether this is the first time that somebody is to be told of a ban."""
    statement = sa.update(bans).where(*_of(ban), bans.c.told.is_(False)).values(told=True)
    return bool((await connection.execute(statement)).rowcount)


async def belongs_to(connection: AsyncConnection, chat: Chat, person_id: str) -> None:
    """Note whose private chat it is, so that a ban of theirs reaches it."""
    mine = sa.update(tables.chats).where(tables.chats.c.id == chat.id)
    await connection.execute(mine.values(person_id=person_id))


def _of(ban: Ban) -> tuple[sa.ColumnElement[bool], ...]:
    return bans.c.platform == ban.platform, bans.c.kind == ban.kind, bans.c.name == ban.name


async def _chats_of(connection: AsyncConnection, ban: Ban) -> list[Chat]:
    if ban.kind == "chat":
        return await chats.at(connection, ban.platform, ban.name)
    query = sa.select(tables.chats).where(tables.chats.c.platform == ban.platform, tables.chats.c.person_id == ban.name)
    return [chats.chat_from(row) for row in await connection.execute(query)]
