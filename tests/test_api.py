"""The API: papers by id and by when they were submitted; what is missing is never taken for "none"."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.arxiv import api
from bot.arxiv.api import fetch_papers, submitted_between
from bot.arxiv.client import ArxivClient, RefusedError, UnreachableError
from bot.arxiv.feed import BrokenFeedError
from bot.papers import PaperId
from tests.builders import MONDAY, HandClock
from tests.servers.arxiv import ArxivStub, Entry

DAY = timedelta(days=1)


def entry(number: int, *categories: str, hours: float = 1, **facts: object) -> Entry:
    """A paper that was submitted so many hours before MONDAY."""
    submitted = (MONDAY - timedelta(hours=hours)).timestamp()
    return Entry(
        f"2603.{number:05}", f"Paper {number}", "Text.", categories or ("cs.CL",), submitted=submitted, **facts
    )


async def searched(client: ArxivClient, arxiv: ArxivStub, *categories: str) -> list[str]:
    found = await submitted_between(
        client, f"{arxiv.url}/api/query", categories or ("cs.CL",), MONDAY - DAY, MONDAY - timedelta(minutes=1)
    )
    return [each.paper.id for each in found]


async def test_a_period_is_searched_oldest_first(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.add_paper(entry(1, hours=2))
    arxiv.add_paper(entry(2, "hep-th", "cs.AI", hours=3))
    arxiv.add_paper(entry(3, hours=25))
    arxiv.add_paper(entry(4, hours=0))
    arxiv.add_paper(entry(5, "cs.CV"))
    assert await searched(client, arxiv, "cs.CL", "cs.AI") == ["2603.00002", "2603.00001"]
    assert await searched(client, arxiv, "cs.RO") == []


async def test_a_paper_found_has_every_fact_and_when_it_was_submitted(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.add_paper(
        entry(1, "cs.CL", "cs.AI", version=2, comment="5 pages", journal_ref="J. 1", doi="10.1/x", authors=("Ö. Ex",))
    )
    (found,) = await submitted_between(client, f"{arxiv.url}/api/query", ["cs.CL"], MONDAY - DAY, MONDAY)
    paper = found.paper
    assert found.submitted_at == MONDAY - timedelta(hours=1)
    assert (paper.version, paper.comment, paper.journal_ref, paper.doi) == (2, "5 pages", "J. 1", "10.1/x")
    assert (paper.authors, paper.categories) == (("Ö. Ex",), ("cs.CL", "cs.AI"))


@pytest.mark.parametrize("size", [2, 3, 5, 100])
async def test_pages_are_followed_politely(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", size)
    for number in range(1, 6):
        arxiv.add_paper(entry(number, hours=20 - number))
    assert await searched(client, arxiv) == [f"2603.{number:05}" for number in range(1, 6)]
    assert (len(arxiv.journal), arxiv.violations) == (-(-5 // size), [])


async def test_more_than_a_search_can_give_is_refused(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 1)
    monkeypatch.setattr(api, "MOST_RESULTS", 2)
    for number in range(1, 4):
        arxiv.add_paper(entry(number))
    with pytest.raises(RefusedError, match="shorter period"):
        await searched(client, arxiv)


async def test_what_the_index_lacks_yet_is_not_found(arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
    arxiv.index_lag_hours = 6
    arxiv.add_paper(entry(1))
    assert await searched(client, arxiv) == []
    clock.turn(hours=6)
    assert await searched(client, arxiv) == ["2603.00001"]


@pytest.mark.parametrize(
    "fault", ["http_503", "blank", "html", "cut", "cut_clean", "entities", "reset", "binary", "short"]
)
async def test_a_bad_answer_is_never_an_empty_one(arxiv: ArxivStub, client: ArxivClient, fault: str) -> None:
    for number in (1, 2):
        arxiv.add_paper(entry(number))
    for ask in (
        lambda: searched(client, arxiv),
        lambda: fetch_papers(client, f"{arxiv.url}/api/query", [PaperId("2603.00001"), PaperId("2603.00002")]),
    ):
        arxiv.fail_next(fault)
        with pytest.raises((BrokenFeedError, UnreachableError)):
            await ask()
        assert len(await ask()) == 2


async def test_a_later_page_that_comes_short_is_noticed(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    for number in range(1, 5):
        arxiv.add_paper(entry(number))
    arxiv.fail_next("short", after=1)
    with pytest.raises(BrokenFeedError, match="1 entries from 2 on came of 4"):
        await searched(client, arxiv)


async def test_papers_are_fetched_by_id_and_unknown_ones_left_out(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.add_paper(entry(1, comment="This paper has been withdrawn by the author"))
    asked = [PaperId("2603.00001"), PaperId("2603.77777")]
    found = await fetch_papers(client, f"{arxiv.url}/api/query", asked)
    assert list(found) == ["2603.00001"]
    assert found[PaperId("2603.00001")].withdrawn


@pytest.mark.shared
def test_real_answers_are_read(shared: Path) -> None:
    folder = shared / "arxiv/api"
    total, found = api._parse((folder / "q_testing_s0_m10_bc5a6c384fe9.200.xml").read_bytes(), 0, 10)
    assert (total, len(found)) == (214_881, 10)
    paper = found[0].paper
    assert found[0].submitted_at == datetime(2022, 2, 24, 15, 5, 19, tzinfo=UTC)
    assert (paper.id, paper.version, paper.primary) == ("2202.12139", 1, "cs.SE")
    assert paper.doi == "10.1109/ICSTW55395.2022.00035"
    assert paper.journal_ref is not None
    assert paper.journal_ref.startswith("Artificial Intelligence in Software Testing @ 2022")
    assert api._parse((folder / "id_0000.0000_s0_m100_8b51d9633a68.200.xml").read_bytes(), 0, 1) == (0, [])
    for file in sorted(folder.glob("*_s*_m*.200.xml")):
        start, size = (int(part[1:]) for part in file.name.split("_")[-3:-1])
        total, found = api._parse(file.read_bytes(), start, size)
        assert len(found) == min(total - start, size)


@pytest.mark.shared
def test_real_errors_are_refused(shared: Path) -> None:
    broken = [
        "api/id_abc_s0_m100_b79c8dcf6bc3.400.xml",
        "errors/api_400_incorrect_id.xml",
        "errors/503_varnish_generic.html",
    ]
    for name in [*broken, "errors/api_429_rate_exceeded.txt", "errors/rss_400_atom_foo.xml"]:
        with pytest.raises(BrokenFeedError):
            api._parse((shared / "arxiv" / name).read_bytes(), 0, 1)
