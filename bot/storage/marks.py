"""What is true of this installation as a whole, such as when its first reader was greeted."""

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.tables import marks


async def get(connection: AsyncConnection, name: str) -> str | None:
    return (await connection.execute(sa.select(marks.c.value).where(marks.c.name == name))).scalar_one_or_none()


async def put(connection: AsyncConnection, name: str, value: str) -> None:
    await connection.execute(
        insert(marks)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
