"""The bundled sample announcement: invented papers in arXiv's own form, with summaries that invent no number."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

SAMPLE = Path(__file__).parents[1] / "bot" / "sample"
NS = {
    "atom": "http://www.w3.org/2005/Atom",
    "arxiv": "http://arxiv.org/schemas/atom",
    "dc": "http://purl.org/dc/elements/1.1/",
}
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")

FEED = etree.parse(SAMPLE / "announcement.atom.xml").getroot()
ENTRIES: list[etree._Element] = FEED.findall("atom:entry", NS)
SUMMARIES: dict[str, Any] = json.loads((SAMPLE / "summaries.json").read_text(encoding="utf-8"))


def text(entry: etree._Element, path: str) -> str:
    return entry.findtext(path, default="", namespaces=NS)


def bare_id(entry: etree._Element) -> str:
    return text(entry, "atom:id").removeprefix("oai:arXiv.org:").partition("v")[0]


def abstract(entry: etree._Element) -> str:
    return text(entry, "atom:summary").partition("\nAbstract: ")[2]


def categories(entry: etree._Element) -> list[str]:
    return [category.attrib["term"] for category in entry.findall("atom:category", NS)]


BY_ID = {bare_id(entry): entry for entry in ENTRIES}
KINDS = [text(entry, "arxiv:announce_type") for entry in ENTRIES]


def test_the_feed_says_that_its_papers_are_invented() -> None:
    assert "sample" in text(FEED, "atom:title")
    assert "invented" in text(FEED, "atom:title")
    assert "invented" in text(FEED, "atom:subtitle")


def test_the_feed_holds_forty_papers_with_ids_that_arxiv_can_never_issue() -> None:
    assert list(BY_ID) == [f"2600.{number:05}" for number in range(1, 41)]


def test_the_papers_stand_in_the_order_of_arxiv_s_feed() -> None:
    assert KINDS == ["new"] * 28 + ["cross"] * 7 + ["replace"] * 3 + ["replace-cross"] * 2


@pytest.mark.parametrize("entry", ENTRIES, ids=bare_id)
def test_an_entry_has_the_form_of_arxiv_s_feed(entry: etree._Element) -> None:
    versioned = text(entry, "atom:id").removeprefix("oai:arXiv.org:")
    kind = text(entry, "arxiv:announce_type")
    assert text(entry, "atom:summary") == f"arXiv:{versioned} Announce Type: {kind} \nAbstract: {abstract(entry)}"
    assert entry.find("atom:link", NS).attrib["href"] == f"https://arxiv.org/abs/{bare_id(entry)}"
    assert versioned.endswith("v1") is (kind in {"new", "cross"})
    assert text(entry, "atom:published") == "2026-09-09T00:00:00-04:00"
    assert text(entry, "dc:rights").endswith(("/4.0/", "/1.0/"))


def test_every_category_of_the_feed_has_its_own_papers_and_cross_lists() -> None:
    followed = text(FEED, "atom:id").rpartition("/")[2].split("+")
    assert followed == ["astro-ph.GA", "cs.CL", "cs.CV", "cs.LG", "math.NT"]
    primaries = Counter(categories(entry)[0] for entry in ENTRIES)
    assert [primaries[category] for category in followed] == [7, 7, 7, 7, 7]
    assert set(primaries) - set(followed) == {"cs.AI", "stat.ML", "eess.IV", "cs.RO", "math.PR"}
    assert all(set(categories(entry)) & set(followed) for entry in ENTRIES)


def test_a_paper_counts_as_new_only_where_the_feed_follows_its_primary_category() -> None:
    followed = text(FEED, "atom:id").rpartition("/")[2].split("+")
    for entry, kind in zip(ENTRIES, KINDS, strict=True):
        assert categories(entry)[0] in followed or kind == "cross"
        assert len(categories(entry)) > 1 or "cross" not in kind


def test_abstracts_run_from_one_sentence_to_arxiv_s_longest() -> None:
    lengths = {paper: len(abstract(entry).split()) for paper, entry in BY_ID.items()}
    assert lengths["2600.00030"] == 30
    assert abstract(BY_ID["2600.00005"]).count(".") == 1
    assert 2500 < len(abstract(BY_ID["2600.00014"])) < 2800
    odd = {"2600.00005", "2600.00014", "2600.00030"}
    assert all(60 <= length <= 220 for paper, length in lengths.items() if paper not in odd)


def test_one_replacement_is_a_withdrawal() -> None:
    withdrawn = [entry for entry in ENTRIES if "has been withdrawn" in abstract(entry)]
    assert [text(entry, "arxiv:announce_type") for entry in withdrawn] == ["replace"]
    assert abstract(withdrawn[0]).startswith("This paper has been withdrawn by the author because ")


def test_authors_come_as_a_crowd_as_a_collaboration_and_with_tex_accents() -> None:
    creators = [text(entry, "dc:creator") for entry in ENTRIES]
    assert max(len(creator.split(", ")) for creator in creators) == 60
    assert sum("Collaboration" in creator for creator in creators) == 1
    assert sum("\\" in creator for creator in creators) == 2
    everyone = ", ".join(creators).split(", ")
    assert len(everyone) == len(set(everyone))


def test_the_texts_hold_what_careless_programs_damage() -> None:
    texts = " ".join(text(entry, "atom:title") + " " + abstract(entry) for entry in ENTRIES)
    for trap in (
        "<b>Bold</b>",
        "[Markup](x)",
        "@everyone",
        "<think>",
        "R&D",
        "$0<d<1$",
        "\\emph{",
        "https://example.org/",
    ):
        assert trap in texts


def test_all_papers_but_two_have_a_summary() -> None:
    assert sorted(set(BY_ID) - set(SUMMARIES)) == ["2600.00017", "2600.00021"]
    assert set(SUMMARIES) < set(BY_ID)


@pytest.mark.parametrize("paper", SUMMARIES)
def test_a_summary_is_short_and_bilingual(paper: str) -> None:
    summary = SUMMARIES[paper]
    assert set(summary) == {"title_zh", "tldr", "takeaways"}
    assert CHINESE.search(summary["title_zh"])
    assert set(summary["tldr"]) == {"en", "zh"}
    assert 3 <= len(summary["takeaways"]) <= 5
    assert len(summary["tldr"]["en"].split()) <= 35
    for takeaway in summary["takeaways"]:
        assert set(takeaway) == {"role", "en", "zh"}
        assert takeaway["role"] in {"problem", "method", "result", ""}
        assert len(takeaway["en"].split()) <= 28
    for line in (summary["tldr"], *summary["takeaways"]):
        assert re.fullmatch(r"[^。]+。", line["zh"])
        assert len(CHINESE.findall(line["zh"])) > len(line["zh"]) / 3
        assert line["en"].endswith(".")
        assert not re.search(r"[.?!] [A-Z]", line["en"]), "one sentence only"


@pytest.mark.parametrize("paper", SUMMARIES)
def test_a_summary_tells_no_number_that_the_paper_does_not(paper: str) -> None:
    source = set(NUMBER.findall(text(BY_ID[paper], "atom:title") + " " + abstract(BY_ID[paper])))
    assert set(NUMBER.findall(SUMMARIES[paper]["title_zh"])) <= source
    for line in (SUMMARIES[paper]["tldr"], *SUMMARIES[paper]["takeaways"]):
        assert set(NUMBER.findall(line["en"])) <= source
        assert Counter(NUMBER.findall(line["zh"])) == Counter(NUMBER.findall(line["en"]))
