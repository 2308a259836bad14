"""Composing: match, summarise, render, and write digests with their outbox Messages in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cards.reply import Reply
from bot.chats import Chat, local_day
from bot.digests.alerts import in_quiet_hours
from bot.digests.alerts import plans as alert_plans
from bot.digests.choose import Choice, Selection, Wishes, select
from bot.digests.edition import reply_of
from bot.digests.known import Known, match
from bot.digests.plans import Plan, Plans, with_replaced
from bot.digests.ports import Awaited, Renders, Summarise, WhyQuiet
from bot.digests.printing import Press
from bot.interests import Matches
from bot.metrics import Metrics
from bot.papers import PaperId
from bot.storage import alerts, chats, digests, marks, outbox, papers, replacements
from bot.storage.database import Database
from bot.storage.digests import Occasion, Receipt
from bot.storage.outbox import Parcel
from bot.storage.slices import slices

MORE_AT_ONCE = 12
AFTER_TROUBLE = timedelta(minutes=1)
LOOK_AGAIN = timedelta(seconds=20)
"""Whether summaries are there that were still being written."""

_TOGETHER = 250
"""Chats whose digests share their queries and one transaction."""
_LOOK_ANEW = 40
"""So many of those later the listings are read anew, for papers that came meanwhile."""

log = structlog.get_logger(__name__)


async def _no_reason(_chat: Chat, _announced: int, _now: datetime) -> str:
    return ""


class OvertakenError(Exception):
    """While its digest was being written a chat was paused, or given one of the papers by another process.

    Nothing was written.
    """


class Composer:
    """Makes digests, those of many chats together. Two of one chat never at once: they would choose the same papers.

    Within a process they take turns; of two processes the later one finds the ledger changed, and chooses anew.
    """

    def __init__(
        self,
        database: Database,
        summarise: Summarise,
        renders: Renders,
        default_categories: Iterable[str],
        metrics: Metrics,
        why_quiet: WhyQuiet = _no_reason,
        awaited: Awaited | None = None,
        awaits_chinese: Callable[[], bool] = lambda: False,
    ) -> None:
        self._awaited = awaited
        self.awaits_chinese = awaits_chinese
        self._database = database
        self._why_quiet = why_quiet
        self._press = Press(database, summarise, renders)
        self._renders = renders
        self._default_categories = tuple(default_categories)
        self._metrics = metrics
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def tick(self, now: datetime) -> datetime | None:
        """Compose every digest that is due; when the next one will be."""
        async with self._database.read() as connection:
            if await marks.is_held(connection):
                return None
            due = await chats.due(connection, now, list(self._renders))
            interests = await chats.interests(connection) if len(due) > _TOGETHER else ()
        all_well, known = True, Known(interests)
        for number, batch in enumerate(slices(due, _TOGETHER), start=1):
            all_well &= await self._several(self._due, batch, now, known)
            if number % _LOOK_ANEW == 0:
                known.forget()
        earliest = now if all_well else now + AFTER_TROUBLE
        async with self._database.read() as connection:
            next_due = await chats.next_due_at(connection, list(self._renders))
        return max(next_due, earliest) if next_due is not None else None

    async def alerts(self, now: datetime) -> datetime | None:
        """Compose every alert that is due; when the next one will be."""
        async with self._database.read() as connection:
            if await marks.is_held(connection):
                return None
            due = await alerts.due(connection, now, list(self._renders))
        all_well, known = True, Known()
        for batch in slices(list(due), _TOGETHER):
            is_well = await self._several(self._alerted, batch, now, known)
            all_well &= is_well
            if is_well:
                await self._end_alerts(due, batch)
        async with self._database.read() as connection:
            next_due = await alerts.next_at(connection, list(self._renders), after=now)
        earliest = None if all_well else now + AFTER_TROUBLE
        return min(filter(None, (next_due, earliest)), default=None)

    async def alert(self, chat: Chat, now: datetime) -> int:
        """The alert of one chat, if it is due; how many papers it shows."""
        async with self._database.read() as connection:
            due = await alerts.due_since(connection, chat.id, now)
        shown = await self._make([chat.id], self._alerted([chat.id], now), now)
        await self._end_alerts(due, [chat.id])
        return shown

    async def _end_alerts(self, due: Mapping[int, datetime], chat_ids: Iterable[int]) -> None:
        """These alerts are over. Should a kill leave one due, the ledger knows what it showed."""
        async with self._database.write() as connection:
            await alerts.done(connection, {chat_id: due[chat_id] for chat_id in chat_ids if chat_id in due})

    def _alerted(self, chat_ids: Sequence[int], now: datetime) -> Plans:
        async def alerted(connection: AsyncConnection, known: Known) -> list[Plan]:
            return await alert_plans(connection, chat_ids, now, known)

        return alerted

    async def daily(self, chat: Chat, now: datetime) -> int:
        """The digest of a chat's day: everything it is owed. An empty one is recorded too: the day had its digest."""
        return await self._make([chat.id], self._due([chat.id], now), now)

    async def on_demand(self, chat: Chat, now: datetime, *, with_sample: bool = False) -> int:
        """The digest that `/digest` asks for: what is owed now, else what was not shown of the latest announcement.

        `with_sample`: where nothing of arXiv's is stored, the bundled sample serves. Returns how many papers it shows;
        0 means that nothing was made.
        """

        async def owed_or_latest(connection: AsyncConnection, known: Known) -> list[Plan]:
            (plan,) = await self._owed(connection, [chat], "asked", known)
            if not plan.selection.choice.shown:
                plan = await self._latest(connection, chat, with_sample=with_sample)
            return [plan] if plan.selection.choice.shown else []

        return await self._make([chat.id], owed_or_latest, now)

    async def more(self, chat: Chat, first_held: PaperId, now: datetime) -> int:
        """The next of what a digest holds back, known by any paper that it held; how many papers that shows."""

        async def held_back(connection: AsyncConnection, _: Known) -> list[Plan]:
            held = await digests.held_with(connection, chat.id, first_held)
            shown, rest = tuple(held[:MORE_AT_ONCE]), tuple(held[MORE_AT_ONCE:])
            choice = Choice(shown, rest, Receipt(len(held), len(held), len(shown), len(rest)))
            return [Plan(chat, "more", Selection(choice))] if shown else []

        return await self._make([chat.id], held_back, now)

    async def owed(self, chat: Chat, now: datetime) -> int:
        """How many papers a chat is owed at this instant; nothing is written."""
        async with self._database.read() as connection:
            (plan,) = await self._owed(connection, [chat], "daily", Known())
        return plan.selection.choice.receipt.matched

    async def preview(self, chat: Chat, now: datetime) -> Reply:
        """What the chat's digest would be at this instant; nothing is written."""
        async with self._database.read() as connection:
            (plan,) = await self._owed(connection, [chat], "daily", Known())
        edition = replace(plan.edition(now), page_size=0)
        return await asyncio.to_thread(reply_of, edition, *await self._press.facts([edition]))

    async def _several(
        self, plans_of: Callable[[Sequence[int], datetime], Plans], chat_ids: Sequence[int], now: datetime, known: Known
    ) -> bool:
        """The digests of these chats together, or each half by itself where that fails; whether all is well.

        So one chat's trouble is not another's: in the end only that chat stays due, for the next tick.
        """
        # A chat that somebody just asks for a digest may take a while: the others do not wait for it.
        busy = [chat_id for chat_id in chat_ids if self._is_busy(chat_id)] if len(chat_ids) > 1 else []
        parts = [[chat_id] for chat_id in busy]
        if ready := [chat_id for chat_id in chat_ids if chat_id not in busy]:
            try:
                await self._make(ready, plans_of(ready, now), now, known)
            except Exception:
                if len(ready) == 1:
                    log.exception("digest.failed", chat=ready[0])
                    return False
                middle = len(ready) // 2
                parts = [ready[:middle], ready[middle:], *parts]
        return all([await self._several(plans_of, part, now, known) for part in parts])

    def _is_busy(self, chat_id: int) -> bool:
        turn = self._turns.get(chat_id)
        return turn is not None and turn.locked()

    @asynccontextmanager
    async def _turn(self, chat_ids: Iterable[int]) -> AsyncIterator[None]:
        async with AsyncExitStack() as turns:
            for chat_id in chat_ids:
                await turns.enter_async_context(self._turns.setdefault(chat_id, asyncio.Lock()))
            yield

    async def _make(self, chat_ids: Sequence[int], plans_of: Plans, now: datetime, known: Known | None = None) -> int:
        """Plan and compose in the chats' turn; how many papers that shows.

        One chat's digest is chosen anew where another process was quicker; of several it is not known whose that is.
        """
        async with self._turn(chat_ids):
            tries = 3 if len(chat_ids) == 1 else 1
            while True:
                tries -= 1
                known = known or Known()
                async with self._database.read() as connection:
                    plans = await plans_of(connection, known)
                plans = await self._ready(plans, now)
                try:
                    return await self._compose(plans, now, known) if plans else 0
                except (OvertakenError, IntegrityError):
                    # Of two digests of one day the database takes only the first.
                    if not tries:
                        raise

    async def _ready(self, plans: list[Plan], now: datetime) -> list[Plan]:
        """The plans whose papers' summaries are as good as they will be soon; others that nobody asked for are put off.

        A day's digest not over midnight: it would be the next day's. An alert waits for the end of quiet hours, too.
        """
        if quiet := in_quiet_hours(plans, now):
            async with self._database.write() as connection:
                for chat_id, until in quiet.items():
                    await alerts.put_off(connection, [chat_id], until)
            plans = [plan for plan in plans if plan.chat.id not in quiet]
        if self._awaited is None:
            return plans
        later = now + LOOK_AGAIN
        patient = [
            plan
            for plan in plans
            if plan.occasion == "alert"
            or (
                plan.occasion == "daily"
                and plan.selection.choice.shown
                and local_day(plan.chat.preferences, later) == local_day(plan.chat.preferences, now)
            )
        ]
        put_off: set[int] = set()
        for bilingual in (False, True):
            asking = [plan for plan in patient if (plan.chat.preferences.language != "en") is bilingual]
            shown = dict.fromkeys(paper_id for plan in asking for paper_id in plan.selection.choice.shown)
            if not shown:
                continue
            async with self._database.read() as connection:
                found = await papers.get(connection, list(shown))
            awaited = await self._awaited(list(found.values()), now, bilingual=bilingual)
            put_off |= {plan.chat.id for plan in asking if awaited.intersection(plan.selection.choice.shown)}
        if put_off:
            async with self._database.write() as connection:
                if patient[0].occasion == "daily":
                    await chats.due_at(connection, put_off, later)
                else:
                    await alerts.put_off(connection, put_off, later)
            log.info("digests.wait_for_summaries", digests=len(put_off))
        return [plan for plan in plans if plan.chat.id not in put_off]

    def _due(self, chat_ids: Sequence[int], now: datetime) -> Plans:
        async def due(connection: AsyncConnection, known: Known) -> list[Plan]:
            # Asked anew inside the turn: an earlier tick may have served this day.
            plans = await self._owed(connection, await chats.still_due(connection, chat_ids, now), "daily", known)
            return await with_replaced(connection, plans, now)

        return due

    async def _owed(
        self, connection: AsyncConnection, people: Sequence[Chat], occasion: Occasion, known: Known
    ) -> list[Plan]:
        ids = [chat.id for chat in people]
        follows = await chats.subscriptions_by_chat(connection, ids)
        last = await digests.last_dailies(connection, ids)
        wishes = {
            chat.id: Wishes.of(follows.get(chat.id, []), last.get(chat.id), cross_lists=chat.preferences.cross_lists)
            for chat in people
        }
        alike: defaultdict[Wishes, list[int]] = defaultdict(list)
        for chat_id, wish in wishes.items():
            alike[wish].append(chat_id)
        await known.read(connection, alike)
        await asyncio.to_thread(lambda: list(map(known.offer, alike)))
        given: dict[int, str] = {}
        for wish, chat_ids in alike.items():
            given |= await digests.given(connection, chat_ids, known.offer(wish).papers)

        def decide() -> list[Plan]:
            return [
                Plan(
                    chat,
                    occasion,
                    known.selection(wishes[chat.id], given.get(chat.id, ""), chat.preferences.cap),
                )
                for chat in people
            ]

        return await asyncio.to_thread(decide)

    async def _latest(self, connection: AsyncConnection, chat: Chat, *, with_sample: bool) -> Plan:
        interests = [each.interest for each in await chats.subscriptions_of(connection, chat.id)]
        wanted = await chats.looked_at(connection, interests, self._default_categories)
        found = await digests.latest(connection, wanted)
        if not found and with_sample:
            found = await digests.sample(connection)
        matches = Matches(interests)
        await match(connection, matches, found)
        announced = {each.paper_id for each in found}
        shown = await digests.given(connection, [chat.id], sorted(announced), held_too=False)
        had = set(shown.get(chat.id, "").split())
        wanted_here = announced if not interests else set(matches.of_any())
        matched = [each for each in found if each.paper_id in wanted_here - had]
        return Plan(chat, "asked", select(len(announced), matched, wanted, chat.preferences.cap))

    async def _compose(self, plans: Sequence[Plan], now: datetime, known: Known) -> int:
        plans = [await self._with_note(plan, now) for plan in plans]
        awaits_chinese = self.awaits_chinese()
        editions = [plan.edition(now, awaits_chinese=awaits_chinese) for plan in plans]
        closings = [plan.updates for plan in plans]
        printed = [edition for edition in editions if not edition.is_empty]
        await self._press.print(printed, [each for each in closings if each.replaced], now, known)
        days: dict[int, date | None] = {}
        alike: defaultdict[Choice, list[int]] = defaultdict(list)
        parcels = []
        async with self._database.write() as connection:
            opened = [plan.opened(edition) for plan, edition in zip(plans, editions, strict=True)]
            numbers = await digests.add(connection, opened, now)
            for digest, edition, closing in zip(opened, editions, closings, strict=True):
                number = numbers[digest.chat_id]
                alike[edition.choice].append(number)
                payload_ids = known.payload_ids.get(edition, ()) + known.update_ids.get(closing, ())
                parcels.append(Parcel(digest.chat_id, number, f"d{number}", payload_ids))
                if digest.occasion == "daily":
                    days[digest.chat_id] = digest.local_day
            unasked = [digest.chat_id for digest in opened if digest.occasion in ("daily", "alert")]
            if unasked and await chats.any_paused(connection, unasked, now):
                raise OvertakenError(unasked)
            await replacements.told(connection, {plan.chat.id: plan.replaced for plan in plans}, now)
            for choice, digest_ids in alike.items():
                if not await digests.enter(connection, digest_ids, choice.shown, choice.held):
                    raise OvertakenError(digest_ids)
            await outbox.put_many(connection, parcels, now)
            if days:
                await chats.schedule_all(connection, days, now)
        self._tell(plans, parcels)
        return sum(edition.choice.receipt.shown for edition in editions)

    async def _with_note(self, plan: Plan, now: datetime) -> Plan:
        """The same with why there is nothing, where the chat wants to know."""
        is_wanted = plan.occasion == "daily" and plan.chat.preferences.quiet_note
        if not is_wanted or plan.selection.choice.shown:
            return plan
        return replace(plan, note=await self._why_quiet(plan.chat, plan.selection.choice.receipt.announced, now))

    def _tell(self, plans: Sequence[Plan], parcels: Sequence[Parcel]) -> None:
        for plan, parcel in zip(plans, parcels, strict=True):
            receipt = plan.selection.choice.receipt
            log.debug(
                "digest.composed",
                digest=parcel.digest_id,
                chat=plan.chat.id,
                occasion=plan.occasion,
                papers=receipt.shown,
                held=receipt.held,
                messages=len(parcel.payload_ids),
            )
        self._metrics.digests.labels(plans[0].occasion).inc(len(plans))
        log.info(
            "digests.composed",
            occasion=plans[0].occasion,
            digests=len(plans),
            first=parcels[0].digest_id,
            last=parcels[-1].digest_id,
            papers=sum(plan.selection.choice.receipt.shown for plan in plans),
            messages=sum(len(parcel.payload_ids) for parcel in parcels),
        )
