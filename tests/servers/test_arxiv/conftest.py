"""The stub of arXiv by itself, on a Monday, and somebody who asks it politely."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.servers.arxiv import ArxivStub
from tests.servers.stub import StandingClock

AGENT = {"User-Agent": "paperwire-tests/1 (mailto:tests@example.org)"}
MONDAY = datetime(2026, 8, 10, 4, 0, 2, tzinfo=UTC).timestamp()
"""Two seconds past midnight in New York."""


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(MONDAY)


@pytest.fixture
async def stub(clock: StandingClock) -> AsyncIterator[ArxivStub]:
    async with ArxivStub(now=clock) as stub:
        yield stub


@pytest.fixture
async def client(stub: ArxivStub) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stub.url, headers=AGENT, timeout=5) as client:
        yield client
