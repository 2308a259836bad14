"""Running: from the start to SIGINT or SIGTERM, and to an orderly end."""

import asyncio
import gc
import signal
from collections.abc import Collection
from contextlib import suppress

import anyio
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
        spare_the_loop()
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


def spare_the_loop() -> None:
    """Spare the event loop what would hold it up later: the imports of a first request, which took 30 ms, and the
    garbage collector's look at all that was loaded by now, which took 60 ms.
    """
    anyio.current_time()  # the first of its functions to be called imports its part for asyncio
    gc.collect()
    gc.freeze()


def announce(app: App) -> None:
    """Tell the person at the terminal where to go, and with which words to claim the bot."""
    print(f"\nPaperwire is ready: {app.address}\n", flush=True)  # noqa: T201 -- for the person at the terminal
    if app.claim_code:
        print(f"To become its operator, say to the bot: /start {app.claim_code}\n", flush=True)  # noqa: T201 -- the same
