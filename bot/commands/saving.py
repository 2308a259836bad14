"""/save, /unsave and /saved: what a person keeps, in whichever chat it was met; /saved in pages, or as a file."""

import asyncio
from dataclasses import replace

from bot.cards.citation import STYLES, bibtex
from bot.cards.latex import readable
from bot.cards.reply import Button, File, Reply, line_of
from bot.commands.context import Context
from bot.commands.reading import is_paper_id, look_up
from bot.commands.request import number_in
from bot.papers import PaperId, find_paper_ids, is_sample
from bot.storage import papers, saved

MOST_SAVED = 2_000
"""Papers that one person may keep."""
_A_PAGE = 10
_AT_ONCE = 10
_NAME_SHOWN = 60


async def save(context: Context) -> Reply:
    """Keep papers, for the person who says so alone. What is not stored yet is fetched."""
    wanted = _named(context)
    if not wanted:
        return context.says("save.how")
    found = await look_up(context, [each for each in wanted if not is_sample(each)])
    kept = [each.id for each in found.papers]
    chat, person = context.chat, context.sender.id
    async with context.services.database.write() as connection:
        before = await saved.count(connection, chat.platform, person)
        if before + len(kept) > MOST_SAVED:
            return context.says("save.full", count=MOST_SAVED)
        new = await saved.add(connection, chat.platform, person, kept, context.now)
    lines = [*found.trouble, *(context.phrases("paper.unknown", id=each) for each in wanted if is_sample(each))]
    if kept:
        titles = "\n".join(f"• {readable(each.title)} · {each.id}" for each in found.papers)
        key = "save.done" if new else "save.already"
        lines.append(_whose(context) + context.phrases(key, titles=titles))
    return Reply("\n".join(lines))


async def press_save(context: Context) -> Reply:
    """The same by a card's button; only whoever pressed it is told."""
    if not is_paper_id(context.argument):
        return context.whispers("button.stale")
    reply = await save(context)
    return replace(reply, text=reply.text.removeprefix(_whose(context)), is_aside=True)


async def unsave(context: Context) -> Reply:
    """Keep papers no longer, or none at all: `/unsave all`."""
    chat, person, wanted = context.chat, context.sender.id, _named(context)
    is_all = context.argument.lower() in ("all", "全部")
    if not wanted and not is_all:
        return context.says("unsave.how")
    async with context.services.database.write() as connection:
        if is_all:
            count = await saved.remove_all(connection, chat.platform, person)
        else:
            count = await saved.remove(connection, chat.platform, person, wanted)
    return context.says("unsave.done", count=count) if count else context.says("unsave.none")


async def show_saved(context: Context) -> Reply:
    """What a person keeps, the latest first: a page of it, or all of it as a file."""
    argument = context.argument.lower().removeprefix("export").strip()
    if argument in STYLES:
        return await _exported(context, argument)
    if not argument and not context.argument:
        return await _page(context, 1)
    number = number_in(argument)
    return await _page(context, number) if number is not None else context.says("saved.how")


async def turn(context: Context) -> Reply:
    """Another page in place of the one whose button was pressed: `saved:2 7`. A list is its owner's to turn."""
    number, _, owner = context.argument.partition(" ")
    if owner != context.sender.id:
        return context.says("saved.others")
    return replace(await _page(context, number_in(number) or 1), in_place=True)


async def remove(context: Context) -> Reply:
    """The button below a paper of the list: `unsave:2603.00001 2 7`. The same page is shown, without it."""
    paper_id, _, page = context.argument.partition(" ")
    if page.partition(" ")[2] != context.sender.id:
        return context.says("saved.others")
    async with context.services.database.write() as connection:
        await saved.remove(connection, context.chat.platform, context.sender.id, [PaperId(paper_id)])
    return await turn(replace(context, argument=page))


async def show_bibtex(context: Context) -> Reply:
    """A stored paper's BibTeX entry, to be copied."""
    if not is_paper_id(context.argument) or is_sample(PaperId(context.argument)):
        return context.says("button.stale")
    async with context.services.database.read() as connection:
        found = list((await papers.get(connection, [PaperId(context.argument)])).values())
    if not found:
        return context.says("button.stale")
    return Reply(readable(found[0].title), code=bibtex(found).strip())


async def _page(context: Context, page: int) -> Reply:
    chat, owner, phrases = context.chat, context.sender.id, context.phrases
    async with context.services.database.read() as connection:
        count = await saved.count(connection, chat.platform, owner)
        pages = -(-count // _A_PAGE)
        page = max(1, min(page, pages))
        skip = (page - 1) * _A_PAGE
        found = await saved.latest(connection, chat.platform, owner, _A_PAGE, skip)
    if not found:
        return context.says("saved.none")
    removals = (
        Button(f"✕ {number}", f"unsave:{each.id} {page} {owner}") for number, each in enumerate(found, skip + 1)
    )
    leaves = ((page - 1, "◀"), (page, f"{page}/{pages}"), (page + 1, "▶")) if pages > 1 else ()
    turns = (Button(label, f"saved:{to} {owner}") for to, label in leaves if 1 <= to <= pages)
    return Reply(
        title=_whose(context) + phrases("saved.title", count=count),
        cards=tuple(line_of(each, phrases, number) for number, each in enumerate(found, skip + 1)),
        footer=phrases("saved.export"),
        buttons=(*removals, *turns),
    )


async def _exported(context: Context, name: str) -> Reply:
    style = STYLES[name]
    async with context.services.database.read() as connection:
        found = await saved.latest(connection, context.chat.platform, context.sender.id, MOST_SAVED)
    if not found:
        return context.says("saved.none")
    text = await asyncio.to_thread(style.cite, found)
    said = context.phrases("saved.exported", count=len(found))
    return Reply(_whose(context) + said, file=File(f"saved.{style.suffix}", text))


def _whose(context: Context) -> str:
    """In a group: who is spoken to."""
    return f"{context.sender.name[:_NAME_SHOWN]}: " if context.chat.is_group else ""


def _named(context: Context) -> list[PaperId]:
    return list(dict.fromkeys(find_paper_ids(context.argument)))[:_AT_ONCE]
