"""How often the checks cry wolf: `python -m benchmarks.guards --tldr FILE… [--json]`.

Each file has a paper a line as JSON: `title`, `source` (the abstract's sentences), `target` (TLDRs that people wrote).
What a guard finds in these it would find in good summaries too; TLDRs of another paper show what it is there for.
Guards of Chinese have nothing to say of any of them.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.load import table
from bot.papers import Paper, PaperId
from bot.summaries.checks import GUARDS, check
from bot.summaries.embedded.extractive import extract
from bot.summary import Provenance, Summary, Takeaway

TLDRS = (Path("../shared/data/scitldr/train.jsonl"), Path("../shared/data/scitldr/dev.jsonl"))
_OF_CHINESE = ("kept", "script")


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many of the texts of a writer a guard fired on."""

    writer: str
    guard: str
    action: str
    fired: int
    of: int
    percent: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guards", description=__doc__)
    parser.add_argument("--tldr", type=Path, nargs="+", default=TLDRS, help="files of TLDRs, a paper a line")
    parser.add_argument("--show", metavar="GUARD", help="what this guard finds in each text instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    pairs = [pair for file in options.tldr for pair in read(file)]
    if options.show:
        print("\n".join(shown(pairs, options.show)))
        return
    writers = {
        "people": pairs,
        "paperwire, embedded": extracted(pairs),
        "people, of another paper": exchanged(pairs),
    }
    rows = [asdict(row) for writer, written in writers.items() for row in alarms(writer, written)]
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))


def read(file: Path) -> Iterator[tuple[Paper, Summary]]:
    """Each TLDR with its paper."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            entry = json.loads(line)
            paper = _paper(number, entry["title"], " ".join(entry["source"]))
            yield from ((paper, _summary(paper, target.strip())) for target in entry["target"] if target.strip())


def extracted(pairs: Iterable[tuple[Paper, Summary]]) -> Iterator[tuple[Paper, Summary]]:
    """What the embedded writer makes of the same papers."""
    for paper in {paper.abstract: paper for paper, _ in pairs}.values():
        found = extract(paper.title, paper.abstract)
        yield paper, _summary(paper, found.tldr, found.takeaways)


def exchanged(pairs: Sequence[tuple[Paper, Summary]]) -> Iterator[tuple[Paper, Summary]]:
    """Each paper with the TLDR of another one of the same field."""
    half = len(pairs) // 2
    for (paper, _), (_, summary) in zip(pairs, (*pairs[half:], *pairs[:half]), strict=True):
        yield paper, summary


def alarms(writer: str, pairs: Iterable[tuple[Paper, Summary]]) -> list[Alarms]:
    """A row for each guard of English, and one for all that reject."""
    fired: Counter[str] = Counter()
    actions: dict[str, str] = {}
    total = 0
    for paper, summary in pairs:
        findings = check(summary, paper)
        total += 1
        fired.update({finding.guard for finding in findings})
        fired["any that rejects"] += any(finding.action == "reject" for finding in findings)
        actions.update({finding.guard: finding.action for finding in findings})
    return [
        Alarms(writer, guard, actions.get(guard, ""), fired[guard], total, round(100 * fired[guard] / max(1, total), 2))
        for guard in (*(guard for guard in GUARDS if guard not in _OF_CHINESE), "any that rejects")
    ]


def shown(pairs: Iterable[tuple[Paper, Summary]], guard: str) -> Iterator[str]:
    """Each finding of one guard, with the text that it is about."""
    for paper, summary in pairs:
        yield from (f"{each.detail} | {summary.tldr}" for each in check(summary, paper) if each.guard == guard)


def _paper(number: int, title: str, abstract: str) -> Paper:
    return Paper(PaperId(f"2603.{number % 100_000:05}"), 1, title, abstract, (), ("cs.LG",))


def _summary(paper: Paper, tldr: str, takeaways: tuple[Takeaway, ...] = ()) -> Summary:
    return Summary(paper.id, 1, tldr, takeaways, Provenance("hand", "1", datetime(2026, 1, 1, tzinfo=UTC)))


if __name__ == "__main__":
    main()
