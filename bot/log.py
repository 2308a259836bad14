"""Logging: events with fields, one line each, and no secret in any of them."""

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from bot.config import Settings

_SHORTEST_SECRET = 6


def configure_logging(settings: Settings) -> None:
    """Log to standard error: our events and the libraries' warnings in one form."""
    secrets = [
        secret.get_secret_value()
        for secret in (
            settings.telegram.token,
            settings.discord.token,
            settings.web.password,
            settings.llm.api_key,
        )
    ]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Redact(secrets),
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _Redact(secrets), last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bot").setLevel(settings.log.level.upper())
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It logs a traceback for each answer that is no JSON (a 502 page); the courier tells what became of the message.
    logging.getLogger("telegram").setLevel(logging.CRITICAL)


class _Redact:
    """Takes secrets out of whatever is about to be written, wherever they stand in it."""

    def __init__(self, secrets: Sequence[str]) -> None:
        long_enough = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        # As it is, and as it looks inside a quoted text: quotes, backslashes and other letters are escaped there.
        self._secrets = [
            form
            for each in long_enough
            for form in (each, repr(each)[1:-1], ascii(each.encode())[2:-1], json.dumps(each)[1:-1])
        ]

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if not key.startswith("_"):
                event[key] = self._clean(value)
        return event

    def _clean(self, value: Any) -> Any:
        if isinstance(value, int | float | bool | None):
            return value
        text = value if isinstance(value, str) else repr(value)
        if any(secret in text for secret in self._secrets):
            for secret in self._secrets:
                text = text.replace(secret, "[secret]")
            return text
        return value
