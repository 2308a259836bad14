"""A second opinion on what the bot hears and offers in Discord: simcord, made from Discord's documents by others."""

import discord
import pytest
import simcord
from discord import app_commands
from pydantic import SecretStr

from bot.cards.reply import Reply
from bot.commands.offers import Choice
from bot.commands.request import Incoming
from bot.config import Discord
from bot.platforms.discord.updates import DiscordUpdates
from tests.builders import HandClock
from tests.test_discord_platform import COMMANDS, LOOK_UP

LINK = "https://arxiv.org/abs/2603.00001"


class Told(DiscordUpdates):
    """The adapter over a client that simcord has logged in; it answers everything, and keeps what it heard."""

    def __init__(self, client: discord.Client) -> None:
        self.heard: list[Incoming] = []
        self._simulated = client
        super().__init__(
            *(Discord(token=SecretStr("")), HandClock(), COMMANDS, LOOK_UP),
            *(self._hear, self._offer_choices, self._nothing, self._nothing),
        )

    def client(self) -> discord.Client:
        return self._simulated

    async def offer(self) -> None:
        await self._offer(app_commands.CommandTree(self._simulated))

    async def _hear(self, incoming: Incoming) -> Reply:
        self.heard.append(incoming)
        return Reply("Well.")

    async def _offer_choices(self, incoming: Incoming, command: str) -> list[Choice]:
        return [Choice(f"{command} {incoming.text}", "cs.CL")]

    async def _nothing(self, *_: str) -> None:
        return None


class Client(discord.Client):
    """A client with the intents that the bot asks for, none of them privileged."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True))
        self.told = Told(self)
        self.event(self.told.on_message)
        self.event(self.told.on_interaction)

    async def setup_hook(self) -> None:
        await self.told.offer()


@pytest.fixture
def simcord_bot() -> Client:
    return Client()


async def test_content_comes_without_a_privileged_intent_where_the_bot_is_spoken_to(
    simcord_env: simcord.Env, simcord_bot: Client
) -> None:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("papers")
    ada = guild.add_member(simcord_env.create_user("ada"))
    await ada.send(channel, LINK)
    assert simcord_bot.user is not None
    await ada.send(channel, f"{simcord_bot.user.mention} {LINK}")
    await ada.send_dm("2603.00001")
    assert [(incoming.text, incoming.is_group) for incoming in simcord_bot.told.heard] == [
        (LINK, True),
        ("2603.00001", False),
    ]
    assert channel.last_message.content == "Well."


async def test_the_command_on_messages_brings_the_content_and_is_answered_to_one(
    simcord_env: simcord.Env, simcord_bot: Client
) -> None:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("papers")
    ada = guild.add_member(simcord_env.create_user("ada"))
    message = await ada.send(channel, LINK)
    result = await ada.context_menu(channel, LOOK_UP[0], message)
    assert result.ephemeral
    assert result.response is not None
    assert result.response.content == "Well."
    assert [incoming.action for incoming in simcord_bot.told.heard] == [f"paper:{LINK}"]


async def test_choices_are_taken_as_they_are_offered(simcord_env: simcord.Env, simcord_bot: Client) -> None:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("papers")
    ada = guild.add_member(simcord_env.create_user("ada"))
    offered = await ada.autocomplete(channel, "subscribe", "query", "cs.C")
    assert [(each["name"], each["value"]) for each in offered] == [("subscribe cs.C", "cs.CL")]
