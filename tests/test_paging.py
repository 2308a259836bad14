"""Digests in pages: one message that turns in place, the same papers on the same pages for as long as it is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.cards.reply import Button, Reply
from bot.chats import Preferences
from bot.locales import phrases_of
from bot.platforms.discord.render import render as for_discord
from bot.platforms.telegram.render import render as for_telegram
from bot.platforms.webchat.render import render as for_webchat
from bot.storage import digests, forgetting
from bot.storage.database import Database
from bot.storage.digests import KeptDigest, NewDigest, Receipt
from tests.builders import MONDAY, TODAY, a_chat, a_paper, announce
from tests.room import Person, Room, as_read, says


async def pager(room: Room, address: str = "papers", language: str = "en", **settings: object) -> Person:
    """Somebody whose chat follows cs.CL and wants pages."""
    person = await room.person("cs.CL", address=address, language=language)
    for name, value in {"paging": "pages", **settings}.items():
        await person.says(f"/settings {name} {value}")
    return person


async def digest(room: Room, person: Person, papers: int = 10) -> Reply:
    """The chat's digest of papers 1 to `papers`, as it came."""
    await announce(
        room.database, room.clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, papers + 1))
    )
    assert await person.says("/digest") is None
    return room.came[-1][1]


def numbers(reply: Reply | None) -> list[int | None]:
    assert reply is not None
    return [card.number for card in reply.cards]


def turns(reply: Reply | None) -> dict[str, str]:
    assert reply is not None
    return {button.label: button.action for button in reply.buttons}


async def test_a_long_digest_comes_whole_unless_the_chat_wants_pages(room: Room) -> None:
    shown = await digest(room, await room.person("cs.CL"))
    assert numbers(shown) == list(range(1, 11))
    assert shown.buttons == ()


async def test_its_pages_are_turned_in_place_and_no_paper_is_on_two(room: Room) -> None:
    person = await pager(room)
    pages: list[Reply] = [await digest(room, person)]
    assert list(turns(pages[0])) == ["1/4", "▶"]
    while "▶" in turns(pages[-1]):
        turned = await person.presses(turns(pages[-1])["▶"])
        assert turned is not None
        assert turned.in_place
        pages.append(turned)
    assert [numbers(page) for page in pages] == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]
    assert len({card.paper_id for page in pages for card in page.cards}) == 10
    assert len({(page.title, page.text, page.footer) for page in pages}) == 1, "header and receipt are on each page"
    back = await person.presses(turns(pages[1])["◀"])
    assert back == replace(pages[0], in_place=True), "the first page is the one that came"


async def test_a_digest_of_one_page_has_nothing_to_turn(room: Room) -> None:
    shown = await digest(room, await pager(room), papers=3)
    assert numbers(shown) == [1, 2, 3]
    assert shown.buttons == ()


@pytest.mark.parametrize(("form", "on_first"), [("cards", 3), ("tldrs", 6), ("titles", 12)])
async def test_the_shorter_papers_are_shown_the_more_are_on_a_page(room: Room, form: str, on_first: int) -> None:
    person = await pager(room, format=form, cap=30)
    assert len((await digest(room, person, papers=20)).cards) == on_first


async def test_papers_stay_on_their_pages_whatever_is_announced_or_set_since(room: Room) -> None:
    person = await pager(room)
    forward = turns(await digest(room, person))["▶"]
    before = await person.presses(forward)
    await announce(room.database, room.clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(20, 30)))
    await person.says("/digest")
    for setting in ("format titles", "paging messages", "cap 5", "zone Asia/Tokyo"):
        await person.says(f"/settings {setting}")
    room.clock.turn(days=200)
    assert await person.presses(forward) == before


async def test_after_a_change_of_language_the_same_papers_are_told_in_the_new_one(room: Room) -> None:
    person = await pager(room)
    forward = turns(await digest(room, person))["▶"]
    await person.says("/settings language zh")
    turned = await person.presses(forward)
    assert turned is not None
    assert numbers(turned) == [4, 5, 6]
    assert phrases_of("zh")("digest.opening.announced", count=10, day=phrases_of("zh").short_day(TODAY)) in turned.text


async def test_what_was_held_back_is_opened_from_the_last_page(room: Room) -> None:
    person = await pager(room, cap=4)
    first = await digest(room, person, papers=9)
    assert not any(action.startswith("more:") for action in turns(first).values())
    last = await person.presses(turns(first)["▶"])
    assert list(turns(last)) == ["◀", "2/2", "5 more papers"]
    assert await person.presses(turns(last)["5 more papers"]) is None
    opened = room.came[-1][1]
    assert list(turns(opened)) == ["1/2", "▶"]
    last = await person.presses(turns(first)["▶"])
    assert list(turns(last)) == ["◀", "2/2"], "nothing is held back any more"


async def test_another_chat_turns_its_own_digest_or_is_told_that_there_is_none(room: Room) -> None:
    person = await pager(room)
    forward = turns(await digest(room, person))["▶"]
    stranger, chinese = await room.person(address="2"), await room.person(address="3", language="zh")
    for other, language in ((stranger, "en"), (chinese, "zh")):
        answer = await other.presses(forward)
        assert answer is not None
        assert (answer.is_aside, answer.in_place) == (True, False)
        assert says(as_read(answer), "page.gone", "zh" if language == "zh" else "en")


async def test_a_digest_that_was_forgotten_is_told_kindly(room: Room) -> None:
    person = await pager(room)
    forward = turns(await digest(room, person))["▶"]
    async with room.database.write() as connection:
        assert await forgetting.forget(connection, await room.chat(person), "ada")
    again = await room.person()
    assert says(as_read(await again.presses(forward)), "page.gone")


async def test_a_page_that_never_was_is_told_kindly(room: Room) -> None:
    person = await pager(room)
    forward = turns(await digest(room, person))["▶"]
    for forged in (forward.replace("page:2", "page:0"), forward.replace("page:2", "page:5")):
        assert says(as_read(await person.presses(forged)), "page.gone")


async def test_the_buttons_of_papers_are_below_each_page(room: Room) -> None:
    person = await pager(room)
    turned = await person.presses(turns(await digest(room, person))["▶"])
    assert turned is not None
    assert [[button.action for button in card.buttons] for card in turned.cards] == [
        [f"abstract:2603.{number:05}", f"save:2603.{number:05}"] for number in (4, 5, 6)
    ]
    assert all(len(button.action.encode()) <= 60 for button in turned.buttons)


@pytest.mark.parametrize("render", [for_telegram, for_discord, for_webchat])
async def test_a_page_is_one_message_however_much_its_papers_have_to_say(room: Room, render: object) -> None:
    assert callable(render)
    person = await pager(room, language="both")
    first = await digest(room, person)
    cards = tuple(
        replace(
            card,
            second_title="标题" * 60,
            byline="Somebody " * 30,
            tldrs=("A sentence of the summary. " * 30, "一句摘要。" * 120),
            takeaways=(("Something to remember. " * 12,) * 3, ("要点。" * 80,) * 3),
            comment="A comment " * 15,
        )
        for card in first.cards
    )
    page = replace(first, cards=cards, buttons=(Button("▶", "page:2"),))
    assert len(render(page)) == 1
    assert len(render(replace(page, is_page=False))) > 1 or render is for_webchat


async def test_chats_that_page_alike_share_their_messages(room: Room) -> None:
    for address in ("1", "2", "3"):
        await pager(room, address)
    await announce(room.database, room.clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 11)))
    await room.services.composer.tick(room.clock.turn(days=1))
    assert len(room.came) == 1, "it was rendered once"
    for address in ("1", "3"):
        turned = await Person(room.desk, address=address).presses(turns(room.came[0][1])["▶"])
        assert numbers(turned) == [4, 5, 6]


async def test_a_digest_keeps_its_days_on_both_databases(any_database: Database) -> None:
    chat = await a_chat(any_database, paging="pages")
    assert chat.preferences == Preferences(paging="pages")
    shown, held = (a_paper(number) for number in (1, 2)), a_paper(3)
    papers = [*shown, held]
    await announce(any_database, MONDAY, *papers)
    ids = [paper.id for paper in papers]
    new = NewDigest(chat.id, "daily", TODAY, Receipt(3, 3, 2, 1, 1), MONDAY, TODAY, (TODAY - timedelta(days=3),))
    async with any_database.write() as connection:
        number = (await digests.add(connection, [new], MONDAY))[chat.id]
        await digests.enter(connection, [number], ids[:2], ids[2:])
        assert await digests.with_paper(connection, chat.id, ids[0]) == KeptDigest(new, tuple(ids[:2]), tuple(ids[2:]))
        assert await digests.with_paper(connection, chat.id + 1, ids[0]) is None
