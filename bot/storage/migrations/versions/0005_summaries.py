"""Summaries say who translated them and what the checks remarked; what was rejected; what models were asked."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("summaries", sa.Column("translator", sa.Text(), nullable=True))
    op.add_column("summaries", sa.Column("checks", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "rejections",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("paper_version", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("guard", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("rejected_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_rejections_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_rejections"),
    )
    op.create_index("ix_rejections_paper_id", "rejections", ["paper_id"])
    op.create_index("ix_rejections_rejected_at", "rejections", ["rejected_at"])
    op.create_table(
        "spending",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "model", name="pk_spending"),
    )
