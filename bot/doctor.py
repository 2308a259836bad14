"""The doctor: looks at what Paperwire needs, one finding a line, and says what to do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from bot.arxiv.client import ArxivClient, ArxivError
from bot.arxiv.feed import parse_feed
from bot.clock import WallClock
from bot.config import Settings
from bot.storage import outbox
from bot.storage.database import DatabaseError, check, explain, open_database

_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what was found or what to do."""

    subject: str
    well: bool
    text: str


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the database, arXiv and the tokens. The configuration was read already, or nobody could ask."""
    yield Finding("config", True, "is readable and complete")
    yield await _database(settings)
    yield await _arxiv(settings)
    yield await _token(
        "telegram",
        settings.telegram.token.get_secret_value(),
        f"{settings.telegram.base_url}{settings.telegram.token.get_secret_value()}/getMe",
        {},
        "@BotFather",
    )
    yield await _token(
        "discord",
        settings.discord.token.get_secret_value(),
        f"{settings.discord.api_url}/users/@me",
        {"Authorization": f"Bot {settings.discord.token.get_secret_value()}"},
        "the developer portal",
    )


async def _database(settings: Settings) -> Finding:
    try:
        database = await open_database(settings.database.url, exclusive=False)
    except DatabaseError as error:
        return Finding("database", False, str(error))
    try:
        soundness = await check(database)
        async with database.read() as connection:
            counts = await outbox.counts(connection)
    except sa.exc.DatabaseError as error:
        return Finding("database", False, explain(error.orig or error, settings.database.url))
    finally:
        await database.close()
    if soundness != "ok":
        return Finding("database", False, f"is damaged ({soundness}). Stop Paperwire and restore a backup.")
    messages = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no messages yet"
    return Finding("database", True, f"is sound: {messages}")


async def _arxiv(settings: Settings) -> Finding:
    client = ArxivClient(settings.arxiv.contact, WallClock())
    category = next(iter(settings.arxiv.default_categories), "cs.CL")
    try:
        document = parse_feed((await client.get(f"{settings.arxiv.feed_url}/{category}")).body)
    except ArxivError as error:
        return Finding("arxiv", False, f"cannot be read: {error}. Check the network and [arxiv] feed_url.")
    finally:
        await client.close()
    return Finding("arxiv", True, f"answers: {len(document.announced)} announcements in {category}")


async def _token(platform: str, token: str, url: str, headers: dict[str, str], source: str) -> Finding:
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
    return Finding(platform, True, "accepts the token")
