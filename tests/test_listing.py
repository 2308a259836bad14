"""The page of new listings: its day, its sections, all of its entries or an error."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.arxiv.client import ArxivClient, RefusedError, UnreachableError
from bot.arxiv.feed import BrokenFeedError
from bot.arxiv.listing import fetch_listing, parse_listing
from tests.builders import TODAY, HandClock
from tests.servers.arxiv import ArxivStub, Entry, atom_feed


def entry(number: int, announce_type: str = "new", *categories: str, **facts: object) -> Entry:
    own = categories or (("cs.LG", "cs.CL") if "cross" in announce_type else ("cs.CL",))
    return Entry(f"2603.{number:05}", f"Paper {number}", "An abstract.", own, announce_type, **facts)


def show(arxiv: ArxivStub, *entries: Entry, day: date = TODAY) -> None:
    arxiv.publish_listing("cs.CL", day, entries, arxiv.now())


async def test_all_entries_come_with_their_types_and_the_day(arxiv: ArxivStub, client: ArxivClient) -> None:
    show(arxiv, entry(4, "replace-cross"), entry(3, "replace"), entry(2, "cross"), entry(1))
    page = await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")
    assert (page.day, page.total) == (TODAY, 4)
    assert [(each.paper.id, each.announce_type) for each in page.entries] == [
        ("2603.00001", "new"),
        ("2603.00002", "cross"),
        ("2603.00003", "replace"),
        ("2603.00004", "replace-cross"),
    ]
    assert {each.day for each in page.entries} == {TODAY}


@pytest.mark.parametrize(
    ("category", "primary", "announce_type"),
    [
        ("hep-th", "hep-th", "replace"),
        ("hep-th", "gr-qc", "replace-cross"),
        ("cs.CL", "cs.AI", "replace-cross"),
        ("cs", "cs.AI", "replace"),
        ("math.IT", "cs.IT", "replace"),
    ],
)
async def test_a_replacement_from_elsewhere_is_told_apart(
    arxiv: ArxivStub, client: ArxivClient, category: str, primary: str, announce_type: str
) -> None:
    arxiv.publish_listing(category, TODAY, [entry(1, "replace", primary, category)], arxiv.now())
    (announced,) = (await fetch_listing(client, f"{arxiv.url}/list", category)).entries
    assert announced.announce_type == announce_type


async def test_an_entry_has_its_facts(arxiv: ArxivStub, client: ArxivClient) -> None:
    shown = entry(
        1,
        "new",
        "cs.CL",
        "stat.ML",
        authors=('Rapha\\"el Dubois', "Ada (Paris)"),
        comment="5 pages. Code: https://github.com/a/b?c=1&d=2",
        journal_ref="J. <1>",
        version=2,
    )
    show(arxiv, shown)
    (announced,) = (await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")).entries
    paper = announced.paper
    assert (paper.title, paper.abstract, paper.version) == ("Paper 1", "An abstract.", 2)
    assert paper.categories == ("cs.CL", "stat.ML")
    assert paper.authors == ("Raphaël Dubois", "Ada")
    assert paper.comment == "5 pages. Code: https://github.com/a/b?c=1&d=2"
    assert (paper.journal_ref, paper.links) == ("J. <1>", ("https://github.com/a/b?c=1&d=2",))


async def test_texts_come_through_unaltered(arxiv: ArxivStub, client: ArxivClient) -> None:
    text = "R&D of <b> for $0<d<1$ & &amp; </div> “ü”"
    arxiv.publish_listing("cs.CL", TODAY, [Entry("2603.00001", text, text, ("cs.CL",))], arxiv.now())
    (announced,) = (await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")).entries
    assert (announced.paper.title, announced.paper.abstract) == (text, text)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
async def test_pages_are_followed_politely(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("bot.arxiv.listing.MOST_PAGES", 8)
    arxiv.listing_page_size = size
    numbers = range(1, 8)
    show(arxiv, *(entry(number, ("new", "cross", "replace")[(number - 1) // 3]) for number in numbers))
    page = await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")
    assert (page.total, [each.paper.id for each in page.entries]) == (7, [f"2603.{number:05}" for number in numbers])
    assert (len(arxiv.journal), arxiv.violations) == (-(-7 // size), [])


async def test_pages_without_end_are_given_up(
    arxiv: ArxivStub, client: ArxivClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.arxiv.listing.MOST_PAGES", 2)
    arxiv.listing_page_size = 1
    show(arxiv, entry(1), entry(2), entry(3))
    with pytest.raises(BrokenFeedError):
        await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")


async def test_a_listing_that_shifts_between_two_pages_is_noticed(
    arxiv: ArxivStub, client: ArxivClient, clock: HandClock
) -> None:
    arxiv.listing_page_size = 2
    show(arxiv, *map(entry, (3, 4, 5)))
    arxiv.publish_listing("cs.CL", TODAY, map(entry, (1, 2, 3, 4, 5)), clock.epoch() + 4)
    with pytest.raises(BrokenFeedError, match="came again"):
        await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")


async def test_a_new_announcement_between_two_pages_is_noticed(
    arxiv: ArxivStub, client: ArxivClient, clock: HandClock
) -> None:
    arxiv.listing_page_size = 1
    show(arxiv, entry(1), entry(2))
    later = [entry(number) for number in range(3, 9)]
    arxiv.publish_listing("cs.CL", date(2026, 3, 3), later, clock.epoch() + 4)
    with pytest.raises(BrokenFeedError, match="new announcement"):
        await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")


async def test_a_quiet_day_is_no_error(arxiv: ArxivStub, client: ArxivClient) -> None:
    show(arxiv)
    page = await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")
    assert (page.day, page.total, page.entries) == (TODAY, 0, ())


async def test_what_the_feed_announced_last_is_listed(arxiv: ArxivStub, client: ArxivClient, clock: HandClock) -> None:
    arxiv.publish("cs.CL", atom_feed("cs.CL", [entry(1)], clock.epoch()), clock.epoch())
    clock.turn(days=1)
    arxiv.publish("cs.CL", atom_feed("cs.CL", [], clock.epoch()), clock.epoch())
    page = await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")
    assert (page.day, [each.paper.id for each in page.entries]) == (TODAY, ["2603.00001"])


async def test_an_unknown_category_is_refused(arxiv: ArxivStub, client: ArxivClient) -> None:
    with pytest.raises(RefusedError):
        await fetch_listing(client, f"{arxiv.url}/list", "cs.NOPE")


@pytest.mark.parametrize("fault", ["http_503", "blank", "html", "cut", "cut_clean", "entities", "reset", "binary"])
async def test_a_bad_answer_is_never_a_quiet_day(arxiv: ArxivStub, client: ArxivClient, fault: str) -> None:
    show(arxiv, entry(1))
    arxiv.fail_next(fault)
    with pytest.raises((BrokenFeedError, UnreachableError)):
        await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")
    assert (await fetch_listing(client, f"{arxiv.url}/list", "cs.CL")).total == 1


@pytest.fixture
async def whole(arxiv: ArxivStub, client: ArxivClient) -> str:
    """A page with three entries, as text."""
    show(arxiv, entry(1), entry(2), entry(3, "cross"))
    return (await client.get(f"{arxiv.url}/list/cs.CL/new")).body.decode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page.replace("Showing new listings for", "Listings of"),
        lambda page: page.replace("2 March 2026", "32 March 2026"),
        lambda page: page.replace("showing 2 of 2", "showing 3 of 3"),
        lambda page: page.replace("New submissions", "Some submissions"),
        lambda page: page.replace("/abs/2603.00002", "/abs/none"),
        lambda page: page.replace("(cs.LG)", "").replace("(cs.CL)", ""),
        lambda page: page.replace("</html>", ""),
        lambda page: page[: page.index("<div class='paging'>")] + "</html>",
        lambda page: page[: page.index("<dt>")] + "</html>",
    ],
)
async def test_a_page_that_is_not_whole_is_refused(whole: str, spoil: Callable[[str], str]) -> None:
    assert parse_listing(whole.encode()).total == 3
    with pytest.raises(BrokenFeedError):
        parse_listing(spoil(whole).encode())


@pytest.mark.parametrize(
    "piece", ["<", "<!", "<!--", "<a ", "<h3>x", "(", " ", "<![CDATA[", "</", "&#", "<p class=mathjax>("]
)
def test_a_hostile_page_is_refused_soon(piece: str) -> None:
    page = f"<h3>Showing new listings for Monday, 2 March 2026</h3>{piece * (200_000 // len(piece))}</html>"
    with pytest.raises(BrokenFeedError):
        parse_listing(page.encode())


@given(st.text(max_size=200))
def test_any_page_is_refused(text: str) -> None:
    with pytest.raises(BrokenFeedError):
        parse_listing(f"{text}</html>".encode("utf-8", "replace"))


@pytest.mark.shared
def test_the_real_page_is_read(shared: Path) -> None:
    page = parse_listing((shared / "arxiv/html/list_new_sample_2026-08-12.html").read_bytes())
    assert (page.day, page.total) == (date(2026, 8, 12), 6)
    assert [(each.paper.id, each.announce_type, each.paper.version) for each in page.entries] == [
        ("2608.09949", "new", 1),
        ("2608.09967", "new", 1),
        ("2505.11635", "cross", 2),
        ("2607.28646", "cross", 1),
        ("2112.07752", "replace", 5),
        ("2505.23399", "replace", 2),
    ]
    papers = [each.paper for each in page.entries]
    assert papers[0].categories == ("cs.AI", "physics.bio-ph")
    assert papers[1].authors == ("Tamar Gozlan", "Claudia V. Goldman")
    assert papers[3].title.startswith('"YES! YES! I absolutely love this insight!" Affirmative')
    assert papers[3].journal_ref == "2026 Narrative Inquiry 23 (2)"
    assert papers[5].links == ("https://github.com/jushengzhang/Gam-Agent",)
    assert all(paper.abstract.endswith((".", "learning.")) for paper in papers)


@pytest.mark.shared
def test_other_pages_of_arxiv_are_refused(shared: Path) -> None:
    for file in sorted((shared / "arxiv/errors").iterdir()):
        with pytest.raises(BrokenFeedError):
            parse_listing(file.read_bytes())
