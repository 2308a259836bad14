"""How long until somebody can read, and what it costs to stand idle: `python -m benchmarks.start [--json]`.

Measured from outside on the whole process, the median of some runs; the peer is the same interpreter doing nothing.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.process import Running, paperwire

RUNS = 5
IDLE_SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    rows = {
        "bare python (s)": median(lambda: timed("-c", "pass")),
        "paperwire --help (s)": median(lambda: timed("-m", "bot", "--help")),
        **asyncio.run(first_start()),
    }
    for name, value in rows.items():
        print(json.dumps({"measure": name, "value": round(value, 3)}) if options.json else f"{name:<40} {value:8.2f}")


def timed(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(RUNS))


async def first_start() -> dict[str, float]:
    """The first start in an empty folder: seconds to the health page and to the digest, megabytes when all is quiet."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        async with paperwire(Path(folder), arxiv__feed_url="http://127.0.0.1:9/atom") as running:
            async with httpx.AsyncClient(base_url=running.address, follow_redirects=True) as http:
                await http.get("/healthz")
                healthy = time.perf_counter() - began
                while "Paperwire · Sample" not in (await http.get("/")).text:
                    await asyncio.sleep(0.01)
                readable = time.perf_counter() - began
            await asyncio.sleep(IDLE_SECONDS)
            return {
                "first start to /healthz (s)": healthy,
                "first start to the first digest (s)": readable,
                "idle memory, web chat alone (MB)": memory(running),
            }


def memory(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
