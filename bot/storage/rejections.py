"""Rejections: what a model wrote and the checks did not let through, kept for whoever wants to know why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import PaperId
from bot.storage.tables import rejections

LONGEST_REPLY = 4_000
_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Rejection:
    """One guard's no to a model's reply on a version of a paper; `prompt` is the prompt's version."""

    paper_id: PaperId
    paper_version: int
    model: str
    prompt: str
    guard: str
    detail: str
    reply: str
    rejected_at: datetime


async def add(connection: AsyncConnection, new: Sequence[Rejection]) -> None:
    """Keep these, long replies cut."""
    rows = [
        {
            "paper_id": each.paper_id,
            "paper_version": each.paper_version,
            "model": each.model,
            "prompt": each.prompt,
            "guard": each.guard,
            "detail": _text(each.detail, _LONGEST_DETAIL),
            "reply": _text(each.reply, LONGEST_REPLY),
            "rejected_at": each.rejected_at,
        }
        for each in new
    ]
    if rows:
        await connection.execute(sa.insert(rejections), rows)


async def counts(connection: AsyncConnection) -> list[tuple[str, str, int]]:
    """Guard, model and how many, the most frequent first."""
    row = rejections.c
    number = sa.func.count().label("number")
    query = sa.select(row.guard, row.model, number).group_by(row.guard, row.model)
    found = await connection.execute(query.order_by(number.desc(), row.guard, row.model))
    return [(guard, model, count) for guard, model, count in found]


async def latest(connection: AsyncConnection, at_most: int) -> list[Rejection]:
    """The latest ones, the newest first."""
    query = sa.select(rejections).order_by(rejections.c.id.desc()).limit(at_most)
    return [_rejection_from(row) for row in await connection.execute(query)]


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Drop what is older."""
    await connection.execute(sa.delete(rejections).where(rejections.c.rejected_at < before))


def _text(text: str, longest: int) -> str:
    """As both databases take it: PostgreSQL's texts have no NUL, and neither has half of a surrogate pair."""
    return text[:longest].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _rejection_from(row: sa.Row[Any]) -> Rejection:
    return Rejection(
        paper_id=PaperId(row.paper_id),
        paper_version=row.paper_version,
        model=row.model,
        prompt=row.prompt,
        guard=row.guard,
        detail=row.detail,
        reply=row.reply,
        rejected_at=row.rejected_at,
    )


async def last_at(connection: AsyncConnection, paper_id: PaperId) -> datetime | None:
    """When something that a model wrote of this paper was rejected last."""
    query = sa.select(sa.func.max(rejections.c.rejected_at)).where(rejections.c.paper_id == paper_id)
    last: datetime | None = (await connection.execute(query)).scalar_one()
    return last
