"""What operators and readers do with menus and numbers, over real sockets: the desk behind Telegram and Discord."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clock import WallClock
from bot.platforms.discord.menu import look_up_names, offered
from bot.platforms.discord.updates import DiscordUpdates
from bot.platforms.webchat.send import Listeners
from bot.platforms.webchat.updates import WebChat
from bot.storage import chats, threads
from bot.storage.threads import Said
from tests.room import Room, a_room, says
from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub
from tests.telegram_listener import ADA, GROUP, LIN, Listener, listening, settings, small_world, until
from tests.test_discord_platform import CHANNEL, MANAGER, USER, settings_for, stub

__all__ = ["stub"]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path, is_open=False) as made:
        yield made


async def test_the_menu_of_operators_is_one_message_in_telegram_and_none_in_a_group(room: Room) -> None:
    async with small_world() as stub, listening(settings(stub), Listener(answers=room.desk.answer)):
        stub.say(ADA, ADA, "/start let-me-in")
        await until(lambda: len(stub.messages) == 1)
        stub.say(LIN, LIN, "/start")
        await until(lambda: len(stub.messages) == 2)
        stub.say(ADA, ADA, "/admin")
        menu = await stub.wait_for(lambda message: "/admin chats" in message.text)
        chat = await chat_of(room, LIN)

        async def press(action: str, expected: str) -> None:
            assert action in [data for row in stub.shown[ADA, menu.message_id].buttons for _, data in row]
            stub.press(menu.message_id, ADA, ADA, action)
            await until(lambda: expected in stub.shown[ADA, menu.message_id].text)

        await press("admin:chats waiting", "Lin")
        await press(f"admin:chat {chat}", "telegram:8")
        await press(f"admin:allow {chat}", "Lin")
        await until(lambda: "admin:deny" in str(stub.shown[ADA, menu.message_id].buttons))
        assert len(stub.messages) == 3
        stub.say(GROUP, ADA, "/admin chats")
        answer = await stub.wait_for(lambda message: message.chat_id == GROUP)
        assert says(answer.text.replace("\u2060", ""), "admin.in_private", "zh")
        # Somebody else who gets hold of such a button learns nothing by it.
        stub.press(menu.message_id, ADA, LIN, "admin:chats")
        await until(lambda: says(aside(stub), "error.operators_only"))
        assert len(stub.messages) == 4


def aside(stub: TelegramStub) -> str:
    """What was said last to who pressed a button, and to nobody else."""
    return str([call.params.get("text", "") for call in stub.calls if call.method == "answerCallbackQuery"][-1:])


async def chat_of(room: Room, person: int) -> int:
    async with room.database.read() as read:
        chat = await chats.find(read, "telegram", str(person))
    assert chat is not None
    return chat.id


async def test_a_list_with_numbers_and_its_buttons_in_telegram(room: Room) -> None:
    await room.person("cs.CL", "cs.CV", "cs.RO", address=str(GROUP), group=True)
    async with small_world() as stub, listening(settings(stub), Listener(answers=room.desk.answer)):
        stub.set_admin(GROUP, ADA)
        stub.say(GROUP, ADA, "/subscriptions")
        listed = await stub.wait_for(lambda message: "3. cs.RO" in message.text.replace("\u2060", ""))
        drop = next(data for row in listed.buttons for label, data in row if label == "✕ 2")
        stub.press(listed.message_id, GROUP, LIN, drop)
        await until(lambda: says(aside(stub), "error.admins_only"))
        stub.press(listed.message_id, GROUP, ADA, drop)
        await until(lambda: "2. cs.RO" in stub.shown[GROUP, listed.message_id].text.replace("\u2060", ""))
        undo = next(
            data for row in stub.shown[GROUP, listed.message_id].buttons for _, data in row if data.startswith("undo")
        )
        stub.press(listed.message_id, GROUP, ADA, undo)
        await until(lambda: "3. cs.CV" in stub.shown[GROUP, listed.message_id].text.replace("\u2060", ""))
        assert len(stub.messages) == 1


async def test_menus_and_lists_change_in_place_in_the_web_chat(room: Room) -> None:
    await room.person("cs.CL", "cs.CV", platform="web", address="home")
    web = WebChat(room.database, room.clock, Listeners(), room.desk.answer)

    async def thread() -> list[Said]:
        async with room.database.read() as read:
            chat = await chats.find(read, "web", "home")
            assert chat is not None
            return await threads.after(read, chat.id, 0)

    for text, action, shown in (
        ("/admin", "admin:chats", "home"),
        ("/subscriptions", "alert:on 2 list", "at once"),
        ("/subscriptions", "drop:1", "1. cs.CV"),
        ("/help", "help:reading", "/digest"),
    ):
        await web.say("home", text)
        menu = (await thread())[-1]
        before = len(await thread())
        changed = await web.press("home", action, menu.id)
        assert isinstance(changed, Said)
        assert changed.id == menu.id
        assert shown in changed.html
        assert len(await thread()) == before


async def nothing(*_: str) -> None:
    """Nobody listens."""


async def test_menus_and_numbers_in_discord(room: Room, stub: DiscordStub) -> None:
    updates = DiscordUpdates(
        *(settings_for(stub), WallClock(), offered(), look_up_names()),
        *(room.desk.answer, room.desk.choices, nothing, nothing),
    )
    await updates.start()
    await until(lambda: stub.connected)
    dm = stub.dm(MANAGER)
    await stub.reply_to(stub.command(dm, MANAGER, "start", {"code": "let-me-in"}))
    menu = await stub.reply_to(stub.command(dm, MANAGER, "admin"))
    assert "/admin chats" in menu["content"]
    listed = await stub.reply_to(stub.press(int(menu["id"]), MANAGER, "admin:chats"))
    assert listed["id"] == menu["id"]
    with pytest.raises(LookupError):
        stub.command(CHANNEL, MANAGER, "admin")
    refused = await stub.reply_to(stub.command(stub.dm(USER), USER, "admin", {"action": "chats"}))
    assert says(refused["content"], "access.waiting", "zh")

    await room.person("cs.CL", "cs.CV", platform="discord", address=str(CHANNEL), group=True)
    shown = await stub.reply_to(stub.command(CHANNEL, USER, "subscriptions"))
    assert "2. cs.CV" in shown["content"].replace("\\", "")
    drop = next(button["custom_id"] for row in shown["components"] for button in row["components"])
    refused = await stub.reply_to(stub.press(int(shown["id"]), USER, drop))
    assert says(refused["content"], "error.admins_only")
    dropped = await stub.reply_to(stub.press(int(shown["id"]), MANAGER, drop))
    assert dropped["id"] == shown["id"]
    assert "1. cs.CV" in dropped["content"].replace("\\", "")
    undone = await stub.reply_to(stub.press(int(shown["id"]), MANAGER, "undo:1"))
    assert "2. cs.CL" in undone["content"].replace("\\", "")
    kindly = await stub.reply_to(stub.command(dm, MANAGER, "channel", {"channel": "#papers"}))
    assert says(kindly["content"], "channel.discord")
    assert stub.violations == []
    await updates.stop()
