"""Telegram's numbers.

Sources: https://core.telegram.org/bots/api#sendmessage (text), MessageLimit and InlineKeyboardMarkupLimit in
telegram.constants (entities and buttons, which Telegram does not document),
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this (rates).
"""

from dataclasses import replace
from datetime import timedelta

from bot.delivery.port import Pace, Rate

TEXT_LIMIT = 4_096
"""UTF-16 units of a message, counted after its markup is parsed."""
ENTITY_LIMIT = 100
"""Formatted stretches of a message; markup beyond them is dropped in silence."""
LONGEST_ASIDE = 200
"""Characters shown to who pressed a button, above the chat: https://core.telegram.org/bots/api#answercallbackquery"""
BUTTON_LIMIT = 100
"""Buttons below one message, at most 8 in a row."""
BUTTONS_A_ROW = 3
"""Ours: a phone shows no more labels with a number before them side by side in full."""
BUTTONS_OF_A_CARD = 4
"""Likewise, of those without a number."""
NUMBERS_A_ROW = 6
"""Likewise, of the numbers of a list."""
SIGNS_A_ROW = 5
"""Likewise, of a message's own that are a sign or a number."""

INLINE_RESULTS = 50
"""Of an inline query at once: https://core.telegram.org/bots/api#answerinlinequery"""
INLINE_LONGEST = 256
"""Characters of an inline query: https://core.telegram.org/bots/api#inlinequery"""
INLINE_ABOUT, INLINE_BUTTON = 250, 60
"""Ours: characters of a result's title and description, and of the button above results; more is not seen."""

GENERAL_TOPIC = 1
"""A forum's General topic, which is written to as if there were no topics."""

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)

PACE = Pace(overall=Rate(30, _SECOND), per_chat=Rate(1, _SECOND), per_group=Rate(20, _MINUTE))
PAID_PACE = replace(PACE, overall=Rate(1_000, _SECOND))
"""With `allow_paid_broadcast`, which the bot pays for in Stars. Chats and groups keep their own pace."""
