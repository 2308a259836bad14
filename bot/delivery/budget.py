"""Budgets: how many messages a platform takes in which time, and who may send the next one when.

A scope (a platform, one chat, one group) has as many slots as its rate allows in a window. A message takes one slot of
each of its scopes when it leaves, and gives it back one window after the platform's *answer*: the platform may have
counted it as late as that, and no jitter on the way brings more into a window than fit.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat
from bot.clock import Clock
from bot.delivery.port import Pace, Rate
from bot.storage import budgets
from bot.storage.database import Database

LEASE = timedelta(minutes=3)
"""After this a slot that nobody gave back is free again: its process died. Longer than any answer is waited for."""

NOT_AHEAD = timedelta(0)
_TIDY_EVERY = 1000
_NEARLY = 1.0
"""Seconds: the most that a message is claimed before it leaves, and more."""
_BEHIND = 60.0
"""Seconds that one who asks may be behind another: the clocks of two machines differ, or it waited for the database."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rate holds for, under a name that is the same in every process."""

    name: str
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants to send one message within these scopes. Urgent ones are replies to a person."""

    scopes: tuple[Scope, ...]
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A message that left then was answered, `at` that time or (None) now: its slots come back one window later."""

    scopes: tuple[Scope, ...]
    left_at: datetime
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to an Ask: it may leave `at` a time; or it is `lacking` that scope's slot, and may ask again then."""

    at: datetime
    lacking: str | None = None


class Budget(Protocol):
    """Who remembers the slots: this process alone, or the database for all of them."""

    async def turn(
        self, answered: Sequence[Answered], asked: Sequence[Ask], now: datetime, ahead: timedelta = NOT_AHEAD
    ) -> list[Grant]:
        """Give back, then take for as many as there are slots for, in the order asked.

        What comes back within `ahead` is given already: the message is to leave then.
        """

    async def halt(self, connection: AsyncConnection, scope: str, until: datetime) -> None:
        """The platform wants silence in a scope until then; over restarts, too."""


@asynccontextmanager
async def slot(budget: Budget, clock: Clock, ask: Ask, longest: timedelta | None = None) -> AsyncIterator[None]:
    """Wait until what is asked for is granted, and give it back at the end; after the `longest` wait go without."""
    began = clock.now()
    while True:
        asked_at = clock.now()
        (grant,) = await budget.turn([], [ask], asked_at)
        if grant.lacking is None or (longest is not None and asked_at - began >= longest):
            break
        wait = grant.at - asked_at
        await clock.sleep((wait if longest is None else min(wait, longest)).total_seconds())
    try:
        yield
    finally:
        if grant.lacking is None:
            await budget.turn([Answered(ask.scopes, asked_at)], [], clock.now())


def place_of(chat: Chat) -> str:
    """The scope of a chat as a whole, in which a platform may want silence."""
    return f"{chat.platform}/{chat.address.partition(':')[0]}"


def scopes_of(chat: Chat, pace: Pace) -> tuple[Scope, ...]:
    """The scopes of a message to a chat. A forum's topics share the pace of their group."""
    place = place_of(chat)
    rates = (pace.per_chat, pace.per_group if chat.is_group else None)
    return (
        Scope(chat.platform, pace.overall),
        *(Scope(f"{place}/{rate.window.total_seconds():g}", rate) for rate in rates if rate is not None),
        Scope(place, None),
    )


@dataclass(slots=True)
class Bucket:
    """The slots of one scope, in seconds since the epoch: when each taken one comes back, and until when none goes.

    `reserved`: until when a place is kept free for an urgent ask that found none.
    """

    taken: list[float] = field(default_factory=list)
    reserved: list[float] = field(default_factory=list)
    halted_until: float = 0.0

    def free_at(self, rate: Rate | None, now: float, *, urgent: bool) -> float:
        """The earliest instant, now or later, at which a slot is free."""
        kept = 0 if urgent else len(self.reserved)
        too_many = len(self.taken) + kept - rate.count if rate is not None else -1
        if rate is None or too_many < 0:
            return max(now, self.halted_until)
        if too_many >= len(self.taken):
            return max(min(self.reserved), now, self.halted_until)
        # What is still in flight comes back a window after its answer, which can be any moment.
        latest = _after(now, rate.window)
        back_at = sorted(min(at, latest) for at in self.taken)
        return max(back_at[too_many], now, self.halted_until)

    def tidy(self, now: float) -> None:
        """Forget what is over, and what only a clock that went back lets seem to come."""
        if self.is_idle:
            return
        latest = _after(now, LEASE) + _BEHIND
        self.taken = [at for at in self.taken if now < at <= latest]
        self.reserved = [until for until in self.reserved if until > now]
        if self.halted_until <= now:
            self.halted_until = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it says no more than one that was never used."""
        return not (self.taken or self.reserved or self.halted_until)


def settle(
    buckets: Mapping[str, Bucket],
    answered: Iterable[Answered],
    asked: Iterable[Ask],
    now: datetime,
    ahead: timedelta = NOT_AHEAD,
) -> list[Grant]:
    """What `Budget.turn` promises, over these buckets, which are changed; every scope's has to be there."""
    at = now.timestamp()
    for each in answered:
        for scope in each.scopes:
            if scope.rate is not None:
                _give_back(buckets[scope.name], scope.rate, each.left_at.timestamp(), (each.at or now).timestamp())
    for bucket in buckets.values():
        bucket.tidy(at)
    return [_take(buckets, ask, now, ahead) for ask in asked]


def _give_back(bucket: Bucket, rate: Rate, left_at: float, at: float) -> None:
    lease = _after(left_at, LEASE)
    # A message may have been claimed a little before it left.
    if held := [taken for taken in bucket.taken if lease <= taken <= lease + _NEARLY]:
        bucket.taken.remove(min(held))
    bucket.taken.append(_after(at, rate.window))


def _take(buckets: Mapping[str, Bucket], ask: Ask, now: datetime, ahead: timedelta) -> Grant:
    at = now.timestamp()
    free_at, lacking = at, None
    for scope in ask.scopes:
        scope_free_at = buckets[scope.name].free_at(scope.rate, at, urgent=ask.urgent)
        if scope_free_at > free_at:
            free_at, lacking = scope_free_at, scope.name
    leaves_at = now if lacking is None else datetime.fromtimestamp(free_at, UTC)
    if leaves_at - now > ahead:
        if ask.urgent:
            _reserve(buckets, ask, at, free_at)
        return Grant(leaves_at - ahead, lacking)
    for scope in ask.scopes:
        if scope.rate is not None:
            bucket = buckets[scope.name]
            bucket.taken.append(_after(free_at, LEASE))
            if ask.urgent and bucket.reserved:
                bucket.reserved.pop()
    return Grant(leaves_at)


def _reserve(buckets: Mapping[str, Bucket], ask: Ask, at: float, free_at: float) -> None:
    """Whoever asks urgently gets the next slot that comes back: it is kept for as long as they may take to come."""
    for scope in ask.scopes:
        bucket = buckets[scope.name]
        if scope.rate is None or len(bucket.reserved) >= scope.rate.count:
            continue
        if bucket.free_at(scope.rate, at, urgent=True) > at:
            bucket.reserved.append(free_at + 1.0)


def _after(at: float, span: timedelta) -> float:
    """An instant that is the same as a datetime, which keeps microseconds only: else it would never quite be there."""
    return round(at + span.total_seconds(), 6)


def _scopes_of_all(answered: Iterable[Answered], asked: Iterable[Ask]) -> Collection[Scope]:
    """The scopes that a turn is about."""
    about = [*(each.scopes for each in answered), *(each.scopes for each in asked)]
    return {scope.name: scope for scopes in about for scope in scopes}.values()


class MemoryBudget:
    """The slots of a process that is alone with its token. Silences are kept in the database, over restarts too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._buckets: defaultdict[str, Bucket] = defaultdict(Bucket)
        self._turns = 0

    async def remember(self, sent: Iterable[tuple[tuple[Scope, ...], datetime]]) -> None:
        """After a start: what was sent when before it, and which silences still last."""
        async with self._database.read() as connection:
            stored = await budgets.load(connection)
        for name, slots in stored.items():
            self._buckets[name].halted_until = slots.halted_until
        for scopes, at in sent:
            for scope in scopes:
                if scope.rate is not None:
                    self._buckets[scope.name].taken.append(_after(at.timestamp(), scope.rate.window))

    async def turn(
        self, answered: Sequence[Answered], asked: Sequence[Ask], now: datetime, ahead: timedelta = NOT_AHEAD
    ) -> list[Grant]:
        self._turns += 1
        if self._turns % _TIDY_EVERY == 0:
            for bucket in self._buckets.values():
                bucket.tidy(now.timestamp())
            self._buckets = defaultdict(
                Bucket, {n: bucket for n, bucket in self._buckets.items() if not bucket.is_idle}
            )
        about = {scope.name: self._buckets[scope.name] for scope in _scopes_of_all(answered, asked)}
        return settle(about, answered, asked, now, ahead)

    async def halt(self, connection: AsyncConnection, scope: str, until: datetime) -> None:
        bucket = self._buckets[scope]
        bucket.halted_until = max(bucket.halted_until, until.timestamp())
        await budgets.halt(connection, scope, bucket.halted_until)


class SharedBudget:
    """The slots of a token that several processes use, in their common database. Their clocks have to agree."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(
        self, answered: Sequence[Answered], asked: Sequence[Ask], now: datetime, ahead: timedelta = NOT_AHEAD
    ) -> list[Grant]:
        scopes = _scopes_of_all(answered, asked)
        counted = {scope.name for scope in scopes if scope.rate is not None}
        async with self._database.write() as connection:
            silent = await budgets.silences(connection, {scope.name for scope in scopes} - counted)
            stored = await budgets.lock(connection, counted)
            buckets = {scope.name: Bucket(halted_until=silent.get(scope.name, 0.0)) for scope in scopes}
            buckets |= {name: Bucket(slots.taken, slots.reserved, slots.halted_until) for name, slots in stored.items()}
            answers = settle(buckets, answered, asked, now, ahead)
            await budgets.store(
                connection,
                {
                    name: budgets.Slots(each.taken, each.reserved, each.halted_until)
                    for name, each in buckets.items()
                    if name in counted
                },
            )
        return answers

    async def halt(self, connection: AsyncConnection, scope: str, until: datetime) -> None:
        await budgets.halt(connection, scope, until.timestamp())
