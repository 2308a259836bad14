"""The links to papers that were answered in chats, so that none is answered again soon."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import PaperId
from bot.storage.dialect import insert
from bot.storage.tables import links_answered

_row = links_answered.c


async def claim(
    connection: AsyncConnection,
    chat_id: int,
    paper_ids: Sequence[PaperId],
    now: datetime,
    since: datetime,
    at_most: int,
) -> list[PaperId]:
    """Those of these papers that were not answered in a chat `since` then, noted as answered now, in order.

    None where the chat had `at_most` answers since then.
    """
    query = sa.select(sa.func.count()).where(_row.chat_id == chat_id, _row.at > since)
    room = at_most - int((await connection.execute(query)).scalar_one())
    if room <= 0 or not paper_ids:
        return []
    statement = insert(connection.dialect.name, links_answered)
    claimed = await connection.execute(
        statement.values([{"chat_id": chat_id, "paper_id": each, "at": now} for each in paper_ids[:room]])
        .on_conflict_do_update(
            index_elements=["chat_id", "paper_id"], set_={"at": statement.excluded.at}, where=_row.at <= since
        )
        .returning(_row.paper_id)
    )
    won = set(claimed.scalars())
    return [each for each in paper_ids if each in won]


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Forget what was answered before this instant."""
    await connection.execute(sa.delete(links_answered).where(_row.at < before))
