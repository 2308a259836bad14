"""How close to Telegram's own limits messages leave, and whether they are kept: `python -m benchmarks.pace [--json]`.

Many private chats and some busy groups, in random order, on a Telegram that keeps strict windows (30 messages in any
second, 1 in any second into one chat, 20 in any minute into one group) and now and then stalls. Beside ours, alone and
as two workers that share one budget, plain python-telegram-bot with its AIORateLimiter gets the same load.
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from benchmarks.load import Load, a_payload, queue, table
from benchmarks.postgres import postgres
from benchmarks.telegram import Count, TelegramProcess, telegram
from benchmarks.workers import courier, worker
from bot.config import Log, Settings
from bot.log import configure_logging
from bot.platforms.telegram.send import TelegramPlatform
from bot.storage.database import open_database
from tests.servers.telegram import PER_GROUP_MINUTE, PER_SECOND, TOKEN

_MINUTE = 60.0
_PATIENCE = 1.5
"""A system is given up after so many times the ceiling's seconds: its throughput until then counts."""
_START = 30.0
"""Seconds that processes may take to start."""
_RETRIES = 100
"""The peer's own default is to lose what is refused once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One system: what arrived in how many seconds from the first message to the last, and how often it was refused."""

    system: str
    messages: int
    seconds: float
    share_of_ceiling: float
    http_429: int


def a_load(private: int, groups: int, seed: int = 1) -> Load:
    """One or two messages for each private chat, 30 to 50 for each group."""
    dice = random.Random(seed)
    people = {chat: dice.randint(1, 2) for chat in range(1, private + 1)}
    return Load(people | {-group: dice.randint(30, 50) for group in range(1, groups + 1)})


def ceiling(load: Load) -> float:
    """Seconds of the fluid optimum: the overall limit is used up all the time, unless one chat takes longer."""
    return max(load.total / PER_SECOND, *(_shortest(chat, count) for chat, count in load.messages.items()))


def _shortest(chat: int, count: int) -> float:
    """Seconds that a chat's own limits take: one message a second, in a group 20 of them in each minute."""
    minutes, rest = divmod(count - 1, PER_GROUP_MINUTE) if chat < 0 else (0, count - 1)
    return minutes * _MINUTE + rest + 1.0


async def measured(system: str, load: Load, run: Callable[[Load, TelegramProcess], Awaitable[Count]]) -> Row:
    """Let a system send the load to a Telegram of its own."""
    async with telegram("strict") as stub:
        count = await run(load, stub)
    # Each message takes its part of a window: the last ones fill theirs after they came.
    seconds = count.last_at - count.first_at + 1.0
    share = count.accepted / seconds / (load.total / ceiling(load))
    return Row(system, count.accepted, round(seconds, 1), round(share, 4), count.http_429)


async def alone(load: Load, stub: TelegramProcess) -> Count:
    """Our courier on SQLite."""
    platform = TelegramPlatform(stub.settings)
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(f"sqlite:///{folder}/paperwire.db")
        await queue(database, load.in_random_order())
        async with courier(database, platform):
            count = await _until_sent(load, stub)
        await database.close()
    await platform.stop()
    return count


async def two_workers(load: Load, stub: TelegramProcess) -> Count:
    """Two `paperwire run --role worker` on one PostgreSQL."""
    with postgres() as url:
        database = await open_database(url)
        await queue(database, load.in_random_order())
        await database.close()
        async with worker(url, stub.settings), worker(url, stub.settings):
            return await _until_sent(load, stub)


async def peer(load: Load, stub: TelegramProcess) -> Count:
    """python-telegram-bot alone: one task a chat, which sends its messages in order, and its own rate limiter."""
    text = json.loads(a_payload())["text"]
    bot: ExtBot[int] = ExtBot(
        TOKEN,
        stub.settings.base_url,
        request=HTTPXRequest(connection_pool_size=256, pool_timeout=60, read_timeout=30),
        rate_limiter=AIORateLimiter(max_retries=_RETRIES),
    )

    async def send(chat: int) -> None:
        for _ in range(load.messages[chat]):
            await bot.send_message(chat, text, parse_mode="HTML")

    async with bot:
        sending = [asyncio.create_task(send(chat)) for chat in dict.fromkeys(load.in_random_order())]
        count = await _until_sent(load, stub)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    return count


async def _until_sent(load: Load, stub: TelegramProcess) -> Count:
    return await stub.accepted(load.total, _START + _PATIENCE * ceiling(load))


SYSTEMS = {
    "paperwire": alone,
    "paperwire, two workers": two_workers,
    "python-telegram-bot, AIORateLimiter": peer,
}


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pace", description=__doc__)
    parser.add_argument("--private", type=int, default=3_000, help="private chats")
    parser.add_argument("--groups", type=int, default=60, help="groups")
    parser.add_argument("--system", choices=SYSTEMS, action="append", help="only this one; can be given several times")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    load = a_load(options.private, options.groups)
    configure_logging(Settings(log=Log(level="warning")))
    rows = [Row("ceiling", load.total, round(ceiling(load), 1), 1.0, 0)]
    for name in options.system or SYSTEMS:
        rows.append(await measured(name, load, SYSTEMS[name]))
    found = list(map(asdict, rows))
    print("\n".join(map(json.dumps, found)) if options.json else table(found))


if __name__ == "__main__":
    asyncio.run(main())
