"""Turns: the chats that the courier is at, and in which order they may send next."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.chats import Chat
from bot.delivery.budget import Scope
from bot.storage.outbox import Message

MOST_A_TURN = 6
"""Messages after which a chat is looked at anew: an urgent one may have come, or its chat have been shut out."""


@dataclass(slots=True)
class Turn:
    """A chat that the courier is at.

    `length`: how many messages wait for it in all. `number`: whose is lower came earlier. `ready_at`: before that its
    pace lets nothing leave. `is_lost`: its message could not be claimed, so somebody else has a say in this chat.
    """

    chat: Chat
    scopes: tuple[Scope, ...]
    queue: deque[Message]
    length: int
    number: int
    ready_at: datetime
    in_flight: bool = False
    is_lost: bool = False

    @property
    def is_over(self) -> bool:
        return not (self.queue or self.in_flight)

    def may_go(self, now: datetime) -> bool:
        return bool(self.queue) and not self.in_flight and self.ready_at <= now


def fairly(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Urgent ones first; then by turns the one that came first and the one that is to get most.

    A chat with much to get can only take its own pace, so that letting it begin early holds up nobody; begun late it
    would be the last to end.
    """
    oldest = sorted(turns, key=lambda turn: (not turn.queue[0].urgent, turn.number))
    fullest = sorted(oldest, key=lambda turn: (not turn.queue[0].urgent, -turn.length))
    given: set[int] = set()
    for pair in zip(oldest, fullest, strict=True):
        for turn in pair:
            if turn.chat.id not in given:
                given.add(turn.chat.id)
                yield turn
