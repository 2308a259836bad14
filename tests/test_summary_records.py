"""What is kept of summaries and models, on both databases, and what an operator sees of it at the terminal."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import WallClock
from bot.config import Retention
from bot.jobs.housekeeping import REJECTIONS_KEPT, Housekeeper
from bot.storage import rejections, spending, summaries, votes
from bot.storage.database import Database
from bot.storage.rejections import LONGEST_REPLY, Rejection
from bot.storage.spending import Spent
from bot.summary import Provenance, Summary
from tests.builders import MONDAY, TODAY, HandClock, a_paper, announce
from tests.terminal import Terminal

PAPER = a_paper(1)
REJECTION = Rejection(PAPER.id, 1, "toy", "1", "number", "tldr.en: 97%", "{}", MONDAY)


async def keep(database: Database, *new: Rejection) -> None:
    await announce(database, MONDAY, PAPER)
    async with database.write() as connection:
        await rejections.add(connection, new)


async def latest(database: Database) -> list[Rejection]:
    async with database.read() as connection:
        return await rejections.latest(connection, 10)


async def test_a_summary_keeps_its_translator_and_what_the_checks_remarked(any_database: Database) -> None:
    await announce(any_database, MONDAY, PAPER)
    provenance = Provenance("extract", "1", MONDAY, translator="toy 1.0")
    summary = Summary(PAPER.id, 1, "We ask.", (), provenance, "我们问。", checks=("acronym: tldr.en: TLA",))
    async with any_database.write() as connection:
        await summaries.add(connection, [summary])
    async with any_database.read() as connection:
        assert await summaries.get(connection, [PAPER]) == {PAPER.id: summary}
        assert await summaries.counts(connection) == {("extract", None): 1}


async def test_rejections_are_counted_by_guard_and_model_and_the_newest_come_first(any_database: Database) -> None:
    other = replace(REJECTION, guard="language", detail="tldr.zh: must be Chinese")
    await keep(any_database, REJECTION, other, replace(REJECTION, detail="tldr.en: 98%"))
    async with any_database.read() as connection:
        assert await rejections.counts(connection) == [("number", "toy", 2), ("language", "toy", 1)]
    assert [each.detail for each in await latest(any_database)][:2] == ["tldr.en: 98%", "tldr.zh: must be Chinese"]


async def test_a_reply_is_kept_as_far_as_a_database_takes_it(any_database: Database) -> None:
    await keep(any_database, replace(REJECTION, reply="\0\ud800" + "长" * 5_000))
    (found,) = await latest(any_database)
    assert found.reply == "\ufffd?" + "长" * (LONGEST_REPLY - 2)


async def test_rejections_are_dropped_after_ninety_days(any_database: Database, clock: HandClock) -> None:
    old = replace(REJECTION, rejected_at=MONDAY - REJECTIONS_KEPT - timedelta(hours=1))
    await keep(any_database, old, REJECTION)
    await Housekeeper(any_database, Retention()).tick(clock.now())
    assert [each.rejected_at for each in await latest(any_database)] == [MONDAY]


async def test_what_is_spent_adds_up_by_day_and_model(any_database: Database) -> None:
    yesterday = TODAY - timedelta(days=1)
    async with any_database.write() as connection:
        await spending.add(connection, yesterday, "toy", Spent(1, 10, 20))
        await spending.add(connection, TODAY, "toy", Spent(1, 2**33, 20))
        await spending.add(connection, TODAY, "toy", Spent(2, 1, 0))
        await spending.add(connection, TODAY, "other", Spent(1, 1, 1))
    async with any_database.read() as connection:
        assert await spending.spent_on(connection, TODAY) == {"toy": Spent(3, 2**33 + 1, 20), "other": Spent(1, 1, 1)}
        assert list(await spending.spent_since(connection, yesterday)) == [yesterday, TODAY]
        assert await spending.spent_on(connection, TODAY + timedelta(days=1)) == {}


def test_a_cost_needs_both_prices() -> None:
    assert Spent(1, 1_000_000, 500_000).cost(0.15, 0.60) == pytest.approx(0.45)
    assert Spent(1, 1, 1).cost(None, 0.6) is None


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, {}).with_settings(
        database__url=f"sqlite:///{tmp_path}/paperwire.db",
        llm__base_url="http://127.0.0.1:9/v1",
        llm__model="toy",
        llm__price_in="1",
        llm__price_out="2",
    )


async def test_an_operator_sees_who_wrote_the_summaries_and_what_it_cost(
    terminal: Terminal, database: Database
) -> None:
    await announce(database, MONDAY, PAPER)
    async with database.write() as connection:
        written = Summary(PAPER.id, 1, "We ask.", (), Provenance("model", "1", MONDAY, "toy"))
        await summaries.add(connection, [written])
        await spending.add(connection, WallClock().now().date(), "toy", Spent(3, 1_000_000, 250_000))
        await votes.cast(connection, "web", "ada", PAPER.id, -1, written.provenance, MONDAY)
    shown = await terminal.runs("summaries")
    assert shown.code == 0, shown.err
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["model", "toy", "1", "0", "1"] in lines, "one summary, which one person did not like"
    assert [str(WallClock().now().date()), "toy", "3", "1000000", "250000", "1.5000"] in lines


async def test_an_operator_sees_what_was_rejected_and_why(terminal: Terminal, database: Database) -> None:
    await keep(database, REJECTION, replace(REJECTION, detail="tldr.en: [red]98%\x1b[2J"))
    shown = await terminal.runs("summaries", "--rejected", "--limit", "1")
    assert shown.code == 0, shown.err
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["number", "toy", "2"] in lines
    assert "[red]98%" in shown.out
    assert "97%" not in shown.out
    assert "\x1b" not in shown.out


async def test_without_anything_to_show_it_says_so(terminal: Terminal, database: Database) -> None:
    assert (await terminal.runs("summaries")).out == "No summaries yet.\n"
    assert (await terminal.runs("summaries", "--rejected")).out == "Nothing was rejected.\n"
