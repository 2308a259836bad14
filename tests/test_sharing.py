"""What several processes on one PostgreSQL share: leases, updates, arXiv's pace, the queue of work."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.arxiv.client import SPACING
from bot.cards.reply import Reply
from bot.chats import Chat
from bot.config import Workers
from bot.delivery.budget import Ask, Scope, SharedBudget, slot
from bot.delivery.port import Rate
from bot.digests.compose import Composer
from bot.interests import Interest
from bot.jobs.alerting import Alerting
from bot.jobs.distributed import Distributed
from bot.jobs.summarising import TOGETHER, Summarising
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import alerts, attempts, budgets, chats, outbox, queue, threads, updates_seen
from bot.storage.database import Database
from bot.storage.lease import LeaseLostError, lease
from bot.storage.tables import messages, payloads
from bot.summaries.write import WRITERS, Summariser
from tests.builders import MONDAY, HandClock, HandScheduler, a_chat, a_paper, announce


async def test_of_two_that_want_a_lease_one_holds_it_and_then_the_other(shared_database: Database) -> None:
    order: list[str] = []

    async def hold(name: str, until: asyncio.Event) -> None:
        async with lease(shared_database, "updates"):
            order.append(name)
            await until.wait()

    first_may_end, second_may_end = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold("first", first_may_end))
    while not order:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(hold("second", second_may_end))
    await asyncio.sleep(0.2)
    assert order == ["first"]
    first_may_end.set()
    second_may_end.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]


async def test_leases_of_different_names_do_not_hold_each_other_up(shared_database: Database) -> None:
    async with asyncio.timeout(5), lease(shared_database, "one"), lease(shared_database, "other"):
        pass


async def test_whoever_loses_the_connection_loses_the_lease_and_hears_of_it(shared_database: Database) -> None:
    async def hold() -> None:
        async with lease(shared_database, "updates"):
            async with shared_database.write() as connection:
                others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                await connection.execute(sa.text(others))
            await asyncio.Event().wait()

    with pytest.raises(LeaseLostError):
        await asyncio.wait_for(hold(), 10)


async def test_a_process_that_is_alone_holds_every_lease(database: Database) -> None:
    async with lease(database, "updates"), lease(database, "updates"):
        pass


async def test_an_update_is_new_once_whichever_process_asks(any_database: Database) -> None:
    async with any_database.write() as connection:
        assert await updates_seen.is_new(connection, "telegram", 2**40, MONDAY)
        assert not await updates_seen.is_new(connection, "telegram", 2**40, MONDAY)
        assert await updates_seen.is_new(connection, "discord", 2**40, MONDAY)
        await updates_seen.prune(connection, MONDAY + timedelta(days=1))
        assert await updates_seen.is_new(connection, "telegram", 2**40, MONDAY)


async def test_a_reader_of_a_thread_misses_nothing_that_two_processes_write_at_once(shared_database: Database) -> None:
    chat = await a_chat(shared_database)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with shared_database.write() as connection:
            await threads.say(connection, chat.id, "bot", "slow", "1", MONDAY)
            begun.set()
            await may_end.wait()

    async def quick() -> None:
        async with shared_database.write() as connection:
            await threads.say(connection, chat.id, "bot", "quick", "2", MONDAY)

    writing = asyncio.create_task(slow())
    await begun.wait()
    other = asyncio.create_task(quick())
    await asyncio.wait([other], timeout=0.2)
    async with shared_database.read() as connection:
        assert await threads.after(connection, chat.id, 0) == []
    may_end.set()
    await asyncio.gather(writing, other)
    async with shared_database.read() as connection:
        assert [said.html for said in await threads.after(connection, chat.id, 0)] == ["1", "2"]


def as_text(reply: Reply) -> list[str]:
    return [" ".join([reply.title, *(card.paper_id for card in reply.cards)])]


class Node:
    """One process's engine; what it delivers and composes is written down."""

    def __init__(self, url: str, database: Database, clock: HandClock) -> None:
        self.delivered: list[int] = []
        self.composed: list[int] = []
        self.summarised: list[list[str]] = []
        self.polls = 0
        self.at_work = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._database = database
        self._clock = clock
        self.scheduler = HandScheduler()
        composer = Composer(
            database, Summariser(database, clock, WRITERS).at_once, {"telegram": as_text}, (), Metrics()
        )
        self.alerting = Alerting(database, composer)
        self.engine = Distributed(
            url,
            Workers(heartbeat_seconds=0.2, stalled_seconds=0.6),
            database,
            clock,
            self.scheduler,
            ["telegram"],
            deliver=self._deliver,
            compose=self._compose,
            alerting=self.alerting,
            poll=self._poll,
            next_poll_at=self._next_poll_at,
            summarising=Summarising(database, self),
        )

    async def _deliver(self, chat_id: int) -> None:
        self.at_work += 1
        await self.may_end.wait()
        async with self._database.write() as connection:
            now = self._clock.now()
            await attempts.recover(connection, now, [chat_id])
            for _, several in await outbox.queues(connection, [chat_id], now):
                await attempts.claim(connection, [message.id for message in several], now)
                await attempts.sent(connection, {message.id: "1" for message in several}, now)
        self.delivered.append(chat_id)
        self.at_work -= 1

    async def write(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        self.summarised.append([paper.id for paper in papers])

    async def unready(self, papers: Sequence[Paper], *, bilingual: bool) -> set[PaperId]:
        return set()

    async def _compose(self, chat: Any, now: datetime) -> int:
        self.composed.append(chat.id)
        async with self._database.write() as connection:
            await chats.schedule(connection, chat.id, now, made=now.date())
        return 0

    async def _poll(self, now: datetime) -> datetime | None:
        self.polls += 1
        return None

    async def _next_poll_at(self, now: datetime) -> datetime | None:
        return now if not self.polls else None


@asynccontextmanager
async def a_node(url: str, database: Database, clock: HandClock) -> AsyncIterator[Node]:
    node = Node(url, database, clock)
    await node.engine.open()
    yield node
    node.may_end.set()
    await node.engine.stop_worker()
    await node.engine.close()


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def queue_for(database: Database, *addresses: str) -> list[int]:
    numbers = []
    for address in addresses:
        chat = await a_chat(database, platform="telegram", address=address)
        async with database.write() as connection:
            await outbox.put(connection, chat.id, None, f"d{chat.id}", ["hello"], MONDAY)
        numbers.append(chat.id)
    return numbers


async def jobs(database: Database) -> list[tuple[str, str]]:
    async with database.read() as connection:
        rows = await connection.execute(sa.text("SELECT task_name, lock FROM procrastinate_jobs ORDER BY id"))
        return [tuple(row) for row in rows]


async def test_what_two_processes_queue_at_once_is_queued_once(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    numbers = await queue_for(shared_database, *map(str, range(20)))
    async with (
        a_node(shared_url, shared_database, clock) as one,
        a_node(shared_url, shared_database, clock) as other,
    ):
        await asyncio.gather(*(node.engine.queue_deliveries(MONDAY) for node in (one, other)))
        await one.engine.queue_deliveries(MONDAY)
        assert sorted(await jobs(shared_database)) == sorted(("deliver", f"chat-{number}") for number in numbers)


async def test_a_queued_outbox_is_delivered_by_one_of_the_workers(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    numbers = await queue_for(shared_database, *map(str, range(10)))
    async with (
        a_node(shared_url, shared_database, clock) as one,
        a_node(shared_url, shared_database, clock) as other,
    ):
        one.engine.start_worker()
        other.engine.start_worker()
        look_again = await one.engine.queue_deliveries(MONDAY)
        await until(lambda: len(one.delivered + other.delivered) == 10)
        assert sorted(one.delivered + other.delivered) == numbers
        assert look_again == MONDAY + timedelta(seconds=1), "there may be more for these chats"


async def test_an_alert_goes_out_once_whichever_processes_look(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    numbers = []
    for address in map(str, range(10)):
        chat = await a_chat(shared_database, "cs.CL", platform="telegram", address=address)
        async with shared_database.write() as connection:
            (followed,) = await chats.subscriptions_of(connection, chat.id)
            await alerts.switch(connection, chat.id, [followed.id], MONDAY)
        numbers.append(chat.id)
    await announce(shared_database, clock.turn(minutes=1), a_paper(1))
    async with (
        a_node(shared_url, shared_database, clock) as one,
        a_node(shared_url, shared_database, clock) as other,
    ):
        nodes = (one, other)
        await asyncio.gather(*(node.engine.queue_alerts(clock.now()) for node in nodes))
        assert sorted(await jobs(shared_database)) == sorted(("alert", f"chat-{number}") for number in numbers)
        # Beside the queue, as if a process that was taken for dead went on after all.
        for node in nodes:
            node.engine.start_worker()
        everyone = [await found(shared_database, number) for number in numbers]
        await asyncio.gather(*(node.alerting.alert(chat, clock.now()) for chat in everyone for node in nodes))
        async with asyncio.timeout(20):
            while await jobs(shared_database):
                await asyncio.sleep(0.01)
    async with shared_database.read() as connection:
        sent = sa.select(messages.c.chat_id, payloads.c.content).join(payloads, payloads.c.id == messages.c.payload_id)
        told = sorted(tuple(row) for row in await connection.execute(sent))
        assert await alerts.due(connection, clock.now(), ["telegram"]) == {}
    assert told == [(number, "Alert · cs.CL 2603.00001") for number in numbers]


async def found(database: Database, chat_id: int) -> Chat:
    async with database.read() as connection:
        chat = await chats.get(connection, chat_id)
    assert chat is not None
    return chat


async def test_what_came_and_is_wanted_is_summarised_once_by_any_of_the_workers(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    await a_chat(shared_database, "cs.CL")
    wanted = [a_paper(number) for number in range(TOGETHER + 10)]
    await announce(shared_database, clock.now(), *wanted, a_paper(999, "cs.CV"))
    async with (
        a_node(shared_url, shared_database, clock) as one,
        a_node(shared_url, shared_database, clock) as other,
    ):
        await asyncio.gather(*(node.engine.queue_summaries(clock.now()) for node in (one, other)))
        one.engine.start_worker()
        other.engine.start_worker()
        async with asyncio.timeout(20):
            while await jobs(shared_database):
                await asyncio.sleep(0.01)
        await one.engine.queue_summaries(clock.turn(minutes=1))
        assert await jobs(shared_database) == []
        written = [paper_id for batch in one.summarised + other.summarised for paper_id in batch]
        assert sorted(written) == [paper.id for paper in wanted]


async def test_a_chats_digest_and_its_delivery_are_never_at_work_together(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    (number,) = await queue_for(shared_database, "1")
    async with shared_database.write() as connection:
        chat = await chats.get(connection, number)
        assert chat is not None
        await chats.subscribe(connection, chat, Interest.in_categories(("cs.CL",)), MONDAY)
    clock.turn(days=1)
    async with a_node(shared_url, shared_database, clock) as node:
        node.may_end.clear()
        node.engine.start_worker()
        await node.engine.queue_deliveries(clock.now())
        await until(lambda: node.at_work == 1)
        await node.engine._queue("compose", [number])
        await asyncio.sleep(0.3)
        assert node.composed == []
        node.may_end.set()
        await until(lambda: node.composed == [number])


async def test_a_digest_that_is_due_is_queued_and_composed(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    chat = await a_chat(shared_database, "cs.CL", platform="telegram")
    async with a_node(shared_url, shared_database, clock) as node:
        due = await node.engine.queue_digests(MONDAY)
        assert due == chat.next_digest_at
        clock.set(due or MONDAY)
        node.engine.start_worker()
        await node.engine.queue_digests(clock.now())
        await until(lambda: node.composed == [chat.id])


async def test_arxiv_is_polled_by_one_worker_at_a_time(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    async with (
        a_node(shared_url, shared_database, clock) as one,
        a_node(shared_url, shared_database, clock) as other,
    ):
        await asyncio.gather(one.engine.queue_poll(MONDAY), other.engine.queue_poll(MONDAY))
        assert await jobs(shared_database) == [("poll", "arxiv")]
        one.engine.start_worker()
        await until(lambda: one.polls == 1)


async def test_what_a_dead_worker_was_at_is_taken_over(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    (number,) = await queue_for(shared_database, "1")
    async with shared_database.write() as connection:
        # A worker that fetched the task, claimed the message and was never heard of again.
        await connection.execute(
            sa.text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        )
        await connection.execute(
            sa.text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id) "
                f"SELECT 'default', 'deliver', 'chat-{number}', '{{\"chat_id\": {number}}}', 'doing', id "
                "FROM procrastinate_workers"
            )
        )
        await attempts.claim(connection, [1], MONDAY)
    async with a_node(shared_url, shared_database, clock) as node:
        await node.engine.queue_deliveries(MONDAY)
        assert len(await jobs(shared_database)) == 1, "the chat counts as at work"
        node.engine.start_worker()
        await until(lambda: node.delivered == [number])
        await until(lambda: not node.at_work)
        async with shared_database.read() as connection:
            assert await outbox.counts(connection) == {"sent": 1}


async def test_a_worker_stops_even_where_a_query_takes_the_cancelling_for_its_own_failure(
    shared_url: str, shared_database: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    async def may_take_over(_connection: AsyncConnection) -> bool:
        asked.append(True)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("canceling statement")) from None
        return False

    monkeypatch.setattr(queue, "may_take_over", may_take_over)
    async with asyncio.timeout(20), a_node(shared_url, shared_database, clock) as node:
        node.engine.start_worker()
        await until(lambda: bool(asked))


async def test_a_message_that_was_left_in_flight_without_a_task_is_found(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    (number,) = await queue_for(shared_database, "1")
    async with shared_database.write() as connection:
        await attempts.claim(connection, [1], MONDAY)
    async with a_node(shared_url, shared_database, clock) as node:
        await node.engine.queue_deliveries(MONDAY)
        assert await jobs(shared_database) == [("deliver", f"chat-{number}")]


async def test_a_silent_platform_is_not_queued_for_until_it_may_be_written_to(
    shared_url: str, shared_database: Database, clock: HandClock
) -> None:
    await queue_for(shared_database, "1")
    later = MONDAY + timedelta(minutes=10)
    async with shared_database.write() as connection:
        await budgets.halt(connection, "telegram", later.timestamp())
    async with a_node(shared_url, shared_database, clock) as node:
        assert await node.engine.queue_deliveries(MONDAY) == later
        assert await jobs(shared_database) == []
        await node.engine.queue_deliveries(later)
        assert len(await jobs(shared_database)) == 1


async def test_two_processes_ask_arxiv_one_at_a_time_and_three_seconds_apart(
    shared_database: Database, clock: HandClock
) -> None:
    budget, spans = SharedBudget(shared_database), list[tuple[datetime, datetime]]()
    one_request = Ask((Scope("arxiv", Rate(1, SPACING)),))

    async def ask() -> None:
        for _ in range(3):
            async with slot(budget, clock, one_request):
                began = clock.now()
                await asyncio.sleep(0)  # no longer: whoever waits turns the clock, and would soon take us for dead
                clock.turn(seconds=0.5)
                spans.append((began, clock.now()))

    await asyncio.gather(ask(), ask())
    assert len(spans) == 6
    for (_, ended), (began, _) in pairwise(sorted(spans)):
        assert began >= ended + timedelta(seconds=3)
