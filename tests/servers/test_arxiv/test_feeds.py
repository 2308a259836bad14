"""The stub arXiv serves what the real one would, and notices what the real one would mind."""

import asyncio
import gzip
from dataclasses import replace
from pathlib import Path
from typing import get_args

import feedparser
import httpx
import pytest

from tests.servers.arxiv import FEED_LIMIT, ArxivStub, Entry, Fault, atom_feed, load_captures
from tests.servers.stub import StandingClock
from tests.servers.test_arxiv.conftest import MONDAY

REAL = Path(__file__).parents[4] / "shared/data/arxiv/atom/replay"

PAPER = Entry(
    "2608.01234", "Why R&D of <b> hurts", "If $a<b$, it hurts.", ("cs.CL", "stat.ML"), authors=("Ö. Ex", "Lin")
)


def ids(answer: httpx.Response) -> list[str]:
    return [entry.id for entry in feedparser.parse(answer.content).entries]


async def test_a_paper_comes_back_as_a_feed_reader_sees_it(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY), MONDAY)
    answer = await client.get("/atom/cs.CL")
    feed = feedparser.parse(answer.content)
    (entry,) = feed.entries
    assert feed.feed.title == "cs.CL updates on arXiv.org"
    assert feed.feed.updated == "2026-08-10T04:00:02.000000+00:00"
    assert (entry.id, entry.title) == ("oai:arXiv.org:2608.01234v1", "Why R&D of <b> hurts")
    assert entry.summary == "arXiv:2608.01234v1 Announce Type: new \nAbstract: If $a<b$, it hurts."
    assert [tag.term for tag in entry.tags] == ["cs.CL", "stat.ML"]
    assert (entry.author, entry.published) == ("Ö. Ex, Lin", "2026-08-10T00:00:00-04:00")


@pytest.mark.shared
async def test_a_real_capture_is_served_unaltered_and_read_by_the_api(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    captures = [capture for capture in load_captures(REAL) if capture.category == "cs.CL"]
    for capture in captures:
        stub.publish(capture.category, capture.body, capture.built.timestamp())
    busy = max(captures, key=lambda capture: capture.path.stat().st_size)
    clock.at = busy.built.timestamp()
    answer = await client.get("/atom/cs.CL")
    assert answer.content == busy.body()
    paper = ids(answer)[0].removeprefix("oai:arXiv.org:")
    assert ids(await client.get("/api/query", params={"id_list": paper})) == [f"http://arxiv.org/abs/{paper}"]


async def test_the_latest_build_is_served_and_none_before_its_time(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    for number, built in enumerate((MONDAY + 10, MONDAY + 20)):
        stub.publish("cs.CL", atom_feed("cs.CL", [replace(PAPER, id=f"2608.0000{number}")], built), built)
    seen = []
    for clock.at in (MONDAY + 5, MONDAY + 10, MONDAY + 25):
        seen.append(ids(await client.get("/atom/cs.CL")))
    assert seen == [[], ["oai:arXiv.org:2608.00000v1"], ["oai:arXiv.org:2608.00001v1"]]


async def test_an_unchanged_feed_is_not_sent_again(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY), MONDAY)
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY + 60), MONDAY + 60)
    first = await client.get("/atom/cs.CL")
    by_tag, by_date = {"If-None-Match": first.headers["ETag"]}, {"If-Modified-Since": first.headers["Last-Modified"]}
    assert first.headers["Last-Modified"] == "Mon, 10 Aug 2026 04:00:02 GMT"
    assert [(await client.get("/atom/cs.CL", headers=one)).status_code for one in (by_tag, by_date)] == [304, 304]
    clock.at += 60
    assert [(await client.get("/atom/cs.CL", headers=one)).status_code for one in (by_tag, by_date)] == [200, 200]


async def test_categories_are_merged_in_arxivs_order_without_repeats(
    stub: ArxivStub, client: httpx.AsyncClient
) -> None:
    one = [replace(PAPER, id="2608.00003"), replace(PAPER, id="2608.00001", announce_type="replace")]
    other = [
        replace(PAPER, id="2608.00003", announce_type="cross"),
        replace(PAPER, id="2608.00002", announce_type="cross"),
    ]
    stub.publish("cs.CL", atom_feed("cs.CL", one, MONDAY), MONDAY)
    stub.publish("cs.CV", atom_feed("cs.CV", other, MONDAY), MONDAY)
    feed = feedparser.parse((await client.get("/atom/cs.CL+cs.CV")).content)
    assert feed.feed.title == "cs.CL, cs.CV updates on arXiv.org"
    assert [(entry.id[-7:], entry.arxiv_announce_type) for entry in feed.entries] == [
        ("00003v1", "new"),
        ("00002v1", "cross"),
        ("00001v1", "replace"),
    ]


async def test_a_feed_ends_at_two_thousand_entries(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    many = [replace(PAPER, id=f"2608.{number:05}", announce_type="cross") for number in range(FEED_LIMIT)]
    stub.publish("cs.CL", atom_feed("cs.CL", [*many, replace(PAPER, id="2608.99999")], MONDAY), MONDAY)
    served = ids(await client.get("/atom/cs.CL"))
    assert (len(served), served[0]) == (FEED_LIMIT, "oai:arXiv.org:2608.99999v1")


async def test_rss_tells_the_same(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY), MONDAY)
    answer = await client.get("/rss/cs.CL")
    assert answer.headers["Content-Type"] == "application/rss+xml; charset=utf-8"
    assert ids(answer) == ["oai:arXiv.org:2608.01234v1"]


@pytest.mark.parametrize("path", ["/atom/cs.FOO", "/rss/foo", "/atom/cs.CL+"])
async def test_a_category_that_does_not_exist_is_refused_with_a_feed(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert feedparser.parse(answer.content).feed.title == f"Feed error for query: http://rss.arxiv.org{path}"


async def test_only_the_known_categories_exist_when_they_are_given() -> None:
    async with ArxivStub(known={"cs.XX"}) as stub, httpx.AsyncClient(base_url=stub.url) as client:
        assert [(await client.get(f"/atom/{name}")).status_code for name in ("cs.XX", "cs.CL")] == [200, 400]


async def test_the_api_knows_papers_and_what_feeds_announced(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    stub.add_paper(replace(PAPER, id="hep-th/9901001", version=2, categories=("hep-th",), comment="12 pages"))
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY + 60), MONDAY + 60)
    query = {"id_list": "2608.01234,hep-th/9901001v1,2608.77777"}
    early = feedparser.parse((await client.get("/api/query", params=query)).content)
    clock.at += 60
    late = feedparser.parse((await client.get("/api/query", params=query)).content)
    assert [entry.id for entry in early.entries] == ["http://arxiv.org/abs/hep-th/9901001v1"]
    assert early.entries[0].arxiv_comment == "12 pages"
    assert early.entries[0].arxiv_primary_category["term"] == "hep-th"
    assert late.feed.opensearch_totalresults == "2"
    assert late.entries[0].summary == PAPER.abstract
    assert [author.name for author in late.entries[0].authors] == list(PAPER.authors)


async def test_the_api_searches_a_category_page_by_page(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    for number in range(5):
        stub.add_paper(replace(PAPER, id=f"2608.0000{number}"))
    stub.add_paper(replace(PAPER, id="2608.00009", categories=("hep-th",)))
    answer = await client.get("/api/query", params={"search_query": "cat:cs.CL", "start": 1, "max_results": 2})
    assert ids(answer) == ["http://arxiv.org/abs/2608.00003v1", "http://arxiv.org/abs/2608.00002v1"]
    assert feedparser.parse(answer.content).feed.opensearch_totalresults == "5"


async def test_the_api_refuses_a_malformed_id_and_finds_no_unknown_one(client: httpx.AsyncClient) -> None:
    malformed = await client.get("/api/query", params={"id_list": "abc"})
    unknown = await client.get("/api/query", params={"id_list": "2608.77777"})
    assert malformed.status_code == 400
    assert feedparser.parse(malformed.content).entries[0].summary == "incorrect id format for abc"
    assert unknown.status_code == 200
    assert feedparser.parse(unknown.content).feed.opensearch_totalresults == "0"


async def test_a_polite_client_breaks_no_rule(stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock) -> None:
    for path in ("/atom/cs.CL", "/rss/cs.CL", "/api/query?id_list=2608.00001"):
        await client.get(path)
        clock.at += 3
    assert stub.violations == []
    assert [(asked.path, asked.query, asked.status) for asked in stub.journal] == [
        ("/atom/cs.CL", "", 200),
        ("/rss/cs.CL", "", 200),
        ("/api/query", "id_list=2608.00001", 200),
    ]


async def test_haste_is_noticed(stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock) -> None:
    for seconds in (0, 2.98, 2.995):
        clock.at += seconds
        await client.get("/atom/cs.CL")
    assert len(stub.violations) == 1
    assert "only 2.980 s after" in stub.violations[0]


async def test_overlapping_requests_and_second_connections_are_noticed(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    stub.fail_next("stall")
    stalled = asyncio.create_task(client.get("/atom/cs.CL", timeout=0.2))
    await asyncio.sleep(0.05)
    clock.at += 3
    await client.get("/atom/cs.CL")
    with pytest.raises(httpx.ReadTimeout):
        await stalled
    assert [text.partition(": ")[2] for text in stub.violations] == [
        "overlaps another request",
        "2 connections are open",
    ]


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28.1", "paperwire/1", "feedparser/6 +https://example.org"])
async def test_an_agent_without_name_or_contact_is_noticed(
    stub: ArxivStub, client: httpx.AsyncClient, agent: str
) -> None:
    await client.get("/atom/cs.CL", headers={"User-Agent": agent})
    assert len(stub.violations) == 1


@pytest.mark.parametrize(
    ("kind", "status", "kept"),
    [
        ("http_429", 429, "Rate exceeded."),
        ("http_503", 503, "Error 503"),
        ("http_500", 500, "Error 500"),
        ("blank", 200, ""),
        ("html", 200, "<!DOCTYPE html>"),
        ("cut_clean", 200, "<title>cs.CL up"),
        ("entities", 200, "<!ENTITY e9"),
        ("binary", 200, "\x00\x01"),
    ],
)
async def test_a_bad_answer_comes_once(
    client: httpx.AsyncClient, stub: ArxivStub, kind: Fault, status: int, kept: str
) -> None:
    stub.fail_next(kind)
    bad = await client.get("/atom/cs.CL")
    good = await client.get("/atom/cs.CL")
    assert bad.status_code == status
    assert kept in bad.text
    assert b"</feed>" not in bad.content or kind == "entities"
    assert good.content.endswith(b"</feed>\n")


@pytest.mark.parametrize(
    ("kind", "error"),
    [("cut", httpx.RemoteProtocolError), ("reset", httpx.RemoteProtocolError), ("stall", httpx.ReadTimeout)],
)
async def test_a_connection_that_fails_comes_once(
    client: httpx.AsyncClient, stub: ArxivStub, kind: Fault, error: type[httpx.TransportError]
) -> None:
    stub.fail_next(kind)
    with pytest.raises(error):
        await client.get("/atom/cs.CL", timeout=0.2)
    assert (await client.get("/atom/cs.CL")).status_code == 200


@pytest.mark.parametrize(("kind", "size"), [("huge", 50 * 2**20), ("endless", 60 * 2**20)])
async def test_a_flood_is_as_long_as_it_says(
    client: httpx.AsyncClient, stub: ArxivStub, kind: Fault, size: int
) -> None:
    stub.fail_next(kind)
    read = 0
    async with client.stream("GET", "/atom/cs.CL") as answer:
        async for part in answer.aiter_bytes():
            read += len(part)
            if read > 60 * 2**20:
                break
    assert size <= read < 62 * 2**20
    assert (await client.get("/atom/cs.CL")).status_code == 200


async def test_a_stub_that_is_down_answers_nobody(client: httpx.AsyncClient, stub: ArxivStub) -> None:
    stub.down = True
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/atom/cs.CL")
    stub.down = False
    assert (await client.get("/atom/cs.CL")).status_code == 200
    assert [asked.status for asked in stub.journal] == [0, 200]


async def test_every_fault_can_be_ordered_and_no_other(stub: ArxivStub) -> None:
    for kind in get_args(Fault):
        stub.fail_next(kind)
    with pytest.raises(ValueError, match="no_such_fault"):
        stub.fail_next("no_such_fault")  # type: ignore[arg-type]


def test_captures_are_told_by_what_they_say_and_sorted_by_when_they_were_built(tmp_path: Path) -> None:
    for name, built in (("a", MONDAY), ("b", MONDAY - 60)):
        packed = gzip.compress(atom_feed("math.NT", [PAPER], built))
        (tmp_path / f"{name}.xml.gz").write_bytes(packed)
    first, second = load_captures(tmp_path)
    assert (first.category, first.built.timestamp(), second.built.timestamp()) == ("math.NT", MONDAY - 60, MONDAY)
    assert first.body() == atom_feed("math.NT", [PAPER], MONDAY - 60)
