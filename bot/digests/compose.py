"""Composing: match, summarise, render, and write a digest with its outbox Messages in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cards.reply import Button, Render, Reply, badge_of, card_of
from bot.chats import Chat, PlatformName, languages, local_day, wanted_categories
from bot.digests.choose import Choice, choose, matching, owed
from bot.locales import Phrases, format_date, phrases_of
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import chats, digests, marks, outbox, papers
from bot.storage.database import Database
from bot.storage.digests import Candidate, Occasion, Receipt
from bot.summary import Summary

OVERLAP = timedelta(days=2)
"""How far a digest looks back behind the last one: a listing may be committed after it was seen; the ledger knows."""

MORE_AT_ONCE = 12
AFTER_TROUBLE = timedelta(minutes=1)

Renders = Mapping[PlatformName, Render]
Summarise = Callable[[Sequence[Paper]], Awaitable[dict[PaperId, Summary]]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become a digest."""

    chat: Chat
    occasion: Occasion
    choice: Choice
    latest_day: date | None = None
    """The last announcement day among what matched."""
    announced_at: datetime | None = None
    """When the last of what it shows was seen."""

    @classmethod
    def of(cls, chat: Chat, occasion: Occasion, choice: Choice, matched: Sequence[Candidate]) -> "_Plan":
        shown = set(choice.shown)
        seen = [candidate.first_seen_at for candidate in matched if candidate.paper_id in shown]
        day = max((candidate.day for candidate in matched), default=None)
        return cls(chat, occasion, choice, day, max(seen, default=None))


class OvertakenError(Exception):
    """Another process gave the chat one of these papers while this digest was being written. Nothing was written."""


class Composer:
    """Makes digests. Two of one chat never at once: they would choose the same papers.

    Within a process they take turns; of two processes the later one finds the ledger changed, and chooses anew.
    """

    def __init__(
        self,
        database: Database,
        summarise: Summarise,
        renders: Renders,
        default_categories: Iterable[str],
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._summarise = summarise
        self._renders = renders
        self._default_categories = tuple(default_categories)
        self._metrics = metrics
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def tick(self, now: datetime) -> datetime | None:
        """Compose every digest that is due; when the next one will be."""
        async with self._database.read() as connection:
            if await marks.is_held(connection):
                return None
            due = await chats.due(connection, now, list(self._renders))
        earliest = now
        for chat in due:
            try:
                await self.daily(chat, now)
            except Exception:
                # One chat's trouble is not another's; it stays due and is tried again at the next tick.
                log.exception("digest.failed", chat=chat.id)
                earliest = now + AFTER_TROUBLE
        async with self._database.read() as connection:
            next_due = await chats.next_due_at(connection, list(self._renders))
        return max(next_due, earliest) if next_due is not None else None

    async def daily(self, chat: Chat, now: datetime) -> int:
        """The digest of a chat's day: everything it is owed. An empty one is recorded too: the day had its digest."""

        async def owed(connection: AsyncConnection) -> _Plan | None:
            # Asked anew inside the turn: an earlier tick may have served this day.
            current = await chats.get(connection, chat.id)
            if current is None or current.next_digest_at is None or current.next_digest_at > now:
                return None
            return await self._owed(connection, current, "daily")

        return await self._make(chat, owed, now)

    async def _make(
        self, chat: Chat, plan_of: Callable[[AsyncConnection], Awaitable[_Plan | None]], now: datetime
    ) -> int:
        """Plan and compose in the chat's turn, anew where another process was quicker; how many papers it shows."""
        async with self._turns[chat.id]:
            for is_last in (False, False, True):
                async with self._database.read() as connection:
                    plan = await plan_of(connection)
                try:
                    return await self._compose(plan, now) if plan is not None else 0
                except (OvertakenError, IntegrityError):
                    # Of two digests of one day the database takes only the first.
                    if is_last:
                        raise
            raise AssertionError

    async def on_demand(self, chat: Chat, now: datetime, *, with_sample: bool = False) -> int:
        """The digest that `/digest` asks for: what is owed now, else what was not shown of the latest announcement.

        `with_sample`: where nothing of arXiv's is stored, the bundled sample serves. Returns how many papers it shows;
        0 means that nothing was made.
        """

        async def owed_or_latest(connection: AsyncConnection) -> _Plan | None:
            plan = await self._owed(connection, chat, "asked")
            if not plan.choice.shown:
                plan = await self._latest(connection, chat, with_sample=with_sample)
            return plan if plan.choice.shown else None

        return await self._make(chat, owed_or_latest, now)

    async def more(self, chat: Chat, first_held: PaperId, now: datetime) -> int:
        """The next of what a digest holds back, known by any paper that it held; how many papers that shows."""

        async def held_back(connection: AsyncConnection) -> _Plan | None:
            held = await digests.held_with(connection, chat.id, first_held)
            shown, rest = tuple(held[:MORE_AT_ONCE]), tuple(held[MORE_AT_ONCE:])
            choice = Choice(shown, rest, Receipt(len(held), len(held), len(shown), len(rest)))
            return _Plan(chat, "more", choice) if shown else None

        return await self._make(chat, held_back, now)

    async def preview(self, chat: Chat, now: datetime) -> Reply:
        """What the chat's digest would be at this instant; nothing is written."""
        async with self._database.read() as connection:
            plan = await self._owed(connection, chat, "daily")
        return await self._reply(plan, now)

    async def _owed(self, connection: AsyncConnection, chat: Chat, occasion: Occasion) -> _Plan:
        subscriptions = await chats.subscriptions_of(connection, chat.id)
        wanted = wanted_categories(subscriptions)
        if not subscriptions:
            return _Plan(chat, occasion, choose(0, [], (), 0))
        last = await digests.last_daily_at(connection, chat.id)
        made = min(subscription.since for subscription in subscriptions)
        found = await digests.candidates(
            connection, chat.id, wanted, max(made, last - OVERLAP) if last is not None else made
        )
        matched = owed(found, subscriptions)
        # What came since the last digest, wanted or not, and what is still owed from before.
        fresh = {candidate.paper_id for candidate in found if last is None or candidate.first_seen_at >= last}
        announced = len(fresh | {candidate.paper_id for candidate in matched})
        return _Plan.of(chat, occasion, choose(announced, matched, wanted, chat.preferences.cap), matched)

    async def _latest(self, connection: AsyncConnection, chat: Chat, *, with_sample: bool) -> _Plan:
        subscriptions = await chats.subscriptions_of(connection, chat.id)
        wanted = wanted_categories(subscriptions) or self._default_categories
        found = await digests.latest(connection, chat.id, wanted)
        if not found and with_sample:
            found = await digests.sample(connection, chat.id)
        announced = len({candidate.paper_id for candidate in found})
        matched = [candidate for candidate in matching(found, subscriptions) if not candidate.shown]
        return _Plan.of(chat, "asked", choose(announced, matched, wanted, chat.preferences.cap), matched)

    async def _compose(self, plan: _Plan, now: datetime) -> int:
        chat, choice = plan.chat, plan.choice
        payloads: list[str] = []
        if choice.shown:
            reply = await self._reply(plan, now)
            payloads = await asyncio.to_thread(self._renders[chat.platform], reply)
        today = local_day(chat.preferences, now)
        async with self._database.write() as connection:
            digest_id = await digests.add(
                connection, chat.id, plan.occasion, today, now, choice.receipt, plan.announced_at
            )
            if not await digests.enter(connection, chat.id, digest_id, choice.shown, choice.held):
                raise OvertakenError(chat.id)
            await outbox.put(connection, chat.id, digest_id, f"d{digest_id}", payloads, now)
            if plan.occasion == "daily":
                await chats.schedule(connection, chat.id, now, today)
        receipt = choice.receipt
        self._metrics.digests.labels(plan.occasion).inc()
        log.info(
            "digest.composed",
            digest=digest_id,
            chat=chat.id,
            occasion=plan.occasion,
            papers=receipt.shown,
            held=receipt.held,
            messages=len(payloads),
        )
        return receipt.shown

    async def _reply(self, plan: _Plan, now: datetime) -> Reply:
        async with self._database.read() as connection:
            found = await papers.get(connection, plan.choice.shown)
        chosen = [found[paper_id] for paper_id in plan.choice.shown]
        written = await self._summarise(chosen)
        return await asyncio.to_thread(_digest_reply, plan, chosen, written, now)


def _digest_reply(plan: _Plan, chosen: Sequence[Paper], written: Mapping[PaperId, Summary], now: datetime) -> Reply:
    """A digest as a reader gets it: header, cards, receipt; in both languages where the chat wants both."""
    language = plan.chat.preferences.language
    spoken = [phrases_of(name) for name in languages(language)]
    first = spoken[0]
    sample = any(paper.is_sample for paper in chosen)
    cards = tuple(
        card_of(paper, written[paper.id], language, first, number) for number, paper in enumerate(chosen, start=1)
    )
    return Reply(
        title=_title(plan, now, first, sample=sample),
        text="\n".join(_opening(plan, phrases, sample=sample) for phrases in spoken),
        cards=cards,
        footer="\n".join(_receipt(plan, written.values(), phrases) for phrases in spoken),
        buttons=_more_button(plan.choice.held, first),
    )


def _more_button(held: Sequence[PaperId], phrases: Phrases) -> tuple[Button, ...]:
    return (Button(phrases("button.more", count=len(held)), f"more:{held[0]}"),) if held else ()


def _receipt(plan: _Plan, written: Iterable[Summary], phrases: Phrases) -> str:
    receipt = plan.choice.receipt
    return phrases(
        "digest.receipt.more" if plan.occasion == "more" else "digest.receipt",
        announced=receipt.announced,
        matched=receipt.matched,
        shown=receipt.shown,
        held=receipt.held,
        engines=" · ".join(sorted({badge_of(summary, phrases) for summary in written})),
    )


def _title(plan: _Plan, now: datetime, phrases: Phrases, *, sample: bool) -> str:
    day = format_date(
        local_day(plan.chat.preferences, now),
        "EEE d MMM y" if phrases.name == "en" else "y年M月d日 EEE",
        locale=phrases.babel,
    )
    return phrases("digest.title.sample" if sample else f"digest.title.{plan.occasion}", day=day)


def _opening(plan: _Plan, phrases: Phrases, *, sample: bool) -> str:
    if sample:
        return phrases("digest.opening.sample")
    if plan.latest_day:
        day = format_date(plan.latest_day, "d MMM" if phrases.name == "en" else "M月d日", locale=phrases.babel)
        return phrases("digest.opening.announced", count=plan.choice.receipt.shown, day=day)
    return phrases("digest.opening", count=plan.choice.receipt.shown)
