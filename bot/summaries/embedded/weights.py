"""The weights of the embedded writer: learnt by `benchmarks.train_tldr` and `benchmarks.train_roles`, kept as JSON."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bot.summaries.embedded import features

RANKING = Path(__file__).parent / "weights.json"
ROLES = Path(__file__).parent / "roles.json"


@cache
def ranking_weights() -> Mapping[str, float]:
    """What each feature adds to a sentence's score."""
    return read_ranking(RANKING)


@cache
def role_weights() -> Mapping[str, Mapping[str, float]]:
    """What each feature adds to the score of each kind of sentence; `always` is added to all."""
    document = json.loads(ROLES.read_text("utf-8"))
    return {
        kind: _checked(weights, {*features.NAMES, "always"}, document) for kind, weights in document["weights"].items()
    }


def read_ranking(path: Path) -> Mapping[str, float]:
    """The ranking weights in a file. Raises ValueError for those of other features than `features.VERSION`."""
    document = json.loads(path.read_text("utf-8"))
    return _checked(document["weights"], set(features.NAMES), document)


def _checked(weights: dict[str, float], names: set[str], document: dict[str, object]) -> Mapping[str, float]:
    if document["features_version"] != features.VERSION or set(weights) != names:
        raise ValueError(f"these weights are not of features {features.VERSION}: train them anew")
    return weights
