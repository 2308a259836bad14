"""The composition root: the only place that knows all the rooms."""

import asyncio
import signal
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import parse_feed
from bot.arxiv.poll import FeedPoller
from bot.cards.reply import Render, Reply
from bot.chats import Chat, PlatformName
from bot.clock import Clock, Scheduler, WallClock
from bot.commands.context import Claim, Services
from bot.commands.desk import COMMANDS, Desk
from bot.commands.status import web_status
from bot.config import Settings
from bot.delivery.courier import Courier
from bot.delivery.port import Platform
from bot.digests.compose import Composer
from bot.jobs.scheduler import JobScheduler
from bot.locales import phrases_of
from bot.platforms.webchat.render import render as render_web
from bot.platforms.webchat.send import Listeners, WebChatPlatform
from bot.platforms.webchat.updates import WebChat, slug_of
from bot.storage import chats, digests, marks, papers
from bot.storage.database import Database, open_database
from bot.summaries.write import WRITERS, Summariser
from bot.web.server import WebServer, build_web

SAMPLE = Path(__file__).parent / "sample" / "announcement.atom.xml"

log = structlog.get_logger(__name__)


class Stoppable(Protocol):
    """Something with connections to close."""

    async def stop(self) -> None: ...


class Updates(Stoppable, Protocol):
    """Where a platform's updates come in."""

    async def start(self) -> None: ...


class App:
    """Every room, wired. The same in production and in a replay: only the clock and the scheduler are exchanged."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, scheduler: Scheduler) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._scheduler = scheduler
        self._client = ArxivClient(settings.arxiv.contact, clock)
        self._updates: list[Updates] = []
        self._open: list[Stoppable] = []
        self._platforms: dict[PlatformName, Platform] = {}
        self._renders: dict[PlatformName, Render] = {}
        summarise = Summariser(database, clock, WRITERS).summarise
        poller = FeedPoller(database, self._client, clock, settings.arxiv)
        self._composer = Composer(database, summarise, self._renders, settings.arxiv.default_categories)
        self._services = Services(
            database=database,
            clock=clock,
            scheduler=scheduler,
            settings=settings,
            client=self._client,
            poller=poller,
            composer=self._composer,
            summarise=summarise,
            renders=self._renders,
            claim=Claim(),
        )
        self._desk = Desk(self._services)
        self._web = self._add_webchat()
        if settings.telegram.token.get_secret_value():
            self._add_telegram()
        if settings.discord.token.get_secret_value():
            self._add_discord()
        self._courier = Courier(database, clock, scheduler, self._platforms)
        scheduler.add("poll", poller.tick)
        scheduler.add("digest", self._digest)
        scheduler.add("deliver", self._courier.tick)

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
            if await chats.has_operator(connection, list(self._platforms)):
                self._services.claim.code = None
        await self._courier.recover()
        for updates in self._updates:
            await updates.start()

    async def stop(self) -> None:
        """Hear nobody any more, and close what is open. What is in flight is the scheduler's to wait for."""
        for part in [*self._updates, *self._open]:
            await part.stop()
        await self._web.stop()
        await self._client.close()
        await self._database.close()

    async def _digest(self, now: datetime) -> datetime | None:
        due = await self._composer.tick(now)
        self._scheduler.wake("deliver")
        return due

    def _add_webchat(self) -> WebServer:
        listeners = Listeners()
        self._platforms["web"] = WebChatPlatform(self._database, self._clock, listeners)
        self._renders["web"] = render_web
        web_chat = WebChat(self._database, self._clock, listeners, self._desk.answer)
        site = build_web(self._settings.web, self._database, listeners, web_chat, self._thread, self._status)
        return WebServer(self._settings.web, site, listeners)

    def _add_telegram(self) -> None:
        # Each platform's library is loaded only where there is a token: that is most of the start time and memory.
        from bot.platforms.telegram.render import render
        from bot.platforms.telegram.send import TelegramPlatform
        from bot.platforms.telegram.updates import TelegramUpdates

        english, chinese = phrases_of("en"), phrases_of("zh")
        commands = [(each.name, english(f"command.{each.name}"), chinese(f"command.{each.name}")) for each in COMMANDS]
        platform = TelegramPlatform(self._settings.telegram)
        self._open.append(platform)
        self._platforms["telegram"] = platform
        self._renders["telegram"] = render
        self._updates.append(
            TelegramUpdates(
                self._settings.telegram,
                self._clock,
                commands,
                self._desk.answer,
                joined=partial(self._joined, "telegram"),
                left=partial(self._left, "telegram"),
                moved=partial(self._moved, "telegram"),
                turn=lambda address: self._courier.turn("telegram", address),
            )
        )

    def _add_discord(self) -> None:
        from bot.platforms.discord.render import render
        from bot.platforms.discord.send import DiscordPlatform
        from bot.platforms.discord.updates import DiscordUpdates, SlashCommand

        english, chinese = phrases_of("en"), phrases_of("zh")
        commands = [
            SlashCommand(
                each.name,
                english(f"command.{each.name}"),
                chinese(f"command.{each.name}"),
                *(
                    (each.takes, english(f"argument.{each.takes}"), chinese(f"argument.{each.takes}"))
                    if each.takes
                    else ()
                ),
            )
            for each in COMMANDS
        ]
        updates = DiscordUpdates(
            self._settings.discord,
            commands,
            self._desk.answer,
            joined=partial(self._joined, "discord"),
            left=partial(self._left, "discord"),
        )
        self._platforms["discord"] = DiscordPlatform(updates.http)
        self._renders["discord"] = render
        self._updates.append(updates)

    async def _left(self, platform: PlatformName, address: str, reason: str) -> None:
        async with self._database.write() as connection:
            for chat in await chats.at(connection, platform, address):
                await chats.deactivate(connection, chat.id, reason)
                log.info("chat.inactive", chat=chat.id, reason=reason)

    async def _joined(self, platform: PlatformName, address: str) -> None:
        async with self._database.write() as connection:
            for chat in await chats.at(connection, platform, address):
                if chat.inactive_because is not None:
                    await chats.reactivate(connection, chat.id)
                    log.info("chat.active_again", chat=chat.id)
        self._scheduler.wake("digest")

    async def _moved(self, platform: PlatformName, old: str, new: str) -> None:
        async with self._database.write() as connection:
            for chat in await chats.at(connection, platform, old):
                await chats.move(connection, chat, new + chat.address.removeprefix(old))
                log.info("chat.moved", chat=chat.id)

    async def _thread(self, name: str) -> Chat:
        async with self._database.write() as connection:
            return await chats.meet(
                connection,
                "web",
                slug_of(name),
                title=name,
                is_group=False,
                access="allowed",
                preferences=self._settings.digest.preferences,
                now=self._clock.now(),
            )

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
            await chats.add_operator(connection, "web", "local", chat.id)
        phrases = phrases_of("en")
        await self._services.tell(chat, "hello", Reply(phrases("start.hello"), title=phrases("start.title")))
        async with self._database.read() as connection:
            has_digest = await digests.last(connection, chat.id)
        if has_digest is None:
            await self._composer.on_demand(chat, now, with_sample=True)
        async with self._database.write() as connection:
            await marks.put(connection, "greeted", now.isoformat())


async def run_until_stopped(settings: Settings) -> None:
    """`paperwire run`: everything in one process, until SIGINT or SIGTERM.

    Raises PaperwireError where it cannot start.
    """
    clock = WallClock()
    scheduler = JobScheduler(clock)
    app = App(settings, await open_database(settings.database.url), clock, scheduler)
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    try:
        await app.start()
        scheduler.start()
        announce(app)
        await stopped.wait()
        log.info("stopping")
    finally:
        await scheduler.stop()
        await app.stop()


def announce(app: App) -> None:
    """Tell the person at the terminal where to go, and with which words to claim the bot."""
    print(f"\nPaperwire is ready: {app.address}\n", flush=True)  # noqa: T201 -- for the person at the terminal
    if app.claim_code:
        print(f"To become its operator, say to the bot: /start {app.claim_code}\n", flush=True)  # noqa: T201 -- the same
