"""The composition root: the only place that knows all the rooms."""

import asyncio
from collections.abc import Collection
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.arxiv.client import SPACING, ArxivClient
from bot.arxiv.feed import parse_feed
from bot.arxiv.machine import THIS_MACHINE
from bot.arxiv.poll import FeedPoller
from bot.cards.reply import Render, Reply
from bot.chats import Chat, PlatformName
from bot.clock import Clock, Scheduler, Tick
from bot.commands import membership
from bot.commands.context import Claim, Services
from bot.commands.desk import Desk
from bot.commands.notices import ask_about_restore, explain_detour, tell_operators
from bot.commands.status import web_status, why_quiet
from bot.config import Settings
from bot.delivery.budget import Ask, MemoryBudget, Scope, SharedBudget, slot
from bot.delivery.courier import Courier
from bot.delivery.port import Platform, Rate
from bot.digests.compose import Composer
from bot.errors import PaperwireError
from bot.jobs.alerting import Alerting
from bot.jobs.broadcasting import Broadcasting
from bot.jobs.housekeeping import Housekeeper
from bot.jobs.indexing import Indexing
from bot.jobs.polling import Polling
from bot.jobs.summarising import Summarising
from bot.locales import phrases_of
from bot.metrics import Metrics
from bot.platforms.webchat.render import render as render_web
from bot.platforms.webchat.send import Listeners, WebChatPlatform
from bot.platforms.webchat.updates import WebChat, slug_of
from bot.storage import chats, digests, marks, operators, papers, updates_seen
from bot.storage.database import Database
from bot.storage.lease import lease
from bot.storage.snapshot import snapshot
from bot.summaries.write import build_summariser
from bot.web.operations import Operations
from bot.web.server import Webhook, WebServer, build_web
from bot.web.site import Site

if TYPE_CHECKING:
    from bot.jobs.distributed import Distributed

Role = Literal["web", "worker", "telegram", "discord"]
"""`web`: pages and webhook; `worker`: polls, composes, delivers; the others listen to what people say there."""
ROLES: tuple[Role, ...] = ("web", "worker", "telegram", "discord")

LOOK_AGAIN = 1.0
"""Seconds after which an open page looks for what another process wrote into its thread."""
SAMPLE = Path(__file__).parent / "sample" / "announcement.atom.xml"

log = structlog.get_logger(__name__)


class Stoppable(Protocol):
    """Something with connections to close."""

    async def stop(self) -> None: ...


class Updates(Stoppable, Protocol):
    """Where a platform's updates come in."""

    async def start(self) -> None: ...


class App:
    """Every room, wired. The same in production and in a replay: only the clock and the scheduler are exchanged.

    With SQLite one process has all the roles. With PostgreSQL each process has those that it was given, and any number
    of processes may have the same.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        scheduler: Scheduler,
        roles: Collection[Role] = ROLES,
    ) -> None:
        if not database.is_shared and set(roles) != set(ROLES):
            raise PaperwireError(
                "Roles are for several processes, which need PostgreSQL: set [database] url, or leave --role out."
            )
        self._settings = settings
        self._database = database
        self._clock = clock
        self._scheduler = scheduler
        self._roles = roles
        self._metrics = Metrics()
        self._state = "starting"
        self._budget = SharedBudget(database) if database.is_shared else MemoryBudget(database)
        of_all = partial(slot, self._budget, clock, Ask((Scope("arxiv", Rate(1, SPACING)),)))
        self._client = ArxivClient(
            settings.arxiv.contact,
            clock,
            self._metrics,
            of_all if database.is_shared else nullcontext,
            THIS_MACHINE,
        )
        self._updates: list[Updates] = []
        summariser = build_summariser(settings, database, clock, self._metrics)
        self._open: list[Stoppable] = [summariser]
        self._platforms: dict[PlatformName, Platform] = {}
        self._renders: dict[PlatformName, Render] = {}
        self._webhook: Webhook | None = None
        wait = timedelta(minutes=settings.digest.wait_for_summaries)
        self._summarising = Summarising(database, summariser, wait, lambda: scheduler.wake("summarise"))
        poller = FeedPoller(database, self._client, clock, settings.arxiv, self._metrics)
        self._polling = Polling(poller, database, scheduler, settings.arxiv.default_categories)
        self._composer = Composer(
            database,
            summariser.at_once,
            self._renders,
            settings.arxiv.default_categories,
            self._metrics,
            lambda *quiet: why_quiet(self._services, *quiet),
            self._summarising.awaited,
            lambda: summariser.awaits_chinese,
        )
        self._alerting = Alerting(database, self._composer)
        self._services = Services(
            database=database,
            clock=clock,
            scheduler=scheduler,
            settings=settings,
            client=self._client,
            poller=poller,
            composer=self._composer,
            summarise=summariser.at_once,
            write_anew=summariser.write_anew,
            want=partial(self._summarising.awaited, bilingual=True),
            renders=self._renders,
            metrics=self._metrics,
            claim=Claim(),
        )
        self._desk = Desk(self._services)
        listeners = self._add_webchat()
        if settings.telegram.token.get_secret_value():
            self._add_telegram()
        if settings.discord.token.get_secret_value():
            self._add_discord()
        self._web = self._build_web(listeners)
        self._courier = Courier(
            database,
            clock,
            scheduler,
            lambda: scheduler.wake("work" if database.is_shared else "deliver"),
            self._platforms,
            self._budget,
            self._metrics,
            alert=partial(tell_operators, self._services),
            detour=partial(explain_detour, self._services),
        )
        self._distributed = self._share_work(poller) if database.is_shared else None
        if self._distributed is None:
            scheduler.add("poll", self._polling.tick)
            scheduler.add("summarise", self._summarising.tick)
            scheduler.add("digest", partial(self._then_deliver, self._composer.tick))
            scheduler.add("alert", partial(self._then_deliver, self._alerting.tick))
            scheduler.add("deliver", self._courier.tick)
        if "worker" in roles:
            scheduler.add("index", Indexing(database).tick)
        scheduler.add("broadcast", Broadcasting(database, self._renders, lambda: scheduler.wake("deliver")).tick)
        scheduler.add("prune", Housekeeper(database, settings.retention).tick)

    def _share_work(self, poller: FeedPoller) -> "Distributed":
        from bot.jobs.distributed import Distributed

        distributed = Distributed(
            self._settings.database.url,
            self._settings.workers,
            self._database,
            self._clock,
            self._scheduler,
            self._platforms,
            deliver=self._courier.serve,
            compose=self._composer.daily,
            alerting=self._alerting,
            poll=self._polling.first,
            next_poll_at=poller.next_poll_at,
            summarising=self._summarising,
        )
        self._scheduler.add("poll", distributed.queue_poll)
        self._scheduler.add("summarise", distributed.queue_summaries)
        self._scheduler.add("digest", distributed.queue_digests)
        self._scheduler.add("alert", distributed.queue_alerts)
        self._scheduler.add("deliver", distributed.queue_deliveries)
        if "worker" in self._roles:
            self._scheduler.add("work", self._courier.work)
        return distributed

    @property
    def address(self) -> str:
        """The URL of the page."""
        return self._web.address

    @property
    def claim_code(self) -> str | None:
        """What the first operator says to the bot; None without a platform that needs one."""
        return self._services.claim.code if len(self._platforms) > 1 else None

    async def start(self) -> None:
        """Open the page, greet on the first start, pick up what was in flight, and listen to the platforms."""
        await self._web.start()
        await self._first_start()
        async with self._database.read() as connection:
            if await operators.has_any(connection, list(self._platforms)):
                self._services.claim.code = None
            restored = await marks.get(connection, marks.RESTORED)
        if restored is not None:
            log.warning("restore.undecided", backup_of=restored, fix="paperwire restored --from-now or --catch-up")
            await ask_about_restore(self._services, datetime.fromisoformat(restored))
        if isinstance(self._budget, MemoryBudget):
            await self._courier.recover(self._budget)
        if self._distributed is not None:
            await self._distributed.open()
            if "worker" in self._roles:
                self._distributed.start_worker()
        for updates in self._updates:
            await updates.start()
        self._state = ""

    async def finish(self) -> None:
        """Be unready, hear nobody any more, and finish what is in flight, or leave it to be sent again."""
        self._state = "stopping"
        await asyncio.gather(
            *(part.stop() for part in self._updates if part not in self._open),
            *([self._distributed.stop_worker()] if self._distributed is not None else []),
            self._courier.finish(),
        )

    async def close(self) -> None:
        """Close what is open, when nothing runs any more."""
        for part in self._open:
            await part.stop()
        if self._distributed is not None:
            await self._distributed.close()
        await self._web.stop()
        await self._client.close()
        await self._database.close()

    async def _ready(self) -> str:
        """Why this process cannot work at present; nothing where it can."""
        if self._state:
            return self._state
        try:
            async with self._database.read() as connection:
                await connection.execute(sa.select(1))
        except SQLAlchemyError as error:
            return f"database: {type(error).__name__}"
        return ""

    async def _then_deliver(self, tick: Tick, now: datetime) -> datetime | None:
        due = await tick(now)
        self._scheduler.wake("deliver")
        return due

    def _add_webchat(self) -> Listeners:
        listeners = Listeners()
        self._platforms["web"] = WebChatPlatform(self._database, self._clock, listeners)
        self._renders["web"] = render_web
        return listeners

    def _build_web(self, listeners: Listeners) -> WebServer:
        """The pages for the web role; health and metrics for every one."""
        site = None
        if "web" in self._roles:
            web_chat = WebChat(self._database, self._clock, listeners, self._desk.answer)
            look_again = LOOK_AGAIN if self._database.is_shared else None
            site = Site(self._database, listeners, web_chat, self._thread, self._status, look_again=look_again)
        stored = partial(snapshot, self._database, self._settings.arxiv.default_categories)
        operations = Operations(self._clock, self._metrics, self._ready, stored)
        webhook = self._webhook if "web" in self._roles else None
        return WebServer(self._settings.web, build_web(self._settings.web, operations, site, webhook), listeners)

    def _add_telegram(self) -> None:
        # Each platform's library is loaded only where there is a token: that is most of the start time and memory.
        from bot.platforms.telegram.menu import offered
        from bot.platforms.telegram.render import render
        from bot.platforms.telegram.send import TelegramPlatform
        from bot.platforms.telegram.updates import TelegramUpdates

        platform = TelegramPlatform(self._settings.telegram)
        self._open.append(platform)
        self._platforms["telegram"] = platform
        self._renders["telegram"] = render
        # A webhook is called where the pages are; else one process of this role asks for updates.
        if ("web" if self._settings.telegram.webhook_url else "telegram") not in self._roles:
            return
        updates = TelegramUpdates(
            self._settings.telegram,
            self._clock,
            offered(),
            self._desk.answer,
            self._desk.results,
            joined=partial(membership.joined, self._services, "telegram"),
            left=partial(membership.left, self._services, "telegram"),
            moved=partial(membership.moved, self._services, "telegram"),
            turn=lambda address: self._courier.turn("telegram", address),
            is_new=partial(self._is_new, "telegram"),
            lease=lambda: lease(self._database, "telegram updates"),
            alert=partial(tell_operators, self._services, "telegram"),
        )
        if self._settings.telegram.webhook_url:
            self._webhook = updates.take
        self._updates.append(updates)

    def _add_discord(self) -> None:
        from bot.platforms.discord.connection import DiscordSender
        from bot.platforms.discord.menu import look_up_names, offered
        from bot.platforms.discord.render import render
        from bot.platforms.discord.send import DiscordPlatform
        from bot.platforms.discord.updates import DiscordUpdates

        connection = (
            DiscordUpdates(
                self._settings.discord,
                self._clock,
                offered(),
                look_up_names(),
                self._desk.answer,
                self._desk.choices,
                joined=partial(membership.joined, self._services, "discord"),
                left=partial(membership.left, self._services, "discord"),
                lease=lambda: lease(self._database, f"discord shards {self._settings.discord.shard_ids}"),
                turn=lambda address: self._courier.turn("discord", address),
            )
            if "discord" in self._roles
            else DiscordSender(self._settings.discord, self._clock)
        )
        self._platforms["discord"] = DiscordPlatform(connection, self._clock)
        self._renders["discord"] = render
        self._updates.append(connection)
        self._open.append(connection)  # also what is still in flight goes over it

    async def _is_new(self, platform: PlatformName, update_id: int) -> bool:
        async with self._database.write() as connection:
            return await updates_seen.is_new(connection, platform, update_id, self._clock.now())

    async def _thread(self, name: str) -> Chat:
        async with self._database.write() as connection:
            chat = await chats.meet(
                connection,
                "web",
                slug_of(name),
                title=name,
                is_group=False,
                access="allowed",
                preferences=self._settings.digest.preferences,
                now=self._clock.now(),
            )
            # At first, and where the thread to which operators' news came was forgotten.
            if not await operators.is_operator(connection, "web", "local"):
                await operators.add(connection, "web", "local", chat.id)
        return chat

    async def _status(self, chat: Chat) -> str:
        return await web_status(self._services, chat)

    async def _first_start(self) -> None:
        """Give the newcomer something to read: the bundled sample, by the same way as live papers. Each step once."""
        now = self._clock.now()
        async with self._database.read() as connection:
            if await marks.get(connection, "greeted"):
                return
        sample = await asyncio.to_thread(lambda: parse_feed(SAMPLE.read_bytes()))
        chat = await self._thread(phrases_of("en")("web.first_thread"))
        async with self._database.write() as connection:
            await papers.add_announced(connection, sample.announced, now)
        phrases = phrases_of("en")
        await self._services.tell(chat, "hello", Reply(phrases("start.hello"), title=phrases("start.title")))
        async with self._database.read() as connection:
            has_digest = await digests.last(connection, chat.id)
        if has_digest is None:
            await self._composer.on_demand(chat, now, with_sample=True)
        async with self._database.write() as connection:
            await marks.put(connection, "greeted", now.isoformat())
