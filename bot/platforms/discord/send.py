"""Sending: a rendered message to a channel, and what became of it."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import aiohttp
import discord
from discord.http import HTTPClient, Route

from bot.delivery.port import Gone, Outcome, Pace, Refused, Sent, Uncertain, Wait
from bot.platforms.discord import limits

ANSWER_WITHIN = timedelta(minutes=2)
"""Room for what discord.py does by itself: its retries of a 5xx take 25 seconds, a rate limit it sits out up to 30."""

_OFFLINE = Wait("not connected to Discord", after=timedelta(seconds=10), whole_platform=True)

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
_GONE = {
    10003: "the channel is no more",
    10004: "the server is no more",
    40067: "the channel is a forum that wants a tag",
    50001: "the bot was removed, or may not see the channel",
    50007: "the person takes no direct messages",
    50008: "nothing can be written in this kind of channel",
    50013: "the bot may not write here",
    50083: "the thread is archived",
    50278: "the person shares no server with the bot",
    160005: "the thread is locked",
}


class DiscordPlatform:
    """Discord as delivery sees it. `http` gives the logged-in client's wire; None while there is none."""

    pace = Pace(per_chat=limits.PER_CHANNEL, per_group=None, overall=limits.OVERALL)

    def __init__(self, http: Callable[[], HTTPClient | None]) -> None:
        self._http = http

    async def send(self, address: str, payload: str, key: str) -> Outcome:
        """Send a payload of `render` to a channel id. Discord answers a `key` that it knows with the first message."""
        http = self._http()
        if http is None:
            return _OFFLINE
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=address)
        body = json.loads(payload) | {"nonce": nonce_of(key), "enforce_nonce": True}
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                message = await http.request(route, json=body)
        except Exception as error:
            return classify(error)
        return Sent(str(message["id"]))


def nonce_of(key: str) -> str:
    """A key within Discord's length: itself, or where it is too long a digest of it."""
    return key if len(key) <= limits.NONCE else sha256(key.encode()).hexdigest()[: limits.NONCE]


def classify(error: Exception) -> Outcome:  # noqa: PLR0911 -- a table: one return a row
    """What a failed send means. Where an answer is missing it goes again: for minutes the nonce makes that harmless."""
    match error:
        case discord.RateLimited(retry_after=seconds):
            return Wait(str(error), after=timedelta(seconds=seconds))
        case discord.DiscordServerError():
            return Uncertain(str(error))
        case discord.HTTPException(status=401):
            return Wait("Discord refuses the token", after=limits.BAN_LASTS, whole_platform=True)
        case discord.HTTPException(status=429):
            # discord.py sits out those of Discord itself; what comes through is a ban by the edge before it.
            return Wait("Discord wants no requests from here", after=limits.BAN_LASTS, whole_platform=True)
        case discord.HTTPException(code=code) if code in _GONE:
            return Gone(_GONE[code])
        case discord.HTTPException(status=400):
            return Refused(str(error))
        case discord.HTTPException():
            return Wait(str(error))
        case aiohttp.ClientConnectorError():
            return Wait("no connection to Discord")
        case _:
            return Uncertain(f"no answer from Discord ({type(error).__name__})")
