"""The writers and the cache in front of them: each version of a Paper is summarised once, for everybody."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from bot.clock import Clock
from bot.config import Llm
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import summaries
from bot.storage.database import Database
from bot.summaries.extractive import extract
from bot.summary import Provenance, Summary, Takeaway

TOGETHER = 8
"""Papers that are stored together: a process that is killed loses no more of a model's work than is in flight."""
_EXTRACT_VERSION = "1"
_SAMPLE = Path(__file__).parent.parent / "sample" / "summaries.json"


class Writer(Protocol):
    """Writes summaries of the papers it can; of the others the next writer is asked."""

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        """Summaries of some of these papers. Raises nothing: what it cannot write it leaves out."""

    async def stop(self) -> None:
        """Close what it has open."""


class EmbeddedWriter:
    """Extracts sentences from the abstract: no key, no network, no Chinese."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        return await asyncio.to_thread(lambda: [self._one(paper, now) for paper in papers])

    def _one(self, paper: Paper, now: datetime) -> Summary:
        found = extract(paper.title, paper.abstract)
        return Summary(
            paper.id, paper.version, found.tldr, found.takeaways, Provenance("extract", _EXTRACT_VERSION, now)
        )


class SampleWriter:
    """The bundled sample's summaries, written by hand in both languages."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        return [self._one(paper, now) for paper in papers if paper.is_sample and paper.id in _sample_texts()]

    def _one(self, paper: Paper, now: datetime) -> Summary:
        text = _sample_texts()[paper.id]
        return Summary(
            paper_id=paper.id,
            paper_version=paper.version,
            tldr=text["tldr"]["en"],
            tldr_zh=text["tldr"]["zh"],
            title_zh=text["title_zh"],
            takeaways=tuple(Takeaway(each["en"], each["zh"], each["role"]) for each in text["takeaways"]),
            provenance=Provenance("hand", "1", now),
        )


@cache
def _sample_texts() -> dict[str, Any]:
    texts: dict[str, Any] = json.loads(_SAMPLE.read_text("utf-8"))
    return texts


async def ask(writers: Sequence[Writer], papers: Sequence[Paper], now: datetime) -> list[Summary]:
    """Each paper's summary by the first of the writers that can write it."""
    written: list[Summary] = []
    missing = list(papers)
    for writer in writers:
        if missing:
            written += await writer.write(missing, now)
            done = {summary.paper_id for summary in written}
            missing = [paper for paper in missing if paper.id not in done]
    return written


class Summariser:
    """Gives every paper its summary, asking the writers in their order only for what is not there yet."""

    def __init__(
        self, database: Database, clock: Clock, writers: Sequence[Writer], metrics: Metrics | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._writers = writers
        self._metrics = metrics or Metrics()

    async def summarise(self, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        """A summary of each paper's present version. They are stored as they come, some at a time."""
        async with self._database.read() as connection:
            found = await summaries.get(connection, papers)
        missing = [paper for paper in papers if paper.id not in found]
        # Beside each other: a writer that has to wait paces itself, and the slowest paper holds up only its group.
        groups: list[asyncio.Task[list[Summary]]] = []
        try:
            for start in range(0, len(missing), TOGETHER):
                groups.append(asyncio.create_task(self._write(missing[start : start + TOGETHER])))
                await asyncio.sleep(0)  # a thousand papers that begin at once would hold up everything else
            for written in await asyncio.gather(*groups):
                found |= {summary.paper_id: summary for summary in written}
        finally:
            for group in groups:
                group.cancel()
        return found

    async def _write(self, papers: Sequence[Paper]) -> list[Summary]:
        written = await ask(self._writers, papers, self._clock.now())
        async with self._database.write() as connection:
            await summaries.add(connection, written)
        for summary in written:
            self._metrics.summaries.labels(summary.provenance.engine).inc()
        return written

    async def stop(self) -> None:
        """Close what writers have open."""
        for writer in self._writers:
            await writer.stop()


WRITERS: tuple[Writer, ...] = (SampleWriter(), EmbeddedWriter())
"""The writers that need nothing, in the order in which they are asked."""


def chain(settings: Llm, database: Database, clock: Clock, metrics: Metrics) -> tuple[Writer, ...]:
    """The writers as they are set: a model before the embedded one, where there is one."""
    if not settings.model:
        return WRITERS
    # The client library takes a second to load. At the start that holds up nothing.
    from bot.summaries.model import ModelWriter

    return SampleWriter(), ModelWriter(settings, database, clock, metrics), EmbeddedWriter()
