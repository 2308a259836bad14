"""Full metadata: where a paper was published."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("papers", sa.Column("journal_ref", sa.Text()))
    op.add_column("papers", sa.Column("doi", sa.Text()))
