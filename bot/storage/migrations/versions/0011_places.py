"""Whether a chat wants links answered, which role its digest mentions; when a link was answered."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("chats", sa.Column("links", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("chats", sa.Column("mention", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "links_answered",
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_links_answered_chat_id_chats", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat_id", "paper_id", name="pk_links_answered"),
    )
