"""The wire: python-telegram-bot's requests through aiohttp, which keeps its speed with many of them in flight."""

import json
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

CONNECT_TIMEOUT, WRITE_TIMEOUT = 5.0, 20.0
READ_TIMEOUT = 25.0
"""Seconds. Long, since a message whose answer we do not wait for may have been sent."""
_JSON = {"Content-Type": "application/json"}

NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
"""What causes (`__cause__`) a NetworkError whose request certainly reached nobody. Of all others it may have."""


class AiohttpRequest(BaseRequest):
    """A drop-in for HTTPXRequest. Its errors are TimedOut and NetworkError, caused by aiohttp's own.

    A proxy is taken from the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) as it is at the first request.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds; what a long poll waits comes on top."""
        return READ_TIMEOUT

    async def initialize(self) -> None:
        """Nothing to do: the first request opens the session."""

    async def shutdown(self) -> None:
        """Close the connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body of the answer. Waiting for a free connection is a part of connecting."""
        session = self._session_for(url)
        connect = _seconds(connect_timeout, CONNECT_TIMEOUT)
        total = connect + _seconds(read_timeout, READ_TIMEOUT)
        data: aiohttp.FormData | bytes | None = None
        if request_data and request_data.contains_files:
            data = _form(request_data)
            total += _seconds(write_timeout, WRITE_TIMEOUT)
        elif request_data:
            data = json.dumps(request_data.parameters).encode()
        try:
            async with session.request(
                method,
                url,
                data=data,
                headers=_JSON if isinstance(data, bytes) else None,
                timeout=aiohttp.ClientTimeout(total, connect),
            ) as response:
                return response.status, await response.read()
        # aiohttp's own words may quote the URL, in which the token stands: they go no further.
        except TimeoutError as error:
            raise TimedOut(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from error

    async def download(self, url: str, at_most: int) -> bytes:
        """The first so many bytes of a file. Raises TimedOut and NetworkError."""
        timeout = aiohttp.ClientTimeout(READ_TIMEOUT, CONNECT_TIMEOUT)
        try:
            async with self._session_for(url).get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise NetworkError(f"status {response.status}")
                return await _at_most(response.content, at_most)
        except TimeoutError as error:
            raise TimedOut(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from error

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = _open(url)
        return self._session


async def _at_most(stream: aiohttp.StreamReader, size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (some := await stream.read(size - len(content))):
        content += some
    return bytes(content)


def _open(url: str) -> aiohttp.ClientSession:
    # Not with aiohttp's trust_env: that reads the environment anew, in a thread, for every request.
    return aiohttp.ClientSession(
        # The courier says how much is in flight. A wait for a connection would look like a network that is away.
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": BaseRequest.USER_AGENT},
        proxy=_proxy_for(url),
    )


def _proxy_for(url: str) -> str | None:
    parts, proxies = urlsplit(url), getproxies()
    return None if proxy_bypass(parts.hostname or "") else proxies.get(parts.scheme) or proxies.get("all")


def _form(request_data: RequestData) -> aiohttp.FormData:
    form = aiohttp.FormData(request_data.json_parameters)
    for name, (filename, content, mime) in request_data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=mime)
    return form


def _seconds(given: object, default: float) -> float:
    """A timeout is never left out: what has none of its own gets ours."""
    return given if isinstance(given, int | float) else default
