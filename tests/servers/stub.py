"""What every stub server shares: an aiohttp application on a loopback port and a clock that is passed in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

Now = Callable[[], float]
"""Seconds since the epoch, UTC: wall-clock time in tests, the harness's simulated time in a replay."""


@dataclass
class StandingClock:
    """Stands still until `at` is set."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Stub:
    """One HTTP server on 127.0.0.1, started and stopped as an async context manager."""

    def __init__(self, now: Now = time.time, port: int = 0) -> None:
        self.now = now
        self.app = web.Application(client_max_size=64 * 2**20)
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
