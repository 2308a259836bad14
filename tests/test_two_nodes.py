"""Two processes on one PostgreSQL, as people start them: one dies, the other goes on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.storage.database import Database
from bot.storage.tables import chats
from tests.builders import a_chat, a_paper, announce
from tests.process import Running, paperwire
from tests.servers.telegram import Message, TelegramStub

ADA, BOB = 7, 8
SOON = 20.0
"""Real seconds."""

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub() as stub:
        for person in (ADA, BOB):
            stub.add_user(person)
            stub.add_chat(person)
        yield stub


@pytest.fixture
def node(stub: TelegramStub, shared_url: str, tmp_path: Path) -> Callable[[str], AbstractAsyncContextManager[Running]]:
    """Starts a process with all roles, in a folder of this name."""

    def start(name: str) -> AbstractAsyncContextManager[Running]:
        folder = tmp_path / name
        folder.mkdir()
        return paperwire(
            folder,
            database__url=shared_url,
            workers__heartbeat_seconds="1",
            workers__stalled_seconds="3",
            access__open="true",
            arxiv__default_categories="[]",
            arxiv__feed_url="http://127.0.0.1:9/atom",
            telegram__token=stub.token,
            telegram__base_url=stub.api_url,
        )

    return start


async def a_digest_is_due(database: Database, *addresses: int, papers: int, after: float = 0) -> list[str]:
    """In so many seconds it is these chats' time, and there are so many papers for each of them, in this order."""
    now = datetime.now(UTC)
    for address in addresses:
        made = now - timedelta(hours=1)
        await a_chat(database, "cs.CL", now=made, platform="telegram", address=str(address), cap=0)
    announced = [a_paper(number) for number in range(1, papers + 1)]
    await announce(database, now, *announced)
    async with database.write() as connection:
        await connection.execute(sa.update(chats).values(next_digest_at=now + timedelta(seconds=after)))
    return [str(paper.id) for paper in announced]


def papers_in(messages: list[Message]) -> list[str]:
    links = [entity["url"] for message in messages for entity in message.entities if entity["type"] == "text_link"]
    return [url.rpartition("/abs/")[2] for url in links if "/abs/" in url]


async def until(holds: Callable[[], bool], seconds: float = SOON) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.mark.thorough
async def test_when_one_dies_in_the_middle_of_a_digest_the_other_finishes_it_within_a_minute(
    stub: TelegramStub,
    shared_database: Database,
    node: Callable[[str], AbstractAsyncContextManager[Running]],
) -> None:
    expected = await a_digest_is_due(shared_database, ADA, papers=200)
    async with node("first") as first:
        await until(lambda: bool(stub.messages))
        async with node("second"):
            died_at = asyncio.get_running_loop().create_future()

            def kill(_: Message) -> None:
                """Telegram has just taken another message, and whoever sent it has not yet heard so."""
                stub.on_accept = None
                first.process.kill()
                died_at.set_result(time.monotonic())

            stub.on_accept = kill
            await asyncio.wait_for(died_at, SOON)
            assert set(papers_in(stub.messages)) < set(expected), "it is in the middle"
            await until(lambda: set(papers_in(stub.messages)) == set(expected), seconds=60)
            assert time.monotonic() - died_at.result() < 60
            await asyncio.sleep(1.5)  # nothing comes after the last message
    came = papers_in(stub.messages)
    assert list(dict.fromkeys(came)) == expected
    texts = [message.text for message in stub.messages]
    assert len(texts) - len(set(texts)) == 1, "what was taken and not yet on record comes again, and nothing else"
    assert stub.http_429 == 0


async def test_both_compose_and_deliver_yet_every_chat_has_its_digest_once(
    stub: TelegramStub,
    shared_database: Database,
    node: Callable[[str], AbstractAsyncContextManager[Running]],
) -> None:
    people = range(100, 112)
    for person in people:
        stub.add_user(person)
        stub.add_chat(person)
    expected = await a_digest_is_due(shared_database, *people, papers=60, after=6)
    async with node("first"), node("second"):
        await until(lambda: len(papers_in(stub.messages)) >= len(expected) * len(people), seconds=60)
        await asyncio.sleep(1.5)  # nothing comes after the last message
    for person in people:
        assert papers_in([message for message in stub.messages if message.chat_id == person]) == expected
    assert stub.http_429 == 0


async def test_one_of_them_listens_to_telegram_and_when_it_dies_the_other(
    stub: TelegramStub, node: Callable[[str], AbstractAsyncContextManager[Running]]
) -> None:
    async with node("first") as first:
        await until(lambda: any(call.method == "getUpdates" for call in stub.calls))
        async with node("second") as second:
            await until(lambda: "lease.waiting" in second.printed)
            stub.say(ADA, ADA, "/help")
            await stub.wait_for(lambda message: message.chat_id == ADA, SOON)
            assert [call for call in stub.calls if call.status == 409] == []
            first.process.kill()
            stub.say(BOB, BOB, "/help")
            await stub.wait_for(lambda message: message.chat_id == BOB, SOON)
            assert "telegram.conflict" not in first.printed + second.printed
