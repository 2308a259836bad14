"""REST: users, servers, channels."""

import json

from aiohttp import web

from .door import NO_CONTENT, Door, json_answer
from .limits import FILE_BYTES, SEND_IN_THREADS, THREADS, VIEW, Json, RefusalError
from .validation import check_files
from .world import Channel


class Rest(Door):
    """Who and what there is."""

    async def _body(self, request: web.Request) -> Json:
        try:
            if request.content_type != "multipart/form-data":
                return dict(await request.json())
            form = await request.post()
            body: Json = json.loads(str(form.get("payload_json", "{}")))
        except (json.JSONDecodeError, TypeError, ValueError) as error:
            raise RefusalError(50109) from error
        files = {name: part for name, part in form.items() if isinstance(part, web.FileField)}
        holder = body.get("data", body) if "/interactions/" in request.path else body
        if files:
            check_files(list(files), holder.get("attachments"))
            holder["attachments"] = [self._attachment(part) for part in files.values()]
        return body

    def _attachment(self, part: web.FileField) -> Json:
        attachment_id = self._snowflake()
        self.uploads[attachment_id] = part.file.read()
        if len(self.uploads[attachment_id]) > FILE_BYTES:
            raise RefusalError(40005)
        url = f"{self.url}/attachments/{attachment_id}/{part.filename}"
        return {
            "id": str(attachment_id),
            "filename": part.filename,
            "size": len(self.uploads[attachment_id]),
            "url": url,
            "proxy_url": url,
            "content_type": part.content_type,
        }

    async def _get_me(self, request: web.Request) -> web.Response:
        return json_answer(self._user_json(self.application_id))

    async def _get_user(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return json_answer(self._user_json(user_id))

    async def _get_application(self, request: web.Request) -> web.Response:
        return json_answer(
            {
                "id": str(self.application_id),
                "name": "Paperwire",
                "description": "",
                "icon": None,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": self._user_json(self.application_id),
                "team": None,
                "verify_key": "0" * 64,
                "flags": 0,
            }
        )

    async def _get_gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1_000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return json_answer({"url": self.gateway_url, "shards": self.shards, "session_start_limit": limit})

    async def _get_guild(self, request: web.Request) -> web.Response:
        guild_id = int(request.match_info["guild"])
        if guild_id not in self._guilds:
            raise RefusalError(10004)
        return json_answer(self._guild_json(guild_id))

    async def _get_member(self, request: web.Request) -> web.Response:
        guild_id, user_id = int(request.match_info["guild"]), int(request.match_info["user"])
        if guild_id not in self._guilds:
            raise RefusalError(50001)
        if user_id not in self._guilds[guild_id].managers and user_id != self.application_id:
            raise RefusalError(10007)
        return json_answer(self._member_json(guild_id, user_id))

    async def _post_dm(self, request: web.Request) -> web.Response:
        user_id = int((await self._body(request))["recipient_id"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return json_answer(self._channel_json(self.dm(user_id)))

    async def _get_channel(self, request: web.Request) -> web.Response:
        return json_answer(self._channel_json(self._visible(request).id))

    async def _patch_channel(self, request: web.Request) -> web.Response:
        channel, body = self._visible(request), await self._body(request)
        # Only moderators unarchive what is locked, or change channels.
        may = channel.type in THREADS and not channel.locked and self._bot_permissions(channel) & SEND_IN_THREADS
        if not may or body.keys() - {"archived"}:
            raise RefusalError(50013)
        self.set_thread(channel.id, archived=bool(body["archived"]))
        return json_answer(self._channel_json(channel.id))

    async def _post_typing(self, request: web.Request) -> web.Response:
        self._visible(request)
        return web.Response(status=NO_CONTENT)

    def _visible(self, request: web.Request) -> Channel:
        channel = self._channels.get(int(request.match_info["channel"]))
        if channel is None:
            raise RefusalError(10003)
        kicked = channel.guild_id is not None and channel.guild_id not in self._guilds
        if kicked or not self._bot_permissions(channel) & VIEW:
            raise RefusalError(50001)
        return channel
