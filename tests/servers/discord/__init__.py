"""Discord for tests: REST v10 and the gateway on one loopback port, strict where the real one is strict.

Point discord.py at it with `discord.http.Route.BASE = stub.api_url` and
`discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(stub.gateway_url)`; `AutoShardedClient` finds the
gateway through REST and needs the first alone.
"""

import time

from ..stub import Now
from .door import NO_CONTENT, Handler
from .interactions import Interactions
from .limits import *  # noqa: F403 -- every number and error by its name
from .limits import TOKEN
from .validation import Wrong, check_message, command_errors, error_tree, is_empty, message_errors, walk
from .world import Call, Channel, Guild, Interaction, Message, Pings, User, mentions

__all__ = [
    "NO_CONTENT",
    "Call",
    "Channel",
    "DiscordStub",
    "Guild",
    "Interaction",
    "Message",
    "Pings",
    "User",
    "Wrong",
    "check_message",
    "command_errors",
    "error_tree",
    "is_empty",
    "mentions",
    "message_errors",
    "walk",
]


class DiscordStub(Interactions):
    """A Discord with one application, whose bot has this token; the clock of every limit is `now`."""

    def __init__(self, now: Now = time.time, port: int = 0, token: str = TOKEN, application_id: int = 900) -> None:
        super().__init__(now, port, token, application_id)
        self.app.middlewares.append(self._door)
        self._add_routes()

    def _add_routes(self) -> None:
        app, channel = f"/applications/{{app:{self.application_id}}}", r"/channels/{channel:\d+}"
        scoped = app + r"/guilds/{guild:\d+}"
        hook = r"/webhooks/{app:\d+}/{token}"
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/users/@me", self._get_me),
            ("POST", "/users/@me/channels", self._post_dm),
            ("GET", r"/users/{user:\d+}", self._get_user),
            ("GET", "/oauth2/applications/@me", self._get_application),
            ("GET", app, self._get_application),
            ("GET", "/gateway", self._get_gateway),
            ("GET", "/gateway/bot", self._get_gateway),
            ("GET", r"/guilds/{guild:\d+}", self._get_guild),
            ("GET", r"/guilds/{guild:\d+}/members/{user:\d+}", self._get_member),
            ("GET", channel, self._get_channel),
            ("PATCH", channel, self._patch_channel),
            ("POST", f"{channel}/typing", self._post_typing),
            ("GET", f"{channel}/messages", self._get_history),
            ("POST", f"{channel}/messages", self._post_message),
            ("GET", channel + r"/messages/{message:\d+}", self._get_message),
            ("PATCH", channel + r"/messages/{message:\d+}", self._patch_message),
            ("DELETE", channel + r"/messages/{message:\d+}", self._delete_message),
            ("POST", r"/interactions/{interaction:\d+}/{token}/callback", self._post_callback),
            ("POST", hook, self._post_followup),
            ("GET", hook + r"/messages/{message:@original|\d+}", self._get_reply),
            ("PATCH", hook + r"/messages/{message:@original|\d+}", self._patch_reply),
            ("DELETE", hook + r"/messages/{message:@original|\d+}", self._delete_reply),
        ]
        for scope in (app, scoped):
            routes += [
                ("GET", f"{scope}/commands", self._get_commands),
                ("PUT", f"{scope}/commands", self._put_commands),
                ("POST", f"{scope}/commands", self._post_command),
                ("DELETE", scope + r"/commands/{command:\d+}", self._delete_command),
            ]
        for method, path, handler in routes:
            self.app.router.add_route(method, f"/api/v10{path}", handler)
        self.app.router.add_get("/gateway", self._gateway)
        self.app.router.add_get("/attachments/{attachment}/{name}", self._get_attachment)
