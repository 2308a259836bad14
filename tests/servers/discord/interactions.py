"""REST: commands and the answers to interactions."""

from collections.abc import Iterable

from aiohttp import web

from .door import NO_CONTENT, json_answer
from .limits import ANSWER_WITHIN, COMMANDS, CUSTOM_ID, EPHEMERAL, LOADING, TOKEN_LIVES, Json, RefusalError
from .messages import Messages
from .validation import Wrong, check_message, choice_errors, command_errors, error_tree, length_errors
from .world import Interaction


class Interactions(Messages):
    """Commands that the bot registers, and its answers to what users do."""

    def _scope(self, request: web.Request) -> int | None:
        guild_id = request.match_info.get("guild")
        if guild_id is None:
            return None
        if int(guild_id) not in self._guilds:
            raise RefusalError(50001)
        return int(guild_id)

    def _register(self, scope: int | None, command: Json) -> Json:
        old = next((c for c in self.commands.get(scope, []) if c["name"] == command["name"]), None)
        registered = {
            "type": 1,
            "description": "",
            "options": [],
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            "contexts": None,
            "integration_types": [0],
            **command,
            "id": old["id"] if old else str(self._snowflake()),
            "application_id": str(self.application_id),
            "version": str(self._snowflake()),
        }
        return registered if scope is None else registered | {"guild_id": str(scope)}

    async def _get_commands(self, request: web.Request) -> web.Response:
        return json_answer(self.commands.get(self._scope(request), []))

    async def _put_commands(self, request: web.Request) -> web.Response:
        scope, commands = self._scope(request), await request.json()
        wrongs = [wrong for at, each in enumerate(commands) for wrong in command_errors(each, f"{at}.")]
        names = [(each.get("name"), each.get("type", 1)) for each in commands]
        if len(set(names)) < len(names):
            wrongs.append(("", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"))
        wrongs += length_errors("", commands, COMMANDS)
        if wrongs:
            raise RefusalError(50035, error_tree(wrongs))
        self.commands[scope] = [self._register(scope, each) for each in commands]
        return json_answer(self.commands[scope])

    async def _post_command(self, request: web.Request) -> web.Response:
        scope, command = self._scope(request), await self._body(request)
        if errors := error_tree(command_errors(command)):
            raise RefusalError(50035, errors)
        registered = self._register(scope, command)
        others = [each for each in self.commands.get(scope, []) if each["id"] != registered["id"]]
        created = len(others) == len(self.commands.get(scope, []))
        self.commands[scope] = [*others, registered]
        return json_answer(registered, 201 if created else 200)

    async def _delete_command(self, request: web.Request) -> web.Response:
        scope = self._scope(request)
        kept = [c for c in self.commands.get(scope, []) if c["id"] != request.match_info["command"]]
        if len(kept) == len(self.commands.get(scope, [])):
            raise RefusalError(10063)
        self.commands[scope] = kept
        return web.Response(status=NO_CONTENT)

    async def _post_callback(self, request: web.Request) -> web.Response:
        interaction = self._interactions.get(request.match_info["token"])
        if interaction is None or interaction.id != int(request.match_info["interaction"]):
            raise RefusalError(10062)
        if interaction.answered:
            raise RefusalError(40060)
        if self.now() - interaction.at > ANSWER_WITHIN:
            raise RefusalError(10062)
        body = await self._body(request)
        message = self._callback(interaction, body["type"], body.get("data") or {})
        interaction.answered = True
        if request.query.get("with_response") not in ("1", "true"):
            return web.Response(status=NO_CONTENT)
        answer: Json = {"interaction": {"id": str(interaction.id), "type": interaction.payload["type"]}}
        if message:
            answer["interaction"] |= {
                "response_message_id": message["id"],
                "response_message_loading": bool(message["flags"] & LOADING),
                "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
            }
            answer["resource"] = {"type": body["type"], "message": message}
        return json_answer(answer)

    def _callback(self, interaction: Interaction, kind: int, data: Json) -> Json | None:
        channel, source = self._channels[interaction.channel_id], interaction.payload.get("message")
        ephemeral = (data.get("flags") or 0) & EPHEMERAL
        if kind == 4:
            check_message(data, "data.")
            message = self._store(channel, data, of=interaction)
            interaction.replies.append(message)
            self._announce("MESSAGE_CREATE", message)
        elif kind == 5:
            message = self._store(channel, {}, LOADING | ephemeral, of=interaction)
        elif kind in (6, 7) and source:
            message = self._stored[int(source["id"])]
            if kind == 7:
                interaction.replies.append(self._edit(message, data, "data."))
        elif kind == 8 and interaction.payload["type"] == 4:
            self._check(choice_errors(data.get("choices")))
            interaction.replies.append(data)
            return None
        elif kind == 9:
            self._check(length_errors("data.title", data.get("title"), 45, least=1))
            self._check(length_errors("data.custom_id", data.get("custom_id"), CUSTOM_ID, least=1))
            self._check(length_errors("data.components", data.get("components"), 5, least=1))
            interaction.replies.append(data)
            return None
        else:
            self._check([("type", "BASE_TYPE_CHOICES", f"Type {kind} does not answer this interaction.")])
            return None
        interaction.original = int(message["id"])
        return message if kind in (4, 5, 7) else None

    def _check(self, wrongs: Iterable[Wrong]) -> None:
        if errors := error_tree(wrongs):
            raise RefusalError(50035, errors)

    def _hooked(self, request: web.Request) -> Interaction:
        interaction = self._interactions.get(request.match_info["token"])
        ours = int(request.match_info["app"]) == self.application_id
        if interaction is None or not ours or not interaction.answered:
            raise RefusalError(10015)
        if self.now() - interaction.at > TOKEN_LIVES:
            raise RefusalError(50027)
        return interaction

    def _reply(self, request: web.Request) -> tuple[Interaction, Json]:
        interaction, wanted = self._hooked(request), request.match_info["message"]
        message_id = interaction.original if wanted == "@original" else int(wanted)
        own = {interaction.original, *(int(each["id"]) for each in interaction.replies if "id" in each)}
        if message_id is None or message_id not in own or message_id not in self._stored:
            raise RefusalError(10008)
        return interaction, self._stored[message_id]

    async def _post_followup(self, request: web.Request) -> web.Response:
        interaction = self._hooked(request)
        body = await self._body(request)
        waiting = self._stored.get(interaction.original or 0)
        if waiting and waiting["flags"] & LOADING:
            # The first follow-up of a deferred answer takes its place.
            message = self._edit(waiting, body)
        else:
            check_message(body)
            message = self._store(self._channels[interaction.channel_id], body, of=interaction)
            self._announce("MESSAGE_CREATE", message)
        interaction.replies.append(message)
        return json_answer(message)

    async def _get_reply(self, request: web.Request) -> web.Response:
        return json_answer(self._reply(request)[1])

    async def _patch_reply(self, request: web.Request) -> web.Response:
        interaction, message = self._reply(request)
        interaction.replies.append(self._edit(message, await self._body(request)))
        return json_answer(message)

    async def _delete_reply(self, request: web.Request) -> web.Response:
        self._remove(self._reply(request)[1])
        return web.Response(status=NO_CONTENT)
