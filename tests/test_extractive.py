"""The embedded writer: what it picks from an abstract, and how abstracts fall into sentences."""

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.summaries.extractive import extract, trim
from bot.summaries.sentences import split

ASTRO = Path(__file__).parents[2] / "shared/data/arxiv/papers/papers_astro_2026-06.jsonl.gz"

TITLE = "Sparse beacons for robot navigation"
ABSTRACT = """Robots lose their way in long corridors. However, existing beacons are dense and remain expensive [3].
In this paper, we propose sparse beacons, a placement method for robot navigation. Specifically, each beacon sees
at most two others. Moreover, we train a policy that asks for a beacon only when it is unsure. Experiments in three
buildings show that sparse beacons reduce the error by 40%. Code is available at https://example.org/beacons."""


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
    assert roles["We train a "] == "method"


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
    ("typed", "seen"),
    [
        ("Moreover, in this paper, we show it.", "We show it."),
        ("To address these limitations, we built one.", "We built one."),
        ("It is known [1, 2] and used (Li et al., 2020; Wu, 2021).", "It is known and used."),
        ("As reported in [3], it works.", "As reported in [3], it works."),
        ("However, mRNA is short.", "mRNA is short."),
    ],
)
def test_a_sentence_is_trimmed_to_stand_alone(typed: str, seen: str) -> None:
    assert trim(typed) == seen


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Seen by J. Smith et al. We ask why.", ["Seen by J. Smith et al.", "We ask why."]),
        (
            "See e.g. Fig. 3 vs. Eq. 4. It is 3.5 (resp. Four).",
            ["See e.g. Fig. 3 vs. Eq. 4.", "It is 3.5 (resp. Four)."],
        ),
        ("Let $f(x. Y) = 1. Z$ hold. $K$ is big.", ["Let $f(x. Y) = 1. Z$ hold.", "$K$ is big."]),
        (r"Take \(a. B\) now. Then \[c. D\] ends.", [r"Take \(a. B\) now.", r"Then \[c. D\] ends."]),
        ("It costs $5. We use $10 now.", ["It costs $5.", "We use $10 now."]),
        ("We ask: (1) Is it? (2) Can it be? Yes.", ["We ask: (1) Is it?", "(2) Can it be?", "Yes."]),
        ('He said "Stop." They did (all. Of. them.) well.', ['He said "Stop."', "They did (all. Of. them.) well."]),
        ("Read [Ann. Math. 3 (2020)] first. Then go.", ["Read [Ann. Math. 3 (2020)] first.", "Then go."]),
        ("One, two, ... Ten are here. The U.S. Army left.", ["One, two, ... Ten are here.", "The U.S. Army left."]),
        ("It works as before.We show why.", ["It works as before.", "We show why."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@given(st.text(alphabet=st.sampled_from(list('aBeg.?!$()[] \n\\"1…')), max_size=120))
def test_no_character_of_an_abstract_is_lost(text: str) -> None:
    assert "".join("".join(split(text)).split()) == "".join(text.split())


@given(st.text(max_size=60), st.text(alphabet=st.sampled_from(list("aBe.?$([;] \\1")), max_size=200))
def test_any_abstract_gives_at_most_three_takeaways(title: str, abstract: str) -> None:
    assert len(extract(title, abstract).takeaways) <= 3


@pytest.mark.shared
def test_no_formula_of_a_real_paper_is_cut() -> None:
    with gzip.open(ASTRO, "rt", encoding="utf-8") as lines:
        for paper in map(json.loads, lines):
            if _dollars(paper["abstract"]) % 2 == 0:
                found = extract(paper["title"], paper["abstract"])
                assert all(_dollars(text) % 2 == 0 for text in (found.tldr, *(each.en for each in found.takeaways)))


def _dollars(text: str) -> int:
    return len(re.findall(r"(?<!\\)\$", text))
