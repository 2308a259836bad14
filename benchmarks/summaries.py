"""How good and how fast the embedded writer is: `python -m benchmarks.summaries --tldr FILE` or `--papers FILE…`.

`--tldr` takes a file in SciTLDR's format and prints each system's ROUGE (F, in percent, stemmed, against the TLDR with
the best ROUGE-1) and milliseconds a paper: ours, the abstract's first sentence, and sumy's LexRank and Reduction, which
are given the file's own sentences. Ours gets title and abstract, divides and trims for itself.

`--papers` takes papers as JSON lines, gzipped, and counts what they come to: a TLDR with takeaways, or why not;
formulas and sentences cut; milliseconds a paper on one core, and papers a second with a process on each of two.

Milliseconds are the processor's, so that they mean the same on a busy machine.
"""

import argparse
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, quantiles

import numpy as np
from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.nlp.stemmers import Stemmer
from sumy.summarizers.lex_rank import LexRankSummarizer
from sumy.summarizers.reduction import ReductionSummarizer
from sumy.utils import get_stop_words

from benchmarks.load import table
from benchmarks.scitldr import Example, read, scores
from bot.summaries.embedded.extractive import Extract, extract
from bot.summaries.embedded.sentences import split
from bot.summaries.embedded.weights import read_ranking

POOLED = 3_000
# What a sentence of real text does not end with before more text; the product's own list is not asked.
_CUT = re.compile(r"\b(?:e\.g|i\.e|cf|vs|resp|Figs?|Eqs?|Eqn|Secs?|Refs?|approx|viz|Dr|Prof)\.$")
_DOLLAR = re.compile(r"(?<!\\)\$")

System = Callable[[Example], str]


@dataclass(frozen=True, slots=True)
class Row:
    """A system's mean F-scores in percent, and milliseconds a paper."""

    system: str
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815 -- the measure's own name
    ms: float


@dataclass(frozen=True, slots=True)
class Count:
    """What the papers of a file came to. A formula is cut where the dollars are paired in the abstract alone."""

    papers: str
    read: int
    with_takeaways: int
    one_sentence: int
    withdrawn: int
    empty: int
    unexplained: int
    cut_formulas: int
    cut_sentences: int
    ms_mean: float
    ms_p95: float
    per_second: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.summaries", description=__doc__)
    parser.add_argument("--tldr", type=Path, help="a file in SciTLDR's format")
    parser.add_argument("--papers", type=Path, nargs="+", help="*.jsonl.gz with title and abstract")
    parser.add_argument("--limit", type=int, help="only so many papers of --tldr")
    parser.add_argument("--weights", type=Path, help="other weights than the shipped ones, as train_tldr writes them")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    options = parser.parse_args()
    if not options.tldr and not options.papers:
        parser.error("give --tldr or --papers")
    tables: list[list[dict[str, object]]] = []
    if options.tldr:
        weights = read_ranking(options.weights) if options.weights else None
        tables.append([asdict(row) for row in compare(read([options.tldr], options.limit), weights)])
    if options.papers:
        files = {file.name.removesuffix(".jsonl.gz"): papers(file) for file in options.papers}
        tables.append([asdict(count(name, each)) for name, each in files.items()])
        pooled = [paper for each in files.values() for paper in each][:POOLED]
        tables.append([{"processes": 2, "papers": len(pooled), "per_second": on_two_cores(pooled)}])
    for rows in tables:
        print("\n".join(map(json.dumps, rows)) if options.json else table(rows) + "\n")


def compare(examples: Sequence[Example], weights: Mapping[str, float] | None = None) -> list[Row]:
    """Every system on the same papers."""
    return [score(name, system, examples) for name, system in systems(weights).items()]


def systems(weights: Mapping[str, float] | None = None) -> dict[str, System]:
    """The systems by name: from a paper, one sentence."""
    return {
        "paperwire": lambda example: extract(example.title, example.abstract, weights).tldr,
        "lead-1": lambda example: example.sentences[0],
        "sumy LexRank": _sumy(LexRankSummarizer),
        "sumy Reduction": _sumy(ReductionSummarizer),
    }


def score(name: str, system: System, examples: Sequence[Example]) -> Row:
    """One system's means; the time is its own, without the scoring."""
    began = time.process_time()
    texts = [system(example) for example in examples]
    ms = (time.process_time() - began) * 1000 / len(examples)
    found = [scores(text, example.tldrs) for text, example in zip(texts, examples, strict=True)]
    return Row(name, *(round(fmean(column), 2) for column in zip(*found, strict=True)), ms=round(ms, 2))


class _Words:
    """What sumy asks of a tokenizer; its own needs data that has to be downloaded."""

    def to_words(self, sentence: str) -> tuple[str, ...]:
        return tuple(re.findall(r"[^\W\d_](?:[\w'-]*\w)?", sentence))


def _sumy(summarizer: type[LexRankSummarizer] | type[ReductionSummarizer]) -> System:
    chooses = summarizer(Stemmer("english"))
    chooses.stop_words = get_stop_words("english")
    words = _Words()

    def first_choice(example: Example) -> str:
        sentences = [Sentence(sentence, words) for sentence in example.sentences]
        with np.errstate(invalid="ignore"):  # LexRank divides by zero where no two sentences are alike
            chosen = chooses(ObjectDocumentModel([Paragraph(sentences)]), 1)
        return str(chosen[0]) if chosen else ""

    return first_choice


def papers(file: Path) -> list[tuple[str, str]]:
    """Title and abstract of every paper in a file of JSON lines."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [(each["title"], each["abstract"]) for each in map(json.loads, lines)]


def count(name: str, given: Sequence[tuple[str, str]]) -> Count:
    """What these papers come to, one after the other on one core."""
    found, took = [], []
    for title, abstract in given:
        began = time.process_time()
        found.append(extract(title, abstract))
        took.append((time.process_time() - began) * 1000)
    reasons = Counter(reason(abstract, each) for (_, abstract), each in zip(given, found, strict=True))
    return Count(
        papers=name,
        read=len(given),
        with_takeaways=reasons["with takeaways"],
        one_sentence=reasons["one sentence"],
        withdrawn=reasons["withdrawn"],
        empty=reasons["empty"],
        unexplained=reasons["unexplained"],
        cut_formulas=sum(
            _dollars(abstract) % 2 == 0 and any(_dollars(text) % 2 for text in texts(each))
            for (_, abstract), each in zip(given, found, strict=True)
        ),
        cut_sentences=sum(is_cut(sentence) for _, abstract in given for sentence in split(abstract)[:-1]),
        ms_mean=round(fmean(took), 2),
        ms_p95=round(quantiles(took, n=20)[-1], 2),
        per_second=round(1000 / fmean(took)),
    )


def reason(abstract: str, found: Extract) -> str:
    """Whether a paper got all that it can get, and if not, why."""
    if not abstract.strip():
        return "empty"
    if found.tldr and found.takeaways:
        return "with takeaways"
    if found.tldr and re.search(r"withdr|retract", found.tldr):
        return "withdrawn"
    return "one sentence" if found.tldr and len(_told(abstract)) == 1 else "unexplained"


def _told(abstract: str) -> list[str]:
    return [sentence for sentence in split(abstract) if "arXiv admin note" not in sentence]


def is_cut(sentence: str) -> bool:
    """Whether a sentence that is not an abstract's last ends where no sentence does."""
    return bool(_CUT.search(sentence))


def texts(found: Extract) -> Iterator[str]:
    """All that a reader is shown."""
    yield found.tldr
    yield from (takeaway.en for takeaway in found.takeaways)


def _dollars(text: str) -> int:
    return len(_DOLLAR.findall(text))


def on_two_cores(given: Iterable[tuple[str, str]]) -> int:
    """Papers a second with a process on each of two cores; their start is not counted."""
    listed = list(given)
    with get_context("spawn").Pool(2) as pool:
        pool.starmap(extract, listed[:2], chunksize=1)
        began = time.perf_counter()
        pool.starmap(extract, listed, chunksize=100)
        return round(len(listed) / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
