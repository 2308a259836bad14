"""What is known of arXiv: papers, where they were listed, their words and summaries, and how far it was read."""

import sqlalchemy as sa

from bot.storage.tables.schema import Instant, metadata, reference

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
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
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
    sa.Column("paper_id", sa.Text, reference("papers.id"), nullable=False, unique=True),
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
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
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
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
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
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("since", Instant, nullable=False, index=True),
    sa.Column("claimed_at", Instant),
)

# What a model wrote and no reader saw, or not all of it: one row for each guard that a reply did not pass.
rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("paper_id", sa.Text, reference("papers.id"), nullable=False, index=True),
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

# The versions that took the place of one that was stored; once more where the same one turns out to be withdrawn.
# `before`, `comment`: the version that was stored till then, and what its authors said of it.
replacements = sa.Table(
    "replacements",
    metadata,
    sa.Column("paper_id", sa.Text, reference("papers.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("withdrawn", sa.Boolean, primary_key=True),
    sa.Column("before", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text),
    sa.Column("seen_at", Instant, nullable=False, index=True),
)
