"""A room for conversations: everything that commands need, real but for arXiv, and people who talk to it."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot.app import SAMPLE
from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import parse_feed
from bot.arxiv.poll import FeedPoller
from bot.cards.reply import Reply
from bot.chats import Chat, PlatformName
from bot.commands.context import Claim, Services
from bot.commands.desk import Desk
from bot.commands.flood import Rate
from bot.commands.request import Incoming, Reach, Sender
from bot.commands.status import why_quiet
from bot.config import AccessRules, Arxiv, Llm, Settings
from bot.digests.compose import Composer
from bot.jobs.summarising import Summarising
from bot.locales import CatalogueName, phrases_of
from bot.metrics import Metrics
from bot.storage import chats, papers
from bot.storage.database import Database
from bot.summaries.write import WRITERS, Summariser, Writer
from tests.builders import HandClock, HandScheduler, a_chat, a_database
from tests.servers.arxiv import ArxivStub, Entry, atom_feed

UNHURRIED = Rate(10**9, 10**9)
"""Time stands still in a room, and a test says more in a moment than a person does in a minute."""


@dataclass(frozen=True)
class Person:
    """Somebody in a chat."""

    desk: Desk
    platform: PlatformName = "telegram"
    address: str = "papers"
    group: bool = False
    admin: bool = True
    name: str = "Ada"
    language: str | None = None
    reach: Reach | None = None

    async def says(self, text: str) -> Reply | None:
        return await self.desk.answer(self._incoming(text=text))

    async def presses(self, action: str) -> Reply | None:
        return await self.desk.answer(self._incoming(action=action))

    async def reads(self, text: str) -> str:
        """What the answer to a text looks like, from its title to its last button."""
        return as_read(await self.says(text))

    def _incoming(self, **what: str) -> Incoming:
        async def is_admin() -> bool:
            return self.admin

        sender = Sender(self.name.lower(), self.name, self.language, is_admin)
        return Incoming(self.platform, self.address, f"{self.name}'s", self.group, sender, reach=self.reach, **what)


def as_read(reply: Reply | None) -> str:
    if reply is None:
        return ""
    cards = ("\n".join([*card.tags, card.title, card.byline, *card.tldrs]) for card in reply.cards)
    further = [each for each in (reply.quote, reply.code) if each]
    labels = (button.label for button in reply.buttons)
    return "\n".join([reply.title, reply.text, *further, *cards, reply.footer, *labels])


ANYTHING = "\0"
NEXT, NEXT_ZH = "Tue 3 Mar 09:00", "3月3日 周二 09:00"
VALUES = dict.fromkeys(
    (
        "query",
        "names",
        "next",
        "wrong",
        "suggestions",
        "value",
        "hint",
        "reason",
        "category",
        "since",
        "at",
        "new",
        "read",
    ),
    ANYTHING,
)


def says(answer: str, key: str, language: CatalogueName = "en", **values: Any) -> bool:
    """Whether a text of the catalogue stands in an answer, with these values; those not given may be anything."""
    wanted = re.escape(phrases_of(language)(key, **VALUES | values)).replace(ANYTHING, ".*")
    return re.search(wanted, answer, re.S) is not None


@dataclass
class Room:
    """Everything that commands need, real but for arXiv; `came` is what went into the outbox, as Replies."""

    database: Database
    clock: HandClock
    arxiv: ArxivStub
    scheduler: HandScheduler
    services: Services
    came: list[tuple[PlatformName, Reply]]

    @property
    def desk(self) -> Desk:
        return Desk(self.services, UNHURRIED)

    async def person(self, *queries: str, language: str = "en", **facts: Any) -> Person:
        """Somebody whose chat was let in and follows these queries."""
        person = Person(self.desk, **facts)
        await a_chat(
            self.database,
            *queries,
            now=self.clock.now(),
            platform=person.platform,
            address=person.address,
            is_group=person.group,
            person_id=None if person.group or person.platform == "web" else person.name.lower(),
            language=language,
        )
        return person

    async def chat(self, person: Person) -> Chat:
        async with self.database.read() as connection:
            found = await chats.find(connection, person.platform, person.address)
        assert found is not None
        return found

    def publish(self, *numbers: int, category: str = "cs.CL") -> None:
        entries = [Entry(f"2603.{number:05}", f"Paper {number}", "An abstract.", (category,)) for number in numbers]
        self.arxiv.publish(category, atom_feed(category, entries, self.clock.epoch()), self.clock.epoch())

    async def add_sample(self) -> None:
        async with self.database.write() as connection:
            await papers.add_announced(connection, parse_feed(SAMPLE.read_bytes()).announced, self.clock.now())


@asynccontextmanager
async def a_room(
    folder: Path, *, is_open: bool = True, writers: Sequence[Writer] | None = None, llm: Llm | None = None
) -> AsyncIterator[Room]:
    clock, scheduler, metrics = HandClock(), HandScheduler(), Metrics()
    came: list[tuple[PlatformName, Reply]] = []
    async with ArxivStub(now=clock.epoch) as arxiv:
        database = await a_database(folder, "room.db")
        client = ArxivClient("mailto:tests@example.org", clock, metrics)
        settings = Settings(
            access=AccessRules(open=is_open),
            llm=llm or Llm(),
            arxiv=Arxiv(
                feed_url=f"{arxiv.url}/atom",
                api_url=f"{arxiv.url}/api/query",
                oai_url=f"{arxiv.url}/oai",
                listing_url=f"{arxiv.url}/list",
                default_categories=("cs.CL",),
            ),
        )
        summariser = Summariser(database, clock, WRITERS if writers is None else writers)
        summarise = summariser.at_once
        summarising = Summarising(database, summariser)

        def into_outbox(platform: PlatformName, reply: Reply) -> list[str]:
            came.append((platform, reply))
            return ["{}"]

        platforms: tuple[PlatformName, ...] = ("telegram", "discord", "web")
        renders = {name: lambda reply, name=name: into_outbox(name, reply) for name in platforms}
        services = Services(
            database=database,
            clock=clock,
            scheduler=scheduler,
            settings=settings,
            client=client,
            poller=FeedPoller(database, client, clock, settings.arxiv, metrics),
            composer=Composer(
                database,
                summarise,
                renders,
                settings.arxiv.default_categories,
                metrics,
                lambda *quiet: why_quiet(services, *quiet),
            ),
            summarise=summarise,
            write_anew=summariser.write_anew,
            want=partial(summarising.awaited, bilingual=True),
            renders=renders,
            metrics=metrics,
            claim=Claim(code="let-me-in"),
        )
        yield Room(database, clock, arxiv, scheduler, services, came)
        await client.close()
        await database.close()
