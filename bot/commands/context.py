"""Context: what a command works with; Services: what all commands share."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.arxiv.client import ArxivClient
from bot.arxiv.poll import FeedPoller
from bot.cards.reply import Reply
from bot.chats import UNTIL_RESUMED, Chat, Language, local_day
from bot.clock import Clock, Scheduler
from bot.commands.listed import Listed
from bot.commands.request import Fetch, Reach, Sender, Venue
from bot.config import Settings
from bot.digests.compose import Composer
from bot.digests.ports import Renders, Summarise
from bot.locales import CatalogueName, Phrases, phrases_of
from bot.metrics import Metrics
from bot.papers import Paper
from bot.storage import outbox
from bot.storage.database import Database


@dataclass(slots=True)
class Claim:
    """The one-time code by which the first operator claims the bot: 72 random bits, gone once it was used."""

    code: str | None = field(default_factory=lambda: secrets.token_urlsafe(9))

    def accepts(self, given: str) -> bool:
        """Whether this is the code."""
        return self.code is not None and secrets.compare_digest(given.encode(), self.code.encode())


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms that commands call on.

    `write_anew` has a model write a summary again; `want` has summaries written that take a while.
    """

    database: Database
    clock: Clock
    scheduler: Scheduler
    settings: Settings
    client: ArxivClient
    poller: FeedPoller
    composer: Composer
    summarise: Summarise
    write_anew: Callable[[Paper], Awaitable[bool]]
    want: Callable[[Sequence[Paper], datetime], Awaitable[object]]
    renders: Renders
    metrics: Metrics
    claim: Claim
    listed: Listed = field(default_factory=Listed)

    async def tell(self, chat: Chat, key: str, reply: Reply, *, urgent: bool = False) -> None:
        """Say something in a chat unasked, once for each key, through the outbox; nothing where its platform is off."""
        if chat.platform not in self.renders:
            return
        async with self.database.write() as connection:
            payloads = self.renders[chat.platform](reply)
            await outbox.put(connection, chat.id, None, key, payloads, self.clock.now(), urgent=urgent)
        self.scheduler.wake("deliver")


@dataclass(frozen=True, slots=True)
class Context:
    """One command given in one chat. `file` fetches the file that came with it, if one did.

    `reach` finds channels that its sender may set up from here, in a chat where that can be; `venue` is the
    chat's.
    """

    services: Services
    chat: Chat
    sender: Sender
    is_operator: bool
    argument: str
    now: datetime
    file: Fetch | None = None
    reach: Reach | None = None
    venue: Venue = field(default_factory=Venue)

    @property
    def phrases(self) -> Phrases:
        """The texts in the language in which this sender is answered here."""
        return phrases_of(spoken(self.chat.preferences.language, self.sender.language))

    def local(self, instant: datetime) -> str:
        """An instant as the chat's people read it: the time alone if it is today."""
        return local_time(self.chat, instant, self.now, self.phrases)

    def says(self, key: str, **values: object) -> Reply:
        """A Reply with one text of the catalogue."""
        return Reply(self.phrases(key, **values))

    def whispers(self, key: str, **values: object) -> Reply:
        """The same as an aside."""
        return Reply(self.phrases(key, **values), is_aside=True)


def spoken(language: Language, sender_language: str | None) -> CatalogueName:
    """The language in which somebody is answered: the chat's; where it has both, the person's own."""
    if language == "both":
        return "zh" if (sender_language or "").lower().startswith("zh") else "en"
    return language


def local_time(chat: Chat, instant: datetime, now: datetime, phrases: Phrases) -> str:
    """An instant in a chat's zone: `09:00`, or with its day where that is not today."""
    if instant >= UNTIL_RESUMED:
        return phrases("pause.after_resume")
    local = instant.astimezone(chat.preferences.tz)
    clock = f"{local:%H:%M}"
    if local.date() == local_day(chat.preferences, now):
        return clock
    return f"{phrases.day(local.date())} {clock}"
