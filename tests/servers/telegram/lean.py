"""A stub for benchmarks: the same faults, jitter and rates, but it reads no markup and keeps counts, not texts."""

import time
from collections import Counter

from ..stub import Now
from .limits import TOKEN
from .server import TelegramStub
from .texts import Json
from .world import Message


class LeanTelegramStub(TelegramStub):
    """Every chat exists: those with negative ids are groups. `messages`, `calls` and `shown` stay empty."""

    def __init__(self, now: Now = time.time, port: int = 0, *, token: str = TOKEN, enforce_rates: bool = True) -> None:
        super().__init__(now, port, token=token, enforce_rates=enforce_rates)
        self.got: Counter[int] = Counter()
        """Messages accepted, by chat id."""

    def _note_call(self, method: str, params: Json) -> int:
        return 0

    def _note_answer(self, number: int, status: int) -> None:
        pass

    def _chat(self, params: Json) -> Json:
        chat_id = params["chat_id"]
        if chat_id not in self._chats:
            self.add_chat(chat_id, "private" if chat_id > 0 else "supergroup")
        return super()._chat(params)

    async def _send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        self._keep_pace(chat, params)
        self.got[chat["id"]] += 1
        at = self.now()
        self._accept(Message(at, chat["id"], self.got[chat["id"]], "", [], []))
        return {"message_id": self.got[chat["id"]], "date": int(at), "chat": chat, "from": self.me, "text": "x"}
