"""Sending: a rendered message to a channel, and what became of it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

import aiohttp
import discord
from discord.http import HTTPClient, Route

from bot.clock import Clock
from bot.delivery.port import Gone, Instead, Outcome, Refused, Sent, Shut, Uncertain, Wait
from bot.platforms.discord import history, limits
from bot.platforms.discord.connection import DiscordSender
from bot.platforms.discord.instead import instead
from bot.platforms.discord.render import Json
from bot.platforms.discord.wire import Trip

ANSWER_WITHIN = timedelta(minutes=1)
"""Room for what discord.py does by itself: its retries of a 5xx take 25 seconds, a rate limit it sits out up to 30."""

_OFFLINE = Wait("not connected to Discord", after=timedelta(seconds=10), whole_platform=True)
_NO_TOKEN = Wait("Discord refuses the token", after=limits.BAN_LASTS, whole_platform=True, alert="token")
_TOO_MANY_REFUSED = "Discord refused so many requests that it may ban this address: silence for a while"

_MALFORMED, _ARCHIVED = 50035, 50083
# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
_MEANINGS: Mapping[int, Outcome] = {
    10003: Gone("the channel is no more"),
    10004: Gone("the server is no more"),
    10015: Gone("the webhook is no more"),
    40003: Wait("direct messages are opened too fast", after=timedelta(minutes=10)),
    40004: Wait("Discord takes no messages for the time being", after=timedelta(minutes=10)),
    40067: Shut("the channel is a forum that wants a tag"),
    50001: Shut("the bot was removed, or may not see the channel"),
    50007: Gone("the person takes no direct messages"),
    50008: Gone("nothing can be written in this kind of channel"),
    50013: Shut("the bot may not write here"),
    50027: Gone("the webhook's token is no more"),
    50278: Gone("the person shares no server with the bot"),
    _ARCHIVED: Shut("the thread is archived"),
    130000: Wait("Discord is overloaded"),
    160005: Shut("the thread is locked"),
    200000: Refused("the server's automatic moderation blocked it", alert="filtered"),
    240000: Refused("Discord takes a link in it for harmful", alert="filtered"),
}


class DiscordPlatform:
    """Discord as delivery sees it."""

    pace = limits.PACE

    def __init__(self, connection: DiscordSender, clock: Clock, answer_within: timedelta = ANSWER_WITHIN) -> None:
        self._connection = connection
        self._clock = clock
        self._answer_within = answer_within

    async def send(self, address: str, payload: str, key: str, doubt: datetime | None = None) -> Outcome:
        """Send a payload of `render` to a channel id.

        Discord answers a `key` that it remembers with the first message. Where `doubt` is older than that memory, the
        channel's history is asked first.
        """
        now = self._clock.now()
        client = self._connection.client()
        if client is None:
            return _NO_TOKEN if self._connection.token_refused else _OFFLINE
        if pause := self._connection.invalid.pause(now):
            return Wait(_TOO_MANY_REFUSED, after=pause, whole_platform=True, alert="banned")
        # Until this attempt is over the memory has to last.
        if doubt is not None and now - doubt > limits.NONCE_LIVES - self._answer_within:
            found = await self._look(client, address, payload, doubt)
            if found is not None:
                return found
        return await self._post(client.http, address, payload, nonce_of(key))

    async def _look(self, client: discord.Client, address: str, payload: str, doubt: datetime) -> Sent | Wait | None:
        """What the history says; None where the message is not in it or it cannot be read: loss outranks repetition."""
        try:
            async with asyncio.timeout(self._answer_within.total_seconds()):
                found = await history.find(client, address, json.loads(payload), doubt)
        except Exception as error:
            match classify(error, payload):
                case Wait() as wait:
                    return wait
                case Uncertain(reason):
                    return Wait(reason)
                case _:
                    return None
        return None if found is None else Sent(found)

    async def _post(self, http: HTTPClient, address: str, payload: str, nonce: str) -> Outcome:
        trip = Trip()
        try:
            async with asyncio.timeout(self._answer_within.total_seconds()):
                message_id = await put(http, address, payload, nonce, trip)
        except Exception as error:
            match classify(error, payload, limited_everywhere=trip.limited_everywhere):
                # An attempt that ended before it left, and one that ended well before which another was unanswered.
                case Uncertain(reason) if not trip.maybe_taken:
                    return Wait(reason)
                case Wait(reason) | Gone(reason) | Shut(reason) | Refused(reason) | Instead(_, reason) if (
                    trip.maybe_taken
                ):
                    return Uncertain(reason)
                case outcome:
                    return outcome
        return Sent(message_id)


async def put(http: HTTPClient, address: str, payload: str, nonce: str, trip: Trip | None = None) -> str:
    """Post a message, into an archived thread too, which that opens; its id. Raises what `http` raises."""
    body: Json = json.loads(payload) | {"nonce": nonce, "enforce_nonce": True}
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=address)

    async def once() -> str:
        message = await http.request(route, json=body, trace_request_ctx=trip)
        return str(message["id"])

    try:
        return await once()
    except discord.HTTPException as archived:
        if archived.code != _ARCHIVED:
            raise
        try:
            await http.edit_channel(address, archived=False)
        except discord.HTTPException as refused:
            raise (archived if refused.status in (400, 403) else refused) from None
        return await once()


def nonce_of(key: str) -> str:
    """A key within Discord's length: itself, or where it is too long a digest of it."""
    return key if len(key) <= limits.NONCE else sha256(key.encode()).hexdigest()[: limits.NONCE]


def classify(error: Exception, payload: str, *, limited_everywhere: bool = False) -> Outcome:  # noqa: PLR0911 -- a table: one return a row
    """What a failed send of `payload` means.

    Where an answer is missing it goes again: for minutes the nonce makes that harmless. `limited_everywhere` says
    of a rate limit what discord.py's error does not: that it holds for all routes.
    """
    match error:
        case discord.RateLimited(retry_after=seconds):
            return Wait(str(error), after=timedelta(seconds=seconds), whole_platform=limited_everywhere)
        case discord.HTTPException(code=code) if code in _MEANINGS:
            return _MEANINGS[code]
        case discord.HTTPException(code=code) if code == _MALFORMED and (payloads := instead(payload, error.text)):
            return Instead(payloads, str(error))
        case discord.HTTPException(status=401):
            return _NO_TOKEN
        case discord.HTTPException(status=429):
            return _limited(error.response.headers, limited_everywhere)
        case discord.DiscordServerError():
            return Uncertain(str(error))
        case discord.HTTPException(status=403, code=code) if code:
            return Shut(str(error))
        case discord.HTTPException(status=400 | 413):
            return Refused(str(error))
        case discord.HTTPException():
            return Wait(str(error))
        case aiohttp.ClientConnectorError():
            return Wait("no connection to Discord")
        case _:
            return Uncertain(f"no answer from Discord ({type(error).__name__})")


def _limited(headers: Mapping[str, str], limited_everywhere: bool) -> Wait:
    """A 429 that discord.py gave up: from Discord itself after five attempts, else a ban by the edge before it."""
    seconds = headers.get("Retry-After", "")
    after = timedelta(seconds=float(seconds)) if seconds.replace(".", "", 1).isdecimal() else None
    if "Via" in headers:
        return Wait("too many requests", after=after, whole_platform=limited_everywhere)
    return Wait("Discord wants no requests from here", after or limits.BAN_LASTS, whole_platform=True, alert="banned")
