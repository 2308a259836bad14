"""Summaries: written once for each version of a Paper, whoever reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import Paper, PaperId
from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import summaries
from bot.summary import Provenance, Summary, Takeaway, source_of

_BATCH = 500


async def add(connection: AsyncConnection, new: Iterable[Summary]) -> None:
    """Keep summaries; the first one of a version stays."""
    if rows := _rows(new):
        await connection.execute(insert(connection.dialect.name, summaries).on_conflict_do_nothing(), rows)


async def put(connection: AsyncConnection, changed: Iterable[Summary]) -> None:
    """Keep summaries in the place of those of the same versions: translated, or written anew."""
    if rows := _rows(changed):
        statement = insert(connection.dialect.name, summaries)
        values = {name: statement.excluded[name] for name in rows[0]}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["paper_id", "paper_version"], set_=values), rows
        )


def _rows(new: Iterable[Summary]) -> list[dict[str, Any]]:
    return [
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
            "source": summary.source,
            "written_at": summary.provenance.written_at,
        }
        for summary in new
    ]


async def get(connection: AsyncConnection, papers: Sequence[Paper]) -> dict[PaperId, Summary]:
    """The stored summaries of these papers' present versions, or of earlier ones that say the same."""
    asked = {paper.id: paper for paper in papers}
    ids = list(asked)
    found: dict[PaperId, Summary] = {}
    for some in slices(ids, _BATCH):
        query = sa.select(summaries).where(summaries.c.paper_id.in_(some))
        for row in await connection.execute(query.order_by(summaries.c.paper_version)):
            summary, paper = _summary_from(row), asked[PaperId(row.paper_id)]
            if summary.paper_version == paper.version or summary.source == source_of(paper):
                found[paper.id] = replace(summary, paper_version=paper.version)
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
        source=row.source,
    )
