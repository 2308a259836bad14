"""What the database says at a scrape of the metrics."""

from collections.abc import Iterable

from bot.announcements import midnight_of
from bot.metrics import Snapshot
from bot.storage import announcements, chats, outbox
from bot.storage.database import Database


async def snapshot(database: Database, default_categories: Iterable[str]) -> Snapshot:
    """The outbox's depths, and the last announcement of each category that is read."""
    async with database.read() as connection:
        read = await chats.followed_categories(connection) | set(default_categories)
        last = await announcements.last_good(connection, read)
        announced = {category: midnight_of(each.day) for category, each in last.items()}
        return Snapshot(await outbox.depths(connection), announced)
