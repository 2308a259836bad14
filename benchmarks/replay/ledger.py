"""What the bots' database says, asked from outside: what is on record as sent, and which tasks are open."""

from typing import NamedTuple

import sqlalchemy as sa

from bot.storage.database import Database, open_database

_RECORDED = """
    SELECT chats.platform, chats.address, messages.platform_message_id AS message
    FROM messages JOIN chats ON chats.id = messages.chat_id WHERE messages.state = 'sent'
"""
_SHOWN = """
    SELECT chats.platform, chats.address, CAST(web_messages.id AS TEXT) AS message
    FROM messages JOIN chats ON chats.id = messages.chat_id JOIN web_messages ON web_messages.key = messages.key
"""
_OPEN = "SELECT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
_STATES = "SELECT state, count(*) FROM messages WHERE state != 'sent' GROUP BY state"


class Taken(NamedTuple):
    """A message as its platform took it: the platform, the chat's address there, the message's id there."""

    platform: str
    address: str
    message: str


class Ledger:
    """Reads; works on both databases."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database | None = None

    async def _ask(self, query: str) -> list[tuple[str, ...]]:
        if self._database is None:
            self._database = await open_database(self._url, exclusive=False)
        async with self._database.read() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(query))]

    async def recorded(self) -> set[Taken]:
        """What the bots know to have been sent."""
        return {Taken(*row) for row in await self._ask(_RECORDED)}

    async def shown(self) -> set[Taken]:
        """What the web chat, which is in the same database, has taken of the outbox."""
        return {Taken(*row) for row in await self._ask(_SHOWN)}

    async def open_locks(self) -> set[str]:
        """The locks of Procrastinate's tasks that are queued or at work; one process alone has none."""
        if not self._url.startswith("postgresql"):
            return set()
        return {lock for (lock,) in await self._ask(_OPEN)}

    async def unsent(self) -> dict[str, int]:
        """How many messages are in each state but `sent`."""
        return {state: int(count) for state, count in await self._ask(_STATES)}

    async def close(self) -> None:
        if self._database is not None:
            await self._database.close()
