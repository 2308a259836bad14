"""/search: the stored papers that a query finds, the best first, in pages."""

from dataclasses import replace

from bot.cards.reply import Button, Reply, line_of
from bot.commands.context import Context
from bot.commands.queries import LONGEST_ACTION, mend, named
from bot.commands.reading import is_paper_id, paper
from bot.interests import BadQuery, Interest, parse_interest
from bot.storage import search, words

_A_MOMENT = 50
"""Papers that were just stored and can be found all the same: a tenth of a second's work."""
_A_PAGE = 10
_PAGES = 20


async def find(context: Context) -> Reply:
    """The first page; an id goes to the paper itself."""
    if not context.argument:
        return context.says("search.how")
    return await paper(context) if is_paper_id(context.argument) else await _page(context, context.argument, 1)


async def turn(context: Context) -> Reply:
    """Another page in place of the one whose button was pressed: `find:2 cs.CL attention`."""
    number, _, query = context.argument.partition(" ")
    if number not in map(str, range(1, _PAGES + 1)) or not query:
        return context.says("button.stale")
    return replace(await _page(context, query, int(number)), in_place=True)


async def _page(context: Context, query: str, page: int) -> Reply:
    phrases, skip = context.phrases, (page - 1) * _A_PAGE
    try:
        interest = parse_interest(query)
    except BadQuery as error:
        return mend(context, error)
    async with context.services.database.write() as connection:
        await words.catch_up(connection, _A_MOMENT)
    async with context.services.database.read() as connection:
        at_most, with_sample = skip + _A_PAGE + 1, context.chat.platform == "web"
        found = await search.find(connection, interest, at_most, with_sample=with_sample)
    shown = found[skip : skip + _A_PAGE]
    if not shown:
        return context.says("search.none", query=named(interest, phrases))
    has_more = len(found) == at_most
    turns = _turns(interest, page, has_more=has_more)
    return Reply(
        title=phrases("search.title", query=interest),
        cards=tuple(line_of(each, phrases, number) for number, each in enumerate(shown, skip + 1)),
        footer=phrases("search.narrow") if has_more and (not turns or page == _PAGES) else "",
        buttons=turns,
    )


def _turns(interest: Interest, page: int, *, has_more: bool) -> tuple[Button, ...]:
    """To the pages before and behind; none where the query does not fit into a button."""
    pages = [(page - 1, "◀")] * (page > 1) + [(page + 1, "▶")] * (has_more and page < _PAGES)
    turns = [Button(f"{label} {to}", f"find:{to} {interest}") for to, label in pages]
    return tuple(turns) if all(len(each.action.encode()) <= LONGEST_ACTION for each in turns) else ()
