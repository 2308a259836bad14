"""Discord for tests: REST v10 and the gateway on one loopback port, strict where the real one is strict.

Point discord.py at it with `discord.http.Route.BASE = stub.api_url` and
`discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(stub.gateway_url)`; `AutoShardedClient` finds the
gateway through REST and needs the first alone.
"""

import asyncio
import json
import re
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from .stub import Now, Stub

Json = dict[str, Any]
TOKEN = "bot-token"

# https://docs.discord.com/developers/resources/message
CONTENT = 2_000
EMBEDS, EMBEDS_TEXT = 10, 6_000
NONCE = 25
HISTORY = 100
# https://docs.discord.com/developers/components/reference
ROWS, BUTTONS, LABEL, CUSTOM_ID, BUTTON_URL = 5, 5, 80, 100, 512
COMPONENTS, COMPONENTS_TEXT = 40, 4_000
COMPONENTS_BYTES = 10_170
"""UTF-8 bytes of all text displays plus 12 for each: above it Discord answers 500, well within 4,000 Chinese
characters. Measured in https://github.com/discord/discord-api-docs/issues/8554."""
# https://docs.discord.com/developers/interactions/application-commands
COMMANDS, OPTIONS, CHOICES, COMMAND_TEXT = 100, 25, 25, 8_000
COMMAND_NAME = re.compile(r"[-_'\w\u0900-\u0963\u0e00-\u0e4e]{1,32}")
LOCALE = re.compile(
    "id|da|de|en-GB|en-US|es-ES|es-419|fr|hr|it|lt|hu|nl|no|pl|pt-BR|ro|fi|sv-SE|vi|tr|cs|el|bg|ru|uk|hi|th|"
    "zh-CN|ja|zh-TW|ko"
)
# https://docs.discord.com/developers/interactions/receiving-and-responding
ANSWER_WITHIN = 3.0
TOKEN_LIVES = 15 * 60.0

SUPPRESS_EMBEDS, EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 2, 1 << 6, 1 << 7, 1 << 15
GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 9, 1 << 12
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
"""GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT: https://docs.discord.com/developers/events/gateway"""
MANAGE_GUILD, VIEW, SEND, EMBED, READ_HISTORY = 1 << 5, 1 << 10, 1 << 11, 1 << 14, 1 << 16
MEMBER = VIEW | SEND | EMBED | READ_HISTORY | 1 << 15 | 1 << 31 | 1 << 38
"""What everyone may do: also attach files, use commands, send in threads."""
DM, FORUM = 1, 15
THREADS = (10, 11, 12)

EPOCH_MS = 1_420_070_400_000
"""2015-01-01, from which snowflakes count: https://docs.discord.com/developers/reference#snowflakes"""

FAILURES: Mapping[int, tuple[int, str]] = {
    401: (401, "401: Unauthorized"),
    500: (500, "500: Internal Server Error"),
    502: (502, "502: Bad Gateway"),
    503: (503, "503: Service Unavailable"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    40003: (403, "You are opening direct messages too fast"),
    40060: (400, "Interaction has already been acknowledged"),
    40067: (400, "A tag is required to create a forum post in this channel"),
    50001: (403, "Missing Access"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    50278: (403, "Cannot send messages to this user due to having no mutual guilds"),
    160005: (400, "Thread is locked"),
    200000: (400, "Message was blocked by automatic moderation"),
    240000: (400, "Message blocked by harmful links filter"),
}
"""Status and text of each JSON error code; below 1,000 a bare HTTP status, whose code is 0.

https://docs.discord.com/developers/topics/opcodes-and-status-codes
"""


class RefusalError(Exception):
    """An answer of Discord that is not a success."""

    def __init__(self, code: int, errors: Json | None = None) -> None:
        self.status, message = FAILURES[code]
        self.body: Json = {"message": message, "code": code if code >= 1_000 else 0}
        self.headers: dict[str, str] = {}
        if errors:
            self.body["errors"] = errors


class TooManyError(RefusalError):
    """429. One without `Via` comes from the edge before Discord: clients must not retry it."""

    def __init__(self, seconds: float, scope: str = "user", via: bool = True) -> None:
        self.status = 429
        self.body = {
            "message": "You are being rate limited.",
            "retry_after": round(seconds, 3),
            "global": scope == "global",
        }
        self.headers = {"Retry-After": f"{seconds:.3f}", "X-RateLimit-Scope": scope}
        if via:
            self.headers["Via"] = "1.1 google"


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request; status 0 where the connection was closed instead of answered."""

    at: float
    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message accepted by `POST /channels/{id}/messages`, as it was sent."""

    at: float
    channel_id: int
    message_id: int
    content: str
    embeds: tuple[Json, ...]
    components: tuple[Json, ...]
    nonce: str | None
    flags: int
    allowed_mentions: Json | None


@dataclass(frozen=True, slots=True)
class Pings:
    """Whom a message notifies."""

    everyone: bool
    users: frozenset[int]
    roles: frozenset[int]


@dataclass(slots=True)
class Interaction:
    """What a user did, and every complete answer of the bot to it, oldest first."""

    id: int
    token: str
    at: float
    channel_id: int
    user_id: int
    payload: Json
    answered: bool = False
    original: int | None = None
    replies: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    locale: str


@dataclass(slots=True)
class Guild:
    id: int
    name: str
    managers: dict[int, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Channel:
    id: int
    guild_id: int | None
    name: str
    type: int
    parent_id: int | None = None
    recipient: int | None = None
    denied: int = 0


@dataclass(slots=True)
class _Window:
    opened: float
    used: int = 0


@dataclass(slots=True)
class _Fault:
    kind: int | str
    left: int
    at: re.Pattern[str]
    retry_after: float


@dataclass(slots=True, eq=False)
class _Session:
    id: str
    intents: int
    shard: tuple[int, int]
    outbox: "asyncio.Queue[str | int] | None"
    events: list[str] = field(default_factory=list)

    def serves(self, guild_id: int | None) -> bool:
        index, count = self.shard
        return ((guild_id or 0) >> 22) % count == index

    def dispatch(self, event: str, data: Any) -> None:
        self.events.append(json.dumps({"op": 0, "t": event, "s": len(self.events) + 1, "d": data}))
        if self.outbox is not None:
            self.outbox.put_nowait(self.events[-1])


# What a form may hold. Each rule yields (path, code, message) of what it finds wrong.

Wrong = tuple[str, str, str]


def error_tree(wrongs: Iterable[Wrong]) -> Json:
    """The `errors` object of a 50035, https://docs.discord.com/developers/reference#error-messages."""
    tree: Json = {}
    for path, code, message in wrongs:
        node = tree
        for step in filter(None, path.split(".")):
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})
    return tree


def _size(path: str, value: Any, most: int, least: int = 0) -> Iterator[Wrong]:
    if value is None or (least and not value):
        if least:
            yield path, "BASE_TYPE_REQUIRED", "This field is required"
    elif not isinstance(value, str | list):
        yield path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.'
    elif not least and len(value) > most:
        yield path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length."
    elif not least <= len(value) <= most:
        yield path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."


def _link(path: str, value: Any, schemes: tuple[str, ...] = ("http", "https"), most: int = 2_048) -> Iterator[Wrong]:
    if value is None:
        return
    yield from _size(path, value, most)
    scheme = urlsplit(str(value)).scheme
    if scheme not in schemes:
        text = f"Scheme \"{scheme}\" is not supported. Scheme must be one of ('http', 'https')."
        yield path, "URL_TYPE_INVALID_SCHEME", text
    elif not urlsplit(str(value)).netloc:
        yield path, "URL_TYPE_INVALID_URL", "Not a well formed URL."


def _embed_text(embed: Json) -> int:
    parts = [embed.get("title"), embed.get("description")]
    parts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    parts += [each.get(key) for each in embed.get("fields") or [] for key in ("name", "value")]
    return sum(len(part or "") for part in parts)


def _embed(path: str, embed: Json) -> Iterator[Wrong]:
    yield from _size(f"{path}.title", embed.get("title"), 256)
    yield from _size(f"{path}.description", embed.get("description"), 4_096)
    yield from _link(f"{path}.url", embed.get("url"))
    yield from _size(f"{path}.fields", embed.get("fields"), 25)
    for index, each in enumerate(embed.get("fields") or []):
        yield from _size(f"{path}.fields.{index}.name", each.get("name"), 256, least=1)
        yield from _size(f"{path}.fields.{index}.value", each.get("value"), 1_024, least=1)
    footer, author = embed.get("footer") or {}, embed.get("author") or {}
    yield from _size(f"{path}.footer.text", footer.get("text"), 2_048)
    yield from _size(f"{path}.author.name", author.get("name"), 256)
    yield from _link(f"{path}.author.url", author.get("url"))
    files = ("http", "https", "attachment")
    for key, holder in (("author", author), ("footer", footer)):
        yield from _link(f"{path}.{key}.icon_url", holder.get("icon_url"), files)
    for key in ("image", "thumbnail"):
        yield from _link(f"{path}.{key}.url", (embed.get(key) or {}).get("url"), files)
    if not 0 <= (embed.get("color") or 0) <= 0xFFFFFF:
        yield f"{path}.color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215."


def walk(components: Iterable[Json], path: str = "components") -> Iterator[tuple[str, Json]]:
    """Every component with its path, parents first."""
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        yield here, component
        yield from walk(component.get("components") or [], f"{here}.components")
        if accessory := component.get("accessory"):
            yield f"{here}.accessory", accessory


def _texts(components: Iterable[Json]) -> list[str]:
    return [each.get("content") or "" for _, each in walk(components) if each.get("type") == 10]


def _choice(path: str, allowed: Iterable[int]) -> Wrong:
    return path, "BASE_TYPE_CHOICES", f"Value must be one of {{{', '.join(map(str, sorted(allowed)))}}}."


def _button(path: str, button: Json) -> Iterator[Wrong]:
    yield from _size(f"{path}.label", button.get("label"), LABEL)
    if button.get("style") == 5:
        yield from _size(f"{path}.url", button.get("url"), BUTTON_URL, least=1)
        yield from _link(f"{path}.url", button.get("url"), ("http", "https", "discord"), BUTTON_URL)
        if button.get("custom_id"):
            text = "A custom id and url cannot both be specified"
            yield f"{path}.custom_id", "BUTTON_COMPONENT_CUSTOM_ID_AND_URL_MUTUALLY_EXCLUSIVE", text
    elif button.get("style") in (1, 2, 3, 4):
        yield from _size(f"{path}.custom_id", button.get("custom_id"), CUSTOM_ID, least=1)
    else:
        yield _choice(f"{path}.style", range(1, 6))
    if not button.get("label") and not button.get("emoji"):
        yield f"{path}.label", "BASE_TYPE_REQUIRED", "A label or an emoji is required"


def _component(path: str, each: Json) -> Iterator[Wrong]:
    children = each.get("components") or []
    match each.get("type"):
        case 1:
            most = BUTTONS if all(child.get("type") == 2 for child in children) else 1
            yield from _size(f"{path}.components", children, most, least=1)
            for index, child in enumerate(children):
                if child.get("type") not in (2, 3, 5, 6, 7, 8):
                    yield _choice(f"{path}.components.{index}.type", (2, 3, 5, 6, 7, 8))
        case 2:
            yield from _button(path, each)
        case 3 | 5 | 6 | 7 | 8 as kind:
            yield from _size(f"{path}.custom_id", each.get("custom_id"), CUSTOM_ID, least=1)
            yield from _size(f"{path}.placeholder", each.get("placeholder"), 150)
            if kind == 3:
                yield from _size(f"{path}.options", each.get("options"), 25, least=1)
            for index, option in enumerate(each.get("options") or []):
                for key in ("label", "value"):
                    yield from _size(f"{path}.options.{index}.{key}", option.get(key), 100, least=1)
                yield from _size(f"{path}.options.{index}.description", option.get("description"), 100)
        case 9:
            yield from _size(f"{path}.components", children, 3, least=1)
            if (each.get("accessory") or {}).get("type") not in (2, 11):
                yield f"{path}.accessory", "BASE_TYPE_REQUIRED", "This field is required"
        case 10:
            yield from _size(f"{path}.content", each.get("content"), COMPONENTS_TEXT, least=1)
        case 11 | 12 | 13 | 14 | 17:
            pass
        case _:
            yield _choice(f"{path}.type", (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17))


def _components(components: list[Json], v2: bool) -> Iterator[Wrong]:
    every = list(walk(components))
    if v2:
        if len(every) > COMPONENTS:
            text = f"The total number of components cannot exceed {COMPONENTS}"
            yield "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", text
        if sum(map(len, _texts(components))) > COMPONENTS_TEXT:
            text = f"Components displayable text size exceeds maximum size of {COMPONENTS_TEXT}"
            yield "components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text
    else:
        yield from _size("components", components, ROWS)
    for index, each in enumerate(components):
        if each.get("type") not in ((1, 9, 10, 12, 13, 14, 17) if v2 else (1,)):
            yield _choice(f"components.{index}.type", (1, 9, 10, 12, 13, 14, 17) if v2 else (1,))
    seen: set[str] = set()
    for path, each in every:
        yield from _component(path, each)
        custom_id = each.get("custom_id")
        if custom_id in seen:
            text = "Component custom id cannot be duplicated"
            yield f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", text
        if custom_id is not None:
            seen.add(custom_id)


def _allowed_mentions(allowed: Json) -> Iterator[Wrong]:
    for key in ("users", "roles"):
        yield from _size(f"allowed_mentions.{key}", allowed.get(key), 100)
        if allowed.get(key) and key in allowed.get("parse", ()):
            text = f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.'
            yield "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text


def message_errors(body: Json) -> Iterator[Wrong]:
    """What Discord would object to in a message, all at once as it does."""
    v2 = bool((body.get("flags") or 0) & COMPONENTS_V2)
    embeds = body.get("embeds") or []
    if v2:
        for key in ("content", "embeds", "poll", "sticker_ids"):
            if body.get(key):
                text = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                yield key, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text
    yield from _size("content", body.get("content"), CONTENT)
    yield from _size("embeds", embeds, EMBEDS)
    for index, embed in enumerate(embeds):
        yield from _embed(f"embeds.{index}", embed)
    if sum(map(_embed_text, embeds)) > EMBEDS_TEXT:
        text = f"Embed size exceeds maximum size of {EMBEDS_TEXT}"
        yield "embeds", "MAX_EMBED_SIZE_EXCEEDED", text
    yield from _components(body.get("components") or [], v2)
    yield from _allowed_mentions(body.get("allowed_mentions") or {})
    if body.get("nonce") is not None:
        yield from _size("nonce", str(body["nonce"]), NONCE)


def is_empty(body: Json) -> bool:
    shown = any(embed.keys() - {"type", "color", "timestamp"} for embed in body.get("embeds") or [])
    parts = (body.get(key) for key in ("components", "attachments", "poll", "sticker_ids"))
    return not ((body.get("content") or "").strip() or shown or any(parts))


def check_message(body: Json, prefix: str = "") -> None:
    """Raise the RefusalError that Discord would answer this message with; `prefix` is "data." in a callback."""
    if errors := error_tree((prefix + path, code, text) for path, code, text in message_errors(body)):
        raise RefusalError(50035, errors)
    if is_empty(body):
        raise RefusalError(50006)
    texts = _texts(body.get("components") or [])
    if sum(len(text.encode()) + 12 for text in texts) > COMPONENTS_BYTES:
        raise RefusalError(500)


def _words(path: str, key: str, holder: Json, most: int, named: bool) -> Iterator[Wrong]:
    spoken = {f"{path}{key}": holder.get(key)}
    for locale, text in (holder.get(f"{key}_localizations") or {}).items():
        if not LOCALE.fullmatch(locale):
            yield f"{path}{key}_localizations.{locale}", "BASE_TYPE_CHOICES", "Unknown locale."
        spoken[f"{path}{key}_localizations.{locale}"] = text
    for where, text in spoken.items():
        yield from _size(where, text, most, least=1)
        if named and text and (not COMMAND_NAME.fullmatch(text) or text != text.lower()):
            yield where, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"


def _options(path: str, options: list[Json]) -> Iterator[Wrong]:
    yield from _size(f"{path}options", options, OPTIONS)
    names = [option.get("name") for option in options]
    if len(set(names)) < len(names):
        text = "Option names must be unique"
        yield f"{path}options", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text
    if any(after.get("required") and not before.get("required") for before, after in pairwise(options)):
        text = "Required options must be placed before non-required options"
        yield f"{path}options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text
    for index, option in enumerate(options):
        here = f"{path}options.{index}."
        yield from _words(here, "name", option, 32, named=True)
        yield from _words(here, "description", option, 100, named=False)
        choices = option.get("choices") or []
        yield from _size(f"{here}choices", choices, CHOICES)
        for place, choice in enumerate(choices):
            yield from _words(f"{here}choices.{place}.", "name", choice, 100, named=False)
            if isinstance(choice.get("value"), str):
                yield from _size(f"{here}choices.{place}.value", choice["value"], 100, least=1)
        yield from _options(here, option.get("options") or [])


def _command_text(part: Json) -> int:
    own = sum(
        max(map(len, [part.get(key) or "", *(part.get(f"{key}_localizations") or {}).values()]))
        for key in ("name", "description")
    )
    value = part.get("value")
    inner = [*(part.get("options") or []), *(part.get("choices") or [])]
    return own + (len(value) if isinstance(value, str) else 0) + sum(map(_command_text, inner))


def command_errors(command: Json, path: str = "") -> Iterator[Wrong]:
    """What Discord would object to in an application command."""
    slash = command.get("type", 1) == 1
    yield from _words(path, "name", command, 32, named=slash)
    if slash:
        yield from _words(path, "description", command, 100, named=False)
    yield from _options(path, command.get("options") or [])
    if _command_text(command) > COMMAND_TEXT:
        text = f"Command exceeds maximum size ({COMMAND_TEXT})"
        yield path.rstrip("."), "APPLICATION_COMMAND_TOO_LARGE", text


def mentions(message: Message) -> Pings:
    """Whom the message notifies: its content and text displays, as its allowed_mentions let it.

    Embeds never notify. Stricter than Discord in one thing: a mention inside code counts too.
    https://docs.discord.com/developers/resources/message#allowed-mentions-object
    """
    text = "\n".join([message.content, *_texts(message.components)])
    users = frozenset(map(int, re.findall(r"<@!?(\d+)>", text)))
    roles = frozenset(map(int, re.findall(r"<@&(\d+)>", text)))
    everyone = re.search(r"@(everyone|here)\b", text) is not None
    allowed = message.allowed_mentions
    if allowed is None:
        return Pings(everyone, users, roles)
    parse = allowed.get("parse") or []
    return Pings(
        everyone and "everyone" in parse,
        users if "users" in parse else users & set(map(int, allowed.get("users") or [])),
        roles if "roles" in parse else roles & set(map(int, allowed.get("roles") or [])),
    )


def _answer(payload: Any, status: int = 200) -> web.Response:
    # discord.py reads JSON only where the type is exactly this, without a charset.
    return web.Response(body=json.dumps(payload).encode(), status=status, content_type="application/json")


NO_CONTENT = 204
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DiscordStub(Stub):
    """A Discord with one application, whose bot has this token; the clock of every limit is `now`."""

    def __init__(self, now: Now = time.time, port: int = 0, token: str = TOKEN, application_id: int = 900) -> None:
        super().__init__(now, port)
        self.token = token
        self.application_id = application_id
        self.rates = True
        self.nonce_seconds = 180.0
        self.heartbeat_ms = 41_250
        self.on_accept: Callable[[Message], None] | None = None
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        self.violations: list[str] = []
        self.http_429 = 0
        self.commands: dict[int | None, list[Json]] = {}
        self._guilds: dict[int, Guild] = {}
        self._channels: dict[int, Channel] = {}
        self._users: dict[int, User] = {application_id: User(application_id, "Paperwire", "en-US")}
        self._closed_dms: set[int] = set()
        self._stored: dict[int, Json] = {}
        self._nonces: dict[tuple[int, str], tuple[float, int]] = {}
        self._interactions: dict[str, Interaction] = {}
        self._sessions: dict[str, _Session] = {}
        self._faults: list[_Fault] = []
        self._windows: dict[str, _Window] = {}
        self._last_id = 0
        self._changed = asyncio.Event()
        self.app.middlewares.append(self._door)
        self._add_routes()

    @property
    def api_url(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """For `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    @property
    def connected(self) -> bool:
        """Whether a bot listens on the gateway."""
        return any(session.outbox is not None for session in self._sessions.values())

    # The world, changed at any time; a listening bot hears of it.

    def add_guild(self, guild_id: int, name: str) -> None:
        """The bot joins a guild."""
        self._guilds[guild_id] = Guild(guild_id, name)
        self._dispatch("GUILD_CREATE", self._guild_json(guild_id), guild_id, GUILDS)

    def remove_guild(self, guild_id: int) -> None:
        """The bot is kicked: its channels answer 50001 from now on."""
        del self._guilds[guild_id]
        self._dispatch("GUILD_DELETE", {"id": str(guild_id)}, guild_id, GUILDS)

    def add_channel(
        self,
        channel_id: int,
        guild_id: int,
        name: str,
        type: int = 0,  # noqa: A002
        parent_id: int | None = None,
    ) -> None:
        """`type` as Discord numbers it: 0 text, 5 announcements, 11 public thread (with `parent_id`), 15 forum."""
        self._channels[channel_id] = Channel(channel_id, guild_id, name, type, parent_id)
        event = "THREAD_CREATE" if type in THREADS else "CHANNEL_CREATE"
        self._dispatch(event, self._channel_json(channel_id), guild_id, GUILDS)

    def remove_channel(self, channel_id: int) -> None:
        channel = self._channels[channel_id]
        event = "THREAD_DELETE" if channel.type in THREADS else "CHANNEL_DELETE"
        self._dispatch(event, self._channel_json(channel_id), channel.guild_id, GUILDS)
        del self._channels[channel_id]

    def add_user(self, user_id: int, name: str, locale: str = "en-US") -> None:
        self._users[user_id] = User(user_id, name, locale)

    def add_member(self, guild_id: int, user_id: int, manage_guild: bool = False) -> None:
        """A user joins a guild, or changes rank in it. Users who act in a guild are plain members of it."""
        self._guilds[guild_id].managers[user_id] = manage_guild

    def dm(self, user_id: int) -> int:
        """The id of the bot's direct channel with the user, opened if need be."""
        for channel in self._channels.values():
            if channel.recipient == user_id:
                return channel.id
        channel = Channel(self._snowflake(), None, self._users[user_id].name, DM, recipient=user_id)
        self._channels[channel.id] = channel
        return channel.id

    def close_dm(self, user_id: int) -> None:
        """The user takes no direct messages any more: 50007."""
        self._closed_dms.add(user_id)

    def deny(self, channel_id: int, permissions: int = SEND) -> None:
        """Take permissions (bits) from the bot in a channel; 0 gives all back."""
        channel = self._channels[channel_id]
        channel.denied = permissions
        self._dispatch("CHANNEL_UPDATE", self._channel_json(channel_id), channel.guild_id, GUILDS)

    def drop_gateway(self, code: int = 4000) -> None:
        """Close every gateway connection; a client may resume after most codes."""
        for session in self._sessions.values():
            if session.outbox is not None:
                session.outbox.put_nowait(code)

    # What users do.

    def command(
        self,
        channel_id: int,
        user_id: int,
        name: str,
        options: Mapping[str, str | int | float | bool] | None = None,
        focused: str | None = None,
    ) -> Interaction:
        """Run a slash command, `"group sub"` with its subcommand; or type into its option `focused` for choices.

        Raises LookupError for a command that the bot has not registered there or the user may not see, ValueError
        for options that Discord's own clients would not let through.
        """
        channel = self._channels[channel_id]
        root, *path = name.split()
        known = [*self.commands.get(channel.guild_id, []), *self.commands.get(None, [])]
        registered = next((each for each in known if each["name"] == root and each["type"] == 1), None)
        if registered is None:
            raise LookupError(f"no command {root!r} registered here")
        self._may_see(registered, channel, user_id)
        leaf = registered
        for step in path:
            leaf = next(each for each in leaf["options"] if each["name"] == step)
        resolved: Json = {}
        given = self._given(leaf.get("options") or [], options or {}, focused, channel, user_id, resolved)
        for depth, step in reversed(list(enumerate(path))):
            given = [{"name": step, "type": 1 if depth == len(path) - 1 else 2, "options": given}]
        data = {"id": registered["id"], "name": root, "type": 1, "options": given}
        if resolved:
            data["resolved"] = resolved
        if "guild_id" in registered:
            data["guild_id"] = registered["guild_id"]
        return self._interact(4 if focused else 2, channel, user_id, data)

    def press(self, message_id: int, user_id: int, custom_id: str, values: Iterable[str] | None = None) -> Interaction:
        """Press a button, or choose `values` in a menu. LookupError if the message shows no such component."""
        message = self._stored[message_id]
        shown = (each for _, each in walk(message["components"]) if each.get("custom_id") == custom_id)
        component = next((each for each in shown if not each.get("disabled")), None)
        if component is None:
            raise LookupError(f"message {message_id} has no {custom_id!r} to press")
        data: Json = {"custom_id": custom_id, "component_type": component["type"]}
        if values is not None:
            data["values"] = list(values)
        return self._interact(3, self._channels[int(message["channel_id"])], user_id, data, message)

    def submit(self, asked: Interaction, values: Mapping[str, str]) -> Interaction:
        """Fill in the modal that answered an interaction: text by the custom_id of its input."""
        modal = asked.replies[-1]
        filled = []
        for shown in modal["components"]:
            field = shown.get("component") or shown["components"][0]
            given = {key: field[key] for key in ("type", "custom_id", "id") if key in field}
            given["value"] = values.get(field["custom_id"], "")
            inner = {"component": given} if "component" in shown else {"components": [given]}
            filled.append({"type": shown["type"]} | inner)
        data = {"custom_id": modal["custom_id"], "components": filled}
        return self._interact(5, self._channels[asked.channel_id], asked.user_id, data)

    async def reply_to(self, interaction: Interaction, timeout: float = 5.0) -> Json:  # noqa: ASYNC109
        """The bot's latest complete answer: a message, a modal, or a list of choices; a bare defer is none.

        Raises TimeoutError after `timeout` seconds of real time.
        """
        await self.wait_for(lambda: bool(interaction.replies), timeout)
        return interaction.replies[-1]

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Return once the predicate holds, asked after each request. TimeoutError after real seconds."""
        async with asyncio.timeout(timeout):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    def fail_next(
        self,
        kind: int | str,
        times: int = 1,
        channel_id: int | None = None,
        on: str = r"POST /channels/\d+/messages",
        retry_after: float = 1.0,
    ) -> None:
        """Let the next sends fail, or the requests whose "METHOD /path" matches `on`.

        `kind` is a key of FAILURES; "rate", "rate_global", "rate_without_via" (429s with `retry_after` seconds);
        "reset_before" (closed unread), "reset_after" (acted on, then closed), "stall_after" (acted on, never answered).
        """
        if channel_id is not None:
            on = rf"POST /channels/{channel_id}/messages"
        self._faults.append(_Fault(kind, times, re.compile(on), retry_after))

    # REST: one door for all, then one handler a route.

    def _add_routes(self) -> None:
        app, channel = f"/applications/{{app:{self.application_id}}}", r"/channels/{channel:\d+}"
        scoped = app + r"/guilds/{guild:\d+}"
        hook = r"/webhooks/{app:\d+}/{token}"
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/users/@me", self._get_me),
            ("POST", "/users/@me/channels", self._post_dm),
            ("GET", r"/users/{user:\d+}", self._get_user),
            ("GET", "/oauth2/applications/@me", self._get_application),
            ("GET", app, self._get_application),
            ("GET", "/gateway", self._get_gateway),
            ("GET", "/gateway/bot", self._get_gateway),
            ("GET", r"/guilds/{guild:\d+}", self._get_guild),
            ("GET", r"/guilds/{guild:\d+}/members/{user:\d+}", self._get_member),
            ("GET", channel, self._get_channel),
            ("POST", f"{channel}/typing", self._post_typing),
            ("GET", f"{channel}/messages", self._get_history),
            ("POST", f"{channel}/messages", self._post_message),
            ("GET", channel + r"/messages/{message:\d+}", self._get_message),
            ("PATCH", channel + r"/messages/{message:\d+}", self._patch_message),
            ("DELETE", channel + r"/messages/{message:\d+}", self._delete_message),
            ("POST", r"/interactions/{interaction:\d+}/{token}/callback", self._post_callback),
            ("POST", hook, self._post_followup),
            ("GET", hook + r"/messages/{message:@original|\d+}", self._get_reply),
            ("PATCH", hook + r"/messages/{message:@original|\d+}", self._patch_reply),
            ("DELETE", hook + r"/messages/{message:@original|\d+}", self._delete_reply),
        ]
        for scope in (app, scoped):
            routes += [
                ("GET", f"{scope}/commands", self._get_commands),
                ("PUT", f"{scope}/commands", self._put_commands),
                ("POST", f"{scope}/commands", self._post_command),
                ("DELETE", scope + r"/commands/{command:\d+}", self._delete_command),
            ]
        for method, path, handler in routes:
            self.app.router.add_route(method, f"/api/v10{path}", handler)
        self.app.router.add_get("/gateway", self._gateway)

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/gateway":
            return await handler(request)
        path = request.path.removeprefix("/api/v10")
        fault = self._fault(f"{request.method} {path}")
        kind = fault.kind if fault else None
        headers: dict[str, str] = {}
        try:
            if kind == "reset_before":
                self._record(request, path, 0)
                return self._reset(request)
            response = await self._admit(request, path, handler, fault, headers)
        except RefusalError as refusal:
            self.http_429 += refusal.status == 429
            response = _answer(refusal.body, refusal.status)
            headers |= refusal.headers
        except web.HTTPException as error:
            response = _answer({"message": f"{error.status}: {error.reason}", "code": 0}, error.status)
        response.headers.update(headers)
        status = 0 if kind in ("reset_after", "stall_after") else response.status
        self._record(request, path, status)
        if kind == "reset_after":
            return self._reset(request)
        if kind == "stall_after":
            await asyncio.Event().wait()
        return response

    async def _admit(
        self, request: web.Request, path: str, handler: Handler, fault: _Fault | None, headers: dict[str, str]
    ) -> web.StreamResponse:
        # These carry their own token instead of the bot's, and are outside the global limit.
        interactive = path.startswith(("/interactions/", "/webhooks/"))
        if not interactive and request.headers.get("Authorization") != f"Bot {self.token}":
            raise RefusalError(401)
        if fault:
            self._fail(fault)
        if not interactive:
            self._spend("global", 50, 1.0, "global")
        if request.method == "POST" and re.fullmatch(r"/channels/\d+/messages", path):
            headers |= self._spend(path, 5, 5.0, "user")
        return await handler(request)

    def _record(self, request: web.Request, path: str, status: int) -> None:
        self.calls.append(Call(self.now(), request.method, path, status))
        self._changed.set()

    def _fault(self, call: str) -> _Fault | None:
        for fault in self._faults:
            if fault.left and fault.at.fullmatch(call):
                fault.left -= 1
                return fault
        return None

    def _fail(self, fault: _Fault) -> None:
        match fault.kind:
            case "rate" | "rate_global":
                raise TooManyError(fault.retry_after, "global" if fault.kind == "rate_global" else "user")
            case "rate_without_via":
                raise TooManyError(fault.retry_after, via=False)
            case int(code):
                raise RefusalError(code)

    def _reset(self, request: web.Request) -> web.Response:
        transport = request.transport
        assert transport is not None
        # Without lingering the kernel sends RST instead of FIN: the client sees a reset, not an orderly end.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        return web.Response()

    def _spend(self, key: str, limit: int, per: float, scope: str) -> dict[str, str]:
        if not self.rates:
            return {}
        now = self.now()
        window = self._windows.get(key)
        if window is None or now >= window.opened + per:
            window = self._windows[key] = _Window(now)
        window.used += 1
        reset = window.opened + per
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - window.used)),
            "X-RateLimit-Reset": f"{reset:.3f}",
            "X-RateLimit-Reset-After": f"{reset - now:.3f}",
            "X-RateLimit-Bucket": "80c17d2f203122d936070c88c8d10f33",
        }
        if window.used <= limit:
            return headers
        refusal = TooManyError(reset - now, scope)
        if scope == "global":
            refusal.headers["X-RateLimit-Global"] = "true"
        else:
            refusal.headers |= headers
        raise refusal

    async def _body(self, request: web.Request) -> Json:
        try:
            if request.content_type != "multipart/form-data":
                return dict(await request.json())
            form = await request.post()
            body: Json = json.loads(str(form.get("payload_json", "{}")))
        except (json.JSONDecodeError, TypeError, ValueError) as error:
            raise RefusalError(50109) from error
        files = [part for part in form.values() if isinstance(part, web.FileField)]
        holder = body.get("data", body) if "/interactions/" in request.path else body
        if files:
            holder["attachments"] = [self._attachment(part) for part in files]
        return body

    def _attachment(self, part: web.FileField) -> Json:
        attachment_id = self._snowflake()
        url = f"{self.url}/attachments/{attachment_id}/{part.filename}"
        size = part.file.seek(0, 2)
        return {
            "id": str(attachment_id),
            "filename": part.filename,
            "size": size,
            "url": url,
            "proxy_url": url,
            "content_type": part.content_type,
        }

    async def _get_me(self, request: web.Request) -> web.Response:
        return _answer(self._user_json(self.application_id))

    async def _get_user(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return _answer(self._user_json(user_id))

    async def _get_application(self, request: web.Request) -> web.Response:
        return _answer(
            {
                "id": str(self.application_id),
                "name": "Paperwire",
                "description": "",
                "icon": None,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": self._user_json(self.application_id),
                "team": None,
                "verify_key": "0" * 64,
                "flags": 0,
            }
        )

    async def _get_gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1_000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return _answer({"url": self.gateway_url, "shards": 1, "session_start_limit": limit})

    async def _get_guild(self, request: web.Request) -> web.Response:
        guild_id = int(request.match_info["guild"])
        if guild_id not in self._guilds:
            raise RefusalError(10004)
        return _answer(self._guild_json(guild_id))

    async def _get_member(self, request: web.Request) -> web.Response:
        guild_id, user_id = int(request.match_info["guild"]), int(request.match_info["user"])
        if guild_id not in self._guilds:
            raise RefusalError(50001)
        if user_id not in self._guilds[guild_id].managers and user_id != self.application_id:
            raise RefusalError(10007)
        return _answer(self._member_json(guild_id, user_id))

    async def _post_dm(self, request: web.Request) -> web.Response:
        user_id = int((await self._body(request))["recipient_id"])
        if user_id not in self._users:
            raise RefusalError(10013)
        return _answer(self._channel_json(self.dm(user_id)))

    async def _get_channel(self, request: web.Request) -> web.Response:
        return _answer(self._channel_json(self._visible(request).id))

    async def _post_typing(self, request: web.Request) -> web.Response:
        self._visible(request)
        return web.Response(status=NO_CONTENT)

    def _visible(self, request: web.Request) -> Channel:
        channel = self._channels.get(int(request.match_info["channel"]))
        if channel is None:
            raise RefusalError(10003)
        kicked = channel.guild_id is not None and channel.guild_id not in self._guilds
        if kicked or channel.denied & VIEW:
            raise RefusalError(50001)
        return channel

    async def _get_history(self, request: web.Request) -> web.Response:
        channel, query = self._visible(request), request.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= HISTORY:
            wrong = "limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100."
            raise RefusalError(50035, error_tree([wrong]))
        if channel.denied & READ_HISTORY:
            return _answer([])
        after, before = int(query.get("after", 0)), int(query.get("before", 1 << 63))
        found = [
            message
            for message in self._stored.values()
            if int(message["channel_id"]) == channel.id
            and not message["flags"] & EPHEMERAL
            and after < int(message["id"]) < before
        ]
        # Asked from a point on, it gives the first after that; the newest stands first either way.
        page = found[:limit] if "after" in query else found[-limit:]
        return _answer(page[::-1])

    async def _post_message(self, request: web.Request) -> web.Response:
        channel = self._visible(request)
        body = await self._body(request)
        if channel.type == FORUM:
            raise RefusalError(50008)
        if channel.denied & SEND or (body.get("embeds") and channel.denied & EMBED):
            raise RefusalError(50013)
        if channel.recipient in self._closed_dms:
            raise RefusalError(50007)
        check_message(body)
        nonce = None if body.get("nonce") is None else str(body["nonce"])
        if nonce and body.get("enforce_nonce"):
            at, first = self._nonces.get((channel.id, nonce), (0.0, 0))
            if first in self._stored and self.now() - at <= self.nonce_seconds:
                return _answer(self._stored[first] | {"nonce": nonce})
        stored = self._store(channel, body)
        if nonce:
            self._nonces[channel.id, nonce] = self.now(), int(stored["id"])
        message = Message(
            at=self.now(),
            channel_id=channel.id,
            message_id=int(stored["id"]),
            content=body.get("content") or "",
            embeds=tuple(body.get("embeds") or ()),
            components=tuple(body.get("components") or ()),
            nonce=nonce,
            flags=body.get("flags") or 0,
            allowed_mentions=body.get("allowed_mentions"),
        )
        self.messages.append(message)
        if self.on_accept:
            self.on_accept(message)
        # The nonce is echoed to who just sent it; the history does not keep it.
        self._announce("MESSAGE_CREATE", stored | {"nonce": nonce})
        return _answer(stored | {"nonce": nonce})

    async def _get_message(self, request: web.Request) -> web.Response:
        return _answer(self._in_channel(request))

    async def _patch_message(self, request: web.Request) -> web.Response:
        message = self._in_channel(request)
        return _answer(self._edit(message, await self._body(request)))

    async def _delete_message(self, request: web.Request) -> web.Response:
        self._remove(self._in_channel(request))
        return web.Response(status=NO_CONTENT)

    def _in_channel(self, request: web.Request) -> Json:
        channel = self._visible(request)
        message = self._stored.get(int(request.match_info["message"]))
        if message is None or int(message["channel_id"]) != channel.id or message["flags"] & EPHEMERAL:
            raise RefusalError(10008)
        return message

    def _store(self, channel: Channel, body: Json, flags: int = 0, of: Interaction | None = None) -> Json:
        message: Json = {
            "id": str(self._snowflake()),
            "channel_id": str(channel.id),
            "author": self._user_json(self.application_id),
            "content": (body.get("content") or "").strip(),
            "timestamp": datetime.fromtimestamp(self.now(), UTC).isoformat(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": body.get("attachments") or [],
            "embeds": [{"type": "rich"} | embed for embed in body.get("embeds") or []],
            "components": body.get("components") or [],
            "pinned": False,
            "type": 0,
            "flags": (body.get("flags") or 0) | flags,
        }
        if of:
            message |= {"type": 20, "application_id": str(self.application_id)}
        self._stored[int(message["id"])] = message
        return message

    def _edit(self, message: Json, body: Json, prefix: str = "") -> Json:
        given = {key: body[key] for key in ("content", "embeds", "components", "attachments") if key in body}
        kept = message["flags"] & ~LOADING
        changed = message | given | {"flags": kept | (body.get("flags") or 0) & (COMPONENTS_V2 | SUPPRESS_EMBEDS)}
        check_message(changed | {"allowed_mentions": body.get("allowed_mentions")}, prefix)
        changed["content"] = (changed["content"] or "").strip()
        changed["embeds"] = [{"type": "rich"} | embed for embed in changed["embeds"] or []]
        changed["components"] = changed["components"] or []
        changed["edited_timestamp"] = datetime.fromtimestamp(self.now(), UTC).isoformat()
        message.update(changed)
        self._announce("MESSAGE_UPDATE", message)
        return message

    def _remove(self, message: Json) -> None:
        del self._stored[int(message["id"])]
        self._announce("MESSAGE_DELETE", {key: message[key] for key in ("id", "channel_id", "flags")})

    def _announce(self, event: str, message: Json) -> None:
        if message["flags"] & EPHEMERAL:
            return
        guild_id = self._channels[int(message["channel_id"])].guild_id
        if guild_id is None:
            self._dispatch(event, message, None, DIRECT_MESSAGES)
        else:
            self._dispatch(event, message | {"guild_id": str(guild_id)}, guild_id, GUILD_MESSAGES)

    # Commands and interactions.

    def _scope(self, request: web.Request) -> int | None:
        guild_id = request.match_info.get("guild")
        if guild_id is None:
            return None
        if int(guild_id) not in self._guilds:
            raise RefusalError(50001)
        return int(guild_id)

    def _register(self, scope: int | None, command: Json) -> Json:
        old = next((c for c in self.commands.get(scope, []) if c["name"] == command["name"]), None)
        registered = {
            "type": 1,
            "description": "",
            "options": [],
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            "contexts": None,
            "integration_types": [0],
            **command,
            "id": old["id"] if old else str(self._snowflake()),
            "application_id": str(self.application_id),
            "version": str(self._snowflake()),
        }
        return registered if scope is None else registered | {"guild_id": str(scope)}

    async def _get_commands(self, request: web.Request) -> web.Response:
        return _answer(self.commands.get(self._scope(request), []))

    async def _put_commands(self, request: web.Request) -> web.Response:
        scope, commands = self._scope(request), await request.json()
        wrongs = [wrong for at, each in enumerate(commands) for wrong in command_errors(each, f"{at}.")]
        names = [(each.get("name"), each.get("type", 1)) for each in commands]
        if len(set(names)) < len(names):
            wrongs.append(("", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"))
        wrongs += _size("", commands, COMMANDS)
        if wrongs:
            raise RefusalError(50035, error_tree(wrongs))
        self.commands[scope] = [self._register(scope, each) for each in commands]
        return _answer(self.commands[scope])

    async def _post_command(self, request: web.Request) -> web.Response:
        scope, command = self._scope(request), await self._body(request)
        if errors := error_tree(command_errors(command)):
            raise RefusalError(50035, errors)
        registered = self._register(scope, command)
        others = [each for each in self.commands.get(scope, []) if each["id"] != registered["id"]]
        created = len(others) == len(self.commands.get(scope, []))
        self.commands[scope] = [*others, registered]
        return _answer(registered, 201 if created else 200)

    async def _delete_command(self, request: web.Request) -> web.Response:
        scope = self._scope(request)
        kept = [c for c in self.commands.get(scope, []) if c["id"] != request.match_info["command"]]
        if len(kept) == len(self.commands.get(scope, [])):
            raise RefusalError(10063)
        self.commands[scope] = kept
        return web.Response(status=NO_CONTENT)

    def _may_see(self, command: Json, channel: Channel, user_id: int) -> None:
        contexts = command["contexts"] or ([0, 1] if command["dm_permission"] else [0])
        needed = int(command["default_member_permissions"] or 0)
        held = self._permissions(channel, user_id)
        if (0 if channel.guild_id else 1) not in contexts or (channel.guild_id and needed & ~held):
            raise LookupError(f"{command['name']!r} is not shown to {user_id} here")

    def _given(
        self,
        specs: list[Json],
        options: Mapping[str, Any],
        focused: str | None,
        channel: Channel,
        user_id: int,
        resolved: Json,
    ) -> list[Json]:
        by_name = {spec["name"]: spec for spec in specs}
        missing = {spec["name"] for spec in specs if spec.get("required")} - options.keys()
        if (missing and not focused) or options.keys() - by_name.keys():
            raise ValueError(f"options {sorted(options)} do not fit {sorted(by_name)}; missing {sorted(missing)}")
        given = []
        for name, value in options.items():
            spec = by_name[name]
            if name == focused:
                given.append({"name": name, "type": spec["type"], "value": value, "focused": True})
                continue
            fits = {3: str, 5: bool, 10: int | float}.get(spec["type"], int)
            choices = [choice["value"] for choice in spec.get("choices") or []]
            least = spec.get("min_length") if spec["type"] == 3 else spec.get("min_value")
            most = spec.get("max_length") if spec["type"] == 3 else spec.get("max_value")
            size = len(value) if isinstance(value, str) else value
            if (
                not isinstance(value, fits)
                or (choices and value not in choices)
                or (least is not None and size < least)
                or (most is not None and size > most)
            ):
                raise ValueError(f"{value!r} does not fit the option {name!r}")
            if spec["type"] == 6:
                resolved.setdefault("users", {})[str(value)] = self._user_json(int(value))
                if channel.guild_id:
                    member = self._member_json(channel.guild_id, int(value))
                    resolved.setdefault("members", {})[str(value)] = member
            if spec["type"] == 7:
                partial = self._partial_channel(self._channels[int(value)], user_id)
                resolved.setdefault("channels", {})[str(value)] = partial
            sent = str(value) if spec["type"] in (6, 7, 8) else value
            given.append({"name": name, "type": spec["type"], "value": sent})
        return given

    def _interact(
        self, kind: int, channel: Channel, user_id: int, data: Json, message: Json | None = None
    ) -> Interaction:
        interaction_id, user = self._snowflake(), self._users[user_id]
        token = f"interaction-{interaction_id}"
        payload: Json = {
            "id": str(interaction_id),
            "application_id": str(self.application_id),
            "type": kind,
            "data": data,
            "channel": self._partial_channel(channel, user_id),
            "channel_id": str(channel.id),
            "token": token,
            "version": 1,
            "app_permissions": str(MEMBER & ~channel.denied),
            "locale": user.locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
            "context": 0 if channel.guild_id else 1,
            "attachment_size_limit": 10 * 2**20,
        }
        if message:
            payload["message"] = message
        if channel.guild_id:
            self._guilds[channel.guild_id].managers.setdefault(user_id, False)
            held = {"permissions": str(self._permissions(channel, user_id))}
            payload |= {
                "guild_id": str(channel.guild_id),
                "guild": {"id": str(channel.guild_id), "locale": "en-US", "features": []},
                "guild_locale": "en-US",
                "member": self._member_json(channel.guild_id, user_id) | held,
            }
        else:
            payload["user"] = self._user_json(user_id)
        interaction = Interaction(interaction_id, token, self.now(), channel.id, user_id, payload)
        self._interactions[token] = interaction
        self._dispatch("INTERACTION_CREATE", payload, channel.guild_id)
        return interaction

    async def _post_callback(self, request: web.Request) -> web.Response:
        interaction = self._interactions.get(request.match_info["token"])
        if interaction is None or interaction.id != int(request.match_info["interaction"]):
            raise RefusalError(10062)
        if interaction.answered:
            raise RefusalError(40060)
        if self.now() - interaction.at > ANSWER_WITHIN:
            raise RefusalError(10062)
        body = await self._body(request)
        message = self._callback(interaction, body["type"], body.get("data") or {})
        interaction.answered = True
        if request.query.get("with_response") not in ("1", "true"):
            return web.Response(status=NO_CONTENT)
        answer: Json = {"interaction": {"id": str(interaction.id), "type": interaction.payload["type"]}}
        if message:
            answer["interaction"] |= {
                "response_message_id": message["id"],
                "response_message_loading": bool(message["flags"] & LOADING),
                "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
            }
            answer["resource"] = {"type": body["type"], "message": message}
        return _answer(answer)

    def _callback(self, interaction: Interaction, kind: int, data: Json) -> Json | None:
        channel, source = self._channels[interaction.channel_id], interaction.payload.get("message")
        ephemeral = (data.get("flags") or 0) & EPHEMERAL
        if kind == 4:
            check_message(data, "data.")
            message = self._store(channel, data, of=interaction)
            interaction.replies.append(message)
            self._announce("MESSAGE_CREATE", message)
        elif kind == 5:
            message = self._store(channel, {}, LOADING | ephemeral, of=interaction)
        elif kind in (6, 7) and source:
            message = self._stored[int(source["id"])]
            if kind == 7:
                interaction.replies.append(self._edit(message, data, "data."))
        elif kind == 8 and interaction.payload["type"] == 4:
            self._check(_size("data.choices", data.get("choices"), CHOICES))
            interaction.replies.append(data)
            return None
        elif kind == 9:
            self._check(_size("data.title", data.get("title"), 45, least=1))
            self._check(_size("data.custom_id", data.get("custom_id"), CUSTOM_ID, least=1))
            self._check(_size("data.components", data.get("components"), 5, least=1))
            interaction.replies.append(data)
            return None
        else:
            self._check([("type", "BASE_TYPE_CHOICES", f"Type {kind} does not answer this interaction.")])
            return None
        interaction.original = int(message["id"])
        return message if kind in (4, 5, 7) else None

    def _check(self, wrongs: Iterable[Wrong]) -> None:
        if errors := error_tree(wrongs):
            raise RefusalError(50035, errors)

    def _hooked(self, request: web.Request) -> Interaction:
        interaction = self._interactions.get(request.match_info["token"])
        ours = int(request.match_info["app"]) == self.application_id
        if interaction is None or not ours or not interaction.answered:
            raise RefusalError(10015)
        if self.now() - interaction.at > TOKEN_LIVES:
            raise RefusalError(50027)
        return interaction

    def _reply(self, request: web.Request) -> tuple[Interaction, Json]:
        interaction, wanted = self._hooked(request), request.match_info["message"]
        message_id = interaction.original if wanted == "@original" else int(wanted)
        own = {interaction.original, *(int(each["id"]) for each in interaction.replies if "id" in each)}
        if message_id is None or message_id not in own or message_id not in self._stored:
            raise RefusalError(10008)
        return interaction, self._stored[message_id]

    async def _post_followup(self, request: web.Request) -> web.Response:
        interaction = self._hooked(request)
        body = await self._body(request)
        waiting = self._stored.get(interaction.original or 0)
        if waiting and waiting["flags"] & LOADING:
            # The first follow-up of a deferred answer takes its place.
            message = self._edit(waiting, body)
        else:
            check_message(body)
            message = self._store(self._channels[interaction.channel_id], body, of=interaction)
            self._announce("MESSAGE_CREATE", message)
        interaction.replies.append(message)
        return _answer(message)

    async def _get_reply(self, request: web.Request) -> web.Response:
        return _answer(self._reply(request)[1])

    async def _patch_reply(self, request: web.Request) -> web.Response:
        interaction, message = self._reply(request)
        interaction.replies.append(self._edit(message, await self._body(request)))
        return _answer(message)

    async def _delete_reply(self, request: web.Request) -> web.Response:
        self._remove(self._reply(request)[1])
        return web.Response(status=NO_CONTENT)

    # How things look on the wire.

    def _snowflake(self) -> int:
        moment = max(0, int(self.now() * 1_000) - EPOCH_MS) << 22
        self._last_id = max(self._last_id + 1, moment)
        return self._last_id

    def _permissions(self, channel: Channel, user_id: int) -> int:
        guild = self._guilds.get(channel.guild_id or 0)
        return MEMBER | (MANAGE_GUILD if guild and guild.managers.get(user_id) else 0)

    def _user_json(self, user_id: int) -> Json:
        user = self._users[user_id]
        return {
            "id": str(user.id),
            "username": user.name.lower(),
            "global_name": user.name,
            "discriminator": "0",
            "avatar": None,
            "bot": user.id == self.application_id,
            "public_flags": 0,
        }

    def _member_json(self, guild_id: int, user_id: int) -> Json:
        manager = self._guilds[guild_id].managers.get(user_id)
        return {
            "user": self._user_json(user_id),
            "nick": None,
            "avatar": None,
            "roles": [str(guild_id + 1)] if manager else [],
            "joined_at": "2024-01-01T00:00:00+00:00",
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": None,
        }

    def _role_json(self, role_id: int, name: str, permissions: int, position: int) -> Json:
        return {
            "id": str(role_id),
            "name": name,
            "permissions": str(permissions),
            "position": position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }

    def _guild_json(self, guild_id: int) -> Json:
        inside = [channel for channel in self._channels.values() if channel.guild_id == guild_id]
        return {
            "id": str(guild_id),
            "name": self._guilds[guild_id].name,
            "owner_id": "1",
            "icon": None,
            "large": False,
            "member_count": len(self._guilds[guild_id].managers) + 1,
            "preferred_locale": "en-US",
            "features": [],
            "emojis": [],
            "stickers": [],
            "verification_level": 0,
            "default_message_notifications": 0,
            "roles": [
                self._role_json(guild_id, "@everyone", MEMBER, 0),
                self._role_json(guild_id + 1, "Managers", MANAGE_GUILD, 1),
            ],
            "members": [self._member_json(guild_id, self.application_id)],
            "channels": [self._channel_json(each.id) for each in inside if each.type not in THREADS],
            "threads": [self._channel_json(each.id) for each in inside if each.type in THREADS],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }

    def _channel_json(self, channel_id: int) -> Json:
        channel = self._channels[channel_id]
        shown: Json = {"id": str(channel.id), "type": channel.type, "last_message_id": None, "flags": 0}
        if channel.recipient is not None:
            return shown | {"recipients": [self._user_json(channel.recipient)]}
        denied = {"id": str(self.application_id), "type": 1, "allow": "0", "deny": str(channel.denied)}
        shown |= {
            "guild_id": str(channel.guild_id),
            "name": channel.name,
            "position": 0,
            "parent_id": None if channel.parent_id is None else str(channel.parent_id),
            "permission_overwrites": [denied],
            "topic": None,
            "nsfw": False,
            "rate_limit_per_user": 0,
        }
        if channel.type == FORUM:
            shown |= {"available_tags": [], "default_reaction_emoji": None, "default_forum_layout": 0}
        if channel.type in THREADS:
            shown |= {
                "owner_id": str(self.application_id),
                "message_count": 0,
                "member_count": 1,
                "total_message_sent": 0,
                "thread_metadata": {
                    "archived": False,
                    "locked": False,
                    "auto_archive_duration": 10_080,
                    "archive_timestamp": "2024-01-01T00:00:00+00:00",
                },
            }
        return shown

    def _partial_channel(self, channel: Channel, user_id: int) -> Json:
        return self._channel_json(channel.id) | {"permissions": str(self._permissions(channel, user_id))}

    # The gateway.

    def _dispatch(self, event: str, data: Any, guild_id: int | None, intent: int = 0) -> None:
        for session in self._sessions.values():
            if session.serves(guild_id) and (not intent or session.intents & intent):
                session.dispatch(event, data)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        outbox: asyncio.Queue[str | int] = asyncio.Queue()
        # Clients take plain text too: a compression that this server does not speak is simply not used.
        zipped = request.query.get("compress") == "zlib-stream"
        sending = asyncio.create_task(self._send(ws, outbox, zlib.compressobj() if zipped else None))
        outbox.put_nowait(json.dumps({"op": 10, "d": {"heartbeat_interval": self.heartbeat_ms}}))
        session: _Session | None = None
        try:
            async for frame in ws:
                payload = json.loads(frame.data)
                session = self._hear(payload["op"], payload.get("d"), outbox) or session
                self._changed.set()
        finally:
            sending.cancel()
            if session and session.outbox is outbox:
                session.outbox = None
            self._changed.set()
        return ws

    async def _send(self, ws: web.WebSocketResponse, outbox: "asyncio.Queue[str | int]", compressor: Any) -> None:
        while True:
            item = await outbox.get()
            if isinstance(item, int):
                await ws.close(code=item)
            elif compressor:
                await ws.send_bytes(compressor.compress(item.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))
            else:
                await ws.send_str(item)

    def _hear(self, op: int, data: Any, outbox: "asyncio.Queue[str | int]") -> _Session | None:
        match op:
            case 1:
                outbox.put_nowait(json.dumps({"op": 11}))
            case 2 | 6 if data["token"] != self.token:
                outbox.put_nowait(4004)
            case 2 if data["intents"] & PRIVILEGED:
                self.violations.append(f"privileged intents asked for: {data['intents'] & PRIVILEGED:#x}")
                outbox.put_nowait(4014)
            case 2:
                return self._identify(data, outbox)
            case 6:
                return self._resume(data, outbox)
            case 3 | 4 | 8:
                pass
            case _:
                outbox.put_nowait(4001)
        return None

    def _identify(self, data: Json, outbox: "asyncio.Queue[str | int]") -> _Session:
        index, count = data.get("shard", (0, 1))
        # A process that starts anew does not come back for what its predecessor missed.
        lost = [key for key, old in self._sessions.items() if old.outbox is None and old.shard == (index, count)]
        for key in lost:
            del self._sessions[key]
        session = _Session(f"session-{self._snowflake()}", data["intents"], (index, count), outbox)
        self._sessions[session.id] = session
        served = [guild_id for guild_id in self._guilds if session.serves(guild_id)]
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": self._user_json(self.application_id),
                "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in served],
                "private_channels": [],
                "session_id": session.id,
                "resume_gateway_url": self.gateway_url,
                "shard": [index, count],
                "application": {"id": str(self.application_id), "flags": 0},
            },
        )
        for guild_id in served if session.intents & GUILDS else ():
            # A guild that the bot joins later comes without this key: so clients tell the two apart.
            session.dispatch("GUILD_CREATE", self._guild_json(guild_id) | {"unavailable": False})
        return session

    def _resume(self, data: Json, outbox: "asyncio.Queue[str | int]") -> _Session | None:
        session = self._sessions.get(data["session_id"])
        if session is None:
            outbox.put_nowait(json.dumps({"op": 9, "d": False}))
            return None
        session.outbox = outbox
        for event in session.events[data["seq"] :]:
            outbox.put_nowait(event)
        session.dispatch("RESUMED", {})
        return session
