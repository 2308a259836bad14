"""The tables. Instants are aware UTC; a paper is keyed by its bare id; everything else by a number of ours."""

from datetime import UTC, datetime

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
    """An aware UTC datetime. SQLite keeps no zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _reference(target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target, ondelete="CASCADE")


papers = sa.Table(
    "papers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("abstract", sa.Text, nullable=False),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("categories", sa.JSON, nullable=False),
    sa.Column("licence", sa.Text),
    sa.Column("comment", sa.Text),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

# A paper as it first came to one of its categories, one row an announcement type.
listings = sa.Table(
    "listings",
    metadata,
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("announce_type", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("is_sample", sa.Boolean, nullable=False),
    sa.Index(None, "category", "first_seen_at"),
)

# What is known of each polled feed.
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("next_poll_at", Instant, nullable=False),
    sa.Column("etag", sa.Text),
    sa.Column("checksum", sa.Text),
    sa.Column("built_at", Instant),
    sa.Column("entries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("new_at", Instant),
    sa.Column("read_at", Instant),
    sa.Column("failing_since", Instant),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text),
)

summaries = sa.Table(
    "summaries",
    metadata,
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("paper_version", sa.Integer, primary_key=True),
    sa.Column("tldr", sa.Text, nullable=False),
    sa.Column("tldr_zh", sa.Text),
    sa.Column("title_zh", sa.Text),
    sa.Column("abstract_zh", sa.Text),
    sa.Column("takeaways", sa.JSON, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("engine_version", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("written_at", Instant, nullable=False),
)

chats = sa.Table(
    "chats",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("is_group", sa.Boolean, nullable=False),
    sa.Column("time", sa.Time, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("cap", sa.Integer, nullable=False),
    sa.Column("access", sa.Text, nullable=False),
    sa.Column("inactive_because", sa.Text),
    sa.Column("next_digest_at", Instant, index=True),
    sa.Column("last_digest_day", sa.Date),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("platform", "address"),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.UniqueConstraint("chat_id", "query"),
)

digests = sa.Table(
    "digests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
    sa.Column("occasion", sa.Text, nullable=False),
    sa.Column("local_day", sa.Date, nullable=False),
    sa.Column("composed_at", Instant, nullable=False),
    sa.Column("announced", sa.Integer, nullable=False),
    sa.Column("matched", sa.Integer, nullable=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("held", sa.Integer, nullable=False),
    sa.Index(
        "uq_digests_daily",
        "chat_id",
        "local_day",
        unique=True,
        sqlite_where=sa.text("occasion = 'daily'"),
    ),
)

# The ledger of what each chat was given: the primary key is the promise that nothing comes twice.
digest_papers = sa.Table(
    "digest_papers",
    metadata,
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("digest_id", sa.Integer, _reference("digests.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
)

# The outbox. `key` is the idempotency key that the platform is given.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
    sa.Column("digest_id", sa.Integer, _reference("digests.id")),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("not_before", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("uncertain", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sending_at", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("platform_message_id", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_messages_pending", "chat_id", "id", sqlite_where=sa.text("state = 'pending'")),
    sa.Index("ix_messages_sending", "chat_id", sqlite_where=sa.text("state = 'sending'")),
    sa.Index(None, "sending_at"),
)

# Who runs this bot, on each platform.
operators = sa.Table(
    "operators",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
)

# The web chat's threads as a reader sees them: what was said on both sides.
web_messages = sa.Table(
    "web_messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "chat_id", "id"),
)

# What is true of this installation as a whole.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
