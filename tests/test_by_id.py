"""Papers by id come from whichever interface answers; where none does nobody takes that for "unknown"."""

import pytest

from bot.arxiv.by_id import find_papers
from bot.arxiv.client import ArxivClient, UnreachableError
from bot.config import Arxiv
from bot.papers import PaperId
from tests.servers.arxiv import ArxivStub, Entry

KNOWN, UNKNOWN = PaperId("2603.00001"), PaperId("2603.00099")


async def found(arxiv: ArxivStub, client: ArxivClient) -> list[str]:
    arxiv.add_paper(Entry(KNOWN, "A title", "An abstract.", ("cs.CL",)))
    settings = Arxiv(api_url=f"{arxiv.url}/api/query", oai_url=f"{arxiv.url}/oai")
    try:
        return sorted(await find_papers(client, settings, [KNOWN, UNKNOWN]))
    finally:
        assert arxiv.violations == []


async def test_the_api_is_asked_once_for_all_of_them(arxiv: ArxivStub, client: ArxivClient) -> None:
    assert await found(arxiv, client) == [KNOWN]
    assert [request.path for request in arxiv.journal] == ["/api/query"]


async def test_while_the_api_is_away_oai_pmh_tells(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.down_paths = ("/api",)
    assert await found(arxiv, client) == [KNOWN]


async def test_where_neither_answers_it_is_no_answer(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.down_paths = ("/api", "/oai")
    with pytest.raises(UnreachableError):
        await found(arxiv, client)
