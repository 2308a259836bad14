"""Digests, the ledger of what each chat was given, the outbox, and what pacing and webhooks have to remember."""

import sqlalchemy as sa

from bot.storage.tables.schema import NEVER_TWICE, Instant, metadata, reference

digests = sa.Table(
    "digests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False),
    sa.Column("occasion", sa.Text, nullable=False),
    sa.Column("local_day", sa.Date, nullable=False),
    sa.Column("composed_at", Instant, nullable=False),
    sa.Column("announced_at", Instant),
    sa.Column("announced", sa.Integer, nullable=False),
    sa.Column("matched", sa.Integer, nullable=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("held", sa.Integer, nullable=False),
    sa.Column("late", sa.Integer, nullable=False, server_default="0"),
    sa.Column("latest_day", sa.Date),
    sa.Column("late_days", sa.JSON),
    sa.Index(None, "chat_id", "id"),
    sa.Index(
        "uq_digests_daily",
        "chat_id",
        "local_day",
        unique=True,
        sqlite_where=sa.text("occasion = 'daily'"),
        postgresql_where=sa.text("occasion = 'daily'"),
    ),
    **NEVER_TWICE,
)

# The ledger of what each chat was given: the primary key is the promise that nothing comes twice.
digest_papers = sa.Table(
    "digest_papers",
    metadata,
    sa.Column("chat_id", sa.Integer, reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("digest_id", sa.Integer, reference("digests.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,  # by far the largest table: so its rows stand in the primary key itself, and nowhere else
)

# The last version of a paper that a chat was told of after it was given the paper.
told_versions = sa.Table(
    "told_versions",
    metadata,
    sa.Column("chat_id", sa.Integer, reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("told_at", Instant, nullable=False),
)

# What messages say, in their platform's own form. Each text stands here once, for however many chats.
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("checksum", sa.Text, nullable=False, unique=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("used_at", Instant, nullable=False, index=True),
    **NEVER_TWICE,
)

OPEN = ("pending", "waiting", "uncertain")
"""The states of a message that is still to be sent."""
_IS_OPEN = sa.text(f"state IN {OPEN}")
_IN_FLIGHT = sa.text("state = 'sending'")

# The outbox. `key` is the idempotency key that the platform is given; a payload is dropped some time after it was sent.
# A message that had to be put differently has `further_parts` (null before): the payloads that follow this one, the
# `part`th.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False),
    sa.Column("digest_id", sa.Integer, reference("digests.id"), index=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("payload_id", sa.Integer, sa.ForeignKey("payloads.id", ondelete="SET NULL"), index=True),
    sa.Column("part", sa.Integer, nullable=False, server_default="0"),
    sa.Column("further_parts", sa.JSON),
    sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("not_before", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubt_since", Instant),
    sa.Column("sending_at", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("platform_message_id", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_messages_open", "chat_id", "urgent", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    sa.Index("ix_messages_sending", "chat_id", sqlite_where=_IN_FLIGHT, postgresql_where=_IN_FLIGHT),
    sa.Index(None, "sending_at"),
    **NEVER_TWICE,
)

# What pacing has to remember beyond one process: which slots of a scope are taken until when, and a silence it keeps.
budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("taken", sa.JSON, nullable=False),
    sa.Column("reserved", sa.JSON, nullable=False),
    sa.Column("halted_until", sa.Float, nullable=False),
)

# Updates that came by webhook, so that one that is delivered again is not answered again.
updates_seen = sa.Table(
    "updates_seen",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("update_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False, index=True),
)
