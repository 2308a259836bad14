"""How fast a model is asked, and when it is left alone."""

from datetime import timedelta

from bot.summaries.model.pace import FIRST_PAUSE, GIVE_UP_AFTER, LONGEST_PAUSE, MINUTE, Breaker, Window
from tests.builders import MONDAY


def test_no_minute_has_more_than_the_limit() -> None:
    window = Window(3)
    taken = []
    for _ in range(10):
        at = window.free_at(1, MONDAY)
        window.take(1, at)
        taken.append(at)
    assert taken[:3] == [MONDAY] * 3
    assert all(later - earlier >= MINUTE for earlier, later in zip(taken, taken[3:], strict=False))
    assert taken[-1] == MONDAY + 3 * MINUTE


def test_what_was_taken_too_much_is_given_back() -> None:
    window = Window(1000)
    first = window.take(900, MONDAY)
    assert window.free_at(400, MONDAY) == MONDAY + MINUTE
    first.size = 500
    assert window.free_at(400, MONDAY) == MONDAY


def test_more_than_the_limit_waits_until_nothing_is_taken() -> None:
    window = Window(100)
    assert window.free_at(500, MONDAY) == MONDAY
    window.take(50, MONDAY)
    assert window.free_at(500, MONDAY) == MONDAY + MINUTE


def test_without_a_limit_nobody_waits() -> None:
    window = Window(0)
    window.take(10**9, MONDAY)
    assert window.free_at(10**9, MONDAY) == MONDAY


def test_an_endpoint_that_does_not_answer_is_left_alone_ever_longer() -> None:
    breaker, now, pauses = Breaker(), MONDAY, []
    for _ in range(GIVE_UP_AFTER - 1):
        assert not breaker.failed(now)
    for _ in range(8):
        assert breaker.failed(now)
        assert breaker.is_shut(now)
        assert breaker.shut_until is not None
        pauses.append(breaker.shut_until - now)
        now = breaker.shut_until
        assert not breaker.is_shut(now)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_one_answer_makes_all_well() -> None:
    breaker = Breaker()
    for _ in range(GIVE_UP_AFTER):
        breaker.failed(MONDAY)
    breaker.answered()
    assert not breaker.is_shut(MONDAY)
    assert not breaker.failed(MONDAY)


def test_a_refusal_that_nobody_but_the_operator_can_mend_shuts_at_once() -> None:
    breaker = Breaker()
    assert breaker.failed(MONDAY, for_good=True)
    assert breaker.is_shut(MONDAY + LONGEST_PAUSE - timedelta(seconds=1))
