"""The menu: the commands that Discord's clients offer, on their own and on a message, in both languages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.commands.completing import COMPLETED
from bot.commands.desk import COMMANDS
from bot.commands.offers import Choice
from bot.commands.request import Permission
from bot.locales import phrases_of

Run = Callable[[discord.Interaction, str, discord.Attachment | None], Awaitable[None]]
"""Gets the command as a text, and the file that came with it."""
Complete = Callable[[discord.Interaction, str, str], Awaitable[list[Choice]]]
"""Gets the command's name, and what was typed of its argument."""
PointAt = Callable[[discord.Interaction, discord.Message], Awaitable[None]]

_CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True)
_INSTALLS = app_commands.AppInstallationType(guild=True)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command as Discord's clients offer it. `argument` is the name of its one option, if it takes any.

    One that has `file_english` takes an attachment besides, as its option `file`. `completes`: while somebody types the
    argument, choices are offered. One that `is_private` is offered in direct messages alone.
    """

    name: str
    english: str
    chinese: str
    argument: str = ""
    argument_english: str = ""
    argument_chinese: str = ""
    file_english: str = ""
    file_chinese: str = ""
    completes: bool = False
    is_private: bool = False


def offered() -> list[SlashCommand]:
    """Everything that can be said, and what can stand behind it."""
    english, chinese = phrases_of("en"), phrases_of("zh")
    return [
        SlashCommand(
            each.name,
            english(f"command.{each.name}"),
            chinese(f"command.{each.name}"),
            argument=each.takes,
            argument_english=english(f"argument.{each.takes}") if each.takes else "",
            argument_chinese=chinese(f"argument.{each.takes}") if each.takes else "",
            file_english=english("argument.file") if each.takes_file else "",
            file_chinese=chinese("argument.file") if each.takes_file else "",
            completes=each.name in COMPLETED,
            is_private=each.permission is Permission.OPERATOR,
        )
        for each in COMMANDS
    ]


def look_up_names() -> tuple[str, str]:
    """What the command on messages is called, in English and in Chinese."""
    return phrases_of("en")("command.look_up"), phrases_of("zh")("command.look_up")


def slash(command: SlashCommand, run: Run, complete: Complete) -> app_commands.Command[Any, ..., None]:
    """The command for discord.py."""

    async def bare(interaction: discord.Interaction) -> None:
        await run(interaction, f"/{command.name}", None)

    async def with_argument(interaction: discord.Interaction, argument: str = "") -> None:
        await run(interaction, f"/{command.name} {argument}".strip(), None)

    async def with_file(
        interaction: discord.Interaction, argument: str = "", file: discord.Attachment | None = None
    ) -> None:
        await run(interaction, f"/{command.name} {argument}".strip(), file)

    async def choices(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = await complete(interaction, command.name, typed)
        return [app_commands.Choice(name=each.label, value=each.value) for each in found]

    hint = locale_str(command.argument_english or "…", chinese=command.argument_chinese)
    for takes in (with_argument, with_file):
        if command.completes:
            app_commands.autocomplete(argument=choices)(takes)
        app_commands.rename(argument=command.argument or "argument")(takes)
        app_commands.describe(argument=hint)(takes)
    app_commands.describe(file=locale_str(command.file_english or "…", chinese=command.file_chinese))(with_file)
    callback: Any = bare
    if command.argument:
        callback = with_file if command.file_english else with_argument
    return app_commands.Command(
        name=command.name,
        description=locale_str(command.english, chinese=command.chinese),
        callback=callback,
        allowed_contexts=app_commands.AppCommandContext(guild=not command.is_private, dm_channel=True),
        allowed_installs=_INSTALLS,
    )


def about_a_message(name: tuple[str, str], point_at: PointAt) -> app_commands.ContextMenu:
    """A command in the menu of a message, whose content Discord brings along."""
    english, chinese = name

    async def pointed_at(interaction: discord.Interaction, message: discord.Message) -> None:
        await point_at(interaction, message)

    return app_commands.ContextMenu(
        name=locale_str(english, chinese=chinese),
        callback=pointed_at,
        allowed_contexts=_CONTEXTS,
        allowed_installs=_INSTALLS,
    )


class Chinese(app_commands.Translator):
    """Gives each text its Chinese, which came with it."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        return string.extras.get("chinese") if locale is discord.Locale.chinese else None
