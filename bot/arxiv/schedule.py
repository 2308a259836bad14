"""When arXiv announces (https://info.arxiv.org/help/availability.html): days and hours in US/Eastern."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ARXIV_ZONE = ZoneInfo("US/Eastern")

_DEADLINE = time(14)
"""What is submitted until then on a weekday goes into the mailing of that evening."""
_SATURDAY = 5
_ONE_DAY = timedelta(days=1)


def day_of(at: datetime) -> date:
    """The day in US/Eastern at an instant."""
    return at.astimezone(ARXIV_ZONE).date()


def first_day_for(submitted_at: datetime) -> date:
    """The announcement day on which a submission can be in the feeds at the earliest.

    Mailings go out on Sunday to Thursday at 20:00 and are in the feeds from midnight on, so that Monday to Friday have
    an announcement. Friday's deadline is Sunday's mailing; what comes later waits for Monday's.
    """
    local = submitted_at.astimezone(ARXIV_ZONE)
    deadline = local.date() + (_ONE_DAY if local.time() > _DEADLINE else timedelta(0))
    while deadline.weekday() >= _SATURDAY:
        deadline += _ONE_DAY
    day = deadline + _ONE_DAY
    while day.weekday() >= _SATURDAY:
        day += _ONE_DAY
    return day
