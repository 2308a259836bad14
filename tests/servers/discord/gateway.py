"""The gateway: sessions, events, resuming."""

import asyncio
import json
import zlib
from typing import Any

from aiohttp import web

from .limits import GUILDS, PRIVILEGED, SEND, SHARD_GUILDS, THREADS, Json
from .world import Channel, Guild, GuildRole, Session, World


class Gateway(World):
    """The websocket that tells a bot what happens; the world changes here, and a listening bot hears of it."""

    @property
    def gateway_url(self) -> str:
        """For `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    @property
    def connected(self) -> bool:
        """Whether a bot listens on the gateway."""
        return any(session.outbox is not None for session in self._sessions.values())

    @property
    def connected_shards(self) -> set[tuple[int, int]]:
        """The shards that are listened to: each its index, and of how many."""
        return {session.shard for session in self._sessions.values() if session.outbox is not None}

    def add_guild(self, guild_id: int, name: str) -> None:
        """The bot joins a guild."""
        self._guilds[guild_id] = Guild(guild_id, name)
        self._dispatch("GUILD_CREATE", self._guild_json(guild_id), guild_id, GUILDS)

    def remove_guild(self, guild_id: int) -> None:
        """The bot is kicked: its channels answer 50001 from now on."""
        del self._guilds[guild_id]
        self._dispatch("GUILD_DELETE", {"id": str(guild_id)}, guild_id, GUILDS)

    def add_channel(
        self,
        channel_id: int,
        guild_id: int,
        name: str,
        type: int = 0,  # noqa: A002
        parent_id: int | None = None,
    ) -> None:
        """`type` as Discord numbers it: 0 text, 5 announcements, 11 public thread (with `parent_id`), 15 forum."""
        self._channels[channel_id] = Channel(channel_id, guild_id, name, type, parent_id)
        event = "THREAD_CREATE" if type in THREADS else "CHANNEL_CREATE"
        self._dispatch(event, self._channel_json(channel_id), guild_id, GUILDS)

    def remove_channel(self, channel_id: int) -> None:
        channel = self._channels[channel_id]
        event = "THREAD_DELETE" if channel.type in THREADS else "CHANNEL_DELETE"
        self._dispatch(event, self._channel_json(channel_id), channel.guild_id, GUILDS)
        del self._channels[channel_id]

    def deny(self, channel_id: int, permissions: int = SEND) -> None:
        """Take permissions (bits) from the bot in a channel and its threads; 0 gives all back."""
        channel = self._channels[channel_id]
        channel.denied = permissions
        self._dispatch("CHANNEL_UPDATE", self._channel_json(channel_id), channel.guild_id, GUILDS)

    def set_everyone(self, guild_id: int, permissions: int) -> None:
        """Say what everyone, the bot too, may do in a guild (bits)."""
        self._guilds[guild_id].everyone = permissions
        role = self._role_json(guild_id, "@everyone", permissions, 0)
        self._dispatch("GUILD_ROLE_UPDATE", {"guild_id": str(guild_id), "role": role}, guild_id, GUILDS)

    def add_role(self, guild_id: int, role_id: int, name: str, *holders: int, mentionable: bool = False) -> None:
        """Somebody makes a role, or one of this number anew, which grants nothing, and gives it to its holders."""
        guild = self._guilds[guild_id]
        guild.holders[role_id] = set(holders)
        event = "GUILD_ROLE_UPDATE" if role_id in guild.roles else "GUILD_ROLE_CREATE"
        guild.roles[role_id] = GuildRole(role_id, name, mentionable)
        role = self._role_json(role_id, name, 0, 2, mentionable=mentionable)
        self._dispatch(event, {"guild_id": str(guild_id), "role": role}, guild_id, GUILDS)

    def remove_role(self, guild_id: int, role_id: int) -> None:
        """Somebody deletes a role."""
        del self._guilds[guild_id].roles[role_id]
        self._dispatch("GUILD_ROLE_DELETE", {"guild_id": str(guild_id), "role_id": str(role_id)}, guild_id, GUILDS)

    def time_out(self, guild_id: int, until: str | None) -> None:
        """Let the bot read only, until an ISO instant; None lifts it."""
        self._guilds[guild_id].timed_out_until = until
        member = self._member_json(guild_id, self.application_id) | {"guild_id": str(guild_id)}
        # Of itself a bot hears this without the privileged intent.
        self._dispatch("GUILD_MEMBER_UPDATE", member, guild_id)

    def set_thread(self, channel_id: int, archived: bool = False, locked: bool = False) -> None:
        """Archive or lock a thread, or end both.

        An archived one answers 50083 until it is unarchived: stricter than Discord, where that is so of locked ones.
        """
        thread = self._channels[channel_id]
        thread.archived, thread.locked = archived, locked
        self._dispatch("THREAD_UPDATE", self._channel_json(channel_id), thread.guild_id, GUILDS)

    def drop_gateway(self, code: int = 4000) -> None:
        """Close every gateway connection; a client may resume after most codes."""
        for session in self._sessions.values():
            if session.outbox is not None:
                session.outbox.put_nowait(code)

    def _dispatch(self, event: str, data: Any, guild_id: int | None, intent: int = 0) -> None:
        for session in self._sessions.values():
            if session.serves(guild_id) and (not intent or session.intents & intent):
                session.dispatch(event, data)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        outbox: asyncio.Queue[str | int] = asyncio.Queue()
        # Clients take plain text too: a compression that this server does not speak is simply not used.
        zipped = request.query.get("compress") == "zlib-stream"
        sending = asyncio.create_task(self._send(ws, outbox, zlib.compressobj() if zipped else None))
        outbox.put_nowait(json.dumps({"op": 10, "d": {"heartbeat_interval": self.heartbeat_ms}}))
        session: Session | None = None
        try:
            async for frame in ws:
                payload = json.loads(frame.data)
                session = self._hear(payload["op"], payload.get("d"), outbox) or session
                self._changed.set()
        finally:
            sending.cancel()
            if session and session.outbox is outbox:
                session.outbox = None
            self._changed.set()
        return ws

    async def _send(self, ws: web.WebSocketResponse, outbox: "asyncio.Queue[str | int]", compressor: Any) -> None:
        while True:
            item = await outbox.get()
            if isinstance(item, int):
                await ws.close(code=item)
            elif compressor:
                await ws.send_bytes(compressor.compress(item.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))
            else:
                await ws.send_str(item)

    def _hear(self, op: int, data: Any, outbox: "asyncio.Queue[str | int]") -> Session | None:
        match op:
            case 1:
                outbox.put_nowait(json.dumps({"op": 11}))
            case 2 | 6 if data["token"] != self.token:
                outbox.put_nowait(4004)
            case 2 if data["intents"] & PRIVILEGED:
                self.violations.append(f"privileged intents asked for: {data['intents'] & PRIVILEGED:#x}")
                outbox.put_nowait(4014)
            case 2:
                return self._identify(data, outbox)
            case 6:
                return self._resume(data, outbox)
            case 3 | 4 | 8:
                pass
            case _:
                outbox.put_nowait(4001)
        return None

    def _identify(self, data: Json, outbox: "asyncio.Queue[str | int]") -> Session | None:
        index, count = data.get("shard", (0, 1))
        if not 0 <= index < count:
            outbox.put_nowait(4010)
            return None
        # A process that starts anew does not come back for what its predecessor missed.
        lost = [key for key, old in self._sessions.items() if old.outbox is None and old.shard == (index, count)]
        for key in lost:
            del self._sessions[key]
        session = Session(f"session-{self._snowflake()}", data["intents"], (index, count), outbox)
        served = [guild_id for guild_id in self._guilds if session.serves(guild_id)]
        if len(served) > SHARD_GUILDS:
            outbox.put_nowait(4011)
            return None
        self._sessions[session.id] = session
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": self._user_json(self.application_id),
                "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in served],
                "private_channels": [],
                "session_id": session.id,
                "resume_gateway_url": self.gateway_url,
                "shard": [index, count],
                "application": {"id": str(self.application_id), "flags": 0},
            },
        )
        for guild_id in served if session.intents & GUILDS else ():
            # A guild that the bot joins later comes without this key: so clients tell the two apart.
            session.dispatch("GUILD_CREATE", self._guild_json(guild_id) | {"unavailable": False})
        return session

    def _resume(self, data: Json, outbox: "asyncio.Queue[str | int]") -> Session | None:
        session = self._sessions.get(data["session_id"])
        if session is None:
            outbox.put_nowait(json.dumps({"op": 9, "d": False}))
            return None
        session.outbox = outbox
        for event in session.events[data["seq"] :]:
            outbox.put_nowait(event)
        session.dispatch("RESUMED", {})
        return session
