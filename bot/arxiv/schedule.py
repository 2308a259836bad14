"""When arXiv announces (https://info.arxiv.org/help/availability.html), and when it is asked: hours in US/Eastern."""

import json
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from bot.announcements import ARXIV_ZONE, ONE_DAY, midnight_of, next_announcement_day

_DEADLINE = time(14)
"""What is submitted until then on a weekday goes into the mailing of that evening."""
SWEEP_AT = time(4)
"""The day's feeds have been there for hours, and OAI-PMH has had the announcement since the evening."""
_SWEEP_AGAIN_AT = (time(10), time(16))
"""Where the day's announcement has still not come. In the evening the records have the next one."""
_SATURDAY = 5

CYCLES = (time(0, 10), time(23, 50))
"""When every feed is asked, weekends and holidays too.

A feed is built at the first request after midnight, and again late in the evening (measured: 21:18 to 23:37); what was
built last stands until midnight.
"""
SELDOMEST = timedelta(hours=1)
"""How often an announcement that does not come is asked for in the end."""


def first_day_for(submitted_at: datetime) -> date:
    """The announcement day on which a submission can be in the feeds at the earliest.

    Mailings go out on Sunday to Thursday at 20:00 and are in the feeds from midnight on, so that Monday to Friday have
    an announcement. Friday's deadline is Sunday's mailing; what comes later waits for Monday's.
    """
    local = submitted_at.astimezone(ARXIV_ZONE)
    deadline = local.date() + (ONE_DAY if local.time() > _DEADLINE else timedelta(0))
    while deadline.weekday() >= _SATURDAY:
        deadline += ONE_DAY
    return next_announcement_day(deadline)


def next_poll_at(now: datetime, interval: timedelta, awaited: date | None) -> datetime:
    """When a feed that was just read is asked again: at the next cycle, and until then for what is awaited.

    `awaited`: the announcement day that has not come. It is asked for after the interval at first, then ever less
    often.
    """
    local = now.astimezone(ARXIV_ZONE)
    ahead = (datetime.combine(local.date(), cycle, ARXIV_ZONE).astimezone(UTC) for cycle in CYCLES)
    tomorrow = datetime.combine(local.date() + ONE_DAY, CYCLES[0], ARXIV_ZONE).astimezone(UTC)
    next_cycle = min((cycle for cycle in ahead if cycle > now), default=tomorrow)
    if awaited is None:
        return next_cycle
    waited = now - midnight_of(awaited)
    return min(next_cycle, now + min(max(waited, interval), max(interval, SELDOMEST)))


def last_swept_day(now: datetime) -> date:
    """The last day that a sweep can compare by now."""
    local = now.astimezone(ARXIV_ZONE)
    return local.date() if local.time() >= SWEEP_AT else local.date() - ONE_DAY


def sweep_at(day: date) -> datetime:
    """From when on a day can be compared, aware UTC."""
    return datetime.combine(day, SWEEP_AT, ARXIV_ZONE).astimezone(UTC)


def sweep_again_at(now: datetime) -> datetime:
    """When a day whose announcement is still awaited is compared once more, aware UTC."""
    local = now.astimezone(ARXIV_ZONE)
    today = (datetime.combine(local.date(), at, ARXIV_ZONE).astimezone(UTC) for at in _SWEEP_AGAIN_AT)
    return min((at for at in today if at > now), default=sweep_at(local.date() + ONE_DAY))


def is_holiday(day: date) -> bool:
    """Whether arXiv has said that nothing is announced on this day. It words a message, and decides nothing."""
    return day.isoformat() in _holidays()


@cache
def _holidays() -> frozenset[str]:
    return frozenset(json.loads(Path(__file__).with_name("holidays.json").read_text("utf-8")))
