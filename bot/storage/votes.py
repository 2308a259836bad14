"""What people thought of summaries: one vote of each person on a paper, a 👍 or a 👎."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import PlatformName
from bot.papers import PaperId
from bot.storage.dialect import insert
from bot.storage.tables import votes
from bot.summary import Provenance

Value = Literal[1, -1]


@dataclass(frozen=True, slots=True)
class Opinion:
    """How many people liked what one engine, or one model, wrote, and how many did not."""

    engine: str
    model: str | None
    liked: int
    disliked: int


async def cast(
    connection: AsyncConnection,
    platform: PlatformName,
    user_id: str,
    paper_id: PaperId,
    value: Value,
    by: Provenance,
    now: datetime,
) -> bool:
    """Count a person's vote on a stored paper's summary, in place of an earlier one; the same again takes it back.

    False where it was taken back.
    """
    row = votes.c
    mine = (row.platform == platform, row.user_id == user_id, row.paper_id == paper_id)
    if (await connection.execute(sa.delete(votes).where(*mine, row.value == value))).rowcount:
        return False
    said = {"value": value, "engine": by.engine, "model": by.model, "at": now}
    statement = insert(connection.dialect.name, votes).values(
        platform=platform, user_id=user_id, paper_id=paper_id, **said
    )
    keys = ["platform", "user_id", "paper_id"]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=said))
    return True


async def opinions(connection: AsyncConnection) -> list[Opinion]:
    """What is thought of each engine and model, by who wrote what was voted on."""
    row = votes.c
    liked, disliked = (sa.func.count(sa.case((row.value == value, 1))) for value in (1, -1))
    query = sa.select(row.engine, row.model, liked, disliked).group_by(row.engine, row.model)
    return [Opinion(*each) for each in await connection.execute(query.order_by(row.engine, row.model))]
