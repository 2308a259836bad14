"""Saving: what each person keeps, page by page and as a file, in private and among others."""

from dataclasses import replace
from typing import Any

import pytest

from bot.cards.reply import Reply
from bot.commands import saving
from bot.locales import phrases_of
from bot.storage import saved
from bot.storage.database import Database
from tests.builders import MONDAY, a_paper, announce
from tests.room import Person, Room, as_read, says
from tests.servers.arxiv import Entry


async def reader(room: Room, papers: int = 3, **facts: Any) -> Person:
    """Somebody, in a world with papers 1 to `papers`."""
    await announce(room.database, room.clock.now(), *(a_paper(number, "cs.CL") for number in range(1, papers + 1)))
    return await room.person(**facts)


async def save(room: Room, person: Person, *numbers: int) -> None:
    """One after the other, a minute apart."""
    for number in numbers:
        room.clock.turn(minutes=1)
        await person.presses(f"save:2603.{number:05}")


def listed(reply: Reply | None) -> list[str]:
    assert reply is not None
    return [f"{card.number} {card.title}" for card in reply.cards]


def buttons(reply: Reply | None) -> dict[str, str]:
    assert reply is not None
    return {button.label: button.action for button in reply.buttons}


async def test_a_card_offers_to_save_and_to_cite_the_paper(room: Room) -> None:
    person = await reader(room)
    card = await person.says("/paper 2603.00001")
    assert card is not None
    (shown,) = card.cards
    assert [button.action for button in shown.buttons] == ["abstract:2603.00001", "save:2603.00001"]
    assert "bibtex:2603.00001" in [button.action for button in shown.further]


async def test_the_sample_can_be_neither_saved_nor_cited(room: Room) -> None:
    await room.add_sample()
    web = await room.person(platform="web")
    card = await web.says("/paper 2600.00001")
    assert card is not None
    assert [button.action for button in card.cards[0].buttons] == ["abstract:2600.00001"]
    assert card.cards[0].further == ()
    assert says(await web.reads("/save 2600.00001"), "paper.unknown", id="2600.00001")
    assert says(await web.reads("/saved"), "saved.none")


async def test_what_was_saved_is_listed_the_latest_first(room: Room) -> None:
    person = await reader(room)
    assert says(as_read(await person.presses("save:2603.00001")), "save.done", titles="• Paper 1 · 2603.00001")
    await save(room, person, 3, 2)
    reply = await person.says("/saved")
    assert reply is not None
    assert listed(reply) == ["1 Paper 2", "2 Paper 3", "3 Paper 1"]
    assert reply.title == phrases_of("en")("saved.title", count=3)
    assert reply.cards[0].url == "https://arxiv.org/abs/2603.00002"
    assert reply.cards[0].tldrs == ("Ada Lovelace, Wang Zhenyi · cs.CL · 2603.00002",)


async def test_what_is_saved_already_stays_where_it_is(room: Room) -> None:
    person = await reader(room)
    await save(room, person, 1, 2)
    room.clock.turn(minutes=1)
    assert says(as_read(await person.presses("save:2603.00001")), "save.already", titles="• Paper 1 · 2603.00001")
    assert listed(await person.says("/saved")) == ["1 Paper 2", "2 Paper 1"]


async def test_a_paper_that_is_not_stored_is_fetched_to_be_saved(room: Room) -> None:
    room.arxiv.add_paper(Entry("2603.00009", "Far away", "An abstract.", ("cs.CL",)))
    person = await reader(room)
    answer = await person.reads("/save https://arxiv.org/abs/2603.00009v2 and 2603.00001, 2603.77777")
    assert says(answer, "save.done", titles="• Far away · 2603.00009\n• Paper 1 · 2603.00001")
    assert says(answer, "paper.unknown", id="2603.77777")
    assert len(room.arxiv.journal) == 1


async def test_a_list_is_a_persons_own_in_all_chats_of_a_platform(room: Room) -> None:
    ada = await reader(room)
    await save(room, ada, 1)
    group = await room.person(address="lab", group=True, admin=False)
    assert listed(await replace(group, name="Ada").says("/saved")) == ["1 Paper 1"]
    assert says(await replace(group, name="Lin").reads("/saved"), "saved.none")
    namesake = await room.person(platform="discord", address="elsewhere")
    assert says(await namesake.reads("/saved"), "saved.none")


async def test_in_a_group_each_is_told_by_name_and_turns_only_their_own_pages(room: Room) -> None:
    ada = await reader(room, 12, group=True, admin=False)
    lin = replace(ada, name="Lin")
    assert as_read(await ada.says("/save 2603.00001")).strip().startswith("Ada: ")
    await save(room, ada, *range(2, 13))
    await save(room, lin, 5)
    reply = await ada.says("/saved")
    assert reply is not None
    assert reply.title.startswith("Ada: ")
    for action in (buttons(reply)["▶"], buttons(reply)["✕ 1"]):
        answer = await lin.presses(action)
        assert answer is not None
        assert says(as_read(answer), "saved.others")
        assert not answer.in_place
    assert len(listed(await ada.says("/saved"))) == 10
    assert listed(await lin.says("/saved")) == ["1 Paper 5"]


async def test_pages_are_turned_in_place(room: Room) -> None:
    person = await reader(room, 25)
    await save(room, person, *range(1, 26))
    first = await person.says("/saved")
    assert listed(first)[0] == "1 Paper 25"
    assert [label for label in buttons(first) if "✕" not in label] == ["1/3", "▶"]
    second = await person.presses(buttons(first)["▶"])
    assert second is not None
    assert second.in_place
    assert [label for label in buttons(second) if "✕" not in label] == ["◀", "2/3", "▶"]
    assert listed(second)[0] == "11 Paper 15"
    last = await person.presses(buttons(second)["▶"])
    assert [label for label in buttons(last) if "✕" not in label] == ["◀", "3/3"]
    assert listed(last) == [f"{number} Paper {26 - number}" for number in range(21, 26)]
    assert listed(await person.says("/saved 2")) == listed(second)
    assert listed(await person.says("/saved 999")) == listed(last)
    assert listed(await person.presses("saved:nonsense ada")) == listed(first)


async def test_every_button_keeps_the_limit_of_sixty_bytes(room: Room) -> None:
    person = await reader(room)
    old = a_paper(1, id="cond-mat/9901001")
    await announce(room.database, room.clock.now(), old)
    someone = replace(person, name="9" * 20)
    await someone.says("/save cond-mat/9901001")
    reply = await someone.says("/saved")
    assert reply is not None
    assert all(len(button.action.encode()) <= 60 for button in reply.buttons)


async def test_a_paper_is_taken_off_and_the_page_stays(room: Room) -> None:
    person = await reader(room, 12)
    await save(room, person, *range(1, 13))
    second = await person.says("/saved 2")
    assert listed(second) == ["11 Paper 2", "12 Paper 1"]
    third = await person.presses(buttons(second)["✕ 11"])
    assert third is not None
    assert third.in_place
    assert listed(third) == ["11 Paper 1"]
    assert listed(await person.presses(buttons(third)["✕ 11"]))[-1] == "10 Paper 3"


async def test_the_last_one_taken_off_leaves_an_empty_list(room: Room) -> None:
    person = await reader(room)
    await save(room, person, 1)
    reply = await person.presses(buttons(await person.says("/saved"))["✕ 1"])
    assert reply is not None
    assert reply.in_place
    assert says(as_read(reply), "saved.none")


async def test_papers_are_taken_off_by_id_or_all_at_once(room: Room) -> None:
    person, other = await reader(room), await room.person(name="Lin", address="2")
    await save(room, person, 1, 2, 3)
    await save(room, other, 1)
    assert says(await person.reads("/unsave 2603.00001 2603.77777"), "unsave.done", count=1)
    assert says(await person.reads("/unsave 2603.00001"), "unsave.none")
    assert says(await person.reads("/unsave all"), "unsave.done", count=2)
    assert says(await person.reads("/saved"), "saved.none")
    assert listed(await other.says("/saved")) == ["1 Paper 1"]


async def test_a_person_saves_so_many_and_no_more(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "MOST_SAVED", 2)
    person = await reader(room)
    await save(room, person, 1, 2)
    assert says(await person.reads("/save 2603.00003"), "save.full", count=2)
    assert len(listed(await person.says("/saved"))) == 2


@pytest.mark.parametrize(
    ("said", "name", "begins"),
    [
        ("/saved export bibtex", "saved.bib", "@misc{lovelace2026paper,"),
        ("/saved RIS", "saved.ris", "TY  - UNPB"),
        ("/saved export CSL", "saved.json", "["),
        ("/saved export markdown", "saved.md", "- [Paper 2](https://arxiv.org/abs/2603.00002)"),
    ],
)
async def test_all_of_it_is_exported_as_a_file(room: Room, said: str, name: str, begins: str) -> None:
    person = await reader(room, 12)
    await save(room, person, *range(3, 13), 1, 2)
    reply = await person.says(said)
    assert reply is not None
    assert reply.file is not None
    assert says(reply.text, "saved.exported", count=12)
    assert reply.file.name == name
    assert reply.file.text.startswith(begins)
    assert reply.file.text.count("2603.000") >= 12


async def test_a_papers_entry_is_shown_to_be_copied(room: Room) -> None:
    person = await reader(room)
    reply = await person.presses("bibtex:2603.00001")
    assert reply is not None
    assert reply.text == "Paper 1"
    assert reply.code.startswith("@misc{lovelace2026paper,\n  title = {Paper 1},")


async def test_both_databases_keep_the_same(any_database: Database) -> None:
    await announce(any_database, MONDAY, a_paper(1), a_paper(2))
    one, two = a_paper(1).id, a_paper(2).id
    async with any_database.write() as connection:
        assert await saved.add(connection, "telegram", "7", [one, two], MONDAY) == 2
        assert await saved.add(connection, "telegram", "7", [two], MONDAY) == 0
        assert await saved.add(connection, "telegram", "7", [], MONDAY) == 0
        assert await saved.add(connection, "discord", "7", [one], MONDAY) == 1
        assert [each.id for each in await saved.latest(connection, "telegram", "7", 5)] == [two, one]
        assert [each.id for each in await saved.latest(connection, "telegram", "7", 5, skip=1)] == [one]
        assert await saved.remove(connection, "telegram", "7", [one]) == 1
        assert await saved.remove_all(connection, "telegram", "7") == 1
        assert await saved.count(connection, "telegram", "7") == 0
        assert await saved.count(connection, "discord", "7") == 1
