"""Why a model gave no answer, and what is to be done: a pure reading of what the client library raised."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

LONGEST_SILENCE = 3600.0
"""Seconds of silence that an endpoint can ask for with one answer."""
_LONGEST_REASON = 200

Kind = Literal["passing", "form", "paper", "lasting"]
"""`passing`: try again soon; `form`: perhaps another way of asking for JSON works; `paper`: not this paper;
`lasting`: no paper, until somebody changes the settings or pays."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong. `wait`: seconds until it is worth another try, as far as the endpoint says.

    `is_busy`: everybody has to wait; `may_retry`: whether this paper has the time for another try.
    """

    kind: Kind
    reason: str
    wait: float | None = None
    is_busy: bool = False
    may_retry: bool = True
    is_500: bool = False
    wants_completion_limit: bool = False


def trouble_of(error: Exception, key: str, now: datetime) -> Trouble:
    """What an error of the client library, a timeout or an answer that is no answer means. `key` is kept out of it."""
    if isinstance(error, APITimeoutError | TimeoutError):
        return Trouble("passing", "no answer in time", may_retry=False)
    if isinstance(error, APIStatusError):
        return _of_status(error, _said(error.message, key), now)
    if isinstance(error, APIConnectionError):
        return Trouble("passing", _said(f"{error.message} {error.__cause__ or ''}", key))
    if isinstance(error, OpenAIError | ValueError | NoAnswer):
        return Trouble("passing", _said(str(error) or type(error).__name__, key))
    raise error


class NoAnswer(Exception):
    """HTTP 200, and no text of a model in it."""


def _of_status(error: APIStatusError, said: str, now: datetime) -> Trouble:
    status, reason = error.status_code, f"HTTP {error.status_code}: {said}"
    if status == 429:
        # https://platform.openai.com/docs/guides/error-codes: nothing is left to pay with.
        if error.code == "insufficient_quota" or error.type == "insufficient_quota":
            return Trouble("lasting", reason)
        return Trouble("passing", reason, wait=_retry_after(error, now), is_busy=True)
    if status in (400, 415, 422, 501):
        return Trouble("form", reason, wants_completion_limit="max_completion_tokens" in said)
    if status == 413:
        return Trouble("paper", reason)
    if status in (408, 409, 425) or status >= 500:
        return Trouble("passing", reason, wait=_retry_after(error, now), is_500=status == 500)
    return Trouble("lasting", reason)


def _retry_after(error: APIStatusError, now: datetime) -> float | None:
    """Retry-After in seconds or as a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""
    value = error.response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_SILENCE) if seconds == seconds else None  # noqa: PLR0124 -- not for NaN


def _said(text: str, key: str) -> str:
    return " ".join((text.replace(key, "[secret]") if key else text)[:_LONGEST_REASON].split())
