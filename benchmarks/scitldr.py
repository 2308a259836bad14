"""Papers with TLDRs that people wrote, in SciTLDR's format, and how near a sentence comes to them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

MEASURES = ("rouge1", "rouge2", "rougeL")


@dataclass(frozen=True, slots=True)
class Example:
    """A paper's title, the sentences of its abstract as the file divides them, and its TLDRs."""

    title: str
    sentences: tuple[str, ...]
    tldrs: tuple[str, ...]

    @property
    def abstract(self) -> str:
        return " ".join(self.sentences)


def read(files: Iterable[Path], limit: int | None = None) -> list[Example]:
    """The examples of all files, or the first `limit`."""
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines() if line.strip()]
    return [Example(each["title"], tuple(each["source"]), tuple(each["target"])) for each in lines[:limit]]


def scores(text: str, tldrs: Sequence[str], measures: tuple[str, ...] = MEASURES) -> tuple[float, ...]:
    """The F-scores of `text`, in percent, against the TLDR with the best ROUGE-1: stemmed, as SciTLDR's paper does."""
    found = [_scorer(measures).score(tldr, text) for tldr in tldrs]
    best = max(found, key=lambda each: each["rouge1"].fmeasure)
    return tuple(100 * best[measure].fmeasure for measure in measures)


@cache
def _scorer(measures: tuple[str, ...]) -> RougeScorer:
    return RougeScorer(list(measures), tokenizer=_RememberingTokenizer())


class _RememberingTokenizer(Tokenizer):
    """rouge-score's own with `use_stemmer=True`, which would stem each word anew."""

    def __init__(self) -> None:
        self._stemmer = DefaultTokenizer(use_stemmer=True)._stemmer
        self.stem = cache(self._stemmer.stem)

    def tokenize(self, text: str) -> list[str]:
        found: list[str] = tokenize(text, self)
        return found
