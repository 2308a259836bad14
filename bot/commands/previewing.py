"""/preview: what a query would have brought in the last week; and how much a new subscription is going to bring."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bot.announcements import announcement_day, announcement_days, day_of, midnight_of
from bot.arxiv.client import ArxivError
from bot.cards.latex import readable
from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.commands.queries import expected, meaning, mend, subscribe_button, where
from bot.digests.known import match
from bot.interests import BadQuery, Interest, Matches, parse_interest
from bot.papers import Paper, PaperId
from bot.storage import announcements, chats, digests, papers

A_WEEK = timedelta(days=6)
"""From the first to the last of seven days."""
_TITLES = 5


@dataclass(frozen=True, slots=True)
class Recently:
    """What a query matched of late: how many papers on each announcement day, and the ids, the latest first."""

    by_day: dict[date, int]
    papers: tuple[PaperId, ...]

    @property
    def a_day(self) -> int | None:
        """Papers a day, rounded up; None where no day is known."""
        return -(-sum(self.by_day.values()) // len(self.by_day)) if self.by_day else None


async def preview(context: Context) -> Reply:
    """The last week of a query, a count a day and the latest titles; days that were never read are fetched first."""
    services, phrases = context.services, context.phrases
    if not context.argument:
        return context.says("preview.how")
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return mend(context, error)
    async with services.database.read() as connection:
        categories = await chats.looked_at(connection, [interest], services.settings.arxiv.default_categories)
    trouble = await _fetch(context, categories)
    recently = await look_back(context, interest, categories)
    async with services.database.read() as connection:
        found = await papers.get(connection, recently.papers[:_TITLES])
    lines = [
        *filter(None, [meaning(interest, phrases)]),
        *where(context, interest, categories),
        "",
        *(phrases("preview.day", day=phrases.day(day), count=count) for day, count in sorted(recently.by_day.items())),
        *(expected(recently.a_day, phrases) or [phrases("preview.no_days")]),
        *([trouble] if trouble else []),
    ]
    if found:
        lines += ["", phrases("preview.latest"), *(_line(found[each]) for each in recently.papers[:_TITLES])]
    return Reply(
        "\n".join(lines),
        title=phrases("preview.title", query=interest),
        buttons=subscribe_button(interest, phrases),
    )


async def look_back(context: Context, interest: Interest, categories: Sequence[str]) -> Recently:
    """What a query matched on the announcement days of the last week of which every category's list is known."""
    today = announcement_day(day_of(context.now))
    first = today - A_WEEK
    matches = Matches([interest])
    async with context.services.database.read() as connection:
        told = await announcements.get(connection, categories, first)
        scope = None if interest.is_open else interest.wanted
        listed = await digests.listed(connection, scope, midnight_of(first))
        await match(connection, matches, listed)
    known = [{each.day for each in days if not each.is_awaited} for days in told.values()]
    days = {day for day in announcement_days(first, today) if any(day in each for each in known)}
    day_of_paper: dict[PaperId, date] = {}
    wanted = set(matches.of(interest))
    for each in listed:
        if each.paper_id in wanted:
            day_of_paper[each.paper_id] = min(each.day, day_of_paper.get(each.paper_id, each.day))
    counts = Counter(day_of_paper.values())
    latest = sorted(
        (each for each, day in day_of_paper.items() if day in days),
        reverse=True,
        key=lambda each: (day_of_paper[each], each),
    )
    return Recently({day: counts[day] for day in days}, tuple(latest))


async def _fetch(context: Context, categories: Sequence[str]) -> str:
    """Have the days read that never were, and say so first: it takes a while. What to say where that fails."""
    services, phrases = context.services, context.phrases
    unread = await services.poller.history.unread(categories, A_WEEK)
    if not unread:
        return ""
    await services.tell(
        context.chat,
        f"reading-{context.chat.id}-{context.now:%Y%m%d%H%M%S%f}",
        Reply(
            phrases(
                "preview.reading",
                count=len({day for days in unread.values() for day in days}),
                categories=", ".join(unread),
            )
        ),
        urgent=True,
    )
    try:
        await services.poller.refresh(list(unread))
        await services.poller.history.fill(categories, A_WEEK)
    except ArxivError as error:
        return phrases("preview.unreachable", reason=phrases(f"arxiv.{error.reason}"))
    return ""


def _line(paper: Paper) -> str:
    return f"• {readable(paper.title)} · {paper.id}"
