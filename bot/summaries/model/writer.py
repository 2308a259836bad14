"""The model writer: one call a paper to an OpenAI-compatible endpoint, and no text that the checks reject.

A reply that is not usable is asked for once more, with what is wrong. A paper whose second reply is not usable either,
or that gets no answer, is left out: the next writer has it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.config import Llm
from bot.metrics import Metrics
from bot.papers import Paper
from bot.storage import rejections
from bot.storage.database import Database
from bot.storage.rejections import Rejection
from bot.summaries.checks import Finding, check
from bot.summaries.model import prompt
from bot.summaries.model import reply as model_reply
from bot.summaries.model.endpoint import Answer, Endpoint, Unanswered
from bot.summaries.model.purse import Purse
from bot.summaries.model.reply import Unusable
from bot.summary import Provenance, Summary

FEWEST_TAKEAWAYS = 3
MOST_TAKEAWAYS = 5
_LONGEST_COMPLAINT = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a reply: a summary that may be shown, or none; and what was found in it."""

    summary: Summary | None
    rejected: tuple[Finding, ...] = ()

    @property
    def complaint(self) -> str:
        """What the model is told."""
        return "\n".join(f"- {each.field}: {each.detail}" for each in self.rejected)[:_LONGEST_COMPLAINT]


def judge(summary: Summary, findings: Sequence[Finding], *, is_last: bool) -> Verdict:
    """Decide on a summary by what the checks found.

    A takeaway that may not be shown is dropped, if enough of them remain; anything else that may not be shown rejects
    the reply. What is only to be asked for again passes the `is_last` time, with a remark.
    """
    grave = [each for each in findings if each.action == "reject" or (each.action == "retry" and not is_last)]
    dropped = {each.takeaway for each in grave if each.takeaway is not None and each.action == "reject"}
    left = [index for index in range(len(summary.takeaways)) if index not in dropped][:MOST_TAKEAWAYS]
    if any(each.takeaway not in dropped for each in grave) or len(left) < FEWEST_TAKEAWAYS:
        few = Finding("field", "reject", "takeaways", f"{FEWEST_TAKEAWAYS} to {MOST_TAKEAWAYS} are wanted")
        return Verdict(None, tuple(grave) or (few,))
    remarks = [each for each in findings if each.takeaway is None or each.takeaway in left]
    checked = replace(
        summary,
        takeaways=tuple(summary.takeaways[index] for index in left),
        checks=(*map(str, remarks), *(f"dropped: {each}" for each in grave)),
    )
    return Verdict(checked, tuple(grave))


class ModelWriter:
    """Writes both languages with one model."""

    def __init__(self, settings: Llm, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._endpoint = Endpoint(settings, clock, Purse(settings, database, metrics), metrics)
        self._checking = asyncio.Lock()

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        """Summaries of the papers that the model could do within `batch_seconds`; of the sample's it does none."""
        written: list[Summary] = []
        reasons: Counter[str] = Counter()
        deadline = self._clock.now() + timedelta(seconds=self._settings.batch_seconds)
        try:
            async with asyncio.timeout(self._settings.batch_seconds):
                ours = (paper for paper in papers if not paper.is_sample)
                await asyncio.gather(*(self._write_one(paper, now, deadline, written, reasons) for paper in ours))
        except TimeoutError:
            log.warning("model.late", papers=len(papers), written=len(written), seconds=self._settings.batch_seconds)
        if reasons:
            log.info("model.left_out", papers=reasons.total(), **reasons)
        await self._endpoint.record()
        return written

    async def stop(self) -> None:
        """Close its connections."""
        await self._endpoint.close()

    async def _write_one(
        self, paper: Paper, now: datetime, deadline: datetime, written: list[Summary], reasons: Counter[str]
    ) -> None:
        try:
            summary = await self._ask(paper, now, deadline)
        except Unanswered as error:
            reasons[error.reason] += 1
        except Exception:
            # Whatever a stranger's text can still do here must not cost the other papers their summaries.
            log.exception("summary.failed", paper=paper.id)
        else:
            if summary is None:
                reasons["rejected"] += 1
            else:
                written.append(summary)

    async def _ask(self, paper: Paper, now: datetime, deadline: datetime) -> Summary | None:
        messages = prompt.asked(paper)
        provenance = Provenance("model", prompt.VERSION, now, self._settings.model)
        for is_last in (False, True):
            answer = await self._endpoint.ask(messages, deadline)
            # One at a time: threads that compete for the interpreter would hold up the event loop.
            async with self._checking:
                verdict, is_json = await asyncio.to_thread(_verdict, answer, paper, provenance, is_last=is_last)
            self._endpoint.was_json(answer, is_json=is_json)
            if verdict.rejected:
                await self._reject(paper, answer.text, verdict, now)
            if verdict.summary is not None:
                return verdict.summary
            messages = [*prompt.asked(paper), *prompt.again(answer.text, verdict.complaint)]
        return None

    async def _reject(self, paper: Paper, reply: str, verdict: Verdict, now: datetime) -> None:
        by_guard: dict[str, list[str]] = {}
        for finding in verdict.rejected:
            by_guard.setdefault(finding.guard, []).append(f"{finding.field}: {finding.detail}")
        for guard in by_guard:
            self._metrics.rejections.labels(guard).inc()
        async with self._database.write() as connection:
            await rejections.add(
                connection,
                [
                    Rejection(
                        paper_id=paper.id,
                        paper_version=paper.version,
                        model=self._settings.model,
                        prompt=prompt.VERSION,
                        guard=guard,
                        detail="; ".join(details),
                        reply=reply,
                        rejected_at=now,
                    )
                    for guard, details in by_guard.items()
                ],
            )


def _verdict(answer: Answer, paper: Paper, provenance: Provenance, *, is_last: bool) -> tuple[Verdict, bool]:
    """What becomes of an answer, and whether it was JSON at all."""
    try:
        draft = model_reply.read(answer.text, is_cut=answer.is_cut)
    except Unusable as fault:
        return Verdict(None, (Finding(fault.guard, "reject", "reply", fault.detail),)), fault.guard != "json"
    summary = draft.summary(paper, provenance)
    return judge(summary, check(summary, paper), is_last=is_last), True
