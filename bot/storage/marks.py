"""What is true of this installation as a whole, such as when its first reader was greeted."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.dialect import insert
from bot.storage.tables import marks

RESTORED = "restored"
ACCESS = "access"
"""`open` or `closed`, since an operator chose; before that the configuration holds."""


async def get(connection: AsyncConnection, name: str) -> str | None:
    return (await connection.execute(sa.select(marks.c.value).where(marks.c.name == name))).scalar_one_or_none()


async def remove(connection: AsyncConnection, name: str) -> None:
    await connection.execute(sa.delete(marks).where(marks.c.name == name))


async def is_held(connection: AsyncConnection) -> bool:
    """Whether this is a restored backup of which nobody has said yet if it is to catch up: till then nothing is sent
    that is older than its start, and nothing composed."""
    return await get(connection, RESTORED) is not None


async def put(connection: AsyncConnection, name: str, value: str) -> None:
    await connection.execute(
        insert(connection.dialect.name, marks)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
