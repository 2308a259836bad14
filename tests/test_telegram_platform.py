"""The Telegram adapter against a Bot API server on a real socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.cards.reply import Button, Reply
from bot.commands.request import Incoming
from bot.config import Telegram
from bot.delivery.port import Gone, Moved, Outcome, Refused, Sent, Uncertain, Wait
from bot.platforms.telegram.render import render
from bot.platforms.telegram.send import TelegramPlatform, classify
from bot.platforms.telegram.updates import TelegramUpdates
from tests.servers.telegram import TOKEN, TelegramStub

ADA, LIN, GROUP, CHANNEL = 7, 8, -100, -200
COMMANDS = [("start", "Begin", "开始"), ("status", "How things are", "现状")]
(HELLO,) = render(Reply(title="Hello", text="1 < 2", buttons=(Button("More", "more:1"),)))


@dataclass
class Hasty:
    """A clock on which nobody waits."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0.01)


@dataclass
class Listener:
    """What the rest of the bot hears, and what it says to it."""

    heard: list[Incoming] = field(default_factory=list)
    members: list[tuple[str, ...]] = field(default_factory=list)
    answers: Callable[[Incoming], Awaitable[Reply | None]] | None = None
    clock: Hasty = field(default_factory=Hasty)
    turns: list[str] = field(default_factory=list)

    async def answer(self, incoming: Incoming) -> Reply | None:
        self.heard.append(incoming)
        return await self.answers(incoming) if self.answers else Reply(text=f"You said {incoming.text}")

    async def joined(self, address: str) -> None:
        self.members.append(("joined", address))

    async def left(self, address: str, reason: str) -> None:
        self.members.append(("left", address, reason))

    async def moved(self, old: str, new: str) -> None:
        self.members.append(("moved", old, new))

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        self.turns.append(address)
        yield


def settings(stub: TelegramStub, token: str = TOKEN) -> Telegram:
    return Telegram(token=SecretStr(token), base_url=stub.api_url, base_file_url=f"{stub.url}/file/bot")


@asynccontextmanager
async def listening(at: Telegram, listener: Listener) -> AsyncIterator[TelegramUpdates]:
    updates = TelegramUpdates(
        at, listener.clock, COMMANDS, listener.answer, listener.joined, listener.left, listener.moved, listener.turn
    )
    await updates.start()
    try:
        yield updates
    finally:
        await updates.stop()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.01)


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub(enforce_rates=False) as stub:
        stub.add_user(ADA, "Ada", "zh-hans")
        stub.add_user(LIN, "Lin")
        stub.add_chat(ADA, title="Ada")
        stub.add_chat(GROUP, "supergroup", "Readers", topics=[5])
        stub.add_chat(CHANNEL, "channel", "News")
        yield stub


@pytest.fixture
async def platform(stub: TelegramStub) -> AsyncIterator[TelegramPlatform]:
    platform = TelegramPlatform(settings(stub))
    yield platform
    await platform.stop()


@pytest.fixture
async def listener(stub: TelegramStub) -> AsyncIterator[Listener]:
    listener = Listener()
    async with listening(settings(stub), listener):
        yield listener


# Sending


async def test_a_message_arrives_with_its_buttons_and_without_a_preview(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    outcome = await platform.send(str(ADA), HELLO, "d1/0")
    (message,) = stub.messages
    assert outcome == Sent(str(message.message_id))
    assert (message.chat_id, message.text, message.buttons) == (ADA, "Hello\n1 < 2", [[("More", "more:1")]])
    assert stub.calls[-1].params["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(("address", "thread"), [("-100", None), ("-100:5", 5), ("-100:1", None)])
async def test_a_topic_is_written_to_and_general_as_the_group(
    stub: TelegramStub, platform: TelegramPlatform, address: str, thread: int | None
) -> None:
    assert isinstance(await platform.send(address, HELLO, "k"), Sent)
    assert (stub.messages[0].chat_id, stub.messages[0].thread) == (GROUP, thread)


async def test_a_topic_that_is_no_more_is_gone_and_its_group_is_not_written_to(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    assert await platform.send("-100:6", HELLO, "k") == Gone("Message thread not found")
    assert not stub.messages


async def test_markup_that_cannot_be_parsed_is_sent_once_more_as_plain_text(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    payload = json.dumps({"text": "<p>a &amp; <b>b</b></p>", "buttons": []})
    with capture_logs() as logs:
        assert isinstance(await platform.send(str(ADA), payload, "k"), Sent)
    assert [message.text for message in stub.messages] == ["a & b"]
    assert [line["event"] for line in logs] == ["telegram.unparsed"]


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("retry_after", Wait("Flood control exceeded. Retry in 0:00:05", timedelta(seconds=5))),
        ("forbidden_blocked", Gone("Forbidden: bot was blocked by the user")),
        ("forbidden_kicked", Gone("Forbidden: bot was kicked from the private chat")),
        ("deactivated", Gone("Forbidden: user is deactivated")),
        ("chat_not_found", Gone("Chat not found")),
        ("no_rights", Gone("Not enough rights to send text messages to the chat")),
        ("topic_closed", Gone("Topic_closed")),
        ("too_long", Refused("Message is too long")),
        ("500", Uncertain("Internal Server Error")),
    ],
)
async def test_what_the_server_refuses_becomes_an_outcome(
    stub: TelegramStub, platform: TelegramPlatform, kind: str, outcome: Outcome
) -> None:
    stub.fail_next(kind)
    assert await platform.send(str(ADA), HELLO, "k") == outcome
    assert not stub.messages


@pytest.mark.parametrize("kind", ["502", "reset_before", "reset_after"])
async def test_an_answer_that_is_lost_leaves_it_uncertain(
    stub: TelegramStub, platform: TelegramPlatform, kind: str
) -> None:
    stub.fail_next(kind)
    assert isinstance(await platform.send(str(ADA), HELLO, "k"), Uncertain)


async def test_a_group_that_became_a_supergroup_says_where_it_is(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    stub.fail_next("migrated", to=-300)
    assert await platform.send(str(GROUP), HELLO, "k") == Moved("-300")


async def test_a_refused_token_halts_the_whole_platform_and_is_not_logged(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    stub.fail_next("unauthorized")
    with capture_logs() as logs:
        outcome = await platform.send(str(ADA), HELLO, "k")
    assert isinstance(outcome, Wait)
    assert outcome.whole_platform
    assert outcome.after == timedelta(minutes=10)
    assert [line["event"] for line in logs] == ["telegram.bot_refused"]
    assert TOKEN not in str(logs)


async def test_a_server_that_is_not_there_means_wait(stub: TelegramStub) -> None:
    platform = TelegramPlatform(Telegram(token=SecretStr(TOKEN), base_url="http://127.0.0.1:9/bot"))
    assert isinstance(await platform.send(str(ADA), HELLO, "k"), Wait)
    await platform.stop()


def caused(error: TelegramError, cause: Exception) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RetryAfter(3), Wait("Flood control exceeded. Retry in 0:00:03", timedelta(seconds=3))),
        (ChatMigrated(-5), Moved("-5")),
        (Forbidden("Forbidden: the group chat was deleted"), Gone("Forbidden: the group chat was deleted")),
        (BadRequest("Bad Request: CHAT_WRITE_FORBIDDEN"), Gone("Chat_write_forbidden")),
        (BadRequest("Bad Request: message thread not found"), Gone("Message thread not found")),
        (BadRequest("Bad Request: can't parse entities"), Refused("Can't parse entities")),
        (BadRequest("Bad Request: BUTTON_DATA_INVALID"), Refused("Button_data_invalid")),
        (caused(TimedOut("pool"), httpx.PoolTimeout("")), Wait("pool")),
        (caused(TimedOut("connect"), httpx.ConnectTimeout("")), Wait("connect")),
        (caused(NetworkError("connect"), httpx.ConnectError("")), Wait("connect")),
        (caused(TimedOut("read"), httpx.ReadTimeout("")), Uncertain("read")),
        (caused(TimedOut("write"), httpx.WriteTimeout("")), Uncertain("write")),
        (caused(NetworkError("read"), httpx.ReadError("")), Uncertain("read")),
        (NetworkError("Bad Gateway (502)"), Uncertain("Bad Gateway (502)")),
        (TelegramError("Invalid server response"), Uncertain("Invalid server response")),
        (InvalidToken(), Wait("Telegram refuses the bot's token", timedelta(minutes=10), whole_platform=True)),
        (Conflict("x"), Wait("Telegram refuses the bot's token", timedelta(minutes=10), whole_platform=True)),
        (KeyError("text"), Uncertain("KeyError('text')")),
    ],
)
def test_every_error_has_an_outcome(error: Exception, outcome: Outcome) -> None:
    assert classify(error) == outcome


# Listening


async def test_a_command_in_a_private_chat_is_answered(stub: TelegramStub, listener: Listener) -> None:
    stub.say(ADA, ADA, "/start cs.\u2060CL")
    message = await stub.wait_for(lambda message: message.chat_id == ADA)
    assert message.text.replace("\u2060", "") == "You said /start cs.CL"
    (incoming,) = listener.heard
    assert (incoming.platform, incoming.address, incoming.title) == ("telegram", str(ADA), "Ada")
    assert (incoming.text, incoming.is_group) == ("/start cs.CL", False)
    assert (incoming.sender.id, incoming.sender.name, incoming.sender.language) == (str(ADA), "Ada", "zh-hans")
    assert await incoming.sender.is_admin()


async def test_any_text_counts_in_a_private_chat_but_only_our_commands_in_a_group(
    stub: TelegramStub, listener: Listener
) -> None:
    stub.say(GROUP, ADA, "2502.14584")
    stub.say(GROUP, ADA, "/start@another_bot")
    stub.say(GROUP, ADA, "/status@Paperwire_Test_Bot now", thread=5)
    stub.say(ADA, ADA, "2502.14584")
    await until(lambda: len(listener.heard) == 2)
    assert {(incoming.address, incoming.text) for incoming in listener.heard} == {
        ("-100:5", "/status now"),
        ("7", "2502.14584"),
    }
    answer = await stub.wait_for(lambda message: message.chat_id == GROUP)
    assert answer.thread == 5


async def test_administrators_of_a_group_are_known_and_others_are_not(stub: TelegramStub, listener: Listener) -> None:
    stub.set_admin(GROUP, ADA)
    stub.say(GROUP, ADA, "/status")
    stub.say(GROUP, LIN, "/status")
    stub.say(GROUP, ADA, "/status", sender_chat=GROUP)
    stub.say(GROUP, LIN, "/status", sender_chat=CHANNEL)
    stub.say(CHANNEL, LIN, "/status")
    await until(lambda: len(listener.heard) == 5)
    rights = {(one.address, one.sender.id): await one.sender.is_admin() for one in listener.heard}
    assert rights == {
        ("-100", "7"): True,
        ("-100", "8"): False,
        ("-100", "-100"): True,
        ("-100", "-200"): False,
        ("-200", "-200"): True,
    }


async def test_a_button_is_answered_at_once_and_its_action_handed_on(
    stub: TelegramStub, platform: TelegramPlatform, listener: Listener
) -> None:
    await platform.send("-100:5", HELLO, "k")
    stub.press(stub.messages[0].message_id, GROUP, LIN, "more:1")
    await until(lambda: len(stub.messages) == 2)
    (incoming,) = listener.heard
    assert (incoming.address, incoming.action, incoming.text) == ("-100:5", "more:1", "")
    assert incoming.is_group
    assert incoming.sender.id == str(LIN)
    assert [call.status for call in stub.calls if call.method == "answerCallbackQuery"] == [200]


async def test_a_group_that_becomes_a_supergroup_is_followed(stub: TelegramStub, listener: Listener) -> None:
    stub.add_chat(-5, "group", "Lab")
    stub.migrate(-5, -1005)
    await until(lambda: listener.members)
    assert listener.members == [("moved", "-5", "-1005")]


async def test_a_flood_in_one_chat_does_not_hold_up_another(stub: TelegramStub, listener: Listener) -> None:
    stub.add_user(7)
    stub.add_user(8)
    slow = asyncio.Event()

    async def answers(incoming: Incoming) -> Reply | None:
        if incoming.address == "7":
            await slow.wait()
        return Reply("heard")

    listener.answers = answers
    for _ in range(1_200):
        stub.say(7, 7, "/help")
    stub.say(8, 8, "/help")
    await stub.wait_for(lambda message: message.chat_id == 8)
    slow.set()


async def test_being_thrown_out_and_let_in_again_is_told(stub: TelegramStub, listener: Listener) -> None:
    stub.member_changed(ADA, "member", "kicked", by=ADA)
    await until(lambda: len(listener.members) == 1)
    stub.member_changed(ADA, "kicked", "member", by=ADA)
    await until(lambda: len(listener.members) == 2)
    stub.member_changed(GROUP, "administrator", "left", by=LIN)
    await until(lambda: len(listener.members) == 3)
    assert listener.members == [
        ("left", "7", "blocked by the user"),
        ("joined", "7"),
        ("left", "-100", "not a member of the chat"),
    ]


async def test_a_chat_is_answered_in_order_and_does_not_hold_up_another(stub: TelegramStub) -> None:
    first_may_end = asyncio.Event()

    async def slowly(incoming: Incoming) -> Reply:
        if incoming.text == "/slow":
            await first_may_end.wait()
        return Reply(text=f"answer to {incoming.text}")

    listener = Listener(answers=slowly)
    async with listening(settings(stub), listener):
        stub.say(ADA, ADA, "/slow")
        stub.say(ADA, ADA, "/quick")
        stub.say(GROUP, LIN, "/other")
        await stub.wait_for(lambda message: message.chat_id == GROUP)
        first_may_end.set()
        await until(lambda: len(stub.messages) == 3)
    assert [message.text for message in stub.messages] == [
        "answer to /other",
        "answer to /slow",
        "answer to /quick",
    ]


async def test_each_message_of_an_answer_takes_a_turn_of_its_chat(stub: TelegramStub) -> None:
    async def long(_: Incoming) -> Reply:
        return Reply(text="Word after word. " * 500)

    listener = Listener(answers=long)
    async with listening(settings(stub), listener):
        stub.say(ADA, ADA, "/abstract")
        await until(lambda: len(stub.messages) == 3)
    assert listener.turns == [str(ADA)] * 3


async def test_a_reply_waits_out_a_flood_and_one_that_fails_ends_nothing(
    stub: TelegramStub, listener: Listener
) -> None:
    stub.fail_next("retry_after", seconds=9)
    stub.say(ADA, ADA, "/one")
    await stub.wait_for(lambda message: message.text == "You said /one")
    assert 9 in listener.clock.slept
    stub.fail_next("forbidden_blocked")
    stub.say(ADA, ADA, "/two")
    stub.say(ADA, ADA, "/three")
    await stub.wait_for(lambda message: message.text == "You said /three")
    assert len(stub.messages) == 2


async def test_an_error_in_a_command_is_logged_and_the_next_one_answered(stub: TelegramStub) -> None:
    async def fails(incoming: Incoming) -> Reply:
        if incoming.text == "/bad":
            raise ValueError
        return Reply(text="fine")

    with capture_logs() as logs:
        async with listening(settings(stub), Listener(answers=fails)):
            stub.say(ADA, ADA, "/bad")
            stub.say(ADA, ADA, "/good")
            await stub.wait_for(lambda message: message.text == "fine")
    assert "telegram.update_failed" in [line["event"] for line in logs]


async def test_the_menu_of_commands_speaks_english_and_chinese(stub: TelegramStub, listener: Listener) -> None:
    await until(lambda: len(stub.commands) == 2)
    assert [one["description"] for one in stub.commands["default", ""]] == ["Begin", "How things are"]
    assert [one["description"] for one in stub.commands["default", "zh"]] == ["开始", "现状"]


async def test_a_telegram_that_is_away_is_waited_for_with_one_line_in_the_log(stub: TelegramStub) -> None:
    stub.fail_next("502", method="getMe", times=3)
    listener = Listener()
    with capture_logs() as logs:
        async with listening(settings(stub), listener):
            stub.say(ADA, ADA, "/start")
            await stub.wait_for(lambda message: message.chat_id == ADA)
    assert listener.clock.slept[:3] == [1, 2, 4]
    assert [line["event"] for line in logs] == ["telegram.unreachable", "telegram.listening"]


async def test_a_poll_that_breaks_loses_no_update(stub: TelegramStub, listener: Listener) -> None:
    await until(lambda: any(call.method == "getUpdates" for call in stub.calls))
    stub.fail_next("500", method="getUpdates", times=2)
    stub.say(ADA, ADA, "/one")
    stub.say(ADA, ADA, "/two")
    await stub.wait_for(lambda message: message.text == "You said /two")
    assert [incoming.text for incoming in listener.heard] == ["/one", "/two"]


async def test_stopping_while_telegram_is_away_takes_no_time(stub: TelegramStub) -> None:
    nowhere = Telegram(token=SecretStr(TOKEN), base_url="http://127.0.0.1:9/bot")
    async with listening(nowhere, Listener()):
        await asyncio.sleep(0.1)
        before = time.monotonic()
    assert time.monotonic() - before < 1


async def test_a_wrong_token_is_reported_once_without_the_token(stub: TelegramStub) -> None:
    wrong = "123456789:" + "x" * 35
    with capture_logs() as logs:
        async with listening(settings(stub, wrong), Listener()):
            await until(lambda: logs)
            await asyncio.sleep(0.1)
    assert [line["event"] for line in logs] == ["telegram.token_refused"]
    assert wrong not in str(logs)
    assert len([call for call in stub.calls if call.method == "getMe"]) == 1


async def test_two_pollers_are_reported_once_a_minute(stub: TelegramStub) -> None:
    listener, other = Listener(), Listener()
    with capture_logs() as logs:
        async with listening(settings(stub), listener), listening(settings(stub), other):
            await until(lambda: len(listener.clock.slept) + len(other.clock.slept) > 6)
    conflicts = [line for line in logs if line["event"] == "telegram.conflict"]
    assert 1 <= len(conflicts) <= 2
