"""REST: the one door for all requests: token, faults, rate limits."""

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from ..stub import Now
from .faults import SENDING, Fault, Faults
from .limits import ALL_FAULTS, TOKEN, RefusalError, TooManyError
from .people import People
from .validation import error_tree
from .world import Call, Window

NO_CONTENT = 204
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# What Discord objects to where it is not said: the commonest of a bot that packs too much.
_TOO_MUCH = error_tree([("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")])


def json_answer(payload: Any, status: int = 200) -> web.Response:
    # discord.py reads JSON only where the type is exactly this, without a charset.
    return web.Response(body=json.dumps(payload).encode(), status=status, content_type="application/json")


class Door(People):
    """What every request passes before its route, and its answer on the way out."""

    def __init__(self, now: Now = time.time, port: int = 0, token: str = TOKEN, application_id: int = 900) -> None:
        super().__init__(now, port, token, application_id)
        self._faults = Faults()

    @property
    def api_url(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"{self.url}/api/v10"

    def fail_next(
        self,
        kind: int | str,
        times: int = 1,
        channel_id: int | None = None,
        on: str = SENDING,
        retry_after: float = 1.0,
        stall: float | None = None,
    ) -> None:
        """Let the next sends fail, or the requests whose "METHOD /path" matches `on`.

        `kind` is a key of FAILURES; "rate", "rate_global", "rate_without_via" (429s with `retry_after` seconds);
        "reset_before" (closed unread), "reset_after" (acted on, then closed), "502_after" (acted on, then a 502);
        "stall_before", "stall_after" (not acted on or acted on, never answered; closed after `stall` real seconds).
        """
        if channel_id is not None:
            on = rf"POST /channels/{channel_id}/messages"
        self._faults.order(Fault(kind, retry_after, stall), times, on)

    def misbehave(
        self,
        rate: float = 0.2,
        seed: int = 1,
        kinds: Sequence[int | str] = ALL_FAULTS,
        on: str = SENDING,
        retry_after: float = 0.05,
        stall: float | None = 0.5,
    ) -> None:
        """Let this share of the sends fail, each with a random one of `kinds`, the same again with the same `seed`.

        A stalled request is broken off after `stall` real seconds, or never (None). A rate of 0 ends it.
        """
        self._faults.misbehave(rate, seed, kinds, on, retry_after, stall)

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/gateway" or request.path.startswith("/attachments/"):
            return await handler(request)
        path = request.path.removeprefix("/api/v10")
        fault = self._faults.of(f"{request.method} {path}")
        kind = fault.kind if fault else None
        headers: dict[str, str] = {}
        try:
            if fault and kind in ("reset_before", "stall_before"):
                self._record(request, path, 0)
                return await self._break_off(request, fault)
            response = await self._admit(request, path, handler, fault, headers)
            if kind == "502_after":
                raise RefusalError(502)
        except RefusalError as refusal:
            self.http_429 += refusal.status == 429
            response = json_answer(refusal.body, refusal.status)
            headers |= refusal.headers
        except web.HTTPException as error:
            response = json_answer({"message": f"{error.status}: {error.reason}", "code": 0}, error.status)
        response.headers.update(headers)
        if fault and kind in ("reset_after", "stall_after"):
            self._record(request, path, 0)
            return await self._break_off(request, fault)
        self._record(request, path, response.status)
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
        self.statuses[status] += 1
        if not self.counts_only:
            self.calls.append(Call(self.now(), request.method, path, status))
        self._changed.set()

    def _fail(self, fault: Fault) -> None:
        match fault.kind:
            case "rate" | "rate_global":
                raise TooManyError(fault.retry_after, "global" if fault.kind == "rate_global" else "user")
            case "rate_without_via":
                raise TooManyError(fault.retry_after, via=False)
            case 50035:
                raise RefusalError(50035, _TOO_MUCH)
            case int(code):
                raise RefusalError(code)

    async def _break_off(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.kind in ("stall_before", "stall_after"):
            await (asyncio.Event().wait() if fault.stall is None else asyncio.sleep(fault.stall))
        transport = request.transport
        if transport is None:  # the client had no patience
            return web.Response()
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
