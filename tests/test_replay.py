"""Twelve real days through the whole system: every chat gets what it follows, each once, at its hour, nothing else.

What it should get is computed from the captures with lxml, not through our code.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from benchmarks.replay.harness import Harness, Result
from benchmarks.replay.world import ChatPlan
from tests.servers.arxiv import Capture, load_captures

ATOM = {"a": "http://www.w3.org/2005/Atom", "x": "http://arxiv.org/schemas/atom"}
LATEST = timedelta(minutes=15)
PLATFORMS = ("telegram", "discord", "web")
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata", "America/Los_Angeles")
LANGUAGES = ("both", "en", "zh")
CATEGORIES = (
    ("cs.CL",), ("cs.RO",), ("stat.ML",), ("cs.IR", "cs.RO"), ("eess.IV",), ("cs.SE",), ("cs.CR", "stat.ML"),
    ("cs.SD",), ("cs.HC", "cs.SE"),
)  # fmt: skip


def chats() -> list[ChatPlan]:
    """Thirty chats: three platforms, nine interests, as many hours; three of them follow the largest feeds whole."""
    plans = [
        ChatPlan(
            name=f"chat {number}",
            platform=PLATFORMS[number % 3],
            queries=CATEGORIES[number // 3],
            zone=ZONES[number % len(ZONES)],
            time=f"{(5 + number) % 24:02}:{number * 7 % 60:02}",
            language=LANGUAGES[number % 3],
            cap=0,
        )
        for number in range(27)
    ]
    whole_feeds = {"cs.AI": "web", "cs.CV": "web", "cs.LG": "discord"}
    return plans + [
        ChatPlan(f"all of {category}", platform, (category,), "Asia/Shanghai", "09:00", "both", cap=0)
        for category, platform in whole_feeds.items()
    ]


def announced(captures: list[Capture], followed: set[str]) -> dict[str, set[str]]:
    """For each category the papers that the followed feeds announced as new or cross-listed with it."""
    found: dict[str, set[str]] = defaultdict(set)
    for capture in captures:
        if capture.category not in followed:
            continue
        for entry in etree.fromstring(capture.body()).iterfind("a:entry", ATOM):
            if entry.findtext("x:announce_type", namespaces=ATOM) in ("new", "cross"):
                paper = entry.findtext("a:id", namespaces=ATOM).rpartition(":")[2].rpartition("v")[0]
                for category in entry.iterfind("a:category", ATOM):
                    found[category.get("term")].add(paper)
    return found


async def replayed(shared: Path, tmp_path: Path, *, kill_daily: bool) -> tuple[Result, list[ChatPlan], list[Capture]]:
    captures, plans = load_captures(shared / "arxiv" / "atom" / "replay"), chats()
    return await Harness(captures, plans, tmp_path, kill_daily=kill_daily).run(), plans, captures


def check(result: Result, plans: list[ChatPlan], captures: list[Capture], repeats: int) -> None:
    followed = {query for plan in plans for query in plan.queries}
    expected = announced(captures, followed)
    repeated = 0
    for plan in plans:
        received = [each for each in result.received if each.chat == plan.name]
        owed = set().union(*(expected[query] for query in plan.queries))
        assert {each.paper for each in received} == owed, plan
        messages = Counter(each.message for each in received)
        again = Counter(each.paper for each in received)
        if plan.platform == "telegram":
            repeated += len({each.message for each in received if again[each.paper] > 1}) // 2
        else:
            assert set(again.values()) <= {1}, plan
        assert len(messages) < len(received) or len(received) < 10, "several papers share a message"
        for each in received:
            assert on_time(plan, each.at), (plan, each)
    assert repeated <= repeats
    assert result.breaches == []


def on_time(plan: ChatPlan, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(plan.zone))
    hour, minute = map(int, plan.time.split(":"))
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return timedelta(0) <= local - due <= LATEST


@pytest.mark.shared
@pytest.mark.timeout(400)
async def test_every_chat_gets_what_it_follows_once_at_its_hour_and_nothing_else(shared: Path, tmp_path: Path) -> None:
    result, plans, captures = await replayed(shared, tmp_path, kill_daily=False)
    check(result, plans, captures, repeats=0)


@pytest.mark.shared
@pytest.mark.timeout(400)
async def test_the_same_when_the_bot_is_killed_on_each_of_the_days(shared: Path, tmp_path: Path) -> None:
    result, plans, captures = await replayed(shared, tmp_path, kill_daily=True)
    assert result.kills >= 12
    check(result, plans, captures, repeats=result.uncommitted)
