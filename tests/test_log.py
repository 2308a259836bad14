"""The log of a process of its own: whatever is logged, and by whom, no secret is written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

TELEGRAM, DISCORD, KEY = "123456789:AAsecret-Token_of-nobody", "discord.secret-token_of.nobody", "sk-secret-of-nobody"
PASSWORD = 'pass\'wörd with "quotes" and \\ of nobody'
SECRETS = (TELEGRAM, DISCORD, KEY, PASSWORD)

PROGRAM = """
import logging, os
import structlog
from bot.config import load_settings
from bot.log import configure_logging

configure_logging(load_settings())
ours, theirs = structlog.get_logger("bot.somewhere"), logging.getLogger("library")
for secret in os.environ["SECRETS"].split("|"):
    ours.info(f"event.{secret}")
    ours.info("said", text=secret, url=f"https://api.example.org/bot{secret}/getMe")
    ours.info("nested", values={"token": [secret, (secret, {secret})]}, raw=secret.encode())
    ours.bind(token=secret).warning("bound", error=ValueError(secret))
    ours.info("numbers", count=12, share=0.5, well=True, nothing=None)
    theirs.warning("asked %s with %r", f"https://api.example.org/{secret}", {"key": secret})
    try:
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise RuntimeError(f"could not use {secret}") from error
    except RuntimeError as error:
        ours.exception("failed", secret=secret)
        ours.error("failed", exc_info=error)
        theirs.exception("failed with %s", secret)
"""


def logged(tmp_path: Path, form: str, level: str = "debug") -> str:
    settings = {
        "PAPERWIRE_LOG__FORMAT": form,
        "PAPERWIRE_LOG__LEVEL": level,
        "PAPERWIRE_TELEGRAM__TOKEN": TELEGRAM,
        "PAPERWIRE_DISCORD__TOKEN": DISCORD,
        "PAPERWIRE_WEB__PASSWORD": PASSWORD,
        "PAPERWIRE_LLM__API_KEY": KEY,
        "SECRETS": "|".join(SECRETS),
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=os.environ | settings, capture_output=True, check=True
    )
    assert done.stdout == b""
    return done.stderr.decode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_written_in_any_form(tmp_path: Path, form: str) -> None:
    text = logged(tmp_path, form)
    for secret in SECRETS:
        forms = (secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1], quote(secret))
        assert [line for line in text.splitlines() for each in forms if each in line] == []
    assert "of nobody" not in text
    assert text.count("[secret]") > 4 * 10


def test_everything_else_is_written(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in logged(tmp_path, "json").splitlines()]
    events = [line["event"] for line in lines]
    assert len(events) == 4 * 9
    numbers = next(line for line in lines if line["event"] == "numbers")
    assert (numbers["count"], numbers["share"], numbers["well"], numbers["nothing"]) == (12, 0.5, True, None)
    failed = [line for line in lines if line["event"].startswith("failed")]
    assert all("Traceback" in line["exception"] and "could not use [secret]" in line["exception"] for line in failed)
    assert all(line["level"] and line["timestamp"].endswith("Z") for line in lines)


def test_the_level_counts_for_us_and_libraries_only_warn(tmp_path: Path) -> None:
    text = logged(tmp_path, "text", level="warning")
    assert "numbers" not in text
    assert "bound" in text
    assert "asked" in text
