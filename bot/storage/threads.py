"""The web chat's threads: what was said in each, by both sides."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cards.reply import File
from bot.storage.dialect import insert
from bot.storage.tables import chats, web_messages

Author = Literal["person", "bot"]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a thread, as safe HTML, and the name of the file that came with it."""

    id: int
    author: Author
    html: str
    at: datetime
    file_name: str | None = None


# A file may be large: it is read only by who downloads it.
_SAID = tuple(column for column in web_messages.c if column.name != "file_text")


def _said_from(row: sa.Row[Any]) -> Said:
    return Said(row.id, row.author, row.html, row.at, row.file_name)


async def say(
    connection: AsyncConnection,
    chat_id: int,
    author: Author,
    key: str,
    html: str,
    now: datetime,
    file: File | None = None,
) -> Said:
    """Add a message to a thread; the same key again adds nothing and returns the first one."""
    # One at a time in a thread: a reader goes on from the last number seen, so a lower one must not come after it.
    await connection.execute(sa.select(chats.c.id).where(chats.c.id == chat_id).with_for_update())
    values: dict[str, Any] = {"chat_id": chat_id, "author": author, "key": key, "html": html, "at": now}
    if file is not None:
        values |= {"file_name": file.name, "file_text": file.text}
    await connection.execute(insert(connection.dialect.name, web_messages).values(values).on_conflict_do_nothing())
    row = (await connection.execute(sa.select(*_SAID).where(web_messages.c.key == key))).one()
    return _said_from(row)


async def replace(connection: AsyncConnection, chat_id: int, message_id: int, html: str) -> Said | None:
    """Put another text in the place of the bot's message; None where the thread has none such."""
    row = web_messages.c
    query = (
        sa.update(web_messages)
        .where(row.id == message_id, row.chat_id == chat_id, row.author == "bot")
        .values(html=html)
        .returning(*_SAID)
    )
    changed = (await connection.execute(query)).first()
    return _said_from(changed) if changed else None


async def after(connection: AsyncConnection, chat_id: int, last_id: int, at_most: int = 200) -> list[Said]:
    """What was said in a thread behind a message, in order."""
    query = (
        sa.select(*_SAID)
        .where(web_messages.c.chat_id == chat_id, web_messages.c.id > last_id)
        .order_by(web_messages.c.id)
        .limit(at_most)
    )
    return [_said_from(row) for row in await connection.execute(query)]


async def tail(connection: AsyncConnection, chat_id: int, at_most: int, before: int | None = None) -> list[Said]:
    """The last messages of a thread (or the last ones before a message), oldest first."""
    query = sa.select(*_SAID).where(web_messages.c.chat_id == chat_id)
    if before is not None:
        query = query.where(web_messages.c.id < before)
    rows = await connection.execute(query.order_by(web_messages.c.id.desc()).limit(at_most))
    return [_said_from(row) for row in reversed(rows.all())]


async def file(connection: AsyncConnection, chat_id: int, message_id: int) -> File | None:
    """The file that came with a message of a thread."""
    row = web_messages.c
    query = sa.select(row.file_name, row.file_text).where(row.id == message_id, row.chat_id == chat_id)
    found = (await connection.execute(query.where(row.file_name.is_not(None)))).first()
    return File(found.file_name, found.file_text) if found else None
