"""◀ and ▶ under a digest: another page of it in place of the one that is shown."""

import re
from dataclasses import replace
from typing import cast

from bot.cards.reply import Reply
from bot.chats import Format
from bot.commands.context import Context
from bot.commands.reading import is_paper_id
from bot.digests.choose import Choice
from bot.digests.edition import PAGE_SIZES, Edition, reply_of
from bot.papers import PaperId
from bot.storage import digests, papers
from bot.storage.digests import KeptDigest

_BUTTON = re.compile(r"(\d{1,4}) (\d{1,2}) (cards|tldrs|titles) (\S+)", re.ASCII)


async def turn(context: Context) -> Reply:
    """A page as it was composed, as in `page:2 3 cards 2603.00001`: of the chat's digest that this paper is in.

    Its papers stay where they are whatever was announced or set since; only the language is the chat's of today.
    """
    asked = _BUTTON.fullmatch(context.argument)
    if asked is None or int(asked[2]) not in PAGE_SIZES or not is_paper_id(asked[4]):
        return context.whispers("button.stale")
    page, size, form, paper_id = int(asked[1]), int(asked[2]), cast("Format", asked[3]), PaperId(asked[4])
    async with context.services.database.read() as connection:
        kept = await digests.with_paper(connection, context.chat.id, paper_id)
    if kept is None or not kept.shown:
        return context.whispers("page.gone")
    edition = replace(_edition(context, kept), format=form, page_size=size, page=page)
    if not 1 <= edition.page <= edition.pages:
        return context.whispers("page.gone")
    async with context.services.database.read() as connection:
        found = await papers.get(connection, edition.on_page)
    written = await context.services.summarise(list(found.values()))
    return replace(reply_of(edition, found, written), in_place=True)


def _edition(context: Context, kept: KeptDigest) -> Edition:
    digest, language = kept.digest, context.chat.preferences.language
    return Edition(
        context.chat.platform,
        language,
        digest.occasion,
        digest.local_day,
        Choice(kept.shown, kept.held, digest.receipt),
        digest.latest_day,
        digest.late_days,
        awaits_chinese=context.services.composer.awaits_chinese() and language != "en",
    )
