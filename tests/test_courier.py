"""The courier: what leaves, in which order, and what becomes of it, whatever the platform says and whenever we die."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from bot.chats import Chat
from bot.delivery.budget import Budget, MemoryBudget, SharedBudget
from bot.delivery.courier import Courier
from bot.delivery.outcomes import LAST_RETRY
from bot.delivery.port import Gone, Moved, Outcome, Pace, Refused, Sent, Uncertain, Wait
from bot.interests import Interest
from bot.metrics import Metrics
from bot.platforms.telegram.limits import PACE
from bot.storage import attempts, chats, digests, outbox
from bot.storage.database import Database
from bot.storage.digests import NewDigest, Receipt
from bot.storage.tables import messages
from tests.builders import MONDAY, HandClock, HandScheduler, a_chat

UNPACED = Pace(overall=None, per_chat=None)
SECOND = timedelta(seconds=1)


@dataclass
class Letterbox:
    """A platform that writes down what comes and answers what it was told to; where it was told nothing it takes it."""

    database: Database
    clock: HandClock
    pace: Pace = UNPACED
    outcomes: deque[Outcome] = field(default_factory=deque)
    came: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    doubts: list[datetime | None] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    silent: bool = False
    most_at_once: int = 0
    _busy: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def send(self, address: str, payload: str, key: str, doubt: datetime | None = None) -> Outcome:
        outcome = self.outcomes.popleft() if self.outcomes else Sent(f"id of {key}")
        self._busy[address] += 1
        assert self._busy[address] == 1, "two messages of one chat in flight"
        self.most_at_once = max(self.most_at_once, sum(self._busy.values()))
        self.came.append((address, payload))
        self.keys.append(key)
        self.doubts.append(doubt)
        self.at.append(self.clock.now())
        self.states.append((await message_of(self.database, key.partition(".")[0])).state)
        if self.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self._busy[address] -= 1
        return outcome


async def message_of(database: Database, key: str) -> sa.Row[Any]:
    async with database.read() as connection:
        return (await connection.execute(sa.select(messages).where(messages.c.key == key))).one()


async def states(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(sa.select(messages.c.state).order_by(messages.c.id))).scalars())


async def queue(database: Database, chat: Chat, *payloads: str, key: str = "d", urgent: bool = False) -> None:
    async with database.write() as connection:
        await outbox.put(connection, chat.id, None, f"{key}{chat.id}", payloads, MONDAY, urgent=urgent)


@dataclass
class World:
    database: Database
    clock: HandClock
    telegram: Letterbox
    discord: Letterbox
    scheduler: HandScheduler
    budget: Budget
    courier: Courier
    told: list[tuple[str, ...]]

    def keep(self, pace: Pace) -> None:
        """From now on Telegram is known to have this pace."""
        self.telegram.pace = pace

    async def chat(self, address: str = "1", **facts: Any) -> Chat:
        return await a_chat(self.database, **{"platform": "telegram", "address": address} | facts)

    async def deliver(self, minutes: float = 0) -> None:
        """Let the courier do as it likes for a while."""
        end = self.clock.now() + timedelta(minutes=minutes)
        while True:
            due = await self.courier.tick(self.clock.now())
            await self.scheduler.settle()
            if self.scheduler.woken:
                self.scheduler.woken.clear()
            elif due is None or due > end:
                break
            else:
                self.clock.set(max(due, self.clock.now()))
        self.clock.set(end)

    async def kill_in_flight(self) -> None:
        """The process dies while the platform has not answered; another one starts on what it left."""
        await self.kill_in_flight_only()
        await self.start()

    async def kill_in_flight_only(self) -> None:
        """The process dies while the platform has not answered."""
        self.telegram.silent, known = True, len(self.telegram.came)
        await self.courier.tick(self.clock.now())
        dying = list(self.scheduler._tasks)
        while len(self.telegram.states) < known + len(dying):
            await asyncio.sleep(0.001)
        for task in dying:
            task.cancel()
        await asyncio.wait(dying)
        fresh = a_world(self.database, self.clock)
        fresh.keep(self.telegram.pace)
        self.telegram, self.scheduler, self.courier = fresh.telegram, fresh.scheduler, fresh.courier
        self.budget, self.told = fresh.budget, fresh.told

    async def serve(self, chat_id: int) -> None:
        """What a worker does for one chat, with the courier's rounds beside it."""
        serving = asyncio.create_task(self.courier.serve(chat_id))
        while not serving.done():
            due = await self.courier.work(self.clock.now())
            await self.scheduler.settle()
            await asyncio.sleep(0)
            if not self.scheduler.woken and due is not None and due > self.clock.now():
                self.clock.set(due)
            self.scheduler.woken.clear()
        await serving

    async def start(self) -> None:
        """What a process does before all else: of several, each for the chats that it takes over."""
        if isinstance(self.budget, MemoryBudget):
            await self.courier.recover(self.budget)
        else:
            async with self.database.write() as connection:
                await attempts.recover(connection, self.clock.now())


def a_world(database: Database, clock: HandClock) -> World:
    telegram, discord, scheduler = Letterbox(database, clock), Letterbox(database, clock), HandScheduler()
    budget: Budget = SharedBudget(database) if database.is_shared else MemoryBudget(database)
    told: list[tuple[str, ...]] = []

    async def tell(*what: str) -> None:
        told.append(what)

    courier = Courier(
        database,
        clock,
        scheduler,
        lambda: scheduler.wake("deliver"),
        {"telegram": telegram, "discord": discord},
        budget,
        Metrics(),
        alert=tell,
        detour=tell,
    )
    return World(database, clock, telegram, discord, scheduler, budget, courier, told)


@pytest.fixture
def world(any_database: Database, clock: HandClock) -> World:
    return a_world(any_database, clock)


async def test_sending_is_on_the_disk_before_the_platform_is_asked_and_sent_only_after(world: World) -> None:
    await queue(world.database, await world.chat(), "hello")
    await world.deliver()
    assert world.telegram.states == ["sending"]
    message = await message_of(world.database, "d1-0")
    assert (message.state, message.platform_message_id) == ("sent", "id of d1-0")
    assert (message.sent_at, message.attempts) == (world.clock.now(), 1)


async def test_a_chats_messages_go_one_after_the_other_in_order(world: World) -> None:
    await queue(world.database, await world.chat(), *map(str, range(20)))
    await world.deliver()
    assert world.telegram.came == [("1", str(number)) for number in range(20)]
    assert world.telegram.most_at_once == 1


async def test_order_is_kept_when_one_in_the_middle_has_to_wait(world: World) -> None:
    await queue(world.database, await world.chat(), "1", "2", "3")
    world.telegram.outcomes.extend([Sent("a"), Wait("slow"), Uncertain("no answer"), Sent("b")])
    await world.deliver(minutes=10)
    assert [payload for _, payload in world.telegram.came] == ["1", "2", "2", "2", "3"]


async def test_different_chats_are_served_at_once(world: World) -> None:
    for number in range(5):
        await queue(world.database, await world.chat(str(number)), "hello")
    await world.deliver()
    assert world.telegram.most_at_once == 5


async def test_more_chats_than_go_at_once_are_all_served(world: World) -> None:
    for number in range(75):
        await queue(world.database, await world.chat(str(number)), "hello")
    await world.deliver()
    assert await states(world.database) == ["sent"] * 75


async def test_the_platforms_pace_is_kept(world: World) -> None:
    world.keep(PACE)
    await queue(world.database, await world.chat(is_group=True), *map(str, range(25)))
    await world.deliver(minutes=5)
    at = world.telegram.at
    assert len(at) == 25
    assert min(after - before for before, after in pairwise(at)) >= timedelta(seconds=1)
    assert min(after - before for before, after in zip(at, at[20:], strict=False)) >= timedelta(seconds=60)


async def test_a_reply_keeps_the_pace_of_its_chat_and_goes_before_what_waits(world: World) -> None:
    world.keep(PACE)
    await queue(world.database, await world.chat(), "1", "2", "3")
    await world.deliver()
    async with world.courier.turn("telegram", "1"):
        replied_at = world.clock.now()
    await world.deliver(minutes=1)
    first, second, third = world.telegram.at
    assert second >= replied_at + SECOND >= first + 2 * SECOND
    assert third >= second + SECOND


async def test_a_reply_to_an_address_that_is_no_chat_yet_waits_for_nothing(world: World) -> None:
    async with world.courier.turn("telegram", "nobody"):
        assert world.clock.now() == MONDAY


async def test_a_named_time_is_waited_for(world: World) -> None:
    await queue(world.database, await world.chat(), "hello")
    world.telegram.outcomes.append(Wait("slow mode", timedelta(seconds=37)))
    await world.deliver(minutes=5)
    assert world.telegram.at == [MONDAY, MONDAY + timedelta(seconds=37)]
    assert await states(world.database) == ["sent"]


@pytest.mark.parametrize("outcome", [Wait("502"), Uncertain("no answer")])
async def test_trouble_without_an_end_is_met_ever_more_rarely_but_never_given_up(
    world: World, outcome: Outcome
) -> None:
    await queue(world.database, await world.chat(), "hello")
    world.telegram.outcomes.extend([outcome] * 30)
    await world.deliver(minutes=12 * 60)
    waits = [after - before for before, after in pairwise(world.telegram.at)]
    assert waits[0] <= timedelta(seconds=5)
    assert waits == sorted(waits)
    assert waits[-1] == LAST_RETRY
    assert len(waits) == 30
    assert await states(world.database) == ["sent"]


async def test_one_chats_wait_is_not_anothers(world: World) -> None:
    await queue(world.database, await world.chat("1"), "hello")
    await queue(world.database, await world.chat("2"), "hello")
    world.telegram.outcomes.append(Wait("slow mode", timedelta(hours=1)))
    await world.deliver()
    assert await states(world.database) == ["waiting", "sent"]


async def test_when_a_platform_wants_silence_it_gets_it_and_the_others_go_on(world: World) -> None:
    await queue(world.database, await world.chat("1"), "hello")
    world.telegram.outcomes.append(Wait("429", timedelta(minutes=10), whole_platform=True))
    await world.deliver()
    for number in range(2, 100):
        await queue(world.database, await world.chat(str(number)), "hello")
    await queue(world.database, await world.chat("1", platform="discord"), "hello")
    await world.deliver()
    assert len(world.telegram.came) == 1
    assert world.discord.came == [("1", "hello")]
    await world.deliver(minutes=9.9)
    assert len(world.telegram.came) == 1
    await world.deliver(minutes=0.2)
    assert set(await states(world.database)) == {"sent"}
    assert len(world.telegram.came) == 100


async def test_what_may_have_arrived_goes_once_more_for_each_doubt_with_the_same_key(world: World) -> None:
    await queue(world.database, await world.chat(), "hello")
    world.telegram.outcomes.extend([Uncertain("no answer"), Uncertain("no answer")])
    await world.deliver(minutes=10)
    assert world.telegram.keys == ["d1-0"] * 3
    message = await message_of(world.database, "d1-0")
    assert (message.state, message.doubts, message.attempts) == ("sent", 2, 3)


async def test_a_refused_message_is_not_sent_again_and_the_next_ones_go_on(world: World) -> None:
    await queue(world.database, await world.chat(), "bad", "good")
    world.telegram.outcomes.append(Refused("can't parse entities"))
    await world.deliver(minutes=60)
    assert world.telegram.came == [("1", "bad"), ("1", "good")]
    assert await states(world.database) == ["failed", "sent"]
    assert (await message_of(world.database, "d1-0")).error == "can't parse entities"


async def test_a_chat_that_blocked_us_is_not_sent_to_again_and_loses_nothing(world: World) -> None:
    chat = await world.chat()
    async with world.database.write() as connection:
        await chats.subscribe(connection, chat, Interest.in_categories(("cs.CL",)), MONDAY)
    await queue(world.database, chat, "1", "2")
    world.telegram.outcomes.append(Gone("bot was blocked by the user"))
    await world.deliver(minutes=24 * 60)
    assert len(world.telegram.came) == 1
    async with world.database.read() as connection:
        found = await chats.get(connection, chat.id)
        followed = await chats.subscriptions_of(connection, chat.id)
    assert found is not None
    assert found.inactive_because == "bot was blocked by the user"
    assert [each.interest for each in followed] == [Interest.in_categories(("cs.CL",))]
    assert await states(world.database) == ["waiting", "pending"]


async def test_a_chat_that_comes_back_gets_what_waited_in_order(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    world.telegram.outcomes.append(Gone("bot was blocked by the user"))
    await world.deliver(minutes=60)
    async with world.database.write() as connection:
        await chats.reactivate(connection, chat.id)
    await world.deliver()
    assert world.telegram.came == [("1", "1"), ("1", "1"), ("1", "2")]
    assert await states(world.database) == ["sent", "sent"]


@pytest.mark.parametrize("access", ["waiting", "denied"])
async def test_a_chat_that_is_not_let_in_is_not_written_to(world: World, access: Any) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "hello")
    async with world.database.write() as connection:
        await chats.set_access(connection, chat.id, access)
    await world.deliver(minutes=60)
    assert world.telegram.came == []
    async with world.database.write() as connection:
        await chats.set_access(connection, chat.id, "allowed")
    await world.deliver()
    assert world.telegram.came == [("1", "hello")]


async def test_messages_of_a_platform_that_is_off_wait_and_keep_nobody_awake(world: World) -> None:
    await queue(world.database, await world.chat(platform="web"), "hello")
    assert await world.courier.tick(world.clock.now()) is None
    assert await states(world.database) == ["pending"]


async def test_a_chat_that_moved_gets_everything_at_its_new_address(world: World) -> None:
    await queue(world.database, await world.chat("-1"), "1", "2")
    world.telegram.outcomes.append(Moved("-1001"))
    await world.deliver()
    assert world.telegram.came == [("-1", "1"), ("-1001", "1"), ("-1001", "2")]
    assert await states(world.database) == ["sent", "sent"]


async def test_a_chat_that_moved_to_where_somebody_spoke_already_becomes_one_with_it(world: World) -> None:
    old, new = await world.chat("-1"), await world.chat("-1001")
    async with world.database.write() as connection:
        await chats.subscribe(connection, old, Interest.in_categories(("cs.CL",)), MONDAY)
        await chats.subscribe(connection, new, Interest.in_categories(("cs.CV",)), MONDAY)
    await queue(world.database, old, "1", "2")
    await queue(world.database, new, "3")
    world.telegram.outcomes.append(Moved("-1001"))
    await world.deliver()
    assert sorted(world.telegram.came) == [("-1", "1"), ("-1001", "1"), ("-1001", "2"), ("-1001", "3")]
    async with world.database.read() as connection:
        (only,) = await chats.on_platform(connection, "telegram")
        followed = await chats.subscriptions_of(connection, only.id)
    assert only.address == "-1001"
    assert {each.interest.wanted for each in followed} == {("cs.CL",), ("cs.CV",)}


async def test_a_chat_that_is_said_to_have_moved_to_where_it_is_loses_nothing(world: World) -> None:
    await queue(world.database, await world.chat("-1"), "hello")
    world.telegram.outcomes.append(Moved("-1"))
    await world.deliver()
    assert world.telegram.came == [("-1", "hello")] * 2
    assert await states(world.database) == ["sent"]


async def test_two_that_become_one_go_on_having_digests_whichever_of_them_had_any(world: World) -> None:
    old, new = await world.chat("-1"), await world.chat("-1001")
    async with world.database.write() as connection:
        await chats.subscribe(connection, new, Interest.in_categories(("cs.CV",)), MONDAY)
    await queue(world.database, old, "hello")
    world.telegram.outcomes.append(Moved("-1001"))
    await world.deliver()
    async with world.database.read() as connection:
        (only,) = await chats.on_platform(connection, "telegram")
    assert only.next_digest_at is not None


async def test_two_that_become_one_lose_no_message_of_a_day_on_which_both_had_a_digest(world: World) -> None:
    today = MONDAY.date()
    old, new = await world.chat("-1"), await world.chat("-1001")
    async with world.database.write() as connection:
        for chat in (old, new):
            digest = NewDigest(chat.id, "daily", today, Receipt(1, 1, 1, 0))
            number = (await digests.add(connection, [digest], MONDAY))[chat.id]
            await outbox.put(connection, chat.id, number, f"d{number}", ["digest"], MONDAY)
    world.telegram.outcomes.append(Moved("-1001"))
    await world.deliver()
    assert sorted(world.telegram.came) == [("-1", "digest"), ("-1001", "digest"), ("-1001", "digest")]


async def test_after_a_kill_what_was_in_flight_goes_again_with_its_key_and_nothing_else_does(world: World) -> None:
    first, second = await world.chat("1"), await world.chat("2")
    await queue(world.database, first, "before")
    await world.deliver()
    await queue(world.database, first, "in flight", "behind", key="e")
    await queue(world.database, second, "in flight too")
    await world.kill_in_flight()
    await world.deliver()
    assert sorted(zip(world.telegram.came, world.telegram.keys, strict=True)) == [
        (("1", "behind"), "e1-1"),
        (("1", "in flight"), "e1-0"),
        (("2", "in flight too"), "d2-0"),
    ]
    assert set(await states(world.database)) == {"sent"}
    assert [(await message_of(world.database, key)).doubts for key in ("d1-0", "e1-0", "d2-0", "e1-1")] == [
        0,
        1,
        1,
        0,
    ]


async def test_the_pace_is_kept_over_a_kill(world: World) -> None:
    world.keep(PACE)
    chat = await world.chat(is_group=True)
    await queue(world.database, chat, *map(str, range(19)))
    await world.deliver(minutes=0.5)
    assert len(world.telegram.came) == 19
    await queue(world.database, chat, "in flight", "behind", key="e")
    await world.kill_in_flight()
    await world.deliver(minutes=5)
    again, behind = world.telegram.at
    assert again >= MONDAY + timedelta(minutes=1)
    assert behind >= again + SECOND


async def test_a_record_that_cannot_be_written_is_written_later_and_nothing_is_sent_twice_or_overtaken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue(world.database, await world.chat(), "1", "2")
    written, failures = attempts.sent, iter(range(3))

    async def full_at_first(*record: Any) -> None:
        if next(failures, None) is not None:
            raise sa.exc.OperationalError("update", {}, Exception("database or disk is full"))
        await written(*record)

    monkeypatch.setattr("bot.storage.attempts.sent", full_at_first)
    await world.deliver(minutes=5)
    assert world.telegram.came == [("1", "1"), ("1", "2")]
    assert await states(world.database) == ["sent", "sent"]
