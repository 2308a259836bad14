"""The world of the stub: chats and people, and what they do to the bot."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..stub import Now
from .faults import BLOCKED, KICKED, NOT_A_MEMBER
from .limits import DOWNLOAD_LIMIT, TOKEN
from .texts import Json, found
from .updates import Refused, Updates, bad

ChatType = Literal["private", "group", "supergroup", "channel"]
Status = Literal["creator", "administrator", "member", "restricted", "left", "kicked"]

_ADMIN_RIGHTS = (
    *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_change_info"),
    *("can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories", "can_pin_messages"),
)
_CHANNEL_RIGHTS = ("can_post_messages", "can_edit_messages")
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
_TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
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


@dataclass(frozen=True, slots=True)
class Document:
    """A file that the bot sent."""

    at: float
    chat_id: int
    name: str
    content: bytes
    thread: int | None = None


class World(Updates):
    """One bot, @paperwire_test_bot, among the chats and people that the test makes."""

    def __init__(self, now: Now = time.time, port: int = 0, *, token: str = TOKEN) -> None:
        super().__init__(now, port)
        self.token = token
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
        self._rights: dict[tuple[int, int], Json] = {}
        self._shut: dict[int, str] = {}
        self._last_ids: Counter[int] = Counter()
        self._history: dict[tuple[int, int], Json] = {}
        self._queries: set[str] = set()
        self.files: dict[str, bytes] = {}
        """The documents that people sent, by their ids; a test may put another in the place of one."""

    def add_chat(
        self,
        chat_id: int,
        type: ChatType = "private",  # noqa: A002 - the Bot API's own word
        title: str = "A chat",
        topics: Collection[int] = (),
        username: str = "",
    ) -> None:
        """Let the bot into a chat. Only the named forum topics exist, and those that somebody writes in later.

        With a username it is public. Into a channel bots come as administrators alone: https://telegram.org/faq_channels
        """
        named = {"first_name": title} if type == "private" else {"title": title}
        named |= {"username": username} if username else {}
        forum = {"is_forum": True} if topics else {}
        self._chats[chat_id] = {"id": chat_id, "type": type} | named | forum
        if topics:
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

    def set_status(self, chat_id: int, user_id: int, status: Status, **rights: bool) -> None:
        """What somebody, or the bot, is in a chat, with rights other than usual ones. Nobody is told of it."""
        self._statuses[chat_id, user_id] = status
        self._rights[chat_id, user_id] = dict(rights)

    def say(
        self,
        chat_id: int,
        user_id: int,
        text: str,
        *,
        sender_chat: int | None = None,
        thread: int | None = None,
        document: bytes | None = None,
        answers: int | None = None,
        forwarded_from: int | None = None,
        is_automatic: bool = False,
        **more: Any,
    ) -> int:
        """Somebody writes; returns the update id, or 0 where the bot is not told. In a channel it is a post.

        `sender_chat` writes on behalf of a chat, which is an anonymous admin when it is the group itself. The user's
        private chat begins with the first word. With a `document` the text is its caption. `answers`: the message that
        this is a reply to. `forwarded_from`: the channel whose post it is; `is_automatic`: as Telegram forwards a
        channel's posts into its discussion group. `more` fields of the message, in the Bot API's words.
        """
        if chat_id == user_id and chat_id not in self._chats:
            self.add_chat(chat_id, "private", self._users[user_id]["first_name"])
        message = self._new_message(chat_id, text, found(text), thread)
        if document is not None:
            message |= self._document(document) | {"caption": message.pop("text")}
            message["caption_entities"] = message.pop("entities")
            self._history[chat_id, message["message_id"]] = message
        if answers is not None:
            message["reply_to_message"] = self._history[chat_id, answers]
        if forwarded_from is not None:
            origin = {"type": "channel", "date": int(self.now()), "chat": self._chats[forwarded_from], "message_id": 1}
            message["forward_origin"] = origin
        if thread is not None:
            self._topics[chat_id].add(thread)
        if is_automatic and forwarded_from is not None:
            linked = {"from": _TELEGRAM, "sender_chat": self._chats[forwarded_from], "is_automatic_forward": True}
            return self._push("message", message | linked)
        if message["chat"]["type"] == "channel":
            return self._push("channel_post", message | {"sender_chat": message["chat"]})
        if sender_chat is None:
            message["from"] = self._users[user_id]
        else:
            message["from"] = _ANONYMOUS_ADMIN if sender_chat == chat_id else _CHANNEL_SENDER
            message["sender_chat"] = self._chats[sender_chat]
        message |= more
        return self._push("message", message) if self._is_told(message) else 0

    def _is_told(self, message: Json) -> bool:
        """Whether a bot hears of it: https://core.telegram.org/bots/features#privacy-mode.

        In one thing looser than Telegram: a command that names no bot always reaches it.
        """
        chat, text = message["chat"], message.get("text") or message.get("caption") or ""
        is_private = chat["type"] == "private"
        is_admin = self._statuses.get((chat["id"], self.me["id"])) in ("creator", "administrator")
        if is_private or is_admin or self.me["can_read_all_group_messages"]:
            return True
        command = re.match(r"/\w+(?:@(\w+))?(?!\S)", text)
        is_ours = command is not None and (command[1] or self.me["username"]).lower() == self.me["username"]
        answered = message.get("reply_to_message", {})
        return is_ours or "via_bot" in message or answered.get("from") == self.me

    def _document(self, content: bytes) -> Json:
        number = f"file-{len(self.files)}"
        self.files[number] = content
        facts = {"file_id": number, "file_unique_id": number, "file_name": "paperwire.toml", "file_size": len(content)}
        return {"document": facts}

    async def _get_file(self, params: Json) -> Json:
        number = params.get("file_id", "")
        if number not in self.files:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(self.files[number]) > DOWNLOAD_LIMIT:
            raise bad("file is too big")
        return {"file_id": number, "file_unique_id": number, "file_path": f"documents/{number}"}

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

    def forget_queries(self) -> None:
        """Every button was pressed too long ago to be answered."""
        self._queries.clear()

    def member_changed(self, chat_id: int, old: Status, new: Status, by: int) -> int:
        """Somebody adds, promotes, blocks or removes the bot; sending fails from then on as it does in reality."""
        self._statuses[chat_id, self.me["id"]] = new
        self._shut.pop(chat_id, None)
        if new in ("left", "kicked"):
            kind = self._chats[chat_id]["type"]
            said = BLOCKED if kind == "private" else KICKED if new == "kicked" else NOT_A_MEMBER
            self._shut[chat_id] = said.format(type=kind)
        change = {"chat": self._chats[chat_id], "from": self._users[by], "date": int(self.now())}
        members = {"old_chat_member": self._member(self.me, old), "new_chat_member": self._member(self.me, new)}
        return self._push("my_chat_member", change | members)

    def _chat(self, params: Json) -> Json:
        chat_id = self._id_of(params.get("chat_id"))
        if chat_id not in self._chats:
            raise bad("chat not found" if chat_id else "chat_id is empty")
        if chat_id in self._shut:
            raise Refused(403, self._shut[chat_id])
        is_outside = self._statuses.get((chat_id, self.me["id"])) in ("left", "kicked")
        if is_outside and "username" not in self._chats[chat_id]:
            raise bad("chat not found")
        return self._chats[chat_id]

    def _id_of(self, wanted: Any) -> Any:
        """A chat is named by its id, or where it is public by its @username, in any case."""
        named = str(wanted).lower()
        ids = (each["id"] for each in self._chats.values() if f"@{each.get('username', '')}".lower() == named)
        return next(ids, wanted) if named.startswith("@") else wanted

    def _member(self, user: Json, status: Status) -> Json:
        return {"user": user, "status": status} | _MEMBER_FACTS[status]

    def _new_message(self, chat_id: int, text: str, entities: list[Json], thread: int | None) -> Json:
        self._last_ids[chat_id] += 1
        number = self._last_ids[chat_id]
        message = {"message_id": number, "date": int(self.now()), "chat": self._chats[chat_id], "text": text}
        message |= {"entities": entities} | ({"message_thread_id": thread, "is_topic_message": True} if thread else {})
        self._history[chat_id, number] = message
        return message

    async def _get_chat(self, params: Json) -> Json:
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
        return self._chat(params) | full

    async def _get_chat_member(self, params: Json) -> Json:
        chat, user_id = self._chat(params), params.get("user_id", 0)
        user = self.me if user_id == self.me["id"] else self._users.get(user_id)
        if user is None:
            raise bad("user not found")
        is_channel, usual = chat["type"] == "channel", "member"
        if is_channel and user is self.me:
            usual = "administrator"
        if self._statuses.get((chat["id"], self.me["id"])) in ("left", "kicked") and is_channel:
            raise bad("member list is inaccessible")
        status = self._statuses.get((chat["id"], user_id), cast("Status", usual))
        channel_rights = dict.fromkeys(_CHANNEL_RIGHTS, True) if is_channel and status == "administrator" else {}
        return self._member(user, status) | channel_rights | self._rights.get((chat["id"], user_id), {})

    async def _get_chat_administrators(self, params: Json) -> list[Json]:
        chat = self._chat(params)
        if chat["type"] == "private":
            raise bad("there are no administrators in the private chat")
        people = {self.me["id"]: self.me} | self._users
        admins = [(who, status) for (where, who), status in self._statuses.items() if where == chat["id"]]
        return [self._member(people[who], status) for who, status in admins if status in ("creator", "administrator")]

    async def _leave_chat(self, params: Json) -> bool:
        chat = self._chat(params)
        self._shut[chat["id"]] = NOT_A_MEMBER.format(type=chat["type"])
        return True
