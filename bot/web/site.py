"""Site: the web chat as browsers see it: its pages, forms and events."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ExceptionHandler

from bot.chats import Chat
from bot.commands.request import LONGEST_TEXT
from bot.locales import phrases_of
from bot.papers import PaperId
from bot.platforms.webchat.send import Listeners
from bot.platforms.webchat.updates import ForgottenThread, NoSuchThread, TooLong, WebChat
from bot.storage import chats, papers, threads
from bot.storage.database import Database
from bot.storage.threads import Said
from bot.web import pages

MESSAGES_A_PAGE = 100
LONGEST_NAME = 60
_PING_SECONDS = 15


class Site:
    """The web chat's routes.

    `new_thread` makes the chat of a thread's name, or finds it, at the address `slug_of(name)`; `status_line` says in
    a line how things stand for a thread (empty: nothing to say). `look_again`: after how many seconds without word an
    open page looks for messages that another process wrote; None where there is no other.
    """

    def __init__(
        self,
        database: Database,
        listeners: Listeners,
        web_chat: WebChat,
        new_thread: Callable[[str], Awaitable[Chat]],
        status_line: Callable[[Chat], Awaitable[str]],
        look_again: float | None = None,
    ) -> None:
        self._database = database
        self._listeners = listeners
        self._web_chat = web_chat
        self._new_thread = new_thread
        self._status_line = status_line
        self._look_again = look_again

    def routes(self) -> list[BaseRoute]:
        """All that a browser may ask for."""
        return [
            Route("/", self._home),
            Route("/t/{slug}", self._thread),
            Route("/t/{slug}/say", self._say, methods=["POST"]),
            Route("/t/{slug}/press", self._press, methods=["POST"]),
            Route("/t/{slug}/events", self._events),
            Route("/t/{slug}/files/{message}", self._file),
            Route("/threads", self._begin, methods=["POST"]),
            Route("/papers/{paper_id:path}", self._paper),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ]

    async def _home(self, _request: Request) -> Response:
        async with self._database.read() as connection:
            found = await chats.on_platform(connection, "web")
        first = found[0] if found else await self._new_thread(phrases_of("en")("web.first_thread"))
        return _see_other(f"/t/{first.address}")

    async def _begin(self, request: Request) -> Response:
        name = (await _field(request, "name"))[:LONGEST_NAME].strip()
        return _see_other(f"/t/{(await self._new_thread(name)).address}" if name else "/")

    async def _thread(self, request: Request) -> Response:
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

    async def _say(self, request: Request) -> Response:
        thread, text = request.path_params["slug"], (await _field(request, "text")).strip()
        return await self._heard(request, await self._web_chat.say(thread, text) if text else None)

    async def _press(self, request: Request) -> Response:
        thread, action = request.path_params["slug"], await _field(request, "action")
        message = _number((await _field(request, "message")) or None)
        if not action:
            return await self._heard(request, None)
        takes_asides = _by_script(request)
        said = await self._web_chat.press(thread, action, message, takes_asides=takes_asides)
        return PlainTextResponse(said) if isinstance(said, str) else await self._heard(request, said)

    async def _heard(self, request: Request, said: Said | None) -> Response:
        """To a script a message that was replaced, or nothing: what is new comes by itself."""
        thread = request.path_params["slug"]
        if not _by_script(request):
            return _see_other(f"/t/{thread}#m{said.id}" if said else f"/t/{thread}")
        if said is None or said.author == "person":
            return Response(status_code=204)
        async with self._database.read() as connection:
            chat = _in_path(request, await chats.on_platform(connection, "web"))
        return _page(pages.message_element(said, chat))

    async def _events(self, request: Request) -> Response:
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
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._look_again):
                            await news.wait()

    async def _file(self, request: Request) -> Response:
        """To be kept, never to be shown: what stands in it is not ours."""
        message = _number(request.path_params["message"])
        assert message is not None
        async with self._database.read() as connection:
            chat = _in_path(request, await chats.on_platform(connection, "web"))
            found = await threads.file(connection, chat.id, message)
        if found is None:
            raise HTTPException(404)
        name = re.sub(r"[^\w.-]", "_", found.name, flags=re.ASCII)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return PlainTextResponse(found.text, headers=headers)

    async def _paper(self, request: Request) -> Response:
        paper_id = PaperId(request.path_params["paper_id"])
        async with self._database.read() as connection:
            found = await papers.get(connection, [paper_id])
        if paper_id not in found:
            raise HTTPException(404)
        return _page(await asyncio.to_thread(pages.paper_page, found[paper_id]))


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


ERRORS: dict[type[Exception], ExceptionHandler] = {
    HTTPException: _http_error,
    ForgottenThread: lambda request, _: _error(request, 410, "forget.done"),
    NoSuchThread: lambda request, _: _error(request, 404, "web.not_found"),
    TooLong: lambda request, _: _error(request, 400, "error.too_long", count=LONGEST_TEXT),
    Exception: lambda request, _: _error(request, 500, "error.ours"),
}
"""What a browser is shown of each error."""
