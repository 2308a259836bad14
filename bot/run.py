"""Running: from the start to SIGINT or SIGTERM, and to an orderly end."""

import asyncio
import gc
import signal
from collections.abc import Collection
from contextlib import suppress

import structlog

from bot.app import ROLES, App, Role
from bot.clock import WallClock
from bot.config import Settings
from bot.jobs.scheduler import JobScheduler
from bot.storage.backup import Logbook
from bot.storage.database import open_database

LONGEST_END = 9.0
"""Seconds; whoever stops a process kills it after ten."""

log = structlog.get_logger(__name__)


async def run_until_stopped(settings: Settings, roles: Collection[Role] = ROLES) -> None:
    """`paperwire run`: these roles in one process, until SIGINT or SIGTERM.

    Raises PaperwireError where it cannot start.
    """
    clock = WallClock()
    scheduler = JobScheduler(clock)
    database = await open_database(settings.database.url)
    logbook = Logbook(database)
    app = App(settings, database, clock, scheduler, roles)
    scheduler.add("logbook", logbook.tick)
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    try:
        await logbook.open(clock.now())
        await app.start()
        forget_what_stays()
        scheduler.start()
        announce(app)
        await stopped.wait()
        log.info("stopping")
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_END):
                await asyncio.gather(app.finish(), scheduler.stop())
        await logbook.close(clock.now())
        await app.close()


def forget_what_stays() -> None:
    """Spare the garbage collector what was loaded by now: to look at all of it held up the event loop for 60 ms."""
    gc.collect()
    gc.freeze()


def announce(app: App) -> None:
    """Tell the person at the terminal where to go, and with which words to claim the bot."""
    print(f"\nPaperwire is ready: {app.address}\n", flush=True)  # noqa: T201 -- for the person at the terminal
    if app.claim_code:
        print(f"To become its operator, say to the bot: /start {app.claim_code}\n", flush=True)  # noqa: T201 -- the same
