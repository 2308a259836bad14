"""The courier: takes what is due from the outbox, sends it at the platforms' pace, and records what became of it.

It works in rounds. One round records the answers that came since the last, chooses who may send next, and claims these
messages, all in one transaction: so many messages share a commit, and `sending` is on the disk before anything leaves.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import PlatformName
from bot.clock import Clock, Scheduler
from bot.delivery.budget import NOT_AHEAD, Answered, Ask, Budget, MemoryBudget, slot
from bot.delivery.gate import Gate
from bot.delivery.outcomes import Aftermath, Answer, answer_of, record_all
from bot.delivery.port import Alert, Platform, Sent, Uncertain
from bot.delivery.turns import MOST_A_TURN, Turn
from bot.metrics import Metrics
from bot.storage import attempts, chats, marks, outbox
from bot.storage.database import Database
from bot.storage.outbox import Message

MOST_CHATS = 1_000
"""Chats whose messages are looked at together; others follow as these are done."""
MOST_IN_FLIGHT = 500
LONGEST_WAIT = timedelta(seconds=30)
"""After this a reply is sent whatever the pace: whoever asked has long asked again."""
GRACE = 6.0
"""Seconds that messages in flight are given at the end to be answered."""
GATHER = 0.04
"""Seconds that answers have to gather in, so that they share a commit."""
_TRY_AGAIN = timedelta(seconds=10)
_LOOK_AGAIN = timedelta(seconds=1)
_AT_ONCE = 5
_REMEMBERED = timedelta(minutes=2)
_KEPT_TEXTS = 256

log = structlog.get_logger(__name__)

Tell = Callable[[PlatformName, Alert, str], Awaitable[None]]
"""Tells the operators what they are to mend: the platform, the cause, and its reason in the platform's words."""
Detour = Callable[[PlatformName, str, str], Awaitable[None]]
"""Tells the people at an address why the messages of one of its topics come there now."""


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
        self._gate = Gate(budget, platforms)
        self._metrics = metrics
        self._waits = {name: metrics.waits.labels(name) for name in platforms}
        self._alert = alert
        self._detour = detour
        self._turns: dict[int, Turn] = {}
        self._calls: dict[int, asyncio.Event] = {}
        self._new_calls: set[int] = set()
        self._answers: list[Answer] = []
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
            uncertain = await attempts.recover(connection, now)
            recent = await outbox.sent_since(connection, now - _REMEMBERED, now)
        await budget.remember((self._gate.scopes(chat), at) for chat, at in recent if chat.platform in self._platforms)
        self._say_recovered(len(uncertain))

    async def tick(self, now: datetime) -> datetime | None:
        """Send off whatever the outbox has for now; when there is more to do."""
        # An answer says nothing of what others have queued: for that it is enough to look once in a while.
        goes_on, self._woke_itself = self._woke_itself and self._looked_just_now(now), False
        self._has_more |= not goes_on
        going_on = await self._work(now, self._look)
        if self._has_more or goes_on or self._in_flight:
            return min(going_on or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
        async with self._database.read() as connection:
            later = await outbox.next_at(connection, now, self._gate.speaking(now))
        return min(filter(None, (going_on, later, *self._gate.silences)), default=None)

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
                self._gate.speaking(now),
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

    async def serve(self, chat_id: int) -> None:
        """Send what is due for this chat, whose outbox nobody else is at; returns when that is done or has to wait."""
        done = self._calls[chat_id] = asyncio.Event()
        self._new_calls.add(chat_id)
        self._has_more = True
        self._wake()
        try:
            await done.wait()
        finally:
            self._end_call(chat_id)

    async def work(self, now: datetime) -> datetime | None:
        """Send off what `serve` was called for; when there is more to do."""
        return await self._work(now, self._look_at_calls)

    async def _look_at_calls(self, now: datetime) -> None:
        """Take up the chats that `serve` was called for, all together; who has nothing that can leave is done."""
        if not self._has_more:
            return
        calls = [chat_id for chat_id in self._calls if chat_id not in self._turns]
        self._has_more = False
        try:
            await self._recover([chat_id for chat_id in calls if chat_id in self._new_calls], now)
            await self._take_up(calls, now)
        except BaseException:
            self._has_more = True
            raise
        for chat_id in calls:
            if chat_id not in self._turns:
                self._end_call(chat_id)

    async def _recover(self, chat_ids: Sequence[int], now: datetime) -> None:
        """What was in flight in these chats was sent by somebody who died."""
        if not chat_ids:
            return
        async with self._database.write() as connection:
            found = await attempts.recover(connection, now, chat_ids)
            claimed = [(await chats.get(connection, chat_id), at) for chat_id, at in found]
        self._new_calls.difference_update(chat_ids)
        for chat, at in claimed:
            if chat is not None and chat.platform in self._platforms:
                # It holds its slots no longer: it counts as answered now.
                self._gate.give_back(chat.platform, Answered(self._gate.scopes(chat), at))
        self._say_recovered(len(found))

    def _end_call(self, chat_id: int) -> None:
        self._new_calls.discard(chat_id)
        if (done := self._calls.pop(chat_id, None)) is not None:
            done.set()

    async def _take_up(self, chat_ids: Sequence[int], now: datetime) -> None:
        if not chat_ids or self._is_stopping:
            return
        async with self._database.read() as connection:
            found = await outbox.queues(connection, chat_ids, now, only_urgent=await marks.is_held(connection))
        speaking = self._gate.speaking(now)
        for chat, queue in found:
            if queue and chat.id not in self._turns and chat.platform in speaking:
                self._met += 1
                self._turns[chat.id] = Turn(
                    chat, self._gate.scopes(chat), deque(queue[:MOST_A_TURN]), len(queue), self._met, now
                )

    # Rounds.

    async def _work(self, now: datetime, look: Callable[[datetime], Awaitable[None]]) -> datetime | None:
        """Rounds, until nothing more can leave at present; when something can. `look` finds what more there is."""
        async with self._one_at_a_time:
            self._is_working = True
            try:
                while True:
                    if self._in_flight:
                        await asyncio.sleep(GATHER)
                        now = self._clock.now()
                    await look(now)
                    await self._round(self._clock.now())
                    if not self._answers and (not self._has_more or self._has_many):
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
        answers = list(self._answers)
        texts: dict[int, str] = {}
        aftermaths: list[tuple[Answer, Aftermath]] = []
        room = 0 if self._is_stopping else MOST_IN_FLIGHT - self._in_flight
        departures = await self._gate.choose(self._turns.values(), room, now)
        try:
            if answers or departures.leaving or departures.resting:
                async with self._database.write() as connection:
                    aftermaths = await record_all(connection, answers, now)
                    await self._halt(connection, aftermaths, now)
                    await outbox.rest(connection, departures.resting)
                    texts = await self._claim(connection, departures.leaving, now)
        except BaseException:
            self._gate.turn_back(departures.leaving)
            raise
        self._answers = self._answers[len(answers) :]
        self._count(answers, now)
        lost = [turn for turn in departures.leaving if turn.queue[0].id not in texts]
        self._gate.turn_back(lost)
        for turn in lost:
            turn.is_lost = True
            turn.queue.clear()  # an operator took it back, the chat is gone, or another process is at it
        if leaving := [self._departure(turn) for turn in departures.leaving if turn.queue]:
            self._scheduler.spawn(self._send_off(leaving, texts))
        self._drop_what_is_over()
        for answer, aftermath in aftermaths:
            await self._follow_up(answer, aftermath)

    async def _halt(
        self, connection: AsyncConnection, aftermaths: Sequence[tuple[Answer, Aftermath]], now: datetime
    ) -> None:
        """Keep silent where a platform asked for it."""
        for answer, aftermath in aftermaths:
            if aftermath.silence_until is not None:
                scope, until = self._gate.silence(
                    answer.chat, aftermath.silence_until, is_all=aftermath.whole_platform, now=now
                )
                await self._budget.halt(connection, scope, until)
                log.warning("delivery.silent", scope=scope, until=str(until))

    async def _claim(self, connection: AsyncConnection, leaving: Sequence[Turn], now: datetime) -> dict[int, str]:
        """Claim the first message of each of these turns, as far as it may go; the text of each that does, by message.

        What many chats get alike is read once; a few texts are kept, those that were used last.
        """
        firsts = {turn.queue[0].id: turn.queue[0] for turn in leaving}
        claimed = await attempts.claim(connection, list(firsts), now)
        wanted = {firsts[message_id].payload_id for message_id in claimed}
        if missing := wanted - self._texts.keys():
            self._texts.update(await outbox.contents(connection, missing))
        texts = {}
        for message_id in claimed:
            text = self._texts.get(firsts[message_id].payload_id)
            if text is None:
                await attempts.fail(connection, firsts[message_id], "its text is not kept any more")
                self._has_more = True
            else:
                texts[message_id] = text
        for payload_id in wanted & self._texts.keys():
            self._texts.move_to_end(payload_id)
        while len(self._texts) > _KEPT_TEXTS:
            self._texts.popitem(last=False)
        return texts

    def _departure(self, turn: Turn) -> tuple[Turn, Message]:
        message = turn.queue.popleft()
        self._waits[turn.chat.platform].observe((turn.ready_at - message.not_before).total_seconds())
        turn.in_flight = True
        self._in_flight += 1
        return turn, message

    async def _send_off(self, leaving: Sequence[tuple[Turn, Message]], texts: Mapping[int, str]) -> None:
        """A few in each turn of the loop, so that whatever else is in it, such as the next round, need not wait."""
        for number, (turn, message) in enumerate(leaving, start=1):
            self._scheduler.spawn(self._deliver(turn, message, texts[message.id]))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

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
            self._gate.heard(chat.platform)
            log.debug("message.sent", chat=chat.id, digest=message.digest_id, key=message.key, id=outcome.message_id)
        answer = answer_of(chat, message, outcome)
        self._answers.append(answer)
        if answer.confirmed is None:
            turn.queue.clear()  # the chat is looked at anew once this is on record
        self._gate.give_back(chat.platform, Answered(turn.scopes, leaves_at, self._clock.now()))
        self._landed.set()
        if not self._is_working:
            self._is_working = self._woke_itself = True
            self._wake()

    def _count(self, answers: Sequence[Answer], now: datetime) -> None:
        outcomes = Counter((each.chat.platform, type(each.outcome).__name__.lower()) for each in answers)
        for labels, how_many in outcomes.items():
            self._metrics.sends.labels(*labels).inc(how_many)
        for each in answers:
            if isinstance(each.outcome, Sent) and each.message.announced_at is not None:
                self._metrics.delivery.observe((now - each.message.announced_at).total_seconds())

    def _drop_what_is_over(self) -> None:
        unrecorded = {answer.chat.id for answer in self._answers}
        for turn in [turn for turn in self._turns.values() if turn.is_over and turn.chat.id not in unrecorded]:
            del self._turns[turn.chat.id]
            if turn.is_lost:
                self._end_call(turn.chat.id)
            self._has_more |= turn.length > MOST_A_TURN or turn.chat.id in self._calls

    async def _follow_up(self, answer: Answer, aftermath: Aftermath) -> None:
        """What an outcome asks for beyond its record: a word to the operators or to the chat's people."""
        chat = answer.chat
        self._has_more = True
        try:
            if aftermath.alert is not None:
                await self._alert(chat.platform, aftermath.alert, aftermath.reason)
            if aftermath.detour is not None:
                await self._detour(chat.platform, aftermath.detour, aftermath.reason)
        except Exception:
            log.exception("delivery.not_told", chat=chat.id, aftermath=repr(aftermath))

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
        async with slot(self._budget, self._clock, Ask(self._gate.scopes(chat), urgent=True), LONGEST_WAIT):
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
