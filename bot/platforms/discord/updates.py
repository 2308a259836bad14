"""Updates: the connection to Discord; slash commands and pressed buttons come in as Incoming and are answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any, cast

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.app_commands import locale_str
from discord.http import Route

from bot.cards.reply import File, Reply
from bot.clock import Clock
from bot.commands.request import Fetch, Incoming, Sender, always
from bot.config import Discord
from bot.platforms.discord.connection import LONGEST_RATE_LIMIT, DiscordSender
from bot.platforms.discord.files import fetch
from bot.platforms.discord.instead import instead
from bot.platforms.discord.render import Json, for_one, render

FINISH_WITHIN = 2.5
"""Seconds in which those who were being answered when the bot stops still get their answer."""

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
_TOO_LATE, _ALREADY_ACKNOWLEDGED, _MALFORMED = 10062, 40060, 50035

Place = discord.abc.GuildChannel | discord.Thread

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command as Discord's clients offer it. `argument` is the name of its one option, if it takes any.

    One that has `file_english` takes an attachment besides, as its option `file`. One that `is_private` is offered in
    direct messages alone.
    """

    name: str
    english: str
    chinese: str
    argument: str = ""
    argument_english: str = ""
    argument_chinese: str = ""
    file_english: str = ""
    file_chinese: str = ""
    is_private: bool = field(default=False, kw_only=True)


class DiscordUpdates(DiscordSender):
    """Listens to Discord and answers. It asks for no privileged intent: commands and buttons need none.

    `left` is called for every channel and thread of a server that the bot leaves, subscribed or not, and for each one
    that is deleted; `joined` for those of a server that takes it in, and for each one in which it may write again.
    """

    def __init__(
        self,
        settings: Discord,
        clock: Clock,
        commands: Sequence[SlashCommand],
        answer: Callable[[Incoming], Awaitable[Reply | None]],
        left: Callable[[str, str], Awaitable[None]],
        joined: Callable[[str], Awaitable[None]],
        lease: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(settings, clock)
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
            "intents": discord.Intents(guilds=True),
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
        tree = app_commands.CommandTree(client)
        for command in self._commands:
            tree.add_command(self._command(command))
        if 0 in self._shards:
            await tree.set_translator(_Chinese())
            await tree.sync()
        self._client = client
        async with self._lease():
            await client.connect()

    def _command(self, command: SlashCommand) -> app_commands.Command[Any, ..., None]:
        async def bare(interaction: discord.Interaction) -> None:
            await self._respond(interaction, text=f"/{command.name}")

        async def with_argument(interaction: discord.Interaction, argument: str = "") -> None:
            await self._respond(interaction, text=f"/{command.name} {argument}".strip())

        async def with_file(
            interaction: discord.Interaction, argument: str = "", file: discord.Attachment | None = None
        ) -> None:
            fetched = partial(fetch, file.url, file.size, self._settings.api_url) if file else None
            await self._respond(interaction, text=f"/{command.name} {argument}".strip(), file=fetched)

        hint = locale_str(command.argument_english or "…", chinese=command.argument_chinese)
        for takes in (with_argument, with_file):
            app_commands.rename(argument=command.argument or "argument")(takes)
            app_commands.describe(argument=hint)(takes)
        app_commands.describe(file=locale_str(command.file_english or "…", chinese=command.file_chinese))(with_file)
        callback: Any = bare
        if command.argument:
            callback = with_file if command.file_english else with_argument
        return app_commands.Command(
            name=command.name,
            description=locale_str(command.english, chinese=command.chinese),
            callback=callback,
            allowed_contexts=app_commands.AppCommandContext(guild=not command.is_private, dm_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
        )

    async def _respond(
        self, interaction: discord.Interaction, *, text: str = "", action: str = "", file: Fetch | None = None
    ) -> None:
        task = asyncio.current_task()
        if self._stopping or task is None:
            return
        self._answering.add(task)
        try:
            if await _acknowledged(interaction, thinking=not action):
                reply = await self._answer(incoming(interaction, text, action, file, self._settings.admin_role))
                is_aside = bool(action and reply and reply.is_aside)
                takes_its_place = not action or (reply is not None and reply.in_place and not is_aside)
                payloads = render(reply) if reply else []
                if is_aside:
                    payloads = list(map(for_one, payloads))
                await self._show(interaction, payloads, takes_its_place=takes_its_place)
                if reply and reply.file:
                    await _send_file(interaction, reply.file)
        except (discord.DiscordException, aiohttp.ClientError) as error:
            log.warning("discord.not_answered", reason=str(error), text=text[:40], action=action)
        except Exception:
            log.exception("discord.not_answered", text=text[:40], action=action)
        finally:
            self._answering.discard(task)

    async def _show(self, interaction: discord.Interaction, payloads: Sequence[str], *, takes_its_place: bool) -> None:
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
                await http.request(route, json=json.loads(payload))
            except discord.HTTPException as error:
                replacements = instead(payload, error.text) if error.code == _MALFORMED else ()
                if not replacements:
                    raise
                log.error("discord.answered_otherwise", reason=str(error))
                for replacement in replacements:
                    await http.request(follow_up, json=json.loads(replacement))
            route = follow_up

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

    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        if may_write(after) and not may_write(before):
            await self._welcomed([after, *getattr(after, "threads", ())])

    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        if before.permissions != after.permissions:
            await self._welcomed(_places(after.guild))

    async def on_guild_role_delete(self, role: discord.Role) -> None:
        await self._welcomed(_places(role.guild))

    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        # Without a privileged intent there is news of the bot itself alone.
        if before.roles != after.roles or before.timed_out_until != after.timed_out_until:
            await self._welcomed(_places(after.guild))

    async def on_thread_update(self, before: discord.Thread, after: discord.Thread) -> None:
        await self._welcomed([after])

    async def on_thread_join(self, thread: discord.Thread) -> None:
        # So discord.py calls it, too, when a thread is no longer archived.
        await self._welcomed([thread])

    async def _welcomed(self, places: Iterable[Place]) -> None:
        for place in filter(may_write, places):
            await self._joined(str(place.id))


def _route(method: str, interaction: discord.Interaction, rest: str = "") -> Route:
    token: dict[str, Any] = {"webhook_id": interaction.application_id, "webhook_token": interaction.token}
    return Route(method, f"/webhooks/{{webhook_id}}/{{webhook_token}}{rest}", **token)


async def _send_file(interaction: discord.Interaction, file: File) -> None:
    """A follow-up that is a file: https://discord.com/developers/docs/reference#uploading-files."""
    body = {"attachments": [{"id": 0, "filename": file.name}], "allowed_mentions": {"parse": []}}
    upload = discord.File(BytesIO(file.text.encode()), file.name)
    form: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(body)},
        {"name": "files[0]", "value": upload.fp, "filename": file.name, "content_type": "text/plain; charset=utf-8"},
    ]
    await interaction.client.http.request(_route("POST", interaction), form=form, files=[upload])


async def _acknowledged(interaction: discord.Interaction, *, thinking: bool) -> bool:
    """Discord wants to hear something within 3 seconds; after this there are 15 minutes. False: it is too late."""
    for _ in range(2):
        try:
            await interaction.response.defer(thinking=thinking)
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


class _Chinese(app_commands.Translator):
    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        return string.extras.get("chinese") if locale is discord.Locale.chinese else None


def incoming(
    interaction: discord.Interaction, text: str = "", action: str = "", file: Fetch | None = None, admin_role: str = ""
) -> Incoming:
    """What somebody said or pressed. Administrators are those who may manage the server, or have the `admin_role`."""
    guild, user = interaction.guild, interaction.user

    async def manages_server() -> bool:
        return interaction.permissions.manage_guild or (isinstance(user, discord.Member) and has_role(user, admin_role))

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
        file=file,
    )


def has_role(member: discord.Member, role: str) -> bool:
    """Whether somebody has a role of this id or name. What an interaction tells of its sender is enough for that."""
    return bool(role) and any(role in (str(each.id), each.name) for each in member.roles if not each.is_default())


def may_write(place: Place) -> bool:
    """Whether the bot may put a digest there: see the place, write, and show embeds."""
    try:
        granted = place.permissions_for(place.guild.me)
    except discord.ClientException:  # a thread in a channel that it cannot see
        return False
    if isinstance(place, discord.Thread):
        writes = granted.send_messages_in_threads and not place.archived and not place.locked
    else:
        writes = granted.send_messages
    return writes and granted.view_channel and granted.embed_links


def _places(guild: discord.Guild) -> Iterator[Place]:
    yield from guild.channels
    yield from guild.threads


def _addresses(guild: discord.Guild) -> list[str]:
    return [str(place.id) for place in _places(guild)]
