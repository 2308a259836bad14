"""Documents that people send in Telegram, over a real socket."""

import pytest

from bot.commands.request import LARGEST_FILE, NotFetchedError
from tests.servers.telegram import TelegramStub
from tests.telegram_listener import ADA, GROUP, Listener, listener, stub, until

__all__ = ["listener", "stub"]


CONTENT = b"paperwire = 1\n"


async def the_file(listener: Listener) -> str:
    await until(lambda: listener.heard)
    fetch = listener.heard[-1].file
    assert fetch is not None
    return await fetch()


async def test_a_document_with_a_command_as_its_caption_comes_along(stub: TelegramStub, listener: Listener) -> None:
    stub.say(GROUP, ADA, "/import@Paperwire_Test_Bot", document=CONTENT, thread=5)
    assert await the_file(listener) == CONTENT.decode()
    assert (listener.heard[0].text, listener.heard[0].address) == ("/import", "-100:5")


async def test_a_command_that_answers_a_document_brings_it_along(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "my feeds", document=CONTENT)
    stub.say(ADA, ADA, "/import", answers=1)
    assert await the_file(listener) == CONTENT.decode()
    assert [incoming.text for incoming in listener.heard] == ["/import"], "other captions say nothing to us"


async def test_a_document_is_fetched_only_by_a_command_that_wants_it(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "/status", document=CONTENT)
    await stub.wait_for(lambda message: message.text == "You said /status")
    assert "getFile" not in [call.method for call in stub.calls]


async def test_a_document_that_is_too_large_is_refused_unseen(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "/import", document=b"a" * (LARGEST_FILE + 1))
    with pytest.raises(NotFetchedError, match="too_large"):
        await the_file(listener)
    assert "getFile" not in [call.method for call in stub.calls]


async def test_a_document_that_is_larger_than_it_says_is_not_read_to_its_end(
    stub: TelegramStub, listener: Listener
) -> None:
    stub.say(ADA, ADA, "/import", document=CONTENT)
    await until(lambda: listener.heard)
    stub.files["file-0"] = b"a" * 20_000_000
    with pytest.raises(NotFetchedError, match="too_large"):
        await the_file(listener)


@pytest.mark.parametrize("fault", ["502", "reset_before"])
async def test_a_document_that_telegram_does_not_give_is_told(
    stub: TelegramStub, listener: Listener, fault: str
) -> None:
    stub.say(ADA, ADA, "/import", document=CONTENT)
    await until(lambda: listener.heard)
    stub.fail_next(fault, method="getFile")
    with pytest.raises(NotFetchedError, match="not_fetched"):
        await the_file(listener)


async def test_a_document_that_is_gone_is_told_without_the_token(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "/import", document=CONTENT)
    await until(lambda: listener.heard)
    stub.files.clear()
    with pytest.raises(NotFetchedError) as caught:
        await the_file(listener)
    assert stub.token not in repr(caught.getrepr(chain=True))
