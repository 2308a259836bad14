"""Subscriptions whose papers come at once; new versions of papers, and who was told of them."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("chats", sa.Column("replacements", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("chats", sa.Column("alert_at", Instant(timezone=True), nullable=True))
    op.add_column("chats", sa.Column("alert_from", Instant(timezone=True), nullable=True))
    op.create_index("ix_chats_alert_at", "chats", ["alert_at"])
    op.add_column("subscriptions", sa.Column("alerts_since", Instant(timezone=True), nullable=True))
    op.add_column("ended_subscriptions", sa.Column("alerts_since", Instant(timezone=True), nullable=True))
    has_alerts = sa.text("alerts_since IS NOT NULL")
    op.create_index(
        "ix_subscriptions_alerts",
        "subscriptions",
        ["chat_id"],
        sqlite_where=has_alerts,
        postgresql_where=has_alerts,
    )
    op.create_table(
        "replacements",
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("seen_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.id"], name="fk_replacements_paper_id_papers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("paper_id", "version", "withdrawn", name="pk_replacements"),
    )
    op.create_index("ix_replacements_seen_at", "replacements", ["seen_at"])
    op.create_table(
        "told_versions",
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("told_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_told_versions_chat_id_chats", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.id"], name="fk_told_versions_paper_id_papers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("chat_id", "paper_id", name="pk_told_versions"),
    )
