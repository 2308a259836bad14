"""The engine of several machines: Procrastinate on the PostgreSQL that the processes share.

Every process looks for what is due, as with one machine, but queues it instead of doing it: a task for a chat's
outbox, a chat's digest or alert, a poll of arXiv, some papers' summaries. Duplicates are refused by the queueing lock,
so that any number of processes may look. Tasks of one chat hold the same lock, so that one of them runs at a time. A
dead worker's tasks are taken over.
https://procrastinate.readthedocs.io/
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import SQLAlchemyError

from bot.chats import Chat, PlatformName
from bot.clock import Clock, Scheduler
from bot.config import Workers
from bot.jobs.alerting import Alerting
from bot.jobs.summarising import Summarising
from bot.papers import PaperId
from bot.storage import alerts, attempts, chats, marks, outbox, queue
from bot.storage.database import ALIVE, Database

GRACE = 6.0
"""Seconds that tasks at work are given at the end."""
MOST_QUEUED = 500
"""Tasks of a kind that are queued at once; the others are found when these are done."""
_LOOK_AGAIN = timedelta(seconds=1)
_FETCH_AGAIN = 2.0

log = structlog.get_logger(__name__)


class Distributed:
    """The ticks that find what is due and queue it, and the worker that does it.

    `deliver` and `compose` take a chat's number, `poll` asks the feed that is due first; all of them find in storage
    what they need, so that running one again does no harm.
    """

    def __init__(
        self,
        url: str,
        settings: Workers,
        database: Database,
        clock: Clock,
        scheduler: Scheduler,
        platforms: Collection[PlatformName],
        *,
        deliver: Callable[[int], Awaitable[None]],
        compose: Callable[[Chat, datetime], Awaitable[int]],
        alerting: Alerting,
        poll: Callable[[datetime], Awaitable[None]],
        next_poll_at: Callable[[datetime], Awaitable[datetime | None]],
        summarising: Summarising,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._scheduler = scheduler
        self._platforms = list(platforms)
        self._compose = compose
        self._alerting = alerting
        self._poll = poll
        self._next_poll_at = next_poll_at
        self._summarising = summarising
        self._app = App(connector=PsycopgConnector(conninfo=_conninfo(url), min_size=1, max_size=10))
        self._app.task(name="deliver")(deliver)
        self._app.task(name="compose")(self._compose_one)
        self._app.task(name="alert")(self._alert_one)
        self._app.task(name="poll")(self._poll_one)
        self._app.task(name="summarise")(self._summarise_some)
        self._working: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def open(self) -> None:
        """Connect. Raises ConnectorException."""
        await self._app.open_async()

    async def close(self) -> None:
        await self._app.close_async()

    # What every process looks for.

    async def queue_deliveries(self, now: datetime) -> datetime | None:
        """Queue the outboxes from which something can leave; when the next can."""
        async with self._database.read() as connection:
            at_work = _chats(await queue.locks(connection))
            room = MOST_QUEUED - len(at_work)
            silent = await queue.silent_platforms(connection, now)
            speaking = [name for name in self._platforms if name not in silent]
            held = await marks.is_held(connection)
            found = await attempts.left_behind(connection, at_work)
            if room > MOST_QUEUED // 2:
                found += await outbox.due(connection, now, speaking, at_work, room, only_urgent=held)
            later = await outbox.next_at(connection, now, speaking)
        await self._queue("deliver", dict.fromkeys(found))
        # A chat that somebody is at may have got more meanwhile. Nobody looks after each task: that would cost most.
        look_again = now + _LOOK_AGAIN if at_work or found else None
        return min(filter(None, (look_again, later, *silent.values())), default=None)

    async def queue_digests(self, now: datetime) -> datetime | None:
        """Queue the digests that are due; when the next one will be."""
        async with self._database.read() as connection:
            if await marks.is_held(connection):
                return None
            at_work = await queue.locks(connection)
            due = await chats.due(connection, now, self._platforms)
            later = await chats.next_due_at(connection, self._platforms, after=now)
        waiting = [chat_id for chat_id in due if f"chat-{chat_id}" not in at_work]
        await self._queue("compose", waiting[:MOST_QUEUED])
        return min(filter(None, (later, now + _LOOK_AGAIN if due else None)), default=None)

    async def queue_alerts(self, now: datetime) -> datetime | None:
        """Queue the alerts of what came since the last look; when the next one will be due."""
        await self._alerting.look(now)
        async with self._database.read() as connection:
            if await marks.is_held(connection):
                return None
            at_work = await queue.locks(connection)
            due = await alerts.due(connection, now, self._platforms)
            later = await alerts.next_at(connection, self._platforms, after=now)
        waiting = [chat_id for chat_id in due if f"chat-{chat_id}" not in at_work]
        await self._queue("alert", waiting[:MOST_QUEUED])
        return min(filter(None, (later, now + _LOOK_AGAIN if due else None)), default=None)

    async def queue_poll(self, now: datetime) -> datetime | None:
        """Queue a poll if a feed is due; when the next one is."""
        due = await self._next_poll_at(now)
        if due is None or due > now:
            return due
        with suppress(AlreadyEnqueued):
            await self._app.configure_task("poll", lock="arxiv", queueing_lock="poll").defer_async()
        return now + _LOOK_AGAIN

    async def queue_summaries(self, now: datetime) -> datetime | None:
        """Queue the summaries of what came since the last look and somebody wants."""
        await self._summarising.look(now)
        while batch := await self._summarising.claimed(now):
            task = self._app.configure_task("summarise", queueing_lock=f"summarise-{batch[0]}")
            with suppress(AlreadyEnqueued):
                await task.defer_async(paper_ids=list(batch))
        return None

    async def _queue(self, task: str, chat_ids: Iterable[int]) -> None:
        jobs = [self._job(task, chat_id) for chat_id in chat_ids]
        try:
            if jobs:
                await self._app.job_manager.batch_defer_jobs_async(jobs)
        except AlreadyEnqueued:
            # Another process queued some of them at the same moment, and all of this batch was refused.
            for job in jobs:
                with suppress(AlreadyEnqueued):
                    await self._app.job_manager.defer_job_async(job)

    def _job(self, task: str, chat_id: int) -> Job:
        name = f"chat-{chat_id}"
        return self._app.configure_task(task, lock=name, queueing_lock=f"{task}-{name}").make_new_job(chat_id=chat_id)

    # What a worker does.

    def start_worker(self) -> None:
        """Work on whatever is queued, whoever queued it, until `stop_worker`."""
        self._is_stopping = False
        self._working = [asyncio.create_task(self._work()), asyncio.create_task(self._take_over())]

    async def stop_worker(self) -> None:
        """Fetch nothing more, and wait for what is at work."""
        self._is_stopping = True
        pending = set(self._working)
        while pending:
            # Again, if need be: a query that is cancelled at its end can take the cancelling for its own failure.
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=GRACE + 1)

    async def _work(self) -> None:
        while not self._is_stopping:
            try:
                await self._app.run_worker_async(
                    concurrency=self._settings.concurrency,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    fetch_job_polling_interval=_FETCH_AGAIN,
                    update_heartbeat_interval=self._settings.heartbeat_seconds,
                    stalled_worker_timeout=self._settings.stalled_seconds,
                    shutdown_graceful_timeout=GRACE,
                )
            except Exception as error:
                # Such as a database that is away for a while.
                log.warning("worker.interrupted", reason=str(error))
                await asyncio.sleep(_FETCH_AGAIN)

    async def _take_over(self) -> None:
        """Queue anew what dead workers were at. In real time: a worker that was killed is dead in any clock."""
        while not self._is_stopping:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with suppress(ConnectorException, SQLAlchemyError):
                async with self._database.write() as connection:
                    # Of two who did so at once the later one would take from a living worker what the first gave it.
                    if await queue.may_take_over(connection):
                        await self._queue_anew(self._settings.stalled_seconds)

    async def _queue_anew(self, silence: float) -> None:
        jobs = self._app.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=silence):
            # Where it has ended after all, Procrastinate finds no such task at work any more.
            with suppress(ConnectorException):
                try:
                    await jobs.retry_job(job)
                except UniqueViolation:
                    # The same is queued already, and waits for this one to end.
                    await jobs.finish_job(job, Status.ABORTED, delete_job=True)
                log.warning("worker.taken_over", task=job.task_name, lock=job.lock)

    async def _compose_one(self, chat_id: int) -> None:
        await self._scheduler.run(self._for_chat(self._compose, chat_id))
        self._scheduler.wake("deliver")

    async def _alert_one(self, chat_id: int) -> None:
        await self._scheduler.run(self._for_chat(self._alerting.alert, chat_id))
        self._scheduler.wake("deliver")

    async def _for_chat(self, compose: Callable[[Chat, datetime], Awaitable[int]], chat_id: int) -> None:
        async with self._database.read() as connection:
            chat = await chats.get(connection, chat_id)
        if chat is not None:
            await compose(chat, self._clock.now())

    async def _poll_one(self) -> None:
        await self._scheduler.run(self._poll_first())
        self._scheduler.wake("poll")

    async def _poll_first(self) -> None:
        await self._poll(self._clock.now())

    async def _summarise_some(self, paper_ids: list[str]) -> None:
        await self._scheduler.run(self._summarising.write([PaperId(paper_id) for paper_id in paper_ids]))


def _chats(locks: Iterable[str]) -> set[int]:
    return {int(lock.removeprefix("chat-")) for lock in locks if lock.startswith("chat-")}


def _conninfo(url: str) -> str:
    """An SQLAlchemy URL as libpq's own words."""
    parsed = sa.make_url(url)
    words = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
        **parsed.query,
    }
    return make_conninfo(**{name: str(value) for name, value in (ALIVE | words).items() if value})
