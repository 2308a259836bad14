"""The port: what delivery needs of a platform, and what may become of a Message there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

Alert = Literal["token", "second_poller", "banned", "refused", "filtered", "no_rights"]
"""What operators are told of, once a cause: the catalogue has a text for each under `alert.`"""


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform confirmed it, under this id."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not sent: the same again after this time (None: after a growing one); nothing else to this chat before.

    `whole_platform`: nothing at all may leave before, either.
    """

    reason: str
    after: timedelta | None = None
    whole_platform: bool = False
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It left, and no answer came: it may have arrived. Loss outranks repetition, so it goes again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform will never take this message; the chat is well."""

    reason: str
    alert: Alert = "refused"


@dataclass(frozen=True, slots=True)
class Instead:
    """It is not taken in this form: these payloads go in its place, in order. What stands in itself is not replaced."""

    payloads: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The chat is over for us until it lets us in again: it blocked us, threw us out, or is no more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shut:
    """We may not write into the chat at present. If it stays so it is given up, and tried again once in a while."""

    reason: str
    alert: Alert | None = "no_rights"


@dataclass(frozen=True, slots=True)
class Moved:
    """The chat has a new address; the message goes there."""

    address: str
    reason: str = "the group became a supergroup"


Outcome = Sent | Wait | Uncertain | Refused | Instead | Gone | Shut | Moved


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any stretch of this length."""

    count: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a platform may be written to: in all, into one chat, into one group. None: as fast as it goes."""

    overall: Rate | None
    per_chat: Rate | None
    per_group: Rate | None = None


class Platform(Protocol):
    """One outside service, as far as delivery is concerned."""

    @property
    def pace(self) -> Pace: ...

    async def send(self, address: str, payload: str, key: str, doubt: datetime | None = None) -> Outcome:
        """Send one message. Never raises: what went wrong is the Outcome.

        `key` is the same at every attempt. `doubt`: since when the message may already be there, from an earlier
        attempt that nobody answered; a platform that can look looks first.
        """
