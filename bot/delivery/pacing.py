"""Pacing: when the next message to a chat may leave, so that no limit is met."""

from collections import defaultdict, deque
from datetime import datetime

from bot.chats import Chat
from bot.delivery.port import Pace


class Pacer:
    """One platform's memory of what was sent when, and its answer to: when may this chat get the next?"""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._last: dict[int, datetime] = {}
        group_count = pace.per_group[0] if pace.per_group is not None else 0
        self._groups: defaultdict[int, deque[datetime]] = defaultdict(lambda: deque(maxlen=group_count))
        self._all: deque[datetime] = deque(maxlen=pace.overall[0])
        self._halted_until: datetime | None = None

    def free_at(self, chat: Chat, now: datetime) -> datetime:
        """The earliest instant, now or later, at which a message to this chat keeps every limit."""
        times = [now]
        if self._halted_until is not None:
            times.append(self._halted_until)
        if chat.id in self._last:
            times.append(self._last[chat.id] + self._pace.per_chat)
        count, window = self._pace.overall
        if len(self._all) >= count:
            times.append(self._all[-count] + window)
        if chat.is_group and self._pace.per_group is not None:
            count, window = self._pace.per_group
            if len(self._groups[chat.id]) >= count:
                times.append(self._groups[chat.id][-count] + window)
        return max(times)

    def left(self, chat: Chat, at: datetime) -> None:
        """A message to this chat leaves at this instant."""
        self._last[chat.id] = at
        self._all.append(at)
        if chat.is_group and self._pace.per_group is not None:
            self._groups[chat.id].append(at)

    def answered(self, chat: Chat, left_at: datetime, at: datetime) -> None:
        """What left then was answered at this instant: the platform may have counted it as late as that, but once."""
        for times in [self._all, *([self._groups[chat.id]] if chat.is_group else [])]:
            if left_at in times:
                times.remove(left_at)
        self.left(chat, at)

    def halt(self, until: datetime) -> None:
        """The platform wants silence until then."""
        self._halted_until = max(until, self._halted_until or until)
