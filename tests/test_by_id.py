"""Papers by id come from whichever interface answers; where none does nobody takes that for "unknown"."""

from collections.abc import AsyncIterator

import pytest

from bot.arxiv.by_id import find_papers
from bot.arxiv.client import ArxivClient, UnreachableError
from bot.config import Arxiv
from bot.papers import PaperId
from tests.builders import HandClock
from tests.servers.arxiv import ArxivStub, Entry

KNOWN, UNKNOWN = PaperId("2603.00001"), PaperId("2603.00099")


@pytest.fixture
async def arxiv(clock: HandClock) -> AsyncIterator[ArxivStub]:
    async with ArxivStub(now=clock.epoch) as stub:
        stub.add_paper(Entry(KNOWN, "A title", "An abstract.", ("cs.CL",)))
        yield stub


async def found(arxiv: ArxivStub, clock: HandClock) -> list[str]:
    client = ArxivClient("mailto:tests@example.org", clock)
    settings = Arxiv(api_url=f"{arxiv.url}/api/query", oai_url=f"{arxiv.url}/oai")
    try:
        return sorted(await find_papers(client, settings, [KNOWN, UNKNOWN]))
    finally:
        await client.close()
        assert arxiv.violations == []


async def test_the_api_is_asked_once_for_all_of_them(arxiv: ArxivStub, clock: HandClock) -> None:
    assert await found(arxiv, clock) == [KNOWN]
    assert [request.path for request in arxiv.journal] == ["/api/query"]


async def test_while_the_api_is_away_oai_pmh_tells(arxiv: ArxivStub, clock: HandClock) -> None:
    arxiv.down_paths = ("/api",)
    assert await found(arxiv, clock) == [KNOWN]


async def test_where_neither_answers_it_is_no_answer(arxiv: ArxivStub, clock: HandClock) -> None:
    arxiv.down_paths = ("/api", "/oai")
    with pytest.raises(UnreachableError):
        await found(arxiv, clock)
