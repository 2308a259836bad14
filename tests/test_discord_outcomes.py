"""What each of Discord's failures means, and what goes in place of a message that it calls malformed."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict

from bot.cards.reply import Button, Card, Reply
from bot.delivery.port import Gone, Instead, Outcome, Refused, Shut, Uncertain, Wait
from bot.platforms.discord.instead import instead
from bot.platforms.discord.render import render
from bot.platforms.discord.send import classify
from bot.platforms.discord.wire import InvalidRequests
from tests.servers.discord import check_message

HELLO = render(Reply("Hello"))[0]
CARDS = tuple(
    Card(
        paper_id=f"2502.1458{number}",
        number=number,
        title=f"Vision *Transformers* {number}",
        url=f"https://arxiv.org/abs/2502.1458{number}",
        second_title=None,
        byline="Ada Lovelace",
        categories="cs.CV",
        tags=(),
        tldrs=("It learns from few images.",),
        takeaways=(),
        comment=None,
        links=(),
        badge="extract_v1",
        buttons=(Button("Abstract", f"abstract:{number}"),),
    )
    for number in range(1, 6)
)
(DIGEST,) = render(Reply("5 papers\n\nSee https://arxiv.org", "Digest", CARDS))

# The whole table.


def http_error(status: int, code: int = 0, errors: Any = None, **headers: str) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="", headers=CIMultiDict(headers))
    kind = discord.DiscordServerError if status >= 500 else discord.HTTPException
    return kind(response, {"code": code, "message": "no", "errors": errors})


NO_ROUTE = aiohttp.ClientConnectorError(ConnectionKey("x", 443, True, True, None, None, None), OSError("no route"))
TOO_MUCH = {"embeds": {"_errors": [{"code": "MAX_EMBED_SIZE_EXCEEDED", "message": "exceeds 6000"}]}}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (http_error(404, 10003), Gone("the channel is no more")),
        (http_error(404, 10004), Gone("the server is no more")),
        (http_error(404, 10015), Gone("the webhook is no more")),
        (http_error(401, 50027), Gone("the webhook's token is no more")),
        (http_error(403, 50001), Shut("the bot was removed, or may not see the channel")),
        (http_error(403, 50013), Shut("the bot may not write here")),
        (http_error(403, 50007), Gone("the person takes no direct messages")),
        (http_error(403, 50278), Gone("the person shares no server with the bot")),
        (http_error(403, 40003), Wait("direct messages are opened too fast", timedelta(minutes=10))),
        (http_error(400, 50008), Gone("nothing can be written in this kind of channel")),
        (http_error(400, 50083), Shut("the thread is archived")),
        (http_error(400, 160005), Shut("the thread is locked")),
        (http_error(400, 40067), Shut("the channel is a forum that wants a tag")),
        (http_error(400, 200000), Refused("the server's automatic moderation blocked it", "filtered")),
        (http_error(400, 240000), Refused("Discord takes a link in it for harmful", "filtered")),
        (http_error(401), Wait("Discord refuses the token", timedelta(minutes=10), True, "token")),
        (http_error(429), Wait("Discord wants no requests from here", timedelta(minutes=10), True, "banned")),
        (
            http_error(429, **{"Retry-After": "3600"}),
            Wait("Discord wants no requests from here", timedelta(hours=1), True, "banned"),
        ),
        (
            http_error(429, **{"Retry-After": "1.5", "Via": "1.1 google"}),
            Wait("too many requests", timedelta(seconds=1.5)),
        ),
        (NO_ROUTE, Wait("no connection to Discord")),
    ],
)
def test_every_failure_has_its_outcome(error: Exception, outcome: Outcome) -> None:
    assert classify(error, HELLO) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (http_error(400, 50035, TOO_MUCH), Instead),
        (http_error(400, 50006), Refused),
        (http_error(400, 12345), Refused),
        (http_error(413, 40005), Refused),
        (http_error(403, 50009), Shut),
        (http_error(403), Wait),
        (http_error(404), Wait),
        (http_error(400, 40004), Wait),
        (http_error(500), Uncertain),
        (http_error(502), Uncertain),
        (http_error(503), Uncertain),
        (http_error(504), Uncertain),
        (discord.RateLimited(600), Wait),
        (aiohttp.ServerDisconnectedError(), Uncertain),
        (ConnectionResetError(), Uncertain),
        (TimeoutError(), Uncertain),
        (ValueError("no JSON"), Uncertain),
    ],
)
def test_every_other_failure_has_its_kind_of_outcome(error: Exception, outcome: type[Outcome]) -> None:
    assert isinstance(classify(error, DIGEST), outcome)


def test_refused_requests_count_for_ten_minutes() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    invalid = InvalidRequests(at_most=3)
    for minute in (0, 4):
        invalid.add(noon + timedelta(minutes=minute))
    assert invalid.pause(noon + timedelta(minutes=5)) is None
    invalid.add(noon + timedelta(minutes=5))
    assert invalid.pause(noon + timedelta(minutes=5)) == timedelta(minutes=5)
    assert invalid.pause(noon + timedelta(minutes=10)) is None
    invalid.add(noon + timedelta(minutes=11))
    assert invalid.pause(noon + timedelta(minutes=11)) == timedelta(minutes=3)


# Our own mistakes.


def bodies(payloads: tuple[str, ...]) -> list[dict[str, Any]]:
    found = [json.loads(payload) for payload in payloads]
    for body in found:
        check_message(body)
    return found


def test_embeds_that_are_too_much_together_go_in_two_halves() -> None:
    first, second = bodies(instead(DIGEST, str(http_error(400, 50035, TOO_MUCH).text)))
    assert [embed["title"][0] for embed in first["embeds"]] == ["1", "2"]
    assert [embed["title"][0] for embed in second["embeds"]] == ["3", "4", "5"]
    assert first["content"].startswith("**Digest**")
    assert (second["content"], first["components"]) == ("", [])
    assert second["components"] == json.loads(DIGEST)["components"]


@pytest.mark.parametrize(
    "objection", ["Invalid Form Body\nIn embeds.0.url: Not a well formed URL.", "Invalid Form Body"]
)
def test_what_is_wrong_with_a_part_makes_it_plain_and_loses_nothing(objection: str) -> None:
    (body,) = bodies(instead(DIGEST, objection))
    assert (body["embeds"], body["components"], body["allowed_mentions"]) == ([], [], {"parse": []})
    for card in CARDS:
        assert card.url in body["content"]
        assert f"Vision \\*Transformers\\* {card.number}" in body["content"]
    assert "extract\\_v1" in body["content"]


def test_a_long_message_becomes_several_plain_ones() -> None:
    body = {"content": "", "embeds": [{"title": "Long", "description": "word " * 800}], "components": []}
    pieces = [each["content"] for each in bodies(instead(json.dumps(body), ""))]
    assert len(pieces) == 3
    assert " ".join(pieces).split() == ["**Long**", *["word"] * 800]
    long = json.dumps({"content": "word " * 500, "embeds": [], "components": []})
    assert len(bodies(instead(long, "In content: Must be 2000 or fewer in length."))) == 2


def test_what_is_plain_already_is_refused() -> None:
    assert instead(HELLO, "") == ()
    assert isinstance(classify(http_error(400, 50035), HELLO), Refused)
