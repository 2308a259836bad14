"""Forgetting: after one yes nothing is kept about a chat or about who asked, and it is met as a stranger's."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.commands.forgetting import TIME_TO_CONFIRM
from bot.config import Retention
from bot.interests import stored_interest
from bot.jobs.housekeeping import Housekeeper
from bot.storage import (
    attempts,
    broadcasts,
    changes,
    chats,
    digests,
    ended,
    forgetting,
    imports,
    links_answered,
    operators,
    outbox,
    replacements,
    saved,
    stand_ins,
    threads,
    votes,
)
from bot.storage.changes import Change
from bot.storage.database import Database
from bot.storage.digests import NewDigest, Receipt
from bot.storage.replacements import Replacement
from bot.storage.tables import metadata, payloads
from bot.summary import Provenance
from tests.builders import MONDAY, TODAY, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says

BY_HAND = Provenance("hand", "1", MONDAY)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path, is_open=False) as made:
        yield made


def yes(reply: Reply | None) -> str:
    assert reply is not None
    return next(button.action for button in reply.buttons if button.action.startswith("forget:yes"))


async def a_full_chat(database: Database, **facts: str) -> Chat:
    """A chat of which every table that can has a row."""
    chat = await a_chat(database, "cs.CL", platform="telegram", **facts)
    paper = a_paper(1)
    await announce(database, MONDAY, paper)
    async with database.write() as connection:
        numbers = await digests.add(connection, [NewDigest(chat.id, "daily", TODAY, Receipt(1, 1, 1, 0))], MONDAY)
        await digests.enter(connection, [numbers[chat.id]], [paper.id], [])
        await outbox.put(connection, chat.id, numbers[chat.id], f"d{chat.id}", ["shared", f"own {chat.id}"], MONDAY)
        await threads.say(connection, chat.id, "person", f"said {chat.id}", "<p>hello</p>", MONDAY)
        await imports.put(connection, chat.id, "paperwire = 1", MONDAY)
        await broadcasts.ask(connection, chat.id, "Hello all", MONDAY)
        await stand_ins.put(connection, chat.id, chat.id, MONDAY)
        await chats.subscribe(connection, chat, stored_interest("cs.CV"), MONDAY)
        _, second = await chats.subscriptions_of(connection, chat.id)
        await ended.end(connection, chat, second.id, MONDAY)
        await replacements.told(
            connection, {chat.id: [Replacement(paper.id, "", 1, 2, withdrawn=False, comment=None)]}, MONDAY
        )
        await links_answered.claim(connection, chat.id, [paper.id], MONDAY, MONDAY, 1)
        await operators.add(connection, "telegram", f"ada of {chat.address}", chat.id)
        await saved.add(connection, "telegram", f"ada of {chat.address}", [paper.id], MONDAY)
        await votes.cast(connection, "telegram", f"ada of {chat.address}", paper.id, 1, BY_HAND, MONDAY)
        followed = await chats.subscriptions_of(connection, chat.id)
        await changes.make(connection, chat, [Change(followed[0], stored_interest("cs.CL -cs.CV"))], MONDAY)
    return chat


async def rows_of(database: Database, chat: Chat) -> dict[str, int]:
    """How many rows each table has that tell of a chat or of its Ada."""
    found = {}
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            if table.name == "chats":
                mine = table.c.id == chat.id
            elif "chat_id" in table.c:
                mine = table.c.chat_id == chat.id
            elif "user_id" in table.c:
                mine = table.c.user_id == f"ada of {chat.address}"
            else:
                continue
            query = sa.select(sa.func.count()).select_from(table).where(mine)
            found[table.name] = int((await connection.execute(query)).scalar_one())
    return found


async def test_no_table_keeps_anything_of_a_forgotten_chat_and_all_keep_what_is_others(any_database: Database) -> None:
    chat, other = await a_full_chat(any_database, address="papers"), await a_full_chat(any_database, address="other")
    before = await rows_of(any_database, other)
    assert all((await rows_of(any_database, chat)).values()), "a table without a row here would prove nothing"
    async with any_database.write() as connection:
        assert await forgetting.forget(connection, chat, "ada of papers")
    assert not any((await rows_of(any_database, chat)).values())
    assert await rows_of(any_database, other) == before
    async with any_database.read() as connection:
        assert await chats.find(connection, "telegram", "papers") is None


async def test_texts_of_a_forgotten_chat_go_with_the_next_housekeeping(any_database: Database) -> None:
    chat = await a_full_chat(any_database, address="papers")
    await a_full_chat(any_database, address="other")
    async with any_database.write() as connection:
        await forgetting.forget(connection, chat, "ada of papers")
    await Housekeeper(any_database, Retention()).tick(MONDAY + timedelta(hours=1))
    async with any_database.read() as connection:
        kept = set((await connection.execute(sa.select(payloads.c.content))).scalars())
    assert "shared" in kept, "somebody else is still to get it"
    assert f"own {chat.id}" not in kept


async def test_numbers_of_what_was_forgotten_are_not_given_again(any_database: Database) -> None:
    chat = await a_full_chat(any_database, address="papers")
    async with any_database.write() as connection:
        before = {name: await largest(connection, name) for name in ("chats", "digests", "messages")}
        await forgetting.forget(connection, chat, "ada of papers")
    await a_full_chat(any_database, address="papers")
    async with any_database.read() as connection:
        assert all([await largest(connection, name) > number for name, number in before.items()])


async def largest(connection: sa.ext.asyncio.AsyncConnection, table: str) -> int:
    return int((await connection.execute(sa.select(sa.func.max(metadata.tables[table].c.id)))).scalar_one())


async def test_a_chat_is_not_forgotten_while_a_message_is_in_flight(any_database: Database) -> None:
    chat = await a_full_chat(any_database, address="papers")
    async with any_database.write() as connection:
        ((_, (first, second)),) = await outbox.queues(connection, [chat.id], MONDAY)
        assert await attempts.claim(connection, [first.id], MONDAY) == {first.id}
    async with any_database.write() as connection:
        assert not await forgetting.forget(connection, chat, "ada of papers")
        assert await attempts.claim(connection, [second.id], MONDAY) == set(), "what waited is taken back"
        assert await outbox.counts(connection) == {"sending": 1, "void": 1}
        await attempts.sent(connection, {first.id: "9"}, MONDAY)
        assert await forgetting.forget(connection, chat, "ada of papers")


async def test_what_was_claimed_in_vain_goes_to_nobody_else(any_database: Database) -> None:
    chat = await a_full_chat(any_database, address="papers")
    async with any_database.write() as connection:
        ((_, queue),) = await outbox.queues(connection, [chat.id], MONDAY)
        await forgetting.forget(connection, chat, "ada of papers")
    await a_full_chat(any_database, address="next")
    async with any_database.write() as connection:
        assert await attempts.claim(connection, [message.id for message in queue], MONDAY) == set()


async def test_who_asks_is_shown_what_goes_and_offered_the_export_first(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    reply = await person.says("/forget")
    assert says(as_read(reply), "forget.question", count=2)
    assert reply is not None
    assert [button.label for button in reply.buttons] == ["Export first", "Delete everything", "Keep"]
    export = await person.presses(reply.buttons[0].action)
    assert export is not None
    assert export.file is not None
    assert "cs.CV" in export.file.text
    assert says(as_read(await person.presses(reply.buttons[2].action)), "forget.kept")
    assert len(await subscriptions(room, person)) == 2


async def subscriptions(room: Room, person: Person) -> list[str]:
    async with room.database.read() as connection:
        chat = await chats.find(connection, person.platform, person.address)
        return [] if chat is None else [str(each) for each in await chats.subscriptions_of(connection, chat.id)]


async def test_a_forgotten_chat_is_met_as_a_stranger(closed: Room) -> None:
    operator = await closed.person(address="operator")
    async with closed.database.write() as connection:
        await operators.add(connection, "telegram", "root", (await closed.chat(operator)).id)
    person = replace(await closed.person("cs.CL"), name="Grace")
    assert says(as_read(await person.presses(yes(await person.says("/forget")))), "forget.done")
    assert says(await person.reads("/subscriptions"), "access.waiting")
    chat = await closed.chat(person)
    assert (chat.access, chat.next_digest_at, chat.title) == ("waiting", None, "Grace's")


async def test_a_forgotten_chat_may_ask_again_and_operators_hear_of_it(closed: Room) -> None:
    operator = await closed.person(address="operator")
    async with closed.database.write() as connection:
        await operators.add(connection, "telegram", "root", (await closed.chat(operator)).id)
    grace, root = replace(operator, address="grace", name="Grace"), replace(operator, name="root")
    for _ in range(2):
        closed.came.clear()
        await grace.says("/start")
        ((_, request),) = closed.came
        assert says(as_read(request), "access.request", title="Grace's", sender="Grace", platform="Telegram")
        async with closed.database.read() as connection:
            counts = await outbox.counts(connection)
        assert counts["pending"] == 1, "the operator is told"
        await root.presses(request.buttons[0].action)
        await grace.presses(yes(await grace.says("/forget")))


async def test_what_operators_were_told_of_a_group_stays_while_a_topic_of_it_is_known(any_database: Database) -> None:
    operator = await a_chat(any_database, platform="telegram", address="operator")
    topics = [
        await a_chat(any_database, platform="telegram", address=place, is_group=True) for place in ("-5:1", "-5:2")
    ]
    async with any_database.write() as connection:
        await outbox.put(connection, operator.id, None, f"access-telegram--5-{operator.id}", ["asked"], MONDAY)
        await outbox.put(connection, operator.id, None, f"access-telegram--55-{operator.id}", ["another"], MONDAY)
        for topic, left in zip(topics, (2, 1), strict=True):
            await forgetting.forget(connection, topic, "ada")
            assert await outbox.counts(connection) == {"pending": left}


async def test_a_yes_is_taken_for_ten_minutes(room: Room) -> None:
    person = await room.person("cs.CL")
    action = yes(await person.says("/forget"))
    room.clock.turn(seconds=TIME_TO_CONFIRM.total_seconds() + 1)
    assert says(as_read(await person.presses(action)), "forget.too_late")
    assert len(await subscriptions(room, person)) == 1
    await person.presses(yes(await person.says("/forget")))
    assert await subscriptions(room, person) == []


@pytest.mark.parametrize("forged", ["yes", "yes x", "yes 99999999999", "yes ١", "yes -5", "maybe 1", ""])
async def test_a_forged_yes_deletes_nothing(room: Room, forged: str) -> None:
    person = await room.person("cs.CL")
    await person.presses(f"forget:{forged}")
    assert len(await subscriptions(room, person)) == 1


async def test_in_a_group_only_administrators_forget(room: Room) -> None:
    admin = await room.person("cs.CL", group=True)
    action = yes(await admin.says("/forget"))
    member = replace(admin, admin=False)
    assert says(as_read(await member.presses(action)), "error.admins_only")
    assert len(await subscriptions(room, admin)) == 1


async def test_a_chat_that_is_kept_out_cannot_ask_anew_by_being_forgotten(closed: Room) -> None:
    person = replace(await closed.person(), name="Mallory")
    async with closed.database.write() as connection:
        await chats.set_access(connection, (await closed.chat(person)).id, "denied")
    assert says(await person.reads("/forget"), "access.denied")
    assert says(as_read(await person.presses(f"forget:yes {closed.clock.epoch():.0f}")), "access.denied")
    assert (await closed.chat(person)).access == "denied"


async def test_an_operator_is_warned_and_is_none_afterwards(room: Room) -> None:
    person = await room.person()
    async with room.database.write() as connection:
        await operators.add(connection, "telegram", "ada", (await room.chat(person)).id)
    reply = await person.says("/forget")
    assert says(as_read(reply), "forget.operator")
    await person.presses(yes(reply))
    async with room.database.read() as connection:
        assert not await operators.is_operator(connection, "telegram", "ada")


async def test_the_chat_of_another_operator_is_not_theirs_to_forget(room: Room) -> None:
    person = replace(await room.person(group=True), name="Grace")
    async with room.database.write() as connection:
        await operators.add(connection, "telegram", "ada", (await room.chat(person)).id)
    assert says(await person.reads("/forget"), "forget.serves_others")
    answer = await person.presses(f"forget:yes {room.clock.epoch():.0f}")
    assert says(as_read(answer), "forget.serves_others")
    async with room.database.read() as connection:
        assert await operators.is_operator(connection, "telegram", "ada")


async def test_a_digest_of_a_chat_that_was_forgotten_meanwhile_is_not_made(room: Room) -> None:
    person = await room.person("cs.CL")
    chat = await room.chat(person)
    await announce(room.database, MONDAY, a_paper(1))
    await person.presses(yes(await person.says("/forget")))
    assert await room.services.composer.daily(chat, room.clock.turn(days=1)) == 0
