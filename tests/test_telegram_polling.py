"""Asking Telegram for updates: when it is away, refuses the token, or several ask at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.config import Telegram
from tests.servers.telegram import TOKEN, TelegramStub
from tests.telegram_listener import ADA, Deaf, Listener, listener, listening, settings, stub, until

__all__ = ["listener", "stub"]


async def test_a_telegram_that_is_away_is_waited_for_with_one_line_in_the_log(stub: TelegramStub) -> None:
    stub.fail_next("502", method="getMe", times=3)
    listener = Listener()
    with capture_logs() as logs:
        async with listening(settings(stub), listener):
            stub.say(ADA, ADA, "/start")
            await stub.wait_for(lambda message: message.chat_id == ADA)
    assert listener.clock.slept[:3] == [1, 2, 4]
    assert [line["event"] for line in logs] == ["telegram.unreachable", "telegram.listening"]


async def test_a_poll_that_breaks_loses_no_update(stub: TelegramStub, listener: Listener) -> None:
    await until(lambda: any(call.method == "getUpdates" for call in stub.calls))
    stub.fail_next("500", method="getUpdates", times=2)
    stub.say(ADA, ADA, "/one")
    stub.say(ADA, ADA, "/two")
    await stub.wait_for(lambda message: message.text == "You said /two")
    assert [incoming.text for incoming in listener.heard] == ["/one", "/two"]


async def test_stopping_while_telegram_is_away_takes_no_time(stub: TelegramStub) -> None:
    nowhere = Telegram(token=SecretStr(TOKEN), base_url="http://127.0.0.1:9/bot")
    async with listening(nowhere, Listener()):
        await asyncio.sleep(0.1)
        before = time.monotonic()
    assert time.monotonic() - before < 1


async def test_a_wrong_token_is_reported_once_and_tried_again_every_ten_minutes(stub: TelegramStub) -> None:
    wrong, listener = "123456789:" + "x" * 35, Listener()
    with capture_logs() as logs:
        async with listening(settings(stub, wrong), listener):
            await until(lambda: len(listener.clock.slept) > 2)
    assert [line["event"] for line in logs] == ["telegram.token_refused"]
    assert wrong not in str(logs)
    assert listener.clock.slept[:3] == [600] * 3
    assert listener.alerts == ["token"]


async def test_operators_who_cannot_be_told_stop_nothing(stub: TelegramStub) -> None:
    listener = Listener(alerts=Deaf())
    stub.fail_next("unauthorized", method="getMe")
    async with listening(settings(stub), listener):
        stub.say(ADA, ADA, "/one")
        await stub.wait_for(lambda message: message.text == "You said /one")


async def test_a_token_that_was_refused_by_mistake_is_heard_again(stub: TelegramStub, listener: Listener) -> None:
    await until(lambda: "getUpdates" in [call.method for call in stub.calls])
    stub.fail_next("unauthorized", method="getUpdates")
    stub.say(ADA, ADA, "/one")
    stub.say(ADA, ADA, "/two")
    await stub.wait_for(lambda message: message.text == "You said /two")


async def test_two_pollers_are_reported_once_a_minute(stub: TelegramStub) -> None:
    listener, other = Listener(), Listener()
    with capture_logs() as logs:
        async with listening(settings(stub), listener), listening(settings(stub), other):
            await until(lambda: len(listener.clock.slept) + len(other.clock.slept) > 6)
    conflicts = [line for line in logs if line["event"] == "telegram.conflict"]
    assert 1 <= len(conflicts) <= 2
    assert listener.alerts + other.alerts == ["second_poller"] * len(conflicts)


async def test_of_two_machines_with_one_lease_one_polls_and_the_other_takes_over(stub: TelegramStub) -> None:
    only_one = asyncio.Lock()

    @asynccontextmanager
    async def lease() -> AsyncIterator[None]:
        async with only_one:
            yield

    first, second = Listener(lease=lease), Listener(lease=lease)
    second.known = first.known
    async with listening(settings(stub), second):
        async with listening(settings(stub), first):
            stub.say(ADA, ADA, "/one")
            await stub.wait_for(lambda message: message.text == "You said /one")
            assert not [call for call in stub.calls if call.status == 409]
        stub.say(ADA, ADA, "/two")
        await stub.wait_for(lambda message: message.text == "You said /two")
    heard = [incoming.text for incoming in first.heard + second.heard]
    assert sorted(heard) == ["/one", "/two"]


async def test_who_loses_the_lease_waits_for_it_again(stub: TelegramStub) -> None:
    polling: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def lease() -> AsyncIterator[None]:
        polling.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            yield
        except asyncio.CancelledError:
            if len(polling) > 1:
                raise
            raise TimeoutError("lost") from None

    listener = Listener(lease=lease)
    with capture_logs() as logs:
        async with listening(settings(stub), listener):
            await until(lambda: "getUpdates" in [call.method for call in stub.calls])
            polling[0].cancel()
            await until(lambda: len(polling) == 2)
            stub.say(ADA, ADA, "/one")
            await stub.wait_for(lambda message: message.text == "You said /one")
    assert [line["event"] for line in logs] == ["telegram.listening", "telegram.lease_lost"]


async def test_an_update_that_comes_twice_is_answered_once(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "/one")
    await stub.wait_for(lambda message: message.text == "You said /one")
    listener.known.add(stub.say(ADA, ADA, "/handled by another machine"))
    stub.say(ADA, ADA, "/two")
    await stub.wait_for(lambda message: message.text == "You said /two")
    assert [incoming.text for incoming in listener.heard] == ["/one", "/two"]


async def test_a_webhook_of_earlier_days_is_taken_away(stub: TelegramStub) -> None:
    await stub.set_webhook("https://old.example/hook")
    async with listening(settings(stub), Listener()):
        stub.say(ADA, ADA, "/one")
        await stub.wait_for(lambda message: message.text == "You said /one")
