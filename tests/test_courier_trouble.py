"""The courier in trouble: what goes wrong with one message, or at one moment, costs the others nothing."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.delivery.budget import SharedBudget
from bot.delivery.outcomes import LAST_RETRY
from bot.delivery.port import Gone, Instead, Moved, Sent, Shut, Uncertain, Wait
from bot.platforms.telegram.limits import PACE
from bot.storage import attempts, chats, digests, outbox
from bot.storage.database import Database
from bot.storage.digests import NewDigest, Receipt
from bot.storage.tables import chats as chats_table
from bot.storage.tables import payloads
from tests.builders import MONDAY, HandClock, a_chat
from tests.test_courier import World, a_world, message_of, queue, states


@pytest.fixture
def world(any_database: Database, clock: HandClock) -> World:
    return a_world(any_database, clock)


@pytest.mark.thorough
async def test_a_text_that_many_get_is_there_however_many_others_are_sent_between(world: World) -> None:
    for number in range(600):
        text = "the same" if number % 2 else f"its own {number}"
        await queue(world.database, await world.chat(str(number)), text)
    await world.deliver()
    assert set(await states(world.database)) == {"sent"}
    assert len(world.telegram.came) == 600


async def test_a_message_whose_text_is_gone_fails_alone(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    async with world.database.write() as connection:
        await connection.execute(sa.delete(payloads).where(payloads.c.content == "1"))
    await world.deliver(minutes=1)
    assert [text for _, text in world.telegram.came] == ["2"]
    assert await states(world.database) == ["failed", "sent"]


async def test_an_answer_of_a_chat_that_is_no_more_stops_nobody(world: World) -> None:
    gone = await world.chat("1")
    await queue(world.database, gone, "hello")
    world.telegram.outcomes.append(Shut("chat not found"))
    await world.courier.tick(world.clock.now())
    async with world.database.write() as connection:
        await connection.execute(sa.delete(chats_table).where(chats_table.c.id == gone.id))
    await world.scheduler.settle()
    await queue(world.database, await world.chat("2"), "hello")
    await world.deliver(minutes=1)
    assert world.telegram.came == [("1", "hello"), ("2", "hello")]


async def test_an_answer_that_cannot_be_recorded_goes_again_later_and_the_others_are_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def confused(*_: object) -> int:
        raise ValueError("something is wrong with this one")

    monkeypatch.setattr("bot.storage.chats.count_shut", confused)
    await queue(world.database, await world.chat("1"), "hello")
    await queue(world.database, await world.chat("2"), "hello")
    world.telegram.outcomes.append(Shut("no rights"))
    await world.deliver(minutes=1)
    assert await states(world.database) == ["uncertain", "sent"]
    await world.deliver(minutes=LAST_RETRY.total_seconds() / 60)
    assert await states(world.database) == ["sent", "sent"]


async def test_a_word_to_the_operators_that_fails_costs_no_message(world: World) -> None:
    async def deaf(*_: str) -> None:
        raise RuntimeError("nobody listens")

    world.courier._alert = deaf
    await queue(world.database, await world.chat("1"), "hello", "again")
    world.telegram.outcomes.append(Wait("no token", timedelta(minutes=1), whole_platform=True, alert="token"))
    await world.deliver(minutes=5)
    assert set(await states(world.database)) == {"sent"}


async def test_a_silence_and_the_answer_that_asked_for_it_are_on_record_together_or_not_at_all(world: World) -> None:
    await queue(world.database, await world.chat("1"), "hello")
    world.telegram.outcomes.append(Wait("429", timedelta(hours=1), whole_platform=True))
    halt = world.budget.halt

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    world.budget.halt = killed  # type: ignore[method-assign]
    await world.courier.tick(world.clock.now())
    await world.scheduler.settle()
    with pytest.raises(asyncio.CancelledError):
        await world.courier.tick(world.clock.now())
    assert await states(world.database) == ["sending"]
    world.budget.halt = halt  # type: ignore[method-assign]
    await world.courier.tick(world.clock.now())
    fresh = a_world(world.database, world.clock)
    await fresh.start()
    await queue(world.database, await world.chat("2"), "hello")
    await fresh.deliver(minutes=59)
    assert fresh.telegram.came == []
    await fresh.deliver(minutes=2)
    assert set(await states(world.database)) == {"sent"}


async def test_a_process_that_was_taken_for_dead_changes_nothing_when_it_wakes(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    world.telegram.outcomes.append(Uncertain("no answer"))
    await world.courier.tick(world.clock.now())  # it has sent 1, and sleeps before it can record that
    successor = a_world(world.database, world.clock)
    async with world.database.write() as connection:
        await attempts.recover(connection, world.clock.now(), [chat.id])
    await successor.deliver(minutes=1)
    assert set(await states(world.database)) == {"sent"}
    await world.scheduler.settle()
    await world.deliver(minutes=60)
    assert set(await states(world.database)) == {"sent"}, "its late doubt does not send again what was sent"


async def test_of_one_chat_nothing_is_claimed_while_another_process_sends_to_it(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    async with world.database.write() as connection:
        assert await attempts.claim(connection, [1], MONDAY) == {1}
        assert await attempts.claim(connection, [2], MONDAY) == set()


@pytest.mark.parametrize("what", ["denied", "gone", "held back"])
async def test_a_chat_that_changes_while_it_is_served_gets_nothing_more(world: World, what: str) -> None:
    world.keep(PACE)
    chat = await world.chat()
    await queue(world.database, chat, *map(str, range(10)))
    await world.deliver(minutes=0.03)
    sent = len(world.telegram.came)
    async with world.database.write() as connection:
        match what:
            case "denied":
                await chats.set_access(connection, chat.id, "denied")
            case "gone":
                await chats.deactivate(connection, chat.id, "blocked", world.clock.now())
            case _:
                await outbox.hold_back(connection, chat.id, world.clock.now() + timedelta(hours=1))
    await world.deliver(minutes=5)
    assert len(world.telegram.came) == sent < 10


async def test_what_a_dead_process_had_in_flight_holds_no_slot_of_its_successor(world: World) -> None:
    if not isinstance(world.budget, SharedBudget):
        pytest.skip("a process that is alone remembers its slots from the ledger")
    world.keep(PACE)
    numbers = [(await world.chat(str(number))).id for number in range(30)]
    for number in numbers:
        await queue(world.database, await world.chat(str(number - 1)), "hello")
    await world.kill_in_flight_only()
    assert len(await states(world.database)) == 30
    await asyncio.gather(*(world.serve(number) for number in numbers))
    assert set(await states(world.database)) == {"sent"}
    assert max(world.telegram.at) <= MONDAY + timedelta(seconds=5)


async def test_a_chat_with_more_than_a_turn_is_served_to_its_end_at_once(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, *map(str, range(70)))
    await world.serve(chat.id)
    assert [text for _, text in world.telegram.came] == list(map(str, range(70)))


async def test_a_stop_in_the_middle_of_a_round_loses_no_answer(world: World) -> None:
    for number in range(5):
        await queue(world.database, await world.chat(str(number)), "hello")
    ticking = asyncio.create_task(world.courier.tick(world.clock.now()))
    await asyncio.sleep(0.005)
    await world.courier.finish()
    await ticking
    await world.scheduler.settle()
    assert "sending" not in await states(world.database)
    assert (await states(world.database)).count("sent") == len(world.telegram.came)


async def test_texts_are_pruned_though_a_divided_message_waits_for_ever(world: World) -> None:
    await queue(world.database, await world.chat("1"), "long")
    world.telegram.outcomes.extend([Instead(("part 1", "part 2"), "too long"), Sent("a"), Gone("blocked")])
    await world.deliver()
    await queue(world.database, await world.chat("2"), "sent")
    await world.deliver()
    async with world.database.write() as connection:
        assert await outbox.prune_texts(connection, MONDAY + timedelta(days=400)) == 3
        assert list((await outbox.contents(connection, range(10))).values()) == ["part 2"]


async def test_two_that_become_one_after_one_had_its_digest_have_the_next_one_tomorrow(world: World) -> None:
    old = await a_chat(world.database, "cs.CL", platform="telegram", address="-1", zone="UTC")
    new = await a_chat(world.database, "cs.CV", platform="telegram", address="-1001", zone="UTC")
    async with world.database.write() as connection:
        await digests.add(connection, [NewDigest(new.id, "daily", MONDAY.date(), Receipt(0, 0, 0, 0))], MONDAY)
        await chats.schedule(connection, new.id, MONDAY, made=MONDAY.date())
        await chats.digest_now(connection, old.id, MONDAY)
    await queue(world.database, old, "hello")
    world.telegram.outcomes.append(Moved("-1001"))
    await world.deliver()
    async with world.database.read() as connection:
        (only,) = await chats.on_platform(connection, "telegram")
    assert only.next_digest_at is not None
    assert only.next_digest_at > MONDAY
    assert (await message_of(world.database, f"d{old.id}-0")).state == "sent"
