"""What people saved; the words that papers are searched by; files in the web chat."""

import sqlalchemy as sa
import structlog
from alembic import op

from bot.storage.tables import Instant, paper_words, papers
from bot.storage.words import words_of

log = structlog.get_logger(__name__)

revision = "0007"
down_revision = "0006"

_AT_ONCE = 500

# https://www.sqlite.org/fts5.html#external_content_tables
_SQLITE = (
    """CREATE VIRTUAL TABLE found_words USING fts5(
        title, abstract, authors, others,
        content = 'paper_words', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
    )""",
    "INSERT INTO found_words (found_words) VALUES ('rebuild')",
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
    connection = op.get_bind()
    _add_words(connection)
    # Last, since an index over all rows is made faster than one that grows with each.
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)


def _add_words(connection: sa.Connection) -> None:
    """Of the papers that are there already, some at a time: about two minutes for a hundred thousand."""
    if count := connection.execute(sa.select(sa.func.count()).select_from(papers)).scalar_one():
        log.info("search.preparing", papers=count)
    columns = (papers.c.id, papers.c.version, papers.c.title, papers.c.abstract, papers.c.authors, papers.c.categories)
    page = sa.select(*columns).where(papers.c.id > sa.bindparam("after")).order_by(papers.c.id).limit(_AT_ONCE)
    after = ""
    while rows := connection.execute(page, {"after": after}).all():
        connection.execute(sa.insert(paper_words), [words_of(row) for row in rows])
        after = rows[-1].id
