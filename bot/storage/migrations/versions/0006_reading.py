"""How a chat wants its digest; which papers somebody is going to see; of which text a summary is."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for column in (
        sa.Column("asap", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("days", sa.Text(), nullable=False, server_default="0123456"),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False, server_default="cards"),
        sa.Column("cross_lists", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("quiet_note", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("chats", column)
    op.add_column("summaries", sa.Column("source", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "wanted",
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("claimed_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_wanted_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("paper_id", name="pk_wanted"),
    )
    op.create_index("ix_wanted_since", "wanted", ["since"])
