"""One request at a time over all processes of a machine: a bot, and a command beside it, are one client to arXiv."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

import structlog
from filelock import AsyncFileLock, Timeout

from bot.clock import Clock

THIS_MACHINE = Path(gettempdir())
"""Where all processes of this machine find each other."""
_USER = os.getuid() if hasattr(os, "getuid") else "user"
"""A number, since in a container it may have no name."""
LOOK_AGAIN = 0.05
"""Seconds after which a process looks again whether another one has done."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def machine_turn(
    folder: Path, url: str, clock: Clock, spacing: timedelta, longest_wait: float
) -> AsyncIterator[None]:
    """Wait until no process of this user asks the same party, or has asked it within the spacing; then keep them off.

    All of arXiv's hosts are one party. Raises filelock's Timeout. Where the folder cannot be written a process is by
    itself: to read arXiv matters more.
    """
    file = folder / f"paperwire-{_USER}-{_party(url)}"
    lock = AsyncFileLock(file.with_suffix(".lock"), timeout=longest_wait, poll_interval=LOOK_AGAIN, thread_local=False)
    asked = file.with_suffix(".asked")
    async with AsyncExitStack() as turn:
        try:
            await turn.enter_async_context(lock)
        except Timeout:
            raise
        except OSError as error:
            log.warning("arxiv.pace_not_shared", folder=str(folder), reason=error.strerror)
        wait = (_last(asked) + spacing - clock.now()).total_seconds()
        # What was asked in the future was asked by another clock.
        if 0 < wait <= spacing.total_seconds():
            await clock.sleep(wait)
        try:
            yield
        finally:
            with suppress(OSError):
                asked.write_text(clock.now().isoformat(), "ascii")


def _party(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    party = "arxiv" if host.split(".")[-2:] == ["arxiv", "org"] else f"{host}-{parts.port or parts.scheme}"
    return re.sub(r"[^\w-]", "-", party)


def _last(asked: Path) -> datetime:
    with suppress(OSError, ValueError):
        return datetime.fromisoformat(asked.read_text("ascii"))
    return datetime.min.replace(tzinfo=UTC)
