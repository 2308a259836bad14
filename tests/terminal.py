"""The command line as people use it: a process of its own, in a folder of its own."""

import asyncio
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    code: int | None
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """A folder to work in, and what is set in the environment."""

    folder: Path
    environment: dict[str, str]

    async def runs(self, *words: str, typed: str = "") -> Done:
        """`paperwire` with these words; `typed`: what the person answers."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *words),
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "COLUMNS": "200"} | self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate(typed.encode())
        return Done(process.returncode, out.decode(), err.decode())

    def with_settings(self, **settings: str) -> "Terminal":
        """The same terminal with further settings, as `web__port="0"`."""
        named = {f"PAPERWIRE_{name.upper()}": value for name, value in settings.items()}
        return replace(self, environment=self.environment | named)
