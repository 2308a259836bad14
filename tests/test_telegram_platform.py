"""Sending to Telegram: what becomes of a message, against a Bot API server on a real socket."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.cards.reply import Button, Reply
from bot.config import Telegram
from bot.delivery.port import Gone, Instead, Moved, Outcome, Rate, Refused, Sent, Shut, Uncertain, Wait
from bot.platforms.telegram.render import render
from bot.platforms.telegram.send import TelegramPlatform, classify
from tests.servers.telegram import ALL_FAULTS, PER_GROUP_MINUTE, PER_SECOND, PER_SECOND_PAID, TOKEN, TelegramStub

ADA, GROUP, OLD_GROUP = 7, -100, -5
(HELLO,) = render(Reply(title="Hello", text="1 < 2", buttons=(Button("More", "more:1"),)))
PLAIN = json.dumps({"text": "Hello\n1 < 2", "buttons": [[{"label": "More", "action": "more:1"}]], "parse_mode": None})
HALVES = (
    json.dumps({"text": "<b>Hello</b>", "buttons": []}),
    json.dumps({"text": "1 &lt; 2", "buttons": [[{"label": "More", "action": "more:1"}]]}),
)
NO_TOKEN = Wait("Telegram refuses the bot's token", timedelta(minutes=10), whole_platform=True, alert="token")
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


def settings(stub: TelegramStub, **changed: object) -> Telegram:
    here = {"token": SecretStr(TOKEN), "base_url": stub.api_url, "base_file_url": f"{stub.url}/file/bot"}
    return Telegram.model_validate(here | changed)


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub(enforce_rates=False) as stub:
        stub.add_chat(ADA, title="Ada")
        stub.add_chat(GROUP, "supergroup", "Readers", topics=[5])
        stub.add_chat(OLD_GROUP, "group", "Lab")
        yield stub


@pytest.fixture
async def platform(stub: TelegramStub) -> AsyncIterator[TelegramPlatform]:
    platform = TelegramPlatform(settings(stub))
    yield platform
    await platform.stop()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes its time is given up soon."""
    monkeypatch.setattr("bot.platforms.telegram.request.CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr("bot.platforms.telegram.request.READ_TIMEOUT", 0.2)


async def test_a_message_arrives_with_its_buttons_and_without_a_preview(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    outcome = await platform.send(str(ADA), HELLO, "d1/0")
    (message,) = stub.messages
    assert outcome == Sent(str(message.message_id))
    assert (message.chat_id, message.text, message.buttons) == (ADA, "Hello\n1 < 2", [[("More", "more:1")]])
    assert [entity["type"] for entity in message.entities] == ["bold"]
    assert stub.calls[-1].params["link_preview_options"] == {"is_disabled": True}


async def test_a_payload_that_says_so_is_sent_as_it_stands(stub: TelegramStub, platform: TelegramPlatform) -> None:
    payload = json.dumps({"text": "a <b>b</b> &amp;", "buttons": [], "parse_mode": None})
    await platform.send(str(ADA), payload, "k")
    assert [(message.text, message.entities) for message in stub.messages] == [("a <b>b</b> &amp;", [])]


@pytest.mark.parametrize(("address", "thread"), [("-100", None), ("-100:5", 5), ("-100:1", None)])
async def test_a_topic_is_written_to_and_general_as_the_group(
    stub: TelegramStub, platform: TelegramPlatform, address: str, thread: int | None
) -> None:
    assert isinstance(await platform.send(address, HELLO, "k"), Sent)
    assert (stub.messages[0].chat_id, stub.messages[0].thread) == (GROUP, thread)


async def test_the_pace_is_telegrams_own_and_a_paid_broadcast_is_faster_and_says_so(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    assert platform.pace.overall == Rate(PER_SECOND, second)
    assert (platform.pace.per_chat, platform.pace.per_group) == (Rate(1, second), Rate(PER_GROUP_MINUTE, minute))
    await platform.send(str(ADA), HELLO, "k")
    assert "allow_paid_broadcast" not in stub.calls[-1].params

    paid = TelegramPlatform(settings(stub, paid_broadcast=True))
    assert paid.pace.overall == Rate(PER_SECOND_PAID, second)
    await paid.send(str(ADA), HELLO, "k")
    assert stub.calls[-1].params["allow_paid_broadcast"] is True
    await paid.stop()


async def test_a_topic_that_is_no_more_leads_to_its_group(stub: TelegramStub, platform: TelegramPlatform) -> None:
    assert await platform.send("-100:6", HELLO, "k") == Moved("-100", "Message thread not found")
    assert not stub.messages


async def test_what_cannot_be_parsed_is_logged_and_its_text_can_go_instead(
    stub: TelegramStub, platform: TelegramPlatform
) -> None:
    payload = json.dumps({"text": "<p>a &amp; <b>b</b></p>", "buttons": []})
    with capture_logs() as logs:
        outcome = await platform.send(str(ADA), payload, "k")
    assert isinstance(outcome, Instead)
    assert not stub.messages
    assert [(line["event"], line["payload"]) for line in logs] == [("telegram.not_taken", payload)]
    (plain,) = outcome.payloads
    assert isinstance(await platform.send(str(ADA), plain, "k"), Sent)
    assert [message.text for message in stub.messages] == ["a & b"]


async def test_what_is_too_long_goes_in_parts_that_all_arrive(stub: TelegramStub, platform: TelegramPlatform) -> None:
    text = "".join(f"\n\n<b>Card {n}</b> &amp; <i>{'word ' * 400}</i>" for n in range(5))
    payload = json.dumps({"text": text.strip(), "buttons": [[{"label": "More", "action": "more:1"}]]})
    outcome = await platform.send(str(ADA), payload, "k")
    assert isinstance(outcome, Instead)
    for part in outcome.payloads:
        assert isinstance(await platform.send(str(ADA), part, "k"), Sent)
    assert [message.text.count("Card") for message in stub.messages] == [2, 1, 2]
    assert [len(message.buttons) for message in stub.messages] == [0, 0, 1]


OUTCOMES = {
    "retry_after": Wait("Flood control exceeded. Retry in 0:00:05", timedelta(seconds=5)),
    "500": Wait("Internal Server Error"),
    "forbidden_blocked": Gone("Forbidden: bot was blocked by the user"),
    "forbidden_kicked": Gone("Forbidden: bot was kicked from the supergroup chat"),
    "not_a_member": Gone("Forbidden: bot is not a member of the supergroup chat"),
    "chat_deleted": Gone("Forbidden: the group chat was deleted"),
    "deactivated": Gone("Forbidden: user is deactivated"),
    "chat_not_found": Shut("Chat not found", alert=None),
    "no_rights": Shut("Not enough rights to send text messages to the chat"),
    "write_forbidden": Shut("Chat_write_forbidden"),
    "migrated": Moved("-300"),
    "thread_not_found": Moved("-100", "Message thread not found"),
    "topic_closed": Moved("-100", "Topic_closed"),
    "topic_deleted": Moved("-100", "Topic_deleted"),
    "cannot_parse": Instead((PLAIN,), 'Can\'t parse entities: unsupported start tag "p" at byte offset 0'),
    "too_long": Instead(HALVES, "Message is too long"),
    "bad_button": Refused("Button_data_invalid"),
    "unauthorized": NO_TOKEN,
    "not_found": NO_TOKEN,
    "conflict": Wait(CONFLICT, timedelta(minutes=1), whole_platform=True, alert="second_poller"),
    "reset_before": Uncertain("ServerDisconnectedError"),
    "reset_after": Uncertain("ServerDisconnectedError"),
    "stall_before": Uncertain("TimeoutError"),
    "stall_after": Uncertain("TimeoutError"),
    "late": Uncertain("TimeoutError"),
    "late_504": Uncertain("TimeoutError"),
}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", [kind for kind in ALL_FAULTS if kind not in ("502", "504")])
async def test_every_failure_becomes_an_outcome_and_only_a_lost_answer_leaves_the_message_sent(
    stub: TelegramStub, platform: TelegramPlatform, kind: str
) -> None:
    stub.fail_next(kind, to=-300 if kind == "migrated" else None)
    assert await platform.send("-100:5", HELLO, "k") == OUTCOMES[kind]
    assert len(stub.messages) == (kind in ("reset_after", "stall_after", "late"))


@pytest.mark.parametrize("kind", ["502", "504"])
async def test_what_a_proxy_says_in_telegrams_place_leaves_it_uncertain(
    stub: TelegramStub, platform: TelegramPlatform, kind: str
) -> None:
    stub.fail_next(kind)
    outcome = await platform.send(str(ADA), HELLO, "k")
    assert isinstance(outcome, Uncertain)
    assert kind in outcome.reason


async def test_a_refused_token_is_in_no_reason_and_no_log(stub: TelegramStub) -> None:
    wrong = "123456789:" + "x" * 35
    platform = TelegramPlatform(settings(stub, token=wrong))
    with capture_logs() as logs:
        assert await platform.send(str(ADA), HELLO, "k") == NO_TOKEN
    assert wrong not in str(logs)
    await platform.stop()


@pytest.mark.parametrize("payload", ["", "{}", "[]", '{"text": "no buttons"}', '{"text": "x", "buttons": [[1]]}'])
async def test_what_is_no_payload_is_refused_once_and_for_all(
    stub: TelegramStub, platform: TelegramPlatform, payload: str
) -> None:
    assert isinstance(await platform.send(str(ADA), payload, "k"), Refused)
    assert not stub.calls


def caused(error: TelegramError, cause: Exception) -> TelegramError:
    error.__cause__ = cause
    return error


KEY = aiohttp.client_reqrep.ConnectionKey("x", 443, True, None, None, None, None)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RetryAfter(3), Wait("Flood control exceeded. Retry in 0:00:03", timedelta(seconds=3))),
        (ChatMigrated(-5), Moved("-5")),
        (Forbidden("Forbidden: bot can't initiate conversation with a user"), Gone),
        (Forbidden("Forbidden: CHAT_WRITE_FORBIDDEN"), Shut("Forbidden: CHAT_WRITE_FORBIDDEN")),
        (BadRequest("Bad Request: have no rights to send a message"), Shut("Have no rights to send a message")),
        (BadRequest("Bad Request: need administrator rights in the channel chat"), Shut),
        (BadRequest("Bad Request: CHAT_ADMIN_REQUIRED"), Shut("Chat_admin_required")),
        (BadRequest("Bad Request: CHAT_RESTRICTED"), Shut("Chat_restricted")),
        (BadRequest("Bad Request: ALLOW_PAYMENT_REQUIRED"), Shut("Allow_payment_required")),
        (BadRequest("Bad Request: PEER_ID_INVALID"), Shut("Peer_id_invalid", alert=None)),
        (BadRequest("Bad Request: CHANNEL_PRIVATE"), Shut("Channel_private", alert=None)),
        (BadRequest("Bad Request: group chat was deactivated"), Gone("Group chat was deactivated")),
        (BadRequest("Bad Request: USER_IS_BLOCKED"), Gone("User_is_blocked")),
        (BadRequest("Bad Request: MESSAGE_TOO_LONG"), Instead(HALVES, "Message_too_long")),
        (NetworkError("Request Entity Too Large (413). Parsing the answer failed"), Instead),
        (BadRequest("Bad Request: text must be encoded in UTF-8"), Refused("Text must be encoded in utf-8")),
        (
            BadRequest("Bad Request: BALANCE_TOO_LOW"),
            Wait("the bot's Stars are used up", timedelta(minutes=10), whole_platform=True, alert="refused"),
        ),
        (InvalidToken("Not Found"), NO_TOKEN),
        (EndPointNotFound("x"), NO_TOKEN),
        (Conflict("x"), Wait("x", timedelta(minutes=1), whole_platform=True, alert="second_poller")),
        (NetworkError("Internal Server Error: restart"), Wait("Internal Server Error: restart")),
        (caused(NetworkError("Internal Server Error (500)"), TelegramError("no JSON")), Uncertain),
        (NetworkError("Internal Server Error: sent message was immediately deleted and can't be returned"), Refused),
        (NetworkError("Too Many Requests"), Wait("Too Many Requests")),
        (NetworkError("Bad Gateway"), Uncertain("Bad Gateway")),
        (NetworkError("Gateway Timeout"), Uncertain("Gateway Timeout")),
        (caused(TimedOut("pool"), aiohttp.ConnectionTimeoutError()), Wait("Telegram was not reached (pool)")),
        (caused(NetworkError("x"), aiohttp.ClientConnectorDNSError(KEY, OSError())), Wait),
        (caused(NetworkError("x"), aiohttp.ClientProxyConnectionError(KEY, OSError())), Wait),
        (caused(TimedOut("read"), TimeoutError()), Uncertain("read")),
        (caused(TimedOut("read"), aiohttp.SocketTimeoutError()), Uncertain("read")),
        (caused(NetworkError("broken"), aiohttp.ClientOSError()), Uncertain("broken")),
        (caused(NetworkError("broken"), aiohttp.ClientPayloadError()), Uncertain("broken")),
        (TelegramError("Invalid server response"), Uncertain("Invalid server response")),
        (ArithmeticError("?"), Uncertain("ArithmeticError('?')")),
    ],
)
def test_every_error_has_an_outcome(error: Exception, outcome: Outcome | type[Outcome]) -> None:
    found = classify(error, str(ADA), HELLO)
    assert (type(found) if isinstance(outcome, type) else found) == outcome


@pytest.mark.parametrize(
    ("said", "address", "payload", "outcome"),
    [
        ("TOPIC_CLOSED", "-100", HELLO, Shut("Topic_closed")),
        ("can't parse entities: ...", "7", PLAIN, Refused("Can't parse entities: ...")),
        ("message is too long", "7", json.dumps({"text": "a", "buttons": []}), Refused("Message is too long")),
    ],
)
def test_where_there_is_no_way_round_there_is_none(said: str, address: str, payload: str, outcome: Outcome) -> None:
    assert classify(BadRequest(f"Bad Request: {said}"), address, payload) == outcome
