"""The API (https://info.arxiv.org/help/api/user-manual.html): single papers by id."""

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import BrokenFeedError, parse_atom, version_of
from bot.cards.latex import readable
from bot.papers import Paper, PaperId, find_paper_ids, looks_withdrawn


async def fetch_papers(client: ArxivClient, api_url: str, paper_ids: Sequence[PaperId]) -> dict[PaperId, Paper]:
    """The papers that arXiv knows among these, in one request.

    Raises UnreachableError, RefusedError, or BrokenFeedError: what cannot be read is not "unknown".
    """
    answer = await client.get(api_url, params={"id_list": ",".join(paper_ids), "max_results": str(len(paper_ids))})
    return await asyncio.to_thread(_parse, answer.body)


def _parse(body: bytes) -> dict[PaperId, Paper]:
    parsed = parse_atom(body)
    if "opensearch_totalresults" not in parsed.feed:
        raise BrokenFeedError("it is no answer of the API's")
    papers = (_paper(entry) for entry in parsed.entries)
    return {paper.id: paper for paper in papers if paper is not None}


def _paper(entry: Any) -> Paper | None:
    paper_id = next(find_paper_ids(entry.get("id", "")), None)
    primary = entry.get("arxiv_primary_category", {}).get("term")
    if paper_id is None or primary is None:
        return None
    abstract = " ".join(entry.get("summary", "").split())
    comment = entry.get("arxiv_comment")
    return Paper(
        id=paper_id,
        version=version_of(entry.id),
        title=" ".join(entry.get("title", "").split()),
        abstract=abstract,
        authors=tuple(
            readable(" ".join(author.name.split())) for author in entry.get("authors", []) if "name" in author
        ),
        categories=tuple(dict.fromkeys([primary, *(tag.term for tag in entry.get("tags", []) if tag.term)])),
        comment=" ".join(comment.split()) if comment else None,
        withdrawn=looks_withdrawn(abstract) or bool(comment and "withdrawn" in comment.lower()),
    )
