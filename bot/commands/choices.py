"""⋯ under a card among others, and a number under a list: what can be done with that paper."""

from bot.cards.latex import readable
from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.commands.hiding import here
from bot.commands.reading import card_in, is_paper_id
from bot.papers import PaperId
from bot.storage import papers


async def open_choices(context: Context) -> Reply:
    """The card's further buttons below its title, or, as in `card:2603.00001 all`, all of them."""
    paper_id, _, which = context.argument.partition(" ")
    if not is_paper_id(paper_id):
        return context.whispers("button.stale")
    async with context.services.database.read() as connection:
        found = (await papers.get(connection, [PaperId(paper_id)])).get(PaperId(paper_id))
    if found is None or (found.is_sample and context.chat.platform != "web"):
        return context.whispers("button.stale")
    written = await context.services.summarise([found])
    card = card_in(context, found, written[found.id])
    buttons = (*(card.buttons if which == "all" else ()), *map(here, card.further))
    return Reply(readable(found.title), buttons=buttons, is_aside=True) if buttons else context.whispers("button.stale")
