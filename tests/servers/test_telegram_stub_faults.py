"""The stub Bot API fails as the real server does, when it is told to and as often as it is told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from telegram import Bot
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
from telegram.request import HTTPXRequest

from tests.servers.telegram import ALL_FAULTS, TelegramStub

ADA, GROUP = 7, -100


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub(enforce_rates=False) as stub:
        stub.add_chat(ADA)
        stub.add_chat(GROUP, "supergroup", "Readers", topics=[5])
        yield stub


@pytest.fixture
async def bot(stub: TelegramStub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    async with Bot(stub.token, base_url=stub.api_url, request=HTTPXRequest(read_timeout=0.5)) as bot:
        yield bot


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        (500, NetworkError, "Internal Server Error"),
        (502, NetworkError, "Bad Gateway"),
        (504, NetworkError, "Gateway Time-?out"),
        ("late_504", NetworkError, "Gateway Time-?out"),
        ("forbidden_blocked", Forbidden, "bot was blocked by the user"),
        ("forbidden_kicked", Forbidden, "bot was kicked from the supergroup chat"),
        ("not_a_member", Forbidden, "bot is not a member of the supergroup chat"),
        ("chat_deleted", Forbidden, "the group chat was deleted"),
        ("deactivated", Forbidden, "user is deactivated"),
        ("chat_not_found", BadRequest, "Chat not found"),
        ("no_rights", BadRequest, "Not enough rights to send text messages to the chat"),
        ("write_forbidden", BadRequest, "Chat_write_forbidden"),
        ("thread_not_found", BadRequest, "Message thread not found"),
        ("topic_closed", BadRequest, "Topic_closed"),
        ("topic_deleted", BadRequest, "Topic_deleted"),
        ("cannot_parse", BadRequest, "Can't parse entities"),
        ("too_long", BadRequest, "Message is too long"),
        ("bad_button", BadRequest, "Button_data_invalid"),
        ("unauthorized", InvalidToken, "Unauthorized"),
        ("not_found", InvalidToken, "Not Found"),
        ("conflict", Conflict, "terminated by other getUpdates request"),
        ("retry_after", RetryAfter, "Retry in 0:00:05"),
        ("reset_before", NetworkError, "disconnected"),
        ("stall_before", NetworkError, "disconnected"),
    ],
)
async def test_an_ordered_fault_comes_once_and_nothing_is_sent(
    stub: TelegramStub, bot: Bot, kind: str | int, error: type[TelegramError], text: str
) -> None:
    stub.fail_next(kind, chat_id=GROUP, seconds=None if kind == "retry_after" else 0.05)
    await bot.send_message(ADA, "to another chat")
    with pytest.raises(error, match=text):
        await bot.send_message(GROUP, "x")
    assert len(stub.messages) == 1
    await bot.send_message(GROUP, "x")


async def test_a_group_that_moved_says_where_to(stub: TelegramStub, bot: Bot) -> None:
    stub.fail_next("migrated", to=-300)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(GROUP, "x")
    await bot.send_message(moved.value.new_chat_id, "x")
    assert stub.messages[0].chat_id == -300


@pytest.mark.parametrize(("kind", "error"), [("reset_after", NetworkError), ("stall_after", TimedOut)])
async def test_a_lost_answer_leaves_the_message_sent(
    stub: TelegramStub, bot: Bot, kind: str, error: type[TelegramError]
) -> None:
    stub.fail_next(kind)
    with pytest.raises(error):
        await bot.send_message(ADA, "x")
    assert [message.text for message in stub.messages] == ["x"]
    assert [call.status for call in stub.calls if call.method == "sendMessage"] == [0]


def test_what_is_no_failure_cannot_be_ordered(stub: TelegramStub) -> None:
    for kind, to in [("nonsense", None), ("migrated", None), ("500", -300)]:
        with pytest.raises(ValueError, match=kind):
            stub.fail_next(kind, to=to)


async def test_a_late_answer_is_the_right_one(stub: TelegramStub, bot: Bot) -> None:
    stub.fail_next("late", seconds=0.1)
    assert (await bot.send_message(ADA, "x")).message_id == stub.messages[0].message_id


async def test_on_bad_days_a_share_of_all_sends_goes_wrong_in_every_way_that_it_can(stub: TelegramStub) -> None:
    stub.add_chat(-5, "group", "Lab")
    stub.misbehave(0.5, seed=3, stall_seconds=0.01, flood_seconds=2)
    button = {"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]}
    answers: Counter[int] = Counter()
    async with aiohttp.ClientSession() as session:
        for number in range(1_200):
            where = [{"chat_id": ADA}, {"chat_id": GROUP}, {"chat_id": GROUP, "message_thread_id": 5}, {"chat_id": -5}]
            params = where[number % 4] | {"text": "<b>x</b>", "parse_mode": "HTML", "reply_markup": button}
            try:
                async with session.post(f"{stub.api_url}{stub.token}/sendMessage", json=params) as answer:
                    answers[answer.status] += 1
            except aiohttp.ClientError:
                answers[0] += 1
    given = stub.faults.given
    assert set(given) == set(ALL_FAULTS)
    assert 540 < given.total() < 660
    acted = sum(given[kind] for kind in ("reset_after", "stall_after", "late"))
    assert len(stub.messages) == 1_200 - given.total() + acted
    assert answers[0] == sum(times for kind, times in given.items() if kind.startswith(("reset", "stall")))
    assert answers[429] == given["retry_after"]
    assert stub.http_429 == 0


async def test_bad_days_come_as_ordered_and_end(stub: TelegramStub, bot: Bot) -> None:
    courses = []
    for _ in range(2):
        stub.misbehave(0.5, seed=7, kinds=["forbidden_blocked", "forbidden_kicked"])
        course = []
        for _ in range(20):
            try:
                course.append(str((await bot.send_message(ADA, "x")).chat.id))
            except Forbidden as refused:
                course.append(refused.message)
        courses.append(course)
    assert courses[0] == courses[1]
    assert set(courses[0]) == {str(ADA), "Forbidden: bot was blocked by the user"}
    stub.misbehave(0)
    for _ in range(20):
        await bot.send_message(ADA, "x")


async def test_some_sends_are_held_before_they_count_and_some_answers_after(stub: TelegramStub, bot: Bot) -> None:
    stub.jitter(share=1, seconds=0.3)
    chats = range(1_000, 1_010)
    for chat in chats:
        stub.add_chat(chat)
    sends = [asyncio.create_task(bot.send_message(chat, "x")) for chat in chats]
    while len([call for call in stub.calls if call.method == "sendMessage"]) < len(chats):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert 0 < len(stub.messages) < len(chats)
    assert not any(send.done() for send in sends)
    await asyncio.gather(*sends)
    assert len(stub.messages) == len(chats)
