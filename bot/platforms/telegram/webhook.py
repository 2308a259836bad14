"""The webhook: where Telegram brings updates instead of being asked for them (https://core.telegram.org/bots/api#setwebhook)."""

import hmac
import json
from hashlib import sha256

from telegram import Bot, Update

PATH = "/telegram/webhook"
"""Below the public address of the web role."""
CONNECTIONS = 40
"""That Telegram opens at most; its own default, which many chats' updates fit through."""


def secret_of(token: str) -> str:
    """What Telegram says with each update, so that we know it: the same on all machines that have the token."""
    return hmac.new(token.encode(), b"paperwire webhook", sha256).hexdigest()


def is_secret_of(token: str, said: str) -> bool:
    """Whether it was said, found out in a time that tells nothing of how much of it was right."""
    return hmac.compare_digest(said.encode(), secret_of(token).encode())


def update_in(body: bytes, bot: Bot) -> Update | None:
    """The update that a request brings; None: it brings none."""
    try:
        content = json.loads(body)
        return Update.de_json(content, bot) if isinstance(content["update_id"], int) else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
