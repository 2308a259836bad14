"""Discord over real sockets: what people get when they say or press something, and what the bot hears of its places."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import discord
import pytest
import structlog
import yarl
from pydantic import SecretStr

from bot.cards.reply import Button, File, Reply
from bot.clock import WallClock
from bot.commands.offers import Choice
from bot.commands.request import Incoming
from bot.config import Discord
from bot.delivery.port import Outcome, Sent, Wait
from bot.platforms.discord import connection
from bot.platforms.discord import updates as updates_module
from bot.platforms.discord.menu import SlashCommand
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform
from bot.platforms.discord.updates import DiscordUpdates
from tests.servers.discord import EMBED, MEMBER, SEND, SEND_IN_THREADS, DiscordStub
from tests.test_discord_render import CARD

GUILD, CHANNEL, USER, MANAGER = 10 << 22, 11, 12, 13
TOKEN = "MTA.abc.def-secret"
COMMANDS = (
    SlashCommand("status", "How things are", "运行情况"),
    SlashCommand("paper", "Look a paper up", "查论文", "paper", "An arXiv id or link", "arXiv 编号或链接"),
    SlashCommand("subscribe", "Follow", "关注", "query", "A query", "查询", completes=True),
    SlashCommand("admin", "For operators", "机器人管理", "action", "What to do", "操作", is_private=True),
)
LOOK_UP = ("Look up paper", "查看论文")
HELLO = render(Reply("Hello"))[0]
CALLBACK = r"POST /interactions/\d+/[^/]+/callback"
ORIGINAL = r"PATCH /webhooks/\d+/[^/]+/messages/@original"


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordStub]:
    # Both are set for the whole process when the bot starts.
    monkeypatch.setattr(discord.http.Route, "BASE", "")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL())
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
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
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        clock = WallClock()
        self.choices: list[Choice] = []
        self.typed: list[tuple[Incoming, str]] = []
        self.updates = DiscordUpdates(
            *(settings, clock, COMMANDS, LOOK_UP, self._answer, self._choices, self._left, self._joined)
        )
        self.platform = DiscordPlatform(self.updates, clock)

    async def _answer(self, incoming: Incoming) -> Reply | None:
        self.heard.append(incoming)
        await self.may_answer.wait()
        return self.reply

    async def _choices(self, incoming: Incoming, command: str) -> list[Choice]:
        self.typed.append((incoming, command))
        await self.may_answer.wait()
        return self.choices

    async def _left(self, address: str, reason: str) -> None:
        self.news.append(("left", address, reason))

    async def _joined(self, address: str) -> None:
        self.news.append(("joined", address))

    @property
    def welcomed(self) -> list[str]:
        """The places that it came, or came back, to."""
        return [address for news, address, *_ in self.news if news == "joined"]

    @property
    def abandoned(self) -> list[str]:
        """The places that are gone."""
        return [address for news, address, *_ in self.news if news == "left"]

    def knows(self, guild_id: int) -> bool:
        """Whether it has heard of a server."""
        client = self.updates.client()
        return client is not None and client.get_guild(guild_id) is not None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


def settings_for(stub: DiscordStub, token: str = TOKEN, **more: Any) -> Discord:
    return Discord(token=SecretStr(token), api_url=stub.api_url, gateway_url=stub.gateway_url, **more)


@asynccontextmanager
async def running(stub: DiscordStub, **more: Any) -> AsyncIterator[Bot]:
    bot = Bot(settings_for(stub, **more))
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


async def test_commands_are_offered_in_both_languages(stub: DiscordStub, bot: Bot) -> None:
    status, paper, _, admin, *_ = stub.commands[None]
    assert (status["description"], status["description_localizations"]) == ("How things are", {"zh-CN": "运行情况"})
    (option,) = paper["options"]
    assert (option["name"], option["required"]) == ("paper", False)
    assert option["description_localizations"] == {"zh-CN": "arXiv 编号或链接"}
    assert (status["contexts"], admin["contexts"]) == ([0, 1], [1])
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


@pytest.mark.parametrize(("admin_role", "is_admin"), [("Librarians", True), ("900", True), ("Readers", False)])
async def test_a_role_that_the_configuration_names_makes_administrators_by_its_id_or_name(
    stub: DiscordStub, admin_role: str, is_admin: bool
) -> None:
    stub.add_role(GUILD, 900, "Librarians", USER)
    stub.add_role(GUILD, 901, "Readers", MANAGER)
    async with running(stub, admin_role=admin_role) as bot:
        await until(lambda: bot.knows(GUILD))
        await bot.platform.send(str(CHANNEL), render(Reply("Menu", buttons=(Button("Go", "set:x"),)))[0], "k")
        await stub.reply_to(stub.command(CHANNEL, USER, "status"))
        await stub.reply_to(stub.press(stub.messages[0].message_id, USER, "set:x"))
        await stub.reply_to(stub.command(CHANNEL, MANAGER, "status"))
    assert [await incoming.sender.is_admin() for incoming in bot.heard] == [is_admin, is_admin, True]


@pytest.mark.parametrize("admin_role", ["", "@everyone", str(GUILD)])
async def test_no_configuration_makes_everybody_an_administrator(stub: DiscordStub, admin_role: str) -> None:
    stub.add_role(GUILD, 900, "", USER)
    async with running(stub, admin_role=admin_role) as bot:
        await until(lambda: bot.knows(GUILD))
        await stub.reply_to(stub.command(CHANNEL, USER, "status"))
    assert not await bot.heard[0].sender.is_admin()


async def test_what_is_for_operators_is_offered_in_direct_messages_alone(stub: DiscordStub, bot: Bot) -> None:
    asked = stub.command(stub.dm(USER), USER, "admin", {"action": "chats"})
    await stub.reply_to(asked)
    assert bot.heard[0].text == "/admin chats"
    with pytest.raises(LookupError):
        stub.command(CHANNEL, USER, "admin")


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


async def test_an_answer_takes_the_place_of_the_message_whose_button_was_pressed(stub: DiscordStub, bot: Bot) -> None:
    await bot.platform.send(str(CHANNEL), render(Reply("Menu", buttons=(Button("Go", "set:x"),)))[0], "k")
    bot.reply = Reply("Changed", buttons=(Button("Go on", "set:x"),), in_place=True)
    (shown,) = stub.messages
    changed = await stub.reply_to(stub.press(shown.message_id, USER, "set:x"))
    assert (changed["id"], changed["content"]) == (str(shown.message_id), "Changed")
    assert len(stub.messages) == 1


async def test_another_answer_to_a_button_leaves_its_message_alone(stub: DiscordStub, bot: Bot) -> None:
    await bot.platform.send(str(CHANNEL), render(Reply("Menu", buttons=(Button("Go", "set:x"),)))[0], "k")
    (shown,) = stub.messages
    answer = await stub.reply_to(stub.press(shown.message_id, USER, "set:x"))
    assert answer["content"] == "Well."
    assert answer["id"] != str(shown.message_id)


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
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(70, GUILD, "thread", type=11, parent_id=CHANNEL)
    stub.add_channel(71, GUILD, "other")
    stub.remove_channel(70)
    stub.remove_channel(71)
    await until(lambda: len(bot.abandoned) == 2)
    stub.remove_guild(GUILD)
    await until(lambda: len(bot.abandoned) == 3)
    assert bot.abandoned == ["70", "71", str(CHANNEL)]


async def test_channels_of_a_server_that_takes_the_bot_in_are_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bool((client := bot.updates.client()) and client.is_ready()))
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
            await until(lambda: bot.updates.client() is not None)
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


# Answers that go wrong.


@pytest.mark.parametrize(("fault", "times"), [(10062, 1), ("reset_before", 2)])
async def test_what_cannot_be_acknowledged_in_time_is_not_done(
    stub: DiscordStub, bot: Bot, fault: int | str, times: int
) -> None:
    stub.fail_next(fault, times, on=CALLBACK)
    with structlog.testing.capture_logs() as logs:
        stub.command(CHANNEL, USER, "status")
        await until(lambda: bool(logs))
    assert [line["event"] for line in logs] == ["discord.too_late"]
    assert bot.heard == []
    assert (await stub.reply_to(stub.command(CHANNEL, USER, "status")))["content"] == "Well."


@pytest.mark.parametrize("fault", [10008, 10015, 50027, 401, 503, "reset_before", "rate_without_via"])
async def test_an_answer_that_cannot_be_given_stops_nothing(
    stub: DiscordStub, bot: Bot, fault: int | str, caplog: pytest.LogCaptureFixture
) -> None:
    stub.fail_next(fault, on=ORIGINAL)
    with structlog.testing.capture_logs() as logs:
        stub.command(CHANNEL, USER, "status")
        await until(lambda: bool(logs))
    assert [(line["event"], line["log_level"]) for line in logs] == [("discord.not_answered", "warning")]
    assert (await stub.reply_to(stub.command(CHANNEL, USER, "status")))["content"] == "Well."
    assert "Traceback" not in caplog.text


async def test_an_acknowledgement_whose_answer_is_lost_counts(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next("reset_after", on=CALLBACK)
    asked = stub.command(CHANNEL, USER, "status")
    assert (await stub.reply_to(asked))["content"] == "Well."
    assert [call.status for call in stub.calls if "/callback" in call.path] == [0, 400]
    assert len(bot.heard) == 1


async def test_an_answer_that_discord_does_not_take_comes_plain(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("A paper", cards=(replace(CARD, url="http://"),))
    asked = stub.command(CHANNEL, USER, "status")
    reply = await stub.reply_to(asked)
    assert reply["content"].startswith("A paper")
    assert "http://" in reply["content"]


async def test_who_is_being_answered_when_the_bot_stops_gets_the_answer(stub: DiscordStub, bot: Bot) -> None:
    bot.may_answer.clear()
    asked = stub.command(CHANNEL, USER, "status")
    await until(lambda: bool(bot.heard))
    stopping = asyncio.create_task(bot.updates.stop())
    await asyncio.sleep(0.05)
    late = stub.command(CHANNEL, USER, "status")
    bot.may_answer.set()
    await stopping
    assert asked.replies[-1]["content"] == "Well."
    assert late.replies == []


async def test_nobody_keeps_the_bot_from_stopping(stub: DiscordStub, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates_module, "FINISH_WITHIN", 0.1)
    bot.may_answer.clear()
    stub.command(CHANNEL, USER, "status")
    await until(lambda: bool(bot.heard))
    async with asyncio.timeout(3):
        await bot.updates.stop()
    assert bot.updates.client() is None


# Places that open again.


async def test_a_channel_that_lets_the_bot_write_again_is_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(70, GUILD, "thread", type=11, parent_id=CHANNEL)
    await until(lambda: bot.welcomed == ["70"])
    bot.news.clear()
    for denied in (SEND | SEND_IN_THREADS, EMBED):
        stub.deny(CHANNEL, denied)
        stub.deny(CHANNEL, 0)
        await until(lambda: sorted(bot.welcomed) == [str(CHANNEL), "70"])
        bot.news.clear()


async def test_a_role_that_lets_the_bot_write_again_is_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(71, GUILD, "closed")
    stub.deny(71)
    stub.set_everyone(GUILD, MEMBER & ~SEND)
    stub.set_everyone(GUILD, MEMBER)
    await until(lambda: bool(bot.news))
    assert bot.news == [("joined", str(CHANNEL))]


async def test_a_time_out_that_is_lifted_is_told(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.time_out(GUILD, "2999-01-01T00:00:00+00:00")
    stub.time_out(GUILD, None)
    await until(lambda: bool(bot.news))
    assert bot.news == [("joined", str(CHANNEL))]


@pytest.mark.parametrize(("archived", "locked"), [(True, False), (False, True), (True, True)])
async def test_a_thread_that_is_opened_again_is_told(stub: DiscordStub, bot: Bot, archived: bool, locked: bool) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(70, GUILD, "thread", type=11, parent_id=CHANNEL)
    await until(lambda: bot.welcomed == ["70"])
    bot.news.clear()
    stub.set_thread(70, archived, locked)
    asked = stub.command(CHANNEL, USER, "status")
    await stub.reply_to(asked)
    assert bot.news == []
    stub.set_thread(70)
    await until(lambda: bot.news == [("joined", "70")])


# Shards.


async def test_each_process_hears_of_the_servers_of_its_shards(stub: DiscordStub) -> None:
    odd = 11 << 22
    stub.add_guild(odd, "Physics")
    stub.add_channel(90, odd, "papers")
    async with (
        running(stub, shard_count=2, shard_ids=(0,)) as first,
        running(stub, shard_count=2, shard_ids=(1,)) as second,
    ):
        await until(lambda: stub.connected_shards == {(0, 2), (1, 2)})
        await until(lambda: first.knows(GUILD) and second.knows(odd))
        assert not first.knows(odd)
        assert not second.knows(GUILD)
        await stub.reply_to(stub.command(CHANNEL, USER, "status"))
        await stub.reply_to(stub.command(90, USER, "status"))
        await stub.reply_to(stub.command(stub.dm(USER), USER, "status"))
        assert [incoming.title for incoming in second.heard] == ["Physics#papers"]
        assert len(first.heard) == 2
        # Any process can send anywhere.
        assert isinstance(await send(first, "a", 90), Sent)
        assert isinstance(await send(second, "b", CHANNEL), Sent)
    offers = [call for call in stub.calls if call.method == "PUT"]
    assert len(offers) == 1


async def test_one_process_can_have_several_shards(stub: DiscordStub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: Any, **__: Any) -> None:
        """discord.py waits 5 seconds before each further shard."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)
    odd = 11 << 22
    stub.add_guild(odd, "Physics")
    async with running(stub, shard_count=3, shard_ids=(1, 2)) as bot:
        await until(lambda: stub.connected_shards == {(1, 3), (2, 3)})
        await until(lambda: bot.knows(GUILD) and bot.knows(odd))
        assert stub.commands == {}


async def test_a_file_follows_the_answer(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("Here it is.", file=File("saved.bib", "@misc{视觉}"))
    asked = stub.command(CHANNEL, USER, "status")
    await until(lambda: len(asked.replies) == 2)
    text, file = asked.replies
    assert (text["content"], text["attachments"]) == ("Here it is.", [])
    ((attachment_id, content),) = stub.uploads.items()
    assert content.decode() == "@misc{视觉}"
    assert [(each["id"], each["filename"]) for each in file["attachments"]] == [(str(attachment_id), "saved.bib")]


async def test_a_file_may_be_all_of_an_answer(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply(file=File("saved.bib", "@misc{}"))
    asked = stub.command(CHANNEL, USER, "status")
    await until(lambda: bool(asked.replies))
    assert [each["filename"] for each in asked.replies[-1]["attachments"]] == ["saved.bib"]
