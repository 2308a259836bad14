"""The world of the stub: people, servers, channels, and what was said in them."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..stub import Now, Stub
from .limits import DM, EPOCH_MS, FORUM, MANAGE_GUILD, MEMBER, READ_HISTORY, THREADS, TOKEN, VIEW, Json
from .validation import shown_texts


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request; status 0 where the connection was closed instead of answered."""

    at: float
    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message accepted by `POST /channels/{id}/messages`, as it was sent."""

    at: float
    channel_id: int
    message_id: int
    content: str
    embeds: tuple[Json, ...]
    components: tuple[Json, ...]
    nonce: str | None
    flags: int
    allowed_mentions: Json | None


@dataclass(frozen=True, slots=True)
class Pings:
    """Whom a message notifies."""

    everyone: bool
    users: frozenset[int]
    roles: frozenset[int]


@dataclass(slots=True)
class Interaction:
    """What a user did, and every complete answer of the bot to it, oldest first."""

    id: int
    token: str
    at: float
    channel_id: int
    user_id: int
    payload: Json
    answered: bool = False
    original: int | None = None
    replies: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    locale: str


@dataclass(frozen=True, slots=True)
class GuildRole:
    id: int
    name: str
    mentionable: bool


@dataclass(slots=True)
class Guild:
    id: int
    name: str
    roles: dict[int, GuildRole] = field(default_factory=dict)
    managers: dict[int, bool] = field(default_factory=dict)
    holders: dict[int, set[int]] = field(default_factory=dict)
    everyone: int = MEMBER
    timed_out_until: str | None = None


@dataclass(slots=True)
class Channel:
    id: int
    guild_id: int | None
    name: str
    type: int
    parent_id: int | None = None
    recipient: int | None = None
    denied: int = 0
    archived: bool = False
    locked: bool = False


@dataclass(slots=True)
class Window:
    opened: float
    used: int = 0


@dataclass(slots=True, eq=False)
class Session:
    id: str
    intents: int
    shard: tuple[int, int]
    outbox: "asyncio.Queue[str | int] | None"
    events: list[str] = field(default_factory=list)

    def serves(self, guild_id: int | None) -> bool:
        index, count = self.shard
        return ((guild_id or 0) >> 22) % count == index

    def dispatch(self, event: str, data: Any) -> None:
        self.events.append(json.dumps({"op": 0, "t": event, "s": len(self.events) + 1, "d": data}))
        if self.outbox is not None:
            self.outbox.put_nowait(self.events[-1])


def mentions(message: Message) -> Pings:
    """Whom the message notifies: its content and text displays, as its allowed_mentions let it.

    Embeds never notify. Stricter than Discord in one thing: a mention inside code counts too.
    https://docs.discord.com/developers/resources/message#allowed-mentions-object
    """
    text = "\n".join([message.content, *shown_texts(message.components)])
    users = frozenset(map(int, re.findall(r"<@!?(\d+)>", text)))
    roles = frozenset(map(int, re.findall(r"<@&(\d+)>", text)))
    everyone = re.search(r"@(everyone|here)\b", text) is not None
    allowed = message.allowed_mentions
    if allowed is None:
        return Pings(everyone, users, roles)
    parse = allowed.get("parse") or []
    return Pings(
        everyone and "everyone" in parse,
        users if "users" in parse else users & set(map(int, allowed.get("users") or [])),
        roles if "roles" in parse else roles & set(map(int, allowed.get("roles") or [])),
    )


class World(Stub):
    """Who and what there is, and how each looks on the wire; the clock of every limit is `now`."""

    def __init__(self, now: Now = time.time, port: int = 0, token: str = TOKEN, application_id: int = 900) -> None:
        super().__init__(now, port)
        self.token = token
        self.application_id = application_id
        self.rates = True
        """Whether limits are enforced."""
        self.nonce_seconds = 180.0
        self.heartbeat_ms = 41_250
        self.shards = 1
        """How many shards `GET /gateway/bot` recommends."""
        self.counts_only = False
        """Keep counts, no calls, no messages: for benchmarks. Forms are not checked, and there is no history."""
        self.accepted: Counter[int] = Counter()
        """Messages accepted, by channel."""
        self.statuses: Counter[int] = Counter()
        """Requests by the status of their answers; 0: none."""
        self.on_accept: Callable[[Message], None] | None = None
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        self.uploads: dict[int, bytes] = {}
        """What was uploaded, by the attachment's id."""
        self.violations: list[str] = []
        self.files: dict[str, bytes] = {}
        """The attachments that people sent, by their ids."""
        self.http_429 = 0
        self.commands: dict[int | None, list[Json]] = {}
        self._guilds: dict[int, Guild] = {}
        self._channels: dict[int, Channel] = {}
        self._users: dict[int, User] = {application_id: User(application_id, "Paperwire", "en-US")}
        self._closed_dms: set[int] = set()
        self._stored: dict[int, Json] = {}
        self._said: dict[int, str] = {}
        self._nonces: dict[str, tuple[float, Json]] = {}
        self._interactions: dict[str, Interaction] = {}
        self._sessions: dict[str, Session] = {}
        self._windows: dict[str, Window] = {}
        self._last_id = 0
        self._changed = asyncio.Event()

    def add_user(self, user_id: int, name: str, locale: str = "en-US") -> None:
        self._users[user_id] = User(user_id, name, locale)

    def add_member(self, guild_id: int, user_id: int, manage_guild: bool = False) -> None:
        """A user joins a guild, or changes rank in it. Users who act in a guild are plain members of it."""
        self._guilds[guild_id].managers[user_id] = manage_guild

    def dm(self, user_id: int) -> int:
        """The id of the bot's direct channel with the user, opened if need be."""
        for channel in self._channels.values():
            if channel.recipient == user_id:
                return channel.id
        channel = Channel(self._snowflake(), None, self._users[user_id].name, DM, recipient=user_id)
        self._channels[channel.id] = channel
        return channel.id

    def close_dm(self, user_id: int) -> None:
        """The user takes no direct messages any more: 50007."""
        self._closed_dms.add(user_id)

    def _snowflake(self) -> int:
        moment = max(0, int(self.now() * 1_000) - EPOCH_MS) << 22
        self._last_id = max(self._last_id + 1, moment)
        return self._last_id

    def _permissions(self, channel: Channel, user_id: int) -> int:
        guild = self._guilds.get(channel.guild_id or 0)
        return MEMBER | (MANAGE_GUILD if guild and guild.managers.get(user_id) else 0)

    def _bot_permissions(self, channel: Channel) -> int:
        """What the bot may do in a channel; a thread has its parent's overwrites."""
        guild = self._guilds.get(channel.guild_id or 0)
        if guild is None:
            return MEMBER
        parent = self._channels.get(channel.parent_id or 0) if channel.type in THREADS else None
        held = guild.everyone & ~(parent or channel).denied
        return held & (VIEW | READ_HISTORY) if guild.timed_out_until else held

    def _user_json(self, user_id: int) -> Json:
        user = self._users[user_id]
        return {
            "id": str(user.id),
            "username": user.name.lower(),
            "global_name": user.name,
            "discriminator": "0",
            "avatar": None,
            "bot": user.id == self.application_id,
            "public_flags": 0,
        }

    def _member_json(self, guild_id: int, user_id: int) -> Json:
        guild = self._guilds[guild_id]
        held = [guild_id + 1] if guild.managers.get(user_id) else []
        held += [role for role, holders in guild.holders.items() if user_id in holders]
        return {
            "user": self._user_json(user_id),
            "nick": None,
            "avatar": None,
            "roles": [str(role) for role in held],
            "joined_at": "2024-01-01T00:00:00+00:00",
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": (
                self._guilds[guild_id].timed_out_until if user_id == self.application_id else None
            ),
        }

    def _role_json(
        self, role_id: int, name: str, permissions: int, position: int, *, mentionable: bool = False
    ) -> Json:
        return {
            "id": str(role_id),
            "name": name,
            "permissions": str(permissions),
            "position": position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": mentionable,
            "flags": 0,
        }

    def _guild_json(self, guild_id: int) -> Json:
        inside = [channel for channel in self._channels.values() if channel.guild_id == guild_id]
        return {
            "id": str(guild_id),
            "name": self._guilds[guild_id].name,
            "owner_id": "1",
            "icon": None,
            "large": False,
            "member_count": len(self._guilds[guild_id].managers) + 1,
            "preferred_locale": "en-US",
            "features": [],
            "emojis": [],
            "stickers": [],
            "verification_level": 0,
            "default_message_notifications": 0,
            "roles": [
                self._role_json(guild_id, "@everyone", self._guilds[guild_id].everyone, 0),
                self._role_json(guild_id + 1, "Managers", MANAGE_GUILD, 1),
                *(
                    self._role_json(role.id, role.name, 0, place, mentionable=role.mentionable)
                    for place, role in enumerate(self._guilds[guild_id].roles.values(), 2)
                ),
            ],
            "members": [self._member_json(guild_id, self.application_id)],
            "channels": [self._channel_json(each.id) for each in inside if each.type not in THREADS],
            "threads": [self._channel_json(each.id) for each in inside if each.type in THREADS and not each.archived],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }

    def _channel_json(self, channel_id: int) -> Json:
        channel = self._channels[channel_id]
        shown: Json = {"id": str(channel.id), "type": channel.type, "last_message_id": None, "flags": 0}
        if channel.recipient is not None:
            return shown | {"recipients": [self._user_json(channel.recipient)]}
        denied = {"id": str(self.application_id), "type": 1, "allow": "0", "deny": str(channel.denied)}
        shown |= {
            "guild_id": str(channel.guild_id),
            "name": channel.name,
            "position": 0,
            "parent_id": None if channel.parent_id is None else str(channel.parent_id),
            "permission_overwrites": [denied],
            "topic": None,
            "nsfw": False,
            "rate_limit_per_user": 0,
        }
        if channel.type == FORUM:
            shown |= {"available_tags": [], "default_reaction_emoji": None, "default_forum_layout": 0}
        if channel.type in THREADS:
            shown |= {
                "owner_id": str(self.application_id),
                "message_count": 0,
                "member_count": 1,
                "total_message_sent": 0,
                "thread_metadata": {
                    "archived": channel.archived,
                    "locked": channel.locked,
                    "auto_archive_duration": 10_080,
                    "archive_timestamp": "2024-01-01T00:00:00+00:00",
                },
            }
        return shown

    def _partial_channel(self, channel: Channel, user_id: int) -> Json:
        return self._channel_json(channel.id) | {"permissions": str(self._permissions(channel, user_id))}
