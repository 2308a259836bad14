"""The tables. Instants are aware UTC; a paper is keyed by its bare id; everything else by a number of ours."""

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


def _reference(target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target, ondelete="CASCADE")


# Idempotency keys are made of numbers; what is under way, and every button, remembers them: after a chat was forgotten,
# or a subscription ended, its number must not come again. SQLite gives the largest one anew without this; PostgreSQL
# never does.
_NEVER_TWICE: dict[str, Any] = {"sqlite_autoincrement": True}

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
    sa.Column("journal_ref", sa.Text),
    sa.Column("doi", sa.Text),
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
    sa.Index(None, "first_seen_at"),
)

# What papers are searched by, each word in its plain form (bot.interests.wording); `others`: its categories, and words
# that are written with a hyphen. `made_from` tells which text of the paper that was. Over it stand SQLite's
# full-text index `found_words`, kept in step by triggers, and PostgreSQL's column `found`.
paper_words = sa.Table(
    "paper_words",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("paper_id", sa.Text, _reference("papers.id"), nullable=False, unique=True),
    sa.Column("made_from", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("abstract", sa.Text, nullable=False),
    sa.Column("authors", sa.Text, nullable=False),
    sa.Column("others", sa.Text, nullable=False),
)

# Papers whose words are still to be made, or made anew.
unindexed = sa.Table(
    "unindexed",
    metadata,
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
)

# What each person saved, who is known by the id that the platform gives them.
saved = sa.Table(
    "saved",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
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
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "paper_id"),
)

# What is known of each polled feed.
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("next_poll_at", Instant, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("read_at", Instant),
    sa.Column("failing_since", Instant),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text),
    sa.Column("first_read_at", Instant),
    sa.Column("swept_until", sa.Date),
)

# What is known of each category's announcement days, and what arXiv's interfaces said of them last.
announcements = sa.Table(
    "announcements",
    metadata,
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("filled", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("told", sa.JSON, nullable=False),
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
    sa.Column("translator", sa.Text),
    sa.Column("checks", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    sa.Column("written_at", Instant, nullable=False),
)

# Papers that somebody is going to see and that have no summary yet, or not in every language.
wanted = sa.Table(
    "wanted",
    metadata,
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("since", Instant, nullable=False, index=True),
    sa.Column("claimed_at", Instant),
)

# What a model wrote and no reader saw, or not all of it: one row for each guard that a reply did not pass.
rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("paper_id", sa.Text, _reference("papers.id"), nullable=False, index=True),
    sa.Column("paper_version", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("guard", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("rejected_at", Instant, nullable=False, index=True),
)

# What each model was asked and answered on a day (UTC).
spending = sa.Table(
    "spending",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("tokens_in", sa.BigInteger, nullable=False),
    sa.Column("tokens_out", sa.BigInteger, nullable=False),
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
    **_NEVER_TWICE,
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
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
    **_NEVER_TWICE,
)

# Subscriptions that were ended, for as long as that can be undone; `id` is the number that they had.
ended_subscriptions = sa.Table(
    "ended_subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False, index=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("made_at", Instant),
    sa.Column("alerts_since", Instant),
    sa.Column("ended_at", Instant, nullable=False),
)

# When a link to a paper was answered in a chat.
links_answered = sa.Table(
    "links_answered",
    metadata,
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

# What somebody wants to import, until they say yes.
imports = sa.Table(
    "imports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    **_NEVER_TWICE,
)

# What a button changed in a chat's subscriptions, for a while: `before` has each of them as it was.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False, index=True),
    sa.Column("before", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
    **_NEVER_TWICE,
)

digests = sa.Table(
    "digests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
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
    **_NEVER_TWICE,
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
    sqlite_with_rowid=False,  # by far the largest table: so its rows stand in the primary key itself, and nowhere else
)

# The versions that took the place of one that was stored; once more where the same one turns out to be withdrawn.
# `before`, `comment`: the version that was stored till then, and what its authors said of it.
replacements = sa.Table(
    "replacements",
    metadata,
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("withdrawn", sa.Boolean, primary_key=True),
    sa.Column("before", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text),
    sa.Column("seen_at", Instant, nullable=False, index=True),
)

# The last version of a paper that a chat was told of after it was given the paper.
told_versions = sa.Table(
    "told_versions",
    metadata,
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), primary_key=True),
    sa.Column("paper_id", sa.Text, _reference("papers.id"), primary_key=True),
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
    **_NEVER_TWICE,
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
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
    sa.Column("digest_id", sa.Integer, _reference("digests.id"), index=True),
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
    **_NEVER_TWICE,
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

# Who runs this bot, on each platform.
operators = sa.Table(
    "operators",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False),
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

# What an operator wants every chat to read. `through`: the number of the last chat for which it is in the outbox.
broadcasts = sa.Table(
    "broadcasts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("through", sa.Integer, nullable=False),
    **_NEVER_TWICE,
)

# Private chats from which their person sets up a channel, until when.
stand_ins = sa.Table(
    "stand_ins",
    metadata,
    sa.Column("chat_id", sa.Integer, _reference("chats.id"), primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Integer, _reference("chats.id"), nullable=False, index=True),
    sa.Column("until", Instant, nullable=False),
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
