"""⋯ under a card among others: what else can be done with its paper."""

from bot.cards.latex import readable
from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.commands.hiding import here
from bot.commands.reading import card_in, is_paper_id
from bot.papers import PaperId
from bot.storage import papers


async def open_choices(context: Context) -> Reply:
    """The card's further buttons below its title."""
    if not is_paper_id(context.argument):
        return context.whispers("button.stale")
    async with context.services.database.read() as connection:
        found = (await papers.get(connection, [PaperId(context.argument)])).get(PaperId(context.argument))
    if found is None or found.is_sample:
        return context.whispers("button.stale")
    written = await context.services.summarise([found])
    card = card_in(context, found, written[found.id])
    return Reply(readable(found.title), buttons=tuple(map(here, card.further)), is_aside=True)
