"""Updates: the connection to Discord; slash commands and pressed buttons come in as Incoming and are answered."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from io import BytesIO
from typing import Any, cast

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.http import HTTPClient, Route

from bot.cards.reply import File, Reply
from bot.clock import Clock
from bot.commands.offers import Choice
from bot.commands.request import Incoming
from bot.config import Discord
from bot.platforms.discord.connection import LONGEST_RATE_LIMIT, DiscordSender
from bot.platforms.discord.files import fetch
from bot.platforms.discord.incoming import content_of, of_interaction, of_message
from bot.platforms.discord.instead import instead
from bot.platforms.discord.limits import EPHEMERAL
from bot.platforms.discord.menu import Chinese, SlashCommand, about_a_message, slash
from bot.platforms.discord.places import Place, addresses, may_write, places
from bot.platforms.discord.render import Json, render
from bot.platforms.discord.send import nonce_of, put

FINISH_WITHIN = 2.5
"""Seconds in which those who were being answered when the bot stops still get their answer."""

CHOICES_WITHIN = 2.0
"""Seconds for the choices of an argument: Discord waits three for them, the way there and back included."""

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
_TOO_LATE, _ALREADY_ACKNOWLEDGED, _MALFORMED = 10062, 40060, 50035

log = structlog.get_logger(__name__)


class DiscordUpdates(DiscordSender):
    """Listens to Discord and answers. It asks for no privileged intent: commands, buttons, mentions and direct messages
    need none. `look_up` is the English and the Chinese name of the command on messages; `choices` has what may stand in
    a command's argument. What is no answer to an interaction is sent within a `turn` at its address.

    `left` is called for every channel and thread of a server that the bot leaves, subscribed or not, and for each one
    that is deleted; `joined` for those of a server that takes it in, and for each one in which it may write again.
    """

    def __init__(
        self,
        settings: Discord,
        clock: Clock,
        commands: Sequence[SlashCommand],
        look_up: tuple[str, str],
        answer: Callable[[Incoming], Awaitable[Reply | None]],
        choices: Callable[[Incoming, str], Awaitable[list[Choice]]],
        left: Callable[[str, str], Awaitable[None]],
        joined: Callable[[str], Awaitable[None]],
        lease: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        turn: Callable[[str], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        super().__init__(settings, clock)
        self._look_up = look_up
        self._choices = choices
        self._turn = turn
        self._lease = lease
        self._shards = settings.shard_ids or tuple(range(settings.shard_count))
        self._commands = commands
        self._answer = answer
        self._left = left
        self._joined = joined
        self._answering: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def stop(self) -> None:
        """Hear nobody any more, give those who are being answered their answer, and leave Discord."""
        self._stopping = True
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=FINISH_WITHIN)
            for task in late:
                task.cancel()
        await super().stop()

    def _new_client(self) -> discord.Client:
        options: dict[str, Any] = {
            "intents": discord.Intents(guilds=True, guild_messages=True, dm_messages=True),
            "member_cache_flags": discord.MemberCacheFlags.none(),
            "max_messages": None,
            "max_ratelimit_timeout": LONGEST_RATE_LIMIT,
            "http_trace": self._trace,
            "shard_count": self._settings.shard_count,
        }
        if len(self._shards) == 1:
            return discord.Client(shard_id=self._shards[0], **options)
        return discord.AutoShardedClient(shard_ids=list(self._shards), **options)

    async def _use(self, client: discord.Client) -> None:
        for event in (
            self.on_ready,
            self.on_disconnect,
            self.on_resumed,
            self.on_interaction,
            self.on_message,
            self.on_guild_join,
            self.on_guild_remove,
            self.on_guild_channel_delete,
            self.on_raw_thread_delete,
            self.on_guild_channel_update,
            self.on_guild_role_update,
            self.on_guild_role_delete,
            self.on_member_update,
            self.on_thread_update,
            self.on_thread_join,
        ):
            client.event(event)
        await self._offer(app_commands.CommandTree(client))
        self._client = client
        async with self._lease():
            await client.connect()

    async def _offer(self, tree: app_commands.CommandTree) -> None:
        # It writes a traceback for choices that came too late; what goes wrong in commands is told here.
        logging.getLogger("discord.app_commands.tree").setLevel(logging.CRITICAL)
        for command in self._commands:
            tree.add_command(slash(command, self._command, self._complete))
        tree.add_command(about_a_message(self._look_up, self._point_at))
        if 0 in self._shards:
            await tree.set_translator(Chinese())
            await tree.sync()

    async def _command(self, interaction: discord.Interaction, text: str, attached: discord.Attachment | None) -> None:
        file = partial(fetch, attached.url, attached.size, self._settings.api_url) if attached else None
        await self._respond(interaction, of_interaction(interaction, self._settings.admin_role, text, file=file))

    async def _point_at(self, interaction: discord.Interaction, message: discord.Message) -> None:
        # Others see the message already; the cards are for who wants to know.
        asked = of_interaction(interaction, self._settings.admin_role, action=f"paper:{content_of(message)}")
        await self._respond(interaction, asked, flags=EPHEMERAL)

    async def _complete(self, interaction: discord.Interaction, command: str, typed: str) -> list[Choice]:
        if self._stopping:
            return []
        try:
            async with asyncio.timeout(CHOICES_WITHIN):
                return await self._choices(of_interaction(interaction, self._settings.admin_role, typed), command)
        except TimeoutError:
            return []

    async def _respond(self, interaction: discord.Interaction, asked: Incoming, *, flags: int = 0) -> None:
        """Acknowledge and answer; `flags` are those of the messages."""
        task = asyncio.current_task()
        if self._stopping or task is None:
            return
        self._answering.add(task)
        is_pressed = interaction.type is discord.InteractionType.component
        try:
            if await _acknowledged(interaction, thinking=not is_pressed, ephemeral=bool(flags & EPHEMERAL)):
                reply = await self._answer(asked)
                is_aside = is_pressed and reply is not None and reply.is_aside
                takes_its_place = not is_pressed or (reply is not None and reply.in_place and not is_aside)
                flags |= EPHEMERAL if is_aside else 0
                payloads = render(reply) if reply else []
                await self._show(interaction, payloads, takes_its_place=takes_its_place, flags=flags)
                if reply and reply.file:
                    await _send_file(interaction.client.http, _route("POST", interaction), reply.file, flags)
        except (discord.DiscordException, aiohttp.ClientError) as error:
            log.warning("discord.not_answered", reason=str(error), text=asked.text[:40], action=asked.action[:40])
        except Exception:
            log.exception("discord.not_answered", text=asked.text[:40], action=asked.action[:40])
        finally:
            self._answering.discard(task)

    async def _show(
        self, interaction: discord.Interaction, payloads: Sequence[str], *, takes_its_place: bool, flags: int
    ) -> None:
        """The messages of an answer.

        The first one `takes_its_place`: that of "is thinking", which goes away where there is nothing to say, or that
        of the message whose button was pressed. The others follow.
        """
        if not payloads and takes_its_place:
            await interaction.delete_original_response()
        follow_up = _route("POST", interaction)
        route = _route("PATCH", interaction, "/messages/@original") if takes_its_place else follow_up
        # discord.py would keep every View that it sends, for ever: buttons go out in the API's own form instead.
        http = interaction.client.http
        for payload in payloads:
            try:
                await http.request(route, json=_with(payload, 0 if takes_its_place else flags))
            except discord.HTTPException as error:
                replacements = instead(payload, error.text) if error.code == _MALFORMED else ()
                if not replacements:
                    raise
                log.error("discord.answered_otherwise", reason=str(error))
                for replacement in replacements:
                    await http.request(follow_up, json=_with(replacement, flags))
            route, takes_its_place = follow_up, False

    # What Discord tells: the names are discord.py's.

    async def on_ready(self) -> None:
        self._calm_down()
        log.info("discord.connected")

    async def on_disconnect(self) -> None:
        log.info("discord.disconnected")

    async def on_resumed(self) -> None:
        log.info("discord.resumed")

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is discord.InteractionType.component:
            data = cast("Json", interaction.data)
            # What is asked below a message that one person sees is not answered to all.
            flags = EPHEMERAL if interaction.message and interaction.message.flags.ephemeral else 0
            await self._respond(
                interaction,
                of_interaction(interaction, self._settings.admin_role, action=data["custom_id"]),
                flags=flags,
            )

    async def on_message(self, message: discord.Message) -> None:
        client, task = self.client(), asyncio.current_task()
        heard = of_message(message, client.user.id) if client and client.user else None
        if client is None or heard is None or task is None or self._stopping:
            return
        self._answering.add(task)
        try:
            reply = await self._answer(heard)
            for number, payload in enumerate(render(reply) if reply else []):
                async with self._turn(heard.address):
                    await put(client.http, heard.address, payload, nonce_of(f"re-{message.id}-{number}"))
            if reply and reply.file:
                async with self._turn(heard.address):
                    route = Route("POST", "/channels/{channel_id}/messages", channel_id=message.channel.id)
                    await _send_file(client.http, route, reply.file)
        except (discord.DiscordException, aiohttp.ClientError) as error:
            log.warning("discord.not_answered", reason=str(error), message=message.id)
        except Exception:
            log.exception("discord.not_answered", message=message.id)
        finally:
            self._answering.discard(task)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        for address in addresses(guild):
            await self._joined(address)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        for address in addresses(guild):
            await self._left(address, "the bot was removed from the server")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self._left(str(channel.id), "the channel was deleted")

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self._left(str(payload.thread_id), "the thread was deleted")

    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        if may_write(after) and not may_write(before):
            await self._welcomed([after, *getattr(after, "threads", ())])

    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        if before.permissions != after.permissions:
            await self._welcomed(places(after.guild))

    async def on_guild_role_delete(self, role: discord.Role) -> None:
        await self._welcomed(places(role.guild))

    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        # Without a privileged intent there is news of the bot itself alone.
        if before.roles != after.roles or before.timed_out_until != after.timed_out_until:
            await self._welcomed(places(after.guild))

    async def on_thread_update(self, before: discord.Thread, after: discord.Thread) -> None:
        await self._welcomed([after])

    async def on_thread_join(self, thread: discord.Thread) -> None:
        # So discord.py calls it, too, when a thread is no longer archived.
        await self._welcomed([thread])

    async def _welcomed(self, places: Iterable[Place]) -> None:
        for place in filter(may_write, places):
            await self._joined(str(place.id))


def _with(payload: str, flags: int) -> Json:
    """The message with these flags besides; one that takes another's place has that one's."""
    body: Json = json.loads(payload)
    return body | {"flags": body.get("flags", 0) | flags} if flags else body


def _route(method: str, interaction: discord.Interaction, rest: str = "") -> Route:
    token: dict[str, Any] = {"webhook_id": interaction.application_id, "webhook_token": interaction.token}
    return Route(method, f"/webhooks/{{webhook_id}}/{{webhook_token}}{rest}", **token)


async def _send_file(http: HTTPClient, route: Route, file: File, flags: int = 0) -> None:
    """A message that is a file: https://discord.com/developers/docs/reference#uploading-files."""
    body = {"attachments": [{"id": 0, "filename": file.name}], "allowed_mentions": {"parse": []}, "flags": flags}
    upload = discord.File(BytesIO(file.text.encode()), file.name)
    form: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(body)},
        {"name": "files[0]", "value": upload.fp, "filename": file.name, "content_type": "text/plain; charset=utf-8"},
    ]
    await http.request(route, form=form, files=[upload])


async def _acknowledged(interaction: discord.Interaction, *, thinking: bool, ephemeral: bool) -> bool:
    """Discord wants to hear something within 3 seconds; after this there are 15 minutes. False: it is too late."""
    for _ in range(2):
        try:
            await interaction.response.defer(thinking=thinking, ephemeral=ephemeral)
        except discord.HTTPException as error:
            if error.code == _ALREADY_ACKNOWLEDGED:
                return True
            if error.code == _TOO_LATE:
                break
        except (aiohttp.ClientError, OSError):
            pass  # it may have arrived all the same; then the second is told that it was acknowledged
        else:
            return True
    log.warning("discord.too_late", interaction=interaction.id)
    return False
