"""What all tables share: their metadata, instants, references, numbers that never come again."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite keeps no zone, PostgreSQL answers in its session's: both come out as UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def reference(target: str) -> sa.ForeignKey:
    """To a row with which this one goes."""
    return sa.ForeignKey(target, ondelete="CASCADE")


# Idempotency keys are made of numbers; what is under way, and every button, remembers them: after a chat was forgotten,
# or a subscription ended, its number must not come again. SQLite gives the largest one anew without this; PostgreSQL
# never does.
NEVER_TWICE: dict[str, Any] = {"sqlite_autoincrement": True}
