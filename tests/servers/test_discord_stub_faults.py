"""What a sender has to survive on the Discord stub: rights, rates, forgotten nonces, and failures of every kind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers.stub import StandingClock

from .discord import (
    ALL_FAULTS,
    EMBED,
    FAILURES,
    MEMBER,
    READ_HISTORY,
    SEND,
    SEND_IN_THREADS,
    VIEW,
    DiscordStub,
)

GUILD, CHANNEL, THREAD, USER = 10 << 22, 11, 70, 12


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def stub(clock: StandingClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordStub]:
    async with DiscordStub(clock) as stub:
        stub.add_guild(GUILD, "Readers")
        stub.add_channel(CHANNEL, GUILD, "papers")
        stub.add_channel(THREAD, GUILD, "today", type=11, parent_id=CHANNEL)
        stub.add_user(USER, "Ada")
        monkeypatch.setattr(discord.http.Route, "BASE", stub.api_url)
        yield stub


@pytest.fixture
async def channel(stub: DiscordStub) -> AsyncIterator[discord.TextChannel]:
    """The channel of a bot that is logged in but does not listen: enough to send."""
    async with discord.Client(intents=discord.Intents.none()) as bot:
        await bot.login(stub.token)
        await bot.fetch_guild(GUILD)
        found = await bot.fetch_channel(CHANNEL)
        assert isinstance(found, discord.TextChannel)
        yield found


def ask(stub: DiscordStub, method: str, path: str, **body: Any) -> Any:
    """A request context without discord.py between."""
    headers = {"Authorization": f"Bot {stub.token}"}
    return aiohttp.request(method, stub.api_url + path, json=body or None, headers=headers)


def post(stub: DiscordStub, body: dict[str, Any], path: str = f"/channels/{CHANNEL}/messages") -> Any:
    return ask(stub, "POST", path, **body)


async def code(stub: DiscordStub, method: str, path: str, **body: Any) -> int:
    """Discord's code for the answer; 0 for a success."""
    async with ask(stub, method, path, **body) as response:
        return int((await response.json()).get("code", 0)) if response.status >= 400 else 0


async def test_the_history_is_paged_from_any_point(stub: DiscordStub, channel: discord.TextChannel) -> None:
    stub.rates = False
    sent = [await channel.send(str(number)) for number in range(7)]
    after = [message.content async for message in channel.history(after=sent[1], limit=3)]
    before = [message.content async for message in channel.history(before=sent[3], limit=2)]
    assert (after, before) == (["2", "3", "4"], ["2", "1"])
    stub.deny(CHANNEL, READ_HISTORY)
    assert [message async for message in channel.history()] == []


async def test_what_others_say_is_there_but_empty(stub: DiscordStub, channel: discord.TextChannel) -> None:
    said = stub.say(CHANNEL, USER, "Thanks!")
    (found,) = [message async for message in channel.history()]
    assert (found.id, found.author.id, found.content) == (said, USER, "")


async def test_a_repeated_nonce_gives_the_first_message_for_three_minutes(
    stub: DiscordStub, clock: StandingClock, channel: discord.TextChannel
) -> None:
    first = await channel.send("Digest", nonce="digest-7-1")
    clock.at += 179
    again = await channel.send("Digest", nonce="digest-7-1")
    assert (again.id, len(stub.messages)) == (first.id, 1)
    clock.at += 2
    later = await channel.send("Digest", nonce="digest-7-1")
    assert later.id != first.id


async def test_a_nonce_is_its_authors_in_every_channel(stub: DiscordStub) -> None:
    body = {"content": "x", "nonce": "n", "enforce_nonce": True}
    async with post(stub, body) as first, post(stub, body, f"/channels/{THREAD}/messages") as second:
        assert (await first.json())["id"] == (await second.json())["id"]
    assert len(stub.messages) == 1


async def test_places_that_a_bot_cannot_write_to_say_why(stub: DiscordStub, channel: discord.TextChannel) -> None:
    stub.deny(CHANNEL, EMBED)
    with pytest.raises(discord.Forbidden, match="50013"):
        await channel.send(embed=discord.Embed(title="x"))
    stub.remove_channel(CHANNEL)
    with pytest.raises(discord.NotFound, match="10003"):
        await channel.send("x")
    stub.close_dm(USER)
    async with post(stub, {"content": "x"}, f"/channels/{stub.dm(USER)}/messages") as response:
        assert (await response.json())["code"] == 50007


async def test_a_channel_takes_five_messages_in_five_seconds(stub: DiscordStub, clock: StandingClock) -> None:
    async def send() -> tuple[int, str | None, str | None]:
        async with post(stub, {"content": "x"}) as response:
            return response.status, response.headers.get("X-RateLimit-Remaining"), response.headers.get("Via")

    assert [(await send())[1] for _ in range(5)] == ["4", "3", "2", "1", "0"]
    clock.at += 4.9
    assert await send() == (429, "0", "1.1 google")
    clock.at += 0.1
    assert (await send())[0] == 200
    assert (stub.http_429, len(stub.messages)) == (1, 6)


async def test_all_routes_together_take_fifty_requests_a_second(stub: DiscordStub) -> None:
    for number in range(60, 111):
        stub.add_channel(number, GUILD, "many")
        async with post(stub, {"content": "x"}, f"/channels/{number}/messages") as response:
            answer = await response.json()
    assert (response.status, answer["global"]) == (429, True)


async def test_a_429_is_obeyed_by_discord_py(stub: DiscordStub, channel: discord.TextChannel) -> None:
    stub.fail_next("rate", retry_after=0.2)
    await channel.send("patient")
    assert [call.status for call in stub.calls if call.method == "POST"] == [429, 200]
    stub.fail_next("rate_without_via")
    with pytest.raises(discord.HTTPException, match="429"):
        await channel.send("banned")
    assert stub.http_429 == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (10003, discord.NotFound),
        (50001, discord.Forbidden),
        (50007, discord.Forbidden),
        (200000, discord.HTTPException),
        (401, discord.HTTPException),
        (503, discord.DiscordServerError),
        ("reset_before", aiohttp.ClientConnectionError),
    ],
)
async def test_a_failure_on_order_reaches_the_bot_once(
    stub: DiscordStub, channel: discord.TextChannel, kind: int | str, error: type[Exception]
) -> None:
    stub.fail_next(kind, channel_id=CHANNEL)
    with pytest.raises(error):
        await channel.send("x")
    assert stub.messages == []
    await channel.send("x")
    assert len(stub.messages) == 1


async def test_a_message_whose_answer_is_lost_was_accepted(stub: DiscordStub, channel: discord.TextChannel) -> None:
    stub.fail_next("reset_after")
    with pytest.raises(aiohttp.ClientConnectionError):
        await channel.send("lost", nonce="1")
    stub.fail_next("stall_after")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(channel.send("held", nonce="2"), 0.1)
    assert [message.content for message in stub.messages] == ["lost", "held"]
    await channel.send("lost", nonce="1")
    assert len(stub.messages) == 2


async def test_a_closed_thread_is_opened_by_who_may(stub: DiscordStub) -> None:
    async def say() -> int:
        return await code(stub, "POST", f"/channels/{THREAD}/messages", content="x")

    async def open_it(channel_id: int = THREAD) -> int:
        return await code(stub, "PATCH", f"/channels/{channel_id}", archived=False)

    assert await say() == 0
    stub.set_thread(THREAD, archived=True)
    assert [await say(), await open_it(), await say()] == [50083, 0, 0]
    stub.set_thread(THREAD, locked=True)
    assert [await say(), await open_it()] == [160005, 50013]
    stub.set_thread(THREAD)
    assert [await say(), await open_it(CHANNEL)] == [0, 50013]
    assert await code(stub, "PATCH", f"/channels/{THREAD}", name="mine") == 50013


async def test_rights_come_from_the_guild_the_channel_and_time_outs(stub: DiscordStub) -> None:
    async def says(**body: Any) -> tuple[int, int]:
        return (
            await code(stub, "POST", f"/channels/{CHANNEL}/messages", **body),
            await code(stub, "POST", f"/channels/{THREAD}/messages", **body),
        )

    stub.rates = False
    stub.deny(CHANNEL, SEND)
    assert await says(content="x") == (50013, 0)
    stub.deny(CHANNEL, SEND_IN_THREADS)
    assert await says(content="x") == (0, 50013)
    stub.deny(CHANNEL, EMBED)
    assert await says(embeds=[{"title": "x"}]) == (50013, 50013)
    stub.deny(CHANNEL, 0)
    stub.set_everyone(GUILD, MEMBER & ~VIEW)
    assert await says(content="x") == (50001, 50001)
    stub.set_everyone(GUILD, MEMBER)
    stub.time_out(GUILD, "2999-01-01T00:00:00+00:00")
    assert await says(content="x") == (50013, 50013)
    stub.time_out(GUILD, None)
    assert await says(content="x") == (0, 0)


async def posted(stub: DiscordStub, number: int) -> int | str:
    """How a message fares: the status, or the name of what broke it."""
    timeout = aiohttp.ClientTimeout(total=5)
    url, headers = f"{stub.api_url}/channels/{CHANNEL}/messages", {"Authorization": f"Bot {stub.token}"}
    try:
        async with aiohttp.request(
            "POST", url, json={"content": str(number)}, headers=headers, timeout=timeout
        ) as answer:
            return answer.status
    except aiohttp.ClientError as error:
        return type(error).__name__


@pytest.mark.parametrize("kind", ALL_FAULTS)
async def test_every_failure_comes_on_order(stub: DiscordStub, kind: int | str) -> None:
    stub.fail_next(kind, stall=0.05)
    fared = await posted(stub, 1)
    acted = kind in ("reset_after", "502_after", "stall_after")
    assert [message.content for message in stub.messages] == ["1"] * acted
    if isinstance(kind, int):
        assert fared == FAILURES[kind][0]
    assert fared != 200
    assert await posted(stub, 2) == 200


async def test_failures_come_at_random_as_often_as_wanted_and_the_same_again(stub: DiscordStub) -> None:
    async def fared(seed: int) -> list[int | str]:
        stub.misbehave(rate=0.2, seed=seed, stall=0.01)
        return [await posted(stub, number) for number in range(300)]

    stub.rates = False
    first = await fared(1)
    assert 30 <= sum(each != 200 for each in first) <= 90
    assert len(set(first)) > 6
    assert first == await fared(1) != await fared(2)
    stub.misbehave(rate=0)
    assert {await posted(stub, number) for number in range(50)} == {200}


async def test_only_the_wanted_kinds_come_to_the_wanted_requests(stub: DiscordStub) -> None:
    stub.rates = False
    stub.misbehave(rate=1, kinds=[503], on=r"GET /channels/\d+/messages")
    assert await posted(stub, 1) == 200
    async with ask(stub, "GET", f"/channels/{CHANNEL}/messages") as answer:
        assert answer.status == 503


async def test_for_benchmarks_it_keeps_counts_alone(stub: DiscordStub, clock: StandingClock) -> None:
    stub.counts_only, stub.rates = True, False
    body = {"content": "x", "nonce": "n", "enforce_nonce": True}
    ids = set()
    for _ in range(3):
        async with post(stub, body) as answer:
            ids.add((await answer.json())["id"])
    assert len(ids) == 1
    clock.at += 181
    async with post(stub, body) as answer:
        assert (await answer.json())["id"] not in ids
    assert (stub.accepted, stub.statuses) == (Counter({CHANNEL: 2}), Counter({200: 4}))
    assert stub.messages == stub.calls == []
