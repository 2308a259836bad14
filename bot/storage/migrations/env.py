"""Alembic's entry: runs the migrations over the URL that `bot.storage.database` passes in."""

import sqlalchemy as sa
from alembic import context

from bot.storage.tables import metadata

engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
