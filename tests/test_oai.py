"""OAI-PMH: records and pages are read, errors and broken bodies are told apart from empty days."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import taxonomy
from bot.arxiv import oai
from bot.arxiv.client import ArxivClient, UnreachableError
from bot.arxiv.feed import BrokenFeedError
from bot.arxiv.oai import OaiError, get_record, list_records, set_of
from bot.papers import PaperId, Submission
from tests.builders import MONDAY, TODAY, HandClock
from tests.servers.arxiv import ArxivStub, Entry


def entry(number: int, *categories: str, **facts: object) -> Entry:
    return Entry(f"2603.{number:05}", f"Paper {number}", "An abstract.", categories or ("cs.CL",), **facts)


async def swept(
    client: ArxivClient, arxiv: ArxivStub, first: date = TODAY, last: date = TODAY, category: str = "cs.CL"
) -> list[list[str]]:
    pages = list_records(client, f"{arxiv.url}/oai", category, first, last)
    return [[each.paper.id for each in page] async for page in pages]


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.AI", "cs:cs:AI"),
        ("hep-th", "physics:hep-th"),
        ("math-ph", "physics:math-ph"),
        ("math.MP", "math:math:MP"),
        ("nlin.CD", "physics:nlin:CD"),
        ("q-bio.NC", "q-bio:q-bio:NC"),
        ("cond-mat.mes-hall", "physics:cond-mat:mes-hall"),
        ("physics.optics", "physics:physics:optics"),
        ("cs", "cs:cs"),
    ],
)
def test_a_category_has_its_set(category: str, name: str) -> None:
    assert set_of(category) == name


@pytest.mark.shared
def test_every_category_has_a_set_that_arxiv_lists(shared: Path) -> None:
    listed = (shared / "arxiv/oai/gen_ListSets.xml").read_text("utf-8")
    assert [each for each in taxonomy.categories() if f"<setSpec>{set_of(each)}</setSpec>" not in listed] == []


@given(st.text(max_size=50))
def test_any_text_makes_some_set(text: str) -> None:
    assert set_of(text).endswith(text.replace(".", ":"))


async def test_a_sweep_follows_its_pages_politely(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.oai.page_size = 2
    for number in range(1, 6):
        arxiv.add_paper(entry(number))
    arxiv.add_paper(entry(6, "cs.AI", "cs.CL"))
    arxiv.add_paper(entry(7, "hep-th"))
    assert await swept(client, arxiv) == [
        ["2603.00001", "2603.00002"],
        ["2603.00003", "2603.00004"],
        ["2603.00005", "2603.00006"],
    ]
    assert (len(arxiv.journal), arxiv.violations) == (3, [])


async def test_a_record_has_every_fact(arxiv: ArxivStub, client: ArxivClient) -> None:
    submitted = datetime(2026, 2, 27, 9, 30, tzinfo=UTC)
    arxiv.add_paper(
        Entry(
            "hep-th/9901001",
            "On $\\alpha$",
            "We look.\n  And see.",
            ("hep-th", "math-ph"),
            authors=('Rapha\\"el Dubois (1 and (2))', "Jos\\'e Garc\\'ia and Ada Byron ((1) Lyon, (2) Paris)"),
            version=3,
            comment="5 pages, https://github.com/a/b",
            journal_ref="J. Phys. 1 (2026)",
            doi="10.1000/x",
            submitted=submitted.timestamp(),
        )
    )
    ((found,),) = [page async for page in list_records(client, f"{arxiv.url}/oai", "hep-th", TODAY, TODAY)]
    paper = found.paper
    assert isinstance(found, Submission)
    assert (found.submitted_at, found.changed_on) == (submitted, TODAY)
    assert (paper.id, paper.version, paper.title) == ("hep-th/9901001", 3, "On $\\alpha$")
    assert paper.abstract == "We look. And see."
    assert paper.authors == ("Raphaël Dubois", "José García", "Ada Byron")
    assert paper.categories == ("hep-th", "math-ph")
    assert paper.licence == "http://creativecommons.org/licenses/by/4.0/"
    assert (paper.comment, paper.journal_ref, paper.doi) == (
        "5 pages, https://github.com/a/b",
        "J. Phys. 1 (2026)",
        "10.1000/x",
    )
    assert paper.links == ("https://github.com/a/b",)
    assert not paper.withdrawn


@pytest.mark.parametrize(
    "facts",
    [{"withdrawn": True, "version": 2}, {"comment": "Withdrawn by the authors: Lemma 2 is wrong"}],
)
async def test_a_withdrawal_is_seen(arxiv: ArxivStub, client: ArxivClient, facts: dict[str, object]) -> None:
    arxiv.add_paper(entry(1, **facts))
    paper = await get_record(client, f"{arxiv.url}/oai", PaperId("2603.00001"))
    assert paper is not None
    assert paper.withdrawn


async def test_a_day_without_records_is_empty(arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
    arxiv.add_paper(entry(1), at=MONDAY.timestamp())
    arxiv.add_paper(entry(2), at=clock.turn(days=1).timestamp())
    assert await swept(client, arxiv, date(2026, 3, 4), date(2026, 3, 9)) == []
    assert await swept(client, arxiv, TODAY, date(2026, 3, 9)) == [["2603.00001", "2603.00002"]]
    arxiv.oai.holes.add(TODAY)
    assert await swept(client, arxiv, TODAY, date(2026, 3, 9)) == [["2603.00002"]]


async def test_deleted_records_are_left_out(arxiv: ArxivStub, client: ArxivClient) -> None:
    arxiv.add_paper(entry(1))
    arxiv.add_paper(entry(2))
    arxiv.oai.deleted.add("2603.00001")
    assert await swept(client, arxiv) == [["2603.00002"]]
    assert await get_record(client, f"{arxiv.url}/oai", PaperId("2603.00001")) is None


async def test_a_sweep_whose_token_expires_begins_anew(arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
    arxiv.oai.page_size = 2
    for number in range(1, 4):
        arxiv.add_paper(entry(number))
    clock.set(datetime(2026, 3, 2, 23, 59, 58, tzinfo=UTC))
    pages = list_records(client, f"{arxiv.url}/oai", "cs.CL", TODAY, TODAY)
    found = []
    async for page in pages:
        found.append([each.paper.id for each in page])
        if len(found) == 1:
            clock.turn(minutes=1)
    assert found == [["2603.00001", "2603.00002"]] * 2 + [["2603.00003"]]


async def test_a_sweep_begins_anew_only_once(arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
    arxiv.oai.page_size = 1
    for number in range(1, 4):
        arxiv.add_paper(entry(number))
    with pytest.raises(OaiError, match="badResumptionToken"):
        async for _ in list_records(client, f"{arxiv.url}/oai", "cs.CL", TODAY, TODAY):
            clock.turn(days=1)


async def test_a_sweep_without_end_is_given_up(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oai, "MOST_PAGES", 2)
    arxiv.oai.page_size = 1
    for number in range(1, 4):
        arxiv.add_paper(entry(number))
    with pytest.raises(BrokenFeedError):
        await swept(client, arxiv)


async def test_an_error_that_comes_as_a_success_is_raised(arxiv: ArxivStub, client: ArxivClient) -> None:
    with pytest.raises(OaiError) as caught:
        await swept(client, arxiv, category="cs.NOPE")
    assert caught.value.code == "badArgument"


async def test_a_paper_that_nobody_knows_is_none(arxiv: ArxivStub, client: ArxivClient) -> None:
    assert await get_record(client, f"{arxiv.url}/oai", PaperId("2603.77777")) is None


@pytest.mark.parametrize("fault", ["http_503", "blank", "html", "cut", "cut_clean", "entities", "reset", "binary"])
async def test_a_bad_answer_is_never_an_empty_day(arxiv: ArxivStub, client: ArxivClient, fault: str) -> None:
    arxiv.add_paper(entry(1))
    arxiv.fail_next(fault)
    with pytest.raises((BrokenFeedError, UnreachableError)):
        await swept(client, arxiv)
    assert await swept(client, arxiv) == [["2603.00001"]]


_HEAD = b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
_EMPTY_RECORD = b"<record><header><identifier>x</identifier></header><metadata/></record>"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        _HEAD + b"</OAI-PMH>",
        _HEAD + b"<ListRecords></ListRecords></OAI-PMH>",
        _HEAD + b"<ListRecords>" + _EMPTY_RECORD + b"</ListRecords></OAI-PMH>",
        b"<!--" + b"x" * 10_000 + b'--><!DOCTYPE a [<!ENTITY e "x">]>' + _HEAD + b"</OAI-PMH>",
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="klingon"?>' + _HEAD + b"</OAI-PMH>",
        b'<?xml version="1.0" encoding="utf-7"?>' + _HEAD + b"</OAI-PMH>",
        b"<a>" * 100_000,
        b"\x00\xff" * 100,
    ],
)
def test_what_is_no_whole_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BrokenFeedError):
        oai._page(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(BrokenFeedError):
        oai._page(body)


@pytest.mark.shared
def test_real_records_are_read(shared: Path) -> None:
    folder = shared / "arxiv/oai"
    listed, token = oai._page((folder / "gen_ListRecords_arXivRaw_page1.xml").read_bytes())
    by_id = {each.paper.id: each for each in listed}
    assert (len(by_id), token[-9:]) == (25, "skip%3D19")
    oldest = by_id[PaperId("cs/0001024")]
    assert oldest.submitted_at == datetime(2000, 1, 25, 16, 9, 37, tzinfo=UTC)
    assert oldest.changed_on == date(2005, 9, 17)
    assert oldest.paper.authors == ("B. R. Schlei", "L. Prasad")
    assert by_id[PaperId("chao-dyn/9510015")].paper.categories == ("chao-dyn", "ao-sci", "nlin.CD")
    assert ("M. Cvetic", "H. Lu", "C.N. Pope", "T.A Tran") in [each.paper.authors for each in listed]
    assert [each.paper.id for each in listed if each.paper.withdrawn] == ["0903.0442"]
    ((kepler,), token) = oai._page((folder / "gen_GetRecord_arXivRaw.xml").read_bytes())
    assert (kepler.paper.version, token) == (2, "")
    assert (kepler.paper.journal_ref, kepler.paper.doi) == ("ApJ 736:19 (2011)", "10.1088/0004-637X/736/1/19")
    # The same record in another format, which lists authors one by one.
    assert len(kepler.paper.authors) == (folder / "gen_GetRecord_arXiv.xml").read_text("utf-8").count("<author>")


@pytest.mark.shared
def test_real_errors_are_told_by_their_codes(shared: Path) -> None:
    for file in sorted((shared / "arxiv/oai").glob("gen_error_*.xml")):
        with pytest.raises(OaiError) as caught:
            oai._page(file.read_bytes())
        assert caught.value.code == file.stem.split("_")[2]
