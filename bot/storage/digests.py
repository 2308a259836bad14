"""Digests and the ledger of what each chat was given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import FRESH, PaperId
from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import chats, digest_papers, digests, listings, papers

Occasion = Literal["daily", "asked", "more", "alert"]
"""Why a digest was composed: its daily time, `/digest`, the button that opens what was held back, or papers that a
subscription wants at once.
"""

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a digest accounts for, counted in papers: announced where the chat looks, matching, shown, held back.

    `late`: how many of those that are shown came after their announcement day.
    """

    announced: int
    matched: int
    shown: int
    held: int
    late: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A paper as it was newly listed, or cross-listed, in a category."""

    paper_id: PaperId
    category: str
    categories: tuple[str, ...]
    day: date
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class NewDigest:
    """A digest about to be opened. `announced_at`: when the last of its papers was seen.

    `latest_day` and `late_days`: the last announcement day among them, and those of what came late.
    """

    chat_id: int
    occasion: Occasion
    local_day: date
    receipt: Receipt
    announced_at: datetime | None = None
    latest_day: date | None = None
    late_days: tuple[date, ...] = ()


async def listed(connection: AsyncConnection, categories: Collection[str] | None, since: datetime) -> list[Listing]:
    """What was newly listed (new or cross-listed) in these categories, or in any, at `since` or later; no sample."""
    scope = [listings.c.first_seen_at >= since, listings.c.is_sample.is_(False)]
    if categories is not None:
        scope.append(listings.c.category.in_(categories))
    return await _listings(connection, *scope)


async def listed_after(connection: AsyncConnection, after: datetime) -> list[Listing]:
    """What was newly listed anywhere later than that, the sample left out."""
    return await _listings(connection, listings.c.first_seen_at > after, listings.c.is_sample.is_(False))


async def latest(connection: AsyncConnection, categories: Collection[str]) -> list[Listing]:
    """The latest stored announcement day of these categories."""
    scope = (listings.c.category.in_(categories), listings.c.is_sample.is_(False), _is_fresh())
    day = sa.select(sa.func.max(listings.c.day)).where(*scope).scalar_subquery()
    return await _listings(connection, *scope, listings.c.day == day)


async def sample(connection: AsyncConnection) -> list[Listing]:
    """The bundled sample's announcement, in all its categories."""
    return await _listings(connection, listings.c.is_sample.is_(True))


async def of_paper(connection: AsyncConnection, paper_id: PaperId) -> list[Listing]:
    """Where and when a paper was newly listed."""
    return await _listings(connection, listings.c.paper_id == paper_id)


def _is_fresh() -> sa.ColumnElement[bool]:
    return listings.c.announce_type.in_(FRESH)


async def _listings(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[Listing]:
    query = (
        sa.select(listings, papers.c.categories)
        .join(papers, papers.c.id == listings.c.paper_id)
        .where(_is_fresh(), *conditions)
        .order_by(listings.c.category, listings.c.first_seen_at, listings.c.paper_id)
    )
    return [
        Listing(PaperId(row.paper_id), row.category, tuple(row.categories), row.day, row.first_seen_at)
        for row in await connection.execute(query)
    ]


async def given(
    connection: AsyncConnection, chat_ids: Collection[int], paper_ids: Sequence[PaperId], *, held_too: bool = True
) -> dict[int, str]:
    """What of these papers each of these chats was given, or only shown: their ids in one text with blanks between.

    A text, because most chats that are asked about together have the same one, which is then looked at once.
    """
    row = digest_papers.c
    found: dict[int, str] = {}
    for some in slices(paper_ids, _BATCH):
        query = (
            sa.select(row.chat_id, sa.func.aggregate_strings(row.paper_id, " ").label("ids"))
            .where(row.chat_id.in_(chat_ids), row.paper_id.in_(some))
            .group_by(row.chat_id)
        )
        if not held_too:
            query = query.where(row.held.is_(False))
        for each in await connection.execute(query):
            found[each.chat_id] = f"{found.get(each.chat_id, '')} {each.ids}"
    return found


async def add(connection: AsyncConnection, new: Sequence[NewDigest], composed_at: datetime) -> dict[int, int]:
    """Open digests, one a chat; the number of each chat's. Raises IntegrityError where a day has had its daily one."""
    rows = [
        {
            "chat_id": each.chat_id,
            "occasion": each.occasion,
            "local_day": each.local_day,
            "composed_at": composed_at,
            "announced_at": each.announced_at,
            "announced": each.receipt.announced,
            "matched": each.receipt.matched,
            "shown": each.receipt.shown,
            "held": each.receipt.held,
            "late": each.receipt.late,
            "latest_day": each.latest_day,
            "late_days": [day.isoformat() for day in each.late_days],
        }
        for each in new
    ]
    statement = sa.insert(digests).returning(digests.c.chat_id, digests.c.id)
    return {row.chat_id: row.id for row in await connection.execute(statement, rows)}


async def enter(
    connection: AsyncConnection, digest_ids: Sequence[int], shown: Sequence[PaperId], held: Sequence[PaperId]
) -> bool:
    """Write into the ledger what each of these digests shows and holds back; what an earlier one held goes over to it.

    False when another digest has shown one of them meanwhile: these must not be, and be chosen anew.
    """
    entries = [*((paper_id, False) for paper_id in shown), *((paper_id, True) for paper_id in held)]
    if not entries:
        return True
    first, *others = digest_ids
    chat_id = (await connection.execute(sa.select(digests.c.chat_id).where(digests.c.id == first))).scalar_one()
    statement = insert(connection.dialect.name, digest_papers)
    written = await connection.execute(
        _unless_shown(statement),
        [
            {"chat_id": chat_id, "paper_id": paper_id, "digest_id": first, "position": position, "held": is_held}
            for position, (paper_id, is_held) in enumerate(entries)
        ],
    )
    if written.rowcount != len(entries):
        return False
    # The others have the same, which the database copies faster than it is told.
    row = digest_papers.c
    same = (
        sa.select(digests.c.chat_id, row.paper_id, digests.c.id, row.position, row.held)
        .join_from(digests, digest_papers, row.digest_id == first)
        .where(digests.c.id.in_(others))
    )
    names = ["chat_id", "paper_id", "digest_id", "position", "held"]
    copied = await connection.execute(_unless_shown(statement.from_select(names, same)))
    return copied.rowcount == len(entries) * len(others)


def _unless_shown(statement: sqlite.Insert) -> sqlite.Insert:
    return statement.on_conflict_do_update(
        index_elements=["chat_id", "paper_id"],
        set_={name: statement.excluded[name] for name in ("held", "digest_id", "position")},
        where=digest_papers.c.held.is_(True),
    )


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


async def last_dailies(connection: AsyncConnection, chat_ids: Collection[int]) -> dict[int, datetime]:
    """When the last daily digest of each of these chats was composed, where there was one."""
    last = (
        sa.select(digests.c.composed_at)
        .where(digests.c.chat_id == chats.c.id, digests.c.occasion == sa.literal_column("'daily'"))
        .order_by(digests.c.local_day.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(sa.select(chats.c.id, last.label("at")).where(chats.c.id.in_(chat_ids)))
    return {row.id: row.at for row in rows if row.at is not None}


@dataclass(frozen=True, slots=True)
class KeptDigest:
    """A digest as it was composed: what it shows, in order, and what it still holds back."""

    digest: NewDigest
    shown: tuple[PaperId, ...]
    held: tuple[PaperId, ...]


async def with_paper(connection: AsyncConnection, chat_id: int, paper_id: PaperId) -> KeptDigest | None:
    """The chat's digest that shows this paper, or holds it back; None where none is kept that does."""
    row = digest_papers.c
    which = sa.select(row.digest_id).where(row.chat_id == chat_id, row.paper_id == paper_id).scalar_subquery()
    found = (await connection.execute(sa.select(digests).where(digests.c.id == which))).first()
    if found is None:
        return None
    query = sa.select(row.paper_id, row.held).where(row.digest_id == found.id, row.chat_id == chat_id)
    entries = (await connection.execute(query.order_by(row.position))).all()
    digest = NewDigest(
        chat_id,
        found.occasion,
        found.local_day,
        Receipt(found.announced, found.matched, found.shown, found.held, found.late),
        found.announced_at,
        found.latest_day,
        tuple(map(date.fromisoformat, found.late_days or ())),
    )
    shown, held = ([PaperId(each.paper_id) for each in entries if each.held is is_held] for is_held in (False, True))
    return KeptDigest(digest, tuple(shown), tuple(held))


@dataclass(frozen=True, slots=True)
class PastDigest:
    """A digest that was composed, for `/status`."""

    composed_at: datetime
    receipt: Receipt


async def last(connection: AsyncConnection, chat_id: int) -> PastDigest | None:
    """The chat's last digest, daily or asked for; an alert is none, nor is opening what one held back."""
    query = (
        sa.select(digests)
        .where(digests.c.chat_id == chat_id, digests.c.occasion.in_(("daily", "asked")))
        .order_by(digests.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return PastDigest(row.composed_at, Receipt(row.announced, row.matched, row.shown, row.held, row.late))


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger has of a paper in a chat: when the digest was composed that shows it, or holds it back."""

    composed_at: datetime
    held: bool
    occasion: Occasion


async def entry(connection: AsyncConnection, chat_id: int, paper_id: PaperId) -> Entry | None:
    """What a chat was given of a paper, if anything."""
    row = digest_papers.c
    query = (
        sa.select(digests.c.composed_at, row.held, digests.c.occasion)
        .join_from(digest_papers, digests, digests.c.id == row.digest_id)
        .where(row.chat_id == chat_id, row.paper_id == paper_id)
    )
    found = (await connection.execute(query)).first()
    return Entry(found.composed_at, found.held, found.occasion) if found else None
