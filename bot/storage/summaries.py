"""Summaries: written once for each version of a Paper, whoever reads it."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import Paper, PaperId
from bot.storage.dialect import insert
from bot.storage.tables import summaries
from bot.summary import Provenance, Summary, Takeaway

_BATCH = 500


async def add(connection: AsyncConnection, new: Iterable[Summary]) -> None:
    """Keep summaries; the first one of a version stays."""
    rows = [
        {
            "paper_id": summary.paper_id,
            "paper_version": summary.paper_version,
            "tldr": summary.tldr,
            "tldr_zh": summary.tldr_zh,
            "title_zh": summary.title_zh,
            "abstract_zh": summary.abstract_zh,
            "takeaways": [[takeaway.en, takeaway.zh, takeaway.role] for takeaway in summary.takeaways],
            "engine": summary.provenance.engine,
            "engine_version": summary.provenance.version,
            "model": summary.provenance.model,
            "translator": summary.provenance.translator,
            "checks": list(summary.checks),
            "written_at": summary.provenance.written_at,
        }
        for summary in new
    ]
    if rows:
        await connection.execute(insert(connection.dialect.name, summaries).on_conflict_do_nothing(), rows)


async def get(connection: AsyncConnection, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
    """The stored summaries of these papers' present versions."""
    versions = {paper.id: paper.version for paper in papers}
    ids = list(versions)
    found: dict[PaperId, Summary] = {}
    for start in range(0, len(ids), _BATCH):
        query = sa.select(summaries).where(summaries.c.paper_id.in_(ids[start : start + _BATCH]))
        for row in await connection.execute(query):
            summary = _summary_from(row)
            if versions[summary.paper_id] == summary.paper_version:
                found[summary.paper_id] = summary
    return found


async def counts(connection: AsyncConnection) -> dict[tuple[str, str | None], int]:
    """How many summaries are stored, by engine and model."""
    row = summaries.c
    query = sa.select(row.engine, row.model, sa.func.count()).group_by(row.engine, row.model)
    return {(engine, model): number for engine, model, number in await connection.execute(query)}


def _summary_from(row: sa.Row[Any]) -> Summary:
    return Summary(
        paper_id=PaperId(row.paper_id),
        paper_version=row.paper_version,
        tldr=row.tldr,
        tldr_zh=row.tldr_zh,
        title_zh=row.title_zh,
        abstract_zh=row.abstract_zh,
        takeaways=tuple(Takeaway(en, zh, role) for en, zh, role in row.takeaways),
        provenance=Provenance(row.engine, row.engine_version, row.written_at, row.model, row.translator),
        checks=tuple(row.checks),
    )
