"""Telegram's webhook: from the POST over a real socket to the answer in the chat."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
from aiohttp import web

from bot.cards.reply import Reply
from bot.commands.request import Incoming
from bot.platforms.telegram.updates import TelegramUpdates
from bot.platforms.telegram.webhook import PATH, secret_of
from tests.servers.stub import Stub
from tests.servers.telegram import TOKEN, TelegramStub
from tests.telegram_listener import ADA, GROUP, LIN, Listener, listening, settings, small_world, until

SECRET = secret_of(TOKEN)
UPDATE = {"update_id": 7, "message": {"message_id": 1, "date": 0, "chat": {"id": ADA, "type": "private"}}}


class PublicAddress(Stub):
    """A load balancer: it leads to one machine after the other. `lose_next` answers of theirs do not get through."""

    def __init__(self) -> None:
        super().__init__()
        self.machines: list[TelegramUpdates] = []
        self.lose_next = 0
        self._turn = count()
        self.app.router.add_post(PATH, self._post)

    async def _post(self, request: web.Request) -> web.Response:
        machine = self.machines[next(self._turn) % len(self.machines)]
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        status = await machine.take(secret, await request.read())
        self.lose_next -= 1
        return web.Response(status=502 if self.lose_next >= 0 else status)


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with small_world() as stub:
        yield stub


@asynccontextmanager
async def machines(stub: TelegramStub, *listeners: Listener) -> AsyncIterator[PublicAddress]:
    """Machines that share a bot, a public address, and what they know."""
    async with PublicAddress() as address, AsyncExitStack() as stack:
        at = settings(stub).model_copy(update={"webhook_url": address.url})
        for listener in listeners:
            listener.known = listeners[0].known
            address.machines.append(await stack.enter_async_context(listening(at, listener)))
        await until(lambda: [call.method for call in stub.calls].count("setMyCommands") == 8 * len(listeners))
        yield address


async def test_updates_are_brought_and_answered_and_nobody_polls(stub: TelegramStub) -> None:
    async with machines(stub, Listener()):
        stub.say(ADA, ADA, "/one")
        await stub.wait_for(lambda message: message.text == "You said /one")
    assert "getUpdates" not in [call.method for call in stub.calls]
    (call,) = [call for call in stub.calls if call.method == "setWebhook"]
    assert call.params["allowed_updates"] == [
        *("message", "channel_post", "callback_query", "my_chat_member", "inline_query")
    ]


def test_the_secret_is_the_same_everywhere_and_another_for_another_token() -> None:
    assert secret_of(TOKEN) == SECRET != secret_of("1:other")
    assert re.fullmatch(r"[\w-]{1,256}", SECRET, re.ASCII)
    assert TOKEN not in SECRET


@pytest.mark.parametrize(
    ("secret", "body", "status"),
    [
        (SECRET, json.dumps(UPDATE), 200),
        ("", json.dumps(UPDATE), 403),
        (SECRET[:-1], json.dumps(UPDATE), 403),
        ("密", json.dumps(UPDATE), 403),
        (SECRET, "", 400),
        (SECRET, "{", 400),
        (SECRET, "\udcff", 400),
        (SECRET, "[]", 400),
        (SECRET, "null", 400),
        (SECRET, '{"update_id": "7"}', 400),
        (SECRET, '{"update_id": 7, "message": "hello"}', 400),
        (SECRET, '{"update_id": 7, "message": {}}', 400),
    ],
)
async def test_only_telegrams_own_updates_are_taken(stub: TelegramStub, secret: str, body: str, status: int) -> None:
    listener = Listener()
    async with machines(stub, listener) as address:
        # Until the machine is ready it takes nothing.
        while (answer := await address.machines[0].take(secret, body.encode(errors="surrogateescape"))) == 503:
            await asyncio.sleep(0.01)
    assert answer == status
    assert listener.known == ({7} if status == 200 else set())


async def test_an_update_whose_receipt_is_lost_comes_again_and_is_answered_once(stub: TelegramStub) -> None:
    listener = Listener()
    async with machines(stub, listener) as address:
        address.lose_next = 2
        stub.say(ADA, ADA, "/one")
        stub.say(ADA, ADA, "/two")
        await stub.wait_for(lambda message: message.text == "You said /two")
    assert [incoming.text for incoming in listener.heard] == ["/one", "/two"]
    assert stub.webhook_statuses == [502, 502, 200, 200]


async def test_machines_share_the_work_and_each_update_is_answered_once(stub: TelegramStub) -> None:
    first, second = Listener(), Listener()
    async with machines(stub, first, second) as address:
        address.lose_next = 3
        for number in range(10):
            stub.say(ADA, ADA, f"/number {number}")
        await until(lambda: len(stub.messages) == 10)
    assert first.heard
    assert second.heard
    assert sorted(incoming.text for incoming in first.heard + second.heard) == [f"/number {n}" for n in range(10)]


async def test_a_chat_is_answered_in_order_and_does_not_hold_up_another(stub: TelegramStub) -> None:
    first_may_end = asyncio.Event()

    async def slowly(incoming: Incoming) -> Reply:
        if incoming.text == "/slow":
            await first_may_end.wait()
        return Reply(text=f"answer to {incoming.text}")

    async with machines(stub, Listener(answers=slowly)):
        stub.say(ADA, ADA, "/slow")
        stub.say(ADA, ADA, "/quick")
        stub.say(GROUP, LIN, "/other")
        await stub.wait_for(lambda message: message.chat_id == GROUP)
        first_may_end.set()
        await until(lambda: len(stub.messages) == 3)
    assert [message.text for message in stub.messages] == ["answer to /other", "answer to /slow", "answer to /quick"]


async def test_a_machine_that_stops_ends_what_it_began_and_leaves_the_rest_to_the_next(stub: TelegramStub) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(incoming: Incoming) -> Reply:
        begun.set()
        await may_end.wait()
        return Reply(text=f"first: {incoming.text}")

    first, second = Listener(answers=slowly), Listener()
    async with machines(stub, second) as address:
        at = settings(stub).model_copy(update={"webhook_url": address.url})
        async with listening(at, first) as stopping:
            await until(lambda: [call.method for call in stub.calls].count("setMyCommands") == 16)
            (staying,), address.machines = address.machines, [stopping]
            stub.say(ADA, ADA, "/one")
            await begun.wait()
            stop = asyncio.create_task(stopping.stop())
            await asyncio.sleep(0.05)
            stub.say(ADA, ADA, "/two")
            await until(lambda: 503 in stub.webhook_statuses)
            may_end.set()
            await stop
            assert [message.text for message in stub.messages] == ["first: /one"]
            address.machines = [staying]
            await stub.wait_for(lambda message: message.text == "You said /two")


async def test_what_comes_before_the_bot_is_ready_is_kept_by_telegram(stub: TelegramStub) -> None:
    stub.fail_next("502", method="getMe", times=3)
    listener = Listener()
    async with PublicAddress() as address:
        await stub.set_webhook(address.url + PATH, SECRET)
        at = settings(stub).model_copy(update={"webhook_url": address.url})
        async with listening(at, listener) as updates:
            address.machines.append(updates)
            stub.say(ADA, ADA, "/one")
            await stub.wait_for(lambda message: message.text == "You said /one")
