"""Discord over real sockets: what leaves, what becomes of it, and what people get when they say or press something."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
import structlog
import yarl
from aiohttp.client_reqrep import ConnectionKey
from pydantic import SecretStr

from bot.cards.reply import Button, Reply
from bot.commands.request import Incoming
from bot.config import Discord
from bot.delivery.port import Gone, Outcome, Refused, Sent, Uncertain, Wait
from bot.platforms.discord import updates as updates_module
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform, classify, nonce_of
from bot.platforms.discord.updates import DiscordUpdates, SlashCommand
from tests.servers.discord import DiscordStub

GUILD, CHANNEL, USER, MANAGER = 10 << 22, 11, 12, 13
TOKEN = "MTA.abc.def-secret"
COMMANDS = (
    SlashCommand("status", "How things are", "运行情况"),
    SlashCommand("paper", "Look a paper up", "查论文", "paper", "An arXiv id or link", "arXiv 编号或链接"),
)
HELLO = render(Reply("Hello"))[0]


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordStub]:
    # Both are set for the whole process when the bot starts.
    monkeypatch.setattr(discord.http.Route, "BASE", "")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL())
    monkeypatch.setattr(updates_module, "FIRST_PAUSE", 0.05)
    async with DiscordStub(token=TOKEN) as stub:
        stub.rates = False
        stub.add_guild(GUILD, "Readers")
        stub.add_channel(CHANNEL, GUILD, "papers")
        stub.add_user(USER, "Ada", "zh-CN")
        stub.add_user(MANAGER, "Grace")
        stub.add_member(GUILD, MANAGER, manage_guild=True)
        yield stub


class Bot:
    """The adapter with a world around it that remembers what it heard and says what it is told to."""

    def __init__(self, settings: Discord) -> None:
        self.heard: list[Incoming] = []
        self.news: list[tuple[str, ...]] = []
        self.reply: Reply | None = Reply("Well.")
        self.updates = DiscordUpdates(settings, COMMANDS, self._answer, self._left, self._joined)
        self.platform = DiscordPlatform(self.updates.http)

    async def _answer(self, incoming: Incoming) -> Reply | None:
        self.heard.append(incoming)
        return self.reply

    async def _left(self, address: str, reason: str) -> None:
        self.news.append(("left", address, reason))

    async def _joined(self, address: str) -> None:
        self.news.append(("joined", address))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


def settings_for(stub: DiscordStub, token: str = TOKEN) -> Discord:
    return Discord(token=SecretStr(token), api_url=stub.api_url, gateway_url=stub.gateway_url)


@asynccontextmanager
async def running(stub: DiscordStub) -> AsyncIterator[Bot]:
    bot = Bot(settings_for(stub))
    await bot.updates.start()
    await until(lambda: stub.connected)
    yield bot
    await bot.updates.stop()


@pytest.fixture
async def bot(stub: DiscordStub) -> AsyncIterator[Bot]:
    async with running(stub) as bot:
        yield bot


async def send(bot: Bot, key: str = "digest-7-0", address: int = CHANNEL) -> Outcome:
    return await bot.platform.send(str(address), HELLO, key)


async def test_a_message_arrives_and_mentions_nobody(stub: DiscordStub, bot: Bot) -> None:
    outcome = await send(bot)
    (message,) = stub.messages
    assert outcome == Sent(str(message.message_id))
    assert (message.content, message.nonce, message.allowed_mentions) == ("Hello", "digest-7-0", {"parse": []})


@pytest.mark.parametrize("key", ["d7-0", "access-discord-1234567890123456789-42-0"])
async def test_a_key_of_any_length_makes_a_nonce_that_discord_takes(key: str) -> None:
    assert len(nonce_of(key)) <= 25
    assert nonce_of(key) == nonce_of(key) != nonce_of(key + "1")


async def test_a_repeat_with_the_same_key_is_the_same_message(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next("reset_after")
    assert isinstance(await send(bot), Uncertain)
    assert isinstance(await send(bot), Sent)
    assert len(stub.messages) == 1
    await send(bot, key="digest-7-1")
    assert len(stub.messages) == 2


async def test_a_429_is_sat_out(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next("rate", retry_after=0.1)
    assert isinstance(await send(bot), Sent)


async def test_a_429_that_lasts_too_long_is_told_to_the_courier(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next("rate", retry_after=600.0)
    outcome = await send(bot)
    assert isinstance(outcome, Wait)
    assert outcome.after == timedelta(seconds=600)


@pytest.mark.parametrize("code", [10003, 10004, 50001, 50007, 50008, 50013, 50278, 160005])
async def test_a_chat_that_cannot_be_written_to_is_gone(stub: DiscordStub, bot: Bot, code: int) -> None:
    stub.fail_next(code)
    assert isinstance(await send(bot), Gone)


@pytest.mark.parametrize("code", [50035, 50006, 200000, 240000])
async def test_a_message_that_discord_will_never_take_is_refused(stub: DiscordStub, bot: Bot, code: int) -> None:
    stub.fail_next(code)
    assert isinstance(await send(bot), Refused)


async def test_a_server_that_has_no_time_gets_it_again(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next(503)
    assert isinstance(await send(bot), Uncertain)


@pytest.mark.parametrize("kind", [401, "rate_without_via"])
async def test_a_refused_token_or_a_ban_silences_everything(stub: DiscordStub, bot: Bot, kind: int | str) -> None:
    stub.fail_next(kind)
    outcome = await send(bot)
    assert isinstance(outcome, Wait)
    assert outcome.whole_platform
    assert TOKEN not in outcome.reason


def http_error(status: int, code: int = 0) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="")
    return discord.HTTPException(response, {"code": code, "message": "no"})


NO_ROUTE = aiohttp.ClientConnectorError(ConnectionKey("x", 443, True, True, None, None, None), OSError("no route"))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (http_error(404), Wait),
        (http_error(403, 40003), Wait),
        (http_error(400, 12345), Refused),
        (NO_ROUTE, Wait),
        (aiohttp.ServerDisconnectedError(), Uncertain),
        (ConnectionResetError(), Uncertain),
        (TimeoutError(), Uncertain),
        (ValueError("no JSON"), Uncertain),
    ],
)
def test_every_failure_has_its_outcome(error: Exception, outcome: type[Outcome]) -> None:
    assert isinstance(classify(error), outcome)


async def test_before_discord_is_connected_messages_wait(stub: DiscordStub) -> None:
    outcome = await send(Bot(settings_for(stub)))
    assert isinstance(outcome, Wait)
    assert stub.calls == []


async def test_commands_are_offered_in_both_languages(stub: DiscordStub, bot: Bot) -> None:
    status, paper = stub.commands[None]
    assert (status["description"], status["description_localizations"]) == ("How things are", {"zh-CN": "运行情况"})
    (option,) = paper["options"]
    assert (option["name"], option["required"]) == ("paper", False)
    assert option["description_localizations"] == {"zh-CN": "arXiv 编号或链接"}
    assert status["contexts"] == [0, 1]
    assert stub.violations == []


async def test_a_command_in_a_server_is_heard_and_answered(stub: DiscordStub, bot: Bot) -> None:
    asked = stub.command(CHANNEL, USER, "paper", {"paper": "2502.14584"})
    assert (await stub.reply_to(asked))["content"] == "Well."
    (incoming,) = bot.heard
    assert (incoming.platform, incoming.address, incoming.title) == ("discord", str(CHANNEL), "Readers#papers")
    assert (incoming.text, incoming.is_group) == ("/paper 2502.14584", True)
    assert (incoming.sender.id, incoming.sender.name, incoming.sender.language) == (str(USER), "Ada", "zh-CN")
    assert not await incoming.sender.is_admin()


async def test_who_manages_a_server_is_its_administrator(stub: DiscordStub, bot: Bot) -> None:
    await stub.reply_to(stub.command(CHANNEL, MANAGER, "status"))
    assert await bot.heard[0].sender.is_admin()
    assert bot.heard[0].text == "/status"


async def test_a_direct_chat_belongs_to_its_person(stub: DiscordStub, bot: Bot) -> None:
    await stub.reply_to(stub.command(stub.dm(USER), USER, "paper"))
    (incoming,) = bot.heard
    assert (incoming.text, incoming.title, incoming.is_group) == ("/paper", "Ada", False)
    assert await incoming.sender.is_admin()


async def test_a_pressed_button_brings_an_answer(stub: DiscordStub, bot: Bot) -> None:
    await bot.platform.send(str(CHANNEL), render(Reply("Digest", buttons=(Button("More", "more:7"),)))[0], "k")
    pressed = stub.press(stub.messages[0].message_id, USER, "more:7")
    assert (await stub.reply_to(pressed))["content"] == "Well."
    assert (bot.heard[0].action, bot.heard[0].text) == ("more:7", "")


async def test_a_long_answer_follows_in_order(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("\n".join(f"{number:04}" for number in range(1000)))
    asked = stub.command(CHANNEL, USER, "status")
    await stub.wait_for(lambda: len(asked.replies) == 3)
    assert [reply["content"][:4] for reply in asked.replies] == ["0000", "0400", "0800"]


async def test_nothing_to_say_takes_the_thinking_away(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = None
    stub.command(CHANNEL, USER, "status")
    await stub.wait_for(lambda: any(call.method == "DELETE" and call.status == 204 for call in stub.calls))


async def test_channels_that_go_are_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bool(bot.updates._client and bot.updates._client.guilds))
    stub.add_channel(70, GUILD, "thread", type=11, parent_id=CHANNEL)
    stub.add_channel(71, GUILD, "other")
    stub.remove_channel(70)
    stub.remove_channel(71)
    await until(lambda: len(bot.news) == 2)
    stub.remove_guild(GUILD)
    await until(lambda: len(bot.news) == 3)
    assert [(news, address) for news, address, _ in bot.news] == [
        ("left", "70"),
        ("left", "71"),
        ("left", str(CHANNEL)),
    ]


async def test_channels_of_a_server_that_takes_the_bot_in_are_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bool(bot.updates._client and bot.updates._client.is_ready()))
    stub.add_channel(80, GUILD + 5, "papers")
    stub.add_guild(GUILD + 5, "Physics")
    await until(lambda: bot.news == [("joined", "80")])


async def test_a_dropped_connection_comes_back(stub: DiscordStub, bot: Bot) -> None:
    stub.drop_gateway()
    await stub.wait_for(lambda: not stub.connected)
    asked = stub.command(CHANNEL, USER, "status")
    assert (await stub.reply_to(asked))["content"] == "Well."


async def test_an_unreachable_discord_is_told_once_and_tried_until_it_answers(stub: DiscordStub) -> None:
    stub.fail_next(503, times=3, on="GET /users/@me")
    with structlog.testing.capture_logs() as logs:
        async with running(stub) as bot:
            await until(lambda: bot.updates.http() is not None)
            assert isinstance(await send(bot), Sent)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["discord.unreachable"]


async def test_a_port_without_a_discord_stops_nobody(unused_tcp_port: int, stub: DiscordStub) -> None:
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    bot = Bot(Discord(token=SecretStr(TOKEN), api_url=nowhere))
    with structlog.testing.capture_logs() as logs:
        await bot.updates.start()
        await until(lambda: bool(logs))
        assert isinstance(await send(bot), Wait)
        await bot.updates.stop()
    assert logs[0]["event"] == "discord.unreachable"


async def test_a_wrong_token_is_told_without_the_token(
    stub: DiscordStub, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    bot = Bot(settings_for(stub, token="guessed.to.kennung"))
    with structlog.testing.capture_logs() as logs:
        await bot.updates.start()
        await until(lambda: bool(logs))
    await bot.updates.stop()
    assert [line["event"] for line in logs] == ["discord.token_refused"]
    assert "guessed.to.kennung" not in json.dumps(logs) + caplog.text + "".join(capsys.readouterr())
    assert len(stub.calls) == 1
