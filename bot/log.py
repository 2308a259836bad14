"""Logging: events with fields, one line each, and no secret in any of them."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, Literal, cast
from urllib.parse import quote, quote_plus

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor

from bot.config import Settings

Level = Literal["debug", "info", "warning", "error"]

_SHORTEST_SECRET = 6
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/]+@")


def configure_logging(settings: Settings) -> None:
    """Log to standard error: our events and the libraries' warnings in one form.

    What is bound with `structlog.contextvars` (a digest's id) stands in every event inside, the libraries' too.
    """
    secrets = [value for _, section in settings for _, value in section if isinstance(value, SecretStr)]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    )
    structlog.configure(
        # First of all, so that what is not logged costs next to nothing; the level may change at any time.
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Redact(secret.get_secret_value() for secret in (*secrets, settings.database.password)),
                last,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    set_level(settings.log.level)
    # It logs a traceback for each answer that is no JSON (a 502 page); the courier tells what became of the message.
    logging.getLogger("telegram").setLevel(logging.CRITICAL)


def set_level(level: Level) -> None:
    """Log from this level on: in this process, until it ends or another level is set."""
    logging.getLogger("bot").setLevel(level.upper())
    # It has a line for each job that begins or ends.
    logging.getLogger("procrastinate").setLevel(logging.INFO if level == "debug" else logging.WARNING)


def level() -> Level:
    """From which level on this process logs."""
    return cast("Level", logging.getLevelName(logging.getLogger("bot").getEffectiveLevel()).lower())


class _Redact:
    """Takes secrets out of whatever is about to be written, wherever they stand in it.

    That is the settings' secrets, and the password in any URL: a database's may be given on the command line.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        # Twice: an error's text may quote a text that quotes a secret.
        forms = {twice for secret in known for once in _written(secret) for twice in _written(once)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, int | float | bool | None):
            return value
        text = value if isinstance(value, str) else repr(value)
        clean = _URL_PASSWORD.sub(r"\1[secret]@", text)
        for form in self._forms:
            clean = clean.replace(form, "[secret]")
        return value if clean == text else clean


def _written(text: str) -> set[str]:
    """A text as it is, as it looks in a URL, and inside quotes, where some letters are escaped."""
    return {
        *(text, quote(text), quote(text, safe=""), quote_plus(text)),
        *(json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]),
        *(repr(text)[1:-1], repr(text.encode())[2:-1]),
        # Python escapes a ' only where a " stands beside it.
        *(repr(f"\"'{text}")[4:-1], repr(f"\"'{text}".encode())[5:-1]),
    }
