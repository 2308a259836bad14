"""Server: the routes of the web chat, and the uvicorn server that listens for them."""

import asyncio
import errno
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.chats import Chat
from bot.commands.request import LONGEST_TEXT
from bot.config import Web
from bot.locales import phrases_of
from bot.papers import PaperId
from bot.platforms.webchat.send import Listeners
from bot.platforms.webchat.updates import NoSuchThread, TooLong, WebChat
from bot.storage import chats, papers, threads
from bot.storage.database import Database
from bot.storage.threads import Said
from bot.web import pages
from bot.web.security import HEADERS, LARGEST_BODY, Guard, WebError, check_bind

MESSAGES_A_PAGE = 100
LONGEST_NAME = 60
_PING_SECONDS = 15
_GRACE_SECONDS = 5


class _Site:
    def __init__(
        self,
        database: Database,
        listeners: Listeners,
        web_chat: WebChat,
        new_thread: Callable[[str], Awaitable[Chat]],
        status_line: Callable[[Chat], Awaitable[str]],
    ) -> None:
        self._database = database
        self._listeners = listeners
        self._web_chat = web_chat
        self._new_thread = new_thread
        self._status_line = status_line

    async def home(self, _request: Request) -> Response:
        async with self._database.read() as connection:
            found = await chats.on_platform(connection, "web")
        first = found[0] if found else await self._new_thread(phrases_of("en")("web.first_thread"))
        return _see_other(f"/t/{first.address}")

    async def begin(self, request: Request) -> Response:
        name = (await _field(request, "name"))[:LONGEST_NAME].strip()
        return _see_other(f"/t/{(await self._new_thread(name)).address}" if name else "/")

    async def thread(self, request: Request) -> Response:
        before = _number(request.query_params.get("before"))
        async with self._database.read() as connection:
            all_threads = await chats.on_platform(connection, "web")
            chat = _in_path(request, all_threads)
            found = await threads.tail(connection, chat.id, MESSAGES_A_PAGE + 1, before)
        said, has_older = found[-MESSAGES_A_PAGE:], len(found) > MESSAGES_A_PAGE
        if before is not None:
            return _page(pages.older_page(all_threads, chat, said, has_older=has_older))
        status = await self._status_line(chat)
        return _page(pages.thread_page(all_threads, chat, said, status, has_older=has_older))

    async def say(self, request: Request) -> Response:
        text = (await _field(request, "text")).strip()
        return await self._heard(request, self._web_chat.say, text)

    async def press(self, request: Request) -> Response:
        return await self._heard(request, self._web_chat.press, await _field(request, "action"))

    async def _heard(self, request: Request, hear: Callable[[str, str], Awaitable[Said]], words: str) -> Response:
        thread = request.path_params["slug"]
        anchor = f"#m{(await hear(thread, words)).id}" if words else ""
        return Response(status_code=204) if _by_script(request) else _see_other(f"/t/{thread}{anchor}")

    async def events(self, request: Request) -> Response:
        async with self._database.read() as connection:
            chat = _in_path(request, await chats.on_platform(connection, "web"))
        last_id = _number(request.headers.get("last-event-id") or request.query_params.get("after")) or 0
        return EventSourceResponse(self._messages(chat, last_id), ping=_PING_SECONDS)

    async def _messages(self, chat: Chat, last_id: int) -> AsyncIterator[ServerSentEvent]:
        with self._listeners.listening(chat.id) as news:
            while not self._listeners.closed:
                news.clear()
                async with self._database.read() as connection:
                    fresh = await threads.after(connection, chat.id, last_id)
                for said in fresh:
                    last_id = said.id
                    html = pages.message_element(said, chat)
                    yield ServerSentEvent(html, id=str(said.id), event="message")
                if not fresh:
                    await news.wait()

    async def paper(self, request: Request) -> Response:
        paper_id = PaperId(request.path_params["paper_id"])
        async with self._database.read() as connection:
            found = await papers.get(connection, [paper_id])
        if paper_id not in found:
            raise HTTPException(404)
        return _page(pages.paper_page(found[paper_id]))


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def build_web(
    settings: Web,
    database: Database,
    listeners: Listeners,
    web_chat: WebChat,
    new_thread: Callable[[str], Awaitable[Chat]],
    status_line: Callable[[Chat], Awaitable[str]],
) -> Starlette:
    """The web application.

    `new_thread` makes the chat of a thread's name, or finds it, at the address `slug_of(name)`; `status_line` says in
    a line how things stand for a thread (empty: nothing to say).
    """
    site = _Site(database, listeners, web_chat, new_thread, status_line)
    return Starlette(
        routes=[
            Route("/", site.home),
            Route("/t/{slug}", site.thread),
            Route("/t/{slug}/say", site.say, methods=["POST"]),
            Route("/t/{slug}/press", site.press, methods=["POST"]),
            Route("/t/{slug}/events", site.events),
            Route("/threads", site.begin, methods=["POST"]),
            Route("/papers/{paper_id:path}", site.paper),
            Route("/healthz", _health),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={
            HTTPException: _http_error,
            NoSuchThread: lambda request, _: _error(request, 404, "web.not_found"),
            TooLong: lambda request, _: _error(request, 400, "error.too_long", count=LONGEST_TEXT),
            Exception: lambda request, _: _error(request, 500, "error.ours"),
        },
        max_body_size=LARGEST_BODY,
    )


def _page(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def _see_other(path: str) -> Response:
    return RedirectResponse(path, 303)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _error(request, 404, "web.not_found")
    return PlainTextResponse(error.detail, error.status_code, error.headers)


def _error(request: Request, status: int, key: str, **values: object) -> Response:
    text = phrases_of("en")(key, **values)
    return PlainTextResponse(text, status) if _by_script(request) else _page(pages.error_page(text), status)


def _by_script(request: Request) -> bool:
    return request.headers.get("x-requested-with") == "fetch"


def _in_path(request: Request, all_threads: list[Chat]) -> Chat:
    for chat in all_threads:
        if chat.address == request.path_params["slug"]:
            return chat
    raise HTTPException(404)


def _number(text: str | None) -> int | None:
    """A message id in a URL. Raises HTTPException 400 for what SQLite could not hold either."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise HTTPException(400)
    return int(text)


async def _field(request: Request, name: str) -> str:
    value = (await request.form(max_files=0)).get(name, "")
    return value if isinstance(value, str) else ""


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's, which stops more than this server."""
        yield


class WebServer:
    """Serves the web application from `start` to `stop`."""

    def __init__(self, settings: Web, app: Starlette, listeners: Listeners) -> None:
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
                timeout_graceful_shutdown=_GRACE_SECONDS,
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
        """Listen no longer; what is being answered is answered."""
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
