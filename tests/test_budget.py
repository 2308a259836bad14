"""Budgets: whatever the load, the limits are kept; little time is given away; replies go first; silences last."""

import heapq
from collections import defaultdict, deque
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chats import Chat
from bot.delivery.budget import (
    LEASE,
    Answered,
    Ask,
    Bucket,
    Budget,
    MemoryBudget,
    Scope,
    SharedBudget,
    scopes_of,
    settle,
)
from bot.delivery.port import Rate
from bot.platforms.telegram.limits import PACE
from bot.storage import budgets
from bot.storage.database import Database
from tests.builders import MONDAY

CHATS = {n: Chat(n, "telegram", str(n), f"chat {n}", is_group=n % 3 == 0) for n in range(900)}
SECOND = timedelta(seconds=1)


def later(seconds: float) -> datetime:
    return MONDAY + timedelta(seconds=seconds)


def accepted(load: list[tuple[int, float]], delays: list[float]) -> dict[int, list[float]]:
    """When a platform takes each chat's messages, in seconds: one a chat in flight, each as long under way as told.

    `load` is (chat, the second in which the message is due); a message is taken somewhere on its way, early or late.
    """
    buckets, order, taken = defaultdict[str, Bucket](Bucket), count(), defaultdict[int, list[float]](list)
    waiting, in_flight = defaultdict[int, deque[float]](deque), dict[int, datetime]()
    events: list[tuple[datetime, int, str, int]] = []
    delay = iter(delays * (len(load) // len(delays) + 1))
    for number, due in load:
        heapq.heappush(events, (later(due), next(order), "due", number))
    while events:
        now, _, what, number = heapq.heappop(events)
        scopes = scopes_of(CHATS[number], PACE)
        for scope in scopes:
            buckets[scope.name]
        answered = [Answered(scopes, in_flight.pop(number))] if what == "answered" else []
        if what == "due":
            waiting[number].append(0)
        asks = [Ask(scopes)] if number not in in_flight and waiting[number] else []
        for grant in settle({scope.name: buckets[scope.name] for scope in scopes}, answered, asks, now):
            if grant.lacking:
                heapq.heappush(events, (grant.at, next(order), "free", number))
                continue
            waiting[number].popleft()
            in_flight[number] = now
            under_way = next(delay)
            share = (0.0, 0.5, 1.0)[len(taken[number]) % 3]
            taken[number].append((now - MONDAY).total_seconds() + under_way * share)
            heapq.heappush(events, (now + timedelta(seconds=under_way), next(order), "answered", number))
    return taken


def most_within(seconds: float, times: list[float]) -> int:
    """The largest number of these instants in any window of this length."""
    ordered = sorted(times)
    return max((sum(start <= each < start + seconds - 1e-5 for each in ordered) for start in ordered), default=0)


# Where the first chat, from which second on, to how many chats, how many messages each.
bursts = st.lists(
    st.tuples(st.integers(0, 59), st.floats(0, 90), st.integers(1, 60), st.integers(1, 5)), min_size=1, max_size=8
).map(
    lambda wanted: [
        (number, due)
        for first, due, chats, messages in wanted
        for number in range(first, first + chats)
        for _ in range(messages)
    ]
)


@settings(max_examples=30)
@given(bursts, st.lists(st.floats(0, 0.08), min_size=1, max_size=20))
def test_no_load_breaks_a_limit(load: list[tuple[int, float]], delays: list[float]) -> None:
    taken = accepted(load, delays)
    assert sum(map(len, taken.values())) == len(load)
    assert most_within(1, [at for times in taken.values() for at in times]) <= 30
    for number, times in taken.items():
        assert most_within(1, times) == 1
        assert not CHATS[number].is_group or most_within(60, times) <= 20


@settings(max_examples=40)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_a_slow_network_brings_no_two_messages_of_a_chat_closer(delays: list[float]) -> None:
    (times,) = accepted([(3, 0)] * 70, delays).values()
    assert most_within(1, times) == 1
    assert most_within(60, times) <= 20


def test_a_burst_to_many_chats_takes_hardly_longer_than_the_limit_wants() -> None:
    private = [(number, 0.0) for number, chat in CHATS.items() if not chat.is_group]
    last = max(at for times in accepted(private, [0.005]).values() for at in times)
    assert last < len(private) / 30 * 1.02


def test_a_group_gets_its_twenty_a_minute() -> None:
    (times,) = accepted([(3, 0)] * 60, [0.02]).values()
    assert times[59] < 120 + 20 * 1.03


def test_a_single_chat_gets_one_a_second() -> None:
    (times,) = accepted([(1, 0)] * 60, [0.01]).values()
    assert times[-1] < 60 * 1.02


def test_the_topics_of_a_forum_share_its_pace() -> None:
    topics = [Chat(n, "telegram", f"-100:{n}", "topic", is_group=True) for n in (5, 6)]
    first, second = (scopes_of(topic, PACE) for topic in topics)
    assert first == second


# What follows holds for the memory of one process and for the one that several share.


@pytest.fixture
def budget(any_database: Database) -> Budget:
    return SharedBudget(any_database) if any_database.is_shared else MemoryBudget(any_database)


ALL = Scope("telegram", Rate(2, SECOND))
ONE = Scope("arxiv", Rate(1, SECOND))


async def test_what_is_granted_is_taken_until_a_window_after_its_answer(budget: Budget) -> None:
    first, second, third = await budget.turn([], [Ask((ALL,))] * 3, MONDAY)
    assert (first.lacking, second.lacking, third.lacking) == (None, None, "telegram")
    answered = later(0.5)
    (early,) = await budget.turn([Answered((ALL,), MONDAY)] * 2, [Ask((ALL,))], answered)
    assert answered + SECOND <= early.at <= answered + SECOND + timedelta(milliseconds=2)
    (again,) = await budget.turn([], [Ask((ALL,))], early.at)
    assert again.lacking is None


async def test_a_slot_of_somebody_who_died_comes_back_by_itself(budget: Budget) -> None:
    await budget.turn([], [Ask((ALL,))] * 2, MONDAY)
    (refused,) = await budget.turn([], [Ask((ALL,))], later(60))
    (granted,) = await budget.turn([], [Ask((ALL,))], MONDAY + LEASE + SECOND)
    assert (refused.lacking, granted.lacking) == ("telegram", None)


async def test_what_is_in_flight_may_come_back_any_moment_so_that_nobody_waits_for_longer(budget: Budget) -> None:
    await budget.turn([], [Ask((ALL,))] * 2, MONDAY)
    (refused,) = await budget.turn([], [Ask((ALL,))], later(0.1))
    assert refused.at < later(1.2)


async def test_a_reply_that_found_no_slot_gets_the_next_one_before_whatever_else_asks(budget: Budget) -> None:
    await budget.turn([], [Ask((ALL,))] * 2, MONDAY)
    await budget.turn([Answered((ALL,), MONDAY)], [], MONDAY)
    (refused,) = await budget.turn([], [Ask((ALL,), urgent=True)], later(0.1))
    assert refused.lacking == "telegram"
    (digest,) = await budget.turn([], [Ask((ALL,))], refused.at)
    (reply,) = await budget.turn([], [Ask((ALL,), urgent=True)], refused.at)
    assert (digest.lacking, reply.lacking) == ("telegram", None)


async def test_a_place_kept_for_a_reply_that_never_comes_is_free_again(budget: Budget) -> None:
    await budget.turn([], [Ask((ALL,))] * 2, MONDAY)
    await budget.turn([Answered((ALL,), MONDAY)] * 2, [Ask((ALL,), urgent=True)], MONDAY)
    first, second = await budget.turn([], [Ask((ALL,))] * 2, later(3))
    assert (first.lacking, second.lacking) == (None, None)


async def test_who_waited_for_the_database_does_not_take_what_was_taken_meanwhile(budget: Budget) -> None:
    (first,) = await budget.turn([], [Ask((ONE,))], later(10))
    (second,) = await budget.turn([], [Ask((ONE,))], later(3))
    assert (first.lacking, second.lacking) == (None, ONE.name)


async def halt(budget: Budget, database: Database, scope: str, until: datetime) -> None:
    async with database.write() as connection:
        await budget.halt(connection, scope, until)


async def test_a_silence_lasts_for_all_of_its_scope_and_a_shorter_one_does_not_end_it(
    budget: Budget, any_database: Database
) -> None:
    chat, other = scopes_of(CHATS[1], PACE), scopes_of(CHATS[2], PACE)
    await budget.turn([], [Ask(chat), Ask(other)], MONDAY)
    await budget.turn([Answered(chat, MONDAY), Answered(other, MONDAY)], [], MONDAY)
    await halt(budget, any_database, "telegram", later(30))
    await halt(budget, any_database, "telegram", later(5))
    for grant in await budget.turn([], [Ask(chat, urgent=True), Ask(other)], later(10)):
        assert later(30) <= grant.at <= later(30.01)
    assert [grant.lacking for grant in await budget.turn([], [Ask(chat), Ask(other)], later(31))] == [None, None]


async def test_a_silence_of_one_chat_is_not_anothers(budget: Budget, any_database: Database) -> None:
    await halt(budget, any_database, "telegram/1", later(30))
    one, other = await budget.turn([], [Ask(scopes_of(CHATS[1], PACE)), Ask(scopes_of(CHATS[2], PACE))], MONDAY)
    assert (one.lacking, other.lacking) == ("telegram/1", None)


async def test_a_silence_outlives_the_process(database: Database) -> None:
    await halt(MemoryBudget(database), database, "telegram", later(30))
    fresh = MemoryBudget(database)
    await fresh.remember([(scopes_of(CHATS[1], PACE), MONDAY)])
    (grant,) = await fresh.turn([], [Ask((ALL,))], later(10))
    assert grant.lacking == "telegram"


async def test_what_is_idle_is_forgotten_and_what_is_not_stays(budget: Budget, any_database: Database) -> None:
    await halt(budget, any_database, "telegram/1", later(30))
    await halt(budget, any_database, "telegram/2", later(300))
    async with any_database.write() as connection:
        await budgets.prune(connection, later(60).timestamp())
        left = await budgets.load(connection)
    assert set(left) == {"telegram/2"}


async def test_whoever_asks_while_the_only_slot_is_kept_for_a_reply_waits_for_the_reply(budget: Budget) -> None:
    one = (Scope("telegram/1", Rate(1, SECOND)),)
    await budget.turn([], [Ask(one)], MONDAY)
    await budget.turn([Answered(one, MONDAY)], [Ask(one, urgent=True)], MONDAY)
    (digest,) = await budget.turn([], [Ask(one)], later(1))
    assert (digest.lacking, digest.at) == ("telegram/1", later(2))
    (reply,) = await budget.turn([], [Ask(one, urgent=True)], later(1))
    assert reply.lacking is None


async def test_a_clock_that_goes_back_lets_nobody_wait_for_an_hour(budget: Budget) -> None:
    await budget.turn([], [Ask((ALL,))] * 2, later(3600))
    await budget.turn([Answered((ALL,), later(3600))] * 2, [], later(3600))
    first, second = await budget.turn([], [Ask((ALL,))] * 2, MONDAY)
    assert (first.lacking, second.lacking) == (None, None)
