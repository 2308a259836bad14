"""Summaries at the command line: who wrote them, what models cost, and what the checks did not let through."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from bot.cards.plain import plain
from bot.clock import WallClock
from bot.config import Llm, Settings
from bot.storage import rejections, spending, summaries, votes
from bot.storage.database import opened_beside
from bot.storage.rejections import Rejection
from bot.storage.spending import Spent
from bot.storage.votes import Opinion

DAYS = timedelta(days=7)
"""How far back costs are told."""


async def written(settings: Settings) -> list[Table]:
    """Who wrote the stored summaries, and what models were asked of late; no tables before the first summary.

    Costs are told where prices are set. Raises DatabaseError.
    """
    since = (WallClock().now() - DAYS).date()
    async with opened_beside(settings.database.url) as database, database.read() as connection:
        counts = await summaries.counts(connection)
        spent = await spending.spent_since(connection, since)
        liked = {(each.engine, each.model): each for each in await votes.opinions(connection)}
    return [*_of_engines(counts, liked), *_of_days(spent, settings.llm)]


async def rejected(settings: Settings, at_most: int) -> list[Table]:
    """How often each guard rejected each model, and the latest rejections; no tables without any.

    Raises DatabaseError.
    """
    async with opened_beside(settings.database.url) as database, database.read() as connection:
        found = await rejections.counts(connection)
        latest = await rejections.latest(connection, at_most)
    return [_of_guards(found), _of_rejections(latest)] if found else []


def _of_engines(
    counts: Mapping[tuple[str, str | None], int], liked: Mapping[tuple[str, str | None], Opinion]
) -> Iterator[Table]:
    if counts:
        table = _table("written by", "model", "summaries", "liked", "disliked")
        for (engine, model), count in sorted(counts.items(), key=lambda each: -each[1]):
            votes_on = liked.get((engine, model), Opinion(engine, model, 0, 0))
            numbers = (str(each) for each in (count, votes_on.liked, votes_on.disliked))
            table.add_row(engine, Text(plain(model or "")), *numbers)
        yield table


def _of_days(days: Mapping[date, Mapping[str, Spent]], settings: Llm) -> Iterator[Table]:
    if days:
        table = _table("day (UTC)", "model", "requests", "tokens in", "tokens out", "cost")
        for day, models in days.items():
            for model, spent in models.items():
                cost = spent.cost(settings.price_in, settings.price_out) if model == settings.model else None
                numbers = (str(each) for each in (spent.requests, spent.tokens_in, spent.tokens_out))
                table.add_row(str(day), Text(plain(model)), *numbers, "" if cost is None else f"{cost:.4f}")
        yield table


def _of_guards(counts: Sequence[tuple[str, str, int]]) -> Table:
    table = _table("guard", "model", "rejected")
    for guard, model, count in counts:
        table.add_row(guard, Text(plain(model)), str(count))
    return table


def _of_rejections(latest: Sequence[Rejection]) -> Table:
    table = _table("at (UTC)", "paper", "guard", "why")
    for each in latest:
        paper = f"{each.paper_id}v{each.paper_version}"
        table.add_row(f"{each.rejected_at:%m-%d %H:%M}", paper, each.guard, Text(plain(each.detail)))
    return table


_NUMBERS = ("summaries", "liked", "disliked", "requests", "tokens in", "tokens out", "cost", "rejected")


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        is_text = heading in ("model", "why")
        justify: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        table.add_column(heading, justify=justify, no_wrap=not is_text, overflow="fold")
    return table
