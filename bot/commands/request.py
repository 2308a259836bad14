"""Incoming: what somebody said or pressed, as a platform hands it in; and who they are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from bot.chats import PlatformName

LONGEST_TEXT = 4_000
"""Characters that a person may say at once."""

LARGEST_FILE = 256 * 1024
"""Bytes of a file that comes with a command, and characters of one that is pasted behind it."""

_MOST_DIGITS = 9


BRIEF = (
    *("set", "saved", "unsave", "find", "page", "exclude", "unhide", "drop", "undo", "alert", "admin", "help"),
    *("save", "vote", "hide", "card", "like"),
)
"""Verbs of the buttons whose answer may take the place of the message that they stand under, or be an aside. They say
nothing themselves, and that they were pressed is confirmed with the answer."""


class Permission(Enum):
    """Who may give a command."""

    ANYONE = auto()
    ADMIN = auto()
    """In a private chat its person; in a group its administrators."""
    OPERATOR = auto()


async def always() -> bool:
    """The `is_admin` of a private chat."""
    return True


@dataclass(frozen=True, slots=True)
class Sender:
    """A person. `is_admin` asks the platform, and only where it matters; `language` is an IETF tag, if it is known."""

    id: str
    name: str
    language: str | None = None
    is_admin: Callable[[], Awaitable[bool]] = always


class NotFetchedError(Exception):
    """A file cannot be had: it is too large, no text, or its platform did not give it."""

    def __init__(self, why: Literal["too_large", "no_text", "not_fetched"]) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or group, as its platform names it."""

    address: str
    title: str


class NotReachedError(Exception):
    """A channel or group cannot be set up by this person.

    `unknown`: there is none such, or the bot is not in it. `no_place`: a person, not a channel or group. `not_admin`:
    the person is no administrator there. `not_member`: the bot is not in it. `may_not_post`: the bot is, but may not
    write. `unreachable`: the platform does not answer.
    """

    def __init__(
        self, why: Literal["unknown", "no_place", "not_admin", "not_member", "may_not_post", "unreachable"]
    ) -> None:
        super().__init__(why)
        self.why = why


Reach = Callable[[str], Awaitable[Place]]
"""Finds a channel or group that the sender administers, and where the bot may write, by its name, link or id.

Raises NotReachedError.
"""

Fetch = Callable[[], Awaitable[str]]
"""Gets a file's text. Raises NotFetchedError."""


def text_of(content: bytes) -> str:
    """A file's text. Raises NotFetchedError for one that is larger than LARGEST_FILE or not in UTF-8."""
    if len(content) > LARGEST_FILE:
        raise NotFetchedError("too_large")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotFetchedError("no_text") from None


def number_in(text: str) -> int | None:
    """A whole number as people write it (２ is one, too) and buttons carry it; None for anything else.

    One with more digits than any that the bot gives counts for none: PostgreSQL would refuse to look it up.
    """
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def longest(text: str) -> int:
    """Characters that somebody may say who begins like this: a file may be pasted behind `/import`."""
    return LARGEST_FILE if text.lstrip()[:8].split()[:1] == ["/import"] else LONGEST_TEXT


Hearing = Literal["all", "commands", "mentions"]
"""What the bot hears in a group: everything; commands alone; what mentions it. The catalogue says what follows."""


async def everything() -> Hearing:
    """The `hears` of a chat in which nothing escapes the bot."""
    return "all"


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a server, and whether the bot may mention it so that its people are told."""

    name: str
    may_be_mentioned: bool


@dataclass(frozen=True, slots=True)
class Venue:
    """What only the platform knows of a chat; it is asked where it matters. `role` finds a role by its number."""

    hears: Callable[[], Awaitable[Hearing]] = everything
    role: Callable[[str], Role | None] = lambda _number: None


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing said in a chat: a text (in groups only commands), or the `action` of a Button that was pressed.

    `address`, `title` and `is_group` are the chat's, in the platform's own words. `file` fetches the file that came
    along, if one did: only a command that wants it, and may have it, does so. `reach` is there in a private chat from
    which its person can set up a channel. `overheard`: people of a group said it to each other; only the links in it
    are looked at, and only where the chat wants that.
    """

    platform: PlatformName
    address: str
    title: str
    is_group: bool
    sender: Sender
    text: str = ""
    action: str = ""
    file: Fetch | None = None
    reach: Reach | None = None
    overheard: bool = False
    venue: Venue = Venue()
