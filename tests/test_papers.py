"""Paper ids: every form that people paste."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.papers import BadPaperId, find_paper_ids, is_sample, looks_withdrawn, parse_paper_id

WRITTEN = {
    "2502.14584": "2502.14584",
    "arXiv:2502.14584v2": "2502.14584",
    "hep-th/9901001": "hep-th/9901001",
    "HEP-TH/9901001v3": "hep-th/9901001",
    "math.GT/0309136": "math/0309136",
    "10.48550/arXiv.2502.14584": "2502.14584",
    "https://doi.org/10.48550/arXiv.2502.14584": "2502.14584",
    "https://arxiv.org/abs/2502.14584v1": "2502.14584",
    "https://arxiv.org/pdf/2502.14584v3.pdf?download=1": "2502.14584",
    "http://arxiv.org/html/2502.14584v1#S3": "2502.14584",
    "https://www.alphaxiv.org/abs/2502.14584": "2502.14584",
    "https://huggingface.co/papers/2502.14584.": "2502.14584",
    "https://papers.cool/arxiv/2502.14584": "2502.14584",
    "https://ar5iv.labs.arxiv.org/html/hep-th/9901001": "hep-th/9901001",
    "(see 2502.14584).": "2502.14584",
    "２５０２．１４５８４": "2502.14584",
    "0704.0001": "0704.0001",
}
"""What people write, and the paper that it names."""


@pytest.mark.parametrize(("text", "bare"), WRITTEN.items())
def test_every_form_of_an_id_names_its_paper(text: str, bare: str) -> None:
    assert parse_paper_id(text) == bare


@pytest.mark.parametrize("text", ["", "abc", "2513.00001", "0704.00012", "1501.0001", "12502.14584", "3.14159", "v2"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadPaperId):
        parse_paper_id(text)


def test_several_ids_in_one_text_come_in_order() -> None:
    assert list(find_paper_ids("2502.14584, then 2502.14583v2 and hep-th/9901001")) == [
        "2502.14584",
        "2502.14583",
        "hep-th/9901001",
    ]


def test_the_sample_has_ids_that_arxiv_can_never_issue() -> None:
    assert is_sample(parse_paper_id("2600.00007"))
    assert not is_sample(parse_paper_id("2601.00007"))


@given(st.text(max_size=200))
@example("/" * 20_000)
@example("a-" * 10_000)
@example("https://" * 2_000 + "arxiv.org/abs/")
def test_any_text_is_parsed_or_refused_and_what_is_found_parses_to_itself(text: str) -> None:
    for paper_id in find_paper_ids(text):
        assert parse_paper_id(paper_id) == paper_id


def test_two_hundred_thousand_damaged_ids_and_links_are_parsed_or_refused() -> None:
    chance = random.Random(1)
    signs = "0123456789./:-vV?#&=()[]<>，。：／ ２．\u200b\x00\ud800aé论"
    written = list(WRITTEN)
    for number in range(200_000):
        text = written[number % len(written)]
        for _ in range(number % 4):
            place = int(chance.random() * (len(text) + 1))
            text = text[:place] + chance.choice(signs) + text[place + number % 3 :]
        for paper_id in find_paper_ids(text):
            assert parse_paper_id(paper_id) == paper_id


def test_a_withdrawal_is_seen_in_the_abstract() -> None:
    assert looks_withdrawn("This paper has been withdrawn by the author because of an error in Lemma 2.")
    assert not looks_withdrawn("We study money withdrawn from banks.")
