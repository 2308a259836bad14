"""Inline: papers that somebody looks up while they type, to post them anywhere."""

import asyncio
from dataclasses import replace

from bot.cards.reply import Card, card_of, line_of
from bot.commands.context import Context
from bot.commands.offers import Result, Results
from bot.commands.reading import look_up
from bot.interests import BadQuery, parse_interest
from bot.papers import Paper, PaperId, find_paper_ids
from bot.storage import search

PATIENCE = 5.0
"""Seconds in which there is an answer: people are typing."""
_A_PAGE = 10
_PAGES = 5
_AT_ONCE = 5
_QUOTED = 40


def may_ask(context: Context) -> bool:
    """Whether a person may look papers up: whose private chat was let in, or would be."""
    return context.chat.access == "allowed" or context.is_operator


async def results(context: Context, page: str) -> Results:
    """What was typed as papers: those that it names, else what the query finds of the stored ones, page by page."""
    phrases, typed = context.phrases, context.argument
    if not may_ask(context):
        return Results(hint=phrases("inline.start"))
    if not typed:
        return Results(hint=phrases("inline.how"), lasting=True)
    try:
        async with asyncio.timeout(PATIENCE):
            if named := list(dict.fromkeys(find_paper_ids(typed)))[:_AT_ONCE]:
                return await _named(context, named)
            return await _found(context, int(page) if page in map(str, range(1, _PAGES + 1)) else 1)
    except TimeoutError:
        return Results(hint=phrases("inline.busy"))


async def _named(context: Context, named: list[PaperId]) -> Results:
    phrases = context.phrases
    found = await look_up(context, named)
    shown = await _shown(context, found.papers)
    if shown:
        return Results(shown, lasting=True)
    return Results(hint=phrases("inline.unknown", id=named[0]) if found.reached else phrases("inline.busy"))


async def _found(context: Context, page: int) -> Results:
    phrases, skip = context.phrases, (page - 1) * _A_PAGE
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return Results(hint=phrases("inline.bad", wrong=(error.word or error.text)[:_QUOTED]))
    async with context.services.database.read() as connection:
        found = await search.find(connection, interest, skip + _A_PAGE + 1)
    shown = await _shown(context, found[skip : skip + _A_PAGE])
    if not shown and page == 1:
        return Results(hint=phrases("inline.none"))
    has_more = len(found) > skip + _A_PAGE and page < _PAGES
    return Results(shown, following=str(page + 1) if has_more else "", lasting=True)


async def _shown(context: Context, papers: list[Paper]) -> tuple[Result, ...]:
    written = await context.services.summarise(papers)
    language, phrases = context.chat.preferences.language, context.phrases
    cards = (card_of(each, written[each.id], language, phrases) for each in papers)
    return tuple(_result(line_of(each, phrases, 1), card) for each, card in zip(papers, cards, strict=True))


def _result(line: Card, card: Card) -> Result:
    """Its buttons are left out: where it is posted the bot may be no member, and cannot answer."""
    return Result(line.title, line.tldrs[0], replace(card, buttons=(), further=()))
