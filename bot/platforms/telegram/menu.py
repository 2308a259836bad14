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

from bot.commands.desk import COMMON
from bot.locales import phrases_of


@dataclass(frozen=True, slots=True)
class MenuCommand:
    """A command with what it does. `is_for_everyone`: people of a group who are no administrators have a use for it."""

    name: str
    english: str
    chinese: str
    is_for_everyone: bool = True


def offered() -> list[MenuCommand]:
    """Everything that can be said, but for what only operators may."""
    english, chinese = phrases_of("en"), phrases_of("zh")
    keys = [(each, f"command.{each.name}") for each in COMMON]
    return [MenuCommand(each.name, english(key), chinese(key), each.is_for_everyone) for each, key in keys]


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
