"""Pacing: whatever the load, Telegram's limits are kept; and little time is given away."""

import heapq
from collections import defaultdict, deque
from datetime import datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chats import Chat
from bot.delivery.pacing import Pacer
from bot.platforms.telegram.limits import PACE
from tests.builders import MONDAY

CHATS = {n: Chat(n, "telegram", str(n), f"chat {n}", is_group=n % 3 == 0) for n in range(900)}


def accepted(load: list[tuple[int, float]], delays: list[float]) -> dict[int, list[float]]:
    """When a platform takes each chat's messages, in seconds: one a chat in flight, each as long under way as told.

    `load` is (chat, the second in which the message is due); a message is taken half-way through its delay.
    """
    pacer, order, taken = Pacer(PACE), count(), defaultdict[int, list[float]](list)
    waiting, in_flight = defaultdict[int, deque[float]](deque), dict[int, datetime]()
    events: list[tuple[datetime, int, str, int]] = []
    delay = iter(delays * (len(load) // len(delays) + 1))
    for number, due in load:
        heapq.heappush(events, (MONDAY + timedelta(seconds=due), next(order), "due", number))
    while events:
        now, _, what, number = heapq.heappop(events)
        if what == "due":
            waiting[number].append(0)
        if what == "answered":
            pacer.answered(CHATS[number], in_flight.pop(number), now)
        if number in in_flight or not waiting[number]:
            continue
        free_at = pacer.free_at(CHATS[number], now)
        if free_at > now:
            heapq.heappush(events, (free_at, next(order), "free", number))
            continue
        waiting[number].popleft()
        pacer.left(CHATS[number], now)
        in_flight[number] = now
        under_way = timedelta(seconds=next(delay))
        taken[number].append((now + under_way / 2 - MONDAY).total_seconds())
        heapq.heappush(events, (now + under_way, next(order), "answered", number))
    return taken


def most_within(seconds: float, times: list[float]) -> int:
    """The largest number of these instants in any window of this length."""
    ordered = sorted(times)
    return max((sum(start <= each < start + seconds for each in ordered) for start in ordered), default=0)


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


@settings(max_examples=60, deadline=None)
@given(bursts, st.lists(st.floats(0, 0.08), min_size=1, max_size=20))
def test_no_load_breaks_a_limit(load: list[tuple[int, float]], delays: list[float]) -> None:
    taken = accepted(load, delays)
    assert sum(map(len, taken.values())) == len(load)
    assert most_within(1, [at for times in taken.values() for at in times]) <= 30
    for number, times in taken.items():
        assert most_within(1, times) == 1
        assert not CHATS[number].is_group or most_within(60, times) <= 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_a_slow_network_brings_no_two_messages_of_a_chat_closer(delays: list[float]) -> None:
    (times,) = accepted([(3, 0)] * 70, delays).values()
    assert most_within(1, times) == 1
    assert most_within(60, times) <= 20


def test_a_burst_to_many_chats_takes_hardly_longer_than_the_limit_wants() -> None:
    private = [(number, 0.0) for number, chat in CHATS.items() if not chat.is_group]
    last = max(at for times in accepted(private, [0.04]).values() for at in times)
    assert last < len(private) / 30 * 1.2 + 1


def test_a_group_gets_nearly_its_twenty_a_minute() -> None:
    (times,) = accepted([(3, 0)] * 60, [0.2]).values()
    assert times[39] < 61 + 20 * 1.3


def test_a_single_chat_gets_nearly_one_a_second() -> None:
    (times,) = accepted([(1, 0)] * 60, [0.1]).values()
    assert times[-1] < 60 * 1.2


def test_a_halt_lasts_for_everybody_and_a_shorter_one_does_not_end_it() -> None:
    pacer = Pacer(PACE)
    pacer.halt(MONDAY + timedelta(seconds=30))
    pacer.halt(MONDAY + timedelta(seconds=5))
    assert pacer.free_at(CHATS[1], MONDAY) == pacer.free_at(CHATS[3], MONDAY) == MONDAY + timedelta(seconds=30)
