"""What load balancers, Prometheus and Telegram's webhook ask a process, in whatever role, and its answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from prometheus_client import parser
from sqlalchemy.exc import OperationalError

from bot.config import Web
from bot.metrics import Depth, Metrics, Snapshot
from bot.platforms.webchat.send import Listeners
from bot.web import operations
from bot.web.operations import Operations
from bot.web.server import WebServer, build_web
from tests.builders import MONDAY, HandClock

UPDATE = b'{"update_id": 7}'


@dataclass
class Process:
    """A process that serves no pages: what it answers is set by hand."""

    reason: str = ""
    depths: Sequence[Depth] | Exception = ()
    status: int = 200
    hangs: bool = False
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    async def ready(self) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        return self.reason

    async def count(self) -> Snapshot:
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.depths, Exception):
            raise self.depths
        return Snapshot(self.depths)

    async def webhook(self, token: str, body: bytes) -> int:
        self.heard.append((token, body))
        return self.status


@asynccontextmanager
async def serving(process: Process, *, webhook: bool = True, password: str = "") -> AsyncIterator[httpx.AsyncClient]:
    settings = Web(port=0, password=password)
    answers = Operations(HandClock(), process.metrics, process.ready, process.count)
    app = build_web(settings, answers, webhook=process.webhook if webhook else None)
    server = WebServer(settings, app, Listeners())
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address) as http:
            yield http
    finally:
        await server.stop()


async def samples(http: httpx.AsyncClient) -> dict[str, float]:
    """What Prometheus would keep, of metrics with at most one set of labels."""
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    return {
        sample.name: sample.value
        for family in parser.text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_process_lives_as_long_as_it_answers_ready_or_not() -> None:
    async with serving(Process(reason="starting")) as http:
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await http.head("/healthz")).status_code == 200


async def test_a_process_is_ready_until_something_keeps_it_from_working() -> None:
    process = Process()
    async with serving(process) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
        for reason in ("starting", "database: OperationalError", "stopping"):
            process.reason = reason
            answer = await http.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": reason})
            assert answer.headers["cache-control"] == "no-store"


async def test_a_process_that_cannot_tell_in_time_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_PATIENCE_SECONDS", 0.01)
    async with serving(Process(hangs=True)) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "no answer in time"})


async def test_prometheus_reads_the_process_and_the_outbox() -> None:
    process = Process(depths=[Depth("telegram", "pending", 12, MONDAY - timedelta(seconds=90))])
    process.metrics.recovered.inc(2)
    async with serving(process) as http:
        shown = await samples(http)
    assert shown["paperwire_outbox_messages"] == 12
    assert shown["paperwire_outbox_oldest_age_seconds"] == 90
    assert shown["paperwire_recovered_messages_total"] == 2
    assert 0 <= shown["paperwire_event_loop_lag_seconds"] < 60


@pytest.mark.parametrize(
    "process", [Process(depths=OperationalError("SELECT", {}, OSError("away"))), Process(hangs=True)]
)
async def test_while_the_database_is_away_a_process_still_shows_its_own_numbers(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_PATIENCE_SECONDS", 0.01)
    async with serving(process) as http:
        shown = await samples(http)
    assert "paperwire_recovered_messages_total" in shown
    assert "paperwire_outbox_messages" not in shown


async def test_prometheus_is_answered_in_the_format_that_it_prefers() -> None:
    async with serving(Process()) as http:
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        answer = await http.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/", "/t/home", "/static/chat.js", "/papers/2600.00001"])
async def test_a_process_without_the_web_role_has_no_pages(path: str) -> None:
    async with serving(Process()) as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


async def test_telegram_calls_the_webhook_under_any_name_and_without_our_password() -> None:
    process = Process()
    async with serving(process, password="open sésame") as http:
        headers = {"Host": "bot.example.org", "X-Telegram-Bot-Api-Secret-Token": "s3cret"}
        answer = await http.post("/telegram/webhook", content=UPDATE, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await http.get("/")).status_code == 401
    assert process.heard == [("s3cret", UPDATE)]


@pytest.mark.parametrize("status", [200, 401, 503])
async def test_the_webhooks_verdict_is_the_answer(status: int) -> None:
    process = Process(status=status)
    async with serving(process) as http:
        assert (await http.post("/telegram/webhook", content=UPDATE)).status_code == status
    assert process.heard == [("", UPDATE)]


async def test_an_update_may_be_a_megabyte_and_no_more() -> None:
    process = Process()
    async with serving(process) as http:
        assert (await http.post("/telegram/webhook", content=b"x" * 2**20)).status_code == 200
        assert (await http.post("/telegram/webhook", content=b"x" * (2**20 + 1))).status_code == 413
    assert [len(body) for _, body in process.heard] == [2**20]


async def test_the_webhook_takes_updates_only() -> None:
    async with serving(Process()) as http:
        assert (await http.get("/telegram/webhook")).status_code == 405


async def test_without_a_webhook_there_is_nothing_to_call() -> None:
    async with serving(Process(), webhook=False) as http:
        assert (await http.post("/telegram/webhook", content=UPDATE)).status_code == 404
