"""The API (https://info.arxiv.org/help/api/user-manual.html): papers by id, and those submitted in some period."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.arxiv.client import ArxivClient, RefusedError
from bot.arxiv.feed import BrokenFeedError, parse_atom, version_of
from bot.cards.latex import readable
from bot.papers import Paper, PaperId, Submission, find_paper_ids, looks_withdrawn

PAGE_SIZE = 2_000
MOST_RESULTS = 30_000
"""Of one search. Source of both: the manual's paragraph on `start` and `max_results`."""


async def fetch_papers(client: ArxivClient, api_url: str, paper_ids: Sequence[PaperId]) -> dict[PaperId, Paper]:
    """The papers that arXiv knows among these, in one request.

    Raises UnreachableError, RefusedError, or BrokenFeedError: what cannot be read is not "unknown".
    """
    size = len(paper_ids)
    answer = await client.get(api_url, params={"id_list": ",".join(paper_ids), "max_results": str(size)})
    _, found = await asyncio.to_thread(_parse, answer.body, 0, size)
    return {each.paper.id: each.paper for each in found}


async def submitted_between(
    client: ArxivClient, api_url: str, categories: Sequence[str], first: datetime, last: datetime
) -> list[Submission]:
    """What is in any of these categories, cross-lists too, and was first submitted in this period, oldest first.

    `first` and `last` are aware and count in whole minutes. What is too young for the index, which lags by hours, is
    missing. Raises UnreachableError, RefusedError (also where there are more than MOST_RESULTS), or BrokenFeedError
    (also where fewer came than were promised).
    """
    wanted = " OR ".join(f"cat:{category}" for category in categories)
    search = {
        "search_query": f"({wanted}) AND submittedDate:[{_minute(first)} TO {_minute(last)}]",
        "sortBy": "submittedDate",
        "sortOrder": "ascending",
        "max_results": str(PAGE_SIZE),
    }
    found: dict[PaperId, Submission] = {}
    total = 1
    for start in range(0, MOST_RESULTS, PAGE_SIZE):
        if start >= total:
            break
        answer = await client.get(api_url, params={**search, "start": str(start)})
        total, page = await asyncio.to_thread(_parse, answer.body, start, PAGE_SIZE)
        if total > MOST_RESULTS:
            raise RefusedError("refused", f"{total} papers are more than a search can give: ask for a shorter period")
        found |= {each.paper.id: each for each in page}
    if len(found) < total:
        raise BrokenFeedError(f"of {total} papers only {len(found)} could be read")
    return list(found.values())


def _minute(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%d%H%M")


def _parse(body: bytes, start: int, size: int) -> tuple[int, list[Submission]]:
    """How many papers there are in all, and those of the page of this size that starts there."""
    parsed = parse_atom(body)
    promised = parsed.feed.get("opensearch_totalresults", "")
    if not (promised.isascii() and promised.isdigit() and len(promised) < 10):
        raise BrokenFeedError("it is no answer of the API's")
    total = int(promised)
    if len(parsed.entries) < min(total - start, size):
        raise BrokenFeedError(f"{len(parsed.entries)} entries from {start} on came of {total}")
    found = [each for entry in parsed.entries if (each := _submission(entry))]
    if parsed.entries and not found:
        raise BrokenFeedError("none of its entries is a paper")
    return total, found


def _submission(entry: Any) -> Submission | None:
    paper_id = next(find_paper_ids(entry.get("id", "")), None)
    primary = entry.get("arxiv_primary_category", {}).get("term")
    if paper_id is None or primary is None:
        return None
    try:
        year, month, day, hour, minute, second = entry.get("published_parsed")[:6]
        submitted_at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except (TypeError, ValueError):  # no date, or none that there is
        return None
    abstract, comment = _fact(entry, "summary") or "", _fact(entry, "arxiv_comment")
    paper = Paper(
        id=paper_id,
        version=version_of(entry.id),
        title=_fact(entry, "title") or "",
        abstract=abstract,
        authors=tuple(
            readable(" ".join(author.name.split())) for author in entry.get("authors", []) if "name" in author
        ),
        categories=tuple(dict.fromkeys([primary, *(tag.term for tag in entry.get("tags", []) if tag.term)])),
        comment=comment,
        journal_ref=_fact(entry, "arxiv_journal_ref"),
        doi=_fact(entry, "arxiv_doi"),
        withdrawn=looks_withdrawn(abstract, comment),
    )
    return Submission(paper, submitted_at)


def _fact(entry: Any, name: str) -> str | None:
    return " ".join(entry.get(name, "").split()) or None
