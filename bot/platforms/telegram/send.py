"""Sending: a payload into a chat, and what became of it."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from telegram import Bot, CallbackQuery, InputFile
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from bot.cards.plain import plain
from bot.cards.reply import File, Reply
from bot.config import Telegram
from bot.delivery.port import Gone, Instead, Moved, Outcome, Refused, Sent, Shut, Uncertain, Wait
from bot.platforms.telegram.instead import as_plain, in_parts
from bot.platforms.telegram.limits import GENERAL_TOPIC, LONGEST_ASIDE, PACE, PAID_PACE
from bot.platforms.telegram.render import cut
from bot.platforms.telegram.request import NEVER_LEFT, AiohttpRequest

UNTIL_REPAIRED = timedelta(minutes=10)
UNTIL_ALONE = timedelta(minutes=1)

# What Telegram says where it does not carry out a send, in lower case. Some of it is its own, some the Bot API's:
# https://github.com/tdlib/telegram-bot-api (Client.cpp), https://core.telegram.org/method/messages.sendMessage
_TOPIC_CLOSED = ("message thread not found", "topic_closed", "topic_deleted", "topic_id_invalid")
_UNCHANGED = ("message is not modified",)
_UNPARSED = ("can't parse entities",)
_TOO_LONG = ("message is too long", "message_too_long", "request entity too large")
_NOT_FOUND = ("chat not found", "peer_id_invalid", "channel_private", "channel_invalid")
_NO_RIGHTS = (
    *("not enough rights", "have no rights", "need administrator rights", "chat_write_forbidden", "chat_restricted"),
    *("chat_admin_required", "chat_guest_send_forbidden", "chat_send_plain_forbidden", "user_banned_in_channel"),
    *("allow_payment_required",),
)
_CHAT_OVER = ("group chat was deactivated", "user_is_blocked", "input_user_deactivated", "user is deactivated")
_STARS_USED_UP = ("balance_too_low",)
_SENT_AND_DELETED = ("sent message was immediately deleted",)
_NOT_DONE = ("internal server error", "too many requests")

log = structlog.get_logger(__name__)


class TelegramPlatform:
    """Delivery's port to Telegram."""

    def __init__(self, settings: Telegram) -> None:
        self.pace = PAID_PACE if settings.paid_broadcast else PACE
        self._is_paid = settings.paid_broadcast
        self._request = AiohttpRequest()
        self._bot = Bot(
            settings.token.get_secret_value(), settings.base_url, settings.base_file_url, request=self._request
        )

    async def send(self, address: str, payload: str, key: str, doubt: datetime | None = None) -> Outcome:
        """Send one message. Telegram knows neither keys nor a way to look: what is in doubt may come twice."""
        try:
            return Sent(await _send(self._bot, address, payload, is_paid=self._is_paid))
        except Exception as error:
            outcome = classify(error, address, payload)
        if isinstance(outcome, Instead):
            log.error("telegram.not_taken", key=key, reason=outcome.reason, payload=payload)
        return outcome

    async def stop(self) -> None:
        """Close the connections."""
        await self._request.shutdown()


async def post(bot: Bot, address: str, payload: str, *, is_paid: bool = False) -> None:
    """Send a reply to `chat` or `chat:topic`; as plain text if Telegram cannot parse it. Raises TelegramError."""
    try:
        await _send(bot, address, payload, is_paid=is_paid)
    except BadRequest as error:
        plain = as_plain(payload) if _says(error, _UNPARSED) else None
        if plain is None:
            raise
        log.error("telegram.not_taken", reason=error.message, payload=payload)
        await _send(bot, address, plain, is_paid=is_paid)


async def _send(bot: Bot, address: str, payload: str, *, is_paid: bool) -> str:
    """The message's id. Raises TelegramError, and ValueError or KeyError for what is no payload of ours."""
    chat, topic = _place(address)
    parameters = {
        "chat_id": chat,
        "message_thread_id": topic,
        "allow_paid_broadcast": is_paid or None,
        **_content(payload),
    }
    # `bot.send_message` takes 2.5 times as long, most of it to make objects of the answer, of which we need one number.
    # Spelt as usual the library would advise to take it all the same.
    answer = await bot.do_api_request("send_Message", parameters)
    return str(answer["message_id"])


async def post_file(bot: Bot, address: str, file: File, *, is_paid: bool = False) -> None:
    """Send a file to `chat` or `chat:topic`. Raises TelegramError. https://core.telegram.org/bots/api#senddocument"""
    chat, topic = _place(address)
    document = InputFile(file.text.encode(), filename=file.name)
    await bot.send_document(chat, document, message_thread_id=topic, allow_paid_broadcast=is_paid or None)


async def replace(bot: Bot, chat: int, message: int, payload: str) -> None:
    """Put a payload in a message's place; that it says so already is fine. Raises TelegramError."""
    try:
        await bot.do_api_request("edit_Message_Text", {"chat_id": chat, "message_id": message, **_content(payload)})
    except BadRequest as error:
        if not _says(error, _UNCHANGED):
            raise


async def confirm(pressed: CallbackQuery, reply: Reply | None = None) -> bool:
    """Confirm that a button was pressed; whether that has said all of the answer.

    It may be too old to be confirmed: what it asks for is done all the same.
    https://core.telegram.org/bots/api#answercallbackquery
    """
    says_all = reply is not None and reply.is_aside and not reply.buttons
    text = plain(reply.text) if reply and says_all else ""
    with suppress(TelegramError):
        await pressed.answer(cut(text, LONGEST_ASIDE))
    return says_all


def _place(address: str) -> tuple[int, int | None]:
    """The chat and the topic as Telegram is told them."""
    chat, _, topic = address.partition(":")
    return int(chat), int(topic) if topic and int(topic) != GENERAL_TOPIC else None


def _content(payload: str) -> dict[str, Any]:
    content = json.loads(payload)
    keyboard = [
        [{"text": each["label"], "callback_data": each["action"]} for each in row] for row in content["buttons"]
    ]
    return {
        "text": content["text"],
        "parse_mode": content.get("parse_mode", ParseMode.HTML),
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": keyboard} if keyboard else None,
    }


def classify(error: Exception, address: str, payload: str) -> Outcome:  # noqa: PLR0911 -- a table, a return a row
    """What an error says of a message and its chat.

    5xx: what the Bot API says itself it has not carried out; what a proxy says in its place may have been.
    """
    match error:
        case RetryAfter():
            return Wait(error.message, pause(error))
        case ChatMigrated(new_chat_id=new_id):
            return Moved(str(new_id))
        case InvalidToken() | EndPointNotFound():
            return Wait("Telegram refuses the bot's token", UNTIL_REPAIRED, whole_platform=True, alert="token")
        case Conflict():
            return Wait(error.message, UNTIL_ALONE, whole_platform=True, alert="second_poller")
        case BadRequest() | Forbidden():
            return _refusal(error, address, payload)
        case NetworkError() if isinstance(error.__cause__, NEVER_LEFT):
            return Wait(f"Telegram was not reached ({error.message})")
        case NetworkError() if error.__cause__ is None and _says(error, _SENT_AND_DELETED):
            return Refused(error.message)
        case NetworkError() if error.__cause__ is None and _says(error, _NOT_DONE):
            return Wait(error.message)
        case NetworkError() if _says(error, _TOO_LONG):
            return _shorter(error, payload)
        case TelegramError():
            return Uncertain(error.message)
        case KeyError() | TypeError() | ValueError():
            return Refused(f"no payload of Telegram's: {error!r}")
    return Uncertain(repr(error))


def _refusal(error: BadRequest | Forbidden, address: str, payload: str) -> Outcome:  # noqa: PLR0911 -- the same
    chat, _, topic = address.partition(":")
    if _says(error, _TOPIC_CLOSED):
        return Moved(chat, error.message) if topic else Shut(error.message)
    if _says(error, _UNPARSED):
        plain = as_plain(payload)
        return Instead((plain,), error.message) if plain is not None else Refused(error.message)
    if _says(error, _TOO_LONG):
        return _shorter(error, payload)
    if _says(error, _NOT_FOUND):
        return Shut(error.message, alert=None)
    if _says(error, _NO_RIGHTS):
        return Shut(error.message)
    if isinstance(error, Forbidden) or _says(error, _CHAT_OVER):
        return Gone(error.message)
    if _says(error, _STARS_USED_UP):
        return Wait("the bot's Stars are used up", UNTIL_REPAIRED, whole_platform=True, alert="refused")
    return Refused(error.message)


def _shorter(error: TelegramError, payload: str) -> Outcome:
    parts = in_parts(payload)
    return Instead(parts, error.message) if len(parts) > 1 else Refused(error.message)


def pause(error: RetryAfter) -> timedelta:
    """How long Telegram wants silence."""
    after = error.retry_after
    return after if isinstance(after, timedelta) else timedelta(seconds=after)


def _says(error: TelegramError, texts: tuple[str, ...]) -> bool:
    said = error.message.lower()
    return any(text in said for text in texts)
