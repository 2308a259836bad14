"""The Telegram Bot API as a stub: as strict as the real server, with its texts, its rates and its bad days.

Error texts and forms follow https://github.com/tdlib/telegram-bot-api (Client.cpp, Query.cpp) and, where a text
comes from Telegram itself, what bots report; limits follow https://core.telegram.org/bots/api and /bots/faq.
"""

import asyncio
import json
import math
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import tdjson
from aiohttp import web

from tests.servers.stub import Now, Stub

Json = dict[str, Any]
ChatType = Literal["private", "group", "supergroup", "channel"]
Status = Literal["creator", "administrator", "member", "restricted", "left", "kicked"]

TOKEN = "123456789:AAtest-Token_of_the_stub"
TEXT_LIMIT = 4_096
"""UTF-16 units, counted after the markup is parsed."""
ENTITY_LIMIT = 100
CALLBACK_DATA_BYTES = 64
BUTTON_LIMIT = 100
ROW_LIMIT = 8
PER_SECOND = 30
PER_GROUP_MINUTE = 20
TOLERANCE = 0.001

_BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body>\r\n</html>\r\n"
_REFUSALS = {
    "500": (500, "Internal Server Error"),
    "forbidden_blocked": (403, "Forbidden: bot was blocked by the user"),
    "forbidden_kicked": (403, "Forbidden: bot was kicked from the {type} chat"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "chat_not_found": (400, "Bad Request: chat not found"),
    "no_rights": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "migrated": (400, "Bad Request: group chat was upgraded to a supergroup chat"),
    "thread_not_found": (400, "Bad Request: message thread not found"),
    "topic_closed": (400, "Bad Request: TOPIC_CLOSED"),
    "cannot_parse": (400, 'Bad Request: can\'t parse entities: Unsupported start tag "p" at byte offset 0'),
    "too_long": (400, "Bad Request: message is too long"),
    "unauthorized": (401, "Unauthorized"),
}
_OTHER_FAULTS = {"retry_after", "502", "reset_before", "reset_after", "stall_after"}
_PARSE_MODES = {
    "html": {"@type": "textParseModeHTML"},
    "markdown": {"@type": "textParseModeMarkdown", "version": 1},
    "markdownv2": {"@type": "textParseModeMarkdown", "version": 2},
}
_ENTITY_NAMES = {
    "TextUrl": "text_link",
    "PreCode": "pre",
    "MentionName": "text_mention",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "expandable_blockquote",
    "EmailAddress": "email",
}
_PLAIN_PARAMS = {"text", "parse_mode", "description", "short_description", "callback_query_id", "language_code", "url"}
_ONLY_TRUE = {"deleteWebhook", "sendChatAction", "setMyDescription", "setMyShortDescription", "logOut", "close"}
_ADMIN_RIGHTS = (
    *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_change_info"),
    *("can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories", "can_pin_messages"),
)
_MEMBER_RIGHTS = (
    *("can_change_info", "can_invite_users", "can_pin_messages", "can_send_messages", "can_send_polls"),
    *("can_send_other_messages", "can_add_web_page_previews", "can_manage_topics", "can_send_audios"),
    *("can_send_documents", "can_send_photos", "can_send_videos", "can_send_video_notes", "can_send_voice_notes"),
    *("can_edit_tag", "can_react_to_messages"),
)
_MEMBER_FACTS: dict[Status, Json] = {
    "creator": {"is_anonymous": False},
    "administrator": dict.fromkeys(_ADMIN_RIGHTS, True)
    | {"can_be_edited": False, "is_anonymous": False, "can_promote_members": False},
    "member": {},
    "restricted": dict.fromkeys(_MEMBER_RIGHTS, False) | {"is_member": True, "until_date": 0},
    "left": {},
    "kicked": {"until_date": 0},
}
_ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
_CHANNEL_SENDER = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the Bot API; `at` in the stub's seconds, `status` 0 while (or if never) answered."""

    at: float
    method: str
    params: Json
    status: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the bot as people see it: plain text, its entities and rows of buttons (text, data or URL)."""

    at: float
    chat_id: int
    message_id: int
    text: str
    entities: list[Json]
    buttons: list[list[tuple[str, str]]]
    thread: int | None = None


@dataclass(slots=True)
class _Fault:
    kind: str
    method: str | None
    chat_id: int | None
    left: int
    seconds: int
    to: int | None


class _Refused(Exception):
    """The answer to a call that the server does not carry out."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.answer: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.answer["parameters"] = parameters


@dataclass(slots=True)
class _Window:
    """At most `most` events in any `seconds`: a strict sliding window."""

    most: int
    seconds: float
    times: deque[float] = field(default_factory=deque)

    def wait(self, at: float) -> float:
        """Seconds until one more is allowed."""
        while self.times and self.times[0] + self.seconds - TOLERANCE <= at:
            self.times.popleft()
        return self.times[0] + self.seconds - at if len(self.times) >= self.most else 0.0


class TelegramStub(Stub):
    """A Bot API server for one bot, @paperwire_test_bot, in a small world of chats and users that the test makes.

    Point python-telegram-bot at it with `base_url=stub.api_url`. Messages are parsed by TDLib, like the real
    server's. `on_accept` is called the moment a message is accepted, before the answer leaves.
    """

    def __init__(self, now: Now = time.time, port: int = 0, *, token: str = TOKEN, enforce_rates: bool = True) -> None:
        super().__init__(now, port)
        self.token = token
        self.enforce_rates = enforce_rates
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        """Every message that was accepted, as it was sent."""
        self.shown: dict[tuple[int, int], Message] = {}
        """What chats show of the bot now, by (chat id, message id): edits applied, deleted messages gone."""
        self.commands: dict[tuple[str, str], list[Json]] = {}
        """The command lists by (scope, language code), such as `("default", "")` or `("chat:7", "zh")`."""
        self.violations: list[str] = []
        """What the real server lets pass and the bot should not do, such as entities past the hundredth."""
        self.http_429 = 0
        """Refusals by the rates; those that a test ordered are not counted."""
        self.on_accept: Callable[[Message], None] | None = None
        self.me: Json = {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "Paperwire"} | {
            "username": "paperwire_test_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self._chats: dict[int, Json] = {}
        self._users: dict[int, Json] = {}
        self._topics: defaultdict[int, set[int]] = defaultdict(set)
        self._statuses: dict[tuple[int, int], Status] = {}
        self._shut: dict[int, str] = {}
        self._last_ids: Counter[int] = Counter()
        self._history: dict[tuple[int, int], Json] = {}
        self._queries: set[str] = set()
        self._faults: list[_Fault] = []
        self._overall = _Window(PER_SECOND, 1.0)
        self._per_chat: dict[int, list[_Window]] = {}
        self._pending: list[Json] = []
        self._next_update = 1
        self._allowed: list[str] = []
        self._poll: asyncio.Future[bool] | None = None
        self._accepted = asyncio.Event()
        self._methods: Mapping[str, Callable[[Json], Awaitable[object]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "setMyCommands": self._set_my_commands,
            "getMyCommands": self._get_my_commands,
            "deleteMyCommands": self._delete_my_commands,
            "sendMessage": self._send_message,
            "editMessageText": self._edit_message,
            "editMessageReplyMarkup": self._edit_message,
            "deleteMessage": self._delete_message,
            "answerCallbackQuery": self._answer_callback_query,
            "getChat": self._get_chat,
            "getChatMember": self._get_chat_member,
            "getChatAdministrators": self._get_chat_administrators,
            "leaveChat": self._leave_chat,
        } | dict.fromkeys(_ONLY_TRUE, self._say_true)
        self.app.router.add_route("*", "/bot{token}/{method}", self._serve)

    @property
    def api_url(self) -> str:
        """The `base_url` for python-telegram-bot."""
        return f"{self.url}/bot"

    # The world

    def add_chat(
        self,
        chat_id: int,
        type: ChatType = "private",  # noqa: A002 - the Bot API's own word
        title: str = "A chat",
        topics: Collection[int] = (),
    ) -> None:
        """Let the bot into a chat. Only the named forum topics exist, and those that somebody writes in later."""
        named = {"first_name": title} if type == "private" else {"title": title}
        forum = {"is_forum": True} if topics else {}
        self._chats[chat_id] = {"id": chat_id, "type": type} | named | forum
        self._topics[chat_id] = set(topics)

    def add_user(self, user_id: int, first_name: str = "Ada", language_code: str = "en") -> None:
        self._users[user_id] = {
            "id": user_id,
            "is_bot": False,
            "first_name": first_name,
            "language_code": language_code,
        }

    def set_admin(self, chat_id: int, user_id: int) -> None:
        self._statuses[chat_id, user_id] = "administrator"

    def say(
        self, chat_id: int, user_id: int, text: str, *, sender_chat: int | None = None, thread: int | None = None
    ) -> int:
        """Somebody writes; returns the update id. In a channel it is a post. `sender_chat` writes on behalf of a chat,
        which is an anonymous admin when it is the group itself. The user's private chat begins with the first word.
        """
        if chat_id == user_id and chat_id not in self._chats:
            self.add_chat(chat_id, "private", self._users[user_id]["first_name"])
        found = _td({"@type": "getTextEntities", "text": text})["entities"]
        message = self._new_message(chat_id, text, _entities(found), thread)
        if thread is not None:
            self._topics[chat_id].add(thread)
        if message["chat"]["type"] == "channel":
            return self._push("channel_post", message | {"sender_chat": message["chat"]})
        if sender_chat is None:
            message["from"] = self._users[user_id]
        else:
            message["from"] = _ANONYMOUS_ADMIN if sender_chat == chat_id else _CHANNEL_SENDER
            message["sender_chat"] = self._chats[sender_chat]
        return self._push("message", message)

    def migrate(self, chat_id: int, new_id: int) -> int:
        """A group becomes a supergroup with a new id; returns the update id of the notice in the old one."""
        self.add_chat(new_id, "supergroup", self._chats[chat_id]["title"])
        return self._push("message", self._new_message(chat_id, "", [], None) | {"migrate_to_chat_id": new_id})

    def press(self, message_id: int, chat_id: int, user_id: int, data: str) -> int:
        """Somebody presses a button (or forges it: `data` is not checked); returns the update id, also the query's id.

        Raises KeyError when the chat has no such message.
        """
        query_id = str(self._next_update)
        self._queries.add(query_id)
        query = {"id": query_id, "from": self._users[user_id], "chat_instance": str(chat_id), "data": data}
        return self._push("callback_query", query | {"message": self._history[chat_id, message_id]})

    def member_changed(self, chat_id: int, old: Status, new: Status, by: int) -> int:
        """Somebody adds, promotes, blocks or removes the bot; sending fails from then on as it does in reality."""
        self._statuses[chat_id, self.me["id"]] = new
        self._shut.pop(chat_id, None)
        if new in ("left", "kicked"):
            kind = self._chats[chat_id]["type"]
            self._shut[chat_id] = (
                "Forbidden: bot was blocked by the user"
                if kind == "private"
                else f"Forbidden: bot {'was kicked from' if new == 'kicked' else 'is not a member of'} the {kind} chat"
            )
        change = {"chat": self._chats[chat_id], "from": self._users[by], "date": int(self.now())}
        members = {"old_chat_member": self._member(self.me, old), "new_chat_member": self._member(self.me, new)}
        return self._push("my_chat_member", change | members)

    def fail_next(
        self,
        kind: str | int,
        method: str | None = "sendMessage",
        times: int = 1,
        chat_id: int | None = None,
        *,
        seconds: int = 5,
        to: int | None = None,
    ) -> None:
        """Refuse the next calls of a method (None: of any) for a chat (None: for any).

        Kinds: `retry_after` (`seconds`), `migrated` (`to` that chat id), `500`, `502`, `forbidden_blocked`,
        `forbidden_kicked`, `deactivated`, `chat_not_found`, `no_rights`, `thread_not_found`, `topic_closed`,
        `cannot_parse`, `too_long`, `unauthorized`, `reset_before` (closed without acting), `reset_after` (acted, then
        closed), `stall_after` (acted, never answers). Raises ValueError for another.
        """
        if str(kind) not in _REFUSALS.keys() | _OTHER_FAULTS or (kind == "migrated") != (to is not None):
            raise ValueError(kind)
        self._faults.append(_Fault(str(kind), method, chat_id, times, seconds, to))

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 5.0) -> Message:  # noqa: ASYNC109
        """The first accepted message that fits, already there or to come. Raises TimeoutError after real seconds."""
        async with asyncio.timeout(timeout):
            while True:
                self._accepted.clear()
                for message in self.messages:
                    if predicate(message):
                        return message
                await self._accepted.wait()

    # Serving

    async def _serve(self, request: web.Request) -> web.Response:
        method, params = request.match_info["method"], await _params(request)
        number = len(self.calls)
        self.calls.append(Call(self.now(), method, params))
        fault = self._next_fault(method, params)
        response = await self._respond(fault, request.match_info["token"], method, params)
        kind = fault.kind if fault else ""
        if kind.startswith("reset") and request.transport is not None:
            request.transport.abort()
        elif kind == "stall_after":
            while request.transport is not None:
                await asyncio.sleep(0.02)
        else:
            self.calls[number] = replace(self.calls[number], status=response.status)
        return response

    async def _respond(self, fault: _Fault | None, token: str, method: str, params: Json) -> web.Response:
        try:
            match fault.kind if fault else "":
                case "502":
                    return web.Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
                case "reset_before":
                    return web.Response()
                case "" | "reset_after" | "stall_after":
                    status, answer = 200, await self._act(token, method, params)
                case _:
                    assert fault is not None
                    raise self._refusal(fault, params)
        except _Refused as refused:
            status, answer = refused.status, refused.answer
        return web.Response(status=status, body=json.dumps(answer).encode(), content_type="application/json")

    def _next_fault(self, method: str, params: Json) -> _Fault | None:
        for fault in self._faults:
            if fault.method in (None, method) and fault.chat_id in (None, params.get("chat_id")):
                fault.left -= 1
                if not fault.left:
                    self._faults.remove(fault)
                return fault
        return None

    def _refusal(self, fault: _Fault, params: Json) -> _Refused:
        if fault.kind == "retry_after":
            return _too_many(fault.seconds)
        chat = self._chats.get(params.get("chat_id", 0), {"type": "group", "title": "A chat"})
        status, text = _REFUSALS[fault.kind]
        if fault.to is None:
            return _Refused(status, text.format(type=chat["type"]))
        if fault.to not in self._chats:
            self.add_chat(fault.to, "supergroup", chat["title"])
        return _Refused(status, text, migrate_to_chat_id=fault.to)

    async def _act(self, token: str, method: str, params: Json) -> Json:
        if token != self.token:
            raise _Refused(401, "Unauthorized")
        if method not in self._methods:
            raise _Refused(404, "Not Found: method not found")
        if "chat_id" in params:
            self._chat(params)
        return {"ok": True, "result": await self._methods[method](params)}

    def _chat(self, params: Json) -> Json:
        chat_id = params.get("chat_id")
        if chat_id not in self._chats:
            raise _bad("chat not found" if chat_id else "chat_id is empty")
        if chat_id in self._shut:
            raise _Refused(403, self._shut[chat_id])
        return self._chats[chat_id]

    # Methods

    async def _say_true(self, params: Json) -> bool:
        if params.get("drop_pending_updates"):
            self._pending.clear()
        return True

    async def _get_me(self, _: Json) -> Json:
        return self.me

    async def _set_webhook(self, _: Json) -> bool:
        raise _bad("bad webhook: the stub answers getUpdates only")

    async def _get_updates(self, params: Json) -> list[Json]:
        if self._poll and not self._poll.done():
            self._poll.set_result(False)
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
            if poll.done() and not poll.result():
                raise _Refused(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
        return self._pending[: params.get("limit", 100)]

    async def _set_my_commands(self, params: Json) -> bool:
        if len(params["commands"]) > 100:
            raise _bad("BOT_COMMANDS_TOO_MUCH")
        for one in params["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", one["command"]):
                raise _bad("BOT_COMMAND_INVALID")
            if not 1 <= len(one["description"]) <= 256:
                raise _bad("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_command_scope(params)] = params["commands"]
        return True

    async def _get_my_commands(self, params: Json) -> list[Json]:
        return self.commands.get(_command_scope(params), [])

    async def _delete_my_commands(self, params: Json) -> bool:
        self.commands.pop(_command_scope(params), None)
        return True

    async def _send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        thread = params.get("message_thread_id")
        # The General topic has the id 1 and is written to without it.
        if thread is not None and (thread == 1 or thread not in self._topics[chat["id"]]):
            raise _bad("message thread not found")
        reply = params.get("reply_parameters", {})
        replied = (chat["id"], reply.get("message_id", 0))
        if reply and replied not in self._history and not reply.get("allow_sending_without_reply"):
            raise _bad("message to be replied not found")
        text, entities = self._text(params)
        markup = self._markup(params)
        if self.enforce_rates:
            self._keep_pace(chat)
        message = self._new_message(chat["id"], text, entities, thread) | markup
        sender = {"sender_chat": chat} if chat["type"] == "channel" else {"from": self.me}
        accepted = self._show(message | sender)
        self.messages.append(accepted)
        self._accepted.set()
        if self.on_accept:
            self.on_accept(accepted)
        return self._history[chat["id"], accepted.message_id]

    async def _edit_message(self, params: Json) -> Json:
        key = (self._chat(params)["id"], params.get("message_id", 0))
        if key not in self._history:
            raise _bad("message to edit not found")
        if key not in self.shown:
            raise _bad("message can't be edited")
        old = self._history[key]
        new = {name: value for name, value in old.items() if name != "reply_markup"} | self._markup(params)
        if "text" in params:
            new["text"], new["entities"] = self._text(params)
        if new == old:
            raise _bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        self._show(new | {"edit_date": int(self.now())})
        return self._history[key]

    async def _delete_message(self, params: Json) -> bool:
        key = (self._chat(params)["id"], params.get("message_id", 0))
        if self._history.pop(key, None) is None:
            raise _bad("message to delete not found")
        self.shown.pop(key, None)
        return True

    async def _answer_callback_query(self, params: Json) -> bool:
        if params.get("callback_query_id") not in self._queries:
            raise _bad("query is too old and response timeout expired or query ID is invalid")
        if len(params.get("text", "")) > 200:
            raise _bad("MESSAGE_TOO_LONG")
        return True

    async def _get_chat(self, params: Json) -> Json:
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
        return self._chat(params) | full

    async def _get_chat_member(self, params: Json) -> Json:
        user_id = params.get("user_id", 0)
        user = self.me if user_id == self.me["id"] else self._users.get(user_id)
        if user is None:
            raise _bad("user not found")
        return self._member(user, self._statuses.get((params["chat_id"], user_id), "member"))

    async def _get_chat_administrators(self, params: Json) -> list[Json]:
        chat = self._chat(params)
        if chat["type"] == "private":
            raise _bad("there are no administrators in the private chat")
        people = {self.me["id"]: self.me} | self._users
        admins = [(who, status) for (where, who), status in self._statuses.items() if where == chat["id"]]
        return [self._member(people[who], status) for who, status in admins if status in ("creator", "administrator")]

    async def _leave_chat(self, params: Json) -> bool:
        chat = self._chat(params)
        self._shut[chat["id"]] = f"Forbidden: bot is not a member of the {chat['type']} chat"
        return True

    # What methods share

    def _push(self, kind: str, content: Json) -> int:
        update_id = self._next_update
        self._next_update += 1
        if not self._allowed or kind in self._allowed:
            self._pending.append({"update_id": update_id, kind: content})
            if self._poll and not self._poll.done():
                self._poll.set_result(True)
        return update_id

    def _member(self, user: Json, status: Status) -> Json:
        return {"user": user, "status": status} | _MEMBER_FACTS[status]

    def _new_message(self, chat_id: int, text: str, entities: list[Json], thread: int | None) -> Json:
        self._last_ids[chat_id] += 1
        number = self._last_ids[chat_id]
        message = {"message_id": number, "date": int(self.now()), "chat": self._chats[chat_id], "text": text}
        message |= {"entities": entities} | ({"message_thread_id": thread, "is_topic_message": True} if thread else {})
        self._history[chat_id, number] = message
        return message

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
            raise _bad("message text is empty")
        if mode := params.get("parse_mode"):
            if mode.lower() not in _PARSE_MODES:
                raise _bad("unsupported parse_mode")
            parsed = _td({"@type": "parseTextEntities", "text": text, "parse_mode": _PARSE_MODES[mode.lower()]})
            if parsed["@type"] == "error":
                raise _bad(parsed["message"][0].lower() + parsed["message"][1:])
            text, entities = parsed["text"], _entities(parsed["entities"])
        text, entities = _trimmed(text, entities)
        if not text:
            raise _bad("message text is empty")
        if _units(text) > TEXT_LIMIT:
            raise _bad("message is too long")
        if len(entities) > ENTITY_LIMIT:
            self.violations.append(f"{len(entities)} entities in a message to {params.get('chat_id')}")
        return text, entities[:ENTITY_LIMIT]

    def _markup(self, params: Json) -> Json:
        """The reply markup as a message carries it: only inline keyboards are shown on messages."""
        rows = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        buttons = [button for row in rows for button in row]
        if any(len(button.get("callback_data", "").encode()) > CALLBACK_DATA_BYTES for button in buttons):
            raise _bad("BUTTON_DATA_INVALID")
        if len(buttons) > BUTTON_LIMIT:
            raise _bad("reply markup is too long")
        if any(len(row) > ROW_LIMIT for row in rows):
            self.violations.append(f"over {ROW_LIMIT} buttons in a row for {params.get('chat_id')}")
        return {"reply_markup": {"inline_keyboard": rows}} if buttons else {}

    def _keep_pace(self, chat: Json) -> None:
        at = self.now()
        if chat["id"] not in self._per_chat:
            group = [] if chat["type"] == "private" else [_Window(PER_GROUP_MINUTE, 60.0)]
            self._per_chat[chat["id"]] = [_Window(1, 1.0), *group, self._overall]
        windows = self._per_chat[chat["id"]]
        wait = max(window.wait(at) for window in windows)
        if wait > 0:
            self.http_429 += 1
            raise _too_many(max(1, math.ceil(wait)))
        for window in windows:
            window.times.append(at)


async def _params(request: web.Request) -> Json:
    body = await (request.json() if request.content_type == "application/json" else request.post())
    values = {**request.query, **body}
    return {name: value if name in _PLAIN_PARAMS else _decoded(value) for name, value in values.items()}


def _decoded(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _bad(what: str) -> _Refused:
    return _Refused(400, f"Bad Request: {what}")


def _too_many(seconds: int) -> _Refused:
    return _Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _command_scope(params: Json) -> tuple[str, str]:
    scope = params.get("scope") or {"type": "default"}
    return ":".join(map(str, scope.values())), params.get("language_code", "")


def _td(request: Json) -> Json:
    """TDLib's answer to a request that it can serve offline, in this thread (https://core.telegram.org/tdlib)."""
    answer = tdjson.td_execute(json.dumps(request).encode())
    assert answer is not None
    return dict(json.loads(answer))


_td({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0})


def _entities(found: list[Json]) -> list[Json]:
    return [_entity(one["offset"], one["length"], one["type"]) for one in found]


def _entity(offset: int, length: int, kind: Json) -> Json:
    name = kind["@type"].removeprefix("textEntityType")
    snake = _ENTITY_NAMES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    entity = {"type": snake, "offset": offset, "length": length}
    if snake == "text_mention":
        return entity | {"user": {"id": kind["user_id"], "is_bot": False, "first_name": ""}}
    return entity | {key: kind[key] for key in ("url", "language", "custom_emoji_id") if key in kind}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without the white space around it, as Telegram shows it; entities move and shrink with it."""
    lead = len(text) - len(text.lstrip())
    plain = text.strip()
    end = _units(plain)
    kept = []
    for one in entities:
        first, last = max(one["offset"] - lead, 0), min(one["offset"] + one["length"] - lead, end)
        if first < last:
            kept.append(one | {"offset": first, "length": last - first})
    return plain, kept
