"""The writers and the cache in front of them: each version of a Paper is summarised once, for everybody."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from bot.clock import Clock
from bot.papers import Paper, PaperId
from bot.storage import summaries
from bot.storage.database import Database
from bot.summaries.extractive import extract
from bot.summary import Provenance, Summary, Takeaway

_EXTRACT_VERSION = "2"
_SAMPLE = Path(__file__).parent.parent / "sample" / "summaries.json"


class Writer(Protocol):
    """Writes summaries of the papers it can; of the others the next writer is asked."""

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        """Summaries of some of these papers. Raises nothing: what it cannot write it leaves out."""


class EmbeddedWriter:
    """Extracts sentences from the abstract: no key, no network, no Chinese."""

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        return await asyncio.to_thread(lambda: [self._one(paper, now) for paper in papers])

    def _one(self, paper: Paper, now: datetime) -> Summary:
        found = extract(paper.title, paper.abstract)
        return Summary(
            paper.id, paper.version, found.tldr, found.takeaways, Provenance("extract", _EXTRACT_VERSION, now)
        )


class SampleWriter:
    """The bundled sample's summaries, written by hand in both languages."""

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

    def __init__(self, database: Database, clock: Clock, writers: Sequence[Writer]) -> None:
        self._database = database
        self._clock = clock
        self._writers = writers

    async def summarise(self, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        """A summary of each paper's present version."""
        async with self._database.read() as connection:
            found = await summaries.get(connection, papers)
        written = await ask(self._writers, [paper for paper in papers if paper.id not in found], self._clock.now())
        if written:
            async with self._database.write() as connection:
                await summaries.add(connection, written)
        return found | {summary.paper_id: summary for summary in written}


WRITERS: tuple[Writer, ...] = (SampleWriter(), EmbeddedWriter())
"""The writers, in the order in which they are asked."""
