"""The whole bot as an operator meets it in Telegram and Discord: claim, let in, subscribe, read; over real sockets."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.locales import phrases_of
from tests.process import Running, paperwire
from tests.servers.arxiv import ArxivStub, Entry, atom_feed
from tests.servers.discord import EPHEMERAL, DiscordStub
from tests.servers.telegram import Message, TelegramStub

ADA, STRANGER, OUTSIDER = 71, 72, 73
TOLD = "answerCallbackQuery"
GUILD, CHANNEL = 1_100_000_000_000_000_081, 1_100_000_000_000_000_082


@dataclass
class World:
    """A running bot, its platforms, and an arXiv with three papers in cs.CL."""

    bot: Running
    telegram: TelegramStub
    discord: DiscordStub
    arxiv: ArxivStub

    @property
    def code(self) -> str:
        found = re.search(r"/start (\S+)", self.bot.printed)
        assert found
        return found[1]

    async def telegram_says(self, chat: int, text: str, expected: str) -> Message:
        """Somebody writes to the bot; the message that answers it."""
        seen = len(self.telegram.messages)
        self.telegram.say(chat, chat, text)
        return await self.telegram_gets(chat, expected, seen)

    async def telegram_tells(self, expected: str) -> None:
        """Somebody who pressed a button is told so above the chat."""
        async with asyncio.timeout(20):
            while not any(
                expected in call.params.get("text", "") for call in self.telegram.calls if call.method == TOLD
            ):
                await asyncio.sleep(0.05)

    async def telegram_turns(self, message: Message, expected: str) -> None:
        """A message becomes another in its place."""
        async with asyncio.timeout(20):
            while expected not in self.telegram.shown[message.chat_id, message.message_id].text:
                await asyncio.sleep(0.05)

    async def telegram_gets(self, chat: int, expected: str, seen: int = 0) -> Message:
        return await self.telegram.wait_for(
            lambda message: (
                message.chat_id == chat and expected in message.text and message in self.telegram.messages[seen:]
            ),
            timeout=20,
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        arxiv, telegram, discord = [
            await stack.enter_async_context(stub) for stub in (ArxivStub(), TelegramStub(), DiscordStub())
        ]
        built = (datetime.now(UTC) - timedelta(hours=3)).timestamp()
        entries = [Entry(f"2603.0000{n}", f"Paper {n}", "We propose it. It works.", ["cs.CL"]) for n in (1, 2, 3)]
        arxiv.publish("cs.CL", atom_feed("cs.CL", entries, built), built)
        telegram.me["supports_inline_queries"] = True
        for person in (ADA, STRANGER):
            telegram.add_user(person)
            telegram.add_chat(person, title=f"Person {person}")
            discord.add_user(person, f"person{person}")
        discord.add_guild(GUILD, "Lab")
        discord.add_channel(CHANNEL, GUILD, "papers")
        discord.add_member(GUILD, ADA, manage_guild=True)
        discord.add_member(GUILD, STRANGER)
        bot = await stack.enter_async_context(
            paperwire(
                tmp_path,
                arxiv__feed_url=f"{arxiv.url}/atom",
                arxiv__default_categories='["cs.CL"]',
                telegram__token=telegram.token,
                telegram__base_url=telegram.api_url,
                discord__token=discord.token,
                discord__api_url=discord.api_url,
                discord__gateway_url=discord.gateway_url,
            )
        )
        async with asyncio.timeout(20):
            while not ("discord.connected" in bot.printed and "telegram.listening" in bot.printed):
                await asyncio.sleep(0.05)
        yield World(bot, telegram, discord, arxiv)
        assert await bot.stop() == 0
        assert "Traceback" not in bot.printed
        assert telegram.token not in bot.printed
        assert telegram.http_429 == discord.http_429 == 0
        assert [*arxiv.violations, *telegram.violations, *discord.violations] == []


def titles(message: Message) -> list[str]:
    return [entity["url"] for entity in message.entities if "/abs/" in entity.get("url", "")]


async def test_an_operator_claims_the_bot_lets_others_in_and_everybody_reads(world: World) -> None:
    # A stranger waits; nothing else is done for them.
    await world.telegram_says(STRANGER, "/subscribe cs.CL", "has to let this chat in first")
    await world.telegram_says(STRANGER, "/start wrong-code", "has to let this chat in first")

    # Whoever has the code from the terminal is the operator, once.
    code = world.code
    await world.telegram_says(ADA, f"/start {code}", "This bot is yours now")
    await world.telegram_says(STRANGER, f"/start {code}", "has to let this chat in first")
    request = await world.telegram_gets(ADA, "asks to use this bot")
    ((_, allow), _) = [button for row in request.buttons for button in row]
    world.telegram.press(request.message_id, ADA, ADA, allow)
    await world.telegram_gets(STRANGER, "You are in.")

    # The operator follows a category and reads.
    await world.telegram_says(ADA, "/subscribe cs.CK", "Did you mean")
    await world.telegram_says(ADA, "/subscribe cs.CL", "Following cs.")
    digest = await world.telegram_says(ADA, "/digest", "Paper 1")
    assert titles(digest) == [f"https://arxiv.org/abs/2603.0000{n}" for n in (1, 2, 3)]
    ((_, abstract), *_) = [button for row in digest.buttons for button in row]
    world.telegram.press(digest.message_id, ADA, ADA, abstract)
    await world.telegram_gets(ADA, "We propose it. It works.", len(world.telegram.messages))
    await world.telegram_says(ADA, "/digest", "Nothing new since your last digest")

    # Anywhere, whoever was let in looks papers up while they type; others are led to the bot.
    found = await world.telegram.inline_answer(world.telegram.type_inline(ADA, "arxiv.org/abs/2603.00002"), 20)
    assert [article.text.splitlines()[0] for article in found.articles] == ["Paper 2"]
    words = await world.telegram.inline_answer(world.telegram.type_inline(ADA, "paper"), 20)
    assert len(words.articles) == 3
    world.telegram.add_user(OUTSIDER)
    led = await world.telegram.inline_answer(world.telegram.type_inline(OUTSIDER, "paper"), 20)
    assert (led.articles, led.button) == ([], (phrases_of("en")("inline.start"), "inline"))

    # The menu of commands is for each what they may.
    menus = {scope: [each["command"] for each in offered] for (scope, _), offered in world.telegram.commands.items()}
    assert "subscribe" in menus["all_private_chats"]
    assert menus["all_chat_administrators"] == menus["all_private_chats"]
    assert set(menus["all_private_chats"]) - set(menus["all_group_chats"]) == {"subscribe", "pause", "resume", "forget"}

    # What is worth coming back to is found, saved and taken along as a file.
    await world.telegram_says(ADA, "/search paper", "Found: paper")
    world.telegram.press(digest.message_id, ADA, ADA, "save:2603.00002")
    await world.telegram_tells("• Paper 2 · 2603.00002")
    await world.telegram_says(ADA, "/saved export bibtex", "The paper that you saved.")
    async with asyncio.timeout(20):
        while not world.telegram.documents:
            await asyncio.sleep(0.05)
    (document,) = world.telegram.documents
    assert (document.chat_id, document.name) == (ADA, "saved.bib")
    assert b"title = {Paper 2}" in document.content

    # What is seldom wanted stands behind three dots, and is done in a small message of its own.
    seen = len(world.telegram.messages)
    world.telegram.press(digest.message_id, ADA, ADA, "card:2603.00001")
    menu = await world.telegram_gets(ADA, "Paper 1", seen)
    world.telegram.press(menu.message_id, ADA, ADA, "vote:2603.00001 up")
    await world.telegram_tells("👍")
    world.telegram.press(menu.message_id, ADA, ADA, "hide:2603.00001 here")
    await world.telegram_turns(menu, "Hide what?")
    ((_, drop),) = world.telegram.shown[ADA, menu.message_id].buttons[-1]
    world.telegram.press(menu.message_id, ADA, ADA, drop)
    await world.telegram_turns(menu, "No longer following cs.")
    (((_, undo),),) = world.telegram.shown[ADA, menu.message_id].buttons
    world.telegram.press(menu.message_id, ADA, ADA, undo)
    await world.telegram_turns(menu, "again, as before")
    await world.telegram_says(ADA, "/subscriptions", "1. cs.")

    # What the operator has to say reaches everybody, once.
    preview = await world.telegram_says(ADA, "/admin broadcast The bot moves tomorrow.", "So it looks.")
    ((_, send), *_) = [button for row in preview.buttons for button in row]
    for _ in range(2):
        world.telegram.press(preview.message_id, ADA, ADA, send)
    await world.telegram_gets(STRANGER, "The bot moves tomorrow.")
    async with asyncio.timeout(20):
        while "On its way" not in world.telegram.shown[ADA, preview.message_id].text:
            await asyncio.sleep(0.05)
    assert sum(message.chat_id == STRANGER and "tomorrow" in message.text for message in world.telegram.messages) == 1


async def test_a_discord_server_is_let_in_subscribes_and_reads(world: World) -> None:
    waiting = await world.discord.reply_to(world.discord.command(CHANNEL, ADA, "start", {}))
    assert "has to let this chat in first" in json.dumps(waiting)
    dm = world.discord.dm(ADA)
    claimed = await world.discord.reply_to(world.discord.command(dm, ADA, "start", {"code": world.code}))
    assert "This bot is yours now" in json.dumps(claimed)
    await world.discord.reply_to(world.discord.command(CHANNEL, ADA, "start", {}))
    await world.discord.wait_for(lambda: any("asks to use" in message.content for message in world.discord.messages))
    request = next(message for message in world.discord.messages if "asks to use" in message.content)
    allow = request.components[0]["components"][0]["custom_id"]
    world.discord.press(request.message_id, ADA, allow)
    await world.discord.wait_for(lambda: any("You are in." in message.content for message in world.discord.messages))

    # In a server only who manages it changes what it follows.
    refused = await world.discord.reply_to(
        world.discord.command(CHANNEL, STRANGER, "subscribe", {"query": "cs.CL"}), timeout=20
    )
    assert "Only administrators" in json.dumps(refused)
    followed = await world.discord.reply_to(world.discord.command(CHANNEL, ADA, "subscribe", {"query": "cs.CL"}))
    assert "Following cs.CL" in json.dumps(followed)
    world.discord.command(CHANNEL, STRANGER, "digest", {})
    await world.discord.wait_for(lambda: any(message.embeds for message in world.discord.messages), timeout=20)
    digest = next(message for message in world.discord.messages if message.embeds)
    urls = [embed["url"] for embed in digest.embeds if "url" in embed]
    assert urls == [f"https://arxiv.org/abs/2603.0000{n}" for n in (1, 2, 3)]

    # What is behind three dots is shown to who asks, alone; only who manages the server hides anything.
    asked = world.discord.press(digest.message_id, STRANGER, "card:2603.00001")
    menu = await world.discord.reply_to(asked, timeout=20)
    assert menu["flags"] == EPHEMERAL
    for action, told in (
        ("vote:2603.00001 down", "👎 for this summary"),
        ("hide:2603.00001 here", "Only administrators"),
    ):
        answer = await world.discord.reply_to(world.discord.press(int(menu["id"]), STRANGER, action), timeout=20)
        assert told in answer["content"]
        assert (answer["flags"], answer["id"] != menu["id"]) == (EPHEMERAL, True)

    # What can be typed is offered; a link is answered where the bot is mentioned, and looked up for one where not.
    offered = await world.discord.reply_to(
        world.discord.command(CHANNEL, STRANGER, "unsubscribe", {"query": "cs"}, focused="query"), timeout=20
    )
    assert [choice["value"] for choice in offered["choices"]] == ["cs.CL"]
    link = "https://arxiv.org/abs/2603.00001"
    pointed = world.discord.point_at(world.discord.say(CHANNEL, ADA, link), STRANGER, "Look up paper")
    looked_up = await world.discord.reply_to(pointed, timeout=20)
    assert (looked_up["embeds"][0]["url"], looked_up["flags"] & EPHEMERAL) == (link, EPHEMERAL)
    await world.discord.reply_to(world.discord.command(CHANNEL, ADA, "settings", {"setting": "links on"}), timeout=20)
    seen = len(world.discord.messages)
    world.discord.say(CHANNEL, STRANGER, f"<@{world.discord.application_id}> {link}")
    await world.discord.wait_for(lambda: len(world.discord.messages) > seen, timeout=20)
    assert link in json.dumps(world.discord.messages[seen].embeds)

    # Anybody saves for themselves.
    await world.discord.reply_to(world.discord.command(CHANNEL, STRANGER, "save", {"paper": "2603.00003"}))
    exported = world.discord.command(CHANNEL, STRANGER, "saved", {"export": "export ris"})
    await world.discord.wait_for(lambda: bool(world.discord.uploads) and len(exported.replies) == 2, timeout=20)
    assert [each["filename"] for each in exported.replies[-1]["attachments"]] == ["saved.ris"]
    assert b"TI  - Paper 3" in next(iter(world.discord.uploads.values()))


async def test_with_a_webhook_telegram_brings_what_people_say_and_each_update_is_answered_once(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    public = f"http://127.0.0.1:{unused_tcp_port}"
    async with TelegramStub() as telegram:
        telegram.add_user(ADA)
        telegram.add_chat(ADA, title="Ada")
        async with (
            paperwire(
                tmp_path,
                web__port=str(unused_tcp_port),
                access__open="true",
                arxiv__default_categories="[]",
                telegram__token=telegram.token,
                telegram__base_url=telegram.api_url,
                telegram__webhook_url=public,
            ) as bot,
            httpx.AsyncClient(base_url=public) as http,
        ):
            async with asyncio.timeout(20):
                while "telegram.listening" not in bot.printed:
                    await asyncio.sleep(0.05)
            update = telegram.say(ADA, ADA, "/help")
            await telegram.wait_for(lambda message: "/subscribe" in message.text, timeout=20)
            body = {"update_id": update, "message": {"text": "/help"}}
            forged = await http.post("/telegram/webhook", json=body, headers={"X-Telegram-Bot-Api-Secret-Token": "x"})
            assert forged.status_code == 403
            telegram.say(ADA, ADA, "/status")
            await telegram.wait_for(lambda message: phrases_of("en")("status.title") in message.text, timeout=20)
            assert len(telegram.messages) == 2
            assert not any(call.method == "getUpdates" for call in telegram.calls)
            assert await bot.stop() == 0
            assert "Traceback" not in bot.printed
