"""Incoming: what somebody said or pressed, as a platform hands it in; and who they are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from bot.chats import PlatformName

LONGEST_TEXT = 4_000
"""Characters that a person may say at once."""


IN_PLACE = ("set", "saved", "unsave", "find")
"""Verbs of the buttons that turn the message that they stand under into another; they say nothing themselves."""


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


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing said in a chat: a text (in groups only commands), or the `action` of a Button that was pressed.

    `address`, `title` and `is_group` are the chat's, in the platform's own words.
    """

    platform: PlatformName
    address: str
    title: str
    is_group: bool
    sender: Sender
    text: str = ""
    action: str = ""
