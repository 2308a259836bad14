"""arXiv is asked by one request at a time, three seconds apart, however many processes of a machine ask."""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from bot.arxiv import machine
from bot.arxiv.client import SPACING, ArxivClient, UnreachableError
from bot.metrics import Metrics
from tests.builders import HandClock
from tests.servers.arxiv import ArxivStub, Entry, atom_feed

FASTER = 1_500
"""So much faster than life goes the time of the processes and of their arXiv."""
EACH = 500
PROCESS = f"""
import asyncio, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from bot.arxiv import machine
from bot.arxiv.client import ArxivClient
from bot.metrics import Metrics

machine.LOOK_AGAIN = 0.002

class FastClock:
    def now(self):
        return datetime.fromtimestamp(time.time() * {FASTER} % 4e9, UTC)

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / {FASTER})

async def main():
    client = ArxivClient("mailto:tests@example.org", FastClock(), Metrics(), folder=Path(sys.argv[2]))
    for _ in range({EACH}):
        await client.get(sys.argv[1] + "/atom/cs.CL")
    await client.close()

asyncio.run(main())
"""


async def test_two_processes_never_ask_within_three_seconds_or_at_once(tmp_path: Path) -> None:
    async with ArxivStub(now=lambda: time.time() * FASTER % 4e9) as arxiv:
        built = arxiv.now() - 60
        entries = [Entry("2603.00001", "Paper 1", "An abstract.", ("cs.CL",))]
        arxiv.publish("cs.CL", atom_feed("cs.CL", entries, built), built)
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, arxiv.url, str(tmp_path))
            for _ in range(2)
        ]
        async with asyncio.timeout(100):
            assert [await process.wait() for process in processes] == [0, 0]
        assert len(arxiv.journal) == 2 * EACH
        assert arxiv.violations == []


async def test_a_new_process_waits_for_what_another_has_just_asked(tmp_path: Path) -> None:
    clock = HandClock()
    async with ArxivStub(now=clock.epoch) as arxiv:
        first, second = (ArxivClient("mailto:tests@example.org", clock, Metrics(), folder=tmp_path) for _ in range(2))
        await first.get(f"{arxiv.url}/atom/cs.CL")
        second.free_at = clock.now()
        await second.get(f"{arxiv.url}/api/query?id_list=2603.00001")
        assert arxiv.violations == []
        await first.close()
        await second.close()


async def test_who_never_gets_a_turn_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.arxiv.client.LONGEST_WAIT", 0.05)
    clock = HandClock()
    client = ArxivClient("mailto:tests@example.org", clock, Metrics(), folder=tmp_path)
    async with ArxivStub(now=clock.epoch) as arxiv:
        await client.get(f"{arxiv.url}/atom/cs.CL")
        (lock,) = tmp_path.glob("*.lock")
        with FileLock(lock), pytest.raises(UnreachableError):
            await client.get(f"{arxiv.url}/atom/cs.CL")
    await client.close()


def test_all_of_arxivs_hosts_are_one_party() -> None:
    hosts = ("https://rss.arxiv.org/atom", "https://export.arxiv.org/api/query", "https://arxiv.org/list")
    assert {machine._party(url) for url in hosts} == {"arxiv"}
    assert machine._party("http://127.0.0.1:8080/atom") == "127-0-0-1-8080"


async def test_a_time_that_nobody_can_read_or_that_is_to_come_keeps_nobody_waiting(tmp_path: Path) -> None:
    clock = HandClock(datetime(2026, 3, 2, tzinfo=UTC))
    url = "http://127.0.0.1:9/atom"
    for text in ("", "nonsense", (clock.now() + timedelta(days=1)).isoformat()):
        async with machine.machine_turn(tmp_path, url, clock, SPACING, 1):
            asked = next(tmp_path.glob("*.lock")).with_suffix(".asked")
        asked.write_text(text, "ascii")
        before = clock.now()
        async with machine.machine_turn(tmp_path, url, clock, SPACING, 1):
            assert clock.now() == before


async def test_where_the_folder_cannot_be_written_arxiv_is_read_all_the_same(tmp_path: Path) -> None:
    nowhere = tmp_path / "a file"
    nowhere.write_text("and no folder")
    clock = HandClock()
    async with ArxivStub(now=clock.epoch) as arxiv:
        client = ArxivClient("mailto:tests@example.org", clock, Metrics(), folder=nowhere)
        assert (await client.get(f"{arxiv.url}/atom/cs.CL")).body
        await client.close()
