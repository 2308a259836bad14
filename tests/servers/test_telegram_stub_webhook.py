"""The stub Bot API brings updates to a webhook as the real server does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from telegram import Bot
from telegram.error import BadRequest, Conflict

from tests.servers.stub import Stub
from tests.servers.telegram import TelegramStub

ADA, GROUP = 7, -100


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub() as stub:
        stub.add_user(ADA)
        stub.add_chat(ADA)
        stub.add_chat(GROUP, "supergroup", "Readers")
        yield stub


@pytest.fixture
async def bot(stub: TelegramStub) -> AsyncIterator[Bot]:
    async with Bot(stub.token, base_url=stub.api_url) as bot:
        yield bot


class Hook(Stub):
    """Somebody's webhook: what came, with which secret, and what it answers next (200 if nothing is left)."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[str, int]] = []
        self.answers: list[int] = []
        self.app.router.add_post("/hook", self._post)

    async def _post(self, request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        self.came.append((secret, (await request.json())["update_id"]))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook() as hook:
        yield hook


async def until_quiet(bot: Bot) -> None:
    async with asyncio.timeout(5):
        while (await bot.get_webhook_info()).pending_update_count:
            await asyncio.sleep(0.01)


async def test_a_webhook_is_brought_what_waits_and_what_comes_with_its_secret(
    stub: TelegramStub, bot: Bot, hook: Hook
) -> None:
    first = stub.say(ADA, ADA, "before")
    await bot.set_webhook(f"{hook.url}/hook", secret_token="s-1", allowed_updates=["message"])
    stub.member_changed(GROUP, "left", "member", by=ADA)
    second = stub.say(ADA, ADA, "after")
    await until_quiet(bot)
    assert hook.came == [("s-1", first), ("s-1", second)]


async def test_an_update_is_brought_again_until_it_is_taken_and_only_its_chat_waits(
    stub: TelegramStub, bot: Bot, hook: Hook
) -> None:
    hook.answers = [500, 503]
    await bot.set_webhook(f"{hook.url}/hook")
    first = stub.say(ADA, ADA, "one")
    second = stub.say(ADA, ADA, "two")
    await until_quiet(bot)
    assert [update for _, update in hook.came] == [first, first, first, second]
    assert (
        await bot.get_webhook_info()
    ).last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
    hook.answers = [500]
    stub.webhook_retry_seconds = 60
    refused = stub.say(ADA, ADA, "refused")
    while hook.answers:
        await asyncio.sleep(0.01)
    other = stub.say(GROUP, ADA, "/another chat")
    while (await bot.get_webhook_info()).pending_update_count > 1:
        await asyncio.sleep(0.01)
    assert [update for _, update in hook.came[-2:]] == [refused, other]


async def test_who_polls_beside_a_webhook_is_told_of_the_conflict(stub: TelegramStub, bot: Bot, hook: Hook) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=5))
    await asyncio.sleep(0.05)
    async with Bot(stub.token, base_url=stub.api_url) as other:
        await other.set_webhook(f"{hook.url}/hook")
    with pytest.raises(Conflict, match="terminated by setWebhook request"):
        await poll
    with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    assert (await bot.get_webhook_info()).url == f"{hook.url}/hook"
    await bot.delete_webhook()
    assert (await bot.get_webhook_info()).url == ""
    stub.say(ADA, ADA, "hi")
    assert len(await bot.get_updates()) == 1


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("http://example.org/hook", "", "an https url must be provided for webhook"),
        ("https://example.org/hook", "a b", "Secret token contains unallowed characters"),
        ("https://example.org/hook", "a" * 257, "Secret token is too long"),
    ],
)
async def test_a_webhook_that_telegram_would_not_call_is_refused(bot: Bot, url: str, secret: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        await bot.set_webhook(url, secret_token=secret)
