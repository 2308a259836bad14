"""The wire to Telegram: python-telegram-bot over aiohttp, against a Bot API server on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from telegram import Bot, Update
from telegram.error import NetworkError, TimedOut

from bot.platforms.telegram import request as wire
from bot.platforms.telegram.request import NEVER_LEFT, AiohttpRequest
from tests.servers.telegram import TOKEN, TelegramStub

ADA = 7


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub(enforce_rates=False) as stub:
        stub.add_user(ADA)
        stub.add_chat(ADA)
        yield stub


@pytest.fixture
async def bot(stub: TelegramStub) -> AsyncIterator[Bot]:
    requests = AiohttpRequest(), AiohttpRequest()
    async with Bot(TOKEN, stub.api_url, request=requests[0], get_updates_request=requests[1]) as bot:
        yield bot


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes its time is given up soon."""
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr(wire, "READ_TIMEOUT", 0.2)


async def failure(bot: Bot) -> NetworkError:
    with pytest.raises(NetworkError) as failed:
        await bot.send_message(ADA, "x")
    assert TOKEN not in str(failed.value)
    return failed.value


async def test_texts_arrive_as_they_were_sent(stub: TelegramStub, bot: Bot) -> None:
    text = 'a & b = "c" + 中文 😀 \\ %20 \n {1}'
    assert (await bot.send_message(ADA, text)).text == text
    assert [message.text for message in stub.messages] == [text]


async def test_files_are_uploaded(bot: Bot) -> None:
    message = await bot.send_document(ADA, BytesIO(b"\x00\r\n--binary" * 1_000), filename="list.bib")
    assert message.document is not None
    assert (message.document.file_name, message.document.file_size) == ("list.bib", 11_000)


async def test_what_is_fetched_comes_as_bytes(stub: TelegramStub) -> None:
    async with AiohttpRequest() as request:
        assert b"paperwire_test_bot" in await request.retrieve(f"{stub.api_url}{TOKEN}/getMe")


async def test_a_long_poll_waits_longer_than_an_answer_may_take(stub: TelegramStub, bot: Bot, hasty: None) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await asyncio.sleep(0.5)
    stub.say(ADA, ADA, "hello")
    (update,) = await poll
    assert isinstance(update, Update)


async def test_two_hundred_messages_are_in_flight_at_once_and_no_more_are_needed(stub: TelegramStub, bot: Bot) -> None:
    sent = await asyncio.gather(*(bot.send_message(ADA, str(number)) for number in range(300)))
    assert sorted(int(message.text or "") for message in sent) == list(range(300))
    assert len(stub.messages) == 300


async def test_a_session_that_was_closed_opens_again(stub: TelegramStub) -> None:
    request = AiohttpRequest()
    for _ in range(2):
        assert (await request.do_request(f"{stub.api_url}{TOKEN}/getMe", "POST"))[0] == 200
        await request.shutdown()
    await request.shutdown()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/bot", "http://no-such-host.invalid/bot"])
async def test_a_server_that_cannot_be_reached_was_sent_nothing(url: str) -> None:
    async with AiohttpRequest() as request:
        assert isinstance((await failure(Bot(TOKEN, url, request=request))).__cause__, NEVER_LEFT)


async def test_a_proxy_of_the_environment_is_used_and_one_that_is_away_was_sent_nothing(
    stub: TelegramStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", stub.url)
    async with AiohttpRequest() as request:
        await Bot(TOKEN, "http://telegram.example/bot", request=request).send_message(ADA, "by proxy")
        assert [message.text for message in stub.messages] == ["by proxy"]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with AiohttpRequest() as request:
        error = await failure(Bot(TOKEN, "http://telegram.example/bot", request=request))
        assert isinstance(error.__cause__, aiohttp.ClientProxyConnectionError)
        assert isinstance(error.__cause__, NEVER_LEFT)


@pytest.mark.parametrize(("kind", "error"), [("stall_after", TimedOut), ("reset_after", NetworkError)])
async def test_a_request_whose_answer_is_lost_may_have_arrived(
    stub: TelegramStub, bot: Bot, hasty: None, kind: str, error: type[NetworkError]
) -> None:
    stub.fail_next(kind)
    failed = await failure(bot)
    assert type(failed) is error
    assert not isinstance(failed.__cause__, NEVER_LEFT)
    assert len(stub.messages) == 1
