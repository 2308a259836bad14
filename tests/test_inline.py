"""Inline mode: papers that somebody looks up while they type, in any chat of Telegram; and who may."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.commands import inline
from bot.commands.desk import Desk
from bot.commands.offers import Results
from bot.commands.request import Incoming, Sender
from bot.locales import phrases_of
from bot.papers import Paper, PaperId
from bot.storage import chats
from bot.summary import Summary
from tests.builders import a_chat, a_paper, announce
from tests.room import Room, a_room
from tests.servers.telegram import InlineAnswer, TelegramStub
from tests.telegram_listener import ADA, GROUP, LIN, Listener, listening, settings, small_world, until

ENGLISH, CHINESE = phrases_of("en"), phrases_of("zh")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


def typed(text: str, person: int = ADA, language: str | None = None) -> Incoming:
    return Incoming("telegram", str(person), "Ada", False, Sender(str(person), "Ada", language), text=text)


async def found(room: Room, text: str, page: str = "", **facts: Any) -> Results:
    return await room.desk.results(typed(text, **facts), page)


def ids(results: Results) -> list[str]:
    return [result.card.paper_id for result in results.results]


@pytest.mark.parametrize("text", ["2603.00001", "https://arxiv.org/abs/2603.00001v2", "  arXiv:2603.00001 "])
async def test_an_id_or_a_link_gives_that_papers_card(room: Room, text: str) -> None:
    await announce(room.database, room.clock.now(), a_paper(1), a_paper(2))
    results = await found(room, text)
    assert ids(results) == ["2603.00001"]
    (result,) = results.results
    assert (result.title, result.about) == ("Paper 1", "Ada Lovelace, Wang Zhenyi · cs.CL · 2603.00001")
    assert result.card.tldrs
    assert result.card.buttons == ()
    assert results.lasting


async def test_a_paper_that_is_not_stored_is_asked_of_arxiv_and_stored(room: Room) -> None:
    room.publish(7)
    assert ids(await found(room, "2603.00007")) == ["2603.00007"]


async def test_words_find_the_stored_papers_in_pages(room: Room) -> None:
    papers = [a_paper(number, title=f"Vision transformer {number}") for number in range(1, 24)]
    await announce(room.database, room.clock.now(), *papers)
    await room.person()
    await room.desk.answer(typed("/search vision transformer"))  # makes their words
    pages = [await found(room, "vision transformer", page) for page in ("", "2", "3")]
    assert [len(page.results) for page in pages] == [10, 10, 3]
    assert [page.following for page in pages] == ["2", "3", ""]
    assert len({each for page in pages for each in ids(page)}) == 23


@pytest.mark.parametrize("page", ["-1", "0", "99", "x", "²"])
async def test_a_page_that_there_is_not_is_the_first(room: Room, page: str) -> None:
    await announce(room.database, room.clock.now(), a_paper(1))
    assert ids(await found(room, "2603.00001", page)) == ["2603.00001"]


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("", "inline.how", {}),
        ("perpetuum mobile", "inline.none", {}),
        ('"vision tran', "inline.bad", {"wrong": '"vision tran'}),
        ("2603.99999", "inline.unknown", {"id": "2603.99999"}),
        ("2600.00001", "inline.unknown", {"id": "2600.00001"}),
    ],
)
async def test_where_nothing_is_found_a_line_says_so(room: Room, text: str, key: str, values: dict[str, str]) -> None:
    await room.add_sample()
    for language, phrases in ((None, ENGLISH), ("zh-hans", CHINESE)):
        results = await found(room, text, language=language)
        assert (results.results, results.hint) == ((), phrases(key, **values))


async def test_an_arxiv_that_takes_long_is_not_waited_for(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "PATIENCE", 0.05)
    async with room.services.client._turn:
        results = await found(room, "2603.00007")
    assert (results.hint, results.lasting) == (ENGLISH("inline.busy"), False)


async def test_trouble_of_ours_is_a_line_too(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1))

    async def fails(_: Sequence[Paper]) -> dict[PaperId, Summary]:
        raise OSError

    desk = Desk(replace(room.services, summarise=fails))
    assert (await desk.results(typed("2603.00001"))).hint == ENGLISH("inline.busy")


async def test_looking_up_makes_no_chat_known(room: Room) -> None:
    await found(room, "vision")
    async with room.database.read() as connection:
        assert await chats.everyone(connection) == []


async def test_only_people_who_were_let_in_look_up(tmp_path: Path) -> None:
    async with a_room(tmp_path, is_open=False) as room:
        await announce(room.database, room.clock.now(), a_paper(1))
        for text in ("", "2603.00001", "paper"):
            results = await found(room, text, person=LIN)
            assert (results.results, results.hint) == ((), ENGLISH("inline.start"))
        await a_chat(room.database, platform="telegram", address=str(LIN))
        assert ids(await found(room, "2603.00001", person=LIN)) == ["2603.00001"]
        # An operator is one wherever they type, also when they claimed the bot in a group.
        claimed = Incoming("telegram", "-5", "Lab", True, Sender(str(ADA), "Ada"), text="/start let-me-in")
        await room.desk.answer(claimed)
        assert ids(await found(room, "2603.00001", person=ADA)) == ["2603.00001"]


async def test_who_was_put_out_of_an_open_bot_does_not_look_up(room: Room) -> None:
    chat = await a_chat(room.database, platform="telegram", address=str(ADA))
    async with room.database.write() as connection:
        await chats.set_access(connection, chat.id, "denied")
    assert (await found(room, "2603.00001")).hint == ENGLISH("inline.start")


# Over Telegram's own door.


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with small_world() as stub:
        stub.me["supports_inline_queries"] = True
        yield stub


async def asked(stub: TelegramStub, room: Room, text: str, offset: str = "") -> InlineAnswer:
    async with listening(settings(stub), Listener(finds=room.desk.results)):
        return await stub.inline_answer(stub.type_inline(ADA, text, offset))


async def test_a_card_is_listed_and_posted_as_telegram_shows_it(stub: TelegramStub, room: Room) -> None:
    formula = a_paper(1, title=r"On $\mathcal{O}(n^2)$ <attention> & @others")
    await announce(room.database, room.clock.now(), formula)
    answer = await asked(stub, room, "2603.00001")
    (article,) = answer.articles
    assert article.id == "2603.00001"
    assert article.title == "On 𝒪(n²) <attention> & @others"
    assert article.description == "Ada Lovelace, Wang Zhenyi · cs.CL · 2603.00001"
    assert article.text.startswith("On 𝒪(n²) <attention>")
    assert {entity["type"] for entity in article.entities} >= {"bold", "text_link"}
    assert "mention" not in {entity["type"] for entity in article.entities}
    assert (answer.is_personal, answer.button, answer.cache_time) == (True, None, 300)


async def test_results_go_on_behind_a_page(stub: TelegramStub, room: Room) -> None:
    papers = [a_paper(number, title=f"Vision transformer {number}") for number in range(1, 15)]
    await announce(room.database, room.clock.now(), *papers)
    await room.desk.answer(typed("/search vision transformer"))
    answer = await asked(stub, room, "vision transformer")
    assert (len(answer.articles), answer.next_offset) == (10, "2")
    further = await asked(stub, room, "vision transformer", answer.next_offset)
    assert (len(further.articles), further.next_offset) == (4, "")


async def test_a_longest_paper_still_fits_a_message(stub: TelegramStub, room: Room) -> None:
    long = a_paper(1, title="Long " * 300, abstract="We go on. " * 1_500, authors=("Somebody With A Name " * 30,) * 40)
    await announce(room.database, room.clock.now(), long)
    assert (await asked(stub, room, "2603.00001")).articles


async def test_a_line_leads_into_the_private_chat(stub: TelegramStub, room: Room) -> None:
    answer = await asked(stub, room, "perpetuum mobile")
    assert answer.button == (CHINESE("inline.none"), "inline")  # Ada's client speaks Chinese
    assert answer.cache_time <= 5
    reply = await room.desk.answer(typed("/start inline"))
    assert reply is not None
    assert reply.title == ENGLISH("start.title")


async def test_the_newest_query_of_a_person_wins_and_holds_up_nobody(stub: TelegramStub) -> None:
    given_up: list[str] = []
    go_on = asyncio.Event()

    async def finds(incoming: Incoming, _page: str) -> Results:
        try:
            if incoming.text.startswith("slow"):
                await go_on.wait()
        except asyncio.CancelledError:
            given_up.append(incoming.text)
            raise
        return Results(hint=incoming.text)

    listener = Listener(finds=finds)
    async with listening(settings(stub), listener):
        first = stub.type_inline(ADA, "slow 1")
        await until(lambda: len(listener.typed) == 1)
        for number in range(50):
            stub.type_inline(ADA, f"slow flood {number}")
        last, other = stub.type_inline(ADA, "quick"), stub.type_inline(LIN, "quick too")
        assert (await stub.inline_answer(last)).button == ("quick", "inline")
        assert (await stub.inline_answer(other)).button == ("quick too", "inline")
        stub.say(ADA, ADA, "/start")
        await stub.wait_for(lambda message: message.chat_id == ADA)
    assert "slow 1" in given_up
    assert first not in stub.inline_answers
    assert len(stub.inline_answers) == 2


async def test_a_query_that_is_too_old_ends_nothing(stub: TelegramStub) -> None:
    async with listening(settings(stub), Listener()):
        stub.type_inline(ADA, "old")
        stub.forget_inline_queries()
        await until(lambda: any(call.method == "answerInlineQuery" for call in stub.calls))
        assert (await stub.inline_answer(stub.type_inline(ADA, "new"))).button == ("You typed new", "inline")


async def test_what_a_person_posts_through_the_bot_is_not_answered_by_it(stub: TelegramStub, room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1))
    listener = Listener(finds=room.desk.results)
    async with listening(settings(stub), listener):
        query = stub.type_inline(ADA, "2603.00001")
        await stub.inline_answer(query)
        assert stub.choose(query, 0, GROUP, ADA)
        stub.say(GROUP, ADA, "/status")
        await until(lambda: listener.heard)
    assert [incoming.text for incoming in listener.heard] == ["/status"]
