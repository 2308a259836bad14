"""Updates: the connection to Discord; slash commands and pressed buttons come in as Incoming and are answered."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import discord
import structlog
import yarl
from discord import app_commands
from discord.app_commands import locale_str
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from bot.cards.reply import Reply
from bot.commands.request import Incoming, Sender, always
from bot.config import Discord
from bot.platforms.discord.render import Json, render

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds between attempts to log in: doubled each time."""
LONGEST_RATE_LIMIT = 30.0
"""Seconds for which discord.py may hold a request back before it raises RateLimited."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command as Discord's clients offer it. `argument` is the name of its one option, if it takes any."""

    name: str
    english: str
    chinese: str
    argument: str = ""
    argument_english: str = ""
    argument_chinese: str = ""


class DiscordUpdates:
    """Listens to Discord and answers. It asks for no privileged intent: commands and buttons need none.

    `left` and `joined` are called for every channel and thread of a server that the bot leaves or joins, subscribed
    or not; `left` also for each one that is deleted.
    """

    def __init__(
        self,
        settings: Discord,
        commands: Sequence[SlashCommand],
        answer: Callable[[Incoming], Awaitable[Reply | None]],
        left: Callable[[str, str], Awaitable[None]],
        joined: Callable[[str], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._commands = commands
        self._answer = answer
        self._left = left
        self._joined = joined
        self._client: discord.Client | None = None
        self._pause = FIRST_PAUSE
        self._running: asyncio.Task[None] | None = None

    def http(self) -> HTTPClient | None:
        """The wire of the client that is logged in; None while none is. Made for DiscordPlatform."""
        return self._client.http if self._client else None

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
                await self._listen()
            except discord.LoginFailure:
                log.error("discord.token_refused", fix="reset the token in the developer portal, then set it anew")
                return
            except Exception as error:
                if self._pause == FIRST_PAUSE:
                    log.warning("discord.unreachable", reason=str(error) or type(error).__name__, trying_again=True)
            finally:
                self._client = None
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _listen(self) -> None:
        # discord.py cannot open a client again that was closed: each attempt gets its own.
        client = discord.Client(
            intents=discord.Intents(guilds=True),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            max_ratelimit_timeout=LONGEST_RATE_LIMIT,
        )
        for event in (
            self.on_ready,
            self.on_disconnect,
            self.on_resumed,
            self.on_interaction,
            self.on_guild_join,
            self.on_guild_remove,
            self.on_guild_channel_delete,
            self.on_raw_thread_delete,
        ):
            client.event(event)
        tree = app_commands.CommandTree(client)
        for command in self._commands:
            tree.add_command(self._command(command))
        async with client:
            await client.login(self._settings.token.get_secret_value())
            await tree.set_translator(_Chinese())
            await tree.sync()
            self._client = client
            await client.connect()

    def _command(self, command: SlashCommand) -> app_commands.Command[Any, ..., None]:
        async def bare(interaction: discord.Interaction) -> None:
            await self._respond(interaction, text=f"/{command.name}")

        async def with_argument(interaction: discord.Interaction, argument: str = "") -> None:
            await self._respond(interaction, text=f"/{command.name} {argument}".strip())

        app_commands.rename(argument=command.argument or "argument")(with_argument)
        hint = locale_str(command.argument_english or "…", chinese=command.argument_chinese)
        app_commands.describe(argument=hint)(with_argument)
        return app_commands.Command(
            name=command.name,
            description=locale_str(command.english, chinese=command.chinese),
            callback=with_argument if command.argument else bare,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
        )

    async def _respond(self, interaction: discord.Interaction, *, text: str = "", action: str = "") -> None:
        try:
            # Discord wants to hear something within 3 seconds; after this there are 15 minutes.
            await interaction.response.defer(thinking=True)
            reply = await self._answer(incoming(interaction, text, action))
            await self._show(interaction, render(reply) if reply else [])
        except Exception:
            log.exception("discord.not_answered", text=text[:40], action=action)

    async def _show(self, interaction: discord.Interaction, payloads: Sequence[str]) -> None:
        """The first message takes the place of "is thinking", the others follow it; without any, that goes away."""
        if not payloads:
            await interaction.delete_original_response()
        # discord.py would keep every View that it sends, for ever: buttons go out in the API's own form instead.
        for position, payload in enumerate(payloads):
            method, path = ("POST", "") if position else ("PATCH", "/messages/@original")
            route = Route(
                method,
                "/webhooks/{webhook_id}/{webhook_token}" + path,
                webhook_id=interaction.application_id,
                webhook_token=interaction.token,
            )
            await interaction.client.http.request(route, json=json.loads(payload))

    # What Discord tells: the names are discord.py's.

    async def on_ready(self) -> None:
        self._pause = FIRST_PAUSE
        log.info("discord.connected")

    async def on_disconnect(self) -> None:
        log.info("discord.disconnected")

    async def on_resumed(self) -> None:
        log.info("discord.resumed")

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is discord.InteractionType.component:
            data = cast("Json", interaction.data)
            await self._respond(interaction, action=data["custom_id"])

    async def on_guild_join(self, guild: discord.Guild) -> None:
        for address in _addresses(guild):
            await self._joined(address)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        for address in _addresses(guild):
            await self._left(address, "the bot was removed from the server")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self._left(str(channel.id), "the channel was deleted")

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self._left(str(payload.thread_id), "the thread was deleted")


class _Chinese(app_commands.Translator):
    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        return string.extras.get("chinese") if locale is discord.Locale.chinese else None


def incoming(interaction: discord.Interaction, text: str = "", action: str = "") -> Incoming:
    """What somebody said or pressed. Administrators are those who may manage the server."""
    guild, user = interaction.guild, interaction.user

    async def manages_server() -> bool:
        return interaction.permissions.manage_guild

    return Incoming(
        platform="discord",
        address=str(interaction.channel_id),
        title=f"{guild.name}#{getattr(interaction.channel, 'name', '')}" if guild else user.display_name,
        is_group=guild is not None,
        sender=Sender(
            id=str(user.id),
            name=user.display_name,
            language=str(interaction.locale),
            is_admin=manages_server if guild else always,
        ),
        text=text,
        action=action,
    )


def _addresses(guild: discord.Guild) -> Iterator[str]:
    return (str(place.id) for place in (*guild.channels, *guild.threads))
