"""Bad days: an answer is replaced, cut, or never comes."""

import asyncio
import itertools
from contextlib import suppress
from typing import Literal

from aiohttp import web
from lxml import etree

from .atom import ATOM, xml

Fault = Literal[
    "http_429", "http_503", "http_500", "blank", "html", "cut", "cut_clean", "huge", "endless", "entities",
    "stall", "reset", "binary", "short",
]  # fmt: skip
"""`cut` breaks off before the promised length; `cut_clean` is half a document of the right length; `huge` is 50 MB;
`short` is a whole Atom document that has lost the last half of its entries."""


def drop(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def spoil(kind: Fault, request: web.Request, response: web.Response) -> web.StreamResponse | None:
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
        case "short":
            return web.Response(body=_shortened(response.body), content_type=form)
        case "huge":
            return await _pour(request, form, chunks=50)
        case "endless":
            return await _pour(request, form)
        case "stall":
            while request.transport is not None:
                await asyncio.sleep(0.02)
            return None
        case "reset":
            drop(request)
            return None


def _shortened(atom: bytes) -> bytes:
    feed = etree.fromstring(atom)
    entries = feed.findall(f"{{{ATOM}}}entry")
    for entry in entries[len(entries) // 2 :]:
        feed.remove(entry)
    return xml(feed)


def _billion_laughs() -> bytes:
    lols = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE feed [<!ENTITY e0 "ha">{lols}]>'
    return f'<?xml version="1.0"?>{doctype}<feed xmlns="{ATOM}"><title>&e9;</title></feed>'.encode()


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
        await response.write(f'<?xml version="1.0"?><feed xmlns="{ATOM}"><title>'.encode())
        for _ in itertools.count() if chunks is None else range(chunks):
            await response.write(b"many words " * 95_326)
        await response.write(b"</title></feed>")
    return response
