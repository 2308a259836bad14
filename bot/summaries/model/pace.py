"""How fast a model may be asked: windows of a minute, and when it is left alone."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
GIVE_UP_AFTER = 3
"""Papers in a row that got no answer before nobody asks for a while."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(slots=True)
class Taken:
    """A part of a window's limit, from an instant on; its size can be put right when it is known."""

    at: datetime
    size: int


@dataclass(slots=True)
class Window:
    """At most `limit` (requests, or tokens) in any minute; 0: as many as one likes."""

    limit: int
    _taken: deque[Taken] = field(default_factory=deque)

    def free_at(self, size: int, now: datetime) -> datetime:
        """The earliest instant at which so much may be taken; more than the limit only when nothing is taken."""
        while self._taken and self._taken[0].at <= now - MINUTE:
            self._taken.popleft()
        if not self.limit or not self._taken:
            return now
        # Whoever comes later does not go first: else large ones would wait for ever.
        at, used = max(now, self._taken[-1].at), sum(each.size for each in self._taken)
        for each in self._taken:
            if used + size <= self.limit:
                break
            used -= each.size
            at = max(at, each.at + MINUTE)
        return at

    def take(self, size: int, at: datetime) -> Taken:
        """Take so much then."""
        taken = Taken(at, size)
        if self.limit:
            self._taken.append(taken)
        return taken


@dataclass(slots=True)
class Breaker:
    """Leaves an endpoint alone that does not answer, ever longer, so that not every paper waits for it."""

    shut_until: datetime | None = None
    failures: int = 0
    _pause: timedelta = FIRST_PAUSE

    def is_shut(self, now: datetime) -> bool:
        return self.shut_until is not None and now < self.shut_until

    def answered(self) -> None:
        """All is well."""
        self.shut_until, self.failures, self._pause = None, 0, FIRST_PAUSE

    def failed(self, now: datetime, *, for_good: bool = False) -> bool:
        """A paper got no answer; `for_good`: nor will any, until somebody mends the settings. True as it shuts."""
        self.failures += 1
        if self.is_shut(now) or (self.failures < GIVE_UP_AFTER and not for_good):
            return False
        self._pause = LONGEST_PAUSE if for_good else self._pause
        self.shut(now)
        return True

    def shut(self, now: datetime) -> None:
        """Leave it alone from now on."""
        self.shut_until = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
