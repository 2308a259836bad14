"""Real days through the whole system: every chat gets what it follows, each once, at its hour, nothing else.

What it should get is computed from the captures with lxml, not through our code. All twelve days, with many kills, are
for `python -m benchmarks.replay`.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.replay.harness import Harness, Kills, Result
from benchmarks.replay.owed import owed
from benchmarks.replay.world import ChatPlan
from tests.servers.arxiv import Capture, load_captures

LATEST = timedelta(minutes=15)
PLATFORMS = ("telegram", "discord", "web")
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata", "America/Los_Angeles")
LANGUAGES = ("both", "en", "zh")
QUERIES = (
    ("cs.CL-cs.AI-cs.LG",), ("cs.CV-cs.AI-cs.LG-cs.RO",), ("cs.CL-cs.LG", "cs.CV-cs.AI-cs.LG-cs.RO-cs.MM"),
    ("cs.CL-cs.AI-cs.CV",), ("cs.CV-cs.AI-cs.LG-cs.CL",), ("cs.CL-cs.AI",),
)  # fmt: skip

pytestmark = [pytest.mark.shared, pytest.mark.timeout(400)]


def chats(how_many: int) -> list[ChatPlan]:
    """Chats on three platforms, with six interests and as many hours as there are chats."""
    return [
        ChatPlan(
            name=f"chat {number}",
            platform=PLATFORMS[number % 3],
            queries=QUERIES[number // 3 % len(QUERIES)],
            zone=ZONES[number % len(ZONES)],
            time=f"{(5 + number) % 24:02}:{number * 7 % 60:02}",
            language=LANGUAGES[number % 3],
            cap=0,
        )
        for number in range(how_many)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a disk: a killed process has written what it has written there, too."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="paperwire-replay-", dir=memory if memory.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def days(shared: Path) -> Callable[[int], list[Capture]]:
    """What arXiv announced on the first so many days."""

    def first(how_many: int) -> list[Capture]:
        captures = load_captures(shared / "arxiv" / "atom" / "replay")
        dates = sorted({capture.built.date() for capture in captures})[:how_many]
        return [capture for capture in captures if capture.built.date() in dates]

    return first


def check(result: Result, plans: list[ChatPlan], captures: list[Capture]) -> None:
    expected = owed(captures, plans)
    for plan in plans:
        received = [each for each in result.received if each.chat == plan.name]
        assert {each.paper for each in received} == expected[plan.name], plan
        if plan.platform != "telegram":
            assert set(Counter(each.paper for each in received).values()) <= {1}, plan
        messages = Counter(each.message for each in received)
        assert len(messages) < len(received) or len(received) < 10, "several papers share a message"
        for each in received:
            assert on_time(plan, each.at), (plan, each)
    assert result.repeats["telegram"] <= result.uncommitted["telegram"]
    assert result.unsent == {}
    assert result.http_429 == 0
    assert result.breaches == []


def on_time(plan: ChatPlan, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(plan.zone))
    hour, minute = map(int, plan.time.split(":"))
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return timedelta(0) <= local - due <= LATEST


async def test_every_chat_gets_what_it_follows_once_at_its_hour_and_nothing_else(
    days: Callable[[int], list[Capture]], folder: Path
) -> None:
    captures = days(1)
    plans = [
        *chats(9),
        ChatPlan("all of cs.AI", "web", ("cs.AI",), "Asia/Shanghai", "09:00", "both", cap=0),
        ChatPlan("all of cs.LG", "discord", ("cs.LG",), "Asia/Shanghai", "09:00", "both", cap=0),
    ]
    result = await Harness(captures, plans, folder).run()
    assert (result.kills, result.repeats) == (0, {})
    check(result, plans, captures)


@pytest.mark.thorough
async def test_the_same_when_the_bot_is_killed_on_each_day(days: Callable[[int], list[Capture]], folder: Path) -> None:
    captures, plans = days(2), chats(6)
    result = await Harness(captures, plans, folder, Kills(daily=True)).run()
    assert result.kills >= 2
    check(result, plans, captures)


@pytest.mark.thorough
async def test_the_same_when_three_share_the_work_and_are_killed_in_turn(
    days: Callable[[int], list[Capture]], new_migrated_postgres: Callable[[], str], folder: Path
) -> None:
    captures, plans = days(1), chats(6)
    harness = Harness(captures, plans, folder, Kills(every=10), database=new_migrated_postgres(), workers=3)
    result = await harness.run()
    assert result.kills >= 2
    check(result, plans, captures)
