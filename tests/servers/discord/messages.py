"""REST: messages and the history of channels."""

import re
from datetime import UTC, datetime

from aiohttp import web

from .door import NO_CONTENT, json_answer
from .limits import (
    COMPONENTS_V2,
    DIRECT_MESSAGES,
    EMBED,
    EPHEMERAL,
    FORUM,
    GUILD_MESSAGES,
    HISTORY,
    LOADING,
    READ_HISTORY,
    SEND,
    SEND_IN_THREADS,
    SUPPRESS_EMBEDS,
    THREADS,
    Json,
    RefusalError,
)
from .rest import Rest
from .validation import check_message, error_tree
from .world import Channel, Interaction, Message


class Messages(Rest):
    """What is said."""

    def say(self, channel_id: int, user_id: int, text: str, *, webhook: bool = False, is_bot: bool = False) -> int:
        """A user, another bot or a webhook writes something: the id of the message.

        Without a privileged intent a bot gets it empty, but for what mentions it and what is written to it alone:
        https://docs.discord.com/developers/events/gateway#message-content-intent
        """
        channel = self._channels[channel_id]
        message = self._message_json(channel, {"content": text})
        mentioned = [each for each in map(int, re.findall(r"<@!?(\d+)>", text)) if each in self._users]
        is_ours = channel.guild_id is None or self.application_id in mentioned
        message |= {"author": self._user_json(user_id) | {"bot": is_bot or webhook}, "content": text if is_ours else ""}
        message["mentions"] = [self._user_json(each) for each in mentioned]
        if webhook:
            message["webhook_id"] = str(user_id)
        self._said[int(message["id"])] = text
        self._stored[int(message["id"])] = message
        self._announce("MESSAGE_CREATE", message)
        return int(message["id"])

    def shown_in(self, channel_id: int) -> list[Json]:
        """What the bot shows in a channel now, oldest first; what it only thinks about is nothing yet."""
        return [
            message
            for message in self._stored.values()
            if int(message["channel_id"]) == channel_id
            and message["author"]["id"] == str(self.application_id)
            and not message["flags"] & LOADING
        ]

    async def _get_history(self, request: web.Request) -> web.Response:
        channel, query = self._visible(request), request.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= HISTORY:
            wrong = "limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100."
            raise RefusalError(50035, error_tree([wrong]))
        if not self._bot_permissions(channel) & READ_HISTORY:
            return json_answer([])
        after, before = int(query.get("after", 0)), int(query.get("before", 1 << 63))
        found = [
            message
            for message in self._stored.values()
            if int(message["channel_id"]) == channel.id
            and not message["flags"] & EPHEMERAL
            and after < int(message["id"]) < before
        ]
        # Asked from a point on, it gives the first after that; the newest stands first either way.
        page = found[:limit] if "after" in query else found[-limit:]
        return json_answer(page[::-1])

    async def _post_message(self, request: web.Request) -> web.Response:
        channel = self._visible(request)
        body = await self._body(request)
        self._check_writable(channel, body)
        if not self.counts_only:
            check_message(body)
        nonce = None if body.get("nonce") is None else str(body["nonce"])
        if nonce and body.get("enforce_nonce") and (first := self._said_before(nonce)):
            return json_answer(first | {"nonce": nonce})
        stored = self._store(channel, body)
        if nonce:
            self._nonces[nonce] = self.now(), stored
        self.accepted[channel.id] += 1
        message = Message(
            at=self.now(),
            channel_id=channel.id,
            message_id=int(stored["id"]),
            content=body.get("content") or "",
            embeds=tuple(body.get("embeds") or ()),
            components=tuple(body.get("components") or ()),
            nonce=nonce,
            flags=body.get("flags") or 0,
            allowed_mentions=body.get("allowed_mentions"),
        )
        if not self.counts_only:
            self.messages.append(message)
        if self.on_accept:
            self.on_accept(message)
        # The nonce is echoed to who just sent it; the history does not keep it.
        self._announce("MESSAGE_CREATE", stored | {"nonce": nonce})
        return json_answer(stored | {"nonce": nonce})

    def _check_writable(self, channel: Channel, body: Json) -> None:
        if channel.type == FORUM:
            raise RefusalError(50008)
        if channel.archived:
            raise RefusalError(50083)
        if channel.locked:
            raise RefusalError(160005)
        held = self._bot_permissions(channel)
        needed = SEND_IN_THREADS if channel.type in THREADS else SEND
        if not held & needed or (body.get("embeds") and not held & EMBED):
            raise RefusalError(50013)
        if channel.recipient in self._closed_dms:
            raise RefusalError(50007)

    def _said_before(self, nonce: str) -> Json | None:
        """The author's message with this nonce, in whatever channel, if it is remembered and still there."""
        oldest = self.now() - self.nonce_seconds
        while self._nonces and next(iter(self._nonces.values()))[0] < oldest:
            del self._nonces[next(iter(self._nonces))]
        at, first = self._nonces.get(nonce, (oldest, None))
        is_known = first is not None and at >= oldest and (self.counts_only or int(first["id"]) in self._stored)
        return first if is_known else None

    async def _get_message(self, request: web.Request) -> web.Response:
        return json_answer(self._in_channel(request))

    async def _patch_message(self, request: web.Request) -> web.Response:
        message = self._in_channel(request)
        return json_answer(self._edit(message, await self._body(request)))

    async def _delete_message(self, request: web.Request) -> web.Response:
        self._remove(self._in_channel(request))
        return web.Response(status=NO_CONTENT)

    def _in_channel(self, request: web.Request) -> Json:
        channel = self._visible(request)
        message = self._stored.get(int(request.match_info["message"]))
        if message is None or int(message["channel_id"]) != channel.id or message["flags"] & EPHEMERAL:
            raise RefusalError(10008)
        return message

    def _store(self, channel: Channel, body: Json, flags: int = 0, of: Interaction | None = None) -> Json:
        message = self._message_json(channel, body, flags)
        if of:
            application_id = str(self.application_id)
            message |= {"type": 20, "application_id": application_id, "webhook_id": application_id}
        if not self.counts_only:
            self._stored[int(message["id"])] = message
        return message

    def _message_json(self, channel: Channel, body: Json, flags: int = 0) -> Json:
        return {
            "id": str(self._snowflake()),
            "channel_id": str(channel.id),
            "author": self._user_json(self.application_id),
            "content": (body.get("content") or "").strip(),
            "timestamp": datetime.fromtimestamp(self.now(), UTC).isoformat(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": body.get("attachments") or [],
            "embeds": [{"type": "rich"} | embed for embed in body.get("embeds") or []],
            "components": body.get("components") or [],
            "pinned": False,
            "type": 0,
            "flags": (body.get("flags") or 0) | flags,
        }

    def _edit(self, message: Json, body: Json, prefix: str = "") -> Json:
        given = {key: body[key] for key in ("content", "embeds", "components", "attachments") if key in body}
        kept = message["flags"] & ~LOADING
        changed = message | given | {"flags": kept | (body.get("flags") or 0) & (COMPONENTS_V2 | SUPPRESS_EMBEDS)}
        check_message(changed | {"allowed_mentions": body.get("allowed_mentions")}, prefix)
        changed["content"] = (changed["content"] or "").strip()
        changed["embeds"] = [{"type": "rich"} | embed for embed in changed["embeds"] or []]
        changed["components"] = changed["components"] or []
        changed["edited_timestamp"] = datetime.fromtimestamp(self.now(), UTC).isoformat()
        message.update(changed)
        self._announce("MESSAGE_UPDATE", message)
        return message

    def _remove(self, message: Json) -> None:
        del self._stored[int(message["id"])]
        self._announce("MESSAGE_DELETE", {key: message[key] for key in ("id", "channel_id", "flags")})

    def _announce(self, event: str, message: Json) -> None:
        if message["flags"] & EPHEMERAL:
            return
        guild_id = self._channels[int(message["channel_id"])].guild_id
        if guild_id is None:
            self._dispatch(event, message, None, DIRECT_MESSAGES)
        else:
            self._dispatch(event, message | {"guild_id": str(guild_id)}, guild_id, GUILD_MESSAGES)
