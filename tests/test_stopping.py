"""The end of a process: unready first, what is in flight is finished or left to be sent again, within ten seconds."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.process import Running, paperwire
from tests.servers.arxiv import ArxivStub, Entry, atom_feed
from tests.servers.telegram import TelegramStub

ADA = 71
LIMIT = 10.0


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramStub]:
    async with TelegramStub() as stub:
        stub.add_user(ADA)
        stub.add_chat(ADA)
        yield stub


@pytest.fixture
async def arxiv() -> AsyncIterator[ArxivStub]:
    async with ArxivStub() as stub:
        built = (datetime.now(UTC) - timedelta(hours=3)).timestamp()
        entries = [Entry(f"2603.000{n:02}", f"Paper {n}", "We propose it. It works.", ["cs.CL"]) for n in range(1, 30)]
        stub.publish("cs.CL", atom_feed("cs.CL", entries, built), built)
        yield stub


def started(stack: AsyncExitStack, folder: Path, telegram: TelegramStub, arxiv: ArxivStub) -> object:
    return stack.enter_async_context(
        paperwire(
            folder,
            access__open="true",
            arxiv__feed_url=f"{arxiv.url}/atom",
            arxiv__default_categories='["cs.CL"]',
            telegram__token=telegram.token,
            telegram__base_url=telegram.api_url,
        )
    )


async def until(holds: object, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def states(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "data" / "paperwire.db")) as connection:
        query = "SELECT state FROM messages m JOIN chats c ON c.id = chat_id WHERE platform = 'telegram' ORDER BY m.id"
        return [state for (state,) in connection.execute(query)]


async def begin_a_digest(bot: Running, telegram: TelegramStub) -> None:
    """Somebody asks for a digest of several messages; the first of them is on its way."""
    await until(lambda: "telegram.listening" in bot.printed)
    for text in ("/settings cap 0", "/subscribe cs.CL"):
        seen = len(telegram.messages)
        telegram.say(ADA, ADA, text)
        await until(lambda seen=seen: len(telegram.messages) > seen)
    await until(lambda: "feed.read" in bot.printed)


async def test_a_message_in_flight_is_finished_and_recorded_and_no_other_leaves(
    tmp_path: Path, telegram: TelegramStub, arxiv: ArxivStub
) -> None:
    async with AsyncExitStack() as stack:
        bot = await started(stack, tmp_path, telegram, arxiv)
        await begin_a_digest(bot, telegram)
        telegram.jitter(share=1.0, seconds=2.0)
        before = len(telegram.messages)
        telegram.say(ADA, ADA, "/digest")
        await until(lambda: "sending" in states(tmp_path))
        async with httpx.AsyncClient(base_url=bot.address) as http:
            assert (await http.get("/readyz")).status_code == 200
            began = time.monotonic()
            bot.process.send_signal(signal.SIGTERM)
            await until(lambda: "stopping" in bot.printed)
            answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
        assert await bot.stop() == 0
        assert time.monotonic() - began < LIMIT
    assert len(telegram.messages) == before + 1
    assert states(tmp_path)[:2] == ["sent", "pending"]
    assert "Traceback" not in bot.printed


@pytest.mark.thorough
async def test_a_platform_that_does_not_answer_holds_nobody_up_and_the_message_goes_again(
    tmp_path: Path, telegram: TelegramStub, arxiv: ArxivStub
) -> None:
    async with AsyncExitStack() as stack:
        bot = await started(stack, tmp_path, telegram, arxiv)
        await begin_a_digest(bot, telegram)
        telegram.fail_next("stall_after")
        before = len(telegram.messages)
        telegram.say(ADA, ADA, "/digest")
        await until(lambda: "sending" in states(tmp_path))
        began = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - began < LIMIT
        assert states(tmp_path)[0] == "sending"
        await started(stack, tmp_path, telegram, arxiv)
        await until(lambda: set(states(tmp_path)) == {"sent"}, seconds=60)
    texts = [message.text for message in telegram.messages[before:]]
    assert texts[0] == texts[1], "what nobody confirmed goes again, once"
    assert len(texts) == len(states(tmp_path)) + 1
