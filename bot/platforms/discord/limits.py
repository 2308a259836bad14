"""Discord's numbers. Lengths are in code points: https://github.com/discord/discord-api-docs/issues/1315."""

from datetime import timedelta

from bot.delivery.port import Pace, Rate

# https://discord.com/developers/docs/resources/message
CONTENT = 2_000
NONCE = 25
EMBEDS = 10
EMBEDS_TEXT = 6_000
"""Titles, descriptions and footers of all embeds of a message together."""
EMBED_TITLE = 256
EMBED_DESCRIPTION = 4_096
SUPPRESS_EMBEDS = 1 << 2
"""The flag of a message whose links get no preview."""
EPHEMERAL = 1 << 6
"""The flag of an answer that is shown to one person, until they dismiss it."""
HISTORY_PAGE = 100

# https://discord.com/developers/docs/components/reference
BUTTONS_IN_ROW = 5
ROWS = 5
BUTTONS = BUTTONS_IN_ROW * ROWS
BUTTON_LABEL = 80

PACE = Pace(overall=Rate(50, timedelta(seconds=1)), per_chat=Rate(4, timedelta(seconds=5)))
"""50 requests a second over all: https://discord.com/developers/docs/topics/rate-limits. In a channel the answers'
headers say 5 messages in 5 seconds today; should they say less one day, discord.py obeys them underneath. One less than
they say, because discord.py hands over the answer to the last one only when the 5 seconds are over."""

NONCE_LIVES = timedelta(minutes=2)
"""Repeats are noticed for "the past few minutes", by https://discord.com/developers/docs/resources/message
#create-message; three were seen. Two are sure."""

INVALID, INVALID_WINDOW = 2_500, timedelta(minutes=10)
"""10,000 answers of 401, 403 or 429 in ten minutes ban the address:
https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans. We stop at a quarter,
since several processes may share it."""
BAN_LASTS = timedelta(minutes=10)
"""For how long silence is best where Discord refuses the token or the address and does not say how long."""
