"""More of how a chat wants its digest: on which days, outside which hours, in which form."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for column in (
        sa.Column("days", sa.Text(), nullable=False, server_default="0123456"),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False, server_default="cards"),
        sa.Column("cross_lists", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("quiet_note", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("chats", column)
