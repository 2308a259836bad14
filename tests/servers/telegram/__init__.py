"""The Telegram Bot API as a stub: as strict as the real server, with its texts, its rates and its bad days.

Error texts and forms follow https://github.com/tdlib/telegram-bot-api (Client.cpp, Query.cpp, WebhookActor.cpp) and,
where a text comes from Telegram itself, what bots report; limits follow https://core.telegram.org/bots/api and
/bots/faq.
"""

from .faults import ALL_FAULTS
from .inline import Article, InlineAnswer
from .lean import LeanTelegramStub
from .limits import PER_GROUP_MINUTE, PER_SECOND, PER_SECOND_PAID, TOKEN
from .server import TelegramStub
from .world import Call, Document, Message

__all__ = [
    "ALL_FAULTS",
    "PER_GROUP_MINUTE",
    "PER_SECOND",
    "PER_SECOND_PAID",
    "TOKEN",
    "Article",
    "Call",
    "Document",
    "InlineAnswer",
    "LeanTelegramStub",
    "Message",
    "TelegramStub",
]
