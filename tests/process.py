"""Paperwire as people start it: a process of its own, asked over HTTP."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass
class Running:
    """A started Paperwire: where its page is, what it printed, and how to end it."""

    process: asyncio.subprocess.Process
    log: Path
    address: str = ""

    @property
    def printed(self) -> str:
        return self.log.read_text("utf-8")

    async def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(sign)
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def paperwire(folder: Path, **settings: str) -> AsyncIterator[Running]:
    """`paperwire run` in a folder, with nothing of this machine but PATH; settings as `web__port="0"`."""
    environment = {
        "PATH": os.environ["PATH"],
        "PAPERWIRE_WEB__PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "PAPERWIRE_TRANSLATION__DOWNLOAD": "false",
    }
    environment |= {f"PAPERWIRE_{name.upper()}": value for name, value in settings.items()}
    log = folder / f"printed-{len(list(folder.glob('printed-*.log')))}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", cwd=folder, env=environment, stdout=out, stderr=out
        )
    running = Running(process, log)
    try:
        async with asyncio.timeout(20):
            while not (match := ADDRESS.search(running.printed)):
                if process.returncode is not None:
                    raise RuntimeError(running.printed)
                await asyncio.sleep(0.02)
        running.address = match[0]
        yield running
    finally:
        await running.stop(signal.SIGKILL)
