"""Composing for many chats at once: what each gets is what it would get alone, and one's trouble is nobody else's."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cards.reply import Render, Reply
from bot.chats import Chat, PlatformName
from bot.digests.compose import AFTER_TROUBLE, Composer
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.platforms.discord.render import render as render_discord
from bot.platforms.telegram.render import render as render_telegram
from bot.platforms.webchat.render import render as render_web
from bot.storage import chats
from bot.storage.database import Database
from bot.storage.digests import NewDigest, Receipt, add
from bot.storage.tables import digest_papers, digests, messages, payloads
from bot.summaries.write import WRITERS, Summariser
from bot.summary import Summary
from tests.builders import HandClock, a_chat, a_database, a_paper, announce

RENDERS: dict[PlatformName, Render] = {"telegram": render_telegram, "discord": render_discord, "web": render_web}
QUERIES = (["cs.CL"], ["cs.CL", "cs.AI"], ["cs.CV+cs.CL -cs.RO"], ["math.NT"])


def a_composer(database: Database, clock: HandClock, **renders: Render) -> Composer:
    summarise = Summariser(database, clock, WRITERS).at_once
    return Composer(database, summarise, RENDERS | renders, ("cs.CL",), Metrics())  # type: ignore[operator]


async def received(database: Database) -> dict[int, list[Any]]:
    """What each chat was given, as rows that name no number of ours, and the texts that are queued for it, in order."""
    ledger = (
        sa.select(digest_papers.c.chat_id, digests.c.occasion, digests.c.local_day, digest_papers.c.paper_id)
        .add_columns(digest_papers.c.position, digest_papers.c.held)
        .join(digests)
    )
    receipts = sa.select(
        *(digests.c[name] for name in ("chat_id", "occasion", "local_day", "composed_at", "announced_at")),
        *(digests.c[name] for name in ("announced", "matched", "shown", "held")),
    )
    texts = sa.select(messages.c.chat_id, payloads.c.content).join(payloads).order_by(messages.c.chat_id, messages.c.id)
    found: dict[int, list[Any]] = {}
    async with database.read() as connection:
        for query in (ledger.order_by(digests.c.id, digest_papers.c.position), receipts.order_by(digests.c.id), texts):
            for chat_id, *row in await connection.execute(query):
                found.setdefault(chat_id, []).append(row)
        for chat in await chats.everyone(connection):
            found.setdefault(chat.id, []).append((chat.next_digest_at, chat.last_digest_day))
    return found


async def count(database: Database, table: sa.Table) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def due(database: Database, clock: HandClock) -> list[int]:
    async with database.read() as connection:
        return await chats.due(connection, clock.now(), list(RENDERS))


async def a_crowd(database: Database, clock: HandClock) -> list[Chat]:
    """Chats that differ in all that matters to a digest, some alike, some with a past of their own."""
    people = [
        await a_chat(
            database,
            *QUERIES[number % 4],
            platform=list(RENDERS)[number % 3],
            address=str(number),
            language=("en", "zh", "both")[number // 2 % 3],
            zone=("UTC", "Asia/Shanghai")[number // 3 % 2],
            cap=(0, 2, 3)[number // 4 % 3],
            now=clock.now() + timedelta(hours=number % 5 == 4),
        )
        for number in range(36)
    ]
    await announce(
        database,
        clock.turn(minutes=30),
        *(a_paper(each, "cs.CL", ("cs.AI", "cs.RO")[each % 2]) for each in range(1, 7)),
    )
    composer = a_composer(database, clock)
    for chat in people[::7]:
        await composer.on_demand(chat, clock.turn(seconds=1))
    await announce(database, clock.turn(hours=1), *(a_paper(number, "cs.CV", "cs.CL") for number in range(7, 10)))
    return people


async def test_together_each_chat_gets_what_it_gets_alone(tmp_path: Path) -> None:
    outcomes = []
    for name in ("together", "alone"):
        clock, database = HandClock(), await a_database(tmp_path, f"{name}.db")
        people = await a_crowd(database, clock)
        composer = a_composer(database, clock)
        for number in (10, 11):
            clock.turn(days=1)
            if name == "together":
                await composer.tick(clock.now())
            else:
                for chat in people:
                    await composer.daily(chat, clock.now())
            await announce(database, clock.turn(hours=1), a_paper(number, "cs.CL"), a_paper(3, "cs.AI", "math.NT"))
        outcomes.append(await received(database))
        await database.close()
    together, alone = outcomes
    assert len(together) == 36
    assert min(map(len, together.values())) >= 3
    assert together == alone


async def test_chats_that_get_the_same_share_one_rendering_and_one_text(database: Database, clock: HandClock) -> None:
    rendered = []

    def render(reply: Reply) -> list[str]:
        rendered.append(reply)
        return render_web(reply)

    for number in range(300):
        await a_chat(database, "cs.CL", address=str(number), language=("en", "zh")[number % 2])
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await a_composer(database, clock, web=render).tick(clock.turn(days=1))
    assert len(rendered) == 2
    assert await count(database, payloads) == 2
    assert await count(database, messages) == 300


async def test_a_chat_whose_digest_fails_stays_due_alone(any_database: Database, clock: HandClock) -> None:
    database = any_database

    def fail(reply: Reply) -> list[str]:
        raise ValueError("no such form")

    for number in range(9):
        await a_chat(database, "cs.CL", address=str(number))
    unlucky = await a_chat(database, "cs.CL", platform="discord", address="unlucky")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    again = await a_composer(database, clock, discord=fail).tick(clock.turn(days=1))
    assert again == clock.now() + AFTER_TROUBLE
    assert await due(database, clock) == [unlucky.id]
    assert await count(database, messages) == 9
    await a_composer(database, clock).tick(clock.turn(minutes=1))
    assert await due(database, clock) == []
    assert await count(database, messages) == 10


async def test_a_day_that_had_its_digest_gets_no_second_one_and_keeps_nobody_waiting(
    any_database: Database, clock: HandClock
) -> None:
    database = any_database
    people = [await a_chat(database, "cs.CL", address=str(number)) for number in range(5)]
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    clock.turn(days=1)
    async with database.write() as connection:
        digest = NewDigest(people[2].id, "daily", clock.now().date(), Receipt(0, 0, 0, 0))
        await add(connection, [digest], clock.now())
    await a_composer(database, clock).tick(clock.now())
    assert await due(database, clock) == [people[2].id]
    assert await count(database, messages) == 4
    assert await count(database, digests) == 5


async def test_processes_that_compose_at_once_give_each_chat_each_paper_once(
    any_database: Database, clock: HandClock
) -> None:
    database = any_database
    people = [await a_chat(database, "cs.CL", address=str(number), cap=2) for number in range(12)]
    await announce(database, clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 6)))
    clock.turn(days=1)
    one, other, third = (a_composer(database, clock) for _ in range(3))
    await asyncio.gather(
        one.tick(clock.now()), other.tick(clock.now()), *(third.on_demand(chat, clock.now()) for chat in people[::3])
    )
    assert await due(database, clock) == []
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(digests.c.chat_id, digests.c.occasion))).all()
        shown = await connection.execute(sa.select(digest_papers).where(digest_papers.c.held.is_(False)))
        shown_to = [(row.chat_id, row.paper_id) for row in shown]
        sent_to = list(await connection.scalars(sa.select(messages.c.chat_id)))
    assert sorted(chat_id for chat_id, occasion in rows if occasion == "daily") == [chat.id for chat in people]
    for chat in people:
        asked = sum(row == (chat.id, "asked") for row in rows)
        assert sum(chat_id == chat.id for chat_id, _ in shown_to) in {2, 2 * (1 + asked)}
        assert sent_to.count(chat.id) in {1, 1 + asked}


async def test_who_just_asks_for_a_digest_does_not_hold_up_the_others(database: Database, clock: HandClock) -> None:
    summarise = Summariser(database, clock, WRITERS).at_once
    writing, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        if not writing.is_set():
            writing.set()
            await may_end.wait()
        return await summarise(papers)

    composer = Composer(database, slowly, RENDERS, ("cs.CL",), Metrics())
    asking = await a_chat(database, "cs.CL", address="asking")
    others = [await a_chat(database, "cs.CL", address=str(number)) for number in range(3)]
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    clock.turn(days=1)
    asked = asyncio.create_task(composer.on_demand(asking, clock.now()))
    await writing.wait()
    ticked = asyncio.create_task(composer.tick(clock.now()))
    async with asyncio.timeout(20):
        while await due(database, clock) != [asking.id]:
            await asyncio.sleep(0.01)
    may_end.set()
    assert await asked == 1
    await ticked
    assert await due(database, clock) == []
    assert await count(database, messages) == 1 + len(others)


async def test_papers_that_come_while_a_tick_composes_are_in_the_next_digest(
    database: Database, clock: HandClock
) -> None:
    summarise = Summariser(database, clock, WRITERS).at_once

    async def meanwhile(papers: Sequence[Paper]) -> dict[PaperId, Summary]:
        with suppress(StopIteration):
            await announce(database, clock.now(), next(later))
        return await summarise(papers)

    later = iter([a_paper(2, "cs.CL")])
    for number in range(3):
        await a_chat(database, "cs.CL", address=str(number))
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    composer = Composer(database, meanwhile, RENDERS, ("cs.CL",), Metrics())
    await composer.tick(clock.turn(days=1))
    await composer.tick(clock.turn(days=1))
    async with database.read() as connection:
        given = await connection.execute(sa.select(digest_papers).order_by(digest_papers.c.digest_id))
        assert [row.paper_id for row in given] == ["2603.00001"] * 3 + ["2603.00002"] * 3


@pytest.mark.parametrize("cap", [0, 1])
async def test_an_empty_day_is_recorded_for_every_chat(database: Database, clock: HandClock, cap: int) -> None:
    for number in range(4):
        await a_chat(database, "math.NT", address=str(number), cap=cap)
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await a_composer(database, clock).tick(clock.turn(days=1))
    assert await count(database, digests) == 4
    assert await count(database, messages) == 0
    assert await due(database, clock) == []


@pytest.mark.thorough
@pytest.mark.shared
def test_the_benchmark_counts_what_a_tick_costs(shared: Path) -> None:
    captures = shared / "arxiv" / "atom" / "replay"
    command = [sys.executable, "-m", "benchmarks.compose", "--json", "--chats", "12", "--captures", str(captures)]
    (line,) = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    row = json.loads(line)
    assert row["chats"] == 12
    assert row["to_smallest"] == 1
    assert min(row[name] for name in ("seconds", "digests_per_s", "peak_mb", "bytes_on_disk", "messages")) > 0
