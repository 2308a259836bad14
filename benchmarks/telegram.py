"""Telegram in a process of its own, so that it shares nobody's event loop: `python -m benchmarks.telegram KIND`.

`strict` keeps the rates and has bad moments (1 % of the calls stall for 50 ms); `canned` says yes as fast as it goes.
It prints its URL, and what it has counted for each line that it reads; it ends when there is no more to read.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import SecretStr

from bot.config import Telegram
from tests.servers.telegram import TOKEN, LeanTelegramStub, Message

Kind = Literal["strict", "canned"]


@dataclass(slots=True)
class Count:
    """What a stub has seen: messages accepted, refusals, and when it took the first and the last one (epoch)."""

    accepted: int = 0
    http_429: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    @property
    def rate(self) -> float:
        """Messages a second, from the first to the last."""
        return self.accepted / (self.last_at - self.first_at)


@dataclass(frozen=True, slots=True)
class TelegramProcess:
    """A running stub."""

    url: str
    process: asyncio.subprocess.Process

    @property
    def settings(self) -> Telegram:
        return Telegram(token=SecretStr(TOKEN), base_url=f"{self.url}/bot")

    async def count(self) -> Count:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        return Count(**json.loads(await self.process.stdout.readline()))

    async def accepted(self, messages: int, patience: float) -> Count:
        """What it has counted when it has accepted so many, or when that many seconds are over."""
        until = asyncio.get_running_loop().time() + patience
        while (count := await self.count()).accepted < messages and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.1)
        return count


@asynccontextmanager
async def telegram(kind: Kind) -> AsyncIterator[TelegramProcess]:
    """A stub of this kind, for as long as the block lasts."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.telegram", kind, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield TelegramProcess((await process.stdout.readline()).decode().strip(), process)
    finally:
        process.stdin.close()
        await process.wait()


class Canned(asyncio.Protocol):
    """HTTP as far as a benchmark needs it: whatever is posted is a message that was sent."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
            if len(self._seen) < end + 4 + length:
                return
            self._seen = self._seen[end + 4 + length :]
            now = time.time()
            self._count.accepted += 1
            self._count.first_at, self._count.last_at = self._count.first_at or now, now
            body = b'{"ok":true,"result":{"message_id":%d,"date":1,"chat":{"id":1,"type":"private"}}}'
            body %= self._count.accepted
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )


async def _serve(kind: Kind) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    count = Count()
    if kind == "canned":
        server = await asyncio.get_running_loop().create_server(lambda: Canned(count), "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        while await lines.readline():
            print(json.dumps(asdict(count)), flush=True)
        return

    def accept(message: Message) -> None:
        count.first_at, count.last_at = count.first_at or message.at, message.at

    async with LeanTelegramStub() as stub:
        stub.on_accept = accept
        stub.jitter(share=0.01, seconds=0.05)
        print(stub.url, flush=True)
        while await lines.readline():
            count.accepted, count.http_429 = stub.accepted, stub.http_429
            print(json.dumps(asdict(count)), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve("strict" if sys.argv[1] == "strict" else "canned"))
