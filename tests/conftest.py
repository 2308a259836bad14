"""What tests share: a fresh database, a clock that they turn by hand, the real payloads beside the checkout."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.storage.database import Database, open_database
from tests.builders import HandClock

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the real payloads skip where these are missing; in CI that is a failure."""
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
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


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path}/paperwire.db")
    yield opened
    await opened.close()
