"""Overview: the chats of this bot as its operators look through them, and what they allow each."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, Quota
from bot.storage.chats import chat_from
from bot.storage.tables import chats, subscriptions

STATES = ("allowed", "waiting", "denied", "banned", "inactive")


@dataclass(frozen=True, slots=True)
class Overseen:
    """A chat, how many subscriptions it has, and since when it is known."""

    chat: Chat
    subscriptions: int
    known_since: datetime

    @property
    def state(self) -> str:
        """One of STATES. `inactive`: let in, but it cannot be written to."""
        is_inactive = self.chat.access == "allowed" and self.chat.inactive_because is not None
        return "inactive" if is_inactive else self.chat.access


_FOLLOWED = (
    sa.select(sa.func.count())
    .where(subscriptions.c.chat_id == chats.c.id)
    .correlate(chats)
    .scalar_subquery()
    .label("followed")
)


async def page(connection: AsyncConnection, sought: str, at_most: int, skip: int) -> list[Overseen]:
    """The chats in a state, or whose title has these words in it (nothing: all); those that wait first, then the
    newest."""
    query = sa.select(chats, _FOLLOWED).where(_is(sought)).order_by(chats.c.access != "waiting", chats.c.id.desc())
    return [_overseen(row) for row in await connection.execute(query.limit(at_most).offset(skip))]


async def count(connection: AsyncConnection, sought: str) -> int:
    """How many they are."""
    return int(
        (await connection.execute(sa.select(sa.func.count()).select_from(chats).where(_is(sought)))).scalar_one()
    )


async def one(connection: AsyncConnection, number: int) -> Overseen | None:
    row = (await connection.execute(sa.select(chats, _FOLLOWED).where(chats.c.id == number))).first()
    return _overseen(row) if row else None


async def set_quota(connection: AsyncConnection, chat: Chat, quota: Quota) -> None:
    """Let a chat have so much; a larger cap that it set itself is lowered."""
    await connection.execute(
        sa.update(chats)
        .where(chats.c.id == chat.id)
        .values(
            most_papers=quota.papers,
            most_subscriptions=quota.subscriptions,
            cap=quota.keep(chat.preferences).cap,
        )
    )


def _overseen(row: sa.Row[tuple[object, ...]]) -> Overseen:
    return Overseen(chat_from(row), row.followed, row.created_at)


def _is(sought: str) -> sa.ColumnElement[bool]:
    if not sought:
        return sa.true()
    if sought == "inactive":
        return sa.and_(chats.c.access == "allowed", chats.c.inactive_because.is_not(None))
    if sought == "allowed":
        return sa.and_(chats.c.access == "allowed", chats.c.inactive_because.is_(None))
    if sought in STATES:
        return chats.c.access == sought
    return chats.c.title.icontains(sought, autoescape=True)
