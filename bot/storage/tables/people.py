"""Chats, what they follow, what people keep and think, who may what; and what is true of the installation."""

import sqlalchemy as sa

from bot.storage.tables.schema import NEVER_TWICE, Instant, metadata, reference

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
    sa.Column("asap", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("days", sa.Text, nullable=False, server_default="0123456"),
    sa.Column("quiet_from", sa.Time),
    sa.Column("quiet_until", sa.Time),
    sa.Column("format", sa.Text, nullable=False, server_default="cards"),
    sa.Column("cross_lists", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("quiet_note", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("replacements", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("access", sa.Text, nullable=False),
    sa.Column("inactive_because", sa.Text),
    sa.Column("inactive_since", Instant),
    sa.Column("shut", sa.Integer, nullable=False, server_default="0"),
    sa.Column("probe_at", Instant),
    sa.Column("next_digest_at", Instant, index=True),
    sa.Column("last_digest_day", sa.Date),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("paused_until", Instant),
    sa.Column("paging", sa.Text, nullable=False, server_default="messages"),
    sa.Column("most_papers", sa.Integer),
    sa.Column("most_subscriptions", sa.Integer),
    sa.Column("person_id", sa.Text),
    sa.Column("alert_at", Instant, index=True),
    sa.Column("alert_from", Instant),
    sa.Column("links", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("mention", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("platform", "address"),
    **NEVER_TWICE,
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("made_at", Instant),
    sa.Column("alerts_since", Instant),
    sa.UniqueConstraint("chat_id", "query"),
    sa.Index(
        "ix_subscriptions_alerts",
        "chat_id",
        sqlite_where=sa.text("alerts_since IS NOT NULL"),
        postgresql_where=sa.text("alerts_since IS NOT NULL"),
    ),
    **NEVER_TWICE,
)

# Subscriptions that were ended, for as long as that can be undone; `id` is the number that they had.
ended_subscriptions = sa.Table(
    "ended_subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False, index=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("made_at", Instant),
    sa.Column("alerts_since", Instant),
    sa.Column("ended_at", Instant, nullable=False),
)

# What a button changed in a chat's subscriptions, for a while: `before` has each of them as it was.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False, index=True),
    sa.Column("before", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
    **NEVER_TWICE,
)

# What somebody wants to import, until they say yes.
imports = sa.Table(
    "imports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    **NEVER_TWICE,
)

# When a link to a paper was answered in a chat.
links_answered = sa.Table(
    "links_answered",
    metadata,
    sa.Column("chat_id", sa.Integer, reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

# What each person saved, who is known by the id that the platform gives them.
saved = sa.Table(
    "saved",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "paper_id"),
    sa.Index(None, "platform", "user_id", "at"),
)

# What each person thought of a paper's summary (1 or -1), and who had written that one.
votes = sa.Table(
    "votes",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "paper_id"),
)

# Who runs this bot, on each platform.
operators = sa.Table(
    "operators",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False),
)

# Who gets nothing and is not answered: a `chat` by its address without a topic, a `person` by their id.
bans = sa.Table(
    "bans",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
)

# Private chats from which their person sets up a channel, until when.
stand_ins = sa.Table(
    "stand_ins",
    metadata,
    sa.Column("chat_id", sa.Integer, reference("chats.id"), primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Integer, reference("chats.id"), nullable=False, index=True),
    sa.Column("until", Instant, nullable=False),
)

# What an operator wants every chat to read. `through`: the number of the last chat for which it is in the outbox.
broadcasts = sa.Table(
    "broadcasts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("through", sa.Integer, nullable=False),
    **NEVER_TWICE,
)

# The web chat's threads as a reader sees them: what was said on both sides.
web_messages = sa.Table(
    "web_messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, reference("chats.id"), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("file_name", sa.Text),
    sa.Column("file_text", sa.Text),
    sa.Index(None, "chat_id", "id"),
)

# What is true of this installation as a whole.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
