"""arXiv as a stub: Atom and RSS feeds, the query API, its politeness rules and its bad days.

The forms were read off real answers of rss.arxiv.org and export.arxiv.org; the rules are those of
https://info.arxiv.org/help/api/tou.html and https://info.arxiv.org/help/rss.html.
"""

import asyncio
import gzip
import hashlib
import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.typedefs import Handler
from lxml import etree
from lxml.builder import ElementMaker

from tests.servers.stub import Now, Stub

Element = etree._Element
Fault = Literal[
    "http_429", "http_503", "http_500", "blank", "html", "cut", "cut_clean", "huge", "endless", "entities",
    "stall", "reset", "binary",
]  # fmt: skip
"""`cut` breaks off before the promised length; `cut_clean` is half a document of the right length; `huge` is 50 MB."""

FEED_LIMIT = 2_000
"""Entries in one feed document, counted over all its categories."""
API_PAGE_LIMIT = 2_000
SECONDS_BETWEEN_REQUESTS = 3.0
TOLERANCE = 0.01

_EASTERN = ZoneInfo("America/New_York")
_ATOM, _ARXIV, _DC = (
    "http://www.w3.org/2005/Atom",
    "http://arxiv.org/schemas/atom",
    "http://purl.org/dc/elements/1.1/",
)
_OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
_FEED_NAMES = {"arxiv": _ARXIV, "dc": _DC, None: _ATOM}
_A = ElementMaker(namespace=_ATOM, nsmap=_FEED_NAMES)
_X = ElementMaker(namespace=_ARXIV, nsmap=_FEED_NAMES)
_D = ElementMaker(namespace=_DC, nsmap=_FEED_NAMES)
_Q = ElementMaker(namespace=_ATOM, nsmap={"opensearch": _OPENSEARCH, "arxiv": _ARXIV, None: _ATOM})
_O = ElementMaker(namespace=_OPENSEARCH, nsmap={"opensearch": _OPENSEARCH})
_R = ElementMaker(nsmap={"arxiv": _ARXIV, "dc": _DC, "atom": _ATOM})

_ANNOUNCE_TYPES = ("new", "cross", "replace", "replace-cross")
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
_ID = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v(?P<version>[1-9]\d*))?")
_LIBRARY_AGENT = re.compile(r"python|aiohttp|feedparser|curl|wget|go-http|java|okhttp", re.I)
_CONTACT = re.compile(r"mailto:|https?://")


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper as a feed announces it: bare `id`, primary category first. Only the API shows `comment`."""

    id: str
    title: str
    abstract: str
    categories: tuple[str, ...]
    announce_type: str = "new"
    authors: tuple[str, ...] = ("Ada Example", "Lin Beispiel")
    version: int = 1
    rights: str = "http://creativecommons.org/licenses/by/4.0/"
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """A feed document that was once served: `built` is aware UTC; `body` unpacks the file at every call."""

    category: str
    built: datetime
    path: Path

    def body(self) -> bytes:
        return gzip.decompress(self.path.read_bytes())


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


def load_captures(folder: Path) -> list[Capture]:
    """The `*.xml.gz` Atom captures of a folder, oldest build first, named by what the documents themselves say."""
    return sorted(map(_capture, folder.glob("*.xml.gz")), key=lambda capture: (capture.built, capture.category))


def _capture(path: Path) -> Capture:
    with gzip.open(path) as packed:
        head = packed.read(2_000).decode(errors="replace")
    category, built = re.findall(r"<id>\S+/atom/(\S+)</id>|<updated>(\S+)</updated>", head)[:2]
    return Capture(category[0], datetime.fromisoformat(built[1]).astimezone(UTC), path)


def atom_feed(category: str, entries: Iterable[Entry], built: float) -> bytes:
    """The document that rss.arxiv.org would have built at that epoch second, in its order and cut at its limit."""
    return _feed([category], built, (_feed_entry(entry, built) for entry in entries))


class ArxivStub(Stub):
    """Serves what was published up to now, writes down every request, and notes each breach of arXiv's rules.

    `known` names the categories that exist; without it: some real ones and whatever was published.
    """

    def __init__(self, known: Collection[str] | None = None, now: Now = time.time, port: int = 0) -> None:
        super().__init__(now, port)
        self.journal: list[Request] = []
        self.violations: list[str] = []
        self.down = False
        """While true, every connection is closed without an answer."""
        self._known = known
        self._builds: dict[str, list[_Build]] = {}
        self._unread: list[_Build] = []
        self._papers: dict[str, tuple[Entry, float]] = {}
        self._served: dict[tuple[str, ...], tuple[tuple[float, ...], bytes]] = {}
        self._faults: deque[Fault] = deque()
        self._answering: list[asyncio.BaseTransport] = []
        self._connections: set[asyncio.BaseTransport] = set()
        self.app.middlewares.append(self._watch)
        self.app.router.add_get("/{form:atom|rss}/{categories}", self._serve_feed)
        self.app.router.add_get("/api/query", self._serve_query)

    def publish(self, category: str, atom: bytes | Callable[[], bytes], built: float) -> None:
        """Serve this document from the epoch second `built` on, until a later one; a callable is read when due."""
        build = _Build(built, atom if callable(atom) else lambda: atom)
        self._builds.setdefault(category, []).append(build)
        self._builds[category].sort(key=lambda one: one.built)
        self._unread.append(build)
        self._served.clear()

    def add_paper(self, entry: Entry) -> None:
        """Make the API know a paper, whether or not a feed announces it."""
        self._learn(entry, self.now())

    def fail_next(self, kind: Fault, times: int = 1) -> None:
        """Answer the next requests badly, in the order of the calls. Raises ValueError for an unknown kind."""
        if kind not in get_args(Fault):
            raise ValueError(kind)
        self._faults.extend([kind] * times)

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
            _drop(request)
            return None
        try:
            response = await handler(request)
        except web.HTTPException as refused:
            return refused
        assert isinstance(response, web.Response)
        if self._faults:
            return await _spoil(self._faults.popleft(), request, response)
        return response if _changed(request, response) else web.Response(status=304, headers=_validators(response))

    async def _serve_feed(self, request: web.Request) -> web.Response:
        form, names = request.match_info["form"], tuple(request.match_info["categories"].split("+"))
        bad = [name for name in names if not self._exists(name)]
        if bad:
            address = f"http://rss.arxiv.org/{form}/{'+'.join(names)}"
            title, why = f"Feed error for query: {address}", f"There is no archive or category '{bad[0]}'."
            status, built, body = 400, self.now(), _feed(names, self.now(), (), title, why)
        else:
            status, builds = 200, [self._latest(name) for name in names]
            built, body = max(build.built for build in builds), self._merged(names, builds)
        response = web.Response(
            status=status,
            body=body if form == "atom" else _rss(body),
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
        due = [build for build in self._builds.get(category, ()) if build.built <= self.now()]
        if due:
            return due[-1]
        midnight = _announcement_day(self.now()).timestamp()
        return _Build(midnight, lambda: _feed([category], midnight, ()))

    def _merged(self, names: tuple[str, ...], builds: Sequence[_Build]) -> bytes:
        version = tuple(build.built for build in builds)
        if self._served.get(names, ((), b""))[0] != version:
            bodies = [build.body() for build in builds]
            # One category is served byte for byte as published: a test may have published nonsense.
            merged = (
                _feed(names, max(version), itertools.chain.from_iterable(map(_entries, bodies)))
                if len(bodies) > 1
                else bodies[0]
            )
            self._served[names] = (version, merged)
        return self._served[names][1]

    async def _serve_query(self, request: web.Request) -> web.Response:
        query = request.query
        wanted = [one.strip() for one in query.get("id_list", "").split(",") if one.strip()]
        if bad := [one for one in wanted if not _ID.fullmatch(one)]:
            return self._query_error(f"incorrect id format for {bad[0]}")
        try:
            start, size = int(query.get("start", "0")), int(query.get("max_results", "10"))
        except ValueError:
            return self._query_error("start and max_results must be integers")
        if min(start, size) < 0:
            return self._query_error("start and max_results must be non-negative")
        self._read_feeds()
        search = query.get("search_query", "")
        found = [self._papers[bare] for bare in sorted(self._papers, reverse=True)] if search else []
        if wanted:
            found = [paper for one in wanted if (paper := self._paper(one))]
        if categories := set(re.findall(r"\bcat:([\w.-]+)", search)):
            found = [(entry, at) for entry, at in found if categories & set(entry.categories)]
        page = found[start : start + min(size, API_PAGE_LIMIT)]
        asked = f"search_query={search}&id_list={','.join(wanted)}&start={start}&max_results={size}"
        key = hashlib.sha256(asked.encode()).hexdigest()[:27]
        feed = _query_feed(f"https://arxiv.org/api/{key}", f"arXiv Query: {asked}", self.now(), size, len(found), start)
        feed.extend(_query_entry(entry, at) for entry, at in page)
        return web.Response(body=_xml(feed), content_type="application/atom+xml", charset="utf-8")

    def _query_error(self, why: str) -> web.Response:
        about = f"https://arxiv.org/api/errors#{why.replace(' ', '_')}"
        feed = _query_feed("https://arxiv.org/", "arXiv Search Results", self.now(), 1, 1, 0)
        feed.append(
            _Q.entry(
                _Q.id(about),
                _Q.title("Error"),
                _Q.updated(_z(self.now())),
                _Q.link(href=about, rel="alternate", type="text/html"),
                _Q.summary(why),
                _Q.author(_Q.name("arXiv api core")),
            )
        )
        return web.Response(status=400, body=_xml(feed), content_type="application/atom+xml", charset="utf-8")

    def _paper(self, asked: str) -> tuple[Entry, float] | None:
        match = _ID.fullmatch(asked)
        assert match is not None
        entry, at = self._papers.get(match["id"], (None, 0.0))
        version = int(match["version"] or 0)
        if entry is None or version > entry.version:
            return None
        return replace(entry, version=version or entry.version), at

    def _read_feeds(self) -> None:
        due = [build for build in self._unread if build.built <= self.now()]
        self._unread = [build for build in self._unread if build not in due]
        for build in due:
            with suppress(etree.XMLSyntaxError, ValueError):
                for element in _entries(build.body()):
                    self._learn(_read_entry(element), build.built)

    def _learn(self, entry: Entry, at: float) -> None:
        known = self._papers.get(entry.id)
        if known is None or entry.version >= known[0].version:
            comment = entry.comment or (known[0].comment if known else None)
            self._papers[entry.id] = (replace(entry, comment=comment), at)


def _announcement_day(built: float) -> datetime:
    return datetime.fromtimestamp(built, _EASTERN).replace(hour=0, minute=0, second=0, microsecond=0)


def _z(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(root: Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _text(element: Element, tag: str) -> str:
    return str(element.findtext(tag, ""))


def _entries(atom: bytes) -> list[Element]:
    return list(etree.fromstring(atom, etree.XMLParser(remove_blank_text=True)).iterfind(f"{{{_ATOM}}}entry"))


def _feed(names: Sequence[str], built: float, entries: Iterable[Element], title: str = "", subtitle: str = "") -> bytes:
    address, label = f"http://rss.arxiv.org/atom/{'+'.join(names)}", ", ".join(names)
    feed = _A.feed(
        _A.id(address),
        _A.title(title or f"{label} updates on arXiv.org"),
        _A.updated(datetime.fromtimestamp(built, UTC).isoformat(timespec="microseconds")),
        _A.link(href=address, rel="self", type="application/atom+xml"),
        _A.subtitle(subtitle or f"{label} updates on the arXiv.org e-print archive."),
    )
    feed.set("{http://www.w3.org/XML/1998/namespace}lang", "en-us")
    once: dict[str, Element] = {}
    for entry in sorted(entries, key=_place):
        once.setdefault(_text(entry, f"{{{_ATOM}}}id"), entry)
    feed.extend(list(once.values())[:FEED_LIMIT])
    return _xml(feed)


def _place(entry: Element) -> tuple[int, str]:
    kind = _text(entry, f"{{{_ARXIV}}}announce_type")
    return _ANNOUNCE_TYPES.index(kind), _text(entry, f"{{{_ATOM}}}id")


def _feed_entry(entry: Entry, built: float) -> Element:
    name = f"{entry.id}v{entry.version}"
    return _A.entry(
        _A.id(f"oai:arXiv.org:{name}"),
        _A.title(entry.title),
        _A.updated(datetime.fromtimestamp(built, UTC).isoformat(timespec="microseconds")),
        _A.link(href=f"https://arxiv.org/abs/{entry.id}", rel="alternate", type="text/html"),
        _A.summary(f"arXiv:{name} Announce Type: {entry.announce_type} \nAbstract: {entry.abstract}"),
        *(_A.category(term=category) for category in entry.categories),
        _A.published(_announcement_day(built).isoformat()),
        _X.announce_type(entry.announce_type),
        _D.rights(entry.rights),
        _D.creator(", ".join(entry.authors)),
    )


def _read_entry(element: Element) -> Entry:
    bare, version = _text(element, f"{{{_ATOM}}}id").removeprefix("oai:arXiv.org:").rsplit("v", 1)
    return Entry(
        id=bare,
        title=_text(element, f"{{{_ATOM}}}title"),
        abstract=_text(element, f"{{{_ATOM}}}summary").partition("\nAbstract: ")[2],
        categories=tuple(one.get("term") for one in element.iterfind(f"{{{_ATOM}}}category")),
        announce_type=_text(element, f"{{{_ARXIV}}}announce_type"),
        authors=tuple(_text(element, f"{{{_DC}}}creator").split(", ")),
        version=int(version),
        rights=_text(element, f"{{{_DC}}}rights"),
    )


def _rss(atom: bytes) -> bytes:
    feed = etree.fromstring(atom)
    address = _text(feed, f"{{{_ATOM}}}id").replace("/atom/", "/rss/")
    built = datetime.fromisoformat(_text(feed, f"{{{_ATOM}}}updated"))
    day = format_datetime(_announcement_day(built.timestamp()))
    channel = _R.channel(
        _R.title(_text(feed, f"{{{_ATOM}}}title")),
        _R.link(address),
        _R.description(_text(feed, f"{{{_ATOM}}}subtitle")),
        _R.docs("http://www.rssboard.org/rss-specification"),
        _R.language("en-us"),
        _R.lastBuildDate(format_datetime(built)),
        _R.pubDate(day),
        _R.skipDays(_R.day("Saturday"), _R.day("Sunday")),
    )
    for entry in _entries(atom):
        facts = _read_entry(entry)
        channel.append(
            _R.item(
                _R.title(facts.title),
                _R.link(f"https://arxiv.org/abs/{facts.id}"),
                _R.description(_text(entry, f"{{{_ATOM}}}summary")),
                _R.guid(_text(entry, f"{{{_ATOM}}}id"), isPermaLink="false"),
                *(_R.category(category) for category in facts.categories),
                _R.pubDate(day),
                _X.announce_type(facts.announce_type),
                _D.rights(facts.rights),
                _D.creator(", ".join(facts.authors)),
            )
        )
    return _xml(_R.rss(channel, version="2.0"))


def _query_feed(address: str, title: str, at: float, size: int, total: int, start: int) -> Element:
    return _Q.feed(
        _Q.id(address),
        _Q.title(title),
        _Q.updated(_z(at)),
        _O.itemsPerPage(str(size)),
        _O.totalResults(str(total)),
        _O.startIndex(str(start)),
    )


def _query_entry(entry: Entry, at: float) -> Element:
    name = f"{entry.id}v{entry.version}"
    return _Q.entry(
        _Q.id(f"http://arxiv.org/abs/{name}"),
        _Q.title(entry.title),
        _Q.updated(_z(at)),
        _Q.link(href=f"https://arxiv.org/abs/{name}", rel="alternate", type="text/html"),
        _Q.link(href=f"https://arxiv.org/pdf/{name}", rel="related", type="application/pdf", title="pdf"),
        _Q.summary(entry.abstract),
        *(_Q.category(term=category, scheme=_ARXIV) for category in entry.categories),
        _Q.published(_z(at)),
        *([_X.comment(entry.comment)] if entry.comment else []),
        _X.primary_category(term=entry.categories[0]),
        *(_Q.author(_Q.name(author)) for author in entry.authors),
    )


def _changed(request: web.Request, response: web.Response) -> bool:
    if response.status != 200 or response.etag is None or response.last_modified is None:
        return True
    if request.if_none_match is not None:
        return all(tag.value not in (response.etag.value, "*") for tag in request.if_none_match)
    return request.if_modified_since is None or response.last_modified > request.if_modified_since


def _validators(response: web.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in ("ETag", "Last-Modified")}


def _drop(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def _spoil(kind: Fault, request: web.Request, response: web.Response) -> web.StreamResponse | None:
    assert isinstance(response.body, bytes)
    half = response.body[: len(response.body) // 2]
    form = response.content_type
    match kind:
        case "http_429":
            return web.Response(status=429, text="Rate exceeded.")
        case "http_503" | "http_500":
            status = int(kind.removeprefix("http_"))
            page = f"<html><body><h1>Error {status}</h1></body></html>"
            return web.Response(status=status, text=page, content_type="text/html")
        case "blank":
            return web.Response(content_type=form)
        case "html":
            page = "<!DOCTYPE html><html><body>Down for maintenance.</body></html>"
            return web.Response(text=page, content_type="text/html")
        case "binary":
            return web.Response(body=bytes(range(256)) * 64, content_type=form)
        case "entities":
            return web.Response(body=_billion_laughs(), content_type=form)
        case "cut_clean":
            return web.Response(body=half, content_type=form)
        case "cut":
            return await _cut(request, half, promised=len(response.body), form=form)
        case "huge":
            return await _pour(request, form, chunks=50)
        case "endless":
            return await _pour(request, form)
        case "stall":
            while request.transport is not None:
                await asyncio.sleep(0.02)
            return None
        case "reset":
            _drop(request)
            return None


def _billion_laughs() -> bytes:
    lols = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE feed [<!ENTITY e0 "ha">{lols}]>'
    return f'<?xml version="1.0"?>{doctype}<feed xmlns="{_ATOM}"><title>&e9;</title></feed>'.encode()


async def _cut(request: web.Request, half: bytes, promised: int, form: str) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type, response.content_length = form, promised
    await response.prepare(request)
    await response.write(half)
    assert request.transport is not None
    request.transport.close()
    return response


async def _pour(request: web.Request, form: str, chunks: int | None = None) -> web.StreamResponse:
    """Megabytes of a feed with one immense title; without an end unless the number of chunks is given."""
    response = web.StreamResponse()
    response.content_type = form
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(f'<?xml version="1.0"?><feed xmlns="{_ATOM}"><title>'.encode())
        for _ in itertools.count() if chunks is None else range(chunks):
            await response.write(b"many words " * 95_326)
        await response.write(b"</title></feed>")
    return response
