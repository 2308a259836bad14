"""The server: calls come in, go wrong where they shall, and are carried out within the rates."""

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from ..stub import Now
from .faults import ALL_FAULTS, GATEWAY, REFUSALS, Fault, Faults, Order
from .inline import Inline
from .limits import (
    BUTTON_LIMIT,
    CALLBACK_DATA_BYTES,
    COMMAND_LIMIT,
    ENTITY_LIMIT,
    FILE_LIMIT,
    LANGUAGE,
    ROW_LIMIT,
    SCOPES,
    TEXT_LIMIT,
    TOKEN,
    Rates,
)
from .texts import PARSE_MODES, Json, parsed, trimmed, units
from .updates import Refused, bad
from .world import Call, Document, Message

_PAGE = "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n"
_PLAIN_PARAMS = {
    *("text", "parse_mode", "description", "short_description", "callback_query_id", "language_code", "url"),
    *("secret_token", "inline_query_id", "next_offset"),
}
_ONLY_TRUE = {"sendChatAction", "setMyDescription", "setMyShortDescription", "logOut", "close"}


class TelegramStub(Inline):
    """A Bot API server for one bot, @paperwire_test_bot, in a small world of chats and users that the test makes.

    Point python-telegram-bot at it with `base_url=stub.api_url`. Messages are parsed by TDLib, like the real
    server's. `on_accept` is called the moment a message is accepted, before the answer leaves.
    """

    def __init__(self, now: Now = time.time, port: int = 0, *, token: str = TOKEN, enforce_rates: bool = True) -> None:
        super().__init__(now, port, token=token)
        self.enforce_rates = enforce_rates
        self.rates = Rates()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        """Every message that was accepted, as it was sent."""
        self.documents: list[Document] = []
        """Every file that was accepted."""
        self.accepted = 0
        self.shown: dict[tuple[int, int], Message] = {}
        """What chats show of the bot now, by (chat id, message id): edits applied, deleted messages gone."""
        self.commands: dict[tuple[str, str], list[Json]] = {}
        """The command lists by (scope, language code), such as `("default", "")` or `("chat:7", "zh")`."""
        self.violations: list[str] = []
        """What the real server lets pass and the bot should not do, such as entities past the hundredth."""
        self.http_429 = 0
        """Refusals by the rates; those that a test ordered are not counted."""
        self.on_accept: Callable[[Message], None] | None = None
        self._jitter: tuple[random.Random, float, float] = (random.Random(0), 0.0, 0.0)
        self._news = asyncio.Event()
        self._methods: Mapping[str, Callable[[Json], Awaitable[object]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._get_webhook_info,
            "setMyCommands": self._set_my_commands,
            "getMyCommands": self._get_my_commands,
            "deleteMyCommands": self._delete_my_commands,
            "sendMessage": self._send_message,
            "sendDocument": self._send_document,
            "editMessageText": self._edit_message,
            "editMessageReplyMarkup": self._edit_message,
            "deleteMessage": self._delete_message,
            "answerCallbackQuery": self._answer_callback_query,
            "answerInlineQuery": self._answer_inline_query,
            "getFile": self._get_file,
            "getChat": self._get_chat,
            "getChatMember": self._get_chat_member,
            "getChatAdministrators": self._get_chat_administrators,
            "leaveChat": self._leave_chat,
        } | dict.fromkeys(_ONLY_TRUE, self._say_true)
        self.app.router.add_route("*", "/bot{token}/{method}", self._serve)
        self.app.router.add_get("/file/bot{token}/documents/{number}", self._serve_file)

    @property
    def api_url(self) -> str:
        """The `base_url` for python-telegram-bot."""
        return f"{self.url}/bot"

    # Bad days

    def fail_next(
        self,
        kind: str | int,
        method: str | None = "sendMessage",
        times: int = 1,
        chat_id: int | None = None,
        *,
        seconds: float | None = None,
        to: int | None = None,
    ) -> None:
        """Let the next calls of a method (None: of any) for a chat (None: for any) go wrong, by a kind of ALL_FAULTS.

        `seconds`: of `retry_after` (5 if left out), or for how long to stall (if left out until the client goes).
        `migrated` goes `to` that chat id. Raises ValueError for what there is not.
        """
        kind = str(kind)
        seconds = seconds if seconds is not None else 5 if kind == "retry_after" else math.inf
        self.faults.order(Order(Fault(kind, seconds, to), method, chat_id, times))

    def misbehave(
        self,
        rate: float,
        seed: int = 1,
        kinds: Collection[str] = ALL_FAULTS,
        *,
        stall_seconds: float = 1.0,
        flood_seconds: float = 1.0,
    ) -> None:
        """Let this share of all sends go wrong, each by one of `kinds` that can happen to it; 0 ends it.

        Each is a single answer: a chat that "blocked the bot" takes the next message.
        """
        self.faults.draw_at(rate, seed, kinds, stall_seconds, flood_seconds)

    def jitter(self, share: float = 0.01, seconds: float = 0.05, seed: int = 1) -> None:
        """Hold this share of all sends for so long: half of them before they are counted, half of the answers."""
        self._jitter = (random.Random(seed), share, seconds)

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 5.0) -> Message:  # noqa: ASYNC109
        """The first accepted message that fits, already there or to come. Raises TimeoutError after real seconds."""
        async with asyncio.timeout(timeout):
            while True:
                self._news.clear()
                for message in self.messages:
                    if predicate(message):
                        return message
                await self._news.wait()

    # Serving

    async def _serve_file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["number"])
        if request.match_info["token"] != self.token or content is None:
            return web.Response(status=404)
        return web.Response(body=content, content_type="application/octet-stream")

    async def _serve(self, request: web.Request) -> web.Response:
        method, params = request.match_info["method"], await _params(request)
        number = self._note_call(method, params)
        before, after = self._holds(method)
        await asyncio.sleep(before)
        fault = self.faults.next(method, params, self._chats.get(params.get("chat_id", 0), {"type": "private"}))
        response = await self._respond(fault, request, method, params)
        await asyncio.sleep(after)
        if fault and fault.kind.startswith(("reset", "stall")):
            if request.transport is not None:
                request.transport.abort()
        else:
            self._note_answer(number, response.status)
        return response

    async def _respond(self, fault: Fault | None, request: web.Request, method: str, params: Json) -> web.Response:
        kind = fault.kind if fault else ""
        if fault and kind in ("stall_before", "late_504"):
            await _hold(request, fault.seconds)
        if kind in GATEWAY:
            status, phrase = GATEWAY[kind]
            return web.Response(status=status, text=_PAGE.format(title=f"{status} {phrase}"), content_type="text/html")
        if kind in ("reset_before", "stall_before"):
            return web.Response()
        try:
            if fault and (kind == "retry_after" or kind in REFUSALS):
                raise self._refusal(fault, params)
            status, answer = 200, await self._act(request.match_info["token"], method, params)
        except Refused as refused:
            status, answer = refused.status, refused.answer
        if fault and kind in ("stall_after", "late"):
            await _hold(request, fault.seconds)
        return web.Response(status=status, body=json.dumps(answer).encode(), content_type="application/json")

    def _note_call(self, method: str, params: Json) -> int:
        self.calls.append(Call(self.now(), method, params))
        return len(self.calls) - 1

    def _note_answer(self, number: int, status: int) -> None:
        self.calls[number] = replace(self.calls[number], status=status)

    def _holds(self, method: str) -> tuple[float, float]:
        dice, share, seconds = self._jitter
        if method != "sendMessage" or not share or dice.random() >= share:
            return 0.0, 0.0
        return (seconds, 0.0) if dice.random() < 0.5 else (0.0, seconds)

    def _refusal(self, fault: Fault, params: Json) -> Refused:
        if fault.kind == "retry_after":
            return _too_many(max(1, math.ceil(fault.seconds)))
        chat = self._chats.get(params.get("chat_id", 0), {"type": "group", "title": "A chat"})
        status, text = REFUSALS[fault.kind]
        if fault.to is None:
            return Refused(status, text.format(type=chat["type"]))
        if fault.to not in self._chats:
            self.add_chat(fault.to, "supergroup", chat["title"])
        return Refused(status, text, migrate_to_chat_id=fault.to)

    async def _act(self, token: str, method: str, params: Json) -> Json:
        if not re.fullmatch(r"\d+:[\w-]{3,}", token, re.A):
            raise Refused(404, "Not Found")
        if token != self.token:
            raise Refused(401, "Unauthorized")
        if method not in self._methods:
            raise Refused(404, "Not Found: method not found")
        if "chat_id" in params:
            self._chat(params)
        return {"ok": True, "result": await self._methods[method](params)}

    # Methods

    async def _say_true(self, _: Json) -> bool:
        return True

    async def _get_me(self, _: Json) -> Json:
        return self.me

    async def _set_my_commands(self, params: Json) -> bool:
        if len(params["commands"]) > COMMAND_LIMIT:
            raise bad("BOT_COMMANDS_TOO_MUCH")
        for one in params["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", one["command"]):
                raise bad("BOT_COMMAND_INVALID")
            if not 1 <= len(one["description"]) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        scope, language = params.get("scope") or {"type": "default"}, params.get("language_code", "")
        if scope.get("type") not in SCOPES or scope.keys() - {"type"} != SCOPES[scope["type"]]:
            raise bad("can't parse scope of bot commands")
        if not LANGUAGE.fullmatch(language):
            raise bad("invalid language code specified")
        self.commands[_command_scope(params)] = params["commands"]
        return True

    async def _get_my_commands(self, params: Json) -> list[Json]:
        return self.commands.get(_command_scope(params), [])

    async def _delete_my_commands(self, params: Json) -> bool:
        self.commands.pop(_command_scope(params), None)
        return True

    async def _send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        thread = self._thread(chat, params)
        reply = params.get("reply_parameters", {})
        replied = (chat["id"], reply.get("message_id", 0))
        if reply and replied not in self._history and not reply.get("allow_sending_without_reply"):
            raise bad("message to be replied not found")
        text, entities = self._text(params)
        markup = self._markup(params)
        self._keep_pace(chat, params)
        message = self._new_message(chat["id"], text, entities, thread) | markup
        sender = {"sender_chat": chat} if chat["type"] == "channel" else {"from": self.me}
        accepted = self._show(message | sender)
        self.messages.append(accepted)
        self._accept(accepted)
        return self._history[chat["id"], accepted.message_id]

    async def _send_document(self, params: Json) -> Json:
        chat, file = self._chat(params), params.get("document")
        thread = self._thread(chat, params)
        if not isinstance(file, web.FileField):
            raise bad("there is no document in the request")
        name, content = file.filename, file.file.read()
        if not content:
            raise bad("file must be non-empty")
        if len(content) > FILE_LIMIT:
            raise Refused(413, "Request Entity Too Large")
        self._keep_pace(chat, params)
        self.documents.append(Document(self.now(), chat["id"], name, content, thread))
        self._news.set()
        message = self._new_message(chat["id"], "", [], thread) | {"from": self.me}
        about = {"file_id": name, "file_unique_id": name, "file_name": name, "file_size": len(content)}
        return message | {"document": about}

    def _thread(self, chat: Json, params: Json) -> int | None:
        thread: int | None = params.get("message_thread_id")
        # The General topic has the id 1 and is written to without it.
        if thread is not None and (thread == 1 or thread not in self._topics[chat["id"]]):
            raise bad("message thread not found")
        return thread

    def _accept(self, message: Message) -> None:
        self.accepted += 1
        self._news.set()
        if self.on_accept:
            self.on_accept(message)

    async def _edit_message(self, params: Json) -> Json:
        key = (self._chat(params)["id"], params.get("message_id", 0))
        if key not in self._history:
            raise bad("message to edit not found")
        if key not in self.shown:
            raise bad("message can't be edited")
        old = self._history[key]
        new = {name: value for name, value in old.items() if name != "reply_markup"} | self._markup(params)
        if "text" in params:
            new["text"], new["entities"] = self._text(params)
        if new == old:
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        self._show(new | {"edit_date": int(self.now())})
        return self._history[key]

    async def _delete_message(self, params: Json) -> bool:
        key = (self._chat(params)["id"], params.get("message_id", 0))
        if self._history.pop(key, None) is None:
            raise bad("message to delete not found")
        self.shown.pop(key, None)
        return True

    async def _answer_callback_query(self, params: Json) -> bool:
        if params.get("callback_query_id") not in self._queries:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(params.get("text", "")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        return True

    # What methods share

    def _show(self, message: Json) -> Message:
        keyboard = message.get("reply_markup", {}).get("inline_keyboard", [])
        key = (message["chat"]["id"], message["message_id"])
        self._history[key] = message
        self.shown[key] = Message(
            at=self.now(),
            chat_id=key[0],
            message_id=key[1],
            text=message["text"],
            entities=message["entities"],
            buttons=[
                [(one["text"], one.get("callback_data") or one.get("url", "")) for one in row] for row in keyboard
            ],
            thread=message.get("message_thread_id"),
        )
        return self.shown[key]

    def _text(self, params: Json) -> tuple[str, list[Json]]:
        text, entities = params.get("text", ""), params.get("entities", [])
        if not text:
            raise bad("message text is empty")
        if mode := params.get("parse_mode"):
            if mode.lower() not in PARSE_MODES:
                raise bad("unsupported parse_mode")
            try:
                text, entities = parsed(text, mode)
            except ValueError as error:
                raise bad(str(error)) from error
        text, entities = trimmed(text, entities)
        if not text:
            raise bad("message text is empty")
        if units(text) > TEXT_LIMIT:
            raise bad("message is too long")
        if len(entities) > ENTITY_LIMIT:
            self.violations.append(f"{len(entities)} entities in a message to {params.get('chat_id')}")
        return text, entities[:ENTITY_LIMIT]

    def _markup(self, params: Json) -> Json:
        """The reply markup as a message carries it: only inline keyboards are shown on messages."""
        rows = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        buttons = [button for row in rows for button in row]
        if any(len(button.get("callback_data", "").encode()) > CALLBACK_DATA_BYTES for button in buttons):
            raise bad("BUTTON_DATA_INVALID")
        if len(buttons) > BUTTON_LIMIT:
            raise bad("reply markup is too long")
        if any(len(row) > ROW_LIMIT for row in rows):
            self.violations.append(f"over {ROW_LIMIT} buttons in a row for {params.get('chat_id')}")
        return {"reply_markup": {"inline_keyboard": rows}} if buttons else {}

    def _keep_pace(self, chat: Json, params: Json) -> None:
        if not self.enforce_rates:
            return
        is_group, pays = chat["type"] != "private", params.get("allow_paid_broadcast") is True
        wait = self.rates.wait(chat["id"], self.now(), is_group=is_group, pays=pays)
        if wait > 0:
            self.http_429 += 1
            raise _too_many(max(1, math.ceil(wait)))


async def _hold(request: web.Request, seconds: float) -> None:
    """Let a client wait, as long as it does."""
    until = time.monotonic() + seconds
    while request.transport is not None and time.monotonic() < until:
        await asyncio.sleep(min(0.02, seconds))


async def _params(request: web.Request) -> Json:
    body = await (request.json() if request.content_type == "application/json" else request.post())
    values = {**request.query, **body}
    return {name: value if name in _PLAIN_PARAMS else _decoded(value) for name, value in values.items()}


def _decoded(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _too_many(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _command_scope(params: Json) -> tuple[str, str]:
    scope = params.get("scope") or {"type": "default"}
    others = (str(value) for name, value in scope.items() if name != "type")
    return ":".join([scope["type"], *others]), params.get("language_code", "")
