"""What an outcome changes beyond its message: the chat, the platform's silence, what operators and people are told."""

from datetime import timedelta

import pytest

from bot.delivery.outcomes import PROBE_AFTER
from bot.delivery.port import Gone, Instead, Moved, Refused, Sent, Shut, Wait
from bot.delivery.turns import MOST_A_TURN
from bot.interests import Interest
from bot.platforms.telegram.limits import PACE
from bot.storage import chats, marks, outbox
from bot.storage.database import Database
from bot.storage.tables import messages
from tests.builders import MONDAY, HandClock
from tests.test_courier import World, a_world, message_of, queue, states

DAY = 24 * 60


@pytest.fixture
def world(any_database: Database, clock: HandClock) -> World:
    return a_world(any_database, clock)


async def found(world: World, chat_id: int) -> chats.Chat:
    async with world.database.read() as connection:
        chat = await chats.get(connection, chat_id)
    assert chat is not None
    return chat


async def test_an_urgent_message_goes_before_a_digest_and_is_not_held_up_by_its_wait(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, *map(str, range(3)))
    world.telegram.outcomes.append(Wait("slow mode", timedelta(hours=1)))
    await world.deliver()
    await queue(world.database, chat, "urgent", key="u", urgent=True)
    await world.deliver(minutes=59)
    assert [text for _, text in world.telegram.came] == ["0"], "the chat wants silence, for everything"
    await world.deliver(minutes=2)
    assert [text for _, text in world.telegram.came] == ["0", "urgent", "0", "1", "2"]


async def test_an_urgent_message_need_not_wait_for_the_end_of_a_long_digest(world: World) -> None:
    world.keep(PACE)
    chat = await world.chat()
    await queue(world.database, chat, *map(str, range(60)))
    await world.deliver(minutes=0.1)
    await queue(world.database, chat, "urgent", key="u", urgent=True)
    await world.deliver(minutes=2)
    assert [text for _, text in world.telegram.came].index("urgent") <= MOST_A_TURN + 7


async def test_a_chat_that_stays_shut_is_given_up_with_its_reason_and_the_operators_told_once(world: World) -> None:
    for number in range(5):
        await queue(world.database, await world.chat(str(number)), "hello")
    world.telegram.outcomes.extend([Shut("no rights")] * 15)
    await world.deliver(minutes=60)
    assert len(world.telegram.came) == 15
    assert {(await found(world, number)).inactive_because for number in range(1, 6)} == {"no rights"}
    assert world.told == [("telegram", "no_rights", "no rights")] * 5  # `alert` makes one of them


async def test_a_chat_that_was_shut_for_a_moment_is_not_given_up(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2", "3")
    world.telegram.outcomes.extend([Shut("no rights"), Sent("a"), Shut("no rights"), Shut("no rights")])
    await world.deliver(minutes=60)
    assert [text for _, text in world.telegram.came] == ["1", "1", "2", "2", "2", "3"]
    assert (await found(world, chat.id)).inactive_because is None
    assert world.told == []


async def test_a_chat_that_was_shut_is_tried_once_a_day_and_comes_back_by_itself(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    world.telegram.outcomes.extend([Shut("no rights")] * 4)
    await world.deliver(minutes=2 * DAY - 60)
    assert len(world.telegram.came) == 4, "three times before it was given up, and once the day after"
    assert world.told == [("telegram", "no_rights", "no rights")]
    await world.deliver(minutes=PROBE_AFTER.total_seconds() / 60)
    assert [text for _, text in world.telegram.came] == ["1"] * 5 + ["2"]
    assert (await found(world, chat.id)).inactive_because is None
    assert await states(world.database) == ["sent", "sent"]


async def test_a_chat_that_is_gone_is_never_probed(world: World) -> None:
    await queue(world.database, await world.chat(), "1")
    world.telegram.outcomes.append(Gone("bot was blocked by the user"))
    await world.deliver(minutes=10 * DAY)
    assert len(world.telegram.came) == 1


async def test_a_message_is_put_differently_once_in_its_place(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "long", "next")
    world.telegram.outcomes.append(Instead(("first half", "second half"), "message is too long"))
    await world.deliver(minutes=1)
    assert [text for _, text in world.telegram.came] == ["long", "first half", "second half", "next"]
    assert len(set(world.telegram.keys)) == 4, "each part has a key of its own"
    assert await states(world.database) == ["sent", "sent"]


async def test_what_stands_in_for_a_message_is_not_put_differently_again(world: World) -> None:
    await queue(world.database, await world.chat(), "bad", "next")
    world.telegram.outcomes.extend([Instead(("plain",), "can't parse"), Instead(("plainer",), "can't parse")])
    await world.deliver(minutes=1)
    assert [text for _, text in world.telegram.came] == ["bad", "plain", "next"]
    assert await states(world.database) == ["failed", "sent"]
    assert world.told == [("telegram", "refused", "can't parse")] * 2


async def test_a_part_that_may_have_arrived_goes_again_and_then_the_next_part(world: World) -> None:
    await queue(world.database, await world.chat(), "long")
    world.telegram.outcomes.append(Instead(("1", "2"), "too long"))
    await world.deliver()
    world.telegram.came.clear()
    await queue(world.database, await world.chat("2"), "long")
    world.telegram.outcomes.append(Instead(("1", "2"), "too long"))
    await world.courier.tick(world.clock.now())
    await world.scheduler.settle()
    await world.kill_in_flight()
    await world.deliver(minutes=1)
    assert [text for _, text in world.telegram.came] == ["1", "2"]
    assert set(await states(world.database)) == {"sent"}


async def test_several_chats_that_are_asked_to_wait_mean_all_of_the_platform(world: World) -> None:
    for number in range(10):
        await queue(world.database, await world.chat(str(number)), "1", "2")
    world.telegram.outcomes.extend([Wait("retry after 60", timedelta(seconds=60))] * 3)
    await world.deliver()
    await world.deliver(minutes=0.9)
    assert [at for at in world.telegram.at if at > MONDAY] == []
    await world.deliver(minutes=5)
    assert set(await states(world.database)) == {"sent"}


async def test_waits_with_others_sent_between_them_mean_their_own_chats_only(world: World) -> None:
    wait = Wait("slow mode", timedelta(minutes=10))
    for number in range(12):
        await queue(world.database, await world.chat(str(number)), "hello")
    world.telegram.outcomes.extend([wait, Sent("a"), wait, Sent("b"), wait, Sent("c"), wait])
    await world.deliver(minutes=1)
    assert (await states(world.database)).count("sent") == 8


async def test_the_operators_hear_of_a_cause_and_nothing_is_lost_meanwhile(world: World) -> None:
    await queue(world.database, await world.chat(), "hello")
    world.telegram.outcomes.append(Wait("no token", timedelta(minutes=10), whole_platform=True, alert="token"))
    world.telegram.outcomes.append(Refused("spam", alert="filtered"))
    await world.deliver(minutes=30)
    assert world.told == [("telegram", "token", "no token"), ("telegram", "filtered", "spam")]
    assert (await message_of(world.database, "d1-0")).error == "spam"


async def test_a_topic_that_is_closed_sends_its_digest_to_the_chat_and_says_so(world: World) -> None:
    topic = await world.chat("-100:7", is_group=True)
    async with world.database.write() as connection:
        await chats.subscribe(connection, topic, Interest.in_categories(("cs.CL",)), MONDAY)
    await queue(world.database, topic, "hello")
    world.telegram.outcomes.append(Moved("-100", "TOPIC_CLOSED"))
    await world.deliver()
    assert world.telegram.came == [("-100:7", "hello"), ("-100", "hello")]
    assert world.told == [("telegram", "-100", "TOPIC_CLOSED")]
    async with world.database.read() as connection:
        assert len(await chats.subscriptions_of(connection, topic.id)) == 1


async def test_one_chat_with_much_to_get_does_not_hold_up_the_others(world: World) -> None:
    world.keep(PACE)
    await queue(world.database, await world.chat("full"), *map(str, range(100)))
    for number in range(60):
        await queue(world.database, await world.chat(str(number)), "hello")
    await world.deliver(minutes=0.05)
    assert {address for address, _ in world.telegram.came} == {"full", *map(str, range(60))}


async def test_what_an_operator_takes_back_is_not_sent(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "1", "2")
    async with world.database.write() as connection:
        assert await outbox.void(connection, messages.c.key == "d1-0", "by hand") == 1
    await world.deliver()
    assert world.telegram.came == [("1", "2")]
    assert await states(world.database) == ["void", "sent"]


async def test_a_restored_backup_sends_only_what_is_urgent_until_somebody_chooses(world: World) -> None:
    chat = await world.chat()
    await queue(world.database, chat, "old digest")
    await queue(world.database, chat, "what now?", key="u", urgent=True)
    async with world.database.write() as connection:
        await marks.put(connection, marks.RESTORED, MONDAY.isoformat())
    await world.deliver(minutes=60)
    assert world.telegram.came == [("1", "what now?")]
    async with world.database.write() as connection:
        await marks.remove(connection, marks.RESTORED)
    await world.deliver(minutes=1)
    assert world.telegram.came == [("1", "what now?"), ("1", "old digest")]


async def test_the_same_text_for_many_chats_is_kept_once(world: World) -> None:
    for number in range(20):
        await queue(world.database, await world.chat(str(number)), "the same")
    await world.deliver()
    assert len(world.telegram.came) == 20
    async with world.database.read() as connection:
        assert len(await outbox.contents(connection, range(100))) == 1


async def test_texts_of_what_was_sent_are_dropped_after_a_while_and_what_is_to_be_sent_is_kept(world: World) -> None:
    await queue(world.database, await world.chat("1"), "sent")
    await world.deliver()
    await queue(world.database, await world.chat("2"), "gone")
    world.telegram.outcomes.append(Gone("blocked"))
    await world.deliver()
    async with world.database.write() as connection:
        assert await outbox.prune_texts(connection, MONDAY + timedelta(days=1)) == 1
        assert list((await outbox.contents(connection, range(10))).values()) == ["gone"]
    assert await states(world.database) == ["sent", "waiting"]


async def test_at_the_end_what_is_in_flight_is_waited_for_and_recorded_and_nothing_more_leaves(world: World) -> None:
    await queue(world.database, await world.chat(), "1", "2")
    await world.courier.tick(world.clock.now())
    await world.courier.finish()
    await world.courier.tick(world.clock.now())
    await world.scheduler.settle()
    assert world.telegram.came == [("1", "1")]
    assert await states(world.database) == ["sent", "pending"]
