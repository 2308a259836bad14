"""Bad days: every failure of a call, as ordered or as drawn at random, in the words of the real server.

https://github.com/tdlib/telegram-bot-api (Client.cpp, Query.cpp), and what bots report of Telegram itself.
"""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from .texts import Json

BLOCKED = "Forbidden: bot was blocked by the user"
KICKED = "Forbidden: bot was kicked from the {type} chat"
NOT_A_MEMBER = "Forbidden: bot is not a member of the {type} chat"
SECOND_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"

REFUSALS = {
    "500": (500, "Internal Server Error"),
    "forbidden_blocked": (403, BLOCKED),
    "forbidden_kicked": (403, KICKED),
    "not_a_member": (403, NOT_A_MEMBER),
    "chat_deleted": (403, "Forbidden: the group chat was deleted"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "chat_not_found": (400, "Bad Request: chat not found"),
    "no_rights": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "write_forbidden": (400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    "migrated": (400, "Bad Request: group chat was upgraded to a supergroup chat"),
    "thread_not_found": (400, "Bad Request: message thread not found"),
    "topic_closed": (400, "Bad Request: TOPIC_CLOSED"),
    "topic_deleted": (400, "Bad Request: TOPIC_DELETED"),
    "cannot_parse": (400, 'Bad Request: can\'t parse entities: Unsupported start tag "p" at byte offset 0'),
    "too_long": (400, "Bad Request: message is too long"),
    "bad_button": (400, "Bad Request: BUTTON_DATA_INVALID"),
    "unauthorized": (401, "Unauthorized"),
    "not_found": (404, "Not Found"),
    "conflict": (409, SECOND_POLLER),
}
"""Answers of the Bot API itself: it has not carried the call out."""

GATEWAY = {"502": (502, "Bad Gateway"), "504": (504, "Gateway Time-out"), "late_504": (504, "Gateway Time-out")}
"""Pages of the proxy before it. Nothing was carried out, but nobody can tell from outside."""

BREAKS = ("reset_before", "reset_after", "stall_before", "stall_after", "late")
"""Connections that break or stall, before acting (`_before`) or after it (`_after`); one that stalls ends closed.

`late`: acted, and answered after the stall, as is `late_504`, which has not acted.
"""

ALL_FAULTS = ("retry_after", *REFUSALS, *GATEWAY, *BREAKS)

_ONLY_PRIVATE = {"forbidden_blocked", "deactivated"}
_ONLY_GROUPS = {"forbidden_kicked", "not_a_member", "chat_deleted", "migrated"}
_ONLY_TOPICS = {"thread_not_found", "topic_closed", "topic_deleted"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call. `seconds`: of the flood wait or the stall; `to`: the new id of a migrated group."""

    kind: str
    seconds: float
    to: int | None = None


@dataclass(slots=True)
class Order:
    """A fault for the next calls that fit."""

    fault: Fault
    method: str | None
    chat_id: int | None
    left: int


class Faults:
    """Who is refused next."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        """How often each kind came."""
        self._orders: list[Order] = []
        self._rate = 0.0
        self._kinds: tuple[str, ...] = ()
        self._stall_seconds = self._flood_seconds = 0.0
        self._random = random.Random(0)

    def order(self, order: Order) -> None:
        kind = order.fault.kind
        if kind not in ALL_FAULTS or (kind == "migrated") != (order.fault.to is not None):
            raise ValueError(kind)
        self._orders.append(order)

    def draw_at(
        self, rate: float, seed: int, kinds: Collection[str], stall_seconds: float, flood_seconds: float
    ) -> None:
        self._rate, self._kinds, self._random = rate, tuple(kinds), random.Random(seed)
        self._stall_seconds, self._flood_seconds = stall_seconds, flood_seconds

    def next(self, method: str, params: Json, chat: Json) -> Fault | None:
        fault = self._ordered(method, params) or self._drawn(method, params, chat)
        if fault:
            self.given[fault.kind] += 1
        return fault

    def _ordered(self, method: str, params: Json) -> Fault | None:
        for order in self._orders:
            if order.method in (None, method) and order.chat_id in (None, params.get("chat_id")):
                order.left -= 1
                if not order.left:
                    self._orders.remove(order)
                return order.fault
        return None

    def _drawn(self, method: str, params: Json, chat: Json) -> Fault | None:
        if method != "sendMessage" or self._random.random() >= self._rate:
            return None
        possible = [kind for kind in self._kinds if _can_happen(kind, params, chat)]
        if not possible:
            return None
        kind = self._random.choice(possible)
        to = -1_000_000_000_000 - self._random.randrange(10**9) if kind == "migrated" else None
        return Fault(kind, self._flood_seconds if kind == "retry_after" else self._stall_seconds, to)


def _can_happen(kind: str, params: Json, chat: Json) -> bool:
    is_private = chat["type"] == "private"
    return not (
        (kind in _ONLY_PRIVATE and not is_private)
        or (kind in _ONLY_GROUPS and is_private)
        or (kind in _ONLY_TOPICS and "message_thread_id" not in params)
        or (kind == "migrated" and chat["type"] != "group")
        or (kind == "cannot_parse" and "parse_mode" not in params)
        or (kind == "bad_button" and "reply_markup" not in params)
    )
