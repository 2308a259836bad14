"""A process that dies at any step between "compose" and "recorded": nothing is lost, hardly anything comes twice."""

import gzip
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.replay.harness import Harness, Kills
from benchmarks.replay.steps import STEPS
from benchmarks.replay.world import ChatPlan
from tests.servers.arxiv import Capture, Entry, atom_feed

BUILT = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
PAPERS = [f"2603.{number:05}" for number in range(1, 31)]
CHATS = [
    ChatPlan(f"{platform} chat", platform, ("cs.CL",), "UTC", "06:00", "both", cap=0)
    for platform in ("telegram", "discord", "web")
]
QUICKLY = ("digest committed", "claim written", "accepted")
"""The steps that every run looks at."""
TAKEN_AND_UNRECORDED = ("accepted", "answered", "record written")


def announcement(folder: Path) -> Capture:
    """Thirty papers: several messages in each chat."""
    entries = [
        Entry(id=paper, title=f"Paper {paper}", abstract="We ask a question. We find an answer.", categories=("cs.CL",))
        for paper in PAPERS
    ]
    path = folder / "cs-cl.xml.gz"
    path.write_bytes(gzip.compress(atom_feed("cs.CL", entries, BUILT.timestamp())))
    return Capture("cs.CL", BUILT, path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("step", "database"),
    # What PostgreSQL does otherwise is to claim and to record; the steps between are the same code.
    [
        *((step, "sqlite") for step in QUICKLY),
        *(pytest.param(step, "sqlite", marks=pytest.mark.thorough) for step in STEPS if step not in QUICKLY),
        *(pytest.param(step, "postgresql", marks=pytest.mark.thorough) for step in ("claim written", "record written")),
    ],
)
async def test_a_death_at_this_step_loses_nothing_and_repeats_only_what_telegram_had_taken(
    step: str, database: str, new_migrated_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = new_migrated_postgres() if database == "postgresql" else ""
    little = timedelta(minutes=40)
    harness = Harness(
        [announcement(tmp_path)], CHATS, tmp_path, Kills(at_step=step), database=url, before=little, after=little
    )
    result = await harness.run()
    assert result.kills == 1
    for chat in CHATS:
        came = [each.paper for each in result.received if each.chat == chat.name]
        assert list(dict.fromkeys(came)) == PAPERS, chat
        assert chat.platform == "telegram" or set(Counter(came).values()) == {1}, chat
    is_unrecorded = step in TAKEN_AND_UNRECORDED
    assert result.uncommitted.keys() == ({"telegram", "discord", "web"} if is_unrecorded else set())
    assert result.repeats == ({"telegram": 1} if is_unrecorded else {})
    assert result.unsent == {}
    assert result.breaches == []
