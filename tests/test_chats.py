"""When a digest is due: once a local day, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from datetime import time as TimeOfDay  # noqa: N812

import pytest

from bot.chats import Preferences, local_day, next_digest_at


def days_of(preferences: Preferences, start: datetime, count: int) -> list[datetime]:
    due, last_day, found = start, None, []
    for _ in range(count):
        due = next_digest_at(preferences, due, last_day)
        last_day = local_day(preferences, due)
        found.append(due)
    return found


@pytest.mark.parametrize(
    ("zone", "at", "start"),
    [
        ("America/New_York", TimeOfDay(2, 30), datetime(2026, 3, 6, tzinfo=UTC)),  # 02:30 is skipped on 8 March
        ("America/New_York", TimeOfDay(1, 30), datetime(2026, 10, 30, tzinfo=UTC)),  # 01:30 comes twice on 1 November
        ("Europe/Berlin", TimeOfDay(2, 30), datetime(2026, 10, 23, tzinfo=UTC)),
        ("Australia/Lord_Howe", TimeOfDay(2, 15), datetime(2026, 10, 2, tzinfo=UTC)),  # half an hour is skipped
        ("Asia/Shanghai", TimeOfDay(9, 0), datetime(2026, 3, 6, tzinfo=UTC)),
    ],
)
def test_every_local_day_has_exactly_one_digest(zone: str, at: TimeOfDay, start: datetime) -> None:
    preferences = Preferences(at, zone)
    days = [local_day(preferences, due) for due in days_of(preferences, start, 6)]
    assert days == [days[0] + timedelta(days=number) for number in range(6)]


def test_a_skipped_time_counts_as_if_the_clock_had_not_changed_yet() -> None:
    preferences = Preferences(TimeOfDay(2, 30), "America/New_York")
    due = next_digest_at(preferences, datetime(2026, 3, 8, 0, 0, tzinfo=UTC), date(2026, 3, 7))
    assert due == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_a_time_that_comes_twice_counts_once_and_the_first_time() -> None:
    preferences = Preferences(TimeOfDay(1, 30), "America/New_York")
    first = next_digest_at(preferences, datetime(2026, 11, 1, 0, 0, tzinfo=UTC), None)
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert next_digest_at(preferences, first, date(2026, 11, 1)) == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def test_a_later_time_set_after_the_days_digest_waits_for_tomorrow() -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert next_digest_at(Preferences(TimeOfDay(18, 0)), noon, date(2026, 3, 2)).date() == date(2026, 3, 3)
    assert next_digest_at(Preferences(TimeOfDay(18, 0)), noon, date(2026, 3, 1)).date() == date(2026, 3, 2)
