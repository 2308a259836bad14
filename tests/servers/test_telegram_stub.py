"""The stub Bot API answers python-telegram-bot as the real server would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from telegram import (
    Bot,
    BotCommand,
    ChatMember,
    ChatMemberAdministrator,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Update,
)
from telegram.error import (
    BadRequest,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    RetryAfter,
)
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes
from telegram.request import HTTPXRequest

from tests.servers.stub import StandingClock
from tests.servers.telegram import LeanTelegramStub, Message, TelegramStub
from tests.servers.telegram.limits import Rates

ADA, GROUP, CHANNEL = 7, -100, -200


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def stub(clock: StandingClock) -> AsyncIterator[TelegramStub]:
    async with TelegramStub(now=clock) as stub:
        stub.add_user(ADA, "Ada", "zh-hans")
        stub.add_chat(ADA)
        stub.add_chat(GROUP, "supergroup", "Readers", topics=[5])
        stub.add_chat(CHANNEL, "channel", "News")
        yield stub


@pytest.fixture
async def bot(stub: TelegramStub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    async with Bot(stub.token, base_url=stub.api_url, request=HTTPXRequest(read_timeout=0.5)) as bot:
        yield bot


async def test_a_message_arrives_as_plain_text_with_its_entities_and_buttons(
    stub: TelegramStub, bot: Bot, clock: StandingClock
) -> None:
    keyboard = [
        [InlineKeyboardButton("More", callback_data="more:1"), InlineKeyboardButton("PDF", url="https://a.b/c")]
    ]
    sent = await bot.send_message(
        ADA,
        ' <b>New</b> 😀 &amp; <a href="https://a.b/">old</a>\n',
        parse_mode="HTML",
        reply_markup=InlineKeyboardMarkup(keyboard),
    )
    assert (sent.text, sent.chat.id, sent.date.timestamp()) == ("New 😀 & old", ADA, clock.at)
    assert [sent.parse_entity(entity) for entity in sent.entities] == ["New", "old"]
    bold = {"type": "bold", "offset": 0, "length": 3}
    link = {"type": "text_link", "offset": 9, "length": 3, "url": "https://a.b/"}
    buttons = [[("More", "more:1"), ("PDF", "https://a.b/c")]]
    assert stub.messages == [Message(clock.at, ADA, sent.message_id, "New 😀 & old", [bold, link], buttons)]


@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("<p>x</p>", 'Unsupported start tag "p" at byte offset 0'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
    ],
)
async def test_bad_html_is_refused_in_the_words_of_the_real_server(stub: TelegramStub, html: str, why: str) -> None:
    async with httpx.AsyncClient() as client:
        message = {"chat_id": ADA, "text": html, "parse_mode": "HTML"}
        refused = await client.post(f"{stub.api_url}{stub.token}/sendMessage", json=message)
    description = f"Bad Request: can't parse entities: {why}"
    assert refused.json() == {"ok": False, "error_code": 400, "description": description}
    assert not stub.messages


@pytest.mark.parametrize(
    ("text", "accepted"), [("😀" * 2_048, True), ("😀" * 2_048 + "x", False), ("<b>x</b>" * 4, True)]
)
async def test_a_text_is_measured_in_utf16_units_after_parsing(
    stub: TelegramStub, bot: Bot, text: str, accepted: bool
) -> None:
    if accepted:
        await bot.send_message(ADA, text, parse_mode="HTML")
    else:
        with pytest.raises(BadRequest, match="Message is too long"):
            await bot.send_message(ADA, text, parse_mode="HTML")
    assert len(stub.messages) == accepted


@pytest.mark.parametrize("text", ["<b></b>", " \n "])
async def test_a_message_of_nothing_is_refused(bot: Bot, text: str) -> None:
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(ADA, text, parse_mode="HTML")


async def test_entities_past_the_hundredth_are_dropped_and_noted(stub: TelegramStub, bot: Bot) -> None:
    sent = await bot.send_message(ADA, "<b>x</b> " * 101, parse_mode="HTML")
    assert len(sent.entities) == 100
    assert stub.violations == [f"101 entities in a message to {ADA}"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[InlineKeyboardButton("x", callback_data="é" * 33)]], "Button_data_invalid"),
        ([[InlineKeyboardButton("x", callback_data="x")]] * 101, "Reply markup is too long"),
    ],
)
async def test_keyboards_past_the_limits_are_refused(
    bot: Bot, rows: list[list[InlineKeyboardButton]], why: str
) -> None:
    with pytest.raises(BadRequest, match=why):
        await bot.send_message(ADA, "x", reply_markup=InlineKeyboardMarkup(rows))


async def test_a_row_of_nine_buttons_is_noted(stub: TelegramStub, bot: Bot) -> None:
    row = [InlineKeyboardButton("x", callback_data="x")] * 9
    await bot.send_message(ADA, "x", reply_markup=InlineKeyboardMarkup([row]))
    assert len(stub.violations) == 1


@pytest.mark.parametrize(
    ("chat", "thread", "why"),
    [
        (404, None, "Chat not found"),
        (GROUP, 1, "Message thread not found"),
        (GROUP, 6, "Message thread not found"),
    ],
)
async def test_a_place_that_does_not_exist_is_refused(bot: Bot, chat: int, thread: int | None, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        await bot.send_message(chat, "x", message_thread_id=thread)


async def test_a_topic_takes_messages(stub: TelegramStub, bot: Bot) -> None:
    sent = await bot.send_message(GROUP, "x", message_thread_id=5)
    assert sent.message_thread_id == stub.messages[0].thread == 5


async def test_a_chat_takes_one_message_a_second(stub: TelegramStub, bot: Bot, clock: StandingClock) -> None:
    await bot.send_message(ADA, "one")
    clock.at += 0.9999
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(ADA, "two")
    assert refused.value.retry_after == timedelta(seconds=1)
    clock.at += 0.0001
    await bot.send_message(ADA, "three")
    assert [message.text for message in stub.messages] == ["one", "three"]
    assert stub.http_429 == 1


async def test_a_group_takes_twenty_messages_a_minute(stub: TelegramStub, bot: Bot, clock: StandingClock) -> None:
    for _ in range(20):
        await bot.send_message(CHANNEL, "x")
        clock.at += 1
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(CHANNEL, "x")
    assert refused.value.retry_after == timedelta(seconds=40)
    clock.at += 40
    await bot.send_message(CHANNEL, "x")


async def test_all_chats_together_take_thirty_messages_a_second(
    stub: TelegramStub, bot: Bot, clock: StandingClock
) -> None:
    for chat in range(1_000, 1_031):
        stub.add_chat(chat)
    for chat in range(1_000, 1_030):
        await bot.send_message(chat, "x")
    clock.at += 0.9999
    with pytest.raises(RetryAfter):
        await bot.send_message(1_030, "x")
    clock.at += 0.0001
    await bot.send_message(1_030, "x")


async def test_a_paid_message_is_taken_where_a_free_one_is_not_and_is_charged(stub: TelegramStub, bot: Bot) -> None:
    for chat in range(1_000, 1_031):
        stub.add_chat(chat)
    for chat in range(1_000, 1_030):
        await bot.send_message(chat, "x", allow_paid_broadcast=True)
    with pytest.raises(RetryAfter):
        await bot.send_message(1_030, "x")
    assert stub.rates.paid == 0
    await bot.send_message(1_030, "x", allow_paid_broadcast=True)
    assert stub.rates.paid == 1
    with pytest.raises(RetryAfter):
        await bot.send_message(1_030, "x", allow_paid_broadcast=True)


def test_a_paid_broadcast_takes_a_thousand_messages_a_second() -> None:
    rates = Rates()
    assert [rates.wait(chat, 100.0, is_group=False, pays=True) for chat in range(1_000)] == [0.0] * 1_000
    assert rates.wait(1_000, 100.75, is_group=False, pays=True) == 0.25
    assert rates.wait(1_000, 101.0, is_group=False, pays=True) == 0.0
    assert rates.paid == 970


async def test_rates_can_be_switched_off(clock: StandingClock) -> None:
    async with TelegramStub(now=clock, enforce_rates=False) as stub, Bot(stub.token, base_url=stub.api_url) as bot:
        stub.add_chat(ADA)
        first, second = [await bot.send_message(ADA, "x") for _ in range(2)]
        assert second.message_id > first.message_id


async def test_a_long_poll_wakes_when_somebody_writes(stub: TelegramStub, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=5))
    await asyncio.sleep(0.05)
    update_id = stub.say(GROUP, ADA, "/start@paperwire_test_bot cs.CL", thread=5)
    (update,) = await poll
    assert update.update_id == update_id
    assert update.message is not None
    assert list(update.message.parse_entities(["bot_command"]).values()) == ["/start@paperwire_test_bot"]
    assert update.message.message_thread_id == 5
    assert await bot.get_updates(offset=update_id + 1) == ()


async def test_a_long_poll_ends_empty_after_its_real_seconds(bot: Bot) -> None:
    async with asyncio.timeout(3):
        assert await bot.get_updates(timeout=1) == ()


async def test_an_anonymous_admin_and_a_channel_speak_without_a_person(stub: TelegramStub, bot: Bot) -> None:
    stub.say(GROUP, ADA, "/status", sender_chat=GROUP)
    stub.say(CHANNEL, ADA, "/status")
    anonymous, post = await bot.get_updates()
    assert anonymous.message is not None
    assert anonymous.message.from_user is not None
    assert anonymous.message.from_user.username == "GroupAnonymousBot"
    assert post.channel_post is not None
    assert post.channel_post.from_user is None


async def test_the_older_of_two_pollers_is_told_of_the_conflict(stub: TelegramStub, bot: Bot) -> None:
    async with Bot(stub.token, base_url=stub.api_url) as second_bot:
        older = asyncio.create_task(bot.get_updates(timeout=5))
        await asyncio.sleep(0.05)
        newer = asyncio.create_task(second_bot.get_updates(timeout=5))
        with pytest.raises(Conflict, match="make sure that only one bot instance is running"):
            await older
        stub.say(ADA, ADA, "hi")
        assert len(await newer) == 1


async def test_a_whole_application_hears_commands_and_buttons(stub: TelegramStub) -> None:
    edited = asyncio.Event()

    async def start(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        markup = InlineKeyboardMarkup([[InlineKeyboardButton("More", callback_data="more")]])
        await update.message.reply_text("Hello", reply_markup=markup)

    async def more(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.callback_query is not None
        await update.callback_query.answer()
        await update.callback_query.edit_message_text(f"You pressed {update.callback_query.data}")
        edited.set()

    application = Application.builder().token(stub.token).base_url(stub.api_url).build()
    application.add_handlers([CommandHandler("start", start), CallbackQueryHandler(more)])
    assert application.updater is not None
    async with application:
        await application.start()
        await application.updater.start_polling(timeout=1)
        stub.say(ADA, ADA, "/start")
        greeting = await stub.wait_for(lambda message: message.text == "Hello")
        stub.press(greeting.message_id, ADA, ADA, "more")
        async with asyncio.timeout(5):
            await edited.wait()
        await application.updater.stop()
        await application.stop()
    assert stub.shown[ADA, greeting.message_id].text == "You pressed more"
    assert stub.shown[ADA, greeting.message_id].buttons == []
    assert stub.messages == [greeting]


async def test_an_edit_that_changes_nothing_and_one_of_a_missing_message_are_refused(bot: Bot) -> None:
    sent = await bot.send_message(ADA, "x")
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("x", ADA, sent.message_id)
    await bot.delete_message(ADA, sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("y", ADA, sent.message_id)


async def test_a_query_that_nobody_made_is_too_old_to_answer(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query("99")


async def test_a_chat_that_blocks_or_removes_the_bot_refuses_its_messages(stub: TelegramStub, bot: Bot) -> None:
    stub.member_changed(ADA, "member", "kicked", by=ADA)
    stub.member_changed(GROUP, "administrator", "left", by=ADA)
    blocked, removed = await bot.get_updates(allowed_updates=["my_chat_member"])
    assert blocked.my_chat_member is not None
    assert blocked.my_chat_member.new_chat_member.status == ChatMember.BANNED
    assert removed.my_chat_member is not None
    assert removed.my_chat_member.old_chat_member.status == ChatMember.ADMINISTRATOR
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ADA, "x")
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_message(GROUP, "x")
    stub.member_changed(ADA, "kicked", "member", by=ADA)
    await bot.send_message(ADA, "x")


@pytest.mark.parametrize("status", ["creator", "administrator", "member", "restricted", "left", "kicked"])
async def test_every_status_is_one_that_the_library_can_read(stub: TelegramStub, bot: Bot, status: str) -> None:
    stub.member_changed(GROUP, "member", status, by=ADA)  # type: ignore[arg-type]
    (update,) = await bot.get_updates()
    assert update.my_chat_member is not None
    assert update.my_chat_member.new_chat_member.status == status


async def test_updates_that_were_not_asked_for_do_not_come(stub: TelegramStub, bot: Bot) -> None:
    await bot.get_updates(allowed_updates=["message"])
    stub.member_changed(GROUP, "left", "member", by=ADA)
    stub.say(ADA, ADA, "hi")
    assert [update.message is not None for update in await bot.get_updates()] == [True]


async def test_admins_members_and_chats_can_be_asked_for(stub: TelegramStub, bot: Bot) -> None:
    stub.add_user(8, "Lin")
    stub.set_admin(GROUP, ADA)
    assert [member.user.id for member in await bot.get_chat_administrators(GROUP)] == [ADA]
    assert (await bot.get_chat_member(GROUP, ADA)).status == ChatMember.ADMINISTRATOR
    assert (await bot.get_chat_member(GROUP, 8)).status == ChatMember.MEMBER
    assert (await bot.get_chat(GROUP)).title == "Readers"
    assert (await bot.get_me()).username == "paperwire_test_bot"
    await bot.leave_chat(GROUP)
    with pytest.raises(Forbidden):
        await bot.get_chat(GROUP)


async def test_a_public_channel_is_found_by_its_name_and_shows_its_members_to_members_alone(
    stub: TelegramStub, bot: Bot
) -> None:
    stub.add_chat(-200, "channel", "News", username="Paper_News")
    assert (await bot.get_chat("@paper_news")).id == -200
    member = await bot.get_chat_member("@paper_news", bot.id)
    assert isinstance(member, ChatMemberAdministrator)
    assert member.can_post_messages
    stub.set_status(-200, bot.id, "left")
    assert (await bot.get_chat("@Paper_News")).title == "News"
    with pytest.raises(BadRequest, match="Member list is inaccessible"):
        await bot.get_chat_member(-200, ADA)
    stub.add_chat(-300, "channel", "Hidden")
    stub.set_status(-300, bot.id, "left")
    for wanted in (-300, "@nowhere"):
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.get_chat(wanted)


async def test_commands_are_kept_by_scope_and_language(stub: TelegramStub, bot: Bot) -> None:
    await bot.set_my_commands([BotCommand("start", "Begin")], language_code="zh")
    assert stub.commands["default", "zh"] == [{"command": "start", "description": "Begin"}]
    assert await bot.get_my_commands(language_code="zh") == (BotCommand("start", "Begin"),)
    await bot.delete_my_commands(language_code="zh")
    assert await bot.get_my_commands(language_code="zh") == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([BotCommand("Start", "Begin")])


async def test_a_message_is_announced_before_its_answer_leaves(stub: TelegramStub, bot: Bot) -> None:
    statuses: list[int] = []
    stub.on_accept = lambda _: statuses.append(stub.calls[-1].status)
    await bot.send_message(ADA, "x")
    assert statuses == [0]
    assert stub.calls[-1].status == 200


async def test_a_wrong_token_and_an_unknown_method_are_refused(stub: TelegramStub, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with Bot("1:wrong", base_url=stub.api_url):
            pass
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("sendNothing")


async def test_waiting_for_a_message_that_never_comes_times_out(stub: TelegramStub) -> None:
    with pytest.raises(TimeoutError):
        await stub.wait_for(lambda _: True, timeout=0.05)


async def test_the_lean_stub_counts_what_it_does_not_keep(
    clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    async with LeanTelegramStub(now=clock) as stub, Bot(stub.token, base_url=stub.api_url) as bot:
        heard: list[Message] = []
        stub.on_accept = heard.append
        sent = await bot.send_message(-7, "<b>unread", parse_mode="HTML")
        with pytest.raises(RetryAfter):
            await bot.send_message(-7, "x")
        assert (sent.chat.type, sent.message_id, heard[0].message_id) == ("supergroup", 1, 1)
        assert (stub.accepted, stub.got, stub.http_429) == (1, {-7: 1}, 1)
        assert (stub.messages, stub.calls) == ([], [])
