"""One OpenAI-compatible endpoint: asked within its limits, in the form that works there, and left alone when it fails.

Loading this module loads the client library, which takes a second: it is imported where a model is configured.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx2
import structlog
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from bot.clock import Clock
from bot.config import Llm
from bot.metrics import Metrics
from bot.storage.spending import Spent
from bot.summaries.model.pace import MINUTE, Breaker, Taken, Window
from bot.summaries.model.prompt import Message
from bot.summaries.model.purse import Purse
from bot.summaries.model.reply import SCHEMA
from bot.summaries.model.trouble import NoAnswer, Trouble, trouble_of

Form = Literal["json_schema", "json_object", "prompt"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "prompt")
"""How JSON is asked for, the strictest first. Some servers refuse the first ones, and some only seem to take them."""
GARBLED = 3
"""Replies in a row that were no JSON after which the next form is tried."""
TRIES = 3
"""Requests for one reply that end in passing trouble before the paper goes without."""
BACKOFF = 1.0
"""Seconds before the second try; double before the third."""
REFUSALS = 8
"""429s that one paper bears; each also means one request less in flight for a minute, as the limit is rarely told."""
LONGEST_BACKOFF = 16.0
LONGEST_WAIT = timedelta(seconds=90)
"""For which a paper waits for its turn because of a silence; after a longer one it is summarised without the model."""
LARGEST_ANSWER = 512 * 1024
"""Bytes; a hundred times a summary."""
_CHARACTERS_A_TOKEN = 3.5
_USUAL_REPLY = 800


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote, in which form it was asked, and whether it was stopped at its longest answer."""

    text: str
    form: Form
    is_cut: bool


class Unanswered(Exception):
    """There is no answer, for this reason: `shut`, `spent`, `late` or `failed`."""

    def __init__(self, reason: Literal["shut", "spent", "late", "failed"]) -> None:
        super().__init__(reason)
        self.reason = reason


class _Refused(Exception):
    """A 429: the endpoint wants fewer requests."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class Endpoint:
    """Asks a model. Used by one event loop."""

    def __init__(self, settings: Llm, clock: Clock, purse: Purse, metrics: Metrics) -> None:
        self._settings = settings
        self._clock = clock
        self._purse = purse
        self._start = asyncio.Lock()
        self._metrics = metrics
        self._key = settings.api_key.get_secret_value()
        self._client = AsyncOpenAI(
            base_url=settings.base_url,
            api_key=self._key or "none",
            timeout=settings.timeout_seconds,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [_bound]}),
        )
        self._in_flight = asyncio.Semaphore(settings.max_in_flight)
        self._withheld = 0
        self._refusals = 0
        self._going_on = 0
        self._requests = Window(settings.requests_per_minute)
        self._tokens = Window(settings.tokens_per_minute)
        self._breaker = Breaker()
        self._silent_until = datetime.min.replace(tzinfo=UTC)
        self._form = 0
        self._form_works = False
        self._garbled = 0
        self._limit = "max_tokens"

    async def close(self) -> None:
        """Close its connections."""
        await self.record()
        await self._client.close()

    async def record(self) -> None:
        """Store what was spent since the last time."""
        await self._purse.record()

    async def ask(self, messages: Sequence[Message], deadline: datetime) -> Answer:
        """The model's answer. Raises Unanswered when it gives this paper up, and at once where it cannot be in time."""
        refusals = 0
        while True:
            await self._in_flight.acquire()
            refused = None
            try:
                return await self._tried(messages, deadline)
            except _Refused as error:
                refused = error.trouble
            finally:
                self._leave(is_too_many=refused is not None)
            refusals += 1
            self._keep_silent(refused, refusals)

    async def _tried(self, messages: Sequence[Message], deadline: datetime) -> Answer:
        """The answer to one of a few requests, each in the form that seems to work. Raises Unanswered and _Refused."""
        form, tries = self._form, 0
        while True:
            form, limit = max(form, self._form), self._limit
            try:
                return await self._send(messages, form, deadline)
            except (OpenAIError, TimeoutError, ValueError, NoAnswer) as error:
                trouble = trouble_of(error, self._key, self._clock.now())
            self._metrics.model_requests.labels(trouble.kind).inc()
            if trouble.is_busy:
                raise _Refused(trouble)
            if trouble.wants_completion_limit and limit == "max_tokens":
                self._limit = "max_completion_tokens"
                continue
            # A server that fails only where a schema is asked of it answers 500, too.
            is_of_form = trouble.kind == "form" or (trouble.is_500 and not self._form_works)
            if is_of_form and form + 1 < len(FORMS):
                form += 1
                continue
            tries += 1
            if trouble.kind != "passing" or not trouble.may_retry or tries == TRIES:
                self._give_up(trouble)
            wait = BACKOFF * 2 ** (tries - 1) if trouble.wait is None else trouble.wait
            await self._clock.sleep(min(wait, LONGEST_WAIT.total_seconds()))

    def was_json(self, answer: Answer, *, is_json: bool) -> None:
        """Tell whether an answer could be read: a form in which none can be is not asked for any more."""
        if answer.form == FORMS[self._form]:
            self._garbled = 0 if is_json else self._garbled + 1
            if self._garbled == GARBLED and self._form + 1 < len(FORMS):
                self._form, self._garbled = self._form + 1, 0
                log.info("model.form", form=FORMS[self._form], because="replies were no JSON")

    async def _send(self, messages: Sequence[Message], form: int, deadline: datetime) -> Answer:
        size = int(sum(len(each["content"]) for each in messages) / _CHARACTERS_A_TOKEN)
        taken = await self._turn(size + _USUAL_REPLY, deadline)
        spent = Spent(1, size, 0)
        self._going_on += 1
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                async with self._start:
                    await asyncio.sleep(0)  # many that begin at once would hold up everything else for as long
                completion = await self._client.post(
                    "/chat/completions", cast_to=object, body=self._request(messages, FORMS[form])
                )
            answer, spent = _answer(completion, FORMS[form], size)
        finally:
            self._going_on -= 1
            taken.size = spent.tokens
            self._purse.spend(spent, self._clock.now().date())
        if form > self._form or not self._form_works:
            log.info("model.form", form=FORMS[form])
        self._form, self._form_works = max(form, self._form), True
        self._breaker.answered()
        self._refusals = 0
        self._metrics.model_requests.labels("answered").inc()
        return answer

    def _request(self, messages: Sequence[Message], form: Form) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self._settings.model, "messages": list(messages)}
        request[self._limit] = self._settings.max_tokens
        if form == "json_schema":
            schema = {"name": "summary", "strict": True, "schema": SCHEMA}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif form == "json_object":
            request["response_format"] = {"type": "json_object"}
        return request

    async def _turn(self, size: int, deadline: datetime) -> Taken:
        """Wait until one more request fits into the limits, or raise Unanswered at once where it will not in time."""
        now = self._clock.now()
        if self._breaker.is_shut(now):
            raise Unanswered("shut")
        if await self._purse.is_empty(now, Spent(self._going_on, 0, self._going_on * _USUAL_REPLY)):
            raise Unanswered("spent")
        if self._silent_until > now + LONGEST_WAIT:
            raise Unanswered("late")
        at = max(self._silent_until, self._requests.free_at(1, now), self._tokens.free_at(size, now))
        if at >= deadline:
            raise Unanswered("late")
        self._requests.take(1, at)
        taken = self._tokens.take(size, at)
        while (wait := (max(at, self._silent_until) - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(wait)
            if self._silent_until >= deadline or self._breaker.is_shut(self._clock.now()):
                raise Unanswered("late")
        return taken

    def _leave(self, *, is_too_many: bool) -> None:
        """Make room for the next request, or, where they were too many, not before a while."""
        if is_too_many and self._withheld + 1 < self._settings.max_in_flight:
            self._withheld += 1
            asyncio.get_running_loop().call_later(MINUTE.total_seconds(), self._readmit)
        else:
            self._in_flight.release()

    def _readmit(self) -> None:
        self._withheld -= 1
        self._in_flight.release()

    def _keep_silent(self, trouble: Trouble, refusals: int) -> None:
        """After a 429 nobody asks for a while; where there are only such answers, this paper or all are given up."""
        self._refusals += 1
        if refusals == REFUSALS or self._refusals == self._settings.max_in_flight + REFUSALS:
            self._breaker.shut(self._clock.now())
            self._give_up(trouble)
        wait = min(BACKOFF * 2 ** (refusals - 1), LONGEST_BACKOFF) if trouble.wait is None else trouble.wait
        self._silent_until = max(self._silent_until, self._clock.now() + timedelta(seconds=wait))

    def _give_up(self, trouble: Trouble) -> None:
        log.warning("model.unanswered", reason=trouble.reason, kind=trouble.kind)
        if trouble.kind != "paper" and self._breaker.failed(self._clock.now(), for_good=trouble.kind == "lasting"):
            log.warning("model.left_alone", until=str(self._breaker.shut_until), reason=trouble.reason)
        raise Unanswered("failed")


def _answer(completion: Any, form: Form, size: int) -> tuple[Answer, Spent]:
    """What a completion says and cost; nothing in it is sure. Raises NoAnswer."""
    try:
        choice = completion["choices"][0]
        text, is_cut = choice["message"]["content"], choice.get("finish_reason") == "length"
        usage = completion.get("usage") or {}
        told = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise NoAnswer(f"no completion: {type(completion).__name__}, {error!r:.80}") from None
    if text is None and is_cut:
        text = ""
    if not isinstance(text, str) or (not text.strip() and not is_cut):
        raise NoAnswer("an empty answer")
    guessed = (size, int(len(text) / _CHARACTERS_A_TOKEN))
    used = [
        min(each, 10**7) if isinstance(each, int) and each >= 0 else guess
        for each, guess in zip(told, guessed, strict=True)
    ]
    return Answer(text, form, is_cut), Spent(1, *used)


async def _bound(response: httpx2.Response) -> None:
    """Read no more of a response than an answer can have."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("a compressed answer, which was not asked for", request=response.request)
    response.stream = _Bounded(response.stream, response.request)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, request: httpx2.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise httpx2.ReadError(f"an answer of more than {LARGEST_ANSWER} bytes", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
