"""What the model writer gets through: `python -m benchmarks.model [--json]`.

A stub in another process answers each request after two seconds; the bound is what so many requests in flight allow.
The first row begins as a process does, with the client library still to be loaded; the second goes on from there.
"""

import argparse
import asyncio
import json
import logging
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import structlog

from benchmarks.load import table
from bot.clock import WallClock
from bot.config import Llm
from bot.metrics import Metrics
from bot.papers import Paper
from bot.run import spare_the_loop
from bot.storage.database import Database, open_database
from bot.summaries.write import Summariser, chain
from tests.builders import a_paper, announce
from tests.servers.llm import LlmStub

LATENCY = 2.0
"""Seconds."""
_LOOK = 0.002
_ABSTRACT = (
    "Robots lose their way in long corridors of number {number}. Existing beacons are dense and remain expensive. "
    "We propose sparse beacons, a placement method for robot navigation. Each beacon sees at most {number} others. "
    "A policy asks for a beacon only when it is unsure. Experiments in three buildings show that sparse beacons reduce "
    "the error by 40% and the cost by 12.5% on average, while the placement takes less than $10^{{2}}$ seconds."
)


@dataclass(frozen=True, slots=True)
class Row:
    """`loop_ms`: the longest that the event loop did not come back; `cpu_ms`: the most that its own
    thread computed between two turns, which does not depend on what else the machine has to do."""

    start: str
    papers: int
    in_flight: int
    seconds: float
    papers_per_s: float
    bound_per_s: float
    by_model: int
    loop_ms: float
    cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--papers", type=int, default=320)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows = [asdict(row) for row in asyncio.run(measure(options.papers, options.in_flight))]
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))


async def measure(papers: int, in_flight: int, latency: float = LATENCY) -> list[Row]:
    """The same number of papers twice, cold and warm."""
    here, there = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(there, latency), daemon=True)
    server.start()
    url = await asyncio.to_thread(here.recv)
    with tempfile.TemporaryDirectory(prefix="paperwire-model-") as folder:
        database = await open_database(f"sqlite:///{folder}/paperwire.db")
        settings = Llm(base_url=url, model="stub", max_in_flight=in_flight)
        summariser = Summariser(database, WallClock(), chain(settings, database, WallClock(), Metrics()))
        spare_the_loop()  # as `paperwire run` does
        try:
            bound = in_flight / latency
            return [
                await _measure(start, summariser, some, in_flight, bound)
                for start, some in (
                    ("cold", await _announced(database, 1, papers)),
                    ("warm", await _announced(database, 1 + papers, papers)),
                )
            ]
        finally:
            await summariser.stop()
            await database.close()
            server.terminate()


async def _announced(database: Database, first: int, how_many: int) -> list[Paper]:
    papers = [
        a_paper(number, title=f"Sparse beacons {number}", abstract=_ABSTRACT.format(number=number))
        for number in range(first, first + how_many)
    ]
    await announce(database, WallClock().now(), *papers)
    return papers


async def _measure(start: str, summariser: Summariser, papers: list[Paper], in_flight: int, bound: float) -> Row:
    holdups = asyncio.create_task(_longest_holdups())
    began = time.perf_counter()
    await summariser.write(papers, bilingual=False)
    seconds = time.perf_counter() - began
    holdups.cancel()
    found = await summariser.at_once(papers)
    by_model = sum(summary.provenance.engine == "model" for summary in found.values())
    rate = round(len(papers) / seconds, 2)
    longest = [round(1000 * each, 1) for each in await holdups]
    return Row(start, len(papers), in_flight, round(seconds, 1), rate, bound, by_model, *longest)


async def _longest_holdups() -> tuple[float, float]:
    """Until it is cancelled: the most seconds, on the wall and of computing, between two turns of the event loop."""
    on_the_wall = computing = 0.0
    try:
        while True:
            began, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_LOOK)
            on_the_wall = max(on_the_wall, time.perf_counter() - began - _LOOK)
            computing = max(computing, time.thread_time() - computed)
    except asyncio.CancelledError:
        return on_the_wall, computing


def _serve(pipe: Connection, latency: float) -> None:
    async def serve() -> None:
        async with LlmStub(latency=latency) as stub:
            pipe.send(stub.base_url)
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
