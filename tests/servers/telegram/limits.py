"""The Bot API's numbers, and its rates as strict sliding windows.

https://core.telegram.org/bots/api, https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this,
https://core.telegram.org/bots/faq#broadcasting-to-users
"""

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field

TOKEN = "123456789:AAtest-Token_of_the_stub"
TEXT_LIMIT = 4_096
"""UTF-16 units, counted after the markup is parsed."""
ENTITY_LIMIT = 100
CALLBACK_DATA_BYTES = 64
BUTTON_LIMIT = 100
ROW_LIMIT = 8
COMMAND_LIMIT = 100
LANGUAGE = re.compile(r"([a-z]{2})?")
"""Two letters of ISO 639-1, or none: https://core.telegram.org/bots/api#setmycommands"""
SCOPES = {
    **dict.fromkeys(("default", "all_private_chats", "all_group_chats", "all_chat_administrators"), frozenset[str]()),
    **dict.fromkeys(("chat", "chat_administrators"), frozenset({"chat_id"})),
    "chat_member": frozenset({"chat_id", "user_id"}),
}
"""Whom a list of commands can be for, and what has to be said besides: /bots/api#botcommandscope"""
QUERY_LIMIT, INLINE_RESULTS, RESULT_ID_BYTES, OFFSET_BYTES = 256, 50, 64, 64
"""Of inline mode: /bots/api#inlinequery, /bots/api#answerinlinequery, /bots/api#inlinequeryresultarticle"""
FILE_LIMIT = 50 * 2**20
"""Bytes of a file that a bot uploads."""
SECRET_LIMIT = 256
MOST_CONNECTIONS = 100
DOWNLOAD_LIMIT = 20 * 2**20
"""Bytes of a file that a bot can fetch: https://core.telegram.org/bots/api#getfile"""

PER_SECOND = 30
PER_SECOND_PAID = 1_000
PER_GROUP_MINUTE = 20
EPSILON = 1e-6
"""Seconds that are forgiven, since floating point cannot tell them."""


@dataclass(slots=True)
class Window:
    """What happened in the last `seconds`."""

    seconds: float
    times: deque[float] = field(default_factory=deque)

    def wait(self, at: float, most: int) -> float:
        """Seconds until one more makes no more than `most` in any stretch of the window's length."""
        while self.times and self.times[0] + self.seconds - EPSILON <= at:
            self.times.popleft()
        return self.times[len(self.times) - most] + self.seconds - at if len(self.times) >= most else 0.0


class Rates:
    """30 a second overall, 1,000 for those that pay; 1 a second in a chat; 20 a minute in a group or channel."""

    def __init__(self) -> None:
        self.paid = 0
        """Messages beyond the free 30 a second, 0.1 Stars each."""
        self._overall = Window(1.0)
        self._last: dict[int, float] = {}
        self._groups: defaultdict[int, Window] = defaultdict(lambda: Window(60.0))

    def wait(self, chat_id: int, at: float, *, is_group: bool, pays: bool) -> float:
        """Seconds until a message into this chat is within all of them; 0: it is, and is counted."""
        waits = [
            self._overall.wait(at, PER_SECOND_PAID if pays else PER_SECOND),
            self._last.get(chat_id, at - 2) + 1.0 - at,
            self._groups[chat_id].wait(at, PER_GROUP_MINUTE) if is_group else 0.0,
        ]
        if max(waits) > EPSILON:
            return max(waits)
        self.paid += len(self._overall.times) >= PER_SECOND
        self._overall.times.append(at)
        self._last[chat_id] = at
        if is_group:
            self._groups[chat_id].times.append(at)
        return 0.0
