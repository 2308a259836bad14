"""Learn the embedded writer's weights: `python -m benchmarks.train_tldr --train FILE… --out FILE [--held-out FILE]`.

Files are in SciTLDR's format. A sentence is worth its ROUGE-1 against the TLDR. Two sets of weights are averaged, both
linear in the features: ridge regression on what a sentence is worth beside the others of its abstract, and from there
some steps towards the best expected worth of a choice by softmax. `--held-out` names one of the training files: the
scores recorded in the result are those of weights learnt without it; the weights themselves are learnt from all.
`--folds N` cross-validates instead, and prints what every choice here was made by.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scitldr import MEASURES, Example, read, scores
from bot.summaries.embedded import features
from bot.summaries.embedded.extractive import extract
from bot.summaries.embedded.sentences import split

METHOD = "mean of ridge regression (1000) on ROUGE-1 and 60 steps of expected ROUGE-1 (L2 0.003), 1 = one deviation"
RIDGE, STEPS, RATE, DECAY, SPREAD = 1000.0, 60, 0.02, 0.003, 2.0

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Every sentence of some papers: its features, its worth, and at which rows a paper begins."""

    features: Array
    worth: Array
    begins: NDArray[np.intp]

    @property
    def paper(self) -> NDArray[np.intp]:
        """To which paper each row belongs."""
        return np.repeat(np.arange(len(self.begins)), np.diff([*self.begins, len(self.worth)]))

    def beside_its_paper(self, values: Array) -> Array:
        """Values less their paper's mean: only what differs within an abstract can choose."""
        counts = np.diff([*self.begins, len(self.worth)])
        means = np.add.reduceat(values, self.begins) / counts.reshape(-1, *[1] * (values.ndim - 1))
        return values - means[self.paper]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_tldr", description=__doc__)
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="files in SciTLDR's format")
    parser.add_argument("--out", type=Path, help="the JSON to write")
    parser.add_argument("--held-out", type=Path, help="which of the training files to measure on")
    parser.add_argument("--folds", type=int, help="cross-validate in so many parts instead")
    options = parser.parse_args()
    if options.folds:
        print(named(cross_validated(read(options.train), options.folds)))
        return
    held_out = None
    if options.held_out:
        without = [file for file in options.train if file != options.held_out]
        measured = mean_scores(train(read(without)), read([options.held_out]))
        held_out = {"trained_on": [file.name for file in without], "measured_on": options.held_out.name}
        held_out |= named(measured)
        print(held_out)
    examples = read(options.train)
    document = {
        "data": f"SciTLDR (allenai/scitldr), abstracts only: {', '.join(file.name for file in options.train)}",
        "papers": len(examples),
        "licence_of_the_data": "Apache-2.0",
        "method": METHOD,
        "held_out": held_out,
        "trained": datetime.now(UTC).date().isoformat(),
        "features_version": features.VERSION,
        "weights": train(examples),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def train(examples: Sequence[Example]) -> dict[str, float]:
    """The weight of each feature, scaled so that the scores of the training sentences have a deviation of 1."""
    weights = learn(lesson(examples))
    return {name: round(float(weight), 5) for name, weight in zip(features.NAMES, weights, strict=True)}


def lesson(examples: Sequence[Example]) -> Lesson:
    """What there is to learn from: the sentences as the writer sees and trims them."""
    rows, worth, begins = [], [], []
    for example in examples:
        begins.append(len(rows))
        for sentence in features.measure(example.title, split(example.abstract)):
            rows.append(list(sentence.features.values()))
            worth.append(scores(sentence.trimmed, example.tldrs, ("rouge1",))[0] / 100)
    return Lesson(np.array(rows), np.array(worth), np.array(begins))


def learn(given: Lesson) -> Array:
    """The weights of the features as they are."""
    deviations = given.features.std(0)
    deviations[deviations == 0] = np.inf  # a feature that never varies gets no weight
    rows = (given.features - given.features.mean(0)) / deviations
    ridge = _ridge(rows, given)
    softened = _best_expected(rows, given, SPREAD * ridge / np.std(rows @ ridge))
    weights: Array = ridge / np.std(rows @ ridge) + softened / np.std(rows @ softened)
    return weights / np.std(rows @ weights) / deviations


def _ridge(rows: Array, given: Lesson) -> Array:
    beside = given.beside_its_paper(rows)
    target = given.beside_its_paper(given.worth)
    return np.linalg.solve(beside.T @ beside + RIDGE * np.eye(rows.shape[1]), beside.T @ target)


def _best_expected(rows: Array, given: Lesson, weights: Array) -> Array:
    """From these weights, steps (Adam) towards the greatest mean worth of a sentence chosen by softmax."""
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    paper = given.paper
    for step in range(1, STEPS + 1):
        scored = rows @ weights
        powers = np.exp(scored - np.maximum.reduceat(scored, given.begins)[paper])
        chance = powers / np.add.reduceat(powers, given.begins)[paper]
        expected = np.add.reduceat(chance * given.worth, given.begins)[paper]
        slope = rows.T @ (chance * (expected - given.worth)) / len(given.begins) + DECAY * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights = weights - RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def cross_validated(examples: Sequence[Example], folds: int) -> tuple[float, ...]:
    """The mean scores of TLDRs that were each chosen by weights learnt from the other parts."""
    parts = [[examples[index] for index in range(part, len(examples), folds)] for part in range(folds)]
    found = []
    for part in range(folds):
        others = [example for number, each in enumerate(parts) if number != part for example in each]
        found.append((len(parts[part]), mean_scores(train(others), parts[part])))
    return tuple(sum(size * each[index] for size, each in found) / len(examples) for index in range(len(MEASURES)))


def mean_scores(weights: dict[str, float], examples: Sequence[Example]) -> tuple[float, ...]:
    """ROUGE-1, 2 and L of the embedded writer with these weights."""
    found = [scores(extract(each.title, each.abstract, weights).tldr, each.tldrs) for each in examples]
    return tuple(float(mean) for mean in np.mean(found, axis=0))


def named(found: tuple[float, ...]) -> dict[str, float]:
    """Scores with their names, as people read them."""
    return {name: round(score, 2) for name, score in zip(MEASURES, found, strict=True)}


if __name__ == "__main__":
    main()
