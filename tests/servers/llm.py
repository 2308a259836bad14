"""A stub of an OpenAI-compatible endpoint, with every misbehaviour that such servers were seen to have.

https://platform.openai.com/docs/api-reference/chat says how they answer when all is well.
"""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from .stub import Stub

Json = dict[str, Any]

Fault = Literal[
    "no_json_schema",
    "no_response_format",
    "no_max_tokens",
    "429",
    "429_retry_after",
    "quota",
    "500",
    "401_with_key",
    "stall",
    "dribble",
    "endless",
    "endless_500",
    "compressed",
    "empty_choices",
    "empty_answer",
    "html",
    "broken_body",
    "reset",
]
"""Misbehaviour of the server. What a model writes is in `reply`."""

RETRY_AFTER = 3
_CHINESE = (
    "本文研究这一问题并给出一种新的方法",
    "现有做法在此情形下仍有不足之处",
    "所提方案先分析输入，再逐步求解",
    "实验结果表明该做法确实有效",
    "作者还讨论了适用范围和局限",
)


@dataclass
class Asked:
    """What one request said."""

    messages: list[Json]
    form: str
    body: Json = field(repr=False)

    @property
    def title(self) -> str:
        return self._between("title")

    @property
    def abstract(self) -> str:
        return self._between("abstract")

    @property
    def is_again(self) -> bool:
        """Whether an earlier reply was not usable."""
        return len(self.messages) > 2

    def _between(self, tag: str) -> str:
        found = re.search(rf"<{tag}>(.*)</{tag}>", self.messages[1]["content"], re.S)
        return found[1] if found else ""


def good(asked: Asked) -> Json:
    """A summary with which nothing is wrong: sentences of the abstract, and Chinese that keeps their numbers."""
    first, *others = re.split(r"(?<=\.) ", asked.abstract)
    return {
        "tldr": {"en": first, "zh": _chinese(first, 0)},
        "takeaways": [
            {"role": role, "en": each, "zh": _chinese(each, 1 + index)}
            for index, (role, each) in enumerate(zip(("problem", "method", "result", "result"), others, strict=False))
        ],
        "title_zh": "一篇论文的题目" + _chinese(asked.title, 4),
        "abstract_zh": "。".join(_CHINESE) + "，" + "、".join(re.findall(r"\d+(?:\.\d+)?", asked.abstract)) + "。",
    }


def _chinese(text: str, index: int) -> str:
    return "，其中有".join([_CHINESE[index % 5], *re.findall(r"\d+(?:\.\d+)?", text)])


def as_json(asked: Asked) -> str:
    return json.dumps(good(asked), ensure_ascii=False)


class LlmStub(Stub):
    """Answers `POST /v1/chat/completions` after `latency` seconds with what `reply` makes of a request."""

    def __init__(
        self,
        reply: Callable[[Asked], str] = as_json,
        *,
        latency: float = 0.0,
        finish_reason: str = "stop",
        usage: Json | None = None,
        limit: int = 1000,
    ) -> None:
        super().__init__()
        self.reply = reply
        self.latency = latency
        self.finish_reason = finish_reason
        self.usage = usage
        self.limit = limit
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._faults: Counter[Fault] = Counter()
        self._ended = asyncio.Event()
        self.app.router.add_post("/v1/chat/completions", self._complete)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def fail(self, fault: Fault, times: int = 10_000) -> None:
        """Misbehave so at the next requests."""
        self._faults[fault] = times

    async def __aexit__(self, *exception: Any) -> None:
        self._ended.set()
        await super().__aexit__(*exception)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        form = body.get("response_format", {}).get("type", "prompt")
        asked = Asked(body["messages"], form, body)
        self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.in_flight > self.limit:
                return _error(429, f"at most {self.limit} requests at once")
            if self.latency:
                await asyncio.sleep(self.latency)
            return await self._spoilt(request, asked) or web.json_response(self._completion(self.reply(asked)))
        finally:
            self.in_flight -= 1

    def _completion(self, text: str) -> Json:
        message = {"role": "assistant", "content": text}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(self.now()),
            "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            **({"usage": self.usage} if self.usage is not None else {}),
        }

    def _takes_place(self, fault: Fault) -> bool:
        if self._faults[fault] < 1:
            return False
        self._faults[fault] -= 1
        return True

    async def _spoilt(self, request: web.Request, asked: Asked) -> web.StreamResponse | None:
        if asked.form == "json_schema" and self._takes_place("no_json_schema"):
            return _error(500, "grammar could not be built")
        if asked.form != "prompt" and self._takes_place("no_response_format"):
            return _error(400, "response_format is not supported")
        if "max_tokens" in asked.body and self._takes_place("no_max_tokens"):
            return _error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        fault = next((each for each in self._faults if not each.startswith("no_") and self._takes_place(each)), None)
        match fault:
            case None:
                return None
            case "429":
                return _error(429, "concurrency limit reached")
            case "429_retry_after":
                return _error(429, "slow down", headers={"Retry-After": str(RETRY_AFTER)})
            case "quota":
                return _error(429, "You exceeded your current quota", code="insufficient_quota")
            case "500":
                return _error(500, "internal error")
            case "401_with_key":
                return _error(401, f"Incorrect API key provided: {request.headers['Authorization']}")
            case "stall":
                await self._ended.wait()
            case "dribble" | "endless" | "endless_500":
                return await self._endless(request, fault)
            case "compressed":
                bomb = gzip.compress(b" " * 50_000_000)
                return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, content_type="application/json")
            case "empty_choices":
                return web.json_response(self._completion("") | {"choices": []})
            case "empty_answer":
                return web.json_response(self._completion(" "))
            case "html":
                return web.Response(text="<html><body>Sign in to the network</body></html>", content_type="text/html")
            case "broken_body":
                return web.Response(text='{"choices": [{"mess', content_type="application/json")
            case "reset":
                assert request.transport is not None
                request.transport.abort()
        return web.Response()

    async def _endless(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse(status=500 if fault == "endless_500" else 200)
        response.content_type = "application/json"
        await response.prepare(request)
        try:
            while not self._ended.is_set():
                await response.write(b" " if fault == "dribble" else b" " * 65_536)
                await asyncio.sleep(0.02 if fault == "dribble" else 0)
        except ConnectionError:
            pass  # the client has gone, as it should
        return response


def _error(
    status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    error = {"message": message, "type": code or "server_error", "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)
