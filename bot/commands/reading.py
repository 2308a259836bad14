"""/digest and /paper, and the buttons under a card and a digest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.arxiv.by_id import find_papers
from bot.arxiv.client import ArxivError
from bot.cards.latex import readable
from bot.cards.reply import Button, Card, Reply, card_of
from bot.chats import Language
from bot.commands.context import Context
from bot.commands.status import arxiv_line, silence
from bot.papers import BadPaperId, Paper, PaperId, find_paper_ids, is_sample, parse_paper_id
from bot.storage import chats, outbox, papers, rejections, summaries
from bot.summaries.model.prompt import VERSION as PROMPT_VERSION
from bot.summary import Summary

ANEW_AFTER = timedelta(hours=1)
"""For so long a paper is left alone of which a model wrote something, whether it was taken or rejected."""
_AT_ONCE = 5
_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Found:
    """Papers that somebody asked for, in order, and what to say of the others. `reached`: whether arXiv answered."""

    papers: list[Paper]
    trouble: list[str]
    reached: bool = True


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
        await _let_go(context)
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
    await _let_go(context)
    return None


async def _let_go(context: Context) -> None:
    """Have what was asked for leave; in a pause what waits for its end comes along, as the order is kept."""
    if context.chat.is_paused(context.now):
        async with context.services.database.write() as connection:
            await outbox.hold_back(connection, context.chat.id, context.now)
    context.services.scheduler.wake("deliver")


async def paper(context: Context) -> Reply:
    """Look papers up by id or link: the store first, then arXiv, in one request for all."""
    wanted = list(dict.fromkeys(find_paper_ids(context.argument)))[:_AT_ONCE]
    if not wanted:
        return (
            context.says("paper.bad", text=context.argument[:_QUOTED])
            if context.argument
            else context.says("paper.how")
        )
    found = await look_up(context, wanted)
    await context.services.want(found.papers, context.now)
    written = await context.services.summarise(found.papers)
    withdrawn = (context.phrases("paper.withdrawn", id=each.id) for each in found.papers if each.withdrawn)
    cards = tuple(card_in(context, each, written[each.id]) for each in found.papers)
    return Reply("\n".join([*found.trouble, *withdrawn]), cards=cards)


async def in_message(context: Context) -> Reply:
    """The papers that a message names, which somebody pointed at."""
    named = list(dict.fromkeys(find_paper_ids(context.argument)))
    return await paper(context) if named else context.says("paper.none_here")


async def look_up(context: Context, wanted: Sequence[PaperId]) -> Found:
    """These papers from the store, else from arXiv."""
    services = context.services
    async with services.database.read() as connection:
        found = await papers.get(connection, wanted)
    missing = [paper_id for paper_id in wanted if paper_id not in found and not is_sample(paper_id)]
    trouble: list[str] = []
    if missing:
        try:
            fetched = await find_papers(services.client, services.settings.arxiv, missing)
        except ArxivError as error:
            trouble = [context.phrases("paper.unreachable", reason=context.phrases(f"arxiv.{error.reason}"))]
        else:
            async with services.database.write() as connection:
                await papers.add(connection, fetched.values(), services.clock.now())
            found |= fetched
    visible = [each for paper_id in wanted if (each := found.get(paper_id)) and _may_see(context, each)]
    unknown = [paper_id for paper_id in wanted if paper_id not in {each.id for each in visible}]
    unknown_here = [context.phrases("paper.unknown", id=paper_id) for paper_id in unknown]
    return Found(visible, trouble or unknown_here, reached=not trouble)


def card_in(context: Context, shown: Paper, summary: Summary) -> Card:
    """A paper's card, which offers to have its summary written anew where a model, or its prompt, is another now."""
    card = card_of(shown, summary, context.chat.preferences.language, context.phrases)
    model, by = context.services.settings.llm.model, summary.provenance
    if not model or shown.is_sample or (by.model, by.version) == (model, PROMPT_VERSION):
        return card
    return replace(card, further=(*card.further, Button(context.phrases("button.anew"), f"anew:{shown.id}")))


async def anew(context: Context) -> Reply:
    """Have a model write a paper's summary again, once in a while."""
    services = context.services
    if not is_paper_id(context.argument) or not services.settings.llm.model:
        return context.says("button.stale")
    async with services.database.read() as connection:
        found = list((await papers.get(connection, [PaperId(context.argument)])).values())
        written = await summaries.get(connection, found)
        rejected_at = await rejections.last_at(connection, PaperId(context.argument))
    if not found or found[0].is_sample:
        return context.says("button.stale")
    shown = found[0]
    summary = written.get(shown.id)
    accepted_at = summary.provenance.written_at if summary and summary.provenance.model else None
    if tried := [each for each in (accepted_at, rejected_at) if each and each + ANEW_AFTER > context.now]:
        return context.says("anew.too_soon", at=context.local(max(tried) + ANEW_AFTER))
    if not await services.write_anew(shown):
        return context.says("anew.failed")
    written = await services.summarise([shown])
    return Reply(cards=(card_in(context, shown, written[shown.id]),))


async def abstract(context: Context) -> Reply:
    """A stored paper's whole abstract, in Chinese too where somebody wrote it."""
    if not is_paper_id(context.argument):
        return context.says("button.stale")
    async with context.services.database.read() as connection:
        found = list((await papers.get(connection, [PaperId(context.argument)])).values())
        written = await summaries.get(connection, found)
    if not found or not _may_see(context, found[0]):
        return context.says("button.stale")
    return abstract_of(found[0], written.get(found[0].id), context.chat.preferences.language)


def abstract_of(shown: Paper, summary: Summary | None, language: Language) -> Reply:
    """A paper's title and abstract in a chat's language."""
    chinese = summary.abstract_zh if summary and language != "en" else None
    quotes = ("\n\n".join(filter(None, [each, chinese])) for each in (readable(shown.abstract), shown.abstract))
    return Reply(title=readable(shown.title), quote=next(quotes), quote_source=next(quotes))


def is_paper_id(text: str) -> bool:
    """Whether a text is a bare paper id and nothing else."""
    try:
        return parse_paper_id(text) == text
    except BadPaperId:
        return False


def _may_see(context: Context, shown: Paper) -> bool:
    """The sample is kept to the web chat."""
    return not shown.is_sample or context.chat.platform == "web"
