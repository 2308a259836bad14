"""Alerts through the whole system, on three platforms: long before the digest, once, whenever a process dies."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.replay.harness import Harness, Kills
from tests.test_kill_steps import BUILT, CHATS, PAPERS, TAKEN_AND_UNRECORDED, announcement

AT_ONCE = [replace(chat, at_once=True, time="12:00") for chat in CHATS]
IN_AN_HOUR = BUILT + timedelta(hours=1)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("step", "database"),
    [
        ("", "sqlite"),
        pytest.param("digest committed", "sqlite", marks=pytest.mark.thorough),
        pytest.param("record written", "postgresql", marks=pytest.mark.thorough),
    ],
)
async def test_an_alert_comes_once_and_the_digest_has_nothing_of_it(
    step: str, database: str, new_migrated_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = new_migrated_postgres() if database == "postgresql" else ""
    harness = Harness(
        [announcement(tmp_path)],
        AT_ONCE,
        tmp_path,
        Kills(at_step=step),
        database=url,
        before=timedelta(minutes=40),
        after=timedelta(hours=7) if database == "sqlite" else timedelta(minutes=40),
    )
    result = await harness.run()
    assert result.kills == bool(step)
    for chat in AT_ONCE:
        came = [each for each in result.received if each.chat == chat.name]
        assert {each.paper for each in came} == set(PAPERS), chat
        assert max(each.at for each in came) < IN_AN_HOUR, "not first with the digest at noon"
        assert chat.platform == "telegram" or set(Counter(each.paper for each in came).values()) == {1}, chat
    assert result.repeats == ({"telegram": 1} if step in TAKEN_AND_UNRECORDED else {})
    assert result.unsent == {}
    assert result.breaches == []
