"""Housekeeping: once a day what is bulky and no longer of use is dropped. What was sent to whom is kept."""

from datetime import datetime, timedelta

import structlog

from bot.commands.links import AGAIN_AFTER
from bot.commands.moving import TIME_TO_CONFIRM
from bot.commands.subscribing import TIME_TO_UNDO
from bot.config import Retention
from bot.storage import (
    broadcasts,
    budgets,
    changes,
    ended,
    imports,
    links_answered,
    outbox,
    rejections,
    replacements,
    updates_seen,
)
from bot.storage.database import Database

EVERY = timedelta(days=1)
UPDATES_COME_AGAIN = timedelta(days=2)
"""Telegram keeps updates for a day: https://core.telegram.org/bots/api#getting-updates"""
CHANGES_KEPT = timedelta(days=30)
"""For so long a button that changed a subscription can be undone."""
REJECTIONS_KEPT = timedelta(days=90)
BROADCASTS_KEPT = timedelta(days=30)
REPLACEMENTS_KEPT = timedelta(days=90)
"""Longer than any digest looks back."""

log = structlog.get_logger(__name__)


class Housekeeper:
    """Prunes. Several processes may do so at once: what one has dropped the other does not find."""

    def __init__(self, database: Database, settings: Retention) -> None:
        self._database = database
        self._settings = settings
        self._pruned_at: datetime | None = None

    async def tick(self, now: datetime) -> datetime | None:
        """Prune, if a day has passed since the last time; when to come back."""
        if self._pruned_at is None or now - self._pruned_at >= EVERY:
            async with self._database.write() as connection:
                texts = await outbox.prune_texts(connection, now - timedelta(days=self._settings.days))
                scopes = await budgets.prune(connection, now.timestamp())
                await updates_seen.prune(connection, now - UPDATES_COME_AGAIN)
                await rejections.prune(connection, now - REJECTIONS_KEPT)
                await changes.prune(connection, now - CHANGES_KEPT)
                await imports.prune(connection, now - TIME_TO_CONFIRM)
                await ended.prune(connection, now - TIME_TO_UNDO)
                await broadcasts.prune(connection, now - BROADCASTS_KEPT)
                await replacements.prune(connection, now - REPLACEMENTS_KEPT)
                await links_answered.prune(connection, now - AGAIN_AFTER)
            self._pruned_at = now
            if texts or scopes:
                log.info("pruned", texts=texts, scopes=scopes)
        return self._pruned_at + EVERY
