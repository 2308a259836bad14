"""Choices for an argument that somebody is typing: categories, topics, what a chat follows, settings."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.commands.completing import COMPLETED
from bot.commands.desk import COMMANDS
from bot.commands.offers import CHOICE_LENGTH, CHOICES, Choice
from bot.commands.request import Incoming, Sender
from bot.commands.settings import SETTINGS
from bot.interests import parse_interest
from bot.storage import chats
from tests.room import Room, a_room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


async def offered(room: Room, command: str, typed: str, language: str = "en-US", **facts: Any) -> list[Choice]:
    chat = {"address": "papers", "title": "Lab#papers", "is_group": True} | facts
    incoming = Incoming("discord", sender=Sender("7", "Ada", language), text=typed, **chat)
    return await room.desk.choices(incoming, command)


async def values(room: Room, command: str, typed: str, **facts: Any) -> list[str]:
    return [choice.value for choice in await offered(room, command, typed, **facts)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("cs.C", "cs.CC"),
        ("CS.CV", "cs.CV"),
        ("computer vision", "computer cs.CV"),
        ("vision", "cs.CV"),
        ("#vis", "#vision-transformer"),
        ("cs.CL+cs.C", "cs.CL+cs.CC"),
        ("robot -#dif", "robot -#diffusion"),
    ],
)
async def test_the_last_word_of_a_query_becomes_a_category_or_a_topic(room: Room, typed: str, first: str) -> None:
    for command in ("subscribe", "preview", "search"):
        as_typed, *others = await values(room, command, typed)
        assert as_typed == typed
        assert first in others


async def test_a_category_that_is_typed_in_full_is_offered_with_its_name(room: Room) -> None:
    first, *_ = await offered(room, "subscribe", "robot cs.CL")
    assert first == Choice("robot cs.CL · Computation and Language", "robot cs.CL")


async def test_what_is_chosen_is_a_query(room: Room) -> None:
    for typed in ("", "#", "cs.", "math.A", "robot -cs.R", "(a OR #v"):
        for value in await values(room, "subscribe", typed):
            if value not in ("#", "cs.", "math.A", "robot -cs.R", "(a OR #v") and not value.startswith("("):
                parse_interest(value)


@pytest.mark.parametrize("typed", ["检测", "#检测", "cs.CV 检测"])
async def test_topics_are_found_by_their_chinese_names(room: Room, typed: str) -> None:
    found = await offered(room, "subscribe", typed, language="zh-CN")
    assert any(choice.value.endswith("#detection-segmentation-tracking") and "检测" in choice.label for choice in found)


async def test_a_topic_is_found_by_either_name_and_shown_in_the_persons_own(room: Room) -> None:
    (label,) = {each.label for each in await offered(room, "subscribe", "#llm") if each.value == "#llm"}
    (chinese,) = {each.label for each in await offered(room, "subscribe", "#llm", "zh-CN") if each.value == "#llm"}
    assert label != chinese


async def test_only_what_a_chat_follows_can_be_unfollowed(room: Room) -> None:
    await room.person("cs.CL", '"vision transformer" -survey', platform="discord", group=True)
    assert await values(room, "unsubscribe", "") == ["cs.CL", '"vision transformer" -survey']
    assert await values(room, "unsubscribe", "VISION") == ['"vision transformer" -survey']
    assert await values(room, "unsubscribe", "math") == []
    assert await values(room, "unsubscribe", "", address="another") == []


async def test_settings_are_offered_by_name_and_then_their_usual_values(room: Room) -> None:
    assert await values(room, "settings", "") == list(SETTINGS)
    assert "mention" not in await values(room, "settings", "", is_group=False, address="dm")
    assert await values(room, "settings", "lang") == ["language"]
    assert await values(room, "settings", "语", language="zh-CN") == ["language"]
    assert await values(room, "settings", "language ") == ["language en", "language zh", "language both"]
    assert await values(room, "settings", "time 21") == ["time 21", "time 21:00"]


async def test_other_arguments_have_no_choices(room: Room) -> None:
    await room.person("cs.CL", platform="discord", group=True)
    for command in COMMANDS:
        assert bool(await values(room, command.name, "s")) == (command.name in COMPLETED)


async def test_a_chat_that_waits_or_was_put_out_is_offered_nothing(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=False) as room:
        for command in COMPLETED:
            assert await values(room, command, "c") == []
        person = await room.person("cs.CL", platform="discord", group=True)
        assert await values(room, "unsubscribe", "") == ["cs.CL"]
        async with room.database.write() as connection:
            await chats.set_access(connection, (await room.chat(person)).id, "denied")
        assert await values(room, "unsubscribe", "") == []


async def test_typing_makes_no_chat_known(room: Room) -> None:
    await values(room, "subscribe", "cs.")
    async with room.database.read() as connection:
        assert await chats.everyone(connection) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(COMPLETED), typed=st.text(max_size=300))
async def test_whatever_is_typed_the_choices_fit(room: Room, command: str, typed: str) -> None:
    found = await offered(room, command, typed)
    assert len(found) <= CHOICES
    assert all(0 < len(each.label) <= CHOICE_LENGTH and 0 < len(each.value) <= CHOICE_LENGTH for each in found)
    assert len({each.value for each in found}) == len(found)
