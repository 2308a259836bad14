"""The Discord stub, seen through the real discord.py."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands

from tests.servers.stub import StandingClock

from .discord import DiscordStub, Message, Pings, mentions

GUILD, CHANNEL, USER, MANAGER = 10 << 22, 11, 12, 13


class Bot(discord.Client):
    """A client with two commands and one button."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        # discord.py waits this long for further guilds before it says that it is ready.
        super().__init__(intents=intents or discord.Intents.default(), guild_ready_timeout=0.05, **options)
        self.tree = app_commands.CommandTree(self)
        self.locales: list[str] = []

        @self.tree.command(name="lookup", description="Look a paper up")
        async def lookup(interaction: discord.Interaction, paper: str, limit: int = 1) -> None:
            await interaction.response.defer(thinking=True)
            self.locales.append(str(interaction.locale))
            await interaction.followup.send(f"{paper} x{limit} for {interaction.user.name}")

        @lookup.autocomplete("paper")
        async def complete(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=typed, value=f"{typed}.14584")]

        @self.tree.command(name="rename", description="Rename the digest")
        async def rename(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Naming())

        @self.tree.command(name="settings", description="Change settings")
        @app_commands.default_permissions(manage_guild=True)
        async def settings(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("Settings", view=Buttons(), ephemeral=True)


class Buttons(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="More", custom_id="more")
    async def more(self, interaction: discord.Interaction, button: discord.ui.Button[Any]) -> None:
        await interaction.response.edit_message(content=f"More for {interaction.user.name}", view=None)


class Naming(discord.ui.Modal, title="Rename"):
    name: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Name", custom_id="name")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Now called {self.name.value}")


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def stub(clock: StandingClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordStub]:
    async with DiscordStub(clock) as stub:
        stub.add_guild(GUILD, "Readers")
        stub.add_channel(CHANNEL, GUILD, "papers")
        stub.add_user(USER, "Ada", "zh-CN")
        stub.add_user(MANAGER, "Grace")
        stub.add_member(GUILD, MANAGER, manage_guild=True)
        monkeypatch.setattr(discord.http.Route, "BASE", stub.api_url)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(stub.gateway_url))
        yield stub


@asynccontextmanager
async def running(stub: DiscordStub) -> AsyncIterator[Bot]:
    async with Bot() as bot:
        await bot.login(stub.token)
        listening = asyncio.create_task(bot.connect())
        await bot.wait_until_ready()
        await bot.tree.sync()
        yield bot
        await bot.close()
        await listening


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def bot(stub: DiscordStub) -> AsyncIterator[Bot]:
    async with running(stub) as bot:
        yield bot


@pytest.fixture
async def channel(stub: DiscordStub) -> AsyncIterator[discord.TextChannel]:
    """The channel of a bot that is logged in but does not listen: enough to send."""
    async with Bot() as bot:
        await bot.login(stub.token)
        await bot.fetch_guild(GUILD)
        found = await bot.fetch_channel(CHANNEL)
        assert isinstance(found, discord.TextChannel)
        yield found


def post(stub: DiscordStub, body: dict[str, Any], path: str = f"/channels/{CHANNEL}/messages") -> Any:
    """A request context without discord.py between."""
    headers = {"Authorization": f"Bot {stub.token}"}
    return aiohttp.request("POST", stub.api_url + path, json=body, headers=headers)


async def test_a_bot_logs_in_and_sees_its_guilds(stub: DiscordStub, bot: Bot) -> None:
    assert [guild.name for guild in bot.guilds] == ["Readers"]
    shown = bot.guilds[0].get_channel(CHANNEL)
    assert shown is not None
    assert shown.permissions_for(bot.guilds[0].me).send_messages
    assert [command["name"] for command in stub.commands[None]] == ["lookup", "rename", "settings"]


async def test_a_sharded_bot_finds_the_gateway_through_rest(stub: DiscordStub) -> None:
    client = discord.AutoShardedClient(intents=discord.Intents.default(), guild_ready_timeout=0.05)
    async with client:
        await client.login(stub.token)
        listening = asyncio.create_task(client.connect())
        await client.wait_until_ready()
        assert [guild.id for guild in client.guilds] == [GUILD]
        await client.close()
        await listening


async def test_a_shard_hears_of_its_own_guilds_alone(stub: DiscordStub) -> None:
    stub.shards, odd = 2, 11 << 22
    stub.add_guild(odd, "Physics")
    for shard, name in ((0, "Readers"), (1, "Physics")):
        async with Bot(shard_id=shard, shard_count=2) as bot:
            await bot.login(stub.token)
            listening = asyncio.create_task(bot.connect())
            await bot.wait_until_ready()
            assert stub.connected_shards == {(shard, 2)}
            assert [guild.name for guild in bot.guilds] == [name]
            assert (await bot.http.get_bot_gateway())[0] == 2
            await bot.close()
            await listening


async def test_a_shard_that_does_not_exist_is_refused(stub: DiscordStub) -> None:
    async with Bot(shard_id=2, shard_count=2) as bot:
        await bot.login(stub.token)
        with pytest.raises(discord.ConnectionClosed, match="4010"):
            await bot.connect(reconnect=False)


async def test_a_shard_takes_2500_guilds(stub: DiscordStub) -> None:
    for number in range(2_500):
        stub.add_guild((20 + number) << 22, "One of many")
    async with Bot() as bot:
        await bot.login(stub.token)
        with pytest.raises(discord.ConnectionClosed, match="4011"):
            await bot.connect(reconnect=False)


async def test_a_wrong_token_is_refused(stub: DiscordStub) -> None:
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("guessed")


async def test_privileged_intents_end_the_connection_and_are_remembered(stub: DiscordStub) -> None:
    async with Bot(discord.Intents.all()) as bot:
        await bot.login(stub.token)
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.connect()
    assert stub.violations


async def test_a_bot_that_joins_and_leaves_a_guild_hears_of_it(stub: DiscordStub, bot: Bot) -> None:
    joined = asyncio.create_task(bot.wait_for("guild_join", timeout=1))
    left = asyncio.create_task(bot.wait_for("guild_remove", timeout=1))
    await asyncio.sleep(0)
    stub.add_guild(GUILD + 5, "Physics")
    assert (await joined).name == "Physics"
    stub.remove_guild(GUILD)
    assert (await left).name == "Readers"
    async with post(stub, {"content": "anybody?"}) as response:
        assert (await response.json())["code"] == 50001


async def test_a_dropped_bot_resumes_and_gets_what_it_missed(stub: DiscordStub, bot: Bot) -> None:
    stub.drop_gateway()
    await stub.wait_for(lambda: not stub.connected)
    interaction = stub.command(CHANNEL, USER, "lookup", {"paper": "2502.14584"})
    assert (await stub.reply_to(interaction))["content"] == "2502.14584 x1 for ada"


async def test_a_command_is_deferred_and_then_followed_up(stub: DiscordStub, bot: Bot) -> None:
    interaction = stub.command(CHANNEL, USER, "lookup", {"paper": "2502.14584", "limit": 3})
    reply = await stub.reply_to(interaction)
    assert reply["content"] == "2502.14584 x3 for ada"
    assert bot.locales == ["zh-CN"]
    assert stub.messages == []


async def test_a_command_is_answered_in_a_direct_channel_too(stub: DiscordStub, bot: Bot) -> None:
    interaction = stub.command(stub.dm(USER), USER, "lookup", {"paper": "hep-th/9901001"})
    assert (await stub.reply_to(interaction))["content"].startswith("hep-th/9901001")


async def test_commands_are_shown_only_to_those_who_may_run_them(stub: DiscordStub, bot: Bot) -> None:
    with pytest.raises(LookupError, match="not shown"):
        stub.command(CHANNEL, USER, "settings")
    with pytest.raises(LookupError, match="no command"):
        stub.command(CHANNEL, USER, "unheard-of")
    with pytest.raises(ValueError, match="missing"):
        stub.command(CHANNEL, USER, "lookup")


async def test_a_pressed_button_changes_its_message(stub: DiscordStub, bot: Bot) -> None:
    asked = stub.command(CHANNEL, MANAGER, "settings")
    shown = await stub.reply_to(asked)
    assert shown["flags"] & discord.MessageFlags.ephemeral.flag
    pressed = stub.press(int(shown["id"]), MANAGER, "more")
    assert (await stub.reply_to(pressed))["content"] == "More for grace"
    with pytest.raises(LookupError):
        stub.press(int(shown["id"]), MANAGER, "more")


async def test_what_is_typed_is_completed(stub: DiscordStub, bot: Bot) -> None:
    typing = stub.command(CHANNEL, USER, "lookup", {"paper": "2502"}, focused="paper")
    assert await stub.reply_to(typing) == {"choices": [{"name": "2502", "value": "2502.14584"}]}


async def test_a_form_is_shown_and_filled_in(stub: DiscordStub, bot: Bot) -> None:
    asked = stub.command(CHANNEL, USER, "rename")
    assert (await stub.reply_to(asked))["title"] == "Rename"
    filled = stub.submit(asked, {"name": "Morning papers"})
    assert (await stub.reply_to(filled))["content"] == "Now called Morning papers"


async def test_an_interaction_is_answered_in_time_and_once(stub: DiscordStub, clock: StandingClock) -> None:
    command = {"name": "slow", "description": "Take long"}
    async with post(stub, command, f"/applications/{stub.application_id}/commands") as response:
        assert response.status == 201
    late, early = (stub.command(CHANNEL, USER, "slow") for _ in range(2))
    done = {"type": 4, "data": {"content": "done"}}

    async def code(path: str, body: dict[str, Any]) -> int:
        async with post(stub, body, path) as response:
            return int((await response.json())["code"]) if response.status != 204 else 204

    assert await code(f"/interactions/{early.id}/{early.token}/callback", done) == 204
    assert await code(f"/interactions/{early.id}/{early.token}/callback", done) == 40060
    clock.at += 3.1
    assert await code(f"/interactions/{late.id}/{late.token}/callback", done) == 10062
    clock.at += 15 * 60
    assert await code(f"/webhooks/{stub.application_id}/{early.token}", {"content": "and"}) == 50027


async def test_an_embed_arrives_and_stands_in_the_history(stub: DiscordStub, channel: discord.TextChannel) -> None:
    sent = await channel.send(embed=discord.Embed(title="Attention", url="https://arxiv.org/abs/1706.03762"))
    assert stub.messages[0].embeds[0]["title"] == "Attention"
    found = [message async for message in channel.history(limit=5)]
    assert [message.id for message in found] == [sent.id]
    assert found[0].nonce is None
    await sent.edit(content="edited")
    await sent.delete()
    assert [message async for message in channel.history(limit=5)] == []


async def test_a_file_arrives_as_an_attachment(stub: DiscordStub, channel: discord.TextChannel, tmp_path: Any) -> None:
    path = tmp_path / "papers.bib"
    path.write_text("@misc{}")
    sent = await channel.send("All of them", file=discord.File(path))
    assert [(each.filename, each.size) for each in sent.attachments] == [("papers.bib", 7)]
    assert stub.uploads == {sent.attachments[0].id: b"@misc{}"}


async def test_a_file_over_ten_megabytes_is_refused(stub: DiscordStub, channel: discord.TextChannel) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await channel.send(file=discord.File(BytesIO(b"x" * (10 * 2**20 + 1)), "large.bib"))
    assert (refused.value.status, refused.value.code) == (413, 40005)


async def test_acceptance_is_told_before_the_answer_leaves(stub: DiscordStub, channel: discord.TextChannel) -> None:
    sending = asyncio.create_task(channel.send("Digest"))

    def kill(message: Message) -> None:
        sending.cancel()

    stub.on_accept = kill
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [message.content for message in stub.messages] == ["Digest"]


BUTTON = {"type": 2, "style": 1, "label": "Go", "custom_id": "go"}
TEXT = {"type": 10, "content": "x" * 2_001}
V2 = 1 << 15


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"content": "x" * 2_001}, "content", "BASE_TYPE_MAX_LENGTH"),
        ({"content": "x", "nonce": "n" * 26}, "nonce", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"description": "x" * 4_096}] * 2}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        ({"embeds": [{"title": "x" * 257}]}, "embeds.0.title", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"fields": [{"name": "", "value": "x"}]}]}, "embeds.0.fields.0.name", "BASE_TYPE_REQUIRED"),
        ({"embeds": [{"title": "x", "url": "ftp://x.org"}]}, "embeds.0.url", "URL_TYPE_INVALID_SCHEME"),
        (
            {"components": [{"type": 1, "components": [BUTTON, BUTTON]}]},
            "components.0.components.1.custom_id",
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (
            {"components": [{"type": 1, "components": [BUTTON | {"label": "x" * 81}]}]},
            "components.0.components.0.label",
            "BASE_TYPE_MAX_LENGTH",
        ),
        ({"components": [{"type": 1, "components": []}]}, "components.0.components", "BASE_TYPE_REQUIRED"),
        ({"components": [TEXT, TEXT], "flags": V2}, "components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
        ({"components": [{"type": 14}] * 41, "flags": V2}, "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
        (
            {"content": "x", "components": [TEXT], "flags": V2},
            "content",
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
        ),
        ({"components": [TEXT]}, "components.0.type", "BASE_TYPE_CHOICES"),
    ],
)
async def test_what_is_over_a_limit_is_refused_with_its_place(
    stub: DiscordStub, body: dict[str, Any], path: str, code: str
) -> None:
    async with post(stub, body) as response:
        answer = await response.json()
    node = answer["errors"]
    for step in path.split("."):
        node = node[step]
    assert (response.status, answer["code"]) == (400, 50035)
    assert code in [error["code"] for error in node["_errors"]]
    assert stub.messages == []


async def test_discord_py_tells_what_was_refused(channel: discord.TextChannel) -> None:
    with pytest.raises(discord.HTTPException, match="In content: Must be 2000 or fewer in length"):
        await channel.send("x" * 2_001)
    with pytest.raises(discord.HTTPException, match="50006"):
        await channel.send("   ")


async def test_4000_chinese_characters_of_components_are_too_many_bytes(stub: DiscordStub) -> None:
    async with post(stub, {"components": [{"type": 10, "content": "论" * 4_000}], "flags": V2}) as response:
        assert response.status == 500


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ({"name": "Loud", "description": "x"}, "INVALID_NAME"),
        ({"name": "quiet", "description": "x" * 101}, "BAD_LENGTH"),
        ({"name": "quiet", "description": "x", "name_localizations": {"zh": "安静"}}, "CHOICES"),
        ({"name": "quiet", "description": "x", "description_localizations": {"zh-CN": ""}}, "REQUIRED"),
    ],
)
async def test_commands_that_clients_could_not_show_are_refused(
    stub: DiscordStub, command: dict[str, Any], wrong: str
) -> None:
    async with post(stub, command, f"/applications/{stub.application_id}/commands") as response:
        assert response.status == 400
        assert wrong in await response.text()


EVERYBODY = "@everyone <@12> <@!13> <@&14>"


@pytest.mark.parametrize(
    ("allowed", "pings"),
    [
        (None, Pings(True, frozenset({12, 13}), frozenset({14}))),
        ({"parse": []}, Pings(False, frozenset(), frozenset())),
        ({"parse": ["everyone"], "users": ["13"]}, Pings(True, frozenset({13}), frozenset())),
        ({"parse": ["roles"]}, Pings(False, frozenset(), frozenset({14}))),
    ],
)
def test_only_allowed_mentions_ping(allowed: dict[str, Any] | None, pings: Pings) -> None:
    message = Message(0.0, CHANNEL, 1, EVERYBODY, ({"title": "@here"},), (), None, 0, allowed)
    assert mentions(message) == pings


async def test_a_message_is_told_with_its_content_where_it_is_for_the_bot(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        heard: list[tuple[str, bool]] = []

        @bot.event
        async def on_message(message: discord.Message) -> None:
            heard.append((message.content, bot.user in message.mentions))

        stub.say(CHANNEL, USER, "hello all")
        stub.say(CHANNEL, USER, f"<@{stub.application_id}> hello")
        stub.say(stub.dm(USER), USER, "between us")
        await until(lambda: len(heard) == 3)
    assert heard == [("", False), (f"<@{stub.application_id}> hello", True), ("between us", False)]


async def test_a_command_on_a_message_brings_its_content(stub: DiscordStub) -> None:
    async with running(stub) as bot:

        @bot.tree.context_menu(name="Look up paper")
        async def look_up(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message(f"{message.id}: {message.content}", ephemeral=True)

        await bot.tree.sync()
        message = stub.say(CHANNEL, MANAGER, "2502.14584")
        reply = await stub.reply_to(stub.point_at(message, USER, "Look up paper"))
        assert reply["content"] == f"{message}: 2502.14584"
        with pytest.raises(LookupError):
            stub.point_at(message, USER, "Something else")


@pytest.mark.parametrize(
    "choices", [[("x" * 101, "x")], [("x", "x" * 101)], [("x", "")], [(str(number), "x") for number in range(26)]]
)
async def test_choices_over_the_limits_are_refused(stub: DiscordStub, choices: list[tuple[str, str]]) -> None:
    async with running(stub), aiohttp.ClientSession() as http:
        typing = stub.command(CHANNEL, USER, "lookup", {"paper": "2502"}, focused="paper")
        await stub.reply_to(typing)
        typing.answered = False
        body = {"type": 8, "data": {"choices": [{"name": name, "value": value} for name, value in choices]}}
        url = f"{stub.api_url}/interactions/{typing.id}/{typing.token}/callback"
        async with http.post(url, json=body) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 50035)


async def test_roles_are_told(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        stub.add_role(GUILD, 501, "readers", mentionable=True)
        guild = bot.get_guild(GUILD)
        assert guild is not None
        await until(lambda: guild.get_role(501) is not None)
        role = guild.get_role(501)
        assert role is not None
        assert (role.name, role.mentionable) == ("readers", True)
        stub.remove_role(GUILD, 501)
        await until(lambda: guild.get_role(501) is None)
