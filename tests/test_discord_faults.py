"""Discord on its bad days: whatever fails, each message arrives once or is known not to."""

import asyncio
import random
from collections import Counter
from datetime import datetime

import discord
import pytest
from pydantic import SecretStr

from bot.cards.reply import Reply
from bot.config import Discord
from bot.delivery.port import Outcome, Sent, Uncertain, Wait
from bot.platforms.discord.connection import DiscordSender
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform
from tests.builders import HandClock
from tests.servers.discord import ALL_FAULTS, DiscordStub

GUILD, THREADS = 10 << 22, range(100, 160)
PASSING = (
    *(401, 500, 502, 503, 504, 40003, 50083, "rate", "rate_global", "rate_without_via"),
    *("reset_before", "stall_before", *("reset_after", "502_after", "stall_after") * 3),
)


async def delivered(
    stub: DiscordStub, clock: HandClock, monkeypatch: pytest.MonkeyPatch, chance: random.Random
) -> dict[int, Outcome]:
    """What became of a message to each thread, tried until it is no longer in doubt; between the rounds time passes."""
    monkeypatch.setattr(discord.http.Route, "BASE", "")
    sender = DiscordSender(Discord(token=SecretStr(stub.token), api_url=stub.api_url), clock)
    await sender.start()
    platform = DiscordPlatform(sender, clock)
    stub.add_guild(GUILD, "Readers")
    stub.add_channel(11, GUILD, "papers")
    for thread in THREADS:
        stub.add_channel(thread, GUILD, "thread", type=11, parent_id=11)
    ended: dict[int, Outcome] = {}
    doubts: dict[int, datetime] = {}
    while sender.client() is None:
        await asyncio.sleep(0.01)
    while left := [thread for thread in THREADS if thread not in ended]:
        began = clock.now()
        sends = [
            platform.send(str(each), render(Reply(f"Digest {each}"))[0], f"d{each}", doubts.get(each)) for each in left
        ]
        for thread, outcome in zip(left, await asyncio.gather(*sends), strict=True):
            if isinstance(outcome, Uncertain):
                doubts.setdefault(thread, began)
            elif not isinstance(outcome, Wait):
                ended[thread] = outcome
        clock.turn(seconds=chance.choice([30, 200]))
    await sender.stop()
    return ended


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_passes_loses_and_repeats_nothing(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    async with DiscordStub(clock.epoch) as stub:
        stub.rates = False
        stub.misbehave(rate=0.5, seed=seed, kinds=PASSING, retry_after=0.02, stall=0.05)
        ended = await delivered(stub, clock, monkeypatch, random.Random(seed))
    assert ended == {message.channel_id: Sent(str(message.message_id)) for message in stub.messages}
    assert Counter(message.content for message in stub.messages) == Counter(f"Digest {each}" for each in THREADS)


async def test_whatever_fails_every_message_ends_in_the_state_that_discord_knows(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with DiscordStub(clock.epoch) as stub:
        stub.rates = False
        stub.misbehave(rate=0.4, seed=4, kinds=ALL_FAULTS, retry_after=0.02, stall=0.05)
        ended = await delivered(stub, clock, monkeypatch, random.Random(4))
    arrived = {message.channel_id for message in stub.messages}
    assert arrived >= {thread for thread, outcome in ended.items() if isinstance(outcome, Sent)}
    assert len(arrived) == len(stub.messages)
    assert {type(outcome).__name__ for outcome in ended.values()} >= {"Sent", "Gone", "Shut", "Refused"}
