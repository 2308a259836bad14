"""/digest and /paper, and the buttons under a card and a digest."""

from bot.arxiv.by_id import find_papers
from bot.arxiv.client import ArxivError
from bot.cards.latex import readable
from bot.cards.reply import Reply, card_of
from bot.commands.context import Context
from bot.commands.status import arxiv_line, silence
from bot.papers import BadPaperId, Paper, PaperId, find_paper_ids, is_sample, parse_paper_id
from bot.storage import chats, papers, summaries

_AT_ONCE = 5
_QUOTED = 60


async def digest(context: Context) -> Reply | None:
    """A digest now: what is owed, else the latest announcement, fetched if there is none. It comes by the outbox."""
    services, chat = context.services, context.chat
    async with services.database.read() as connection:
        interests = [each.interest for each in await chats.subscriptions_of(connection, chat.id)]
        wanted = await chats.looked_at(connection, interests, services.settings.arxiv.default_categories)
    shown = await services.composer.on_demand(chat, context.now)
    if not shown:
        await services.poller.refresh(wanted)
        shown = await services.composer.on_demand(chat, services.clock.now(), with_sample=chat.platform == "web")
    if shown:
        services.scheduler.wake("deliver")
        return None
    if trouble := await arxiv_line(context, wanted):
        return Reply(trouble)
    async with services.database.read() as connection:
        current = await chats.get(connection, chat.id)
    if current is None or current.next_digest_at is None:
        return context.says("digest.nothing")
    nothing = context.phrases("digest.nothing_new", next=context.local(current.next_digest_at))
    return Reply("\n".join(filter(None, [nothing, await silence(context, wanted)])))


async def more(context: Context) -> Reply | None:
    """The next papers that a digest held back."""
    if not is_paper_id(context.argument):
        return context.says("button.stale")
    shown = await context.services.composer.more(context.chat, PaperId(context.argument), context.now)
    if not shown:
        return context.says("digest.no_more")
    context.services.scheduler.wake("deliver")
    return None


async def paper(context: Context) -> Reply:
    """Look papers up by id or link: the store first, then arXiv, in one request for all."""
    wanted = list(dict.fromkeys(find_paper_ids(context.argument)))[:_AT_ONCE]
    if not wanted:
        return (
            context.says("paper.bad", text=context.argument[:_QUOTED])
            if context.argument
            else context.says("paper.how")
        )
    services = context.services
    async with services.database.read() as connection:
        found = await papers.get(connection, wanted)
    missing = [paper_id for paper_id in wanted if paper_id not in found and not is_sample(paper_id)]
    trouble = ""
    if missing:
        try:
            fetched = await find_papers(services.client, services.settings.arxiv, missing)
        except ArxivError as error:
            trouble = context.phrases("paper.unreachable", reason=context.phrases(f"arxiv.{error.reason}"))
        else:
            async with services.database.write() as connection:
                await papers.add(connection, fetched.values(), services.clock.now())
            found |= fetched
    visible = [each for paper_id in wanted if (each := found.get(paper_id)) and _may_see(context, each)]
    written = await services.summarise(visible)
    unknown = [paper_id for paper_id in wanted if paper_id not in {each.id for each in visible}]
    lines = [trouble] if trouble else [context.phrases("paper.unknown", id=paper_id) for paper_id in unknown]
    lines += [context.phrases("paper.withdrawn", id=each.id) for each in visible if each.withdrawn]
    language = context.chat.preferences.language
    return Reply(
        "\n".join(lines), cards=tuple(card_of(each, written[each.id], language, context.phrases) for each in visible)
    )


async def abstract(context: Context) -> Reply:
    """A stored paper's whole abstract, in Chinese too where somebody wrote it."""
    if not is_paper_id(context.argument):
        return context.says("button.stale")
    async with context.services.database.read() as connection:
        found = list((await papers.get(connection, [PaperId(context.argument)])).values())
        written = await summaries.get(connection, found)
    if not found or not _may_see(context, found[0]):
        return context.says("button.stale")
    shown = found[0]
    summary = written.get(shown.id)
    chinese = summary.abstract_zh if summary and context.chat.preferences.language != "en" else None
    text = "\n\n".join(filter(None, [readable(shown.abstract), chinese]))
    return Reply(text, title=readable(shown.title))


def is_paper_id(text: str) -> bool:
    """Whether a text is a bare paper id and nothing else."""
    try:
        return parse_paper_id(text) == text
    except BadPaperId:
        return False


def _may_see(context: Context, shown: Paper) -> bool:
    """The sample is kept to the web chat."""
    return not shown.is_sample or context.chat.platform == "web"
