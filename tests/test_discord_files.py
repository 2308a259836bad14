"""Attachments of slash commands in Discord, over real sockets."""

import pytest

from bot.commands.request import LARGEST_FILE, NotFetchedError
from bot.platforms.discord.files import fetch
from bot.platforms.discord.menu import SlashCommand
from tests import test_discord_platform
from tests.servers.discord import DiscordStub
from tests.test_discord_platform import CHANNEL, MANAGER, Bot, running, stub, until

__all__ = ["stub"]

CONTENT = b"paperwire = 1\n"
IMPORT = SlashCommand("import", "Take over", "导入", "text", "Its text", "全文", "A file", "文件")


@pytest.fixture(autouse=True)
def _offers_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_discord_platform, "COMMANDS", (IMPORT,))


async def the_file(bot: Bot) -> str:
    await until(lambda: bool(bot.heard))
    attached = bot.heard[0].file
    assert attached is not None
    return await attached()


async def test_an_attachment_comes_along_and_its_option_is_offered_in_both_languages(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        stub.command(CHANNEL, MANAGER, "import", {"file": CONTENT})
        assert await the_file(bot) == CONTENT.decode()
        assert bot.heard[0].text == "/import"
        command, _on_messages = stub.commands[None]
        assert [(option["name"], option["type"], option["required"]) for option in command["options"]] == [
            ("text", 3, False),
            ("file", 11, False),
        ]
        assert command["options"][1]["description_localizations"] == {"zh-CN": "文件"}
        assert stub.violations == []


async def test_a_command_without_its_attachment_brings_none(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        await stub.reply_to(stub.command(CHANNEL, MANAGER, "import", {"text": "paperwire = 1"}))
        assert (bot.heard[0].text, bot.heard[0].file) == ("/import paperwire = 1", None)


async def test_an_attachment_that_is_too_large_or_gone_is_refused(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        stub.command(CHANNEL, MANAGER, "import", {"file": b"a" * (LARGEST_FILE + 1)})
        with pytest.raises(NotFetchedError, match="too_large"):
            await the_file(bot)
        bot.heard.clear()
        stub.command(CHANNEL, MANAGER, "import", {"file": CONTENT})
        stub.files.clear()
        with pytest.raises(NotFetchedError, match="not_fetched"):
            await the_file(bot)


async def test_an_attachment_that_is_larger_than_it_says_is_not_read_to_its_end(stub: DiscordStub) -> None:
    async with running(stub) as bot:
        stub.command(CHANNEL, MANAGER, "import", {"file": CONTENT})
        stub.files = dict.fromkeys(stub.files, b"a" * 20_000_000)
        with pytest.raises(NotFetchedError, match="too_large"):
            await the_file(bot)


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.discordapp.com/attachments/1/2/a.toml",
        "https://cdn.discordapp.com.example.org/a.toml",
        "https://cdn.discordapp.com:8443/a.toml",
        "https://user@example.org/a.toml",
        "http://127.0.0.1:9/a.toml",
        "http://169.254.169.254/latest/meta-data",
        "http://[broken",
        "/a.toml",
    ],
)
async def test_nothing_is_fetched_from_hosts_that_are_not_discords(url: str) -> None:
    with pytest.raises(NotFetchedError, match="not_fetched"):
        await fetch(url, 9, "https://discord.com/api/v10")
