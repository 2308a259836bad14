"""Links: papers that people of a group post links to are answered with a short card, where the chat wants that."""

import asyncio
from datetime import timedelta

import structlog

from bot.cards.reply import Reply, card_of, compact
from bot.commands.context import Context
from bot.commands.reading import look_up
from bot.papers import find_linked_ids
from bot.storage import links_answered

AT_ONCE = 3
"""Papers of one message that are answered."""
AGAIN_AFTER = timedelta(hours=1)
"""Before that the same link in the same chat is not answered again."""
MOST = 30
"""Answers in one chat within that time."""
PATIENCE = 10.0
"""Seconds in which arXiv has to say what a paper is that is not stored yet."""

log = structlog.get_logger(__name__)


async def answer(context: Context, text: str) -> Reply | None:
    """The papers that a text links to, if the chat wants them and was not just shown them.

    Nobody asked the bot, so it says nothing of trouble, and nothing in a pause.
    """
    services, chat, now = context.services, context.chat, context.now
    wanted = list(dict.fromkeys(find_linked_ids(text)))[:AT_ONCE]
    is_wanted = chat.preferences.links and chat.access == "allowed" and chat.inactive_because is None
    if not wanted or not is_wanted or chat.is_paused(now):
        return None
    # Before arXiv is asked: who floods a chat with links to papers that do not exist costs it no more requests.
    async with services.database.write() as connection:
        new = await links_answered.claim(connection, chat.id, wanted, now, now - AGAIN_AFTER, MOST)
    if not new:
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            found = await look_up(context, new)
    except TimeoutError:
        log.info("links.not_in_time", chat=chat.id, papers=new)
        return None
    written = await services.summarise(found.papers)
    language, phrases = chat.preferences.language, context.phrases
    cards = tuple(compact(card_of(each, written[each.id], language, phrases)) for each in found.papers)
    return Reply(cards=cards) if cards else None


async def note(context: Context) -> str:
    """What to know where links are answered: how the bot gets to hear them in this chat."""
    if not context.chat.preferences.links:
        return ""
    hears = await context.venue.hears()
    return "" if hears == "all" else context.phrases(f"links.hears.{hears}")
