"""A few words for who pressed a button on Discord, which nobody else in the channel sees."""

from typing import Any

from bot.cards.reply import Button, Reply
from bot.platforms.discord.render import render
from tests.servers.discord import DiscordStub
from tests.test_discord_platform import CHANNEL, USER, Bot, bot, stub

__all__ = ["bot", "stub"]

EPHEMERAL = 1 << 6
"""https://discord.com/developers/docs/resources/message#message-object-message-flags"""


async def pressed(stub: DiscordStub, bot: Bot, reply: Reply, action: str) -> dict[str, Any]:
    """What pressing a button of a message in the channel is answered with."""
    await bot.platform.send(str(CHANNEL), render(Reply("Digest", buttons=(Button("Go", action),)))[0], "digest-1-0")
    bot.reply = reply
    return await stub.reply_to(stub.press(stub.messages[0].message_id, USER, action))


async def test_an_aside_is_shown_to_who_pressed_alone(stub: DiscordStub, bot: Bot) -> None:
    aside = await pressed(stub, bot, Reply("Noted.", is_aside=True, in_place=True), "vote:2603.00001 up")
    assert (aside["content"], aside["flags"]) == ("Noted.", EPHEMERAL)
    assert stub.messages[0].content == "Digest", "the message that the button stands under stays as it is"


async def test_a_menu_for_one_is_turned_in_its_place(stub: DiscordStub, bot: Bot) -> None:
    buttons = (Button("Hide…", "hide:2603.00001 here"),)
    menu = await pressed(stub, bot, Reply("What?", buttons=buttons, is_aside=True), "card:2603.00001")
    assert menu["flags"] == EPHEMERAL
    bot.reply = Reply("Hide what?", in_place=True)
    turned = await stub.reply_to(stub.press(int(menu["id"]), USER, "hide:2603.00001 here"))
    assert (turned["id"], turned["content"], turned["flags"]) == (menu["id"], "Hide what?", EPHEMERAL)


async def test_a_command_is_answered_to_all_as_ever(stub: DiscordStub, bot: Bot) -> None:
    bot.reply = Reply("Noted.", is_aside=True)
    answer = await stub.reply_to(stub.command(CHANNEL, USER, "status"))
    assert (answer["content"], answer["flags"]) == ("Noted.", 0)
