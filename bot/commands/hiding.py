"""Hide: what a paper brought here is left out from now on, by a topic or category that it is in; or not followed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot import taxonomy
from bot.cards.latex import readable
from bot.cards.reply import Button, Reply
from bot.chats import Subscription
from bot.commands.context import Context
from bot.commands.previewing import look_back
from bot.commands.queries import topic_name
from bot.commands.reading import is_paper_id
from bot.commands.request import number_in
from bot.interests import BadQuery, Document, Interest, Matches, parse_interest, stored_interest, topics
from bot.interests.terms import Category, Named, Term, Without, all_of, any_of, walk
from bot.papers import Paper, PaperId, is_sample
from bot.storage import changes, chats, papers
from bot.storage.changes import Change

_MOST_TOPICS, _MOST_CATEGORIES, _MOST_ENDED = 4, 3, 3
_QUOTED = 40
_HERE = "here"
"""Behind a paper's id: the menu takes the place of the message whose button was pressed."""


@dataclass(frozen=True, slots=True)
class _Why:
    """Which of a chat's subscriptions bring a paper, and which ready-made topics it has."""

    paper: Paper
    bring: tuple[Subscription, ...]
    all_queries: frozenset[str]
    topics: tuple[Term, ...]

    @property
    def terms(self) -> Iterator[Term]:
        """What could be left out: topics first, then categories that nobody here asked for."""
        for most, terms in ((_MOST_TOPICS, self.topics), (_MOST_CATEGORIES, map(Category, self.paper.categories))):
            yield from [term for term in terms if self.without(term)][:most]

    def without(self, term: Term) -> list[Change]:
        """All that bring the paper, each without what a term wants; none where that makes no sense for one of them."""
        narrowed = [(each, _narrowed(each.interest, term)) for each in self.bring]
        changed = [Change(each, new) for each, new in narrowed if new and str(new) not in self.all_queries]
        return changed if len(changed) == len(self.bring) else []


def here(button: Button) -> Button:
    """The button of a small menu, so that what it opens takes the menu's place."""
    return replace(button, action=f"{button.action} {_HERE}") if button.action.startswith("hide:") else button


async def offer(context: Context) -> Reply:
    """What could be left out, or ended, so that such papers come no more."""
    phrases = context.phrases
    paper_id, _, place = context.argument.partition(" ")
    why = await _why(context, paper_id)
    if why is None:
        return context.whispers("button.stale")
    if not why.bring:
        return context.whispers("hide.nothing")
    buttons = [
        Button(phrases("button.leave_out", what=_name(context, term)), f"exclude:{paper_id} {term}")
        for term in why.terms
    ]
    buttons += [
        Button(phrases("button.end", query=_short(str(each.interest))), f"drop:{each.id}")
        for each in why.bring[:_MOST_ENDED]
    ]
    lines = (
        readable(why.paper.title),
        "",
        phrases("hide.because", count=len(why.bring)),
        *(f"• {each.interest}" for each in why.bring),
        "",
        phrases("hide.how"),
    )
    return Reply(
        "\n".join(lines),
        title=phrases("hide.title"),
        buttons=tuple(buttons),
        in_place=place == _HERE,
        is_aside=place != _HERE,
    )


async def exclude(context: Context) -> Reply:
    """Leave a topic or a category out, as in `exclude:2603.00001 #agents`, wherever the paper came by."""
    paper_id, _, what = context.argument.partition(" ")
    term, why = _term(what), await _why(context, paper_id)
    if term is None or why is None:
        return context.whispers("button.stale")
    wanted = why.without(term)
    if not wanted:
        return context.whispers("hide.cannot")
    async with context.services.database.write() as connection:
        number = await changes.make(connection, context.chat, wanted, context.now)
    changed = (f"• {each.before.interest} → {each.after}" for each in wanted)
    lines = [*changed, *await _effect(context, wanted), context.phrases("hide.done_how")]
    title = context.phrases("hide.done", what=_name(context, term))
    return _done(context, title, lines, number)


async def unhide(context: Context) -> Reply:
    """Take back what was left out, for as long as that is remembered."""
    number = number_in(context.argument)
    if number is None:
        return context.whispers("button.stale")
    async with context.services.database.write() as connection:
        restored = await changes.undo(connection, context.chat, number, context.now)
    if not restored:
        return context.whispers("hide.cannot_undo")
    context.services.scheduler.wake("digest")
    lines = [context.phrases("hide.undone"), *(f"• {query}" for query in restored)]
    return Reply("\n".join(lines), in_place=True)


def _done(context: Context, title: str, lines: Sequence[str], number: int) -> Reply:
    back = Button(context.phrases("button.undo"), f"unhide:{number}")
    return Reply("\n".join(lines), title=title, buttons=(back,), in_place=True)


async def _why(context: Context, paper_id: str) -> _Why | None:
    if not is_paper_id(paper_id) or is_sample(PaperId(paper_id)):
        return None
    async with context.services.database.read() as connection:
        paper = (await papers.get(connection, [PaperId(paper_id)])).get(PaperId(paper_id))
        followed = await chats.subscriptions_of(connection, context.chat.id)
    return await asyncio.to_thread(_matched, paper, followed) if paper else None


def _matched(paper: Paper, followed: Sequence[Subscription]) -> _Why:
    ready_made = [stored_interest(f"#{slug}") for slug in topics()]
    matches = Matches([*(each.interest for each in followed), *ready_made])
    matches.add([Document(paper.id, paper.categories, paper.title, paper.abstract, paper.authors)])
    return _Why(
        paper,
        tuple(each for each in followed if matches.of(each.interest)),
        frozenset(str(each.interest) for each in followed),
        tuple(each.term for each in ready_made if matches.of(each)),
    )


def _narrowed(interest: Interest, term: Term) -> Interest | None:
    """The interest without what a term wants; None where it asks for just that, or would become too long."""
    if term in walk(interest.term) or (isinstance(term, Category) and term.code in interest.wanted):
        return None
    narrowed = Interest.of(all_of([interest.term, Without(term)]))
    try:
        return parse_interest(str(narrowed))
    except BadQuery:
        return None


def _term(text: str) -> Term | None:
    """What a button names: a ready-made topic, or a category."""
    if text.startswith("#") and text[1:] in topics():
        return stored_interest(text).term
    return Category(text) if text in taxonomy.categories() else None


def _name(context: Context, term: Term) -> str:
    if isinstance(term, Named):
        return topic_name(term.slug, context.phrases)
    known = taxonomy.categories()
    return f"{term} {known[term.code]}" if isinstance(term, Category) and term.code in known else str(term)


async def _effect(context: Context, wanted: Sequence[Change]) -> list[str]:
    """How many papers a day these subscriptions bring now, and brought before, going by the last week."""
    before = Interest.of(any_of(each.before.interest.term for each in wanted))
    after = Interest.of(any_of(each.after.term for each in wanted))
    async with context.services.database.read() as connection:
        default = context.services.settings.arxiv.default_categories
        categories = await chats.looked_at(connection, [before], default)
    a_day = [(await look_back(context, interest, categories)).a_day for interest in (before, after)]
    if None in a_day:
        return []
    return [context.phrases("hide.effect", before=a_day[0], after=a_day[1])]


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
