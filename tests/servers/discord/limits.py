"""Discord's numbers and error codes, from its own documents, and the refusals that carry them."""

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
TOKEN = "bot-token"

# https://docs.discord.com/developers/resources/message
CONTENT = 2_000
EMBEDS, EMBEDS_TEXT = 10, 6_000
NONCE = 25
HISTORY = 100
# https://docs.discord.com/developers/reference#uploading-files
FILES, FILE_BYTES = 10, 10 * 2**20
"""Of a message, and of each: what servers without boosts and direct messages take."""
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
MANAGE_GUILD, VIEW, SEND, EMBED, READ_HISTORY, SEND_IN_THREADS = 1 << 5, 1 << 10, 1 << 11, 1 << 14, 1 << 16, 1 << 38
MENTION_ROLES = 1 << 17
"""Mention @everyone, @here and all roles."""
MEMBER = VIEW | SEND | EMBED | READ_HISTORY | SEND_IN_THREADS | 1 << 15 | 1 << 31
"""What everyone may do: also attach files, use commands."""
DM, FORUM = 1, 15
THREADS = (10, 11, 12)
SHARD_GUILDS = 2_500
"""https://docs.discord.com/developers/events/gateway#sharding"""

EPOCH_MS = 1_420_070_400_000
"""2015-01-01, from which snowflakes count: https://docs.discord.com/developers/reference#snowflakes"""

FAILURES: Mapping[int, tuple[int, str]] = {
    401: (401, "401: Unauthorized"),
    500: (500, "500: Internal Server Error"),
    502: (502, "502: Bad Gateway"),
    503: (503, "503: Service Unavailable"),
    504: (504, "504: Gateway Timeout"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    40005: (413, "Request entity too large"),
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


SENDING_FAILS = (
    *(401, 500, 502, 503, 504, 10003, 10004, 10015, 40003, 40067, 50001, 50007, 50013, 50027, 50035, 50083, 50278),
    *(160005, 200000, 240000),
)
ALL_FAULTS: tuple[int | str, ...] = (
    *SENDING_FAILS,
    *("rate", "rate_global", "rate_without_via", "reset_before", "reset_after", "502_after"),
    *("stall_before", "stall_after"),
)
"""Everything that a bot which sends a message has to survive, by the names that `fail_next` takes."""


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
