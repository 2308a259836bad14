"""Files: the text of an attachment, fetched from Discord's own hosts within bounds."""

import aiohttp
import yarl

from bot.commands.request import LARGEST_FILE, NotFetchedError, text_of

# https://discord.com/developers/docs/reference#signed-attachment-cdn-urls
_HOSTS = ("cdn.discordapp.com", "media.discordapp.net")
_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)


async def fetch(url: str, size: int, api_url: str) -> str:
    """An attachment's text. Raises NotFetchedError, also for an address that is neither Discord's nor the API's."""
    if size > LARGEST_FILE:
        raise NotFetchedError("too_large")
    if not _is_discords(url, api_url):
        raise NotFetchedError("not_fetched")
    try:
        # A proxy is taken from the environment, as httpx and the Telegram adapter do it.
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise NotFetchedError("not_fetched")
            content = await _at_most(response.content, LARGEST_FILE + 1)
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise NotFetchedError("not_fetched") from None
    return text_of(content)


def _is_discords(address: str, api_url: str) -> bool:
    try:
        url = yarl.URL(address)
        is_of_the_api = url.origin() == yarl.URL(api_url).origin()
    except ValueError:
        return False
    return is_of_the_api or (url.scheme == "https" and url.host in _HOSTS and url.port == 443)


async def _at_most(stream: aiohttp.StreamReader, size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (some := await stream.read(size - len(content))):
        content += some
    return bytes(content)
