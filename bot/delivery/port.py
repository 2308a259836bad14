"""The port: what delivery needs of a platform, and what may become of a Message there."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform confirmed it, under this id."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not sent: try the same again after this time. `whole_platform`: nothing else may leave before, either."""

    reason: str
    after: timedelta | None = None
    whole_platform: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It left, and no answer came: it may have arrived. Loss outranks repetition, so it goes again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform will never take this message; the chat is well."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The chat cannot be written to: it blocked us, threw us out, or is no more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The chat has a new address; the message goes there."""

    address: str


Outcome = Sent | Wait | Uncertain | Refused | Gone | Moved


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a platform may be written to: least time between two messages of a chat, windows of (count, length)."""

    per_chat: timedelta
    per_group: tuple[int, timedelta] | None
    overall: tuple[int, timedelta]


class Platform(Protocol):
    """One outside service, as far as delivery is concerned."""

    pace: Pace

    async def send(self, address: str, payload: str, key: str) -> Outcome:
        """Send one message. `key` is the same at every attempt. Never raises: what went wrong is the Outcome."""
