"""Queries: what they mean, what they match, and where they stop making sense."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import taxonomy
from bot.interests import BadQuery, Document, Interest, Matches, parse_interest, stored_interest, topics
from bot.interests.parse import LONGEST_QUERY
from bot.papers import PaperId


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cs.CL", "cs.CL"),
        ("CS.cl", "cs.CL"),
        ("cs.CV+cs.CL-cs.RO", "cs.CV+cs.CL -cs.RO"),
        ("cs.CV + cs.CL - cs.RO", "cs.CV+cs.CL -cs.RO"),
        ("cs.CV, cs.CL,", "cs.CV+cs.CL"),
        ("cs.CV、cs.CL", "cs.CV+cs.CL"),
        ("cs.CV -cs.RO cs.CL", "cs.CV+cs.CL -cs.RO"),
        ("cond-mat.str-el-cs.RO", "cond-mat.str-el -cs.RO"),
        ("hep-th", "hep-th"),
        ("cs.CL+cs.CL", "cs.CL"),
        ("cat:cs.CL", "cs.CL"),
        ("primary:CS.cl", "primary:cs.CL"),
        ("cs.CV AND cs.LG", "cs.CV AND cs.LG"),
        ("(cs.CV AND cs.LG) ViT", "(cs.CV AND cs.LG) ViT"),
        ("cs.CV+cs.CL AND cs.LG", "cs.CV+cs.CL AND cs.LG"),
        (
            '"vision transformer" OR ViT -survey cat:cs.CV au:"Kaiming He" ti:segmentation',
            'cs.CV ("vision transformer" OR ViT) au:"Kaiming He" ti:segmentation -survey',
        ),
        ("“vision  transformer”", '"vision transformer"'),
        ("「vision transformer」", '"vision transformer"'),
        ("diffusion or flow", "diffusion OR flow"),
        ("a | b & c", "a OR (b c)"),
        ("NOT survey benchmark", "benchmark -survey"),
        ("benchmark ANDNOT survey", "benchmark -survey"),
        ("not not benchmark", "benchmark"),
        ("benchmark -(survey OR review)", "benchmark -(survey OR review)"),
        ("title: few-shot abstract:robot author:He", "ti:few-shot abs:robot au:He"),
        ("all:robot", "robot"),
        ("Node.js", '"Node.js"'),
        ('"math"', '"math"'),
        ("#LLM", "#llm"),
        ("#视频理解 -survey", "#video-understanding -survey"),
    ],
)
def test_a_query_reads_as_people_write_it(text: str, canonical: str) -> None:
    interest = parse_interest(text)
    assert str(interest) == canonical
    assert parse_interest(canonical) == interest
    assert stored_interest(canonical).term == interest.term


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", "empty", 0),
        ("x" * (LONGEST_QUERY + 1), "too_long", LONGEST_QUERY),
        ("((((((((((( a )))))))))))", "too_deep", 10),
        (" ".join(f"w{number}" for number in range(101)), "too_many", 0),
        ('a "b c', "unclosed_quote", 2),
        ("a (b", "unclosed_bracket", 2),
        ("a) b", "stray_bracket", 1),
        ("a ()", "half", 3),
        ("a OR", "half", 4),
        ("OR a", "half", 0),
        ("a ti:", "half", 5),
        ("titel:x", "field", 0),
        ("cs.CL titel:x", "field", 6),
        ("cs.XX", "category", 0),
        ("cs.CL+cs.XX", "category", 6),
        ("cat:nonsense", "category", 4),
        ("math", "category", 0),
        ("hep-thh", "category", 0),
        ("#nonsense", "topic", 0),
        ("transform*", "wildcard", 9),
        ("a ...", "no_words", 2),
        ("au:K", "no_name", 3),
        ("cs.CL 视频", "chinese", 6),
        ("-cs.CL", "only_not", 0),
        ("cs.CL OR -survey", "only_not", 0),
        ("a # b", "unreadable", 2),
    ],
)
def test_a_mistake_is_placed_and_named(text: str, problem: str, position: int) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_interest(text)
    assert (caught.value.problem, caught.value.position) == (problem, position)


def wants(query: str, **facts: Any) -> bool:
    """Whether a query wants a paper with these facts."""
    known: dict[str, Any] = {"categories": ["cs.CV", "cs.LG"], "title": "A title", "abstract": "An abstract."} | facts
    matches = Matches([interest := parse_interest(query)])
    matches.add([Document(PaperId("1"), ["math.NT"]), Document(PaperId("2"), **known), Document(PaperId("3"), [])])
    return "2" in matches.of(interest)


@pytest.mark.parametrize(
    ("query", "is_wanted"),
    [
        ("cs.LG", True),
        ("cs.CL+cs.LG", True),
        ("cs.CV AND cs.LG", True),
        ("cs.CV AND cs.CL", False),
        ("cs.CV -cs.LG", False),
        ("primary:cs.CV", True),
        ("primary:cs.LG", False),
        ("math.NT", False),
    ],
)
def test_a_paper_matches_by_all_its_categories_and_not_by_an_unwanted_one(query: str, is_wanted: bool) -> None:
    assert wants(query) is is_wanted


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("transformer", "Vision Transformers at scale"),
        ("transformers", "A transformer."),
        ("few-shot", "A few shot learner"),
        ('"few shot"', "Few-Shot learners"),
        ("fewshot", "few-shot"),
        ("few-shot", "fewshot"),
        ('"real-time object detection"', "realtime object detections"),
        ("GAN", "two GANs"),
        ("analysis", "Analyses of variance"),
        ("matrix", "Random matrices"),
        ("class", "many classes"),
        ("cache", "KV caches"),
        ("theory", "string theories"),
        ("bias", "biases"),
        ("Schrödinger", "the Schrodinger equation"),
        ("Schrodinger", r"the Schr\"odinger equation"),
        ("Godel", r"G{\"o}del numbers"),
        ('"k-means clustering"', "$k$-means clustering"),
        ("Erdos", "Erdős–Rényi graphs"),
        ('"Erdős-Rényi"', "Erdos-Renyi"),
        ("Lojasiewicz", "Łojasiewicz"),
        ("BERT", r"\textbf{BERT} and more"),
    ],
)
def test_plurals_hyphens_accents_and_latex_make_no_difference(query: str, text: str) -> None:
    assert wants(query, title=text)
    assert wants(query, abstract=text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("form", "Transformer"),
        ("transform", "transformers"),
        ('"vision transformer"', "transformer for vision"),
        ('"vision transformer"', "vision. A Transformer"),
        ("universe", "universal"),
        ("gas", "ga"),
    ],
)
def test_other_words_are_other_words(query: str, text: str) -> None:
    assert not wants(query, title=text)


def test_words_are_looked_for_in_the_field_that_is_named() -> None:
    facts = {"title": "Segmentation of cells", "abstract": "A benchmark for robots."}
    assert wants("segmentation benchmark", **facts)
    assert wants("ti:segmentation abs:robot", **facts)
    assert not wants("ti:robot", **facts)
    assert not wants("abs:segmentation", **facts)


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("He", "Kaiming He"),
        ("Kaiming He", "Kaiming He"),
        ("He Kaiming", "Kaiming He"),
        ("K. He", "Kaiming He"),
        ("Kaiming He", "K. He"),
        ("Jun-Yan Zhu", "Junyan Zhu"),
        ("Junyan Zhu", "Jun-Yan Zhu"),
        ("Muller", "Jörg Müller"),
        ("Geoffrey Hinton", "Geoffrey E. Hinton"),
        ("O'Brien", "Flann O’Brien"),
        ("Łukasz Kaiser", "Lukasz Kaiser"),
    ],
)
def test_an_author_is_found_however_the_name_is_written(name: str, author: str) -> None:
    assert wants(f'au:"{name}"', authors=["Ada Lovelace", author])


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("Kaiming He", "Kaiming Hu"),
        ("Kaiming He", "Wei He"),
        ("He", "Sheila Heti"),
        ("Ada He", "Ada Lovelace"),
        ("K. H.", "Kaiming He"),
    ],
)
def test_another_author_is_not_taken_for_the_one(name: str, author: str) -> None:
    if name == "K. H.":
        with pytest.raises(BadQuery):
            parse_interest(f'au:"{name}"')
    else:
        assert not wants(f'au:"{name}"', authors=["Wang Zhenyi", author])


def test_an_author_has_one_name_not_parts_of_several() -> None:
    assert not wants('au:"Ada He"', authors=["Ada Lovelace", "Kaiming He"])


def test_a_query_knows_where_it_looks() -> None:
    assert parse_interest("cs.CV+cs.CL -cs.RO ViT").wanted == ("cs.CV", "cs.CL")
    assert parse_interest("primary:cs.CV OR cs.CL").wanted == ("cs.CV", "cs.CL")
    assert parse_interest("cs.CV OR ViT").is_open
    assert parse_interest("ViT -cs.CV").is_open
    assert parse_interest("#detection-segmentation-tracking").wanted == ("cs.CV",)


@pytest.mark.parametrize("slug", topics())
def test_every_topic_has_two_names_and_a_query_that_says_the_same_when_written_anew(slug: str) -> None:
    topic = topics()[slug]
    assert topic.en
    assert any("\u3400" < sign < "\u9fff" for sign in topic.zh)
    meaning = parse_interest(topic.query)
    assert parse_interest(str(meaning)) == meaning
    assert parse_interest("#" + topic.zh.replace(" ", "")) == parse_interest(f"#{slug}")


def test_there_are_topics_enough() -> None:
    assert len(topics()) >= 24


def test_a_topic_finds_its_papers() -> None:
    assert wants("#vision-transformer", title="ViTs see more")
    assert wants("#llm -survey", title="Pruning large language models")
    assert not wants("#llm -survey", title="Large language models: a survey")


def test_what_was_stored_is_read_although_it_does_not_exist_any_more() -> None:
    gone = stored_interest("cs.ZZ #gone cs.CL")
    assert str(gone) == "cs.ZZ+cs.CL #gone"
    assert gone.wanted == ("cs.ZZ", "cs.CL")


WORDS = st.sampled_from(
    ["cs.CV", "cs.CL", "hep-th", "ViT", "few-shot", '"a b"', "ti:x", "au:He", "primary:cs.LG", "#llm", "Node.js"]
)
QUERIES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " OR ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " AND ".join(parts) + ")"),
        inner.map(lambda part: f"-({part})"),
    ),
    max_leaves=8,
)


@given(QUERIES)
def test_the_canonical_form_means_the_same(text: str) -> None:
    try:
        interest = parse_interest(text)
    except BadQuery as error:
        assert error.problem in ("only_not", "too_many", "too_deep", "too_long")
        return
    again = parse_interest(str(interest))
    assert again.term == interest.term
    assert again.query == interest.query


@given(st.text(max_size=600) | st.text('abc"()-+|&#:*. 视', max_size=60))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    try:
        assert isinstance(parse_interest(text), Interest)
    except BadQuery as error:
        assert 0 <= error.position <= LONGEST_QUERY


@pytest.mark.parametrize(
    ("text", "meant"),
    [("cs.CLL", "cs.CL"), ("machine learning", "cs.LG"), ("number theory", "math.NT")],
)
def test_the_nearest_category_is_suggested(text: str, meant: str) -> None:
    near = taxonomy.nearest(text)
    assert meant in near
    assert len(near) <= 3


def test_many_queries_over_many_papers_give_what_each_gives_alone() -> None:
    """However the papers come: all at once, in parts, or one of them twice."""
    words = ("vision", "transformers", "few-shot", "survey", "robot", "of", "GANs")
    documents = [
        Document(
            PaperId(str(number)),
            ["cs.CV", "cs.CL", "cs.RO"][number % 3 :],
            " ".join(words[number % 7 :]),
            " ".join(words[: number % 5]),
            [f"{'ABC'[number % 3]}. He", "Ada Lovelace"][: 1 + number % 2],
        )
        for number in range(300)
    ]
    interests = [
        parse_interest(query)
        for query in (
            "cs.CV -robot",
            '"vision transformer"',
            "ti:fewshot OR au:Lovelace",
            'au:"Bo He"',
            "#vision-transformer",
        )
    ]
    together = Matches(interests)
    for start, end in ((0, 100), (50, 150), (150, 300)):
        together.add(documents[start:end])
    for interest in interests:
        alone = Matches([interest])
        alone.add(documents)
        assert together.of(interest) == alone.of(interest) != []
    assert set(together.of_any()) == {each for interest in interests for each in together.of(interest)}
