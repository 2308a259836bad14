"""The doctor: looks at what Paperwire needs, one finding a line, and says what to do."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa

from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.feed import parse_feed
from bot.arxiv.machine import THIS_MACHINE
from bot.clock import WallClock
from bot.config import Settings, Telegram
from bot.metrics import Metrics
from bot.storage import inspection, marks, outbox, queue
from bot.storage.database import Database, DatabaseError, check, explain, open_database

LEAST_SPACE = 200 * 1024**2
"""Bytes on the disk below which a day's work may no longer fit."""
LONGEST_WAIT = timedelta(hours=2)
"""A message that could have left for so long is not merely waiting for its turn."""
LARGEST_DIFFERENCE = timedelta(seconds=1)
"""Between this machine's clock and the database's: pacing is agreed on in absolute time."""
RECENT = timedelta(hours=1)
_PATIENCE = 15.0
_ACCEPTED = "accepts the token"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what was found or what to do."""

    subject: str
    well: bool
    text: str


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the database, arXiv and the platforms. The configuration was read already, or nobody could ask."""
    yield Finding("config", True, "is readable and complete")
    async for found in _storage(settings):
        yield found
    yield await _arxiv(settings)
    telegram = await _token(
        "telegram",
        settings.telegram.token.get_secret_value(),
        f"{settings.telegram.base_url}{settings.telegram.token.get_secret_value()}/getMe",
        {},
        "@BotFather",
    )
    yield telegram
    if settings.telegram.token.get_secret_value() and telegram.well:
        async for found in _modes(settings.telegram):
            yield found
    if settings.telegram.token.get_secret_value() and settings.telegram.webhook_url:
        yield await _webhook(settings.telegram, WallClock().now())
    yield await _token(
        "discord",
        settings.discord.token.get_secret_value(),
        f"{settings.discord.api_url}/users/@me",
        {"Authorization": f"Bot {settings.discord.token.get_secret_value()}"},
        "the developer portal",
        "accepts the token; links are answered in direct messages, and in servers where the bot is mentioned",
    )


async def _storage(settings: Settings) -> AsyncIterator[Finding]:
    try:
        database = await open_database(settings.database.url, exclusive=False)
    except DatabaseError as error:
        yield Finding("database", False, str(error))
        return
    try:
        yield await _database(database)
        if not database.is_shared:
            yield _disk(database)
        async for found in _shared(database, settings):
            yield found
        yield await _outbox(database, WallClock().now())
    except sa.exc.DatabaseError as error:
        yield Finding("database", False, explain(error.orig or error, database.place))
    finally:
        await database.close()


async def _database(database: Database) -> Finding:
    if (soundness := await check(database)) != "ok":
        return Finding("database", False, f"is damaged ({soundness}). Stop Paperwire and restore a backup.")
    async with database.read() as connection:
        restored = await marks.get(connection, marks.RESTORED)
    if restored is not None:
        made_at = f"{datetime.fromisoformat(restored):%Y-%m-%d %H:%M} UTC"
        choice = "`paperwire restored --from-now` or `--catch-up`"
        return Finding("database", False, f"is a copy of {made_at}, and nothing is sent until you choose: {choice}.")
    return Finding("database", True, "is sound, and its schema is this version's")


def _disk(database: Database) -> Finding:
    file = Path(database.engine.url.database or "")
    free, taken = shutil.disk_usage(file.parent).free, file.stat().st_size
    text = f"{_size(free)} left; the database takes {_size(taken)}"
    if free < LEAST_SPACE:
        return Finding("disk", False, f"has only {text}. Free some space: without it nothing can be recorded or sent.")
    return Finding("disk", True, f"has {text}")


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GB" if count >= 1024**3 else f"{count / 1024**2:.1f} MB"


async def _shared(database: Database, settings: Settings) -> AsyncIterator[Finding]:
    if not database.is_shared:
        return
    async with database.read() as connection:
        if not await queue.is_there(connection):
            yield Finding("workers", False, "have no queue: Procrastinate's tables are missing. Restore a backup.")
            return
        alive = await queue.living_workers(connection, timedelta(seconds=settings.workers.stalled_seconds))
        difference = abs(await queue.clock(connection) - WallClock().now())
    if alive:
        yield Finding("workers", True, f"alive: {alive}")
    else:
        yield Finding("workers", False, "are all silent. Start one: `paperwire run --role worker`.")
    agrees = difference <= LARGEST_DIFFERENCE
    advice = "" if agrees else ". Let all machines keep the same time (NTP): limits are kept by it."
    yield Finding("clock", agrees, f"differs from the database's by {difference.total_seconds():.1f} s{advice}")


async def _outbox(database: Database, now: datetime) -> Finding:
    async with database.read() as connection:
        counts = await outbox.counts(connection)
        oldest = await inspection.oldest_due(connection, now)
    text = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no messages yet"
    if counts.get("failed"):
        text += "; see `paperwire outbox --state failed`"
    if oldest is None:
        return Finding("outbox", True, text)
    waits = now - oldest
    text += f"; the oldest could have left {waits.total_seconds() / 60:.0f} min ago"
    if waits <= LONGEST_WAIT:
        return Finding("outbox", True, text)
    return Finding("outbox", False, f"{text}. Is Paperwire running? Its log says what holds them up.")


async def _arxiv(settings: Settings) -> Finding:
    client = ArxivClient(settings.arxiv.contact, WallClock(), Metrics(), folder=THIS_MACHINE)
    category = next(iter(settings.arxiv.default_categories), "cs.CL")
    try:
        document = parse_feed((await client.get(f"{settings.arxiv.feed_url}/{category}")).body)
    except ArxivError as error:
        return Finding("arxiv", False, f"cannot be read: {error}. Check the network and [arxiv] feed_url.")
    finally:
        await client.close()
    return Finding("arxiv", True, f"answers: {len(document.announced)} announcements in {category}")


async def _token(
    platform: str, token: str, url: str, headers: dict[str, str], source: str, well: str = _ACCEPTED
) -> Finding:
    if not token:
        return Finding(platform, True, f"is off: no [{platform}] token")
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE) as http:
            answer = await http.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(platform, False, f"cannot be reached ({type(error).__name__}). Check the network.")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND):
        return Finding(
            platform, False, f"refuses the token. Get a new one from {source} and put it in [{platform}] token."
        )
    if answer.is_error:
        return Finding(platform, False, f"answers HTTP {answer.status_code}. Try again in a few minutes.")
    return Finding(platform, True, well)


async def _modes(telegram: Telegram) -> AsyncIterator[Finding]:
    """What @BotFather was told of the bot: https://core.telegram.org/bots/api#getme"""
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE) as http:
            answer = await http.get(f"{telegram.base_url}{telegram.token.get_secret_value()}/getMe")
        me = answer.json()["result"]
        name, hears_all, is_inline = me["username"], me["can_read_all_group_messages"], me["supports_inline_queries"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError):
        return
    if hears_all:
        yield Finding(
            "groups", True, "show the bot in Telegram what people say: /settings links on answers links there"
        )
    else:
        yield Finding(
            "groups",
            True,
            "show the bot in Telegram commands only (privacy mode). For links to be answered make it an administrator "
            "there; or tell @BotFather /setprivacy, Disable, and add it to the group anew.",
        )
    if is_inline:
        yield Finding("inline", True, f"mode is on: @{name} and an id or words look papers up in any Telegram chat")
    else:
        yield Finding("inline", True, "mode is off. To look papers up in any Telegram chat tell @BotFather /setinline.")


async def _webhook(telegram: Telegram, now: datetime) -> Finding:
    """What Telegram says of the webhook: https://core.telegram.org/bots/api#webhookinfo"""
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE) as http:
            answer = await http.get(f"{telegram.base_url}{telegram.token.get_secret_value()}/getWebhookInfo")
        info = answer.json()["result"]
        url, waiting, reason = info["url"], info["pending_update_count"], info.get("last_error_message", "")
        failed_at = datetime.fromtimestamp(info.get("last_error_date", 0), UTC)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        return Finding("webhook", False, f"is not known: Telegram did not say ({type(error).__name__}).")
    if not url.startswith(f"{telegram.webhook_url}/"):
        is_set = "at another address" if url else "not set"
        return Finding("webhook", False, f"is {is_set}. Start Paperwire with the web role, which sets it.")
    if reason and now - failed_at < RECENT:
        return Finding(
            "webhook",
            False,
            f"could not be called at {failed_at:%H:%M} UTC: {reason}; updates waiting: {waiting}. "
            "Check that [telegram] webhook_url leads to the web role from outside.",
        )
    return Finding("webhook", True, f"is set; updates waiting: {waiting}")
