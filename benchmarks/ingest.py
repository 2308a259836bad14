"""What reading the largest announcement costs, beside feedparser alone: `python -m benchmarks.ingest [--json]`.

The poller asks a server in another process for the document, over HTTP, and stores what it brings.
"""

import argparse
import asyncio
import gzip
import json
import logging
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import feedparser
import structlog

from benchmarks.load import longest_holdup, table
from bot.arxiv.client import ArxivClient
from bot.arxiv.poll import FeedPoller
from bot.config import Arxiv
from bot.metrics import Metrics
from bot.run import spare_the_loop
from bot.storage.database import Database, open_database
from tests.builders import HandClock
from tests.servers.arxiv import ArxivStub

DOCUMENT = Path("../shared/data/arxiv/atom/cases/2026-05-13-cs-lg.xml.gz")


@dataclass(frozen=True, slots=True)
class Cost:
    """Reading a document: `ratio` is to bare feedparser, `loop_ms` the longest that nothing else could run."""

    entries: int
    feedparser_s: float
    ingest_s: float
    ratio: float
    again_s: float
    loop_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="an *.xml.gz capture")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows = [asdict(asyncio.run(measure(gzip.decompress(options.document.read_bytes()))))]
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))


async def measure(body: bytes) -> Cost:
    """Read one document, and the same again as if it were another day's."""
    began = time.perf_counter()
    entries = len(feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False).entries)
    bare = time.perf_counter() - began
    here, there = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(there, body), daemon=True)
    server.start()
    url = await asyncio.to_thread(here.recv)
    with tempfile.TemporaryDirectory(prefix="paperwire-ingest-") as folder:
        database = await open_database(f"sqlite:///{folder}/paperwire.db")
        try:
            first, again, holdup = await _ingest(database, url, _category(body))
        finally:
            await database.close()
            server.terminate()
    return Cost(entries, round(bare, 3), round(first, 3), round(first / bare, 2), round(again, 3), round(holdup, 1))


async def _ingest(database: Database, url: str, category: str) -> tuple[float, float, float]:
    clock = HandClock(datetime.now(UTC))
    client = ArxivClient("mailto:benchmarks@example.org", clock, Metrics())
    settings = Arxiv(feed_url=f"{url}/atom", default_categories=(category,), sweep_days=0)
    poller = FeedPoller(database, client, clock, settings, Metrics())
    spare_the_loop()  # as `paperwire run` does
    took = []
    holdup = asyncio.create_task(longest_holdup())
    for _ in range(2):
        began = time.perf_counter()
        await poller.poll_first(clock.now())
        took.append(time.perf_counter() - began)
        clock.set(clock.now() + timedelta(days=1))
    holdup.cancel()
    await client.close()
    return took[0], took[1], await holdup * 1000


def _category(body: bytes) -> str:
    found = re.search(rb"/atom/([\w.-]+)</id>", body)
    assert found is not None
    return found[1].decode()


def _serve(pipe: Connection, body: bytes) -> None:
    async def serve() -> None:
        async with ArxivStub() as stub:
            stub.publish(_category(body), body, time.time() - 60)
            pipe.send(stub.url)
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
