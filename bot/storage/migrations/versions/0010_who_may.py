"""Quotas, bans, broadcasts, ended subscriptions, channels that are set up from a private chat."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0010"
down_revision = "0009"

_INSTANT = Instant(timezone=True)


def _chat(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["chats.id"], name=f"fk_{table}_{column}_chats", ondelete="CASCADE")


def upgrade() -> None:
    for name in ("most_papers", "most_subscriptions"):
        op.add_column("chats", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("chats", sa.Column("person_id", sa.Text(), nullable=True))
    # Elsewhere a private chat's address does not tell whose it is.
    op.execute("UPDATE chats SET person_id = address WHERE platform = 'telegram' AND NOT is_group")
    if op.get_bind().dialect.name == "sqlite":
        # A button may still name the number of a subscription that was ended: it is given to no other.
        op.execute("DROP TABLE IF EXISTS _alembic_tmp_subscriptions")
        with op.batch_alter_table("subscriptions", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
    op.create_table(
        "ended_subscriptions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=True),
        sa.Column("ended_at", _INSTANT, nullable=False),
        _chat("chat_id", "ended_subscriptions"),
        sa.PrimaryKeyConstraint("id", name="pk_ended_subscriptions"),
    )
    op.create_index("ix_ended_subscriptions_chat_id", "ended_subscriptions", ["chat_id"])
    op.create_table(
        "bans",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "kind", "name", name="pk_bans"),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("chat_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("through", sa.Integer(), nullable=False),
        _chat("chat_id", "broadcasts"),
        sa.PrimaryKeyConstraint("id", name="pk_broadcasts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_broadcasts_chat_id", "broadcasts", ["chat_id"])
    op.create_table(
        "stand_ins",
        sa.Column("chat_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("until", _INSTANT, nullable=False),
        _chat("chat_id", "stand_ins"),
        _chat("channel_id", "stand_ins"),
        sa.PrimaryKeyConstraint("chat_id", name="pk_stand_ins"),
    )
    op.create_index("ix_stand_ins_channel_id", "stand_ins", ["channel_id"])
