"""Learn to label sentences: `python -m benchmarks.train_roles --train FILE --held-out FILE --out FILE`.

Files are in CSAbstruct's format: the sentences of an abstract, and whether each is background, objective, method,
result or other. The model is multinomial logistic regression on the writer's features but those of the title, which the
data lack. Printed, and recorded in the result: of the sentences of `--held-out`, how many got a role and how many of
these got the right one (a problem is background; a method is method or objective).
"""

import argparse
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.summaries.embedded import features
from bot.summaries.embedded.roles import role_of

KINDS = ("background", "objective", "method", "result", "other")
RIGHT = {"problem": {"background"}, "method": {"method", "objective"}, "result": {"result"}}
STEPS, RATE, DECAY = 150, 0.05, 0.001

Array = NDArray[np.float64]
Labelled = list[tuple[dict[str, float], str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_roles", description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    options = parser.parse_args()
    weights = train(read(options.train))
    measured = precision(weights, read(options.held_out))
    print(json.dumps(measured))
    document = {
        "data": f"CSAbstruct (allenai/sequential_sentence_classification): {options.train.name}",
        "licence_of_the_data": "Apache-2.0",
        "method": f"multinomial logistic regression (L2 {DECAY}, {STEPS} steps)",
        "held_out": {"measured_on": options.held_out.name} | measured,
        "trained": datetime.now(UTC).date().isoformat(),
        "features_version": features.VERSION,
        "weights": weights,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def read(file: Path) -> Labelled:
    """Every sentence's features, and what people called it."""
    found: Labelled = []
    for line in file.read_text("utf-8").splitlines():
        abstract = json.loads(line)
        measured = features.measure("", abstract["sentences"])
        found += zip((each.features for each in measured), abstract["labels"], strict=True)
    return found


def train(labelled: Labelled) -> dict[str, dict[str, float]]:
    """For each kind of sentence the weight of each feature, and of `always`."""
    rows = np.array([list(each.values()) for each, _ in labelled])
    truth = np.eye(len(KINDS))[[KINDS.index(kind) for _, kind in labelled]]
    means, deviations = rows.mean(0), rows.std(0)
    deviations[deviations == 0] = np.inf
    weights = _logistic(np.hstack([(rows - means) / deviations, np.ones((len(rows), 1))]), truth)
    scaled = weights[:-1] / deviations[:, None]
    always = weights[-1] - means @ scaled
    return {
        kind: dict(zip((*features.NAMES, "always"), map(_rounded, [*scaled[:, column], always[column]]), strict=True))
        for column, kind in enumerate(KINDS)
    }


def _rounded(weight: float) -> float:
    return round(float(weight), 4)


def _logistic(rows: Array, truth: Array) -> Array:
    """Multinomial logistic regression by Adam."""
    weights = np.zeros((rows.shape[1], truth.shape[1]))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        scored = rows @ weights
        powers = np.exp(scored - scored.max(1, keepdims=True))
        slope = rows.T @ (powers / powers.sum(1, keepdims=True) - truth) / len(rows) + DECAY * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def precision(weights: dict[str, dict[str, float]], labelled: Labelled) -> dict[str, dict[str, float]]:
    """Of each role and of all: how many sentences got it, and the share that is right."""
    given: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for measured, kind in labelled:
        if role := role_of(measured, weights):
            given.update((role, "all"))
            right.update((role, "all") if kind in RIGHT[role] else ())
    return {role: {"given": given[role], "right": round(right[role] / given[role], 3)} for role in sorted(given)}


if __name__ == "__main__":
    main()
