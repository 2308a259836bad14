"""Sending: a payload into a chat, and what became of it."""

import json
from datetime import timedelta
from functools import partial

import httpx
import structlog
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, Message
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from bot.config import Telegram
from bot.delivery.port import Gone, Moved, Outcome, Refused, Sent, Uncertain, Wait
from bot.platforms.telegram.limits import GENERAL_TOPIC, PACE
from bot.platforms.telegram.render import visible

READ_TIMEOUT = 25.0
"""Seconds. Long, since a message whose answer we do not wait for may have been sent."""
UNTIL_REPAIRED = timedelta(minutes=10)

# What Telegram says of a chat, in lower case, where the message is not at fault.
_CHAT_GONE = (
    *("chat not found", "not enough rights", "have no rights", "need administrator rights", "peer_id_invalid"),
    *("chat_write_forbidden", "chat_restricted", "chat_admin_required", "chat_send_plain_forbidden"),
    *("channel_private", "group chat was deactivated", "user_is_blocked", "input_user_deactivated"),
    *("message thread not found", "topic_closed", "topic_deleted"),
)
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

log = structlog.get_logger(__name__)


class TelegramPlatform:
    """Delivery's port to Telegram."""

    pace = PACE

    def __init__(self, settings: Telegram) -> None:
        self._request = HTTPXRequest(read_timeout=READ_TIMEOUT)
        self._bot = Bot(
            settings.token.get_secret_value(), settings.base_url, settings.base_file_url, request=self._request
        )

    async def send(self, address: str, payload: str, key: str) -> Outcome:
        """Send one message. Telegram has no idempotency key: `key` cannot help it to know a repetition."""
        try:
            message = await post(self._bot, address, payload)
        except Exception as error:
            if isinstance(error, InvalidToken | Conflict):
                log.error("telegram.bot_refused", fix="check the token with @BotFather", key=key)
            return classify(error)
        return Sent(str(message.message_id))

    async def stop(self) -> None:
        """Close the connections."""
        await self._request.shutdown()


async def post(bot: Bot, address: str, payload: str) -> Message:
    """Send a payload to `chat` or `chat:topic`; as plain text if Telegram cannot parse it. Raises TelegramError."""
    chat, _, topic = address.partition(":")
    content = json.loads(payload)
    rows = [
        [InlineKeyboardButton(one["label"], callback_data=one["action"]) for one in row] for row in content["buttons"]
    ]
    send = partial(
        bot.send_message,
        int(chat),
        message_thread_id=int(topic) if topic and int(topic) != GENERAL_TOPIC else None,
        reply_markup=InlineKeyboardMarkup(rows) if rows else None,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    try:
        return await send(text=content["text"], parse_mode=ParseMode.HTML)
    except BadRequest as error:
        if not _says(error, ("can't parse entities",)):
            raise
        log.error("telegram.unparsed", reason=error.message, text=content["text"])
        return await send(text=visible(content["text"]))


def classify(error: Exception) -> Outcome:  # noqa: PLR0911 -- a table, a row for each kind of error
    """What an error of python-telegram-bot says of the message and its chat."""
    match error:
        case RetryAfter():
            return Wait(error.message, pause(error))
        case ChatMigrated():
            return Moved(str(error.new_chat_id))
        case Forbidden():
            return Gone(error.message)
        case InvalidToken() | Conflict():
            return Wait("Telegram refuses the bot's token", UNTIL_REPAIRED, whole_platform=True)
        case BadRequest():
            return Gone(error.message) if _says(error, _CHAT_GONE) else Refused(error.message)
        case NetworkError() if isinstance(error.__cause__, _NEVER_LEFT):
            return Wait(error.message)
        case TelegramError():
            return Uncertain(error.message)
    return Uncertain(repr(error))


def pause(error: RetryAfter) -> timedelta:
    """How long Telegram wants silence."""
    after = error.retry_after
    return after if isinstance(after, timedelta) else timedelta(seconds=after)


def _says(error: BadRequest, texts: tuple[str, ...]) -> bool:
    said = error.message.lower()
    return any(text in said for text in texts)
