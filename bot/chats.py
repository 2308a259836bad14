"""Chat, Preferences, Subscription: a destination, how it wants to be served, and what it wants."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as TimeOfDay  # noqa: N812 -- `time` is a field's name here
from typing import Literal
from zoneinfo import ZoneInfo

from bot.announcements import ARXIV_ZONE
from bot.interests import Interest

PlatformName = Literal["telegram", "discord", "web"]
Language = Literal["en", "zh", "both"]
Access = Literal["waiting", "allowed", "denied", "banned"]
"""`denied` chats are told so whenever they ask; `banned` ones are told once, and then nothing."""
Format = Literal["cards", "tldrs", "titles"]
"""How much of each paper a digest shows: all of its card, title and TLDR, or the title alone."""

Paging = Literal["messages", "pages"]
"""Whether a long digest comes in several messages, or in one that turns its pages in place."""

LARGEST_CAP = 1000
"""Papers in one digest; 0 stands for all of them."""


MOST_SUBSCRIPTIONS = 50
"""Of one chat, unless the operator set another number for it."""
EVERY_DAY = frozenset(range(7))
LATEST = TimeOfDay(16, 0)
"""In US/Eastern: what is not announced by then will not be on that day, and whoever wants it soon waits no longer."""

UNTIL_RESUMED = datetime(9000, 1, 1, tzinfo=UTC)
"""The end of a pause that has none: it lasts until somebody ends it."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a chat wants its digest: when (local time in an IANA zone), in which language, how many papers (0: all).

    `asap`: as soon as the day's announcements are complete, instead of at a time. `days`: the weekdays that have one,
    Monday as 0. `quiet`: from when to when (local) nothing is sent unasked; it may go over midnight. `cross_lists`:
    whether papers count whose first category is another one. `quiet_note`: whether a day without papers is told, and
    why. `replacements`: whether new versions of papers that the chat was given are told. `links`: whether links to
    papers that people post in a group are answered with a short card. `mention`: the role that a daily digest mentions
    (Discord's number of it).
    """

    time: TimeOfDay = TimeOfDay(9, 0)
    zone: str = "UTC"
    language: Language = "both"
    cap: int = 12
    asap: bool = False
    days: frozenset[int] = EVERY_DAY
    quiet: tuple[TimeOfDay, TimeOfDay] | None = None
    format: Format = "cards"
    cross_lists: bool = True
    quiet_note: bool = False
    paging: Paging = "messages"
    replacements: bool = False
    links: bool = False
    mention: str = ""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True)
class Quota:
    """What an operator allows one chat: papers in a digest, and subscriptions; None where they set nothing."""

    papers: int | None = None
    subscriptions: int | None = None

    @property
    def most_subscriptions(self) -> int:
        return MOST_SUBSCRIPTIONS if self.subscriptions is None else self.subscriptions

    def keep(self, preferences: Preferences) -> Preferences:
        """The preferences, with a cap that is allowed."""
        if self.papers is None or 0 < preferences.cap <= self.papers:
            return preferences
        return replace(preferences, cap=self.papers)


@dataclass(frozen=True, slots=True)
class Chat:
    """One destination. `address` is the platform's own name for it: a chat id, a channel id, a thread's name.

    `shut`: how often in a row it could not be written to. `paused_until`: before that nothing comes unasked.
    `person_id`: whose private chat it is, where that is known.
    """

    id: int
    platform: PlatformName
    address: str
    title: str
    is_group: bool = False
    preferences: Preferences = field(default_factory=Preferences)
    access: Access = "waiting"
    inactive_because: str | None = None
    inactive_since: datetime | None = None
    shut: int = 0
    next_digest_at: datetime | None = None
    last_digest_day: date | None = None
    paused_until: datetime | None = None
    quota: Quota = field(default_factory=Quota)
    person_id: str | None = None

    @property
    def place(self) -> str:
        """The address without its topic: a group with all its topics is one place."""
        return self.address.partition(":")[0]

    def is_paused(self, now: datetime) -> bool:
        """Whether nothing may come unasked at this instant."""
        return self.paused_until is not None and self.paused_until > now


@dataclass(frozen=True, slots=True)
class Subscription:
    """A Chat's Interest, since `made_at`. It owes the papers first seen at `since` or later (aware UTC).

    `alerts_since`: since when its papers come at once; None where they come with the day's digest.
    """

    id: int
    chat_id: int
    interest: Interest
    since: datetime
    made_at: datetime
    alerts_since: datetime | None = None


def next_digest_at(preferences: Preferences, after: datetime, last_day: date | None) -> datetime:
    """The next instant (UTC) later than `after` at which a digest is due: once a local day, however the clock changes.

    A time that daylight saving skips counts as the same distance after midnight in the old offset; one that comes
    twice counts the first time. What would be due in quiet hours is due at their end. `last_day` is the local day of
    the last digest: no day gets two.
    """
    day = after.astimezone(preferences.tz).date() - timedelta(days=2)
    if last_day is not None:
        day = max(day, last_day - timedelta(days=1))
    while True:
        due = end_of_quiet(preferences, _due_on(day, preferences))
        is_another_day = last_day is None or local_day(preferences, due) > last_day
        if due > after and is_another_day and day.weekday() in preferences.days:
            return due
        day += timedelta(days=1)


def _due_on(day: date, preferences: Preferences) -> datetime:
    if preferences.asap:
        return datetime.combine(day, LATEST, ARXIV_ZONE)
    due = datetime.combine(day, preferences.time, preferences.tz)
    if due.astimezone(UTC).astimezone(preferences.tz).date() != day:
        due = due.replace(fold=1)  # the clock jumps over midnight: the day ends before the skipped time
    return due


def end_of_quiet(preferences: Preferences, instant: datetime) -> datetime:
    """When the quiet hours end in which an instant lies; the instant itself (UTC) where it lies in none."""
    if preferences.quiet is None:
        return instant.astimezone(UTC)
    begin, end = preferences.quiet
    local = instant.astimezone(preferences.tz)
    clock = local.time().replace(tzinfo=None, fold=0)
    is_quiet = begin <= clock < end if begin <= end else clock >= begin or clock < end
    if not is_quiet:
        return instant.astimezone(UTC)
    day = local.date() + timedelta(days=1) if clock >= end else local.date()
    return datetime.combine(day, end, preferences.tz).astimezone(UTC)


def local_day(preferences: Preferences, instant: datetime) -> date:
    """The chat's calendar day at an instant."""
    return instant.astimezone(preferences.tz).date()


def languages(language: Language) -> tuple[Literal["en", "zh"], ...]:
    """The languages that a mode shows, the leading one first."""
    return ("en", "zh") if language == "both" else (language,)
