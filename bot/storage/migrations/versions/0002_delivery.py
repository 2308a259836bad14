"""Delivery: each text once, waiting and uncertain messages, chats that come back, budgets that outlive a process."""

from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("state IN ('pending', 'waiting', 'uncertain')")
_IN_FLIGHT = sa.text("state = 'sending'")
_AT_ONCE = 500


def upgrade() -> None:
    connection = op.get_bind()
    op.create_table(
        "payloads",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payloads")),
        sa.UniqueConstraint("checksum", name=op.f("uq_payloads_checksum")),
    )
    op.create_index(op.f("ix_payloads_used_at"), "payloads", ["used_at"])
    op.create_table(
        "budgets",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("taken", sa.JSON(), nullable=False),
        sa.Column("reserved", sa.JSON(), nullable=False),
        sa.Column("halted_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_budgets")),
    )
    op.create_table(
        "updates_seen",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "update_id", name=op.f("pk_updates_seen")),
    )
    op.create_index(op.f("ix_updates_seen_at"), "updates_seen", ["at"])
    with op.batch_alter_table("chats") as chats:
        chats.add_column(sa.Column("inactive_since", Instant(timezone=True)))
        chats.add_column(sa.Column("shut", sa.Integer(), nullable=False, server_default="0"))
        chats.add_column(sa.Column("probe_at", Instant(timezone=True)))
    with op.batch_alter_table("feeds") as feeds:
        feeds.drop_column("etag")
        feeds.drop_column("checksum")
    with op.batch_alter_table("digests") as digests:
        digests.add_column(sa.Column("announced_at", Instant(timezone=True)))
    op.create_index(op.f("ix_digests_chat_id_id"), "digests", ["chat_id", "id"])
    op.create_index(op.f("ix_listings_first_seen_at"), "listings", ["first_seen_at"])
    if connection.dialect.name == "sqlite":
        with op.batch_alter_table(
            "digest_papers", recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as digest_papers:
            digest_papers.alter_column("held", nullable=False)
    op.execute(
        "UPDATE chats SET inactive_since = coalesce(next_digest_at, created_at) WHERE inactive_because IS NOT NULL"
    )
    for name in ("ix_messages_pending", "ix_messages_sending"):
        op.drop_index(name, "messages")
    with op.batch_alter_table("messages") as messages:
        messages.add_column(sa.Column("payload_id", sa.Integer()))
        messages.add_column(sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
        messages.add_column(sa.Column("further_parts", sa.JSON()))
        messages.add_column(sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false()))
        messages.add_column(sa.Column("doubt_since", Instant(timezone=True)))
        messages.alter_column("uncertain", new_column_name="doubts")
    _share_payloads(connection)
    with op.batch_alter_table("messages") as messages:
        messages.drop_column("payload")
        messages.create_foreign_key(
            op.f("fk_messages_payload_id_payloads"), "payloads", ["payload_id"], ["id"], ondelete="SET NULL"
        )
    op.create_index(op.f("ix_messages_payload_id"), "messages", ["payload_id"])
    op.create_index(op.f("ix_messages_digest_id"), "messages", ["digest_id"])
    op.create_index(
        "ix_messages_open", "messages", ["chat_id", "urgent", "id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index(
        "ix_messages_sending", "messages", ["chat_id"], sqlite_where=_IN_FLIGHT, postgresql_where=_IN_FLIGHT
    )
    if connection.dialect.name == "postgresql":
        from procrastinate.schema import SchemaManager

        # Straight to psycopg, which reads no placeholders where no parameters are given.
        driver: Any = connection.connection.driver_connection
        driver.execute(SchemaManager.get_schema())


def _share_payloads(connection: sa.Connection) -> None:
    """Move each different text of a message to a row of its own."""
    last = 0
    while True:
        query = sa.text("SELECT id, payload, created_at FROM messages WHERE id > :last ORDER BY id LIMIT :most")
        rows = connection.execute(query, {"last": last, "most": _AT_ONCE}).all()
        if not rows:
            return
        last = rows[-1].id
        texts = [
            {"id": row.id, "sum": sha256(row.payload.encode()).hexdigest(), "text": row.payload, "at": row.created_at}
            for row in rows
        ]
        connection.execute(
            sa.text(
                "INSERT INTO payloads (checksum, content, used_at) VALUES (:sum, :text, :at) ON CONFLICT DO NOTHING"
            ),
            texts,
        )
        connection.execute(
            sa.text("UPDATE messages SET payload_id = (SELECT id FROM payloads WHERE checksum = :sum) WHERE id = :id"),
            texts,
        )
