"""More like this: the stored papers that share what is rare in a paper, alike on both databases."""

import pytest

from bot.cards.reply import Reply
from bot.jobs.indexing import Indexing
from bot.papers import Paper
from bot.storage import papers
from bot.storage.database import Database
from bot.storage.similar import similar, traits
from tests.builders import MONDAY, a_paper, announce
from tests.room import Room, as_read, says

SPLATTING = "Gaussian splatting of indoor scenes"
SHELF = (
    a_paper(1, "cs.CV", title=SPLATTING, abstract="Splatting is fast. Splatting of scenes. Splatting wins."),
    a_paper(2, "cs.CV", title="Faster Gaussian splatting", abstract="We speed it up."),
    a_paper(3, "cs.GR", title="Faster Gaussian splatting", abstract="We speed it up."),
    a_paper(4, "cs.CV", title="On indoor navigation", abstract="Robots find their way."),
    *(a_paper(number, "cs.CL", title=f"Language question {number}") for number in range(5, 40)),
)


@pytest.fixture
async def shelf(any_database: Database) -> Database:
    async with any_database.write() as connection:
        await papers.add(connection, SHELF, MONDAY)
    await Indexing(any_database).tick(MONDAY)
    return any_database


async def like(database: Database, paper: Paper, at_most: int = 8) -> list[int]:
    async with database.read() as connection:
        return [int(each.id[-2:]) for each in await similar(connection, paper, at_most)]


async def test_the_likest_come_first_those_of_the_same_category_before_others_and_never_the_paper_itself(
    shelf: Database,
) -> None:
    assert await like(shelf, SHELF[0]) == [2, 3, 4]
    assert await like(shelf, SHELF[0], at_most=1) == [2]


async def test_words_that_most_papers_have_make_none_similar(shelf: Database) -> None:
    assert await like(shelf, a_paper(50, "cs.CL", title="Language question 50")) == []


async def test_a_paper_without_a_word_is_like_none(shelf: Database) -> None:
    assert await like(shelf, a_paper(50, title="视 $x$ 12", abstract="")) == []


def test_a_paper_is_about_its_title_and_what_its_abstract_says_again_and_again() -> None:
    assert traits(SHELF[0]) == [
        ("gaussian", "splatting"),
        ("indoor", "scene"),
        ("gaussian",),
        ("splatting",),
        ("indoor",),
        ("scene",),
    ]
    long = a_paper(1, title=" ".join(f"word{'x' * number}" for number in range(60)))
    assert len(traits(long)) == 20, "what is asked of the index has a bound"


async def shelve(room: Room) -> None:
    await announce(room.database, room.clock.now(), *SHELF)
    await Indexing(room.database).tick(room.clock.now())


def listed(reply: Reply | None) -> list[str]:
    assert reply is not None
    return [card.paper_id for card in reply.cards]


async def test_the_button_brings_a_list_with_ids(room: Room) -> None:
    await shelve(room)
    reply = await (await room.person()).presses("like:2603.00001")
    assert listed(reply) == ["2603.00002", "2603.00003", "2603.00004"]
    assert reply is not None
    assert reply.title == f"Similar to “{SPLATTING}”"
    assert reply.cards[0].tldrs == ("Ada Lovelace, Wang Zhenyi · cs.CV · 2603.00002",)
    assert not reply.footer


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_where_nothing_is_similar_that_is_said_to_who_asked(room: Room, language: str) -> None:
    await shelve(room)
    reply = await (await room.person(language=language)).presses("like:2603.00007")
    assert reply is not None
    assert reply.is_aside
    assert says(as_read(reply), "like.none", "zh" if language == "zh" else "en")


async def test_while_the_index_is_being_made_that_is_said(room: Room) -> None:
    # Each look makes the words of some: the latest of these hundreds are no more like it than the rest.
    others = (a_paper(number, "cs.CL", title=f"Question {number}") for number in range(100, 400))
    await announce(room.database, room.clock.now(), *SHELF[:1], *others)
    person = await room.person()
    assert says(as_read(await person.presses("like:2603.00001")), "like.not_yet")
    await announce(room.database, room.clock.now(), a_paper(900, "cs.CV", title=SPLATTING))
    reply = await person.presses("like:2603.00001")
    assert listed(reply) == ["2603.00900"]
    assert reply is not None
    assert says(reply.footer, "like.partly")
