"""The history of a channel: is a message there that nobody confirmed to us?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import discord
from discord.utils import time_snowflake

from bot.platforms.discord import limits

PAGES = 10
"""How far it is read. What was sent stands at its beginning, so that only a very lively channel has more before it."""
CLOCK_SKEW = timedelta(minutes=1)
"""By how much our clock may be ahead of Discord's."""


async def find(client: discord.Client, address: str, sent: Mapping[str, Any], since: datetime) -> str | None:
    """The id of our own message with the content of `sent` among those since then, oldest page first.

    Raises what `client.http` raises. A bot that may not read the history gets an empty one.
    https://discord.com/developers/docs/resources/message#get-channel-messages
    """
    assert client.user is not None
    after = time_snowflake(since - CLOCK_SKEW)
    for _ in range(PAGES):
        page: list[Any] = list(await client.http.logs_from(address, limits.HISTORY_PAGE, after=after))
        for message in page:
            # Answers to commands are ours too, but were never in the outbox: they come by a webhook.
            is_ours = int(message["author"]["id"]) == client.user.id and "webhook_id" not in message
            if is_ours and is_same(message, sent):
                return str(message["id"])
        if len(page) < limits.HISTORY_PAGE:
            break
        after = max(int(message["id"]) for message in page)
    return None


def is_same(shown: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether a message of the history is what was sent. The nonce would say so, but the history does not keep it."""
    # Behind our own embeds stand the previews that Discord makes of links.
    own = len(sent["embeds"])
    return _essence({**shown, "embeds": shown["embeds"][:own]}) == _essence(sent)


def _essence(message: Mapping[str, Any]) -> tuple[object, ...]:
    """What Discord gives back as it got it: no defaults, no white space, of which it trims some."""
    embeds = [
        (
            *(_bare(embed.get(key)) for key in ("title", "description", "url")),
            _bare((embed.get("footer") or {}).get("text")),
        )
        for embed in message["embeds"]
    ]
    buttons = [button.get("custom_id") for row in message["components"] for button in row.get("components", ())]
    return _bare(message["content"]), embeds, buttons


def _bare(text: str | None) -> str:
    return "".join((text or "").split())
