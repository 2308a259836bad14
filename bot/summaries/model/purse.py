"""The purse: what a model was asked and answered today, and whether the day's budget allows another request."""

from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.config import Llm
from bot.metrics import Metrics
from bot.storage import spending
from bot.storage.database import Database
from bot.storage.spending import Spent

LOOK_AGAIN = timedelta(seconds=30)
"""After which it looks at what other processes spent."""

log = structlog.get_logger(__name__)


class Purse:
    """Counts in memory, and stores when told to: a process that is killed forgets a few requests at most."""

    def __init__(self, settings: Llm, database: Database, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._stored = Spent()
        self._looked_at: datetime | None = None
        self._new: dict[date, Spent] = {}

    def spend(self, spent: Spent, day: date) -> None:
        """Count a request and its tokens."""
        self._new[day] = self._new.get(day, Spent()) + spent
        self._metrics.model_tokens.labels("in").inc(spent.tokens_in)
        self._metrics.model_tokens.labels("out").inc(spent.tokens_out)
        if cost := spent.cost(self._settings.price_in, self._settings.price_out):
            self._metrics.model_cost.inc(cost)

    async def is_empty(self, now: datetime, going_on: Spent) -> bool:
        """Whether today's budget has no room for another request, besides those that are going on."""
        requests, tokens = self._settings.requests_per_day, self._settings.tokens_per_day
        if not (requests or tokens):
            return False
        looked_at, self._looked_at = self._looked_at, self._looked_at or now
        if looked_at is None or now - looked_at >= LOOK_AGAIN or now.date() != looked_at.date():
            self._looked_at = now
            async with self._database.read() as connection:
                today = await spending.spent_on(connection, now.date())
            self._stored = today.get(self._settings.model, Spent())
        spent = self._stored + self._new.get(now.date(), Spent()) + going_on
        return bool((requests and spent.requests >= requests) or (tokens and spent.tokens >= tokens))

    async def record(self) -> None:
        """Store what is new. Where that fails it stays new, and digests go on."""
        new, self._new = self._new, {}
        if not new:
            return
        try:
            async with self._database.write() as connection:
                for day, spent in new.items():
                    await spending.add(connection, day, self._settings.model, spent)
        except SQLAlchemyError:
            log.exception("model.unrecorded")
            for day, spent in new.items():
                self._new[day] = self._new.get(day, Spent()) + spent
            return
        today = self._looked_at.date() if self._looked_at is not None else None
        self._stored += new.get(today, Spent()) if today is not None else Spent()
