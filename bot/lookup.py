"""What the command line shows of papers and digests, beside a running bot or without one. Nothing is written."""

from collections.abc import Sequence

from bot.arxiv.by_id import find_papers
from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.machine import THIS_MACHINE
from bot.cards.reply import Reply, card_of
from bot.cards.terminal import as_text
from bot.clock import WallClock
from bot.config import Settings
from bot.digests.compose import Composer
from bot.errors import PaperwireError
from bot.locales import phrases_of
from bot.metrics import Metrics
from bot.papers import BadPaperId, Paper, PaperId, is_sample, parse_paper_id
from bot.storage import chats, papers
from bot.storage.database import DatabaseError, open_database
from bot.summaries.write import WRITERS, ask
from bot.summary import Summary


async def look_up(settings: Settings, reference: str) -> str:
    """A paper's card as text, from the store or from arXiv.

    Raises PaperwireError with what to do.
    """
    phrases = phrases_of("en")
    try:
        paper_id = parse_paper_id(reference)
    except BadPaperId:
        raise PaperwireError(phrases("paper.bad", text=reference[:60])) from None
    paper = await _stored(settings, paper_id) or await _fetched(settings, paper_id)
    if paper is None:
        raise PaperwireError(phrases("paper.unknown", id=paper_id))
    summary = (await _summarise([paper]))[paper.id]
    card = card_of(paper, summary, settings.digest.language, phrases)
    return as_text(Reply(cards=(card,)))


async def _stored(settings: Settings, paper_id: PaperId) -> Paper | None:
    try:
        database = await open_database(settings.database.url, exclusive=False)
    except DatabaseError:
        return None
    try:
        async with database.read() as connection:
            return (await papers.get(connection, [paper_id])).get(paper_id)
    finally:
        await database.close()


async def _fetched(settings: Settings, paper_id: PaperId) -> Paper | None:
    if is_sample(paper_id):
        return None
    client = ArxivClient(settings.arxiv.contact, WallClock(), Metrics(), folder=THIS_MACHINE)
    try:
        return (await find_papers(client, settings.arxiv, [paper_id])).get(paper_id)
    except ArxivError as error:
        phrases = phrases_of("en")
        raise PaperwireError(phrases("paper.unreachable", reason=phrases(f"arxiv.{error.reason}"))) from error
    finally:
        await client.close()


async def preview_digests(settings: Settings) -> str:
    """Every chat's digest as it would be now, as text."""
    database = await open_database(settings.database.url, exclusive=False)
    now = WallClock().now()
    composer = Composer(database, _summarise, {}, settings.arxiv.default_categories, Metrics())
    try:
        async with database.read() as connection:
            everyone = [chat for chat in await chats.everyone(connection) if chat.next_digest_at is not None]
        shown = [
            f"== {chat.platform}: {chat.title} ==\n\n{as_text(await composer.preview(chat, now))}" for chat in everyone
        ]
    finally:
        await database.close()
    return "\n\n".join(shown) or "No chat follows anything yet."


async def _summarise(wanted: Sequence[Paper]) -> dict[PaperId, Summary]:
    return {each.paper_id: each for each in await ask(WRITERS, wanted, WallClock().now())}
