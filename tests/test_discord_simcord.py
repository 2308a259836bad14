"""A second opinion: what leaves for Discord, judged by simcord, which was made from Discord's documents by others."""

from datetime import timedelta

import discord
import pytest
import simcord
from pydantic import SecretStr

from bot.cards.reply import Reply
from bot.config import Discord
from bot.delivery.port import Sent, Shut
from bot.platforms.discord.connection import DiscordSender
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform
from tests.builders import HandClock
from tests.test_discord_outcomes import CARDS, DIGEST


class Attached(DiscordSender):
    """The connection of a client that simcord has logged in."""

    simulated: discord.Client

    def client(self) -> discord.Client:
        return self.simulated


@pytest.fixture
def simcord_bot() -> discord.Client:
    return discord.Client(intents=discord.Intents(guilds=True))


@pytest.fixture
def platform(simcord_bot: discord.Client, clock: HandClock) -> DiscordPlatform:
    connection = Attached(Discord(token=SecretStr("")), clock)
    connection.simulated = simcord_bot
    return DiscordPlatform(connection, clock)


async def test_a_digest_arrives_as_it_was_rendered(simcord_env: simcord.Env, platform: DiscordPlatform) -> None:
    channel = simcord_env.create_guild().create_text_channel("papers")
    outcome = await platform.send(str(channel.id), DIGEST, "d7-0")
    shown = channel.last_message
    assert outcome == Sent(str(shown.id))
    assert [embed.url for embed in shown.embeds] == [card.url for card in CARDS]
    assert [button.custom_id for row in shown.components for button in row.children] == [
        card.buttons[0].action for card in CARDS
    ]


async def test_a_digest_in_doubt_is_found_without_a_privileged_intent(
    simcord_env: simcord.Env, platform: DiscordPlatform, clock: HandClock
) -> None:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("papers")
    clock.set(discord.utils.utcnow())
    sent = await platform.send(str(channel.id), DIGEST, "d7-0")
    await guild.add_member(simcord_env.create_user("ada")).send(channel, "Thanks!")
    assert await platform.send(str(channel.id), DIGEST, "d7-0", clock.now() - timedelta(minutes=5)) == sent
    other = render(Reply("Another"))[0]
    assert await platform.send(str(channel.id), other, "d8-0", clock.now() - timedelta(minutes=5)) != sent


@pytest.mark.parametrize("denied", ["send_messages", "view_channel"])
async def test_a_channel_without_rights_is_shut(
    simcord_env: simcord.Env, platform: DiscordPlatform, denied: str
) -> None:
    guild = simcord_env.create_guild()
    closed = {guild.default_role: discord.PermissionOverwrite(**{denied: False})}
    channel = guild.create_text_channel("papers", overwrites=closed)
    assert isinstance(await platform.send(str(channel.id), DIGEST, "d7-0"), Shut)
    assert channel.history() == []
