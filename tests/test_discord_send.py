"""Sending to Discord over real sockets: what leaves, what is found again, and what becomes of each failure."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import aiohttp
import discord
import pytest
import structlog
import yarl
from pydantic import SecretStr

from bot.cards.reply import Reply
from bot.config import Discord
from bot.delivery.port import Gone, Instead, Outcome, Sent, Shut, Uncertain, Wait
from bot.platforms.discord import connection, limits
from bot.platforms.discord.connection import DiscordSender
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform, nonce_of
from tests.builders import HandClock
from tests.servers.discord import EMBED, READ_HISTORY, SEND, SEND_IN_THREADS, VIEW, DiscordStub
from tests.test_discord_outcomes import DIGEST, HELLO

GUILD, CHANNEL, THREAD, USER = 10 << 22, 11, 70, 12
TOKEN = "MTA.abc.def-secret"
KNOWN_FOR, FORGOTTEN_AFTER = 120, 181
"""Seconds: within the first a nonce is sure to be known, after the second it is forgotten."""


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch, clock: HandClock) -> AsyncIterator[DiscordStub]:
    # Both are set for the whole process when the bot starts.
    monkeypatch.setattr(discord.http.Route, "BASE", "")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL())
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    async with DiscordStub(clock.epoch, token=TOKEN) as stub:
        stub.rates = False
        stub.add_guild(GUILD, "Readers")
        stub.add_channel(CHANNEL, GUILD, "papers")
        stub.add_channel(THREAD, GUILD, "today", type=11, parent_id=CHANNEL)
        stub.add_user(USER, "Ada")
        yield stub


def sender_to(stub: DiscordStub, clock: HandClock, token: str = TOKEN) -> DiscordSender:
    return DiscordSender(Discord(token=SecretStr(token), api_url=stub.api_url, gateway_url=stub.gateway_url), clock)


async def logged_in(sender: DiscordSender) -> None:
    await sender.start()
    async with asyncio.timeout(5):
        while sender.client() is None:
            await asyncio.sleep(0.01)


@pytest.fixture
async def platform(stub: DiscordStub, clock: HandClock) -> AsyncIterator[DiscordPlatform]:
    sender = sender_to(stub, clock)
    await logged_in(sender)
    yield DiscordPlatform(sender, clock)
    await sender.stop()


async def send(
    platform: DiscordPlatform,
    payload: str = HELLO,
    key: str = "digest-7-0",
    address: int = CHANNEL,
    doubt: datetime | None = None,
) -> Outcome:
    return await platform.send(str(address), payload, key, doubt)


def requests(stub: DiscordStub) -> list[str]:
    """What was asked after the login."""
    return [call.method for call in stub.calls if call.path.startswith("/channels/")]


async def test_a_message_arrives_and_mentions_nobody(stub: DiscordStub, platform: DiscordPlatform) -> None:
    outcome = await send(platform)
    (message,) = stub.messages
    assert outcome == Sent(str(message.message_id))
    assert (message.content, message.nonce, message.allowed_mentions) == ("Hello", "digest-7-0", {"parse": []})


async def test_who_only_sends_needs_no_gateway(stub: DiscordStub, platform: DiscordPlatform) -> None:
    assert isinstance(await send(platform), Sent)
    assert not stub.connected
    assert stub.commands == {}


@pytest.mark.parametrize("key", ["d7-0", "access-discord-1234567890123456789-42-0"])
def test_a_key_of_any_length_makes_a_nonce_that_discord_takes(key: str) -> None:
    assert len(nonce_of(key)) <= 25
    assert nonce_of(key) == nonce_of(key) != nonce_of(key + "1")


async def test_a_channel_takes_what_the_pace_lets_through_and_answers_at_once(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    stub.rates = True
    pace = platform.pace.per_chat
    async with asyncio.timeout(4):  # discord.py holds an answer back for 5 seconds where nothing is left
        for number in range(3 * pace.count):
            if number and number % pace.count == 0:
                clock.turn(seconds=pace.window.total_seconds())
            assert isinstance(await send(platform, key=f"k{number}"), Sent)
    assert (platform.pace.overall.count, platform.pace.overall.window) == (50, timedelta(seconds=1))
    assert stub.http_429 == 0


# What is in doubt.


async def test_a_repeat_with_the_same_key_is_the_same_message(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    began = clock.now()
    stub.fail_next("reset_after")
    assert isinstance(await send(platform), Uncertain)
    clock.turn(seconds=30)
    assert isinstance(await send(platform, doubt=began), Sent)
    assert len(stub.messages) == 1
    assert "GET" not in requests(stub)
    await send(platform, key="digest-7-1")
    assert len(stub.messages) == 2


async def test_a_request_that_may_have_arrived_stays_in_doubt_whatever_its_repeat_is_told(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    began = clock.now()
    stub.fail_next("502_after")
    stub.fail_next("rate", retry_after=600)  # for the repeat by discord.py itself
    assert isinstance(await send(platform), Uncertain)
    clock.turn(seconds=600)
    assert await send(platform, doubt=began) == Sent(str(stub.messages[0].message_id))


@pytest.mark.parametrize("payload", [HELLO, DIGEST, render(Reply("  spaces  around  \n\n and\nin  "))[0]])
@pytest.mark.parametrize("seconds", [KNOWN_FOR, FORGOTTEN_AFTER, 86_400])
async def test_a_message_in_doubt_whose_nonce_is_old_is_found_in_the_history(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock, payload: str, seconds: float
) -> None:
    began = clock.now()
    stub.fail_next("reset_after")
    assert isinstance(await send(platform, payload), Uncertain)
    stub.say(CHANNEL, USER, "Hello")
    clock.turn(seconds=seconds)
    outcome = await send(platform, payload, doubt=began)
    assert outcome == Sent(str(stub.messages[0].message_id))
    assert len(stub.messages) == 1


async def test_a_message_in_doubt_that_never_arrived_is_sent(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    await send(platform, render(Reply("Something else"))[0], "other")
    stub.say(CHANNEL, USER, "Hello")
    began = clock.now()
    stub.fail_next("reset_before")
    assert isinstance(await send(platform), Uncertain)
    clock.turn(seconds=FORGOTTEN_AFTER)
    assert isinstance(await send(platform, doubt=began), Sent)
    assert [message.content for message in stub.messages] == ["Something else", "Hello"]


async def test_it_is_found_beneath_what_others_wrote_since(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    for _ in range(150):
        stub.say(CHANNEL, USER, "chatter")
    began = clock.now()
    stub.fail_next("reset_after")
    await send(platform)
    for _ in range(150):
        stub.say(CHANNEL, USER, "chatter")
    clock.turn(seconds=FORGOTTEN_AFTER)
    assert await send(platform, doubt=began) == Sent(str(stub.messages[0].message_id))
    assert requests(stub).count("GET") == 2


async def test_what_was_sent_long_before_is_not_taken_for_it(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    await send(platform, key="yesterday")
    began = clock.turn(days=1)
    clock.turn(seconds=FORGOTTEN_AFTER)
    assert isinstance(await send(platform, key="today", doubt=began), Sent)
    assert len(stub.messages) == 2


async def test_an_answer_to_a_command_is_not_taken_for_it(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    headers = {"Authorization": f"Bot {TOKEN}"}
    command = {"name": "hello", "description": "Greet"}
    path = f"{stub.api_url}/applications/{stub.application_id}/commands"
    async with aiohttp.request("POST", path, json=command, headers=headers) as response:
        assert response.status == 201
    began = clock.now()
    asked = stub.command(CHANNEL, USER, "hello")
    path = f"{stub.api_url}/interactions/{asked.id}/{asked.token}/callback"
    async with aiohttp.request("POST", path, json={"type": 4, "data": json.loads(HELLO)}) as response:
        assert response.status == 204
    clock.turn(seconds=FORGOTTEN_AFTER)
    assert isinstance(await send(platform, doubt=began), Sent)
    assert len(stub.messages) == 1


@pytest.mark.parametrize("refusal", [None, 50013, 50001])
async def test_where_the_history_is_closed_it_is_sent_again(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock, refusal: int | None
) -> None:
    began = clock.now()
    stub.fail_next("reset_after")
    await send(platform)
    clock.turn(seconds=FORGOTTEN_AFTER)
    if refusal:
        stub.fail_next(refusal, on=r"GET /channels/\d+/messages")
    else:
        stub.deny(CHANNEL, READ_HISTORY)
    assert isinstance(await send(platform, doubt=began), Sent)
    assert len(stub.messages) == 2


@pytest.mark.parametrize("fault", [503, "reset_before", "rate_without_via", 401])
async def test_where_the_history_does_not_answer_it_waits(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock, fault: int | str
) -> None:
    stub.fail_next(fault, on=r"GET /channels/\d+/messages", times=5)
    outcome = await send(platform, doubt=clock.now() - timedelta(hours=1))
    assert isinstance(outcome, Wait)
    assert outcome.whole_platform == (fault in (401, "rate_without_via"))
    assert stub.messages == []


async def test_an_attempt_without_an_answer_is_given_up(stub: DiscordStub, clock: HandClock) -> None:
    sender = sender_to(stub, clock)
    await logged_in(sender)
    platform = DiscordPlatform(sender, clock, answer_within=timedelta(seconds=0.2))
    stub.fail_next("stall_after")
    assert isinstance(await send(platform), Uncertain)
    # What waits for a rate limit has not left yet.
    stub.fail_next("rate", retry_after=20)
    assert isinstance(await send(platform, key="k2"), Wait)
    assert len(stub.messages) == 1
    await sender.stop()


# What Discord says no to.


async def test_a_429_is_sat_out(stub: DiscordStub, platform: DiscordPlatform) -> None:
    stub.fail_next("rate", retry_after=0.1)
    assert isinstance(await send(platform), Sent)


@pytest.mark.parametrize(("kind", "whole_platform"), [("rate", False), ("rate_global", True)])
async def test_a_429_that_lasts_too_long_is_told_to_the_courier_with_its_scope(
    stub: DiscordStub, platform: DiscordPlatform, kind: str, whole_platform: bool
) -> None:
    stub.fail_next(kind, retry_after=600.0)
    outcome = await send(platform)
    assert isinstance(outcome, Wait)
    assert (outcome.after, outcome.whole_platform) == (timedelta(seconds=600), whole_platform)


async def test_a_ban_silences_everything_for_as_long_as_it_says(stub: DiscordStub, platform: DiscordPlatform) -> None:
    stub.fail_next("rate_without_via", retry_after=1234.0)
    outcome = await send(platform)
    assert isinstance(outcome, Wait)
    assert (outcome.after, outcome.whole_platform, outcome.alert) == (timedelta(seconds=1234), True, "banned")


@pytest.mark.parametrize(
    ("denied", "place"), [(SEND, CHANNEL), (EMBED, CHANNEL), (VIEW, CHANNEL), (SEND_IN_THREADS, THREAD)]
)
async def test_a_channel_without_rights_is_shut(
    stub: DiscordStub, platform: DiscordPlatform, denied: int, place: int
) -> None:
    stub.deny(CHANNEL, denied)
    outcome = await send(platform, DIGEST, address=place)
    assert isinstance(outcome, Shut)
    assert outcome.alert == "no_rights"


async def test_an_archived_thread_is_opened_again(stub: DiscordStub, platform: DiscordPlatform) -> None:
    stub.set_thread(THREAD, archived=True)
    outcome = await send(platform, address=THREAD)
    assert outcome == Sent(str(stub.messages[0].message_id))
    assert requests(stub) == ["POST", "PATCH", "POST"]


@pytest.mark.parametrize("archived", [True, False])
async def test_a_locked_thread_is_shut(stub: DiscordStub, platform: DiscordPlatform, archived: bool) -> None:
    stub.set_thread(THREAD, archived=archived, locked=True)
    assert isinstance(await send(platform, address=THREAD), Shut)
    assert stub.messages == []


@pytest.mark.parametrize(
    ("fault", "outcome"), [(503, Wait), ("reset_before", Wait), (50013, Shut), (10003, Gone), (50083, Shut)]
)
async def test_a_thread_that_cannot_be_opened_says_why(
    stub: DiscordStub, platform: DiscordPlatform, fault: int | str, outcome: type[Outcome]
) -> None:
    stub.set_thread(THREAD, archived=True)
    stub.fail_next(fault, on=r"PATCH /channels/\d+")
    assert isinstance(await send(platform, address=THREAD), outcome)
    assert stub.messages == []


async def test_too_many_refused_requests_silence_everything_long_before_a_ban(
    stub: DiscordStub, platform: DiscordPlatform, clock: HandClock
) -> None:
    stub.fail_next(50013, times=5_000)
    asked = 0
    while not isinstance(outcome := await send(platform), Wait):
        asked += 1
        clock.turn(seconds=0.1)
    assert asked < 10_000 / 3
    assert (outcome.whole_platform, outcome.alert) == (True, "banned")
    assert outcome.after is not None
    clock.turn(seconds=outcome.after.total_seconds())
    assert isinstance(await send(platform), Shut)


async def test_429s_that_discord_py_sits_out_count_too(stub: DiscordStub, clock: HandClock) -> None:
    sender = sender_to(stub, clock)
    for _ in range(limits.INVALID - 1):
        sender.invalid.add(clock.now())
    await logged_in(sender)
    stub.fail_next("rate", retry_after=0.01)
    assert isinstance(await send(DiscordPlatform(sender, clock)), Sent)
    assert sender.invalid.pause(clock.now()) == timedelta(minutes=10)
    await sender.stop()


async def test_discords_own_objections_lead_to_messages_that_it_takes(
    stub: DiscordStub, platform: DiscordPlatform
) -> None:
    body = json.loads(DIGEST)
    too_much = body | {"embeds": [embed | {"description": "word " * 300} for embed in body["embeds"]]}
    bad_link = body | {"embeds": [body["embeds"][0] | {"url": "ftp://arxiv.org"}, *body["embeds"][1:]]}
    for malformed, count in ((too_much, 2), (bad_link, 1)):
        outcome = await send(platform, json.dumps(malformed))
        assert isinstance(outcome, Instead)
        assert len(outcome.payloads) == count
        for number, payload in enumerate(outcome.payloads):
            assert isinstance(await send(platform, payload, f"{count}-{number}"), Sent)


# The connection.


async def test_before_discord_is_connected_messages_wait(stub: DiscordStub, clock: HandClock) -> None:
    outcome = await send(DiscordPlatform(sender_to(stub, clock), clock))
    assert isinstance(outcome, Wait)
    assert outcome.alert is None
    assert stub.calls == []


async def test_a_refused_token_is_told_once_and_silences_everything(stub: DiscordStub, clock: HandClock) -> None:
    sender = sender_to(stub, clock, token="guessed.to.kennung")
    with structlog.testing.capture_logs() as logs:
        await sender.start()
        async with asyncio.timeout(5):
            while not sender.token_refused:
                await asyncio.sleep(0.01)
    outcome = await send(DiscordPlatform(sender, clock))
    assert isinstance(outcome, Wait)
    assert (outcome.whole_platform, outcome.alert) == (True, "token")
    assert [line["event"] for line in logs] == ["discord.token_refused"]
    assert len(stub.calls) == 1
    await sender.stop()


async def test_a_token_that_is_taken_back_silences_everything(stub: DiscordStub, platform: DiscordPlatform) -> None:
    stub.token = "new"
    outcome = await send(platform)
    assert isinstance(outcome, Wait)
    assert (outcome.whole_platform, outcome.alert) == (True, "token")
    assert TOKEN not in outcome.reason


async def test_an_unreachable_discord_is_told_once_and_tried_until_it_answers(
    stub: DiscordStub, clock: HandClock
) -> None:
    stub.fail_next(503, times=3, on="GET /users/@me")
    sender = sender_to(stub, clock)
    with structlog.testing.capture_logs() as logs:
        await logged_in(sender)
    assert isinstance(await send(DiscordPlatform(sender, clock)), Sent)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["discord.unreachable"]
    await sender.stop()
