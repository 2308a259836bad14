"""The courier: takes what is due from the outbox, sends it at the platforms' pace, and records what became of it.

It works in rounds. One round records the answers that came since the last, chooses who may send next, and claims these
messages, all in one transaction: so many messages share a commit, and `sending` is on the disk before anything leaves.
"""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, PlatformName
from bot.clock import Clock, Scheduler
from bot.delivery.budget import NOT_AHEAD, Answered, Ask, Budget, Grant, MemoryBudget, Scope, place_of, scopes_of, slot
from bot.delivery.outcomes import LAST_RETRY, Aftermath, record
from bot.delivery.port import Alert, Outcome, Platform, Sent, Uncertain
from bot.delivery.turns import MOST_A_TURN, Turn, fairly
from bot.metrics import Metrics
from bot.storage import budgets, chats, marks, outbox
from bot.storage.database import Database
from bot.storage.outbox import Message

MOST_CHATS = 1_000
"""Chats whose messages are looked at together; others follow as these are done."""
MOST_IN_FLIGHT = 200
LONGEST_REST = timedelta(seconds=5)
"""A chat that its pace lets wait longer goes back to the outbox, so that it takes nobody's place."""
LONGEST_WAIT = timedelta(seconds=30)
"""After this a reply is sent whatever the pace: whoever asked has long asked again."""
FLOODS_IN_A_ROW = 3
"""After so many waits that the platform asked for in different chats, all of it keeps silent."""
LONGEST_FLOOD = timedelta(minutes=1)
GRACE = 6.0
"""Seconds that messages in flight are given at the end to be answered."""
AHEAD = timedelta(milliseconds=50)
"""So long before its slot is free a message is claimed: the commit takes no time of the pace."""
_TRY_AGAIN = timedelta(seconds=10)
_LOOK_AGAIN = timedelta(seconds=1)
_REMEMBERED = timedelta(minutes=2)
_FIRST_ASKED, _MOST_ASKED = 4, 64
_KEPT_TEXTS = 256

log = structlog.get_logger(__name__)

Tell = Callable[[PlatformName, Alert, str], Awaitable[None]]
"""Tells the operators what they are to mend: the platform, the cause, and its reason in the platform's words."""
Detour = Callable[[PlatformName, str, str], Awaitable[None]]
"""Tells the people at an address why the messages of one of its topics come there now."""


@dataclass(frozen=True, slots=True)
class _Answer:
    chat: Chat
    message: Message
    outcome: Outcome

    @property
    def confirmed(self) -> str | None:
        """The id of a message that was sent with no more to say of it: so it is with nearly all."""
        has_more_to_say = self.message.stands_in or self.chat.inactive_because is not None or self.chat.shut
        return self.outcome.message_id if isinstance(self.outcome, Sent) and not has_more_to_say else None


@dataclass(slots=True)
class _Departures:
    """What a round lets go: turns whose first message leaves, and those whose pace makes them rest until then."""

    leaving: list[Turn] = field(default_factory=list)
    resting: dict[int, datetime] = field(default_factory=dict)


class Courier:
    """One Message in flight per chat; order kept within a chat; chats share the pace fairly, replies go first.

    `wake` has `tick` (or `work`) called again soon.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        scheduler: Scheduler,
        wake: Callable[[], None],
        platforms: Mapping[PlatformName, Platform],
        budget: Budget,
        metrics: Metrics,
        alert: Tell,
        detour: Detour,
    ) -> None:
        self._database = database
        self._clock = clock
        self._scheduler = scheduler
        self._wake = wake
        self._platforms = platforms
        self._budget = budget
        self._metrics = metrics
        self._alert = alert
        self._detour = detour
        self._turns: dict[int, Turn] = {}
        self._answers: list[_Answer] = []
        self._given_back: defaultdict[PlatformName, list[Answered]] = defaultdict(list)
        self._silent: dict[PlatformName, datetime] = {}
        self._flooded: defaultdict[PlatformName, set[int]] = defaultdict(set)
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._in_flight = 0
        self._met = 0
        self._has_more = False
        self._looked_at: datetime | None = None
        self._woke_itself = False
        self._is_working = False
        self._one_at_a_time = asyncio.Lock()
        self._is_stopping = False
        self._landed = asyncio.Event()

    # Finding work: a process that is alone with its database looks for it, another one is told.

    async def recover(self, budget: MemoryBudget) -> None:
        """After a start: what was in flight at the last end goes again, at the pace that was kept then."""
        now = self._clock.now()
        async with self._database.write() as connection:
            uncertain = await outbox.recover(connection, now)
            recent = await outbox.sent_since(connection, now - _REMEMBERED, now)
        await budget.remember(
            (scopes_of(chat, self._platforms[chat.platform].pace), at)
            for chat, at in recent
            if chat.platform in self._platforms
        )
        self._say_recovered(len(uncertain))

    async def tick(self, now: datetime) -> datetime | None:
        """Send off whatever the outbox has for now; when there is more to do."""
        # An answer says nothing of what others have queued: for that it is enough to look once in a while.
        goes_on, self._woke_itself = self._woke_itself and self._looked_just_now(now), False
        self._has_more |= not goes_on
        going_on = await self.work(now, self._look)
        if self._has_more or goes_on:
            return min(going_on or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
        async with self._database.read() as connection:
            later = await outbox.next_at(connection, now, self._speaking(now))
        return min(filter(None, (going_on, later, *self._silent.values())), default=None)

    async def _look(self, now: datetime) -> None:
        """Take up chats that something is due for. With many in hand, only once in a while."""
        if not self._has_more or (self._has_many and self._looked_just_now(now)):
            return
        self._looked_at = now
        room = max(MOST_CHATS - len(self._turns), MOST_CHATS // 8)
        async with self._database.read() as connection:
            found = await outbox.due(
                connection,
                now,
                self._speaking(now),
                self._turns.keys(),
                room,
                only_urgent=await marks.is_held(connection),
            )
        self._has_more = len(found) >= room
        await self._take_up(found, now)

    def _looked_just_now(self, now: datetime) -> bool:
        return self._looked_at is not None and now - self._looked_at < _LOOK_AGAIN

    @property
    def _has_many(self) -> bool:
        return len(self._turns) > MOST_CHATS // 2

    def _speaking(self, now: datetime) -> list[PlatformName]:
        """The platforms that want no silence."""
        self._silent = {name: until for name, until in self._silent.items() if until > now}
        return [name for name in self._platforms if name not in self._silent]

    async def serve(self, chat_id: int) -> None:
        """Send what is due for this chat, whose outbox nobody else is at; returns when that is done or has to wait."""
        now = self._clock.now()
        async with self._database.write() as connection:
            chat = await chats.get(connection, chat_id)
            claimed_at = await outbox.recover(connection, now, [chat_id])
        if chat is not None and chat.platform in self._platforms:
            # What was sent by somebody who died holds its slots no longer: it counts as answered now.
            scopes = self._scopes(chat)
            self._given_back[chat.platform] += [Answered(scopes, at) for at in claimed_at]
        self._say_recovered(len(claimed_at))
        while True:
            await self._take_up([chat_id], self._clock.now())
            if (turn := self._turns.get(chat_id)) is None:
                return
            self._wake()
            await turn.done.wait()
            if turn.is_lost:
                return

    async def _take_up(self, chat_ids: Sequence[int], now: datetime) -> None:
        if not chat_ids or self._is_stopping:
            return
        async with self._database.read() as connection:
            found = await outbox.queues(connection, chat_ids, now, only_urgent=await marks.is_held(connection))
        for chat, queue in found:
            if queue and chat.id not in self._turns and chat.platform in self._platforms:
                self._met += 1
                self._turns[chat.id] = Turn(
                    chat, self._scopes(chat), deque(queue[:MOST_A_TURN]), len(queue), self._met, now
                )

    # Rounds.

    async def work(self, now: datetime, look: Callable[[datetime], Awaitable[None]] | None = None) -> datetime | None:
        """Rounds, until nothing more can leave at present; when something can. `look` finds what more there is."""
        async with self._one_at_a_time:
            self._is_working = True
            try:
                while True:
                    if look is not None:
                        await look(now)
                        now = self._clock.now()
                    await self._round(now)
                    if not self._answers and (look is None or not self._has_more or self._has_many):
                        break
                    now = self._clock.now()
            except SQLAlchemyError as error:
                # Nothing has left that is not on record, and the answers are still here.
                log.error("outbox.not_written", reason=str(error))
                return now + _TRY_AGAIN
            finally:
                self._is_working = False
        return min((turn.ready_at for turn in self._turns.values() if turn.queue and not turn.in_flight), default=None)

    async def _round(self, now: datetime) -> None:
        answers, departures = list(self._answers), _Departures()
        texts: dict[int, str] = {}
        aftermaths: list[tuple[_Answer, Aftermath]] = []
        try:
            await self._choose(departures, now)
            if answers or departures.leaving or departures.resting:
                async with self._database.write() as connection:
                    aftermaths = await self._record(connection, answers, now)
                    await outbox.rest(connection, departures.resting)
                    texts = await self._claim(connection, departures.leaving, now)
        except BaseException:
            self._give_back(departures.leaving)
            raise
        self._answers = self._answers[len(answers) :]
        lost = [turn for turn in departures.leaving if turn.queue[0].id not in texts]
        self._give_back(lost)
        for turn in lost:
            turn.is_lost = True
            turn.queue.clear()  # an operator took it back, the chat is gone, or another process is at it
        for turn in departures.leaving:
            if turn.queue:
                self._send_off(turn, texts[turn.queue[0].id])
        self._drop_what_is_over()
        for answer, aftermath in aftermaths:
            await self._follow_up(answer, aftermath)

    async def _record(
        self, connection: AsyncConnection, answers: Sequence[_Answer], now: datetime
    ) -> list[tuple[_Answer, Aftermath]]:
        """Write down what became of messages. One that makes trouble does not keep the others from being recorded."""
        confirmed = {each.message.id: name for each in answers if (name := each.confirmed) is not None}
        await outbox.sent(connection, confirmed, now)
        aftermaths = []
        for answer in answers:
            if answer.confirmed is not None:
                continue
            try:
                async with connection.begin_nested():
                    aftermath = await record(connection, answer.chat, answer.message, answer.outcome, now)
                    if aftermath.silence_until is not None:
                        scope, until = self._silence(answer, aftermath.silence_until, is_all=aftermath.whole_platform)
                        await budgets.halt(connection, scope, until.timestamp())
            except (OperationalError, InterfaceError):
                raise  # the database itself: all of this is tried again
            except Exception:
                log.exception("message.not_recorded", message=answer.message.id, outcome=repr(answer.outcome))
                until = now + LAST_RETRY
                await outbox.put_back(connection, answer.message, until, "not recorded", now, uncertain=True)
                continue
            aftermaths.append((answer, aftermath))
        return aftermaths

    async def _claim(self, connection: AsyncConnection, leaving: Sequence[Turn], now: datetime) -> dict[int, str]:
        """Claim the first message of each of these turns, as far as it may go; the text of each that does, by message.

        What many chats get alike is read once; a few texts are kept, those that were used last.
        """
        firsts = {turn.queue[0].id: turn.queue[0] for turn in leaving}
        claimed = await outbox.claim(connection, list(firsts), now)
        wanted = {firsts[message_id].payload_id for message_id in claimed}
        if missing := wanted - self._texts.keys():
            self._texts.update(await outbox.contents(connection, missing))
        texts = {}
        for message_id in claimed:
            text = self._texts.get(firsts[message_id].payload_id)
            if text is None:
                await outbox.fail(connection, firsts[message_id], "its text is not kept any more")
                self._has_more = True
            else:
                texts[message_id] = text
        for payload_id in wanted & self._texts.keys():
            self._texts.move_to_end(payload_id)
        while len(self._texts) > _KEPT_TEXTS:
            self._texts.popitem(last=False)
        return texts

    def _give_back(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            self._given_back[turn.chat.platform].append(Answered(turn.scopes, turn.ready_at))

    def _scopes(self, chat: Chat) -> tuple[Scope, ...]:
        return scopes_of(chat, self._platforms[chat.platform].pace)

    async def _choose(self, departures: _Departures, now: datetime) -> None:
        """Give back the slots of what was answered, and ask for new ones for whoever waits, in fair order."""
        for name in self._platforms:
            given_back = list(self._given_back[name])
            ready = [] if self._is_stopping else self._ready(name, now)
            room = MOST_IN_FLIGHT - self._in_flight - len(departures.leaving)
            asked = _FIRST_ASKED
            while given_back or (ready and room > 0):
                batch, ready = ready[: min(asked, max(room, 0))], ready[min(asked, max(room, 0)) :]
                asks = [Ask(turn.scopes, turn.queue[0].urgent) for turn in batch]
                grants = await self._budget.turn(given_back, asks, now, AHEAD)
                del self._given_back[name][: len(given_back)]
                given_back = []
                self._grant(zip(batch, grants, strict=True), now, departures)
                room -= sum(grant.lacking is None for grant in grants)
                asked = min(asked * 2, _MOST_ASKED)
                if silent := [grant.at for grant in grants if grant.lacking == name]:
                    self._all_wait(name, ready, max(silent), now, departures)
                    ready = []

    def _ready(self, name: PlatformName, now: datetime) -> list[Turn]:
        return list(fairly([turn for turn in self._turns.values() if turn.chat.platform == name and turn.may_go(now)]))

    def _grant(self, grants: Iterable[tuple[Turn, Grant]], now: datetime, departures: _Departures) -> None:
        for turn, grant in grants:
            turn.ready_at = grant.at
            if grant.lacking is None:
                departures.leaving.append(turn)
            elif grant.lacking != turn.chat.platform and grant.at - now > LONGEST_REST:
                departures.resting[turn.queue[0].id] = grant.at
                turn.queue.clear()

    def _all_wait(
        self, name: PlatformName, ready: Sequence[Turn], until: datetime, now: datetime, departures: _Departures
    ) -> None:
        """The platform has no slot, so nobody need ask. In a long silence its chats go back to the outbox."""
        for turn in ready:
            turn.ready_at = until
        if until - now > LONGEST_REST:
            self._silent[name] = until
            leaving = {turn.chat.id for turn in departures.leaving}
            for turn in self._turns.values():
                if turn.chat.platform == name and not turn.in_flight and turn.chat.id not in leaving:
                    turn.queue.clear()

    def _send_off(self, turn: Turn, text: str) -> None:
        message = turn.queue.popleft()
        self._metrics.waits.labels(turn.chat.platform).observe((turn.ready_at - message.not_before).total_seconds())
        turn.in_flight = True
        self._in_flight += 1
        self._scheduler.spawn(self._deliver(turn, message, text))

    async def _deliver(self, turn: Turn, message: Message, text: str) -> None:
        chat, leaves_at = turn.chat, turn.ready_at
        if (ahead := leaves_at - self._clock.now()) > NOT_AHEAD:
            await self._clock.sleep(ahead.total_seconds())
        try:
            outcome = await self._platforms[chat.platform].send(chat.address, text, message.key, message.doubt)
        except Exception as error:
            # The port never raises; where it does all the same nobody knows how far the message came.
            log.exception("send.failed", message=message.id)
            outcome = Uncertain(repr(error))
        turn.in_flight = False
        self._in_flight -= 1
        if isinstance(outcome, Sent):
            self._flooded[chat.platform].clear()
            log.debug("message.sent", chat=chat.id, digest=message.digest_id, key=message.key, id=outcome.message_id)
        answer = _Answer(chat, message, outcome)
        self._answers.append(answer)
        if answer.confirmed is None:
            turn.queue.clear()  # the chat is looked at anew once this is on record
        self._given_back[chat.platform].append(Answered(turn.scopes, leaves_at, self._clock.now()))
        self._count(chat, message, outcome)
        self._landed.set()
        if not self._is_working:
            self._is_working = self._woke_itself = True
            self._wake()

    def _count(self, chat: Chat, message: Message, outcome: Outcome) -> None:
        self._metrics.sends.labels(chat.platform, type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Sent) and message.announced_at is not None:
            self._metrics.delivery.observe((self._clock.now() - message.announced_at).total_seconds())

    def _drop_what_is_over(self) -> None:
        unrecorded = {answer.chat.id for answer in self._answers}
        for turn in [turn for turn in self._turns.values() if turn.is_over and turn.chat.id not in unrecorded]:
            del self._turns[turn.chat.id]
            self._has_more |= turn.length > MOST_A_TURN
            turn.done.set()

    async def _follow_up(self, answer: _Answer, aftermath: Aftermath) -> None:
        """What an outcome asks for beyond its record: silence, a word to the operators or to the chat's people."""
        chat = answer.chat
        self._has_more = True
        try:
            if aftermath.silence_until is not None:
                scope, until = self._silence(answer, aftermath.silence_until, is_all=aftermath.whole_platform)
                await self._budget.halt(scope, until)
                log.warning("delivery.silent", scope=scope, until=str(until))
            if aftermath.alert is not None:
                await self._alert(chat.platform, aftermath.alert, aftermath.reason)
            if aftermath.detour is not None:
                await self._detour(chat.platform, aftermath.detour, aftermath.reason)
        except Exception:
            log.exception("delivery.not_told", chat=chat.id, aftermath=repr(aftermath))

    def _silence(self, answer: _Answer, until: datetime, *, is_all: bool) -> tuple[str, datetime]:
        """Where a platform wants silence, and until when. Asked of several chats in a row it is meant for all.

        How long for all is not said then, so it is tried again after a short while.
        """
        chat, flooded = answer.chat, self._flooded[answer.chat.platform]
        if is_all:
            return chat.platform, until
        flooded.add(chat.id)
        if len(flooded) >= FLOODS_IN_A_ROW:
            return chat.platform, min(until, self._clock.now() + LONGEST_FLOOD)
        return place_of(chat), until

    # Beside the outbox.

    @asynccontextmanager
    async def turn(self, platform: PlatformName, address: str) -> AsyncIterator[None]:
        """A reply's turn: waits until one message may go to this address, and counts the one sent inside.

        Replies thus keep the same pace as the outbox, and go before whatever waits in it.
        """
        async with self._database.read() as connection:
            chat = await chats.find(connection, platform, address)
        if chat is None:
            yield
            return
        async with slot(self._budget, self._clock, Ask(self._scopes(chat), urgent=True), LONGEST_WAIT):
            yield

    async def finish(self) -> None:
        """Let nothing more leave, wait a while for what is in flight, and record what became of it."""
        self._is_stopping = True
        async with self._one_at_a_time:
            pass  # a round that is under way may still send something off
        try:
            async with asyncio.timeout(GRACE):
                while self._in_flight:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            log.warning("stopping.unanswered", messages=self._in_flight)
        for turn in self._turns.values():
            turn.queue.clear()
        await self.work(self._clock.now())

    def _say_recovered(self, uncertain: int) -> None:
        if uncertain:
            self._metrics.recovered.inc(uncertain)
            log.warning("outbox.recovered", uncertain=uncertain)
