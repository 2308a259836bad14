"""The menu: which commands Telegram offers whom, in which language (https://core.telegram.org/bots/api#setmycommands)."""

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import (
    Bot,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)


@dataclass(frozen=True, slots=True)
class MenuCommand:
    """A command with what it does. `is_for_everyone`: people of a group who are no administrators have a use for it."""

    name: str
    english: str
    chinese: str
    is_for_everyone: bool = True


async def offer(bot: Bot, commands: Sequence[MenuCommand]) -> None:
    """Offer everything in private chats and to administrators, to others what they may give. Raises TelegramError."""
    for_everyone = [command for command in commands if command.is_for_everyone]
    menus: tuple[tuple[BotCommandScope, Sequence[MenuCommand]], ...] = (
        (BotCommandScopeDefault(), for_everyone),
        (BotCommandScopeAllGroupChats(), for_everyone),
        (BotCommandScopeAllPrivateChats(), commands),
        (BotCommandScopeAllChatAdministrators(), commands),
    )
    for scope, offered in menus:
        await bot.set_my_commands([(each.name, each.english) for each in offered], scope)
        await bot.set_my_commands([(each.name, each.chinese) for each in offered], scope, language_code="zh")
