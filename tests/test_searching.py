"""/search: what people find among the stored papers, page by page."""

import pytest

from bot.cards.reply import Reply
from bot.commands import searching
from bot.locales import phrases_of
from tests.builders import a_paper, announce
from tests.room import Room, as_read, says


async def shelve(room: Room, count: int = 25) -> None:
    titles = ["Vision transformers in depth"] + [f"Paper {number} on vision" for number in range(2, count + 1)]
    papers = (a_paper(number, "cs.CV", title=title) for number, title in enumerate(titles, 1))
    await announce(room.database, room.clock.now(), *papers)


def listed(reply: Reply | None) -> list[str]:
    assert reply is not None
    return [card.title for card in reply.cards]


async def test_the_best_is_found_first(room: Room) -> None:
    await shelve(room)
    reply = await (await room.person()).says("/search vision transformer")
    assert reply is not None
    assert listed(reply) == ["Vision transformers in depth"]
    assert reply.title == phrases_of("en")("search.title", query="vision transformer")
    assert reply.cards[0].tldrs == ("Ada Lovelace, Wang Zhenyi · cs.CV · 2603.00001",)
    assert reply.buttons == ()


async def test_pages_are_turned_in_place_and_no_paper_is_on_two(room: Room) -> None:
    await shelve(room)
    person = await room.person()
    pages = [await person.says("/search vision cs.CV")]
    while (last := pages[-1]) and any(button.label.startswith("▶") for button in last.buttons):
        pages.append(await person.presses(last.buttons[-1].action))
    assert [len(listed(page)) for page in pages] == [10, 10, 5]
    assert len({title for page in pages for title in listed(page)}) == 25
    assert [page.in_place for page in pages if page] == [False, True, True]
    second = pages[1]
    assert second is not None
    assert [button.label for button in second.buttons] == ["◀ 1", "▶ 3"]
    assert second.cards[0].number == 11
    assert listed(await person.presses(second.buttons[0].action)) == listed(pages[0])


async def test_where_a_query_is_too_long_for_a_button_the_answer_says_that_there_is_more(room: Room) -> None:
    await shelve(room)
    query = "vision -" + " -".join(f"somethingelse{number}" for number in range(6))
    reply = await (await room.person()).says(f"/search {query}")
    assert reply is not None
    assert reply.buttons == ()
    assert reply.footer == phrases_of("en")("search.narrow")


async def test_there_is_an_end_to_the_pages(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_PAGES", 2)
    await shelve(room)
    reply = await (await room.person()).presses("find:2 vision")
    assert reply is not None
    assert [button.label for button in reply.buttons] == ["◀ 1"]
    assert reply.footer == phrases_of("en")("search.narrow")


async def test_an_id_leads_to_the_paper(room: Room) -> None:
    await shelve(room, 1)
    reply = await (await room.person()).says("/search 2603.00001")
    assert reply is not None
    assert [button.action for button in reply.cards[0].buttons][:1] == ["abstract:2603.00001"]


async def test_the_sample_is_found_in_the_web_chat_alone(room: Room) -> None:
    await room.add_sample()
    web, telegram = await room.person(platform="web"), await room.person()
    assert "Answer First" in await web.reads("/search reasoning traces")
    assert says(await telegram.reads("/search reasoning traces"), "search.none")


async def test_the_oldest_papers_are_found_by_words_that_latex_hides(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1, "math.CO", title="On Erd\\H{o}s--R\\'enyi graphs"))
    assert "Erdős" in as_read(await (await room.person()).says("/search erdos renyi cat:math.CO"))
