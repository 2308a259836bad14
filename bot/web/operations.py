"""Operations: what load balancers and Prometheus ask a process, and its answers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.clock import Clock
from bot.metrics import Metrics, Snapshot

_PATIENCE_SECONDS = 3
"""Shorter than what probes wait for us."""

log = structlog.get_logger(__name__)


class Operations:
    """Health, readiness and metrics of a process, in whatever role.

    `ready` says why it cannot work at present, in words that hold no secret since anybody may read them: "starting",
    "stopping", "database: OperationalError"; empty: it can. `snapshot` is what the database adds to the metrics.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        ready: Callable[[], Awaitable[str]],
        snapshot: Callable[[], Awaitable[Snapshot]],
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._ready = ready
        self._snapshot = snapshot

    def routes(self) -> list[Route]:
        """`/healthz`: it lives. `/readyz`: it can work, else 503 and why. `/metrics`: how it does."""
        return [Route("/healthz", _alive), Route("/readyz", self._readiness), Route("/metrics", self._exposition)]

    async def _readiness(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reason = await self._ready()
        except TimeoutError:
            reason = "no answer in time"
        return JSONResponse({"status": reason or "ready"}, 503 if reason else 200, {"Cache-Control": "no-store"})

    async def _exposition(self, request: Request) -> Response:
        snapshot = Snapshot()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                snapshot = await self._snapshot()
        except (SQLAlchemyError, TimeoutError) as error:
            # The process's own numbers are needed most when the database is away.
            log.warning("metrics.without_database", reason=str(error) or "no answer in time")
        self._metrics.loop_lag.set(await _turn_of_the_loop())
        text, media_type = self._metrics.exposition(snapshot, self._clock.now(), request.headers.get("accept", ""))
        return Response(text, media_type=media_type)


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _turn_of_the_loop() -> float:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.sleep(0)
    return loop.time() - begun
