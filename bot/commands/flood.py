"""Flood: how much one person, and one chat, may ask for in a minute; who asks for more is told once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.commands.request import Incoming

WINDOW = timedelta(minutes=1)
MOST_REMEMBERED = 10_000
"""People and chats at a time; strangers beyond take the places of those who were quiet longest."""
_NAME_SHOWN = 60


class Verdict(Enum):
    """What becomes of something that was said."""

    ANSWER = auto()
    WARN = auto()
    """It is the first that is too much."""
    IGNORE = auto()


@dataclass(frozen=True, slots=True)
class Rate:
    """Commands and presses in a WINDOW: of one person, wherever, and of all in one group.

    Who turns pages or walks through a menu presses about once in two seconds.
    """

    person: int = 30
    group: int = 60


@dataclass(slots=True)
class _Window:
    ends_at: datetime
    count: int = 0
    is_exempt: bool = False


class Flood:
    """Counts in memory, so that a flood costs neither a query nor an answer. Each process counts what comes to it."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._windows: dict[tuple[str, ...], _Window] = {}

    def hear(self, incoming: Incoming, now: datetime) -> tuple[Verdict, datetime]:
        """What becomes of this, and when its sender is answered again.

        Operators, and the local web chat, which is theirs, are always answered.
        """
        person = self._window(_person(incoming), now)
        if incoming.platform == "web" or person.is_exempt:
            return Verdict.ANSWER, now
        verdict = _count(person, self._rate.person)
        # What is ignored of one person does not silence the group for all others.
        if verdict is not Verdict.ANSWER or not incoming.is_group:
            return verdict, person.ends_at
        place = incoming.address.partition(":")[0]
        group = self._window((incoming.platform, "group", place), now)
        return _count(group, self._rate.group), group.ends_at

    def exempt(self, incoming: Incoming, now: datetime) -> None:
        """Slow this person down no more: they run the bot."""
        self._window(_person(incoming), now).is_exempt = True

    @property
    def remembered(self) -> int:
        """How many people and groups are counted at present."""
        return len(self._windows)

    def _window(self, key: tuple[str, ...], now: datetime) -> _Window:
        window = self._windows.pop(key, None)
        if window is None or window.ends_at <= now:
            window = _Window(now + WINDOW, is_exempt=window is not None and window.is_exempt)
        self._windows[key] = window  # the latest stand last
        if len(self._windows) > MOST_REMEMBERED:
            del self._windows[next(iter(self._windows))]
        return window


def slow_down(context: Context, until: datetime) -> Reply:
    """The one polite word to who asks too fast; in a group it says to whom."""
    seconds = max(1, round((until - context.now).total_seconds()))
    whom = f"{context.sender.name[:_NAME_SHOWN]}: " if context.chat.is_group else ""
    return Reply(whom + context.phrases("error.too_fast", count=seconds))


def _count(window: _Window, most: int) -> Verdict:
    window.count += 1
    if window.count <= most:
        return Verdict.ANSWER
    return Verdict.WARN if window.count == most + 1 else Verdict.IGNORE


def _person(incoming: Incoming) -> tuple[str, ...]:
    return incoming.platform, "person", incoming.sender.id
