"""What an Outcome changes: the message's next state, its chat, the platform's silence, what operators are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat
from bot.delivery.port import Alert, Gone, Instead, Moved, Outcome, Refused, Sent, Shut, Uncertain, Wait
from bot.storage import attempts, chats, moves
from bot.storage.outbox import Message

FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(minutes=10)
SHUT_AGAIN = timedelta(minutes=1)
MOST_SHUT = 3
"""A chat that could not be written to so often in a row is given up."""
PROBE_AFTER = timedelta(days=1)
"""After this a chat that was given up, but not for good, is tried once more; each refusal counts toward a ban."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left to do once an Outcome is recorded."""

    silence_until: datetime | None = None
    whole_platform: bool = False
    alert: Alert | None = None
    reason: str = ""
    detour: str | None = None
    """The chat goes on at another address, for this reason: its people are told there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message to a chat.

    `confirmed`: the id of one that was sent with no more to say of it, as it is with nearly all.
    """

    chat: Chat
    message: Message
    outcome: Outcome
    confirmed: str | None


def answer_of(chat: Chat, message: Message, outcome: Outcome) -> Answer:
    """The answer to a message that was `sending`."""
    has_more_to_say = message.stands_in or chat.inactive_because is not None or chat.shut
    confirmed = outcome.message_id if isinstance(outcome, Sent) and not has_more_to_say else None
    return Answer(chat, message, outcome, confirmed)


def retry_at(attempts: int, now: datetime) -> datetime:
    """When a message is tried again that was tried so often: ever later, never not at all."""
    after: timedelta = FIRST_RETRY * 2 ** min(attempts, 10)
    return now + min(after, LAST_RETRY)


async def record_all(
    connection: AsyncConnection, answers: Sequence[Answer], now: datetime
) -> list[tuple[Answer, Aftermath]]:
    """Write down what became of messages. One that makes trouble does not keep the others from being recorded."""
    confirmed = {each.message.id: each.confirmed for each in answers if each.confirmed is not None}
    await attempts.sent(connection, confirmed, now)
    aftermaths = []
    for answer in answers:
        if answer.confirmed is not None:
            continue
        try:
            async with connection.begin_nested():
                aftermath = await record(connection, answer.chat, answer.message, answer.outcome, now)
        except (OperationalError, InterfaceError):
            raise  # the database itself: all of this is tried again
        except Exception:
            log.exception("message.not_recorded", message=answer.message.id, outcome=repr(answer.outcome))
            until = now + LAST_RETRY
            await attempts.put_back(connection, answer.message, until, "not recorded", now, uncertain=True)
            continue
        aftermaths.append((answer, aftermath))
    return aftermaths


async def record(  # noqa: PLR0911 -- one return an outcome
    connection: AsyncConnection, chat: Chat, message: Message, outcome: Outcome, now: datetime
) -> Aftermath:
    """Write down what became of a message that was `sending`."""
    event = log.bind(chat=chat.id, message=message.id, key=message.key, digest=message.digest_id)
    match outcome:
        case Sent(message_id):
            if not (message.stands_in and await attempts.go_on(connection, message, now)):
                await attempts.sent(connection, {message.id: message_id}, now)
            if chat.inactive_because is not None:
                event.info("chat.active_again")
            if chat.inactive_because is not None or chat.shut:
                await chats.reactivate(connection, chat.id)
            return Aftermath()
        case Wait(reason, after, whole_platform, alert):
            until = now + after if after is not None else retry_at(message.attempts, now)
            await attempts.put_back(connection, message, until, reason, now, uncertain=False)
            event.warning("message.waits", reason=reason, until=until.isoformat())
            named = until if after is not None else None
            return Aftermath(named, whole_platform=whole_platform, alert=alert, reason=reason)
        case Uncertain(reason):
            until = retry_at(message.attempts, now)
            await attempts.put_back(connection, message, until, reason, now, uncertain=True)
            event.warning("message.uncertain", reason=reason)
            return Aftermath()
        case Instead(contents, reason) if not message.stands_in:
            await attempts.put_differently(connection, message, contents, reason, now)
            event.error("message.put_differently", reason=reason, parts=len(contents))
            return Aftermath(alert="refused", reason=reason)
        case Refused(reason) | Instead(_, reason):
            await attempts.fail(connection, message, reason)
            event.error("message.refused", reason=reason)
            return Aftermath(alert=outcome.alert if isinstance(outcome, Refused) else "refused", reason=reason)
        case Gone(reason):
            await attempts.put_back(connection, message, now, reason, now, uncertain=False)
            await chats.deactivate(connection, chat.id, reason, now)
            event.warning("chat.inactive", reason=reason)
            return Aftermath()
        case Shut(reason, alert):
            return await _shut(connection, chat, message, reason, alert, now)
        case Moved(address, reason):
            await attempts.put_back(connection, message, now, reason, now, uncertain=False)
            await moves.move(connection, chat, address, now)
            event.info("chat.moved", address=address, reason=reason)
            leaves_topic = chat.address.startswith(f"{address}:")
            return Aftermath(detour=address if leaves_topic else None, reason=reason)


async def _shut(
    connection: AsyncConnection, chat: Chat, message: Message, reason: str, alert: Alert | None, now: datetime
) -> Aftermath:
    """Give the chat up after some refusals in a row; a chat that is only being probed, at once."""
    times = await chats.count_shut(connection, chat.id)
    gives_up = times >= MOST_SHUT or chat.inactive_because is not None
    until = now if gives_up else now + SHUT_AGAIN * 10 ** (times - 1)
    await attempts.put_back(connection, message, until, reason, now, uncertain=False)
    if gives_up:
        await chats.deactivate(connection, chat.id, reason, now, probe_at=now + PROBE_AFTER)
    log.warning("chat.shut", chat=chat.id, message=message.id, reason=reason, times=times, gives_up=gives_up)
    is_news = gives_up and chat.inactive_because is None
    return Aftermath(alert=alert if is_news else None, reason=reason)
