"""Digests and the ledger of what each chat was given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import FRESH, PaperId
from bot.storage.tables import digest_papers, digests, listings, papers
from bot.storage.upsert import insert

Occasion = Literal["daily", "asked", "more"]
"""Why a digest was composed: its daily time, `/digest`, or the button that opens what was held back."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a digest accounts for, counted in papers: announced where the chat looks, matching, shown, held back."""

    announced: int
    matched: int
    shown: int
    held: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paper listed in a category that a chat wants; what the ledger says: `had` it at all, and was it `shown`."""

    paper_id: PaperId
    category: str
    categories: tuple[str, ...]
    day: date
    first_seen_at: datetime
    had: bool
    shown: bool


async def candidates(
    connection: AsyncConnection, chat_id: int, categories: Collection[str], since: datetime
) -> list[Candidate]:
    """What was newly listed (new or cross-listed) in these categories at `since` or later, the sample left out."""
    return await _candidates(
        connection,
        chat_id,
        listings.c.category.in_(categories),
        listings.c.first_seen_at >= since,
        listings.c.is_sample.is_(False),
    )


async def latest(connection: AsyncConnection, chat_id: int, categories: Collection[str]) -> list[Candidate]:
    """The latest stored announcement day of these categories."""
    scope = (listings.c.category.in_(categories), listings.c.is_sample.is_(False), _is_fresh())
    day = sa.select(sa.func.max(listings.c.day)).where(*scope).scalar_subquery()
    return await _candidates(connection, chat_id, *scope, listings.c.day == day)


async def sample(connection: AsyncConnection, chat_id: int) -> list[Candidate]:
    """The bundled sample's announcement, in all its categories."""
    return await _candidates(connection, chat_id, listings.c.is_sample.is_(True))


def _is_fresh() -> sa.ColumnElement[bool]:
    return listings.c.announce_type.in_(FRESH)


async def _candidates(
    connection: AsyncConnection, chat_id: int, *conditions: sa.ColumnElement[bool]
) -> list[Candidate]:
    given = digest_papers.c
    query = (
        sa.select(listings, papers.c.categories, given.held)
        .join(papers, papers.c.id == listings.c.paper_id)
        .outerjoin(digest_papers, sa.and_(given.paper_id == listings.c.paper_id, given.chat_id == chat_id))
        .where(_is_fresh(), *conditions)
    )
    return [
        Candidate(
            paper_id=PaperId(row.paper_id),
            category=row.category,
            categories=tuple(row.categories),
            day=row.day,
            first_seen_at=row.first_seen_at,
            had=row.held is not None,
            shown=row.held is False,
        )
        for row in await connection.execute(query)
    ]


async def add(
    connection: AsyncConnection,
    chat_id: int,
    occasion: Occasion,
    local_day: date,
    composed_at: datetime,
    receipt: Receipt,
    announced_at: datetime | None = None,
) -> int:
    """Open a digest; its number. `announced_at`: when the last of its papers was seen."""
    values = {
        "chat_id": chat_id,
        "occasion": occasion,
        "local_day": local_day,
        "composed_at": composed_at,
        "announced_at": announced_at,
        "announced": receipt.announced,
        "matched": receipt.matched,
        "shown": receipt.shown,
        "held": receipt.held,
    }
    result = await connection.execute(sa.insert(digests).values(values))
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


async def enter(
    connection: AsyncConnection, chat_id: int, digest_id: int, shown: Sequence[PaperId], held: Sequence[PaperId]
) -> bool:
    """Write into the ledger what a digest shows and holds back; what an earlier one held goes over to this one.

    False when another digest has shown one of them meanwhile: this one must not be, and be chosen anew.
    """
    rows = [
        {"chat_id": chat_id, "paper_id": paper_id, "digest_id": digest_id, "position": position, "held": is_held}
        for position, (paper_id, is_held) in enumerate(
            [*((paper_id, False) for paper_id in shown), *((paper_id, True) for paper_id in held)]
        )
    ]
    if not rows:
        return True
    statement = insert(connection, digest_papers)
    written = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["chat_id", "paper_id"],
            set_={name: statement.excluded[name] for name in ("held", "digest_id", "position")},
            where=digest_papers.c.held.is_(True),
        ),
        rows,
    )
    return written.rowcount == len(rows)


async def held_with(connection: AsyncConnection, chat_id: int, paper_id: PaperId) -> list[PaperId]:
    """What the chat's digest that holds (or held) this paper back still holds back, in order."""
    same_digest = (
        sa.select(digest_papers.c.digest_id)
        .where(digest_papers.c.chat_id == chat_id, digest_papers.c.paper_id == paper_id)
        .scalar_subquery()
    )
    query = (
        sa.select(digest_papers.c.paper_id)
        .where(digest_papers.c.chat_id == chat_id, digest_papers.c.digest_id == same_digest, digest_papers.c.held)
        .order_by(digest_papers.c.position)
    )
    return [PaperId(held) for (held,) in await connection.execute(query)]


async def last_daily_at(connection: AsyncConnection, chat_id: int) -> datetime | None:
    """When the chat's last daily digest was composed."""
    query = (
        sa.select(digests.c.composed_at)
        .where(digests.c.chat_id == chat_id, digests.c.occasion == "daily")
        .order_by(digests.c.local_day.desc())
        .limit(1)
    )
    return (await connection.execute(query)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class PastDigest:
    """A digest that was composed, for `/status`."""

    composed_at: datetime
    receipt: Receipt


async def last(connection: AsyncConnection, chat_id: int) -> PastDigest | None:
    """The chat's last digest, daily or asked for; opening what one held back makes none."""
    query = (
        sa.select(digests)
        .where(digests.c.chat_id == chat_id, digests.c.occasion != "more")
        .order_by(digests.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return PastDigest(row.composed_at, Receipt(row.announced, row.matched, row.shown, row.held))
