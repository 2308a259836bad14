"""Queries: what they mean, and where they stop making sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.arxiv import taxonomy
from bot.interests import BadQuery, Interest, parse_interest


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cs.CL", "cs.CL"),
        ("CS.cl", "cs.CL"),
        ("cs.CV+cs.CL-cs.RO", "cs.CV+cs.CL -cs.RO"),
        ("cs.CV + cs.CL - cs.RO", "cs.CV+cs.CL -cs.RO"),
        ("cs.CV, cs.CL", "cs.CV+cs.CL"),
        ("cs.CV、cs.CL", "cs.CV+cs.CL"),
        ("cond-mat.str-el-cs.RO", "cond-mat.str-el -cs.RO"),
        ("hep-th", "hep-th"),
        ("cs.CL+cs.CL", "cs.CL"),
    ],
)
def test_a_query_reads_as_people_write_it(text: str, canonical: str) -> None:
    interest = parse_interest(text, taxonomy.categories())
    assert str(interest) == canonical
    assert Interest.stored(canonical) == interest


@pytest.mark.parametrize(
    ("text", "position"), [("", 0), ("cs.XX", 0), ("cs.CL+cs.XX", 6), ("-cs.CL", 0), ("cs.CL+", 5), ("<b>", 0)]
)
def test_a_mistake_is_placed(text: str, position: int) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_interest(text, taxonomy.categories())
    assert caught.value.position == position


def test_a_paper_matches_by_all_its_categories_and_not_by_an_unwanted_one() -> None:
    interest = Interest(("cs.CV", "cs.CL"), ("cs.RO",))
    assert interest.matches(("stat.ML", "cs.CL"))
    assert not interest.matches(("cs.CL", "cs.RO"))
    assert not interest.matches(("math.NT",))


@given(st.text(max_size=600))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    try:
        parse_interest(text, taxonomy.categories())
    except BadQuery as error:
        assert 0 <= error.position <= 600


@pytest.mark.parametrize(
    ("text", "meant"),
    [("cs.CLL", "cs.CL"), ("machine learning", "cs.LG"), ("number theory", "math.NT")],
)
def test_the_nearest_category_is_suggested(text: str, meant: str) -> None:
    near = taxonomy.nearest(text)
    assert meant in near
    assert len(near) <= 3
