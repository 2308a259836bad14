"""What people say, press and change in Telegram, and what they are answered, over a real socket."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bot.cards.reply import Button, File, Reply
from bot.commands.request import Incoming
from tests.servers.telegram import TelegramStub
from tests.telegram_listener import (
    ADA,
    CHANNEL,
    GROUP,
    LIN,
    Listener,
    listener,
    listening,
    settings,
    stub,
    until,
    with_a_button,
)

__all__ = ["listener", "stub"]


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


async def test_what_telegram_forwards_from_a_linked_channel_is_no_command(
    stub: TelegramStub, listener: Listener
) -> None:
    stub.say(GROUP, LIN, "/status", forwarded_from=CHANNEL, is_automatic=True)
    stub.say(GROUP, LIN, "/status")
    await until(lambda: listener.heard)
    assert [incoming.sender.id for incoming in listener.heard] == [str(LIN)]


async def test_an_anonymous_admin_is_a_person_when_pressing_a_button_and_judged_as_one(
    stub: TelegramStub, listener: Listener
) -> None:
    listener.answers = with_a_button
    stub.set_status(GROUP, ADA, "administrator", is_anonymous=True)
    stub.set_status(CHANNEL, LIN, "left")
    stub.set_status(CHANNEL, ADA, "creator")
    for chat in (GROUP, CHANNEL):
        stub.say(chat, ADA, "/start", sender_chat=chat)
        shown = await stub.wait_for(lambda message, chat=chat: message.chat_id == chat)
        for person in (ADA, LIN):
            stub.press(shown.message_id, chat, person, "more:1")
    await until(lambda: len(listener.heard) == 6)
    pressed = [incoming for incoming in listener.heard if incoming.action]
    rights = {(one.address, one.sender.id): await one.sender.is_admin() for one in pressed}
    assert rights == {("-100", "7"): True, ("-100", "8"): False, ("-200", "7"): True, ("-200", "8"): False}
    assert all(one.reach is None for one in listener.heard), "channels are set up from private chats alone"


async def test_where_telegram_tells_nothing_of_its_members_nobody_is_an_administrator(
    stub: TelegramStub, listener: Listener
) -> None:
    listener.answers = with_a_button
    stub.say(CHANNEL, ADA, "/start")
    shown = await stub.wait_for(lambda message: message.chat_id == CHANNEL)
    stub.set_status(CHANNEL, stub.me["id"], "left")
    stub.press(shown.message_id, CHANNEL, ADA, "set:cap 5")
    await until(lambda: len(listener.heard) == 2)
    assert not await listener.heard[-1].sender.is_admin()


async def test_a_button_is_answered_at_once_and_its_action_handed_on(stub: TelegramStub, listener: Listener) -> None:
    listener.answers = with_a_button
    stub.say(GROUP, LIN, "/start", thread=5)
    shown = await stub.wait_for(lambda message: message.chat_id == GROUP)
    stub.press(shown.message_id, GROUP, LIN, "more:1")
    await until(lambda: len(stub.messages) == 2)
    incoming = listener.heard[-1]
    assert (incoming.address, incoming.action, incoming.text) == ("-100:5", "more:1", "")
    assert incoming.is_group
    assert incoming.sender.id == str(LIN)
    assert [call.status for call in stub.calls if call.method == "answerCallbackQuery"] == [200]


async def test_an_answer_takes_the_place_of_the_message_whose_button_was_pressed(
    stub: TelegramStub, listener: Listener
) -> None:
    async def menu(incoming: Incoming) -> Reply:
        return Reply("Changed" if incoming.action else "Menu", buttons=(Button("Go", "set:x"),), in_place=True)

    listener.answers = menu
    stub.say(GROUP, LIN, "/start", thread=5)
    shown = await stub.wait_for(lambda message: message.chat_id == GROUP)
    for _ in range(2):  # the second time it says so already
        stub.press(shown.message_id, GROUP, LIN, "set:x")
    await until(lambda: len([call for call in stub.calls if call.method == "editMessageText"]) == 2)
    assert stub.shown[GROUP, shown.message_id].text == "Changed"
    assert len(stub.messages) == 1


async def test_what_cannot_be_put_in_place_is_said_anew(stub: TelegramStub, listener: Listener) -> None:
    async def menu(incoming: Incoming) -> Reply:
        return Reply("Changed" if incoming.action else "Menu", buttons=(Button("Go", "set:x"),), in_place=True)

    listener.answers = menu
    stub.say(ADA, ADA, "/start")
    shown = await stub.wait_for(lambda message: message.chat_id == ADA)
    stub.fail_next("not_found", method="editMessageText")
    stub.press(shown.message_id, ADA, ADA, "set:x")
    await stub.wait_for(lambda message: message.text == "Changed")


def told(stub: TelegramStub) -> list[str]:
    """What those who pressed were told above the chat."""
    return [call.params.get("text", "") for call in stub.calls if call.method == "answerCallbackQuery"]


@pytest.mark.parametrize("length", [20, 5_000])
async def test_an_aside_is_shown_to_who_pressed_and_the_group_sees_nothing(
    stub: TelegramStub, listener: Listener, length: int
) -> None:
    async def aside(_: Incoming) -> Reply:
        return Reply(f"Saved. {'𝒪(n²) ' * (length // 6)}", is_aside=True)

    listener.answers = with_a_button
    stub.say(GROUP, LIN, "/start")
    shown = await stub.wait_for(lambda message: message.chat_id == GROUP)
    listener.answers = aside
    stub.press(shown.message_id, GROUP, LIN, "save:2603.00001")
    await until(lambda: told(stub))
    (text,) = told(stub)
    assert text.startswith("Saved.")
    assert len(text.encode("utf-16-le")) <= 2 * 200
    assert len(stub.messages) == 1


async def test_an_aside_that_has_buttons_is_a_message_and_the_press_is_confirmed(
    stub: TelegramStub, listener: Listener
) -> None:
    async def menu(_: Incoming) -> Reply:
        return Reply("What?", buttons=(Button("👍", "vote:2603.00001 up"),), is_aside=True)

    listener.answers = with_a_button
    stub.say(GROUP, LIN, "/start", thread=5)
    shown = await stub.wait_for(lambda message: message.chat_id == GROUP)
    listener.answers = menu
    stub.press(shown.message_id, GROUP, LIN, "card:2603.00001")
    message = await stub.wait_for(lambda message: message.text == "What?")
    assert message.thread == 5
    assert told(stub) == [""]


async def test_what_came_too_late_to_be_confirmed_is_done_all_the_same(stub: TelegramStub, listener: Listener) -> None:
    async def aside(_: Incoming) -> Reply:
        return Reply("Noted.", is_aside=True)

    listener.answers = with_a_button
    stub.say(ADA, ADA, "/start")
    shown = await stub.wait_for(lambda message: message.chat_id == ADA)
    listener.answers = aside
    stub.fail_next("not_found", method="answerCallbackQuery")
    stub.press(shown.message_id, ADA, ADA, "vote:2603.00001 up")
    await until(lambda: told(stub))
    assert listener.heard[-1].action == "vote:2603.00001 up"
    stub.say(ADA, ADA, "/status")
    await until(lambda: len(listener.heard) == 3)


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
    await until(lambda: len(stub.commands) == 8)
    for scope in ("default", "all_group_chats"):
        assert [one["description"] for one in stub.commands[scope, ""]] == ["Begin", "How things are"]
        assert [one["description"] for one in stub.commands[scope, "zh"]] == ["开始", "现状"]


async def test_administrators_and_private_chats_are_offered_what_only_they_may(
    stub: TelegramStub, listener: Listener
) -> None:
    await until(lambda: len(stub.commands) == 8)
    for scope in ("all_private_chats", "all_chat_administrators"):
        assert [one["command"] for one in stub.commands[scope, ""]] == ["start", "subscribe", "status"]
        assert [one["description"] for one in stub.commands[scope, "zh"]] == ["开始", "关注", "现状"]


async def test_a_button_pressed_long_ago_is_still_obeyed(stub: TelegramStub, listener: Listener) -> None:
    listener.answers = with_a_button
    stub.say(ADA, ADA, "/start")
    shown = await stub.wait_for(lambda message: message.text == "Hello")
    stub.press(shown.message_id, ADA, ADA, "more:1")
    stub.forget_queries()
    await until(lambda: len(stub.messages) == 2)
    assert [call.status for call in stub.calls if call.method == "answerCallbackQuery"] == [400]


async def test_an_answer_that_cannot_be_parsed_arrives_as_plain_text(stub: TelegramStub, listener: Listener) -> None:
    stub.fail_next("cannot_parse")
    stub.say(ADA, ADA, "/one")
    message = await stub.wait_for(lambda message: message.text == "You said /one")
    assert "parse_mode" not in stub.calls[-1].params
    assert message.entities == stub.messages[-1].entities


async def test_answers_of_a_paid_broadcaster_are_paid_too(stub: TelegramStub) -> None:
    async with listening(settings(stub).model_copy(update={"paid_broadcast": True}), Listener()):
        stub.say(ADA, ADA, "/one")
        await stub.wait_for(lambda message: message.text == "You said /one")
    assert [call.params["allow_paid_broadcast"] for call in stub.calls if call.method == "sendMessage"] == [True]


BIB = File("saved.bib", "@misc{héloïse2026,\n  title = {视觉}\n}\n")


async def with_a_file(_: Incoming) -> Reply:
    return Reply("Here it is.", file=BIB, in_place=True)


async def test_a_file_follows_the_text_into_the_same_topic(stub: TelegramStub, listener: Listener) -> None:
    listener.answers = with_a_file
    stub.say(GROUP, LIN, "/saved", thread=5)
    await until(lambda: stub.documents)
    (document,) = stub.documents
    assert (document.chat_id, document.thread, document.name) == (GROUP, 5, "saved.bib")
    assert document.content.decode() == BIB.text
    assert [message.text for message in stub.messages] == ["Here it is."]
    assert listener.turns == [f"{GROUP}:5"] * 2


async def test_a_file_waits_out_a_flood_too_and_is_sent_once(stub: TelegramStub, listener: Listener) -> None:
    listener.answers = with_a_file
    stub.fail_next("retry_after", method="sendDocument", seconds=9)
    stub.say(ADA, ADA, "/saved")
    await until(lambda: stub.documents)
    assert 9 in listener.clock.slept
    assert len(stub.documents) == 1


async def test_a_file_that_telegram_refuses_ends_nothing(stub: TelegramStub, listener: Listener) -> None:
    listener.answers = with_a_file
    stub.fail_next("forbidden_blocked", method="sendDocument")
    stub.say(ADA, ADA, "/saved")
    stub.say(ADA, ADA, "/saved")
    await until(lambda: stub.documents)
    assert len(stub.messages) == 2


async def test_an_answer_with_a_file_is_said_anew_even_where_it_could_take_a_place(
    stub: TelegramStub, listener: Listener
) -> None:
    listener.answers = with_a_button
    stub.say(ADA, ADA, "/start")
    shown = await stub.wait_for(lambda message: message.text == "Hello")
    listener.answers = with_a_file
    stub.press(shown.message_id, ADA, ADA, "saved:1")
    await until(lambda: stub.documents)
    assert [message.text for message in stub.messages] == ["Hello", "Here it is."]
