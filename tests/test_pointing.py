"""Papers that a message names, which somebody points at."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.locales import CatalogueName
from tests.builders import a_paper, announce
from tests.room import Person, Room, a_room, as_read, says


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        await announce(room.database, room.clock.now(), *map(a_paper, range(1, 9)))
        yield room


@pytest.mark.parametrize(
    "said", ["read 2603.00002 first", "https://arxiv.org/abs/2603.00002v1", "x" * 5_000 + " 2603.00002"]
)
async def test_what_a_message_names_is_shown_whole(room: Room, said: str) -> None:
    person = await room.person(platform="discord", group=True, admin=False)
    reply = await person.presses(f"paper:{said}")
    assert reply is not None
    (card,) = reply.cards
    assert (card.paper_id, card.is_line) == ("2603.00002", False)


async def test_of_many_the_first_five_are_shown(room: Room) -> None:
    person = await room.person(platform="discord", group=True)
    reply = await person.presses("paper:" + " ".join(f"2603.0000{number}" for number in range(1, 9)))
    assert reply is not None
    assert len(reply.cards) == 5


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("said", ["", "hello", "/settings cap 5", "a:b"])
async def test_a_message_without_a_paper_is_answered_kindly(room: Room, said: str, language: CatalogueName) -> None:
    person = await room.person(platform="discord", group=True, language=language)
    assert says(as_read(await person.presses(f"paper:{said}")), "paper.none_here", language)


async def test_who_waits_to_be_let_in_waits_here_too(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=False) as room:
        stranger = Person(room.desk, platform="discord", group=True)
        assert says(as_read(await stranger.presses("paper:2603.00001")), "access.waiting")
