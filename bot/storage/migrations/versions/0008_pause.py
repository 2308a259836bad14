"""Pauses, when a subscription was made, imports that wait for a yes; numbers that are never given twice."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0008"
down_revision = "0007"

_NUMBERED = ("chats", "digests", "payloads", "messages")


def upgrade() -> None:
    op.add_column("chats", sa.Column("paused_until", Instant(timezone=True), nullable=True))
    op.add_column("subscriptions", sa.Column("made_at", Instant(timezone=True), nullable=True))
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_imports_chat_id_chats", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_imports_chat_id", "imports", ["chat_id"])
    if op.get_bind().dialect.name == "sqlite":
        for table in _NUMBERED:
            # A kill in the middle of the last attempt may have left it behind, empty.
            op.execute(f"DROP TABLE IF EXISTS _alembic_tmp_{table}")
            with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
                pass
