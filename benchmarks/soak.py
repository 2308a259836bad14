"""A month in simulated time: does anything grow that should not? `python -m benchmarks.soak [--days 30] [--json]`.

The whole program on SQLite, on the replay's clock and among its stub servers, with invented announcements every day. At
the end of each day its process says how much memory it holds, how many asyncio tasks there are and how large the
database is. Texts are dropped after three days, so that this is seen too; what stays is the ledger, the papers and
their summaries, which are as many every day: `predicted_kb` is the straight line through days 6 to 12.
"""

import argparse
import asyncio
import gzip
import json
import random
import sqlite3
import statistics
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from benchmarks.load import table
from benchmarks.replay import simulated
from benchmarks.replay.harness import Harness
from benchmarks.replay.world import ChatPlan
from bot.app import Role
from tests.servers.arxiv import Capture, Entry, atom_feed

FIRST_DAY = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
CATEGORIES = ("cs.CL", "cs.RO")
PAPERS_A_DAY = 20
RETENTION_DAYS = 3
SETTLED = slice(5, 12)
"""The days whose growth is continued: texts go as they come."""
LAST = 10
"""The days at the end over which memory is judged: whatever is kept on purpose is full by then."""
_SAMPLES = "samples.jsonl"
_WORDS = [
    *("agent", "attention", "benchmark", "corpus", "cost", "data", "dialogue", "error", "feature", "gradient", "grasp"),
    *("language", "model", "motion", "network", "objective", "plan", "policy", "query", "reward", "robot", "scene"),
    *("sensor", "task", "token", "torque", "vision"),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    rows = soak(options.days)
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))
    print(json.dumps(summary(rows)))


def soak(days: int) -> list[dict[str, object]]:
    """A row for each day that ended."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with patch.object(simulated, "run", run):
            result = asyncio.run(_Month(list(invented(days, folder)), plans(), folder).run())
        if result.unsent or result.breaches:
            raise RuntimeError(f"unsent: {result.unsent}; breaches: {result.breaches}")
        samples = [json.loads(line) for line in (folder / _SAMPLES).read_text("utf-8").splitlines()]
    samples = samples[1 : days + 1]  # from the first day that ended with digests to the last
    sizes = [each["database_kb"] for each in samples]
    growth = statistics.linear_regression(range(*SETTLED.indices(len(sizes))), sizes[SETTLED])
    return [
        {**sample, "predicted_kb": round(growth.intercept + growth.slope * day)} for day, sample in enumerate(samples)
    ]


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """What a month comes to."""
    memory = [float(str(row["memory_kb"])) for row in rows]
    last = rows[-1]
    return {
        "memory_since_day_3": round(memory[-1] / memory[2], 3),
        "memory_kb_a_day_at_the_end": round(
            statistics.linear_regression(range(len(memory[-LAST:])), memory[-LAST:]).slope, 1
        ),
        "tasks": sorted({int(str(row["tasks"])) for row in rows}),
        "database_to_predicted": round(float(str(last["database_kb"])) / float(str(last["predicted_kb"])), 3),
    }


def plans() -> list[ChatPlan]:
    """Chats of every kind."""
    platforms = ("telegram", "telegram", "discord", "web")
    return [
        ChatPlan(
            name=f"chat {number}",
            platform=platforms[number % 4],
            queries=(CATEGORIES[number % 2],) if number % 3 else CATEGORIES,
            zone=("UTC", "Asia/Shanghai", "America/New_York")[number % 3],
            time=f"{8 + number % 12:02}:00",
            cap=(0, 12)[number % 2],
            group=number % 4 == 1,
        )
        for number in range(12)
    ]


def invented(days: int, folder: Path) -> Iterator[Capture]:
    """A feed of each category for every day, with papers of its own."""
    dice = random.Random(1)
    for day in range(days):
        built = FIRST_DAY + timedelta(days=day)
        for place, category in enumerate(CATEGORIES):
            entries = [
                Entry(
                    id=f"2603.{1 + (day * len(CATEGORIES) + place) * PAPERS_A_DAY + number:05}",
                    title=_sentence(dice, 8),
                    abstract=" ".join(_sentence(dice, 18) for _ in range(7)),
                    categories=(category,),
                )
                for number in range(PAPERS_A_DAY)
            ]
            path = folder / f"{category}-{day}.xml.gz"
            path.write_bytes(gzip.compress(atom_feed(category, entries, built.timestamp())))
            yield Capture(category, built, path)


def _sentence(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words)).capitalize() + "."


class _Month(Harness):
    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "PAPERWIRE_RETENTION__DAYS": str(RETENTION_DAYS)}


def run(port: int, roles: Collection[Role], environment: dict[str, str], log: Path) -> None:
    """Be the replay's bot, and note how it stands whenever a day has ended and nothing is in flight."""
    tell, noted = simulated.SimulatedTime.tell, None
    database = environment["PAPERWIRE_DATABASE__URL"].removeprefix("sqlite:///")

    def note_and_tell(time: simulated.SimulatedTime, **words: object) -> None:
        nonlocal noted
        if "idle_until" in words and time.now().date() != noted:
            noted = time.now().date()
            sample = {
                "day": noted.isoformat(),
                "memory_kb": _memory_kb(),
                "tasks": len(asyncio.all_tasks()),
                "database_kb": _size_kb(database),
            }
            with (log.parent / _SAMPLES).open("a", encoding="utf-8") as out:
                out.write(json.dumps(sample) + "\n")
        tell(time, **words)

    with patch.object(simulated.SimulatedTime, "tell", note_and_tell):
        simulated.run(port, roles, environment, log)


def _memory_kb() -> int:
    return int(Path("/proc/self/status").read_text("utf-8").partition("VmRSS:")[2].split()[0])


def _size_kb(database: str) -> int:
    """The pages of the file, without those that are free to be used again."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size // 1024


if __name__ == "__main__":
    main()
