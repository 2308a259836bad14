"""/why: how a paper came to a chat, or why it did not."""

from collections.abc import Sequence

from bot.announcements import is_late
from bot.cards.latex import readable
from bot.cards.reply import Reply
from bot.chats import Subscription
from bot.commands.context import Context
from bot.digests.choose import looks_at
from bot.interests import Document, Interest, Matches
from bot.interests.terms import All, Term
from bot.papers import Paper, find_paper_ids
from bot.storage import chats, digests, papers, replacements
from bot.storage.digests import Listing

_QUOTED = 60


async def why(context: Context) -> Reply:
    """Which subscription brought a paper, or what kept it away, a line a subscription."""
    phrases = context.phrases
    wanted = next(find_paper_ids(context.argument), None)
    if wanted is None:
        return (
            context.says("paper.bad", text=context.argument[:_QUOTED]) if context.argument else context.says("why.how")
        )
    async with context.services.database.read() as connection:
        paper = (await papers.get(connection, [wanted])).get(wanted)
        followed = await chats.subscriptions_of(connection, context.chat.id)
        listed = await digests.of_paper(connection, wanted)
        given = await digests.entry(connection, context.chat.id, wanted)
        told = await replacements.last_told(connection, context.chat.id, wanted)
    if paper is None or (paper.is_sample and context.chat.platform != "web"):
        return context.says("why.unknown", id=wanted)
    lines = []
    if given is not None:
        key = "why.held" if given.held else "why.alerted" if given.occasion == "alert" else "why.sent"
        lines.append(phrases(key, at=context.local(given.composed_at)))
    elif not listed:
        lines.append(phrases("why.not_listed"))
    if told is not None:
        key = "why.withdrawn" if told.withdrawn else "why.replaced"
        lines.append(phrases(key, version=told.version, at=context.local(told.at)))
    lines += (
        [phrases("why.nothing_followed")]
        if not followed
        else [_line(context, each, paper, listed) for each in followed]
    )
    if given is None and (late := [each for each in listed if is_late(each.day, each.first_seen_at)]):
        lines.append(phrases("why.late", day=phrases.day(late[0].day), at=context.local(late[0].first_seen_at)))
    return Reply("\n".join(lines), title=readable(paper.title))


def _line(context: Context, subscription: Subscription, paper: Paper, listed: Sequence[Listing]) -> str:
    """What one subscription makes of a paper."""
    phrases, interest = context.phrases, subscription.interest
    if missing := _missing(interest, paper):
        return phrases("why.no_match", query=interest, missing=", ".join(missing))
    here = [each for each in listed if looks_at(interest, each, cross_lists=True)]
    counted = [each for each in here if each.first_seen_at >= subscription.since]
    if here and not counted:
        return phrases("why.before", query=interest, since=context.local(subscription.since))
    only_first = not context.chat.preferences.cross_lists
    if only_first and counted and not any(looks_at(interest, each, cross_lists=False) for each in counted):
        return phrases("why.cross_list", query=interest, primary=paper.primary)
    return phrases("why.match", query=interest)


def _missing(interest: Interest, paper: Paper) -> list[str]:
    """The parts of a query that a paper does not meet; none where it meets all."""
    parts = interest.term.terms if isinstance(interest.term, All) else [interest.term]
    return [str(part) for part in parts if not _wants(part, paper)]


def _wants(term: Term, paper: Paper) -> bool:
    matches = Matches([interest := Interest.of(term)])
    matches.add([Document(paper.id, paper.categories, paper.title, paper.abstract, paper.authors)])
    return bool(matches.of(interest))
