"""Security: who may call the web server, and what a browser may do with its pages."""

import base64
import binascii
import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.config import Web
from bot.errors import PaperwireError

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body."""

LARGEST_UPDATE = 2**20
"""Bytes of one of Telegram's updates."""

WEBHOOK_PATH = "/telegram/webhook"

UNGUARDED = frozenset(
    {
        "/healthz",  # load balancers probe an address without name or password; neither answer tells a secret
        "/readyz",
        WEBHOOK_PATH,  # its secret token guards it
    }
)
"""Paths that anybody may call, by any name of this server, from any page."""

# `no-referrer` would make browsers send `Origin: null` with our own forms: https://fetch.spec.whatwg.org/#origin-header
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every answer says."""


class WebError(PaperwireError):
    """The web server cannot be started; the text says why and which setting helps."""


def check_bind(settings: Web) -> None:
    """Raise WebError when others could reach the server and no password keeps them out."""
    if not _is_loopback(settings.host) and not settings.password.get_secret_value():
        raise WebError(
            f'[web] host is "{settings.host}", which others can reach: set [web] password, or host = "127.0.0.1".'
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware that lets through what `refusal` does not refuse."""

    def __init__(self, app: ASGIApp, settings: Web) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(self._settings, Request(scope)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)


def refusal(settings: Web, request: Request) -> Response | None:
    """Why a request is not served: a foreign Host (DNS rebinding), a foreign Origin of a POST, no password."""
    if request.scope["path"] in UNGUARDED:
        return None
    host = request.headers.get("host", "").lower()
    if not _is_our_host(host, settings, request.scope["server"]):
        return PlainTextResponse("Not a name of this server. Add it to [web] hosts.", 421)
    if request.method not in ("GET", "HEAD") and _origin(request) != host:
        return PlainTextResponse("Forms are taken from this server's own pages only.", 403)
    if not _knows_password(settings, request.headers.get("authorization", "")):
        headers = {"WWW-Authenticate": 'Basic realm="Paperwire", charset="UTF-8"'}
        return PlainTextResponse("The password is the one of [web] password; any user name will do.", 401, headers)
    return None


def _is_our_host(host: str, settings: Web, server: tuple[str, int]) -> bool:
    address, port = server
    names = {"localhost", "127.0.0.1", "[::1]", *map(_in_url, (settings.host, address))}
    ours = {f"{name}:{port}" for name in names} | (names if port == 80 else set())
    given = {name.lower() for name in settings.hosts}
    return host in ours or host in given or host.rpartition(":")[0] in given


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _origin(request: Request) -> str | None:
    """The host that a request says its page is from."""
    try:
        return urlsplit(request.headers.get("origin") or request.headers.get("referer", "")).netloc.lower()
    except ValueError:
        return None


def _knows_password(settings: Web, authorization: str) -> bool:
    password = settings.password.get_secret_value().encode()
    scheme, _, credentials = authorization.partition(" ")
    if not password or scheme.lower() != "basic":
        return not password
    try:
        _, _, given = base64.b64decode(credentials, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password)
