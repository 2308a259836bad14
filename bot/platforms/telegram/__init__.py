"""Telegram: the Bot API through python-telegram-bot."""

import os

# python-telegram-bot 22 warns at every RetryAfter until its spans of time may come as timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "true")
