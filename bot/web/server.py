"""Server: what is served under which path, and the uvicorn server that listens for it."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.config import Web
from bot.platforms.webchat.send import Listeners
from bot.web.operations import Operations
from bot.web.security import (
    HEADERS,
    LARGEST_BODY,
    LARGEST_UPDATE,
    WEBHOOK_PATH,
    Guard,
    WebError,
    check_bind,
)
from bot.web.site import ERRORS, Site

GRACE_SECONDS = 5

Webhook = Callable[[str, bytes], Awaitable[int]]
"""Takes in the secret token that a caller gave (empty: none) and the body; answers with the HTTP status."""


def build_web(
    settings: Web, operations: Operations, site: Site | None = None, webhook: Webhook | None = None
) -> Starlette:
    """The web application: operations for every role; the site and Telegram's webhook where there is one."""
    return Starlette(
        routes=[
            *operations.routes(),
            *([_webhook_route(webhook)] if webhook is not None else []),
            *(site.routes() if site is not None else []),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=ERRORS if site is not None else None,
        max_body_size=LARGEST_BODY,
    )


def _webhook_route(webhook: Webhook) -> Route:
    async def hear(request: Request) -> Response:
        # https://core.telegram.org/bots/api#setwebhook
        token = request.headers.get("x-telegram-bot-api-secret-token", "")
        return Response(status_code=await webhook(token, await request.body()))

    return Route(WEBHOOK_PATH, hear, methods=["POST"], max_body_size=LARGEST_UPDATE)


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's, which stops more than this server."""
        yield


class WebServer:
    """Serves the web application from `start` to `stop`."""

    def __init__(self, settings: Web, app: Starlette, listeners: Listeners, grace: int = GRACE_SECONDS) -> None:
        self._settings = settings
        self._listeners = listeners
        self._port = settings.port
        self._serving: asyncio.Task[None] | None = None
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                headers=list(HEADERS.items()),
                timeout_graceful_shutdown=grace,
            )
        )

    @property
    def address(self) -> str:
        """The URL of the first page on this machine, once started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.host, self._settings.host)  # noqa: S104 -- compared
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises WebError when the address may not be used, or is in use."""
        check_bind(self._settings)
        bound = _bind(self._settings)
        self._port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))

    async def stop(self) -> None:
        """Listen no longer. Event streams end; what is being answered is answered, within the seconds of grace."""
        self._listeners.close()
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def _bind(settings: Web) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise WebError(f"port {settings.port} is taken; set [web] port to another one.") from None
        raise WebError(
            f"[web] host {settings.host}, port {settings.port} cannot be listened on ({error.strerror})."
        ) from None
