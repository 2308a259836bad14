"""What a benchmark has to send: chats and their messages, in the outbox as composing leaves them."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from time import perf_counter

import sqlalchemy as sa

from bot.cards.reply import Button, Reply
from bot.platforms.telegram.render import render
from bot.storage.database import Database
from bot.storage.tables import chats, messages, payloads

_BATCH = 10_000
_LOOK = 0.002
"""Seconds between two looks at whether the event loop comes back."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many messages each chat is to get, by its address on Telegram; groups have negative ones."""

    messages: dict[int, int]

    @property
    def total(self) -> int:
        return sum(self.messages.values())

    def in_random_order(self, seed: int = 1) -> list[int]:
        """The addresses of all messages."""
        order = [address for address, how_many in self.messages.items() for _ in range(how_many)]
        random.Random(seed).shuffle(order)
        return order


def private_chats(how_many: int, messages: int) -> Load:
    """Private chats that get so many messages each."""
    return Load(dict.fromkeys(range(1, how_many + 1), messages))


def a_payload() -> str:
    """A message as long as a digest's."""
    text = " ".join(["We present a method that does what others do, and measure by how much."] * 12)
    (payload,) = render(Reply(title="Papers of the day", text=text, buttons=(Button("More", "more:1"),)))
    return payload


async def queue(database: Database, order: Sequence[int]) -> None:
    """Put one message for each of these addresses into the outbox, in this order."""
    now = datetime.now(UTC)
    people = [
        {"platform": "telegram", "address": str(address), "title": str(address), "is_group": address < 0}
        | {"time": time(9), "zone": "UTC", "language": "both", "cap": 12, "access": "allowed", "created_at": now}
        for address in dict.fromkeys(order)
    ]
    async with database.write() as connection:
        payload = sa.insert(payloads).values(checksum="load", content=a_payload(), used_at=now).returning(payloads.c.id)
        payload_id = (await connection.execute(payload)).scalar_one()
        await connection.execute(sa.insert(chats), people)
        rows = await connection.execute(sa.select(chats.c.address, chats.c.id))
        numbers = {int(row.address): row.id for row in rows}
        letters = [
            {"chat_id": numbers[address], "key": f"load-{position}", "payload_id": payload_id, "state": "pending"}
            | {"urgent": False, "not_before": now, "created_at": now}
            for position, address in enumerate(order)
        ]
        for start in range(0, len(letters), _BATCH):
            await connection.execute(sa.insert(messages), letters[start : start + _BATCH])


async def longest_holdup() -> float:
    """Until it is cancelled: the most seconds by which the event loop came back late."""
    longest = 0.0
    try:
        while True:
            began = perf_counter()
            await asyncio.sleep(_LOOK)
            longest = max(longest, perf_counter() - began - _LOOK)
    except asyncio.CancelledError:
        return longest


def table(rows: Iterable[dict[str, object]]) -> str:
    """Rows as people read them."""
    found = list(rows)
    lines = [list(found[0]), *(list(map(str, row.values())) for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
