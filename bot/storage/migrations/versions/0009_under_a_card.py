"""Votes; what a button changed and can take back; digests in pages, whose header must be the same on each."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("chats", sa.Column("paging", sa.Text(), nullable=False, server_default="messages"))
    op.add_column("digests", sa.Column("latest_day", sa.Date(), nullable=True))
    op.add_column("digests", sa.Column("late_days", sa.JSON(), nullable=True))
    op.create_table(
        "votes",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_votes_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("platform", "user_id", "paper_id", name="pk_votes"),
    )
    op.create_index("ix_votes_paper_id", "votes", ["paper_id"])
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_changes_chat_id_chats", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_chat_id", "changes", ["chat_id"])
