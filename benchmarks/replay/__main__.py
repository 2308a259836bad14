"""`python -m benchmarks.replay --captures DIR --chats FILE --journal OUT.jsonl [--kill-every N] [--database URL]`.

Days of captured feeds for chats on three platforms. What was received goes to the journal; a line of JSON says how it
went. With PostgreSQL several processes can share the work (`--workers`), and are killed in turn.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks.postgres import postgres
from benchmarks.replay.harness import Harness, Kills, Result
from benchmarks.replay.owed import lost
from benchmarks.replay.world import Received, read_chats
from tests.servers.arxiv import load_captures

_MEMORY = Path("/dev/shm")  # noqa: S108 -- for folders of our own
"""A disk in memory. What a killed process has written is there on any disk: only a power cut would tell them apart."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--captures", type=Path, required=True, help="folder of *.xml.gz captures")
    parser.add_argument("--chats", type=Path, required=True, help="TOML file with [[chat]] tables")
    parser.add_argument("--journal", type=Path, required=True, help="written: one JSON line a received paper")
    parser.add_argument("--kill-every", type=int, default=0, metavar="N", help="kill a bot after every N messages")
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="an empty PostgreSQL database (default: SQLite); `postgresql` starts a server of its own",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share PostgreSQL")
    options = parser.parse_args()
    if options.workers > 1 and not options.database:
        parser.error("--workers: several processes need --database")
    captures, plans = load_captures(options.captures), read_chats(options.chats)
    kills = Kills(every=options.kill_every)
    tempfile.tempdir = str(_MEMORY) if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="paperwire-replay-"))
    with postgres() if options.database == "postgresql" else nullcontext(options.database) as url:
        harness = Harness(captures, plans, folder, kills, database=url, workers=options.workers)
        result = asyncio.run(harness.run())
    shutil.rmtree(folder)
    write_journal(result, options.journal)
    for breach in result.breaches:
        print(f"breach: {breach}", file=sys.stderr)
    summary = {
        "kills": result.kills,
        "uncommitted": result.uncommitted.total(),
        "uncommitted_by_platform": result.uncommitted,
        "repeats": result.repeats,
        "lost": lost(captures, plans, result.received),
        "unsent": result.unsent,
        "received": len(result.received),
        "http_429": result.http_429,
    }
    print(json.dumps(summary))


def write_journal(result: Result, file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        for received in sorted(result.received, key=lambda each: (each.at, each.chat)):
            out.write(json.dumps(_line(received)) + "\n")


def _line(received: Received) -> dict[str, str]:
    return {
        "chat": received.chat,
        "paper": received.paper,
        "at": f"{received.at:%Y-%m-%dT%H:%M:%SZ}",
        "message": received.message,
    }


if __name__ == "__main__":
    main()
