"""A channel set up from its administrator's private chat: over a real socket with Telegram's rules, and at the desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.request import NotReachedError, Place
from bot.locales import phrases_of
from bot.storage import chats
from tests.room import Person, Room, a_room, as_read, says
from tests.servers.telegram import TelegramStub
from tests.servers.telegram.world import Message
from tests.telegram_listener import ADA, CHANNEL, GROUP, LIN, Listener, listening, settings, small_world, until


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with small_world() as stub:
        stub.add_chat(CHANNEL, "channel", "News", username="Paper_News")
        stub.set_admin(CHANNEL, ADA)
        yield stub


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


@asynccontextmanager
async def talking(stub: TelegramStub, room: Room) -> AsyncIterator[None]:
    """The desk, and Telegram."""
    async with listening(settings(stub), Listener(answers=room.desk.answer)):
        yield


async def said(stub: TelegramStub, text: str, **how: int) -> Message:
    """What Ada is answered in her private chat."""
    before = len(stub.messages)
    stub.say(ADA, ADA, text, **how)
    await until(lambda: len(stub.messages) > before)
    assert stub.messages[-1].chat_id == ADA
    return replace(stub.messages[-1], text=stub.messages[-1].text.replace("\u2060", ""))


async def followed(room: Room, address: int) -> list[str]:
    async with room.database.read() as connection:
        chat = await chats.find(connection, "telegram", str(address))
        return [str(each.interest) for each in await chats.subscriptions_of(connection, chat.id)] if chat else []


@pytest.mark.parametrize("named", ["@paper_news", "Paper_News", "https://t.me/Paper_News/12", str(CHANNEL)])
async def test_a_channel_is_set_up_from_afar_and_every_answer_says_so(
    stub: TelegramStub, room: Room, named: str
) -> None:
    async with talking(stub, room):
        chosen = await said(stub, f"/channel {named}")
        assert says(chosen.text, "channel.chosen", "zh", count=0)
        for text in ("/subscribe cs.CL", "/settings cap 5", "/status", "/subscriptions", "/pause 3d", "/resume"):
            answer = await said(stub, text)
            assert answer.text.startswith("📣 News"), text
        assert await followed(room, CHANNEL) == ["cs.CL"]
        assert await followed(room, ADA) == []
        assert says((await said(stub, "/channel off")).text, "channel.left", "zh")
        assert "News" not in (await said(stub, "/subscriptions")).text


async def test_a_post_that_is_forwarded_names_a_private_channel(stub: TelegramStub, room: Room) -> None:
    stub.add_chat(-1009, "channel", "Secret")
    stub.set_admin(-1009, ADA)
    async with talking(stub, room):
        stub.say(ADA, ADA, "A post", forwarded_from=-1009)
        await until(lambda: len(stub.messages) == 1)
        number = stub.messages[0].message_id - 1
        assert says((await said(stub, "/channel", answers=number)).text, "channel.chosen", "zh", count=0)
        assert (await said(stub, "/subscriptions")).text.startswith("📣 Secret")
        assert says((await said(stub, "/channel")).text, "channel.current", "zh", title="Secret")


async def test_the_menu_of_a_channel_changes_the_channel_and_goes_stale_with_it(stub: TelegramStub, room: Room) -> None:
    async with talking(stub, room):
        await said(stub, "/channel @paper_news")
        menu = await said(stub, "/settings")

        def button(ending: str) -> str:
            shown = stub.shown[ADA, menu.message_id]
            assert "📣 News" in shown.text
            return next((data for row in shown.buttons for _, data in row if data.endswith(ending)), "")

        stub.press(menu.message_id, ADA, ADA, button("set:cap ?"))
        await until(lambda: button("set:cap 5"))
        five = button("set:cap 5")
        stub.press(menu.message_id, ADA, ADA, five)
        title = phrases_of("zh")("settings.changed")
        await until(lambda: title in stub.shown[ADA, menu.message_id].text)
        async with room.database.read() as connection:
            channel = await chats.find(connection, "telegram", str(CHANNEL))
            private = await chats.find(connection, "telegram", str(ADA))
        assert channel is not None
        assert private is not None
        assert (channel.preferences.cap, private.preferences.cap) == (5, 12)
        await said(stub, "/channel off")
        before = len(stub.messages)
        stub.press(menu.message_id, ADA, ADA, five)
        await until(lambda: len(stub.messages) > before)
        assert says(stub.messages[-1].text, "channel.over", "zh")


async def test_telegram_is_asked_at_each_command_whether_both_still_may(stub: TelegramStub, room: Room) -> None:
    async with talking(stub, room):
        await said(stub, "/channel @paper_news")
        stub.set_status(CHANNEL, stub.me["id"], "administrator", can_post_messages=False)
        assert says((await said(stub, "/subscribe cs.CL")).text, "channel.may_not_post", "zh", title="News")
        stub.set_status(CHANNEL, stub.me["id"], "administrator")
        stub.set_status(CHANNEL, ADA, "member")
        assert says((await said(stub, "/subscribe cs.CL")).text, "channel.not_admin", "zh", title="News")
        stub.set_status(CHANNEL, ADA, "creator")
        stub.set_status(CHANNEL, stub.me["id"], "left")
        assert says((await said(stub, "/subscribe cs.CL")).text, "channel.not_member", "zh", title="News")
        stub.set_status(CHANNEL, stub.me["id"], "administrator")
        stub.fail_next(502, method="getChat")
        assert says((await said(stub, "/subscribe cs.CL")).text, "channel.unreachable", "zh", title="News")
        assert await followed(room, CHANNEL) == await followed(room, ADA) == []
        assert says((await said(stub, "/subscribe cs.CL")).text, "subscribe.next", "zh")
        assert await followed(room, CHANNEL) == ["cs.CL"]


async def test_what_cannot_be_chosen_is_told_apart(stub: TelegramStub, room: Room) -> None:
    stub.add_chat(-300, "channel", "Theirs", username="theirs")
    stub.add_chat(-400, "channel", "Hidden")
    stub.add_chat(-500, "supergroup", "Quiet")
    stub.add_chat(-600, "supergroup", "Gone")
    stub.set_status(-400, stub.me["id"], "left")
    stub.set_status(-500, stub.me["id"], "restricted", can_send_messages=False)
    stub.member_changed(-600, "member", "kicked", by=LIN)
    for chat in (-400, -500, -600):
        stub.set_admin(chat, ADA)
    async with talking(stub, room):
        for named, key in (
            ("@theirs", "not_admin"),
            ("@nowhere_at_all", "unknown"),
            ("-400", "unknown"),
            ("-500", "may_not_post"),
            ("-600", "not_member"),
            ("@a b", "unknown"),
            ("x" * 3000, "unknown"),
            (str(-(10**18)), "unknown"),
        ):
            answer = await said(stub, f"/channel {named}")
            assert says(answer.text, f"channel.{key}", "zh", title="\0"), named
        assert says((await said(stub, "/channel")).text, "channel.how", "zh")


async def test_a_group_is_set_up_in_the_same_way(stub: TelegramStub, room: Room) -> None:
    stub.set_admin(GROUP, ADA)
    async with talking(stub, room):
        assert says((await said(stub, f"/channel {GROUP}")).text, "channel.chosen", "zh", count=0)
        await said(stub, "/subscribe cs.CV")
        assert await followed(room, GROUP) == ["cs.CV"]


# At the desk


class Telegram:
    """What Telegram says of Ada's channel; `why` not, if she cannot reach it."""

    def __init__(self) -> None:
        self.why = ""
        self.asked: list[str] = []

    async def reach(self, named: str) -> Place:
        self.asked.append(named)
        if self.why:
            raise NotReachedError(self.why)  # type: ignore[arg-type]
        return Place("-200", "News")


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


@pytest.fixture
async def ada(room: Room, telegram: Telegram) -> Person:
    return await room.person(address="ada", reach=telegram.reach)


async def test_after_an_hour_without_a_word_the_private_chat_is_meant_again(room: Room, ada: Person) -> None:
    await ada.says("/channel @news")
    room.clock.turn(minutes=50)
    assert (await ada.reads("/subscriptions")).startswith("📣 News")
    room.clock.turn(minutes=50)
    assert (await ada.reads("/subscribe cs.CL")).startswith("📣 News")
    room.clock.turn(minutes=61)
    assert not (await ada.reads("/subscribe cs.CV")).startswith("📣")
    assert await followed(room, -200) == ["cs.CL"]


async def test_what_is_ones_own_stays_in_the_private_chat(room: Room, ada: Person, telegram: Telegram) -> None:
    await ada.says("/channel @news")
    telegram.asked.clear()
    for said_ in ("/help", "/saved", "/save 2603.00001", "/topics", "/channel"):
        assert not (await ada.reads(said_)).startswith("📣"), said_
    assert telegram.asked == []
    assert says(await ada.reads("/forget"), "channel.forget", title="News")


async def test_a_digest_for_the_channel_comes_in_the_channel(room: Room, ada: Person) -> None:
    room.publish(1)
    await ada.says("/channel @news")
    await ada.says("/subscribe cs.CL")
    answer = await ada.reads("/digest")
    assert says(answer, "channel.sent")
    assert answer.startswith("📣 News")
    async with room.database.read() as connection:
        channel = await chats.find(connection, "telegram", "-200")
    assert channel is not None
    assert "Paper 1" in as_read(room.came[-1][1])


async def test_buttons_from_before_act_on_the_private_chat(room: Room, ada: Person) -> None:
    await ada.says("/subscribe cs.CL")
    listed = await ada.says("/subscriptions")
    assert listed is not None
    await ada.says("/channel @news")
    await ada.says("/subscribe cs.CL")
    await ada.presses(listed.buttons[0].action)
    assert await followed(room, -200) == ["cs.CL"]
    async with room.database.read() as connection:
        private = await chats.find(connection, "telegram", "ada")
        assert private is not None
        assert await chats.subscriptions_of(connection, private.id) == []


@pytest.mark.parametrize("forged", ["for:1:set:cap 5", "for:99:set:cap 5", "for:1:forget:yes 1", "for:1:allow:1"])
async def test_a_forged_press_reaches_no_other_chat(room: Room, ada: Person, forged: str) -> None:
    other = await room.person(address="other", name="Eve")
    victims = [await room.chat(other), await room.chat(Person(room.desk, address="ada"))]
    assert says(as_read(await ada.presses(forged)), "channel.over")
    assert says(as_read(await other.presses(forged)), "channel.over")
    await ada.says("/channel @news")
    await ada.presses(forged)
    assert [await room.chat(other), await room.chat(Person(room.desk, address="ada"))] == victims


async def test_a_channel_that_was_not_let_in_waits(tmp_path: Path, telegram: Telegram) -> None:
    async with a_room(tmp_path, is_open=False) as room:
        ada = await room.person(address="ada", reach=telegram.reach)
        for text in ("/channel @news", "/subscribe cs.CL"):
            answer = await ada.reads(text)
            assert says(answer, "access.waiting")
            assert answer.startswith("📣 News")
        assert await followed(room, -200) == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_elsewhere_it_says_kindly_how_it_goes(room: Room, language: str) -> None:
    catalogue = "zh" if language == "zh" else "en"
    discord = await room.person(platform="discord", address="d", language=language)
    web = await room.person(platform="web", address="w", language=language)
    group = await room.person(address="-1", group=True, language=language)
    assert says(await discord.reads("/channel #papers"), "channel.discord", catalogue)
    assert says(await web.reads("/channel @news"), "channel.web", catalogue)
    assert says(await group.reads("/channel @news"), "channel.in_private", catalogue)
