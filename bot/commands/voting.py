"""👍 and 👎 under a card: what a person thinks of the summary. Nobody else in the chat is told."""

from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.commands.reading import is_paper_id
from bot.papers import PaperId, is_sample
from bot.storage import papers, votes
from bot.storage.votes import Value

_VALUES: dict[str, Value] = {"up": 1, "down": -1}


async def vote(context: Context) -> Reply:
    """Take a vote, as in `vote:2603.00001 up`; pressed again it is taken back."""
    paper_id, _, said = context.argument.partition(" ")
    value = _VALUES.get(said)
    if value is None or not is_paper_id(paper_id) or is_sample(PaperId(paper_id)):
        return context.whispers("button.stale")
    async with context.services.database.read() as connection:
        found = await papers.get(connection, [PaperId(paper_id)])
    if not found:
        return context.whispers("button.stale")
    written = await context.services.summarise(list(found.values()))
    by, person = written[PaperId(paper_id)].provenance, (context.chat.platform, context.sender.id)
    async with context.services.database.write() as connection:
        is_counted = await votes.cast(connection, *person, PaperId(paper_id), value, by, context.now)
    return context.whispers(f"vote.{said}" if is_counted else "vote.taken_back")
