"""The wire: what really goes over it. discord.py repeats requests and tells the end only; aiohttp sees them all."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace

import aiohttp

from bot.clock import Clock
from bot.platforms.discord import limits


class InvalidRequests:
    """Counts the requests that Discord holds against an address, over the last ten minutes."""

    def __init__(self, at_most: int = limits.INVALID, window: timedelta = limits.INVALID_WINDOW) -> None:
        self._latest = deque[datetime](maxlen=at_most)
        self._window = window

    def add(self, at: datetime) -> None:
        """Discord answered 401, 403 or 429."""
        self._latest.append(at)

    def pause(self, now: datetime) -> timedelta | None:
        """How long nothing should be sent; None while there is no danger."""
        if len(self._latest) != self._latest.maxlen:
            return None
        left = self._latest[0] + self._window - now
        return left if left > timedelta(0) else None


@dataclass(slots=True)
class Trip:
    """All requests of one call: pass it as `trace_request_ctx`."""

    maybe_taken: int = 0
    """How many of them Discord may have acted on: they left, and no 4xx came back."""
    limited_everywhere: bool = False
    """Whether a rate limit was hit that holds for all routes."""


def traced(invalid: InvalidRequests, clock: Clock) -> aiohttp.TraceConfig:
    """For `discord.Client(http_trace=…)`: fills in the Trips, and counts what may lead to a ban."""

    async def left(
        _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        if isinstance(trip := context.trace_request_ctx, Trip):
            trip.maybe_taken += 1

    async def answered(_: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
        status, headers = end.response.status, end.response.headers
        if isinstance(trip := context.trace_request_ctx, Trip):
            trip.maybe_taken -= 400 <= status < 500
            trip.limited_everywhere |= headers.get("X-RateLimit-Scope") == "global"
        # What others of the same channel have used up is not held against us.
        if status in (401, 403, 429) and headers.get("X-RateLimit-Scope") != "shared":
            invalid.add(clock.now())

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(left)
    trace.on_request_end.append(answered)
    return trace
