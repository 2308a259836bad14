"""A publisher of translation models: records as Mozilla's Remote Settings gives them, files with Range, and a mirror.

Form of the records, and of the files' addresses: https://remote-settings.readthedocs.io/en/latest/client-specifications.html
Ranges: https://www.rfc-editor.org/rfc/rfc9110#section-14
"""

import asyncio
import gzip
import hashlib
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from tests.servers.stub import Stub

Fault = Literal["cut", "stall", "html", "other bytes", "404", "500"]
"""What becomes of one request; `cut` and `stall` come after half of the body."""


def packed(content: bytes, packing: str) -> bytes:
    """A file as it travels: `.zst`, `.gz`, or as it is."""
    if packing == ".gz":
        return gzip.compress(content, mtime=0)
    return zstd(content) if packing == ".zst" else content


def zstd(content: bytes) -> bytes:
    """A frame of Zstandard that stores its content: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1"""
    frame = [b"\x28\xb5\x2f\xfd\xa0", struct.pack("<I", len(content))]
    step = 2**17
    for start in range(0, max(len(content), 1), step):
        block = content[start : start + step]
        is_last = start + step >= len(content)
        frame += [struct.pack("<I", len(block) << 3 | is_last)[:3], block]
    return b"".join(frame)


@dataclass
class Request:
    """One that came: its path, and what it asked of the file."""

    path: str
    part: str | None


@dataclass
class Published:
    """What there is: bodies by path, and the records that name them."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)


class ModelsStub(Stub):
    """Serves what was published. `faults` are used up, the first at a path's first request."""

    def __init__(self) -> None:
        super().__init__()
        self.published = Published()
        self.faults: dict[str, list[Fault]] = {}
        self.has_parts = True
        self.requests: list[Request] = []
        self.half_way = asyncio.Event()
        """Set when half of a body has left, before a stall."""
        self.app.router.add_get("/records", self._records)
        self.app.router.add_get("/{path:.*}", self._file)

    @property
    def records_url(self) -> str:
        return f"{self.url}/records"

    @property
    def files_url(self) -> str:
        return f"{self.url}/files"

    def publish(self, folder: Path, to: str = "zh", version: str = "3.0", packing: str = ".zst", **other: Any) -> None:
        """The files of a folder as a model from English; further fields go into each record (None: left out)."""
        for path in sorted(folder.glob("*.[bs][ip][nm]")):
            content = path.read_bytes()
            body = packed(content, packing)
            location = f"main/{to}-{version}-{path.name}{packing}"
            self.published.bodies[f"/files/{location}"] = body
            attachment = {"location": location, "hash": hashlib.sha256(body).hexdigest(), "size": len(body)}
            record = {
                "name": path.name,
                "fileType": path.name.split(".")[0],
                "sourceLanguage": "en",
                "targetLanguage": to,
                "version": version,
                "architecture": "base-memory",
                "decompressedHash": hashlib.sha256(content).hexdigest(),
                "decompressedSize": len(content),
                "attachment": attachment,
            }
            merged = record | other
            self.published.records.append({key: value for key, value in merged.items() if value is not None})

    def mirror(self, folder: Path, under: str = "/mirror/en-zh") -> str:
        """A copy of a folder; the address for `[translation] mirror`."""
        self.published.bodies |= {f"{under}/{path.name}": path.read_bytes() for path in folder.iterdir()}
        return f"{self.url}{under.rpartition('/')[0]}"

    def path_of(self, name: str) -> str:
        """Where the file of this name is, whichever version."""
        return next(path for path in self.published.bodies if name in path)

    async def _records(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(Request(request.path, None))
        fault = self._fault(request.path)
        if fault in ("404", "500"):
            return web.Response(status=int(fault))
        if fault == "html":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        return web.json_response({"data": self.published.records})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        part = request.headers.get("Range")
        self.requests.append(Request(request.path, part))
        body = self.published.bodies.get(request.path)
        fault = self._fault(request.path)
        if fault == "html":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if body is None or fault in ("404", "500"):
            return web.Response(status=500 if fault == "500" else 404)
        if fault == "other bytes":
            body = bytes(len(body))
        return await self._answer(request, body, part, fault)

    async def _answer(
        self, request: web.Request, body: bytes, part: str | None, fault: Fault | None
    ) -> web.StreamResponse:
        start, headers, status = 0, {"Content-Type": "application/octet-stream"}, 200
        if self.has_parts and part and (asked := re.fullmatch(r"bytes=(\d+)-", part)):
            start, status = int(asked[1]), 206
            if start >= len(body):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body) - start
        await response.prepare(request)
        middle = start + (len(body) - start) // 2
        await response.write(body[start:middle])
        if fault in ("cut", "stall"):
            self.half_way.set()
            if fault == "stall":
                await asyncio.Event().wait()
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(body[middle:])
        return response

    def _fault(self, path: str) -> Fault | None:
        waiting = self.faults.get(path)
        return waiting.pop(0) if waiting else None
