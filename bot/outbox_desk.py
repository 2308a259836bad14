"""The outbox at the command line: what is not well or not sent yet, sending it again, taking it back, holding it all.

It works beside a running Paperwire, which looks at the outbox anew at least every 30 seconds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from bot.cards.plain import plain
from bot.clock import WallClock
from bot.config import Settings
from bot.storage import inspection, marks, outbox
from bot.storage.database import opened_beside
from bot.storage.inspection import Changed, Entry
from bot.storage.outbox import State

_CHAT_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Overview:
    """How many messages are in each state, and some of those that were asked for.

    `restored_from`: this is a backup from then, and nothing is sent until somebody chooses.
    """

    counts: Mapping[str, int]
    asked_for: int
    messages: Sequence[Entry]
    restored_from: str | None


async def overview(settings: Settings, states: Sequence[State], at_most: int) -> Overview:
    """The outbox's messages in one of these states, the newest first. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.read() as connection:
        counts = await outbox.counts(connection)
        return Overview(
            counts=counts,
            asked_for=sum(counts.get(state, 0) for state in states),
            messages=await inspection.entries(connection, states, at_most),
            restored_from=await marks.get(connection, marks.RESTORED),
        )


async def failed(settings: Settings) -> list[int]:
    """The messages that their platform would not take. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.read() as connection:
        return await inspection.failed(connection)


async def open_in(settings: Settings, chat_id: int) -> list[int]:
    """What is still to be sent to a chat. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.read() as connection:
        return await inspection.open_in(connection, chat_id)


async def retry(settings: Settings, message_ids: Sequence[int]) -> Changed:
    """Have messages sent again that failed, wait or were taken back. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.write() as connection:
        return await inspection.retry(connection, message_ids, WallClock().now())


async def void(settings: Settings, message_ids: Sequence[int]) -> Changed:
    """Take back messages that are still to be sent. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.write() as connection:
        return await inspection.void(connection, message_ids)


async def hold(settings: Settings) -> None:
    """Send nothing until somebody chooses: this is an older copy of the database. Raises DatabaseError."""
    async with opened_beside(settings.database.url) as database, database.write() as connection:
        await marks.put(connection, marks.RESTORED, WallClock().now().isoformat())


async def release(settings: Settings, *, catch_up: bool) -> bool:
    """Begin to send again after a restore; False where nothing is to be chosen. Raises DatabaseError."""
    from bot.commands import returning  # half a second, which the list need not wait for

    async with opened_beside(settings.database.url) as database:
        return await returning.release(database, WallClock().now(), catch_up=catch_up)


def as_table(entries: Sequence[Entry], now: datetime) -> Table:
    """Messages as a table for the terminal. `tries`: how many, and in brackets how many of them ended in doubt."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("no.", justify="right", no_wrap=True)
    table.add_column("chat", no_wrap=True, max_width=_CHAT_WIDTH)
    table.add_column("state", no_wrap=True)
    for heading in ("for", "again in", "tries"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry.id),
            Text(f"{entry.platform} {entry.chat_id} {plain(entry.chat)}"),
            entry.state,
            span((now - entry.since).total_seconds()),
            span((entry.again_at - now).total_seconds()) if entry.again_at is not None else "",
            f"{entry.attempts} ({entry.doubts})" if entry.doubts else str(entry.attempts),
            Text(plain(entry.reason)),
        )
    return table


def span(seconds: float) -> str:
    """A time span in its largest unit: `5 s`, `12 min`, `3 h`, `9 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def remarks(found: Overview) -> list[str]:
    """What is to be said below the table, a line each."""
    counts = " · ".join(f"{found.counts[state]} {state}" for state in inspection.STATES if found.counts.get(state))
    lines = [counts or "No messages yet."]
    if found.asked_for > len(found.messages):
        lines.append(f"Shown are the newest {len(found.messages)} of {found.asked_for}; --limit shows more.")
    if found.restored_from is not None:
        lines.append(
            "Nothing is sent: this is a restored backup. Choose: paperwire restored --from-now, or --catch-up."
        )
    return lines


def as_json(found: Overview) -> str:
    """The same as one JSON document; instants are ISO 8601."""
    return json.dumps(asdict(found), ensure_ascii=False, indent=2, default=datetime.isoformat)
