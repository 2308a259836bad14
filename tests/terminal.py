"""The command line as people use it: a process of its own, in a folder of its own."""

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# Each process starts as a copy of one that has imported everything: to import it anew takes longer than most commands.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["bot.cli", "bot.run", "bot.doctor", "bot.lookup", "bot.outbox_desk"])
_STREAMS = {"in": os.O_RDONLY, "out": os.O_WRONLY | os.O_CREAT, "err": os.O_WRONLY | os.O_CREAT}


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
        environment = {"PATH": os.environ["PATH"], "COLUMNS": "200"} | self.environment
        with tempfile.TemporaryDirectory() as folder:
            streams = Path(folder)
            (streams / "in").write_text(typed, "utf-8")
            process = _PROCESSES.Process(target=_run, args=(words, self.folder, environment, streams))
            process.start()
            await asyncio.to_thread(process.join, 30)
            code = process.exitcode
            process.kill()  # one that hangs is not left behind
            assert code is not None, "it did not end"
            return Done(code, (streams / "out").read_text("utf-8"), (streams / "err").read_text("utf-8"))

    def with_settings(self, **settings: str) -> "Terminal":
        """The same terminal with further settings, as `web__port="0"`."""
        named = {f"PAPERWIRE_{name.upper()}": value for name, value in settings.items()}
        return replace(self, environment=self.environment | named)


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, (name, flags) in enumerate(_STREAMS.items()):
        os.dup2(os.open(streams / name, flags), number)
        setattr(sys, f"std{name}", os.fdopen(number, "w" if number else "r", encoding="utf-8"))
    sys.argv = ["paperwire", *words]
    from bot.cli import main

    main()
