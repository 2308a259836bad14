"""The embedded writer: what it picks from an abstract, and how a sentence is made to stand alone."""

import gzip
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.summaries.embedded.extractive import LONGEST, extract
from bot.summaries.embedded.trimming import trim

ASTRO = Path(__file__).parents[2] / "shared/data/arxiv/papers/papers_astro_2026-06.jsonl.gz"

TITLE = "Sparse beacons for robot navigation"
ABSTRACT = """Robots lose their way in long corridors. However, existing beacons are dense and remain expensive [3].
In this paper, we propose sparse beacons, a placement method for robot navigation. Specifically, each beacon sees
at most two others. Moreover, we train a policy that asks for a beacon only when it is unsure. Experiments in three
buildings show that sparse beacons reduce the error by 40%. Code is available at https://example.org/beacons."""

PIECES = [
    "We show that $x. Y$ holds,",
    "we propose a map.",
    "In this paper, we",
    "However,",
    "(see e.g. Fig. 3)",
    "(a second map)",
    "While maps fail,",
    "Results.",
    "[3].",
    "it is 3.5",
    "this work shows",
    "; and also",
    "To solve this,",
]


def test_the_tldr_says_what_the_paper_proposes_without_its_lead_in() -> None:
    assert extract(TITLE, ABSTRACT).tldr == "We propose sparse beacons, a placement method for robot navigation."


def test_takeaways_stand_in_the_order_of_the_abstract_and_do_not_repeat_the_tldr() -> None:
    found = extract(TITLE, ABSTRACT)
    places = [ABSTRACT.replace("\n", " ").find(takeaway.en[-20:]) for takeaway in found.takeaways]
    assert len(places) == 3
    assert -1 not in places
    assert places == sorted(places)
    assert found.tldr not in [takeaway.en for takeaway in found.takeaways]


def test_takeaways_are_labelled_where_that_is_sure() -> None:
    roles = {takeaway.en[:11]: takeaway.role for takeaway in extract(TITLE, ABSTRACT).takeaways}
    assert roles["Experiments"] == "result"
    assert roles["Each beacon"] == ""


def test_the_link_to_the_code_is_no_takeaway() -> None:
    assert not any("https" in takeaway.en for takeaway in extract(TITLE, ABSTRACT).takeaways)


def test_a_heading_of_a_structured_abstract_is_a_label_and_no_text() -> None:
    abstract = "Context. Dust is everywhere. Aims. We measure the dust in Orion. Results. The dust of Orion is warm."
    found = extract("Dust in Orion", abstract)
    assert found.tldr == "We measure the dust in Orion."
    assert [(takeaway.role, takeaway.en) for takeaway in found.takeaways] == [
        ("problem", "Dust is everywhere."),
        ("result", "The dust of Orion is warm."),
    ]


def test_a_withdrawn_paper_says_so_and_nothing_else() -> None:
    notice = "This paper has been withdrawn by the author due to an error in Lemma 2."
    found = extract("Primes", f"{notice} We prove that every prime is odd.")
    assert (found.tldr, found.takeaways) == (notice, ())


def test_a_paper_about_retractions_is_not_withdrawn() -> None:
    assert extract("Retractions", "We collect 42 retracted papers. They were read by two people.").takeaways


def test_an_empty_abstract_gives_nothing() -> None:
    found = extract("A title", " \n ")
    assert (found.tldr, found.takeaways) == ("", ())


def test_a_single_sentence_is_the_tldr_and_has_no_takeaways() -> None:
    found = extract("Surfaces", "We classify surfaces of low degree.")
    assert (found.tldr, found.takeaways) == ("We classify surfaces of low degree.", ())


def test_a_single_sentence_is_divided_where_its_clauses_stand_alone() -> None:
    found = extract("Surfaces", "We classify surfaces of low degree; the list is complete up to degree nine.")
    assert found.tldr == "We classify surfaces of low degree."
    assert [takeaway.en for takeaway in found.takeaways] == ["The list is complete up to degree nine."]


@pytest.mark.parametrize(
    "background",
    [
        "Because beacons for robot navigation are dense, sparse beacons for robot navigation are hard to place.",
        "Sparse beacons for robot navigation are widely used, but placing sparse beacons remains challenging.",
        "Existing beacons for robot navigation are not sparse.",
    ],
)
def test_background_is_no_tldr_however_much_it_repeats_the_title(background: str) -> None:
    abstract = (
        f"{background} We place one beacon a corridor and let the map fill the gaps. It saves two of three beacons."
    )
    assert extract(TITLE, abstract).tldr == "We place one beacon a corridor and let the map fill the gaps."


def test_a_sentence_that_only_repeats_the_title_gives_way_to_one_that_adds_to_it() -> None:
    abstract = "We present sparse beacons for robot navigation. We propose to place beacons where two corridors cross."
    assert extract(TITLE, abstract).tldr == "We propose to place beacons where two corridors cross."


def test_a_sentence_that_points_back_gives_way_to_one_that_stands_alone() -> None:
    abstract = "Corridors are long. We study this problem. We measure how far a robot strays between two beacons."
    assert extract(TITLE, abstract).tldr == "We measure how far a robot strays between two beacons."


@pytest.mark.parametrize(
    ("title", "abstract", "tldr"),
    [
        (
            "Gaps between lucky primes",
            r"Let $p_n$ denote the $n$-th lucky prime. We prove that $p_{n+1} - p_n \leq 2 n^{1/2}$ for every $n > 9$. "
            "The proof uses a sieve of our own.",
            r"We prove that $p_{n+1} - p_n \leq 2 n^{1/2}$ for every $n > 9$.",
        ),
        (
            "A cool dwarf near Vega",
            r"Cool dwarfs are faint. We report a dwarf of $0.08\,M_\odot$ at 7.7 pc (S/N = 12.5), found in Fig. 3 of "
            "the survey. Its colour is red.",
            r"We report a dwarf of $0.08\,M_\odot$ at 7.7 pc (S/N = 12.5), found in Fig. 3 of the survey.",
        ),
    ],
)
def test_other_fields_than_machine_learning_get_their_result(title: str, abstract: str, tldr: str) -> None:
    assert extract(title, abstract).tldr == tldr


@pytest.mark.parametrize(
    ("takeaway", "role"),
    [
        ("Existing beacons are expensive and remain difficult to place in practice.", "problem"),
        ("Experiments in three buildings show that our method outperforms dense beacons by 40%.", "result"),
        ("They are cheap.", ""),
    ],
)
def test_only_a_sure_role_is_given(takeaway: str, role: str) -> None:
    abstract = (
        "However, existing beacons are expensive and remain difficult to place in practice. We propose sparse beacons. "
        "They are cheap. Experiments in three buildings show that our method outperforms dense beacons by 40%."
    )
    assert {each.en: each.role for each in extract("Beacons", abstract).takeaways}[takeaway] == role


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("Moreover, in this paper, we show it.", "We show it."),
        ("To address these limitations, we built one.", "We built one."),
        ("It is known [1, 2] and used (Li et al., 2020; Wu, 2021).", "It is known and used."),
        ("As reported in [3], it works.", "As reported in [3], it works."),
        ("However, mRNA is short.", "mRNA is short."),
        ("While others need maps, in this paper we propose a walk.", "We propose a walk."),
        ("While others need maps, we feared walks.", "While others need maps, we feared walks."),
        ("If $n$ is odd, we show that it halts.", "If $n$ is odd, we show that it halts."),
        ("If it rains, we show that it halts.", "If it rains, we show that it halts."),
        ("In our previous work, we showed less.", "In our previous work, we showed less."),
        ("To solve the above problems, we also use two maps.", "We use two maps."),
        ("To do so, we walk.", "We walk."),
        ("To ensure that it halts, we walk.", "To ensure that it halts, we walk."),
        ("Second, we walk.", "We walk."),
        ("We solve, in this paper, two tasks (as well as a third).", "We solve two tasks."),
        ("While it was slow, in this work it is fast.", "While it was slow, it is fast."),
        (
            "A group (not necessarily finite) has 3 (of 4 in all) parts.",
            "A group (not necessarily finite) has 3 (of 4 in all) parts.",
        ),
    ],
)
def test_a_sentence_is_trimmed_to_stand_alone(typed: str, seen: str) -> None:
    assert trim(typed) == seen


@given(st.text(max_size=60), st.text(alphabet=st.sampled_from(list("aBe.?$([;] \\1")), max_size=200))
def test_any_abstract_gives_at_most_three_takeaways(title: str, abstract: str) -> None:
    assert len(extract(title, abstract).takeaways) <= 3


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_what_is_picked_has_only_words_of_the_abstract_in_their_order(pieces: list[str]) -> None:
    abstract = " ".join(pieces)
    found = extract(TITLE, abstract)
    for text in (found.tldr, *(takeaway.en for takeaway in found.takeaways)):
        words = iter(re.findall(r"\w+", abstract.lower()))
        assert all(word in words for word in re.findall(r"\w+", text.lower()))
        assert abstract.count("$") % 2 or text.count("$") % 2 == 0


@pytest.mark.parametrize(
    "unit",
    [
        "(a b ",
        "in this paper ",
        "to this ",
        "a, ",
        "while a, ",
        "(A 2000; ",
        r"\cite[",
        "$",
        "A. ",
        "a b. C ",
        "((",
        " ~",
        "; ",
        "1. ",
    ],
)
def test_no_text_of_the_greatest_length_takes_long(unit: str) -> None:
    began = time.process_time()
    extract(unit * 50, "While " + (unit * LONGEST)[:LONGEST])
    assert time.process_time() - began < 2


@pytest.mark.shared
def test_no_formula_of_a_real_paper_is_cut() -> None:
    with gzip.open(ASTRO, "rt", encoding="utf-8") as lines:
        for paper in map(json.loads, lines):
            if _dollars(paper["abstract"]) % 2 == 0:
                found = extract(paper["title"], paper["abstract"])
                assert all(_dollars(text) % 2 == 0 for text in (found.tldr, *(each.en for each in found.takeaways)))


def _dollars(text: str) -> int:
    return len(re.findall(r"(?<!\\)\$", text))
