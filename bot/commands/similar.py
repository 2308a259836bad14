"""More like this: the stored papers that are most like one."""

from bot.cards.latex import readable
from bot.cards.reply import Reply, line_of
from bot.commands.context import Context
from bot.commands.reading import is_paper_id
from bot.papers import PaperId, is_sample
from bot.storage import papers, words
from bot.storage.similar import similar

_A_MOMENT = 50
"""Papers that were just stored and are looked at all the same: a tenth of a second's work."""
_SHOWN = 8
_QUOTED = 120


async def find(context: Context) -> Reply:
    """A list of the likest papers, as /search has them; or why there is none."""
    phrases = context.phrases
    if not is_paper_id(context.argument) or is_sample(PaperId(context.argument)):
        return context.whispers("button.stale")
    paper_id = PaperId(context.argument)
    async with context.services.database.write() as connection:
        await words.catch_up(connection, _A_MOMENT)
    async with context.services.database.read() as connection:
        paper = (await papers.get(connection, [paper_id])).get(paper_id)
        if paper is None:
            return context.whispers("button.stale")
        found = await similar(connection, paper, _SHOWN)
        is_complete = await words.are_made(connection)
    if not found:
        return context.whispers("like.none" if is_complete else "like.not_yet")
    return Reply(
        title=phrases("like.title", title=_short(readable(paper.title))),
        cards=tuple(line_of(each, phrases, number) for number, each in enumerate(found, 1)),
        footer="" if is_complete else phrases("like.partly"),
    )


def _short(title: str) -> str:
    return title if len(title) <= _QUOTED else title[: _QUOTED - 1] + "…"
