"""Whatever people say or press: is each answered, does none fail, and does none change what it may not?

The same inputs that `make test` makes a tenth of, drawn by hypothesis: commands, buttons, and buttons that were offered
to others. `python -m benchmarks.anything [--inputs 100000] [--first 200] [--json]`
"""

import argparse
import json
import logging
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import structlog

from tests.anything import say_anything

PARTS = 8


def part(inputs: int, number: int) -> str:
    """What went wrong in so many inputs, if anything."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="paperwire-anything-") as folder:
        try:
            say_anything(Path(folder), inputs, number)
        except AssertionError as error:
            return str(error) or "an answer was not as it should be"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anything", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=100, help="the number of the first of eight parts; others, others")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    begun, numbers = perf_counter(), range(options.first, options.first + PARTS)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        failures = [each for each in pool.map(part, [options.inputs // PARTS] * PARTS, numbers) if each]
    row = {"inputs": options.inputs, "failures": len(failures), "seconds": round(perf_counter() - begun, 1)}
    print(json.dumps(row) if options.json else "\n".join(f"{name}: {value}" for name, value in row.items()))
    for failure in failures:
        print(failure)


if __name__ == "__main__":
    main()
