"""Listed: which subscriptions somebody saw in which order, so that a number means what it meant to them."""

from dataclasses import dataclass, field

from bot.chats import Chat
from bot.commands.request import Sender

MOST = 2_000
"""Lists that are remembered; who saw none lately means the present one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """In this process, and until it ends."""

    _seen: dict[tuple[int, str], tuple[int, ...]] = field(default_factory=dict)

    def show(self, chat: Chat, sender: Sender, numbers: tuple[int, ...]) -> None:
        """They were shown these, in this order."""
        self._seen.pop((chat.id, sender.id), None)
        self._seen[chat.id, sender.id] = numbers
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]

    def last(self, chat: Chat, sender: Sender) -> tuple[int, ...] | None:
        """What they were shown last."""
        return self._seen.get((chat.id, sender.id))
