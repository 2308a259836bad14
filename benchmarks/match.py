"""How long 100,000 subscriptions take over a day of 3,000 papers: `python -m benchmarks.match [--json]`.

Of 10,000 distinct queries 40 % are category algebra, 40 % phrases out of real titles, 20 % authors and exclusions. The
time has everything in it: reading the stored queries, reading the papers' words, matching, and giving each
subscription its papers.
"""

import argparse
import gzip
import json
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from benchmarks.load import table
from bot import taxonomy
from bot.interests import BadQuery, Document, Matches, parse_interest, stored_interest
from bot.papers import PaperId

PAPERS = Path("../shared/data/arxiv/papers/papers_rss_2026-08-04_14.jsonl.gz")


@dataclass(frozen=True, slots=True)
class Row:
    """`matched`: papers that subscriptions got, all together. `peak_mb`: the most memory that the process had."""

    subscriptions: int
    queries: int
    papers: int
    matched: int
    seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.match", description=__doc__)
    parser.add_argument("--papers", type=Path, default=PAPERS, help="a *.jsonl.gz of papers")
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=3_000, help="papers of the day")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    documents = list(islice(read(options.papers), options.size))
    row = asdict(measure(documents, options.subscriptions, options.queries))
    print(json.dumps(row) if options.json else table([row]))


def read(file: Path) -> Iterator[Document]:
    """The papers of a file, one a line."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            paper = json.loads(line)
            yield Document(
                PaperId(paper["id"]), paper["categories"], paper["title"], paper["abstract"], paper["authors"]
            )


def measure(documents: list[Document], subscriptions: int, queries: int) -> Row:
    """One tick over all of them."""
    chance = random.Random(1)
    distinct = list(islice(made_up(documents, chance), queries))
    followed = [chance.choice(distinct) for _ in range(subscriptions)]
    stored_interest.cache_clear()
    start = time.perf_counter()
    interests = {query: stored_interest(query) for query in set(followed)}
    matches = Matches(interests.values())
    matches.add(documents)
    matched = sum(len(matches.of(interests[query])) for query in followed)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Row(subscriptions, len(interests), len(documents), matched, round(seconds, 2), round(peak, 1))


def made_up(documents: list[Document], chance: random.Random) -> Iterator[str]:
    """Queries as people may write them, none twice, in their canonical form."""
    codes, seen = list(taxonomy.categories()), set()
    while True:
        kind = chance.random()
        if kind < 0.4:
            wanted = "+".join(chance.sample(codes, chance.randint(1, 4)))
            query = f"{wanted} -{chance.choice(codes)}" if chance.random() < 0.5 else wanted
        elif kind < 0.8:
            words = chance.choice(documents).title.split()
            start = chance.randrange(len(words))
            phrase = " ".join(words[start : start + 2]).replace('"', "")
            query = f'"{phrase}" {chance.choice(codes)}' if chance.random() < 0.5 else f'"{phrase}"'
        else:
            author = chance.choice(chance.choice(documents).authors).replace('"', "")
            query = f'au:"{author}" -{chance.choice(codes)}'
        try:
            canonical = str(parse_interest(query))
        except BadQuery:
            continue
        if canonical not in seen:
            seen.add(canonical)
            yield canonical


if __name__ == "__main__":
    main()
