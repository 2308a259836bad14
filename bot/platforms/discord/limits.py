"""Discord's numbers. Lengths are in code points: https://github.com/discord/discord-api-docs/issues/1315."""

from datetime import timedelta

# https://discord.com/developers/docs/resources/message
CONTENT = 2_000
NONCE = 25
EMBEDS = 10
EMBEDS_TEXT = 6_000
"""Titles, descriptions and footers of all embeds of a message together."""
EMBED_TITLE = 256
EMBED_DESCRIPTION = 4_096

# https://discord.com/developers/docs/components/reference
BUTTONS_IN_ROW = 5
BUTTONS = 25
BUTTON_LABEL = 80

# https://discord.com/developers/docs/topics/rate-limits: 50 requests a second over all; 5 messages in 5 seconds in a
# channel, as the answers' headers say today. We stay below both.
PER_CHANNEL = timedelta(seconds=1.25)
OVERALL = (40, timedelta(seconds=1))
BAN_LASTS = timedelta(minutes=10)
"""For how long 10,000 requests with a wrong token, or too early, count together: until then silence is best."""
