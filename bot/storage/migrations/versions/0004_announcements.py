"""Announcements, which tell more than when a feed was built and changed; how many papers of a digest came late."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "announcements",
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("filled", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("category", "day", name="pk_announcements"),
    )
    op.add_column("digests", sa.Column("late", sa.Integer(), nullable=False, server_default="0"))
    op.drop_column("feeds", "built_at")
    op.drop_column("feeds", "new_at")
