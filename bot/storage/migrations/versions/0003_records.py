"""Full metadata, and since when and how far each category was compared with arXiv's records."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("papers", sa.Column("journal_ref", sa.Text()))
    op.add_column("papers", sa.Column("doi", sa.Text()))
    op.add_column("feeds", sa.Column("first_read_at", Instant(timezone=True)))
    op.add_column("feeds", sa.Column("swept_until", sa.Date()))
