"""The stub's other sources of papers have the forms of the real ones: the API's search, OAI-PMH, new listings."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import feedparser
import httpx
import pytest
from lxml import etree, html

from tests.servers.arxiv import ArxivStub, Entry, atom_feed
from tests.servers.stub import StandingClock
from tests.servers.test_arxiv.conftest import MONDAY

DAY = 86_400.0
TODAY = date(2026, 8, 10)
OAI, RAW = "{http://www.openarchives.org/OAI/2.0/}", "{http://arxiv.org/OAI/arXivRaw/}"
PAPER = Entry(
    "2608.01234",
    "Why R&D of <b> hurts",
    "If $a<b$, it hurts.",
    ("cs.CL", "stat.ML"),
    comment="See https://example.org/x.",
    journal_ref="J. 1",
    doi="10.1/x",
    version=2,
    submitted=MONDAY - DAY,
)


async def oai(client: httpx.AsyncClient, **arguments: str) -> etree._Element:
    answer = await client.get("/oai", params={name.rstrip("_"): value for name, value in arguments.items()})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    return etree.fromstring(answer.content)


def listed(root: etree._Element) -> list[str]:
    return [each.text[-5:] for each in root.iter(f"{OAI}identifier")]


def shape(element: etree._Element) -> list[str]:
    """The tags of an element and everything in it, each once."""
    return list(dict.fromkeys(each.tag for each in element.iter(etree.Element)))


async def test_a_record_has_the_form_of_a_real_one(stub: ArxivStub, client: httpx.AsyncClient, shared: Path) -> None:
    stub.add_paper(PAPER)
    root = await oai(client, verb="GetRecord", metadataPrefix="arXivRaw", identifier="oai:arXiv.org:2608.01234")
    assert [each.text for each in root.iter(f"{OAI}setSpec")] == ["cs:cs:CL", "stat:stat:ML"]
    assert root.findtext(f".//{OAI}datestamp") == "2026-08-10"
    assert [each.text for each in root.iter(f"{RAW}date")] == [
        "Sun, 09 Aug 2026 04:00:02 GMT",
        "Mon, 10 Aug 2026 04:00:02 GMT",
    ]
    assert root.findtext(f".//{RAW}title") == "Why R&D of <b> hurts"


@pytest.mark.shared
async def test_records_have_the_tags_of_real_ones_in_their_order(
    stub: ArxivStub, client: httpx.AsyncClient, shared: Path
) -> None:
    stub.add_paper(PAPER)
    ours = await oai(client, verb="GetRecord", metadataPrefix="arXivRaw", identifier="oai:arXiv.org:2608.01234")
    real = etree.parse(shared / "arxiv/oai/gen_GetRecord_arXivRaw.xml").getroot()
    assert shape(ours) == shape(real)
    ours = await oai(client, verb="Nonsense")
    real = etree.parse(shared / "arxiv/oai/gen_error_badVerb.xml").getroot()
    assert shape(ours) == shape(real)
    assert ours.find(f"{OAI}error").attrib == real.find(f"{OAI}error").attrib


async def test_records_are_listed_by_set_and_day_page_by_page(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    for number in range(5):
        stub.add_paper(replace(PAPER, id=f"2608.0000{number}"))
    stub.add_paper(replace(PAPER, id="2608.00008", categories=("hep-th",)))
    stub.add_paper(replace(PAPER, id="2608.00009"), at=MONDAY - DAY)
    stub.oai.page_size = 3
    asked = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from_": "2026-08-10", "until": "2026-08-10"}
    first = await oai(client, **asked, set="cs:cs:CL")
    token = first.find(f".//{OAI}resumptionToken")
    assert listed(first) == ["00000", "00001", "00002"]
    assert (token.text[-8:], token.get("expirationDate")) == ("skip%3D3", "2026-08-11T00:00:00Z")
    last = await oai(client, verb="ListRecords", resumptionToken=token.text)
    assert (listed(last), last.findtext(f".//{OAI}resumptionToken")) == (["00003", "00004"], "")
    for wanted, number in (("physics", 1), ("physics:hep-th", 1), ("cs", 3), ("cs:cs", 3), ("stat:stat:ML", 3)):
        assert len(listed(await oai(client, **asked, set=wanted))) == number
    clock.at += DAY
    late = await oai(client, verb="ListRecords", resumptionToken=token.text)
    assert late.find(f"{OAI}error").get("code") == "badResumptionToken"


async def test_days_can_be_missing_and_records_deleted(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.add_paper(PAPER)
    asked = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}
    stub.oai.deleted.add(PAPER.id)
    deleted = await oai(client, **asked)
    assert deleted.find(f".//{OAI}header").get("status") == "deleted"
    assert deleted.find(f".//{OAI}metadata") is None
    stub.oai.holes.add(TODAY)
    assert (await oai(client, **asked)).find(f"{OAI}error").get("code") == "noRecordsMatch"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": "cs:cs:NOPE"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": "cs:hep-th"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from_": "yesterday"}, "badArgument"),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from_": "2026-01-02", "until": "2026-01-01"},
            "badArgument",
        ),
        ({"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from_": "2026-01-02"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "resumptionToken": "x"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "x", "set": "cs"}, "badArgument"),
        ({"verb": "GetRecord", "metadataPrefix": "arXivRaw", "identifier": "2608.01234"}, "idDoesNotExist"),
        ({"verb": "GetRecord", "metadataPrefix": "arXivRaw", "identifier": "oai:arXiv.org:2608.9"}, "idDoesNotExist"),
    ],
)
async def test_an_error_comes_as_a_success(client: httpx.AsyncClient, arguments: dict[str, str], code: str) -> None:
    assert (await oai(client, **arguments)).find(f"{OAI}error").get("code") == code


async def test_what_a_feed_announced_has_a_record(
    stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock
) -> None:
    stub.publish("cs.CL", atom_feed("cs.CL", [PAPER], MONDAY + 60), MONDAY + 60)
    asked = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}
    assert listed(await oai(client, **asked)) == []
    clock.at += 60
    assert listed(await oai(client, **asked)) == ["01234"]


async def test_the_api_searches_by_submission(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    for number, days in enumerate((3, 1, 2)):
        stub.add_paper(replace(PAPER, id=f"2608.0000{number}", submitted=MONDAY - days * DAY))
    query = {
        "search_query": "cat:cs.CL AND submittedDate:[202608080000 TO 202608090400]",
        "sortBy": "submittedDate",
        "sortOrder": "ascending",
    }
    found = feedparser.parse((await client.get("/api/query", params=query)).content)
    assert [(each.id[-7:], each.published) for each in found.entries] == [
        ("00002v2", "2026-08-08T04:00:02Z"),
        ("00001v2", "2026-08-09T04:00:02Z"),
    ]
    assert (found.entries[0].arxiv_journal_ref, found.entries[0].arxiv_doi) == ("J. 1", "10.1/x")
    query["sortOrder"] = "descending"
    again = feedparser.parse((await client.get("/api/query", params=query)).content)
    assert [each.id for each in again.entries] == [each.id for each in reversed(found.entries)]


async def test_the_index_can_lag(stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock) -> None:
    stub.add_paper(PAPER)
    stub.index_lag_hours = 5
    for clock.at, number in ((MONDAY + 5 * 3600 - 1, "0"), (MONDAY + 5 * 3600, "1")):
        for query in ({"search_query": "cat:cs.CL"}, {"id_list": PAPER.id}):
            found = feedparser.parse((await client.get("/api/query", params=query)).content)
            assert found.feed.opensearch_totalresults == number


async def test_an_answer_can_come_short_after_good_ones(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.add_paper(PAPER)
    stub.fail_next("short", after=1)
    answers = [await client.get("/api/query", params={"search_query": "cat:cs.CL"}) for _ in range(3)]
    feeds = [feedparser.parse(answer.content) for answer in answers]
    assert [len(feed.entries) for feed in feeds] == [1, 0, 1]
    assert feeds[1].feed.opensearch_totalresults == "1"


def entries(new: int, cross: int, replaced: int) -> list[Entry]:
    types = ["new"] * new + ["cross"] * cross + ["replace"] * replaced
    return [replace(PAPER, id=f"2608.{number:05}", announce_type=each) for number, each in enumerate(types)]


async def headings(client: httpx.AsyncClient, query: str = "") -> list[str]:
    page = html.fromstring((await client.get(f"/list/cs.CL/new{query}")).text)
    return [each.text for each in page.iter("h3")]


async def test_new_listings_are_shown_section_by_section(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.publish_listing("cs.CL", TODAY, entries(5, 2, 1), MONDAY)
    day = "Showing new listings for Monday, 10 August 2026"
    assert await headings(client) == [
        day,
        "New submissions (showing 5 of 5 entries)",
        "Cross submissions (showing 2 of 2 entries)",
        "Replacement submissions (showing 1 of 1 entries)",
    ]
    assert await headings(client, "?skip=0&show=2") == [day, "New submissions (showing first 2 of 5 entries)"]
    assert await headings(client, "?skip=2&show=2") == [day, "New submissions (continued, showing 2 of 5 entries)"]
    assert await headings(client, "?skip=4&show=2") == [
        day,
        "New submissions (continued, showing last 1 of 5 entries)",
        "Cross submissions (showing first 1 of 2 entries)",
    ]
    assert await headings(client, "?skip=9") == [day]


async def test_a_category_without_news_has_a_quiet_page(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    assert "No updates today." in (await client.get("/list/cs.CL/new")).text
    assert (await client.get("/list/cs.NOPE/new")).status_code == 400


async def test_a_page_shows_at_most_what_the_stub_allows(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    stub.publish_listing("cs.CL", TODAY, entries(5, 0, 0), MONDAY)
    stub.listing_page_size = 3
    assert (await headings(client, "?show=100"))[1] == "New submissions (showing first 3 of 5 entries)"


@pytest.mark.shared
async def test_an_entry_has_the_form_of_a_real_one(stub: ArxivStub, client: httpx.AsyncClient, shared: Path) -> None:
    stub.publish_listing("cs.CL", TODAY, [replace(PAPER, announce_type="cross")], MONDAY)
    real = html.parse(shared / "arxiv/html/list_new_sample_2026-08-12.html").getroot()
    ours = html.fromstring((await client.get("/list/cs.CL/new")).text)
    assert _classes(ours) <= _classes(real)
    assert {"list-title", "list-authors", "list-comments", "list-journal-ref", "list-subjects"} < _classes(ours)
    links = [
        [
            (each.get("title"), re.sub(r"\d{4}\.\d{5}(v\d)?", "ID", each.get("href")))
            for each in page.xpath("//dt[1]/a[@title]")
        ]
        for page in (ours, real)
    ]
    assert set(links[0]) <= set(links[1])


def _classes(page: html.HtmlElement) -> set[str]:
    return {name for each in page.xpath("//dd//@class") for name in each.split()}


async def test_sources_can_be_down_one_by_one(stub: ArxivStub, client: httpx.AsyncClient) -> None:
    paths = ("/atom/cs.CL", "/oai", "/list/cs.CL/new", "/api/query")
    stub.down_paths = ("/oai", "/list")
    assert [(await client.get(path)).status_code for path in paths] == [200, 503, 503, 200]


async def test_one_watch_sees_all_sources(stub: ArxivStub, client: httpx.AsyncClient, clock: StandingClock) -> None:
    for path in ("/atom/cs.CL", "/oai?verb=GetRecord", "/list/cs.CL/new", "/api/query?id_list=2608.00001"):
        await client.get(path)
        clock.at += 2
    assert [text.partition(": ")[2] for text in stub.violations] == ["only 2.000 s after the request before"] * 3
    assert len(stub.journal) == 4
