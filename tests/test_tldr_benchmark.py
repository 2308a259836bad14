"""The embedded writer's weights: how they are learnt, and how near its TLDRs come to those that people wrote."""

import json
from pathlib import Path

import pytest

from benchmarks import train_roles, train_tldr
from benchmarks.scitldr import Example, read, scores
from benchmarks.summaries import compare, count, is_cut
from bot.summaries.embedded import features
from bot.summaries.embedded.weights import RANKING, ROLES, ranking_weights, read_ranking, role_weights

# The reference's ridge regression on SciTLDR's dev set.
BOUND = (41.8, 20.4, 33.8)

EXAMPLE = Example(
    "Sparse beacons for robots",
    ("Robots lose their way.", "We propose sparse beacons, which robots ask for the way.", "They are cheap."),
    ("Sparse beacons tell robots the way.", "A film about bees."),
)


def test_the_shipped_weights_are_those_of_the_features() -> None:
    assert set(ranking_weights()) == set(features.NAMES)
    assert all(set(weights) == {*features.NAMES, "always"} for weights in role_weights().values())


@pytest.mark.parametrize("file", [RANKING, ROLES])
def test_the_shipped_weights_say_where_they_come_from_and_are_small(file: Path) -> None:
    document = json.loads(file.read_text("utf-8"))
    assert document["licence_of_the_data"] == "Apache-2.0"
    assert {"data", "method", "held_out", "trained", "features_version"} <= set(document)
    assert file.stat().st_size < 100_000


@pytest.mark.parametrize("change", [{"features_version": features.VERSION + 1}, {"weights": {"we": 1.0}}])
def test_weights_of_other_features_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "weights.json"
    file.write_text(json.dumps(json.loads(RANKING.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ValueError, match="train them anew"):
        read_ranking(file)


def test_a_text_is_scored_against_the_tldr_that_it_comes_nearest_to() -> None:
    assert scores("Sparse beacons tell robots the way.", EXAMPLE.tldrs) == (100, 100, 100)
    assert scores("Nothing alike", EXAMPLE.tldrs) == (0, 0, 0)


def test_words_are_scored_by_their_stems() -> None:
    assert scores("robot asked", ["robots asking"], ("rouge1",)) == (100,)


def test_every_system_is_measured_on_the_same_papers() -> None:
    rows = compare([EXAMPLE, EXAMPLE])
    assert [row.system for row in rows] == ["paperwire", "lead-1", "sumy LexRank", "sumy Reduction"]
    assert rows[0].rouge1 == round(scores(EXAMPLE.sentences[1], EXAMPLE.tldrs)[0], 2)
    assert rows[1].rouge1 == round(scores(EXAMPLE.sentences[0], EXAMPLE.tldrs)[0], 2)


def test_every_paper_without_takeaways_is_explained() -> None:
    counted = count(
        "ours",
        [
            (EXAMPLE.title, EXAMPLE.abstract),
            ("One", "We show one thing."),
            ("Gone", "This paper has been withdrawn by its author. It was wrong."),
            ("Nothing", "  "),
        ],
    )
    assert (counted.read, counted.with_takeaways, counted.one_sentence, counted.withdrawn) == (4, 1, 1, 1)
    assert (counted.empty, counted.unexplained, counted.cut_formulas, counted.cut_sentences) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("sentence", "cut"), [("as seen in Fig.", True), ("as others do, e.g.", True), ("by J. Smith et al.", False)]
)
def test_a_sentence_that_ends_at_an_abbreviation_is_cut(sentence: str, cut: bool) -> None:
    assert is_cut(sentence) is cut


@pytest.mark.shared
def test_weights_learnt_without_the_dev_set_reach_the_reference_on_it(shared: Path) -> None:
    weights = train_tldr.train(read([shared / "scitldr" / "train.jsonl"]))
    reached = train_tldr.mean_scores(weights, read([shared / "scitldr" / "dev.jsonl"]))
    assert all(mine >= bound for mine, bound in zip(reached, BOUND, strict=True)), reached


@pytest.mark.shared
def test_of_the_roles_given_85_of_100_are_right(shared: Path) -> None:
    labelled = train_roles.read(shared / "csabstruct" / "csabstruct_dev.jsonl")
    reached = train_roles.precision({kind: dict(weights) for kind, weights in role_weights().items()}, labelled)
    assert all(each["right"] >= 0.85 for each in reached.values()), reached
    assert reached["all"]["given"] >= 250
