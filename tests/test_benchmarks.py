"""The benchmarks in small: they run, and what they show of the limits holds at any size, whatever the time."""

import pytest

from benchmarks import engine, model, pace
from benchmarks.load import Load, private_chats

BUSY = Load(dict.fromkeys(range(1, 61), 2) | dict.fromkeys(range(-3, 0), 6))
"""More than 30 at once, more than one for each chat, and in a random order."""


@pytest.mark.parametrize("system", ["paperwire", pytest.param("paperwire, two workers", marks=pytest.mark.thorough)])
async def test_everything_leaves_at_telegrams_pace_and_nothing_is_refused(system: str) -> None:
    row = await pace.measured(system, BUSY, pace.SYSTEMS[system])
    assert (row.messages, row.http_429) == (BUSY.total, 0)
    assert row.seconds >= pace.ceiling(BUSY) - 1


def test_the_ceiling_is_the_overall_limit_or_what_the_busiest_chat_needs() -> None:
    assert pace.ceiling(private_chats(300, 1)) == 10
    assert pace.ceiling(Load({1: 40})) == 40
    assert pace.ceiling(Load({-1: 20})) == 20
    assert pace.ceiling(Load({-1: 41})) == 121


@pytest.mark.thorough
async def test_every_engine_sends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RUNS", 1)
    rows = await engine.measure(private_chats(50, 2), workers=(1,))
    assert [row.engine for row in rows] == [
        *engine.IN_TURNS,
        "paperwire, PostgreSQL, 1 worker",
    ]
    assert min(row.sends_per_s for row in rows) > 0


async def test_the_model_writer_comes_close_to_what_its_requests_in_flight_allow() -> None:
    rows = await model.measure(papers=32, in_flight=8, latency=0.5)
    assert [(row.start, row.by_model) for row in rows] == [("cold", 32), ("warm", 32)]
    assert all(row.papers_per_s <= row.bound_per_s for row in rows)
