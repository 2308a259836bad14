"""REST: the door, users, servers, channels, messages."""

import asyncio
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

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
    SUPPRESS_EMBEDS,
    VIEW,
    Json,
    RefusalError,
    TooManyError,
)
from .people import People
from .validation import check_message, error_tree
from .world import Call, Channel, Fault, Interaction, Message, Window


def json_answer(payload: Any, status: int = 200) -> web.Response:
    # discord.py reads JSON only where the type is exactly this, without a charset.
    return web.Response(body=json.dumps(payload).encode(), status=status, content_type="application/json")


NO_CONTENT = 204
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rest(People):
    """One door for all requests (token, faults, rate limits), then one handler a route."""

    @property
    def api_url(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"{self.url}/api/v10"

    def fail_next(
        self,
        kind: int | str,
        times: int = 1,
        channel_id: int | None = None,
        on: str = r"POST /channels/\d+/messages",
        retry_after: float = 1.0,
    ) -> None:
        """Let the next sends fail, or the requests whose "METHOD /path" matches `on`.

        `kind` is a key of FAILURES; "rate", "rate_global", "rate_without_via" (429s with `retry_after` seconds);
        "reset_before" (closed unread), "reset_after" (acted on, then closed), "stall_after" (acted on, never answered).
        """
        if channel_id is not None:
            on = rf"POST /channels/{channel_id}/messages"
        self._faults.append(Fault(kind, times, re.compile(on), retry_after))

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/gateway":
            return await handler(request)
        path = request.path.removeprefix("/api/v10")
        fault = self._fault(f"{request.method} {path}")
        kind = fault.kind if fault else None
        headers: dict[str, str] = {}
        try:
            if kind == "reset_before":
                self._record(request, path, 0)
                return self._reset(request)
            response = await self._admit(request, path, handler, fault, headers)
        except RefusalError as refusal:
            self.http_429 += refusal.status == 429
            response = json_answer(refusal.body, refusal.status)
            headers |= refusal.headers
        except web.HTTPException as error:
            response = json_answer({"message": f"{error.status}: {error.reason}", "code": 0}, error.status)
        response.headers.update(headers)
        status = 0 if kind in ("reset_after", "stall_after") else response.status
        self._record(request, path, status)
        if kind == "reset_after":
            return self._reset(request)
        if kind == "stall_after":
            await asyncio.Event().wait()
        return response

    async def _admit(
        self, request: web.Request, path: str, handler: Handler, fault: Fault | None, headers: dict[str, str]
    ) -> web.StreamResponse:
        # These carry their own token instead of the bot's, and are outside the global limit.
        interactive = path.startswith(("/interactions/", "/webhooks/"))
        if not interactive and request.headers.get("Authorization") != f"Bot {self.token}":
            raise RefusalError(401)
        if fault:
            self._fail(fault)
        if not interactive:
            self._spend("global", 50, 1.0, "global")
        if request.method == "POST" and re.fullmatch(r"/channels/\d+/messages", path):
            headers |= self._spend(path, 5, 5.0, "user")
        return await handler(request)

    def _record(self, request: web.Request, path: str, status: int) -> None:
        self.calls.append(Call(self.now(), request.method, path, status))
        self._changed.set()

    def _fault(self, call: str) -> Fault | None:
        for fault in self._faults:
            if fault.left and fault.at.fullmatch(call):
                fault.left -= 1
                return fault
        return None

    def _fail(self, fault: Fault) -> None:
        match fault.kind:
            case "rate" | "rate_global":
                raise TooManyError(fault.retry_after, "global" if fault.kind == "rate_global" else "user")
            case "rate_without_via":
                raise TooManyError(fault.retry_after, via=False)
            case int(code):
                raise RefusalError(code)

    def _reset(self, request: web.Request) -> web.Response:
        transport = request.transport
        assert transport is not None
        # Without lingering the kernel sends RST instead of FIN: the client sees a reset, not an orderly end.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        return web.Response()

    def _spend(self, key: str, limit: int, per: float, scope: str) -> dict[str, str]:
        if not self.rates:
            return {}
        now = self.now()
        window = self._windows.get(key)
        if window is None or now >= window.opened + per:
            window = self._windows[key] = Window(now)
        window.used += 1
        reset = window.opened + per
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - window.used)),
            "X-RateLimit-Reset": f"{reset:.3f}",
            "X-RateLimit-Reset-After": f"{reset - now:.3f}",
            "X-RateLimit-Bucket": "80c17d2f203122d936070c88c8d10f33",
        }
        if window.used <= limit:
            return headers
        refusal = TooManyError(reset - now, scope)
        if scope == "global":
            refusal.headers["X-RateLimit-Global"] = "true"
        else:
            refusal.headers |= headers
        raise refusal

    async def _body(self, request: web.Request) -> Json:
        try:
            if request.content_type != "multipart/form-data":
                return dict(await request.json())
            form = await request.post()
            body: Json = json.loads(str(form.get("payload_json", "{}")))
        except (json.JSONDecodeError, TypeError, ValueError) as error:
            raise RefusalError(50109) from error
        files = [part for part in form.values() if isinstance(part, web.FileField)]
        holder = body.get("data", body) if "/interactions/" in request.path else body
        if files:
            holder["attachments"] = [self._attachment(part) for part in files]
        return body

    def _attachment(self, part: web.FileField) -> Json:
        attachment_id = self._snowflake()
        url = f"{self.url}/attachments/{attachment_id}/{part.filename}"
        size = part.file.seek(0, 2)
        return {
            "id": str(attachment_id),
            "filename": part.filename,
            "size": size,
            "url": url,
            "proxy_url": url,
            "content_type": part.content_type,
        }

    async def _get_me(self, request: web.Request) -> web.Response:
        return json_answer(self._user_json(self.application_id))

    async def _get_user(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return json_answer(self._user_json(user_id))

    async def _get_application(self, request: web.Request) -> web.Response:
        return json_answer(
            {
                "id": str(self.application_id),
                "name": "Paperwire",
                "description": "",
                "icon": None,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": self._user_json(self.application_id),
                "team": None,
                "verify_key": "0" * 64,
                "flags": 0,
            }
        )

    async def _get_gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1_000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return json_answer({"url": self.gateway_url, "shards": 1, "session_start_limit": limit})

    async def _get_guild(self, request: web.Request) -> web.Response:
        guild_id = int(request.match_info["guild"])
        if guild_id not in self._guilds:
            raise RefusalError(10004)
        return json_answer(self._guild_json(guild_id))

    async def _get_member(self, request: web.Request) -> web.Response:
        guild_id, user_id = int(request.match_info["guild"]), int(request.match_info["user"])
        if guild_id not in self._guilds:
            raise RefusalError(50001)
        if user_id not in self._guilds[guild_id].managers and user_id != self.application_id:
            raise RefusalError(10007)
        return json_answer(self._member_json(guild_id, user_id))

    async def _post_dm(self, request: web.Request) -> web.Response:
        user_id = int((await self._body(request))["recipient_id"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return json_answer(self._channel_json(self.dm(user_id)))

    async def _get_channel(self, request: web.Request) -> web.Response:
        return json_answer(self._channel_json(self._visible(request).id))

    async def _post_typing(self, request: web.Request) -> web.Response:
        self._visible(request)
        return web.Response(status=NO_CONTENT)

    def _visible(self, request: web.Request) -> Channel:
        channel = self._channels.get(int(request.match_info["channel"]))
        if channel is None:
            raise RefusalError(10003)
        kicked = channel.guild_id is not None and channel.guild_id not in self._guilds
        if kicked or channel.denied & VIEW:
            raise RefusalError(50001)
        return channel

    async def _get_history(self, request: web.Request) -> web.Response:
        channel, query = self._visible(request), request.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= HISTORY:
            wrong = "limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100."
            raise RefusalError(50035, error_tree([wrong]))
        if channel.denied & READ_HISTORY:
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
        if channel.type == FORUM:
            raise RefusalError(50008)
        if channel.denied & SEND or (body.get("embeds") and channel.denied & EMBED):
            raise RefusalError(50013)
        if channel.recipient in self._closed_dms:
            raise RefusalError(50007)
        check_message(body)
        nonce = None if body.get("nonce") is None else str(body["nonce"])
        if nonce and body.get("enforce_nonce"):
            at, first = self._nonces.get((channel.id, nonce), (0.0, 0))
            if first in self._stored and self.now() - at <= self.nonce_seconds:
                return json_answer(self._stored[first] | {"nonce": nonce})
        stored = self._store(channel, body)
        if nonce:
            self._nonces[channel.id, nonce] = self.now(), int(stored["id"])
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
        self.messages.append(message)
        if self.on_accept:
            self.on_accept(message)
        # The nonce is echoed to who just sent it; the history does not keep it.
        self._announce("MESSAGE_CREATE", stored | {"nonce": nonce})
        return json_answer(stored | {"nonce": nonce})

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
        message: Json = {
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
        if of:
            message |= {"type": 20, "application_id": str(self.application_id)}
        self._stored[int(message["id"])] = message
        return message

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
