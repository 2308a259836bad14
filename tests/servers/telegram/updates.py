"""What reaches the bot: updates that wait until they are fetched, or are brought to a webhook."""

import asyncio
import re
import time
from typing import Any

import aiohttp

from ..stub import Now, Stub
from .faults import SECOND_POLLER
from .limits import MOST_CONNECTIONS, SECRET_LIMIT
from .texts import Json

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)[:/]")
_ENDED_BY_WEBHOOK = "Conflict: terminated by setWebhook request"
_WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


class Refused(Exception):
    """The answer to a call that the server does not carry out."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.answer: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.answer["parameters"] = parameters


def bad(what: str) -> Refused:
    return Refused(400, f"Bad Request: {what}")


class Updates(Stub):
    """The updates of one bot. A webhook gets those of one chat in order, the next one when the last was accepted."""

    def __init__(self, now: Now = time.time, port: int = 0) -> None:
        super().__init__(now, port)
        self.webhook_retry_seconds = 0.05
        """Real seconds until an update is brought again that was not answered with a 2xx; Telegram begins with 1."""
        self.webhook_statuses: list[int] = []
        """What the webhook answered, in order; 0: nothing."""
        self._pending: list[Json] = []
        self._next_update = 1
        self._allowed: list[str] = []
        self._poll: asyncio.Future[str] | None = None
        self._webhook: Json = {}
        self._bringing: dict[int, asyncio.Task[None]] = {}
        self._connections = asyncio.Semaphore()
        self._last_error: Json = {}

    async def __aexit__(self, *error: Any) -> None:
        await self._stop_bringing()
        await super().__aexit__(*error)

    def _push(self, kind: str, content: Json) -> int:
        update_id = self._next_update
        self._next_update += 1
        if not self._allowed or kind in self._allowed:
            self._pending.append({"update_id": update_id, kind: content})
            if self._poll and not self._poll.done():
                self._poll.set_result("")
            self._bring()
        return update_id

    async def _get_updates(self, params: Json) -> list[Json]:
        if self._webhook:
            raise Refused(409, _WEBHOOK_SET)
        self._end_poll(SECOND_POLLER)
        self._allowed = params.get("allowed_updates", self._allowed)
        offset = params.get("offset", 0)
        self._pending = (
            self._pending[offset:]
            if offset < 0
            else [update for update in self._pending if update["update_id"] >= offset]
        )
        if not self._pending and params.get("timeout"):
            self._poll = poll = asyncio.get_running_loop().create_future()
            await asyncio.wait([poll], timeout=params["timeout"])
            if poll.done() and poll.result():
                raise Refused(409, poll.result())
        return self._pending[: params.get("limit", 100)]

    def _end_poll(self, why: str) -> None:
        if self._poll and not self._poll.done():
            self._poll.set_result(why)

    async def set_webhook(self, url: str, secret: str = "") -> None:
        """Somebody with the bot's token sets its webhook, or with an empty URL takes it away."""
        await self._set_webhook({"url": url, "secret_token": secret})

    async def _set_webhook(self, params: Json) -> bool:
        url, secret = params.get("url", ""), str(params.get("secret_token", ""))
        if not url:
            return await self._delete_webhook(params)
        # A Bot API server of one's own brings updates to plain HTTP too; nothing else can be reached from a test.
        if not (url.startswith("https://") or _LOOPBACK.match(url)):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if len(secret) > SECRET_LIMIT:
            raise bad("secret token is too long")
        if not re.fullmatch(r"[\w-]*", secret, re.A):
            raise bad("secret token contains unallowed characters")
        self._end_poll(_ENDED_BY_WEBHOOK)
        await self._stop_bringing()
        self._allowed = params.get("allowed_updates", self._allowed)
        most = min(max(params.get("max_connections", 40), 1), MOST_CONNECTIONS)
        self._webhook, self._connections = {"url": url, "secret": secret, "most": most}, asyncio.Semaphore(most)
        self._forget_pending(params)
        self._bring()
        return True

    async def _delete_webhook(self, params: Json) -> bool:
        self._webhook = {}
        await self._stop_bringing()
        self._forget_pending(params)
        return True

    async def _get_webhook_info(self, _: Json) -> Json:
        info = {"url": self._webhook.get("url", ""), "has_custom_certificate": False}
        info["pending_update_count"] = len(self._pending)
        if self._webhook:
            info |= {"max_connections": self._webhook["most"]} | self._last_error
        return info | ({"allowed_updates": self._allowed} if self._allowed else {})

    def _forget_pending(self, params: Json) -> None:
        if params.get("drop_pending_updates"):
            self._pending.clear()

    def _bring(self) -> None:
        if self._webhook:
            for chat_id in {_chat_of(update) for update in self._pending} - self._bringing.keys():
                self._bringing[chat_id] = asyncio.create_task(self._bring_all(chat_id))

    async def _bring_all(self, chat_id: int) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._webhook["secret"]} if self._webhook["secret"] else {}
        async with aiohttp.ClientSession(headers=headers) as session:
            while update := next((each for each in self._pending if _chat_of(each) == chat_id), None):
                async with self._connections:
                    status = await self._bring_one(session, update)
                if 200 <= status <= 299:
                    self._pending.remove(update)
                else:
                    await asyncio.sleep(self.webhook_retry_seconds)
        del self._bringing[chat_id]

    async def _bring_one(self, session: aiohttp.ClientSession, update: Json) -> int:
        try:
            async with session.post(self._webhook["url"], json=update) as response:
                status, said = response.status, f"Wrong response from the webhook: {response.status} {response.reason}"
        except aiohttp.ClientError:
            status, said = 0, "Connection refused"
        self.webhook_statuses.append(status)
        if not 200 <= status <= 299:
            self._last_error = {"last_error_date": int(self.now()), "last_error_message": said}
        return status

    async def _stop_bringing(self) -> None:
        tasks = list(self._bringing.values())
        self._bringing.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _chat_of(update: Json) -> int:
    (content,) = (value for name, value in update.items() if name != "update_id")
    # An inline query comes from no chat, but from somebody.
    return content.get("message", content).get("chat", content.get("from"))["id"]
