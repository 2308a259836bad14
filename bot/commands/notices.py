"""Notices: what operators are told of unasked, once a cause and day, however many chats it touches."""

from datetime import datetime

import structlog

from bot.cards.reply import Button, Reply
from bot.chats import PlatformName
from bot.commands.context import Services, spoken
from bot.locales import phrases_of
from bot.storage import chats, operators

_REASON_SHOWN = 200

log = structlog.get_logger(__name__)


async def tell_operators(services: Services, platform: PlatformName, cause: str, reason: str) -> None:
    """Tell every operator that something on a platform is theirs to mend. `cause`: a `delivery.port.Alert`."""
    log.error("operators.alerted", platform=platform, cause=cause, reason=reason)
    services.metrics.alerts.labels(cause).inc()
    async with services.database.read() as connection:
        told = await operators.their_chats(connection)
    day = services.clock.now().date()
    for operator in told:
        phrases = phrases_of(spoken(operator.preferences.language, None))
        text = phrases(f"notice.{cause}", platform=platform.capitalize(), reason=reason[:_REASON_SHOWN])
        await services.tell(operator, f"alert-{platform}-{cause}-{day}-{operator.id}", Reply(text), urgent=True)


async def explain_detour(services: Services, platform: PlatformName, address: str, reason: str) -> None:
    """Tell a group why what one of its topics got comes to the group itself now."""
    async with services.database.read() as connection:
        chat = await chats.find(connection, platform, address)
    if chat is not None:
        phrases = phrases_of(spoken(chat.preferences.language, None))
        key = f"detour-{chat.id}-{services.clock.now():%Y%m%d%H%M}"
        await services.tell(chat, key, Reply(phrases("chat.detour", reason=reason[:_REASON_SHOWN])), urgent=True)


async def ask_about_restore(services: Services, made_at: datetime) -> None:
    """A backup was restored: ask the operators what is to become of what it holds."""
    async with services.database.read() as connection:
        told = await operators.their_chats(connection)
    for operator in told:
        phrases = phrases_of(spoken(operator.preferences.language, None))
        question = Reply(
            phrases("restore.question", at=f"{made_at:%Y-%m-%d %H:%M} UTC"),
            title=phrases("restore.title"),
            buttons=(
                Button(phrases("button.from_now"), "restored:from-now"),
                Button(phrases("button.catch_up"), "restored:catch-up"),
            ),
        )
        await services.tell(operator, f"restored-{made_at:%Y%m%d%H%M%S}-{operator.id}", question, urgent=True)
