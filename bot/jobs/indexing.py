"""Indexing: papers can be searched a moment after they were stored."""

from datetime import datetime

from bot.storage import words
from bot.storage.database import Database

TOGETHER = 100
"""Papers of one transaction: a fifth of a second, for which others who write wait."""


class Indexing:
    """Makes the words of papers that have none yet, or whose facts have changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tick(self, now: datetime) -> datetime | None:
        """Make all that are waiting."""
        while True:
            async with self._database.write() as connection:
                if await words.catch_up(connection, TOGETHER) < TOGETHER:
                    return None
