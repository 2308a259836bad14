"""The connection: a client of discord.py that is logged in, and again whenever that fails."""

import asyncio
import logging
from contextlib import suppress

import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.clock import Clock
from bot.config import Discord
from bot.platforms.discord.wire import InvalidRequests, traced

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds between attempts to log in: doubled each time."""
LONGEST_RATE_LIMIT = 30.0
"""Seconds for which discord.py may hold a request back before it raises RateLimited."""

log = structlog.get_logger(__name__)


class DiscordSender:
    """A client that logs in and no more: enough to send, for processes that do not listen."""

    def __init__(self, settings: Discord, clock: Clock) -> None:
        self.invalid = InvalidRequests()
        self.token_refused = False
        self._settings = settings
        self._trace = traced(self.invalid, clock)
        self._client: discord.Client | None = None
        self._pause = FIRST_PAUSE
        self._running: asyncio.Task[None] | None = None

    def client(self) -> discord.Client | None:
        """The client that is logged in; None while none is."""
        return self._client

    async def start(self) -> None:
        """Connect in the background, and again whenever that fails; a token that Discord refuses ends it."""
        Route.BASE = self._settings.api_url or Route.BASE
        if self._settings.gateway_url:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self._settings.gateway_url)
        # It writes a traceback for each attempt to reconnect; what happened is told here.
        logging.getLogger("discord.client").setLevel(logging.CRITICAL)
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave Discord."""
        if self._running:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        while True:
            try:
                # discord.py cannot open a client again that was closed: each attempt gets its own.
                async with self._new_client() as client:
                    await client.login(self._settings.token.get_secret_value())
                    await self._use(client)
            except discord.LoginFailure:
                self.token_refused = True
                log.error("discord.token_refused", fix="reset the token in the developer portal, then set it anew")
                return
            except Exception as error:
                if self._pause == FIRST_PAUSE:
                    log.warning("discord.unreachable", reason=str(error) or type(error).__name__, trying_again=True)
            finally:
                self._client = None
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _new_client(self) -> discord.Client:
        return discord.Client(
            intents=discord.Intents.none(), max_ratelimit_timeout=LONGEST_RATE_LIMIT, http_trace=self._trace
        )

    async def _use(self, client: discord.Client) -> None:
        """Everything between login and the next attempt."""
        self._client = client
        self._calm_down()
        log.info("discord.logged_in")
        await asyncio.Event().wait()

    def _calm_down(self) -> None:
        """It works: the next failure is told again, and followed by a short pause."""
        self._pause = FIRST_PAUSE
