"""Papers by id, from whichever of arXiv's interfaces answers."""

from collections.abc import Sequence

from bot.arxiv.api import fetch_papers
from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.oai import get_record
from bot.config import Arxiv
from bot.papers import Paper, PaperId


async def find_papers(client: ArxivClient, settings: Arxiv, paper_ids: Sequence[PaperId]) -> dict[PaperId, Paper]:
    """Those of these papers that arXiv knows: from the API in one request, else one by one from OAI-PMH.

    Raises ArxivError, what the API said, where neither can be read.
    """
    try:
        return await fetch_papers(client, settings.api_url, paper_ids)
    except ArxivError as trouble:
        try:
            records = [await get_record(client, settings.oai_url, paper_id) for paper_id in paper_ids]
        except ArxivError:
            raise trouble from None
        return {paper.id: paper for paper in records if paper is not None}
