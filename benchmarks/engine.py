"""What the outbox costs where no limit holds us: `python -m benchmarks.engine [--json]`.

A Telegram that says yes at once is sent the same messages by a bare loop of the same library, transport and number in
flight, and by our outbox and courier on SQLite, in turns; then by one and by two workers on PostgreSQL. `ratio_to_bare`
is against the loop that makes the same call as the courier (`Bot.do_api_request`); `Bot.send_message` stands beside it.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

from telegram import Bot

from benchmarks.load import Load, a_payload, private_chats, queue, table
from benchmarks.postgres import postgres
from benchmarks.telegram import Count, TelegramProcess, telegram
from benchmarks.workers import UNLIMITED, courier, worker
from bot.config import Log, Settings
from bot.delivery.courier import MOST_IN_FLIGHT
from bot.log import configure_logging
from bot.platforms.telegram.request import AiohttpRequest
from bot.platforms.telegram.send import TelegramPlatform
from bot.storage.database import open_database
from tests.servers.telegram import TOKEN

BARE = "bare loop, do_api_request"
RUNS = 5
"""Of each engine that has no processes of its own; the median counts."""
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One engine."""

    engine: str
    sends_per_s: float
    ratio_to_bare: float


async def bare_port(load: Load, stub: TelegramProcess) -> float:
    """The courier's own way to send, in a loop."""
    platform, payload = TelegramPlatform(stub.settings), a_payload()
    await _loop(load, lambda chat: platform.send(str(chat), payload, "key"))
    await platform.stop()
    return (await stub.count()).rate


async def bare_send_message(load: Load, stub: TelegramProcess) -> float:
    """The library's usual way to send, over the same transport."""
    request, text = AiohttpRequest(), json.loads(a_payload())["text"]
    bot = Bot(TOKEN, stub.settings.base_url, request=request)
    await _loop(load, lambda chat: bot.send_message(chat, text, parse_mode="HTML"))
    await request.shutdown()
    return (await stub.count()).rate


async def _loop(load: Load, send: Callable[[int], Awaitable[object]]) -> None:
    chats = iter(load.in_random_order())

    async def one_after_the_other() -> None:
        for chat in chats:
            await send(chat)

    await asyncio.gather(*(one_after_the_other() for _ in range(MOST_IN_FLIGHT)))


async def on_sqlite(load: Load, stub: TelegramProcess) -> float:
    """Our outbox and courier in one process."""
    platform = TelegramPlatform(stub.settings)
    platform.pace = UNLIMITED
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(f"sqlite:///{folder}/paperwire.db")
        await queue(database, load.in_random_order())
        async with courier(database, platform):
            count = await _all_sent(load, stub)
        await database.close()
    await platform.stop()
    return count.rate


async def on_postgresql(load: Load, workers: int) -> float:
    """So many workers in processes of their own, from the first message to the last."""
    async with telegram("canned") as stub:
        with postgres() as url:
            database = await open_database(url)
            await queue(database, load.in_random_order())
            await database.close()
            async with AsyncExitStack() as stack:
                for _ in range(workers):
                    await stack.enter_async_context(worker(url, stub.settings, limits=False))
                count = await _all_sent(load, stub)
    return count.rate


async def _all_sent(load: Load, stub: TelegramProcess) -> Count:
    count = await stub.accepted(load.total, _PATIENCE)
    if count.accepted < load.total:
        raise TimeoutError(f"{count.accepted} of {load.total} messages sent in {_PATIENCE} s")
    return count


IN_TURNS = {"bare loop, send_message": bare_send_message, BARE: bare_port, "paperwire, SQLite": on_sqlite}


async def measure(load: Load, workers: Iterable[int] = (1, 2)) -> list[Row]:
    """Every engine on this load, PostgreSQL with so many workers."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(RUNS):
        for name, run in IN_TURNS.items():
            async with telegram("canned") as stub:
                rates[name].append(await run(load, stub))
    for how_many in workers:
        name = f"paperwire, PostgreSQL, {how_many} worker{'s' if how_many > 1 else ''}"
        rates[name].append(await on_postgresql(load, how_many))
    found = {name: statistics.median(each) for name, each in rates.items()}
    return [Row(name, round(rate, 1), round(rate / found[BARE], 3)) for name, rate in found.items()]


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--chats", type=int, default=2_000)
    parser.add_argument("--messages", type=int, default=6, help="for each chat")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    configure_logging(Settings(log=Log(level="warning")))
    rows = [asdict(row) for row in await measure(private_chats(options.chats, options.messages))]
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))


if __name__ == "__main__":
    asyncio.run(main())
