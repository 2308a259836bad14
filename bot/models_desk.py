"""The translation models at the command line: which there are, whether they are whole, and fetching one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from bot.clock import WallClock
from bot.config import Settings, Translation
from bot.summaries.translation.fetch import fetch, verified
from bot.summaries.translation.models import Model, ModelError, pair_of


@dataclass(frozen=True, slots=True)
class Found:
    """A model's folder; `model` is None where it cannot be used, and `state` says why. `is_set`: it is the one used."""

    pair: str
    where: Path
    model: Model | None
    state: str
    is_set: bool


async def overview(settings: Settings) -> list[Found]:
    """The models in the folder, each byte compared with its hash, and the one that is set even where it is missing."""
    return await asyncio.to_thread(_look, settings.translation)


def _look(settings: Translation) -> list[Found]:
    there = settings.folder.glob("en-*") if settings.folder.is_dir() else ()
    pairs = {pair_of(settings.to), *(path.name for path in there if path.is_dir() and "." not in path.name)}
    return [_one(settings, pair) for pair in sorted(pairs)]


def _one(settings: Translation, pair: str) -> Found:
    to = pair.removeprefix("en-")
    where, is_set = settings.folder / pair, to == settings.to
    try:
        return Found(pair, where, verified(settings.model_copy(update={"to": to})), "verified", is_set)
    except ModelError as error:
        return Found(pair, where, None, str(error), is_set)


async def fetch_model(settings: Settings, to: str | None, console: Console) -> Model:
    """Fetch the model into the set language, or into another one, under a bar of progress. Raises ModelError."""
    try:
        wanted = Translation(**settings.translation.model_dump() | ({"to": to} if to else {}))
    except ValidationError:
        raise ModelError(
            f'--to {to}: is no language to translate English into; write for example "zh" or "ja".'
        ) from None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def show(name: str, here: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total or None)
            progress.update(tasks[name], completed=here)

        return await fetch(wanted, WallClock(), show)


def as_table(found: Sequence[Found]) -> Table:
    """Models as a table for the terminal; `*` marks the one that is set."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("", "pair", "version"):
        table.add_column(heading, no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("state", overflow="fold")
    for each in found:
        version = f"{each.model.record.version} {each.model.record.architecture}".strip() if each.model else ""
        size = f"{each.model.size / 1024**2:.1f} MB" if each.model else ""
        cells = ("*" if each.is_set else "", each.pair, version, size, str(each.where), each.state)
        table.add_row(*(Text(cell) for cell in cells))
    return table
