"""`python -m benchmarks.replay --captures DIR --chats FILE --journal OUT.jsonl [--kill-every N]`."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.replay.harness import Harness, Result
from benchmarks.replay.world import Received, read_chats
from tests.servers.arxiv import load_captures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--captures", type=Path, required=True, help="folder of *.xml.gz captures")
    parser.add_argument("--chats", type=Path, required=True, help="TOML file with [[chat]] tables")
    parser.add_argument("--journal", type=Path, required=True, help="written: one JSON line a received paper")
    parser.add_argument("--kill-every", type=int, default=0, metavar="N", help="kill the bot after every N messages")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="paperwire-replay-"))
    harness = Harness(load_captures(options.captures), read_chats(options.chats), folder, options.kill_every)
    result = asyncio.run(harness.run())
    write_journal(result, options.journal)
    shutil.rmtree(folder)
    for breach in result.breaches:
        print(f"breach: {breach}", file=sys.stderr)
    print(json.dumps({"kills": result.kills, "uncommitted": result.uncommitted}))


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
