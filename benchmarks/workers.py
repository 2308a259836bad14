"""Our delivery as it runs in production: the courier alone on SQLite, or `paperwire run --role worker` on PostgreSQL.

`python -m benchmarks.workers` is such a worker, but one that knows of no limits.
"""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import WallClock
from bot.config import Telegram, load_settings
from bot.delivery.budget import MemoryBudget
from bot.delivery.courier import Courier
from bot.delivery.port import Pace
from bot.jobs.scheduler import JobScheduler
from bot.log import configure_logging
from bot.metrics import Metrics
from bot.platforms.telegram import send
from bot.platforms.telegram.send import TelegramPlatform
from bot.run import run_until_stopped
from bot.storage.database import Database

_NOWHERE = "http://127.0.0.1:9/atom"
UNLIMITED = Pace(overall=None, per_chat=None)


@asynccontextmanager
async def courier(database: Database, platform: TelegramPlatform) -> AsyncIterator[None]:
    """A courier that sends what is in the outbox, wired as the composition root does it."""
    clock = WallClock()
    scheduler = JobScheduler(clock)
    budget = MemoryBudget(database)
    working = Courier(
        database,
        clock,
        scheduler,
        lambda: scheduler.wake("deliver"),
        {"telegram": platform},
        budget,
        Metrics(),
        alert=_complain,
        detour=_complain,
    )
    await working.recover(budget)
    scheduler.add("deliver", working.tick)
    scheduler.start()
    try:
        yield
    finally:
        await working.finish()
        await scheduler.stop()


async def _complain(*what: str) -> None:
    print("unexpected:", *what, file=sys.stderr)


@asynccontextmanager
async def worker(database_url: str, telegram: Telegram, *, limits: bool = True) -> AsyncIterator[None]:
    """A worker in a process of its own, with or without Telegram's limits."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "PAPERWIRE_DATABASE__URL": database_url,
        "PAPERWIRE_TELEGRAM__TOKEN": telegram.token.get_secret_value(),
        "PAPERWIRE_TELEGRAM__BASE_URL": telegram.base_url,
        "PAPERWIRE_ARXIV__FEED_URL": _NOWHERE,
        "PAPERWIRE_WEB__PORT": "0",
        "PAPERWIRE_TRANSLATION__DOWNLOAD": "false",
        "PAPERWIRE_LOG__LEVEL": "warning",
    }
    program = ["-m", "bot", "run", "--role", "worker"] if limits else ["-m", "benchmarks.workers"]
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, cwd=folder, env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _run_without_limits() -> None:
    send.PACE = UNLIMITED
    settings = load_settings()
    configure_logging(settings)
    await run_until_stopped(settings, ["worker"])


if __name__ == "__main__":
    asyncio.run(_run_without_limits())
