"""The server: what is served when, every request written down, and each breach of arXiv's rules noted."""

import asyncio
import hashlib
import itertools
import re
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import get_args

from aiohttp import web
from aiohttp.typedefs import Handler
from lxml import etree

from tests.servers.stub import Now, Stub

from . import listing, query
from .atom import announcement_day, entries_of, feed_document, read_entry, rss
from .faults import Fault, drop, spoil
from .oai import Oai
from .papers import Entry, Papers

SECONDS_BETWEEN_REQUESTS = 3.0
TOLERANCE = 0.01

_SOME_CATEGORIES = {
    *("cs", "cs.AI", "cs.CL", "cs.CR", "cs.CV", "cs.DC", "cs.HC", "cs.IR", "cs.IT", "cs.LG", "cs.MA", "cs.NE", "cs.RO"),
    *(
        "cs.SD",
        "cs.SE",
        "astro-ph",
        "astro-ph.CO",
        "cond-mat",
        "econ.EM",
        "eess.IV",
        "eess.SP",
        "gr-qc",
        "hep-th",
        "math",
    ),
    *("math.IT", "math.NT", "math.PR", "physics.optics", "q-bio.NC", "q-fin.ST", "quant-ph", "stat", "stat.ML"),
}
_LIBRARY_AGENT = re.compile(r"python|aiohttp|feedparser|curl|wget|go-http|java|okhttp", re.I)
_CONTACT = re.compile(r"mailto:|https?://")


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked and got; `at` in the stub's seconds, `status` 0 while (or if never) answered."""

    at: float
    method: str
    path: str
    query: str
    user_agent: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class _Build:
    built: float
    body: Callable[[], bytes]


def _built_at(build: _Build) -> float:
    return build.built


@dataclass(frozen=True, slots=True, eq=False)
class _Listing:
    at: float
    day: date
    entries: tuple[Entry, ...]


class ArxivStub(Stub):
    """Serves what was published up to now, writes down every request, and notes each breach of arXiv's rules.

    `known` names the categories that exist; without it: some real ones and whatever was published. The API and OAI-PMH
    know what stood in a feed, and with `only_added` nothing but what was added.
    """

    def __init__(
        self,
        known: Collection[str] | None = None,
        now: Now = time.time,
        port: int = 0,
        *,
        only_added: bool = False,
    ) -> None:
        super().__init__(now, port)
        self._only_added = only_added
        self.journal: list[Request] = []
        self.violations: list[str] = []
        self.down = False
        """While true, every connection is closed without an answer."""
        self.down_paths: tuple[str, ...] = ()
        """What begins so is answered with 503: `("/oai", "/api")` leaves the feeds and the listings."""
        self.index_lag_hours = 0.0
        """The API finds no paper that the stub first heard of less than this ago."""
        self.listing_page_size = 2_000
        self._papers = Papers()
        self.oai = Oai(self._papers, self._exists)
        self._known = known
        self._builds: dict[str, list[_Build]] = {}
        self._unread: list[_Build] = []
        self._listings: dict[str, list[_Listing]] = {}
        self._served: dict[tuple[str, ...], tuple[tuple[float, ...], bytes]] = {}
        self._faults: deque[Fault | None] = deque()
        self._answering: list[asyncio.BaseTransport] = []
        self._connections: set[asyncio.BaseTransport] = set()
        self.app.middlewares.append(self._watch)
        self.app.router.add_get("/{form:atom|rss}/{categories}", self._serve_feed)
        self.app.router.add_get("/api/query", self._serve_query)
        self.app.router.add_get("/oai", self._serve_oai)
        self.app.router.add_get("/list/{category}/new", self._serve_listing)

    def publish(self, category: str, atom: bytes | Callable[[], bytes], built: float) -> None:
        """Serve this document from the epoch second `built` on, until a later one; a callable is read when due."""
        build = _Build(built, atom if callable(atom) else lambda: atom)
        self._builds.setdefault(category, []).append(build)
        self._builds[category].sort(key=_built_at)
        if not self._only_added:
            self._unread.append(build)
        self._served.clear()

    def add_paper(self, entry: Entry, at: float | None = None) -> None:
        """Make the API and OAI-PMH know a paper, since `at` or now, whether or not a feed announces it."""
        self._papers.learn(entry, self.now() if at is None else at)

    def publish_listing(self, category: str, day: date, entries: Iterable[Entry], at: float) -> None:
        """Show this as the category's new listings from the epoch second `at` on, whatever its feed says.

        A category without any shows what its feed announced last.
        """
        self._listings.setdefault(category, []).append(_Listing(at, day, tuple(entries)))
        self._listings[category].sort(key=lambda one: one.at)

    def fail_next(self, kind: Fault, times: int = 1, after: int = 0) -> None:
        """Answer the next requests badly, in the order of the calls, but so many well before that.

        Raises ValueError for an unknown kind.
        """
        if kind not in get_args(Fault):
            raise ValueError(kind)
        self._faults.extend([None] * after + [kind] * times)

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        number = len(self.journal)
        agent = request.headers.get("User-Agent", "")
        self.journal.append(Request(self.now(), request.method, request.path, request.query_string, agent))
        self.violations += self._breaches(request, number)
        assert request.transport is not None
        transport = request.transport
        self._answering.append(transport)
        try:
            response = await self._answer(request, handler)
            if response is None:
                return web.Response()
            self.journal[number] = replace(self.journal[number], status=response.status)
            # Sent here rather than by aiohttp, so that a request overlaps until its last byte has left.
            with suppress(ConnectionError):
                await response.prepare(request)
                await response.write_eof()
            return response
        finally:
            self._answering.remove(transport)

    def _breaches(self, request: web.Request, number: int) -> Iterable[str]:
        asked = self.journal[number]
        name = f"{asked.path} at {asked.at:.3f}"
        if number and (gap := asked.at - self.journal[number - 1].at) < SECONDS_BETWEEN_REQUESTS - TOLERANCE:
            yield f"{name}: only {gap:.3f} s after the request before"
        if not all(one.is_closing() for one in self._answering):
            yield f"{name}: overlaps another request"
        assert request.transport is not None
        self._connections = {one for one in self._connections if not one.is_closing()} | {request.transport}
        if len(self._connections) > 1:
            yield f"{name}: {len(self._connections)} connections are open"
        if _LIBRARY_AGENT.match(asked.user_agent) or not _CONTACT.search(asked.user_agent):
            yield f"{name}: User-Agent {asked.user_agent!r} names no project and contact"

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse | None:
        if self.down:
            drop(request)
            return None
        if request.path.startswith(self.down_paths):
            return web.Response(status=503, text="Error 503")
        try:
            response = await handler(request)
        except web.HTTPException as refused:
            return refused
        assert isinstance(response, web.Response)
        if self._faults and (fault := self._faults.popleft()):
            return await spoil(fault, request, response)
        return response if _changed(request, response) else web.Response(status=304, headers=_validators(response))

    async def _serve_feed(self, request: web.Request) -> web.Response:
        form, names = request.match_info["form"], tuple(request.match_info["categories"].split("+"))
        bad = [name for name in names if not self._exists(name)]
        if bad:
            address = f"http://rss.arxiv.org/{form}/{'+'.join(names)}"
            title, why = f"Feed error for query: {address}", f"There is no archive or category '{bad[0]}'."
            status, built, body = 400, self.now(), feed_document(names, self.now(), (), title, why)
        else:
            status, builds = 200, [self._latest(name) for name in names]
            built, body = max(build.built for build in builds), self._merged(names, builds)
        response = web.Response(
            status=status,
            body=body if form == "atom" else rss(body),
            content_type=f"application/{form}+xml",
            charset="utf-8",
        )
        response.etag = hashlib.sha256(b"%f" % built + body).hexdigest()[:32]
        response.last_modified = built
        return response

    def _exists(self, category: str) -> bool:
        if self._known is not None:
            return category in self._known
        return category in self._builds or category in _SOME_CATEGORIES

    def _latest(self, category: str) -> _Build:
        builds = self._builds.get(category, [])
        if due := bisect_right(builds, self.now(), key=_built_at):
            return builds[due - 1]
        midnight = announcement_day(self.now()).timestamp()
        return _Build(midnight, lambda: feed_document([category], midnight, ()))

    def _merged(self, names: tuple[str, ...], builds: Sequence[_Build]) -> bytes:
        version = tuple(build.built for build in builds)
        if self._served.get(names, ((), b""))[0] != version:
            bodies = [build.body() for build in builds]
            # One category is served byte for byte as published: a test may have published nonsense.
            merged = bodies[0] if len(bodies) == 1 else _together(names, max(version), bodies)
            self._served[names] = (version, merged)
        return self._served[names][1]

    async def _serve_query(self, request: web.Request) -> web.Response:
        self._read_feeds()
        now, status = self.now(), 200
        try:
            body = query.answer(request.query, self._papers, now, now - self.index_lag_hours * 3600)
        except query.QueryError as error:
            status, body = 400, query.refusal(str(error), now)
        return web.Response(status=status, body=body, content_type="application/atom+xml", charset="utf-8")

    async def _serve_oai(self, request: web.Request) -> web.Response:
        self._read_feeds()
        body = self.oai.answer(request.query, self.now())
        return web.Response(body=body, content_type="text/xml", charset="utf-8")

    async def _serve_listing(self, request: web.Request) -> web.Response:
        category = request.match_info["category"]
        if not self._exists(category):
            return web.Response(status=400, text="<!DOCTYPE html><html><body>Bad Request</body></html>")
        skip, show = (request.query.get(name, "") for name in ("skip", "show"))
        size = min(int(show), self.listing_page_size) if show.isdigit() else self.listing_page_size
        latest = self._latest_listing(category)
        page = _page(category, latest, int(skip) if skip.isdigit() else 0, size)
        return web.Response(text=page, content_type="text/html")

    def _latest_listing(self, category: str) -> _Listing:
        due = [one for one in self._listings.get(category, ()) if one.at <= self.now()]
        if due:
            return due[-1]
        for build in reversed(self._builds.get(category, ())):
            if build.built <= self.now():
                with suppress(etree.XMLSyntaxError, ValueError):
                    if entries := tuple(map(read_entry, entries_of(build.body()))):
                        return _Listing(build.built, announcement_day(build.built).date(), entries)
        return _Listing(self.now(), announcement_day(self.now()).date(), ())

    def _read_feeds(self) -> None:
        due = [build for build in self._unread if build.built <= self.now()]
        self._unread = [build for build in self._unread if build not in due]
        for build in due:
            with suppress(etree.XMLSyntaxError, ValueError):
                for element in entries_of(build.body()):
                    self._papers.learn(read_entry(element), build.built)


@lru_cache(64)
def _page(category: str, latest: _Listing, skip: int, size: int) -> str:
    return listing.page(category, latest.day, latest.entries, skip, size)


def _together(names: tuple[str, ...], built: float, bodies: Sequence[bytes]) -> bytes:
    try:
        return feed_document(names, built, itertools.chain.from_iterable(map(entries_of, bodies)))
    except etree.XMLSyntaxError:
        return b"".join(bodies)  # nonsense among them makes nonsense of the whole


def _changed(request: web.Request, response: web.Response) -> bool:
    if response.status != 200 or response.etag is None or response.last_modified is None:
        return True
    if request.if_none_match is not None:
        return all(tag.value not in (response.etag.value, "*") for tag in request.if_none_match)
    return request.if_modified_since is None or response.last_modified > request.if_modified_since


def _validators(response: web.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in ("ETag", "Last-Modified")}
