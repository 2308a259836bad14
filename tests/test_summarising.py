"""What somebody wants is summarised when it comes, once, and before a digest asks for it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.jobs.summarising import Summarising
from bot.papers import Paper, PaperId
from bot.storage import papers, summaries
from bot.storage.database import Database
from bot.summaries.write import WRITERS, Summariser
from tests.builders import HandClock, a_chat, a_paper, announce


@dataclass
class Scribe:
    """Writes as it is told; `slow`: what it would still make better."""

    work: Callable[[Sequence[Paper]], Awaitable[None]]
    slow: set[PaperId] = field(default_factory=set)

    async def write(self, papers: Sequence[Paper], *, bilingual: bool) -> None:
        await self.work(papers)

    async def unready(self, papers: Sequence[Paper], *, bilingual: bool) -> set[PaperId]:
        return self.slow & {paper.id for paper in papers}


async def summarised(database: Database, *asked: Paper) -> list[str]:
    async with database.read() as connection:
        found = await summaries.get(connection, list((await papers.get(connection, [p.id for p in asked])).values()))
    return sorted(found)


async def test_what_a_chat_wants_is_summarised_when_it_comes_and_nothing_else(
    any_database: Database, clock: HandClock
) -> None:
    wanted, excluded, other = a_paper(1), a_paper(2, "cs.CL", "cs.RO"), a_paper(3, "cs.CV")
    await a_chat(any_database, "cs.CL -cs.RO")
    await announce(any_database, clock.now(), wanted, excluded, other)
    summarising = Summarising(any_database, Summariser(any_database, clock, WRITERS))
    await summarising.tick(clock.now())
    assert await summarised(any_database, wanted, excluded, other) == [wanted.id]


async def test_each_paper_is_looked_at_once(database: Database, clock: HandClock) -> None:
    asked: list[list[str]] = []

    async def note(some: Sequence[Paper]) -> None:
        asked.append([paper.id for paper in some])

    await a_chat(database, "cs.CL")
    summarising = Summarising(database, Scribe(note))
    for number in (1, 2):
        await announce(database, clock.turn(hours=1), a_paper(number))
        await summarising.tick(clock.now())
        await summarising.tick(clock.now())
    assert asked == [["2603.00001"], ["2603.00002"]]


async def test_when_a_writing_fails_it_is_wanted_again(database: Database, clock: HandClock) -> None:
    tries = 0

    async def fail_once(_: Sequence[Paper]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("disk is full")

    await a_chat(database, "cs.CL")
    await announce(database, clock.now(), a_paper(1))
    summarising = Summarising(database, Scribe(fail_once))
    for _ in range(3):
        try:
            await summarising.tick(clock.now())
        except OSError:
            continue
    assert tries == 2


async def test_the_first_look_goes_back_two_days(database: Database, clock: HandClock) -> None:
    await a_chat(database, "cs.CL")
    old, recent = a_paper(1), a_paper(2)
    await announce(database, clock.now() - timedelta(days=5), old)
    await announce(database, clock.now() - timedelta(days=1), recent)
    await Summarising(database, Summariser(database, clock, WRITERS)).tick(clock.now())
    assert await summarised(database, old, recent) == [recent.id]
