"""A made-up year of arXiv: its rates are the measured ones, and some days of it lose nothing."""

import csv
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks.year import _live
from tests.year import FIRST_DAY, STALE_BY_SECOND, Year


async def test_some_days_of_a_bad_year_lose_nothing_and_send_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.arxiv.client.LONGEST_WAIT", 0.5)
    first = FIRST_DAY + timedelta(weeks=12)
    outcome = await _live(Year(11), first, first + timedelta(days=11), tmp_path)
    assert outcome.announced > 200
    assert (outcome.missed, outcome.duplicates, outcome.breaches) == (0, 0, 0)


@pytest.mark.shared
def test_documents_are_stale_as_often_as_measured(shared: Path) -> None:
    built, stale = Counter[int](), Counter[int]()
    with (shared / "arxiv" / "rss" / "snapshots_2024-03_2026-08.csv").open() as rows:
        for row in csv.DictReader(rows):
            second, day = int(row["secs_after_midnight_et"]), date.fromisoformat(row["pub_date_et"])
            if second < 60 and day.weekday() < 5 and int(row["items"]):
                built[min(second, 3)] += 1
                stale[min(second, 3)] += row["flag"] == "stale_repeat"
    assert [round(stale[second] / built[second], 3) for second in range(4)] == list(STALE_BY_SECOND)
