"""When arXiv announces (https://info.arxiv.org/help/availability.html), and when it is asked: hours in US/Eastern."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ARXIV_ZONE = ZoneInfo("US/Eastern")

_DEADLINE = time(14)
"""What is submitted until then on a weekday goes into the mailing of that evening."""
SWEEP_AT = time(4)
"""The day's feeds have been there for hours, and OAI-PMH has had the announcement since the evening."""
ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_BUSY_FROM, _BUSY_UNTIL = 20, 3  # hours
_QUIET_INTERVAL = timedelta(hours=1)


def day_of(at: datetime) -> date:
    """The day in US/Eastern at an instant."""
    return at.astimezone(ARXIV_ZONE).date()


def first_day_for(submitted_at: datetime) -> date:
    """The announcement day on which a submission can be in the feeds at the earliest.

    Mailings go out on Sunday to Thursday at 20:00 and are in the feeds from midnight on, so that Monday to Friday have
    an announcement. Friday's deadline is Sunday's mailing; what comes later waits for Monday's.
    """
    local = submitted_at.astimezone(ARXIV_ZONE)
    deadline = local.date() + (ONE_DAY if local.time() > _DEADLINE else timedelta(0))
    while deadline.weekday() >= _SATURDAY:
        deadline += ONE_DAY
    day = deadline + ONE_DAY
    while day.weekday() >= _SATURDAY:
        day += ONE_DAY
    return day


def next_poll_at(now: datetime, interval: timedelta) -> datetime:
    """When a feed that was just read is asked again: often while arXiv publishes, once an hour else, weekends too.

    Feeds are built from 00:00 US/Eastern on, and again after the announcement at 20:00 (measured: 21:18 to 23:37).
    """
    hour = now.astimezone(ARXIV_ZONE).hour
    return now + (interval if hour >= _BUSY_FROM or hour < _BUSY_UNTIL else max(interval, _QUIET_INTERVAL))


def last_swept_day(now: datetime) -> date:
    """The last day that a sweep can compare by now."""
    local = now.astimezone(ARXIV_ZONE)
    return local.date() if local.time() >= SWEEP_AT else local.date() - ONE_DAY


def sweep_at(day: date) -> datetime:
    """From when on a day can be compared, aware UTC."""
    return datetime.combine(day, SWEEP_AT, ARXIV_ZONE).astimezone(UTC)
