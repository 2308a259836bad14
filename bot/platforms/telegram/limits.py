"""Telegram's numbers.

Sources: https://core.telegram.org/bots/api#sendmessage (text), MessageLimit and InlineKeyboardMarkupLimit in
telegram.constants (entities and buttons, which Telegram does not document),
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this (rates).
"""

from datetime import timedelta

from bot.delivery.port import Pace

TEXT_LIMIT = 4_096
"""UTF-16 units of a message, counted after its markup is parsed."""
ENTITY_LIMIT = 100
"""Formatted stretches of a message; markup beyond them is dropped in silence."""
BUTTON_LIMIT = 100
"""Buttons below one message, at most 8 in a row."""
BUTTONS_A_ROW = 3
"""Ours: a phone shows no more labels side by side in full."""

GENERAL_TOPIC = 1
"""A forum's General topic, which is written to as if there were no topics."""

# A little more than 1 message a second in a chat, 20 a minute in a group, 30 a second overall: what counts is when
# Telegram takes a message, and the network may move two of them closer together.
PACE = Pace(
    per_chat=timedelta(seconds=1.05),
    per_group=(20, timedelta(seconds=61)),
    overall=(28, timedelta(seconds=1.05)),
)
