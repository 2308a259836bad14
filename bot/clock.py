"""Clock and Scheduler: where time comes from and what runs when.

Passed in everywhere, so that weeks can be replayed in minutes with the very same program.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol

Tick = Callable[[datetime], Awaitable[datetime | None]]
"""Does what is due at an instant; answers when it wants to be called next (None: when there is news)."""


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""

    async def sleep(self, seconds: float) -> None:
        """Come back after this many seconds of this clock."""


class Scheduler(Protocol):
    """Calls ticks, each one when it asked to be called, and never one beside itself."""

    def add(self, name: str, tick: Tick) -> None:
        """Call this tick from the start on."""

    def wake(self, name: str) -> None:
        """Call a tick now, or right again if it is running: there is news for it."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the ticks; it is waited for at the end, and its errors are logged."""

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that another engine asks for, and wait for it here too at the end. Raises what it raises."""


class WallClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
