"""The steps between "compose" and "recorded", and how to have a process die exactly at one of them."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import App
from bot.clock import Clock
from bot.delivery.port import Platform
from bot.storage import attempts, outbox
from bot.storage.database import Database

STEPS = (
    "digest written",
    "digest committed",
    "claim written",
    "claim committed",
    "request leaving",
    "accepted",
    "answered",
    "record written",
    "record committed",
)
"""In their order. "written": before the transaction is committed. "accepted": the platforms have taken it and have not
answered; there the harness kills, because only the platforms know."""

_SOON = timedelta(seconds=0.2)

_WRITES: dict[str, Callable[..., Awaitable[Any]]] = {
    "digest": outbox.put_many,
    "claim": attempts.claim,
    "record": attempts.sent,
}


def die_at(step: str, app: App) -> None:
    """From now on this process kills itself at a step, as the kernel would. To be called once."""
    connections = _mark_writes()
    _watch_commits(step, connections)
    platforms = app._courier._platforms
    gates = Gate(len(platforms), app._clock), Gate(len(platforms), app._clock)
    for platform in platforms.values():
        _watch_sends(step, platform, *gates, is_web=platform is platforms["web"])


class Gate:
    """Lets all pass at one instant, soon after the last has come. Until then time goes on, for them to come."""

    def __init__(self, parties: int, clock: Clock) -> None:
        self._missing = parties
        self._clock = clock
        self._opens_at: datetime | None = None

    async def wait(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._opens_at = self._clock.now() + _SOON
        while self._opens_at is None:
            await self._clock.sleep(_SOON.total_seconds() / 2)
        await self._clock.sleep((self._opens_at - self._clock.now()).total_seconds())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _mark_writes() -> defaultdict[AsyncConnection, set[str]]:
    """Which of the writes each open transaction has made; those of nothing do not count."""
    done: defaultdict[AsyncConnection, set[str]] = defaultdict(set)

    def marked(name: str, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def writing(connection: AsyncConnection, what: Any, *arguments: Any, **options: Any) -> Any:
            answer = await write(connection, what, *arguments, **options)
            if what:
                done[connection].add(name)
            return answer

        return writing

    for name, write in _WRITES.items():
        setattr(sys.modules[write.__module__], write.__name__, marked(name, write))
    return done


def _watch_commits(step: str, done: defaultdict[AsyncConnection, set[str]]) -> None:
    transaction = Database.write

    @asynccontextmanager
    async def write(database: Database) -> AsyncIterator[AsyncConnection]:
        async with transaction(database) as connection:
            yield connection
            writes = done.pop(connection, set())
            if step in {f"{name} written" for name in writes}:
                _die()
        if step in {f"{name} committed" for name in writes}:
            _die()

    Database.write = write  # type: ignore[method-assign]


def _watch_sends(step: str, platform: Platform, before: Gate, after: Gate, *, is_web: bool) -> None:
    """The platforms come to a step together, so that the death meets a message of each."""
    send = platform.send
    is_first = True

    async def sending(*arguments: Any) -> Any:
        nonlocal is_first
        was_first, is_first = is_first, False
        if was_first:
            await before.wait()
            if step == "request leaving":
                _die()
        answer = await send(*arguments)
        if was_first:
            if step == "accepted" and is_web:
                await asyncio.Event().wait()  # as silent as the other platforms then are
            await after.wait()
            if step == "answered":
                _die()
        return answer

    platform.send = sending  # type: ignore[method-assign]
