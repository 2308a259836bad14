"""What people saved; the words that papers are searched by; files in the web chat."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Instant

revision = "0007"
down_revision = "0006"

# https://www.sqlite.org/fts5.html#external_content_tables
_SQLITE = (
    """CREATE VIRTUAL TABLE found_words USING fts5(
        title, abstract, authors, others,
        content = 'paper_words', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
    )""",
    """CREATE TRIGGER paper_words_added AFTER INSERT ON paper_words BEGIN
        INSERT INTO found_words (rowid, title, abstract, authors, others)
        VALUES (new.id, new.title, new.abstract, new.authors, new.others);
    END""",
    """CREATE TRIGGER paper_words_removed AFTER DELETE ON paper_words BEGIN
        INSERT INTO found_words (found_words, rowid, title, abstract, authors, others)
        VALUES ('delete', old.id, old.title, old.abstract, old.authors, old.others);
    END""",
    """CREATE TRIGGER paper_words_changed AFTER UPDATE ON paper_words BEGIN
        INSERT INTO found_words (found_words, rowid, title, abstract, authors, others)
        VALUES ('delete', old.id, old.title, old.abstract, old.authors, old.others);
        INSERT INTO found_words (rowid, title, abstract, authors, others)
        VALUES (new.id, new.title, new.abstract, new.authors, new.others);
    END""",
)
# https://www.postgresql.org/docs/current/textsearch-tables.html
_POSTGRESQL = (
    """ALTER TABLE paper_words ADD COLUMN found tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', abstract), 'B') ||
        setweight(to_tsvector('simple', authors), 'C') || setweight(to_tsvector('simple', others), 'D')
    ) STORED""",
    "CREATE INDEX ix_paper_words_found ON paper_words USING gin (found)",
)


def upgrade() -> None:
    op.create_table(
        "saved",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_saved_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("platform", "user_id", "paper_id", name="pk_saved"),
    )
    op.create_index("ix_saved_paper_id", "saved", ["paper_id"])
    op.create_index("ix_saved_platform_user_id_at", "saved", ["platform", "user_id", "at"])
    op.add_column("web_messages", sa.Column("file_name", sa.Text(), nullable=True))
    op.add_column("web_messages", sa.Column("file_text", sa.Text(), nullable=True))
    op.create_table(
        "paper_words",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("made_from", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("others", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_paper_words_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_paper_words"),
        sa.UniqueConstraint("paper_id", name="uq_paper_words_paper_id"),
    )
    op.create_table(
        "unindexed",
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="fk_unindexed_paper_id_papers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("paper_id", name="pk_unindexed"),
    )
    connection = op.get_bind()
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)
    # Their words are made while it runs: two minutes for a hundred thousand.
    op.execute("INSERT INTO unindexed (paper_id) SELECT id FROM papers")
