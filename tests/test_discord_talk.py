"""Discord beside slash commands, over real sockets: mentions, direct messages, the command on messages, choices."""

import asyncio
import json

import pytest
import structlog

from bot.cards.reply import Button, File, Reply
from bot.commands.offers import Choice
from bot.delivery.port import Sent
from bot.platforms.discord import updates as updates_module
from tests.servers.discord import EPHEMERAL, FORUM, MENTION_ROLES, DiscordStub
from tests.test_discord_platform import (
    CALLBACK,
    CHANNEL,
    GUILD,
    LOOK_UP,
    MANAGER,
    USER,
    Bot,
    bot,
    send,
    stub,
    until,
)

__all__ = ["bot", "stub"]

LINK = "https://arxiv.org/abs/2603.00001"
US = "<@900>"


@pytest.fixture
async def thread(stub: DiscordStub, bot: Bot) -> int:
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(70, GUILD, "reading", type=11, parent_id=CHANNEL)
    return 70


# What is said without a command.


async def test_a_link_in_a_message_that_mentions_the_bot_is_answered(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("A paper")
    stub.say(CHANNEL, USER, f"{US} what is {LINK} about?")
    await until(lambda: bool(stub.messages))
    (incoming,) = bot.heard
    assert (incoming.address, incoming.title, incoming.is_group) == (str(CHANNEL), "Readers#papers", True)
    assert (incoming.text, incoming.overheard, incoming.sender.id) == (f"what is {LINK} about?", True, str(USER))
    assert not await incoming.sender.is_admin()
    (message,) = stub.messages
    assert (message.channel_id, message.content, message.allowed_mentions) == (CHANNEL, "A paper", {"parse": []})
    assert stub.violations == []


async def test_what_is_not_for_the_bot_is_not_heard(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.say(CHANNEL, USER, LINK)
    stub.say(CHANNEL, USER, f"{US} hello, 2603.00001")
    stub.say(CHANNEL, USER, f"{US} /forget")
    stub.say(CHANNEL, MANAGER, f"{US} {LINK}", is_bot=True)
    stub.say(CHANNEL, MANAGER, f"{US} {LINK}", webhook=True)
    stub.say(CHANNEL, USER, f"<@{MANAGER}> {LINK}")
    stub.say(CHANNEL, USER, f"{US} {LINK}")
    await until(lambda: bool(stub.messages))
    assert len(bot.heard) == 1


async def test_a_direct_message_is_heard_as_a_private_chat_is(stub: DiscordStub, bot: Bot) -> None:
    dm = stub.dm(USER)
    stub.say(dm, USER, "2603.00001")
    await until(lambda: bool(stub.messages))
    (incoming,) = bot.heard
    assert (incoming.address, incoming.title, incoming.text) == (str(dm), "Ada", "2603.00001")
    assert (incoming.is_group, incoming.overheard) == (False, False)
    assert await incoming.sender.is_admin()
    assert stub.messages[0].channel_id == dm


async def test_a_file_follows_the_answer_to_a_direct_message(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("Here it is.", file=File("saved.bib", "@misc{视觉}"))
    stub.say(stub.dm(USER), USER, "/saved export bibtex")
    await until(lambda: len(stub.messages) == 2)
    assert [content.decode() for content in stub.uploads.values()] == ["@misc{视觉}"]


async def test_the_bots_own_words_are_not_answered(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply(f"{US} {LINK}")
    stub.say(stub.dm(USER), USER, "hello")
    await until(lambda: bool(stub.messages))
    assert isinstance(await send(bot), Sent)
    await stub.reply_to(stub.command(CHANNEL, USER, "status"))
    assert len(bot.heard) == 2


async def test_nothing_to_say_is_nothing_sent(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = None
    stub.say(CHANNEL, USER, f"{US} {LINK}")
    await until(lambda: bool(bot.heard))
    bot.reply = Reply("Well.")
    stub.say(CHANNEL, USER, f"{US} {LINK}")
    await until(lambda: bool(stub.messages))
    assert [message.content for message in stub.messages] == ["Well."]


async def test_a_place_in_which_the_bot_may_not_write_stops_nothing(stub: DiscordStub, bot: Bot) -> None:
    stub.fail_next(50013, channel_id=CHANNEL)
    with structlog.testing.capture_logs() as logs:
        stub.say(CHANNEL, USER, f"{US} {LINK}")
        await until(lambda: bool(logs))
    assert [(line["event"], line["log_level"]) for line in logs] == [("discord.not_answered", "warning")]
    stub.say(CHANNEL, USER, f"{US} {LINK}")
    await until(lambda: bool(stub.messages))


# The command on messages.


async def test_the_command_on_messages_has_a_name_in_both_languages(stub: DiscordStub, bot: Bot) -> None:
    *_, command = stub.commands[None]
    assert (command["type"], command["name"]) == (3, "Look up paper")
    assert command["name_localizations"] == {"zh-CN": "查看论文"}
    assert command["contexts"] == [0, 1]


async def test_a_message_that_somebody_points_at_is_looked_through_for_them_alone(
    stub: DiscordStub,
    bot: Bot,
) -> None:
    bot.reply = Reply("Long. " * 600, buttons=(Button("Abstract", "abstract:2603.00001"),))
    message = stub.say(CHANNEL, MANAGER, f"{LINK} and 2603.00002")
    asked = stub.point_at(message, USER, LOOK_UP[0])
    await stub.wait_for(lambda: len(asked.replies) == 2)
    (incoming,) = bot.heard
    assert incoming.action == f"paper:{LINK} and 2603.00002"
    assert (incoming.address, incoming.sender.id, incoming.is_group) == (str(CHANNEL), str(USER), True)
    assert all(reply["flags"] & EPHEMERAL for reply in asked.replies)
    # What is asked below them is answered to the same person.
    bot.reply = Reply("The abstract")
    pressed = stub.press(int(asked.replies[-1]["id"]), USER, "abstract:2603.00001")
    assert (await stub.reply_to(pressed))["flags"] & EPHEMERAL


async def test_a_digest_that_somebody_points_at_is_looked_through_too(stub: DiscordStub, bot: Bot) -> None:
    body = {"content": "", "embeds": [{"title": "A paper", "url": LINK}], "allowed_mentions": {"parse": []}}
    assert isinstance(await bot.platform.send(str(CHANNEL), json.dumps(body), "k"), Sent)
    await stub.reply_to(stub.point_at(stub.messages[0].message_id, USER, LOOK_UP[0]))
    assert LINK in bot.heard[0].action


# Choices.


async def test_choices_are_offered_while_somebody_types(stub: DiscordStub, bot: Bot) -> None:
    bot.choices = [Choice("cs.CL · 计算与语言", "cs.CL"), Choice("x" * 100, "y" * 100)]
    asked = stub.command(CHANNEL, USER, "subscribe", {"query": "cs.C"}, focused="query")
    answer = await stub.reply_to(asked)
    assert [(each["name"], each["value"]) for each in answer["choices"]] == [
        ("cs.CL · 计算与语言", "cs.CL"),
        ("x" * 100, "y" * 100),
    ]
    ((incoming, command),) = bot.typed
    assert (incoming.text, command, incoming.address) == ("cs.C", "subscribe", str(CHANNEL))
    assert incoming.sender.language == "zh-CN"
    assert bot.heard == []


async def test_choices_that_take_too_long_are_none(
    stub: DiscordStub,
    bot: Bot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(updates_module, "CHOICES_WITHIN", 0.05)
    bot.may_answer.clear()
    asked = stub.command(CHANNEL, USER, "subscribe", {"query": "cs.C"}, focused="query")
    assert (await stub.reply_to(asked))["choices"] == []


async def test_choices_that_come_too_late_end_nothing(
    stub: DiscordStub,
    bot: Bot,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub.fail_next(10062, on=CALLBACK)
    stub.command(CHANNEL, USER, "subscribe", {"query": "cs.C"}, focused="query")
    await stub.wait_for(lambda: any("/callback" in call.path and call.status == 404 for call in stub.calls))
    assert (await stub.reply_to(stub.command(CHANNEL, USER, "status")))["content"] == "Well."
    assert "Traceback" not in caplog.text


# Threads and forums.


async def test_a_thread_is_a_chat_of_its_own(stub: DiscordStub, bot: Bot, thread: int) -> None:
    await stub.reply_to(stub.command(thread, MANAGER, "subscribe", {"query": "cs.CL"}))
    (incoming,) = bot.heard
    assert (incoming.address, incoming.title) == (str(thread), "Readers#reading")
    assert await incoming.sender.is_admin()
    assert isinstance(await send(bot, "d1", int(incoming.address)), Sent)
    assert [message.channel_id for message in stub.messages] == [thread]


async def test_a_post_in_a_forum_is_a_chat_of_its_own(stub: DiscordStub, bot: Bot) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.add_channel(80, GUILD, "forum", type=FORUM)
    stub.add_channel(81, GUILD, "A post", type=11, parent_id=80)
    await stub.reply_to(stub.command(81, MANAGER, "status"))
    assert (bot.heard[0].address, bot.heard[0].title) == ("81", "Readers#A post")
    assert isinstance(await send(bot, "d1", 81), Sent)
    assert not isinstance(await send(bot, "d2", 80), Sent)


async def test_a_thread_that_was_archived_is_opened_by_the_next_digest(
    stub: DiscordStub,
    bot: Bot,
    thread: int,
) -> None:
    stub.set_thread(thread, archived=True)
    assert isinstance(await send(bot, "d1", thread), Sent)
    stub.set_thread(thread, archived=True, locked=True)
    assert not isinstance(await send(bot, "d2", thread), Sent)


async def test_in_a_thread_a_link_is_answered_there(stub: DiscordStub, bot: Bot, thread: int) -> None:
    stub.say(thread, USER, f"{US} {LINK}")
    await until(lambda: bool(stub.messages))
    assert stub.messages[0].channel_id == thread


# Roles.


async def test_a_role_is_known_by_its_number_and_whether_it_may_be_mentioned(
    stub: DiscordStub,
    bot: Bot,
) -> None:
    await until(lambda: bot.knows(GUILD))
    stub.add_role(GUILD, 501, "readers", mentionable=True)
    stub.add_role(GUILD, 502, "quiet")
    await stub.reply_to(stub.command(CHANNEL, USER, "status"))
    venue = bot.heard[0].venue
    found = {number: venue.role(number) for number in ("501", "502", "503", str(GUILD))}
    assert {number: role and (role.name, role.may_be_mentioned) for number, role in found.items()} == {
        "501": ("readers", True),
        "502": ("quiet", False),
        "503": None,
        str(GUILD): None,  # everyone
    }
    assert await venue.hears() == "mentions"
    stub.set_everyone(GUILD, stub._guilds[GUILD].everyone | MENTION_ROLES)
    await stub.reply_to(stub.command(CHANNEL, USER, "status"))
    quiet = bot.heard[1].venue.role("502")
    assert quiet is not None
    assert quiet.may_be_mentioned
    await stub.reply_to(stub.command(stub.dm(USER), USER, "status"))
    assert bot.heard[2].venue.role("501") is None


async def test_who_is_being_answered_when_the_bot_stops_gets_the_answer(stub: DiscordStub, bot: Bot) -> None:
    bot.may_answer.clear()
    stub.say(stub.dm(USER), USER, "hello")
    await until(lambda: bool(bot.heard))
    stopping = asyncio.create_task(bot.updates.stop())
    await asyncio.sleep(0.05)
    bot.may_answer.set()
    await stopping
    assert [message.content for message in stub.messages] == ["Well."]
