"""The polite client: one request at a time, over one connection, three seconds apart, whoever asks.

arXiv's terms: https://info.arxiv.org/help/api/tou.html (one request every three seconds, a single connection).
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import structlog
from filelock import Timeout

from bot import __version__
from bot.arxiv.machine import machine_turn
from bot.clock import Clock
from bot.metrics import Metrics

SPACING = timedelta(seconds=3)
"""Kept from the end of an answer to the next request, so that delays on the way cannot bring two closer together."""

LARGEST_BODY = 32 * 2**20
"""Bytes. The largest real feed has some 3 MB."""

LONGEST_WAIT = 60.0
"""Seconds for a whole answer."""

log = structlog.get_logger(__name__)


Reason = Literal["no_connection", "no_answer", "broken_off", "busy", "refused", "unreadable"]
"""Why arXiv could not be read, as people are told it: the catalogue has a text for each under `arxiv.`"""


class ArxivError(Exception):
    """arXiv did not give what was asked for: `reason` for people, the text for the log."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class UnreachableError(ArxivError):
    """No usable answer: the network, a time-out, 429 or 5xx. Asking again later may help."""


class RefusedError(ArxivError):
    """arXiv answered that the request makes no sense (4xx)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 with its body, or a 304 without one."""

    unchanged: bool
    body: bytes
    etag: str | None


@cache
def _certificates() -> ssl.SSLContext:
    """Reading them takes some twenty milliseconds: once for all clients of a process."""
    return httpx.create_ssl_context()


SharedTurn = Callable[[], AbstractAsyncContextManager[None]]
"""Waits until no other process asks arXiv or has just asked it; inside, none of them does."""


class ArxivClient:
    """Asks arXiv. A new one rests for one spacing first: a process before it may just have asked.

    `shared_turn` keeps the peace with other machines; `folder`, one for all processes of this one, with those.
    """

    def __init__(
        self,
        contact: str,
        clock: Clock,
        metrics: Metrics,
        shared_turn: SharedTurn = nullcontext,
        folder: Path | None = None,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._folder = folder
        self._shared_turn = shared_turn
        self._turn = asyncio.Lock()
        self.free_at: datetime = clock.now() + SPACING
        is_alone = shared_turn is nullcontext and folder is None
        self._http = httpx.AsyncClient(
            headers={"User-Agent": f"Paperwire/{__version__} (+{contact})"},
            verify=_certificates(),
            # Of several processes only the one whose turn it is has a connection.
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=int(is_alone)),
            timeout=httpx.Timeout(20.0),
            follow_redirects=True,
            max_redirects=1,
        )

    async def get(self, url: str, *, params: dict[str, str] | None = None, etag: str | None = None) -> Answer:
        """One GET, when our turn has come.

        Raises UnreachableError or RefusedError.
        """
        async with self._turn:
            while (wait := (self.free_at - self._clock.now()).total_seconds()) > 0:
                await self._clock.sleep(wait)
            result = "broken_off"
            try:
                answer = await self._in_turn(url, params, etag)
                result = "unchanged" if answer.unchanged else "read"
                return answer
            except ArxivError as error:
                result = error.reason
                raise
            finally:
                self._metrics.arxiv_requests.labels(urlsplit(url).hostname, result).inc()
                self.free_at = self._clock.now() + SPACING

    async def _in_turn(self, url: str, params: dict[str, str] | None, etag: str | None) -> Answer:
        try:
            async with self._shared_turn(), self._machine_turn(url), asyncio.timeout(LONGEST_WAIT):
                return await self._ask(url, params, etag)
        except Timeout as error:
            raise UnreachableError("busy", "another process of this machine keeps asking arXiv") from error
        except httpx.InvalidURL as error:
            raise RefusedError("refused", f"{url} is no URL: {error}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnreachableError(_reason(error), str(error) or type(error).__name__) from error

    def _machine_turn(self, url: str) -> AbstractAsyncContextManager[None]:
        if self._folder is None:
            return nullcontext()
        return machine_turn(self._folder, url, self._clock, SPACING, 2 * LONGEST_WAIT)

    async def _ask(self, url: str, params: dict[str, str] | None, etag: str | None) -> Answer:
        headers = {"If-None-Match": etag} if etag else {}
        async with self._http.stream("GET", url, params=params, headers=headers) as response:
            log.debug("arxiv.asked", url=str(response.url), status=response.status_code)
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return Answer(unchanged=True, body=b"", etag=etag)
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
                raise UnreachableError("busy", f"HTTP {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise UnreachableError("unreadable", f"the answer is larger than {LARGEST_BODY} bytes")
            if response.is_error:
                raise RefusedError("refused", f"HTTP {response.status_code}")
            etag = response.headers.get("ETag", "")
            return Answer(unchanged=False, body=bytes(body), etag=etag if etag.isascii() and etag else None)

    async def close(self) -> None:
        await self._http.aclose()


def _reason(error: Exception) -> Reason:
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return "no_answer"
        case httpx.ConnectError():
            return "no_connection"
        case _:
            return "broken_off"
