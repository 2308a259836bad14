"""The writers and the cache in front of them: each version of a Paper is summarised once, for everybody."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from bot.clock import Clock
from bot.config import Llm, Settings
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import summaries
from bot.storage.database import Database
from bot.summaries.embedded.extractive import extract
from bot.summaries.translation.bilingual import in_both_languages
from bot.summaries.translation.firefox import FirefoxTranslator
from bot.summaries.translation.text import Translator
from bot.summary import Provenance, Summary, Takeaway, source_of

TOGETHER = 8
"""Papers that are stored together: a process that is killed loses no more of a model's work than is in flight."""
_EXTRACT_VERSION = "2"
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


WRITERS: tuple[Writer, ...] = (SampleWriter(), EmbeddedWriter())
"""The writers that need nothing and take no time, in the order in which they are asked."""


class Summariser:
    """Gives every paper its summary, asking the writers in their order only for what is not there yet.

    `translator`: fills in the second language where a writer has none.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        writers: Sequence[Writer],
        metrics: Metrics | None = None,
        translator: Translator | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._writers = writers
        self._metrics = metrics or Metrics()
        self._translator = translator
        self._takes_time = any(writer not in WRITERS for writer in writers)

    @property
    def awaits_chinese(self) -> bool:
        """Whether summaries have no Chinese yet because the model that translates them is still missing."""
        return self._translator is not None and not self._translator.is_ready

    async def at_once(self, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        """What can be said of each paper's present version without waiting: what is stored, else what takes no time."""
        async with self._database.read() as connection:
            found = await summaries.get(connection, papers)
        missing = [paper for paper in papers if paper.id not in found]
        return found | {each.paper_id: each for each in await ask(WRITERS, missing, self._clock.now())}

    async def unready(self, papers: Sequence[Paper], *, bilingual: bool) -> set[PaperId]:
        """Those of which `write` would make more than `at_once` does, for readers of both languages or of English."""
        is_translated = bilingual and self._translator is not None and self._translator.is_ready
        if not (self._takes_time or is_translated):
            return set()
        async with self._database.read() as connection:
            found = await summaries.get(connection, papers)
        return {
            paper.id
            for paper in papers
            if not paper.is_sample
            and (is_translated and _lacks_translation(found[paper.id]) if paper.id in found else True)
        }

    async def write(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        """Have a summary of each paper's present version written and stored as they come, some at a time."""
        async with self._database.read() as connection:
            found = await summaries.get(connection, papers)
        await self._in_groups([paper for paper in papers if paper.id not in found], bilingual=bilingual)
        if bilingual:
            await self._translate([(paper, found[paper.id]) for paper in papers if paper.id in found])

    async def write_anew(self, paper: Paper) -> bool:
        """Have a model write a paper's summary again; whether it did, and the new one took the old one's place."""
        slow = [writer for writer in self._writers if writer not in WRITERS]
        written = [_with_source(each, paper) for each in await ask(slow, [paper], self._clock.now())]
        async with self._database.write() as connection:
            await summaries.put(connection, written)
        return bool(written)

    async def _in_groups(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        # Beside each other: a writer that has to wait paces itself, and the slowest paper holds up only its group.
        groups: list[asyncio.Task[None]] = []
        try:
            for start in range(0, len(papers), TOGETHER):
                groups.append(asyncio.create_task(self._write(papers[start : start + TOGETHER], bilingual=bilingual)))
                await asyncio.sleep(0)  # a thousand papers that begin at once would hold up everything else
            await asyncio.gather(*groups)
        finally:
            for group in groups:
                group.cancel()

    async def _write(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        asked = {paper.id: paper for paper in papers}
        written = await ask(self._writers, papers, self._clock.now())
        written = [_with_source(each, asked[each.paper_id]) for each in written]
        async with self._database.write() as connection:
            await summaries.add(connection, written)
        for summary in written:
            self._metrics.summaries.labels(summary.provenance.engine).inc()
        if bilingual:
            await self._translate([(asked[each.paper_id], each) for each in written])

    async def _translate(self, written: Sequence[tuple[Paper, Summary]]) -> None:
        """Fill in the second language, once for each summary, and store each at once: it takes seconds."""
        translator = self._translator
        if translator is None:
            return
        if not translator.is_ready:
            if any(_lacks_translation(summary) for _, summary in written):
                translator.need()
            return
        for paper, summary in written:
            if _lacks_translation(summary) and not paper.is_sample:
                translated = await in_both_languages(summary, paper, translator)
                if translator.name is not None:
                    provenance = replace(translated.provenance, translator=translator.name)
                    async with self._database.write() as connection:
                        await summaries.put(connection, [replace(translated, provenance=provenance)])

    async def stop(self) -> None:
        """Close what writers and the translator have open."""
        for writer in self._writers:
            await writer.stop()
        if self._translator is not None:
            await self._translator.close()


def _lacks_translation(summary: Summary) -> bool:
    return summary.tldr_zh is None and summary.provenance.translator is None


def _with_source(summary: Summary, paper: Paper) -> Summary:
    return replace(summary, source=source_of(paper))


def build_summariser(settings: Settings, database: Database, clock: Clock, metrics: Metrics) -> Summariser:
    """The writers and the translator as they are set. Raises GlossaryError."""
    translator = FirefoxTranslator(settings.translation, clock) if settings.translation.enabled else None
    return Summariser(database, clock, chain(settings.llm, database, clock, metrics), metrics, translator)


def chain(settings: Llm, database: Database, clock: Clock, metrics: Metrics) -> tuple[Writer, ...]:
    """The writers as they are set: a model before the embedded one, where there is one."""
    if not settings.model:
        return WRITERS
    # The client library takes a second to load. At the start that holds up nothing.
    from bot.summaries.model.writer import ModelWriter

    return SampleWriter(), ModelWriter(settings, database, clock, metrics), EmbeddedWriter()
