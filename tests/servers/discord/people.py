"""What users do, as interactions that reach the bot through the gateway."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from .gateway import Gateway
from .limits import Json
from .validation import walk
from .world import Channel, Interaction


class People(Gateway):
    """What users do: run commands, press buttons, fill in forms, and wait for the answer."""

    def command(
        self,
        channel_id: int,
        user_id: int,
        name: str,
        options: Mapping[str, str | int | float | bool | bytes] | None = None,
        focused: str | None = None,
    ) -> Interaction:
        """Run a slash command, `"group sub"` with its subcommand; or type into its option `focused` for choices.

        An option that takes an attachment is given its content.
        Raises LookupError for a command that the bot has not registered there or the user may not see, ValueError
        for options that Discord's own clients would not let through.
        """
        channel = self._channels[channel_id]
        root, *path = name.split()
        known = [*self.commands.get(channel.guild_id, []), *self.commands.get(None, [])]
        registered = next((each for each in known if each["name"] == root and each["type"] == 1), None)
        if registered is None:
            raise LookupError(f"no command {root!r} registered here")
        self._may_see(registered, channel, user_id)
        leaf = registered
        for step in path:
            leaf = next(each for each in leaf["options"] if each["name"] == step)
        resolved: Json = {}
        given = self._given(leaf.get("options") or [], options or {}, focused, channel, user_id, resolved)
        for depth, step in reversed(list(enumerate(path))):
            given = [{"name": step, "type": 1 if depth == len(path) - 1 else 2, "options": given}]
        data = {"id": registered["id"], "name": root, "type": 1, "options": given}
        if resolved:
            data["resolved"] = resolved
        if "guild_id" in registered:
            data["guild_id"] = registered["guild_id"]
        return self._interact(4 if focused else 2, channel, user_id, data)

    def point_at(self, message_id: int, user_id: int, name: str) -> Interaction:
        """Choose a command in the menu of a message, whose content comes along.

        Raises LookupError for one that the bot has not registered, or the user may not see there.
        https://docs.discord.com/developers/interactions/application-commands#message-commands
        """
        message = self._stored[message_id]
        channel = self._channels[int(message["channel_id"])]
        known = [*self.commands.get(channel.guild_id, []), *self.commands.get(None, [])]
        registered = next((each for each in known if each["name"] == name and each["type"] == 3), None)
        if registered is None:
            raise LookupError(f"no command {name!r} on messages registered here")
        self._may_see(registered, channel, user_id)
        data = {"id": registered["id"], "name": name, "type": 3, "target_id": str(message_id)}
        shown = message | {"content": self._said.get(message_id, message["content"])}
        return self._interact(2, channel, user_id, data | {"resolved": {"messages": {str(message_id): shown}}})

    def press(self, message_id: int, user_id: int, custom_id: str, values: Iterable[str] | None = None) -> Interaction:
        """Press a button, or choose `values` in a menu. LookupError if the message shows no such component."""
        message = self._stored[message_id]
        shown = (each for _, each in walk(message["components"]) if each.get("custom_id") == custom_id)
        component = next((each for each in shown if not each.get("disabled")), None)
        if component is None:
            raise LookupError(f"message {message_id} has no {custom_id!r} to press")
        data: Json = {"custom_id": custom_id, "component_type": component["type"]}
        if values is not None:
            data["values"] = list(values)
        return self._interact(3, self._channels[int(message["channel_id"])], user_id, data, message)

    def submit(self, asked: Interaction, values: Mapping[str, str]) -> Interaction:
        """Fill in the modal that answered an interaction: text by the custom_id of its input."""
        modal = asked.replies[-1]
        filled = []
        for shown in modal["components"]:
            field = shown.get("component") or shown["components"][0]
            given = {key: field[key] for key in ("type", "custom_id", "id") if key in field}
            given["value"] = values.get(field["custom_id"], "")
            inner = {"component": given} if "component" in shown else {"components": [given]}
            filled.append({"type": shown["type"]} | inner)
        data = {"custom_id": modal["custom_id"], "components": filled}
        return self._interact(5, self._channels[asked.channel_id], asked.user_id, data)

    async def reply_to(self, interaction: Interaction, timeout: float = 5.0) -> Json:  # noqa: ASYNC109
        """The bot's latest complete answer: a message, a modal, or a list of choices; a bare defer is none.

        Raises TimeoutError after `timeout` seconds of real time.
        """
        await self.wait_for(lambda: bool(interaction.replies), timeout)
        return interaction.replies[-1]

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Return once the predicate holds, asked after each request. TimeoutError after real seconds."""
        async with asyncio.timeout(timeout):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    def _may_see(self, command: Json, channel: Channel, user_id: int) -> None:
        contexts = command["contexts"] or ([0, 1] if command["dm_permission"] else [0])
        needed = int(command["default_member_permissions"] or 0)
        held = self._permissions(channel, user_id)
        if (0 if channel.guild_id else 1) not in contexts or (channel.guild_id and needed & ~held):
            raise LookupError(f"{command['name']!r} is not shown to {user_id} here")

    def _given(
        self,
        specs: list[Json],
        options: Mapping[str, Any],
        focused: str | None,
        channel: Channel,
        user_id: int,
        resolved: Json,
    ) -> list[Json]:
        by_name = {spec["name"]: spec for spec in specs}
        missing = {spec["name"] for spec in specs if spec.get("required")} - options.keys()
        if (missing and not focused) or options.keys() - by_name.keys():
            raise ValueError(f"options {sorted(options)} do not fit {sorted(by_name)}; missing {sorted(missing)}")
        given = []
        for name, value in options.items():
            spec = by_name[name]
            if name == focused:
                given.append({"name": name, "type": spec["type"], "value": value, "focused": True})
                continue
            fits = {3: str, 5: bool, 10: int | float, 11: bytes}.get(spec["type"], int)
            choices = [choice["value"] for choice in spec.get("choices") or []]
            least = spec.get("min_length") if spec["type"] == 3 else spec.get("min_value")
            most = spec.get("max_length") if spec["type"] == 3 else spec.get("max_value")
            size = len(value) if isinstance(value, str) else value
            if (
                not isinstance(value, fits)
                or (choices and value not in choices)
                or (least is not None and size < least)
                or (most is not None and size > most)
            ):
                raise ValueError(f"{value!r} does not fit the option {name!r}")
            if spec["type"] == 6:
                resolved.setdefault("users", {})[str(value)] = self._user_json(int(value))
                if channel.guild_id:
                    member = self._member_json(channel.guild_id, int(value))
                    resolved.setdefault("members", {})[str(value)] = member
            if spec["type"] == 7:
                partial = self._partial_channel(self._channels[int(value)], user_id)
                resolved.setdefault("channels", {})[str(value)] = partial
            sent = str(value) if spec["type"] in (6, 7, 8) else value
            if spec["type"] == 11:
                sent = self._attach(value, resolved)
            given.append({"name": name, "type": spec["type"], "value": sent})
        return given

    def _attach(self, content: bytes, resolved: Json) -> str:
        number = str(self._snowflake())
        self.files[number] = content
        url = f"{self.url}/attachments/{number}/paperwire.toml"
        facts = {"id": number, "filename": "paperwire.toml", "size": len(content), "url": url, "proxy_url": url}
        resolved.setdefault("attachments", {})[number] = facts
        return number

    async def _get_attachment(self, request: web.Request) -> web.Response:
        """What the CDN does, which asks for no token."""
        content = self.files.get(request.match_info["attachment"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    def _interact(
        self, kind: int, channel: Channel, user_id: int, data: Json, message: Json | None = None
    ) -> Interaction:
        interaction_id, user = self._snowflake(), self._users[user_id]
        token = f"interaction-{interaction_id}"
        payload: Json = {
            "id": str(interaction_id),
            "application_id": str(self.application_id),
            "type": kind,
            "data": data,
            "channel": self._partial_channel(channel, user_id),
            "channel_id": str(channel.id),
            "token": token,
            "version": 1,
            "app_permissions": str(self._bot_permissions(channel)),
            "locale": user.locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
            "context": 0 if channel.guild_id else 1,
            "attachment_size_limit": 10 * 2**20,
        }
        if message:
            payload["message"] = message
        if channel.guild_id:
            self._guilds[channel.guild_id].managers.setdefault(user_id, False)
            held = {"permissions": str(self._permissions(channel, user_id))}
            payload |= {
                "guild_id": str(channel.guild_id),
                "guild": {"id": str(channel.guild_id), "locale": "en-US", "features": []},
                "guild_locale": "en-US",
                "member": self._member_json(channel.guild_id, user_id) | held,
            }
        else:
            payload["user"] = self._user_json(user_id)
        interaction = Interaction(interaction_id, token, self.now(), channel.id, user_id, payload)
        self._interactions[token] = interaction
        self._dispatch("INTERACTION_CREATE", payload, channel.guild_id)
        return interaction
