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
DATABASE = "it's/the@database:of nobody"
SECRETS = (TELEGRAM, DISCORD, KEY, PASSWORD, DATABASE)
LIBRARIES = (
    "aiohttp",
    "apscheduler",
    "asyncio",
    "discord",
    "procrastinate",
    "psycopg",
    "sqlalchemy",
    "telegram",
    "uvicorn",
)

BEGINNING = """
import logging, os, urllib.parse
import structlog
from bot.config import load_settings
from bot.log import configure_logging

configure_logging(load_settings())
ours, theirs = structlog.get_logger("bot.somewhere"), logging.getLogger("library")
"""

TELL_ALL = """
for secret in os.environ["SECRETS"].split("|"):
    ours.info(f"event.{secret}")
    ours.info("said", text=secret, url=f"https://api.example.org/bot{secret}/getMe", _token=secret)
    ours.info("nested", values={"token": [secret, (secret, {secret: {"deep": [secret]}})]}, raw=secret.encode())
    ours.info("quoted", url=urllib.parse.quote(secret), whole=urllib.parse.quote(secret, safe=""))
    ours.info("twice", text=repr(repr(secret)), error=ValueError(repr({secret: secret.encode()})), mixed=f"'{secret}")
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
        for library in os.environ["LIBRARIES"].split("|"):
            logging.getLogger(library).critical("failed with %s", secret, exc_info=True)
"""


def logged(tmp_path: Path, program: str, form: str = "text", level: str = "debug") -> str:
    settings = {
        "PAPERWIRE_LOG__FORMAT": form,
        "PAPERWIRE_LOG__LEVEL": level,
        "PAPERWIRE_TELEGRAM__TOKEN": TELEGRAM,
        "PAPERWIRE_DISCORD__TOKEN": DISCORD,
        "PAPERWIRE_WEB__PASSWORD": PASSWORD,
        "PAPERWIRE_LLM__API_KEY": KEY,
        "PAPERWIRE_DATABASE__URL": f"postgresql+psycopg://paperwire:{quote(DATABASE, safe='')}@127.0.0.1:1/papers",
        "SECRETS": "|".join(SECRETS),
        "LIBRARIES": "|".join(LIBRARIES),
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + program],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""
    return done.stderr.decode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_written_in_any_form(tmp_path: Path, form: str) -> None:
    text = logged(tmp_path, TELL_ALL, form)
    for secret in SECRETS:
        quoted = (quote(secret), quote(secret, safe=""))
        forms = (secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1], *quoted)
        assert [line for line in text.splitlines() for each in forms if each in line] == []
    assert "of nobody" not in text
    assert "of%20nobody" not in text
    assert text.count("[secret]") > len(SECRETS) * 30


def test_everything_else_is_written(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in logged(tmp_path, TELL_ALL, "json").splitlines()]
    assert len(lines) == len(SECRETS) * (11 + len(LIBRARIES))
    numbers = next(line for line in lines if line["event"] == "numbers")
    assert (numbers["count"], numbers["share"], numbers["well"], numbers["nothing"]) == (12, 0.5, True, None)
    failed = [line for line in lines if line["event"].startswith("failed")]
    assert all("Traceback" in line["exception"] and "could not use [secret]" in line["exception"] for line in failed)
    assert all(line["level"] and line["timestamp"].endswith("Z") for line in lines)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    program = """
import psycopg
url = os.environ["PAPERWIRE_DATABASE__URL"]
try:
    psycopg.connect(url.replace("+psycopg", ""))
except psycopg.OperationalError as error:
    logging.getLogger("psycopg.pool").warning("error connecting to %s", url, exc_info=error)
ours.warning("moving", to="postgresql://you:of-the-command-line@db.example.org/papers")
"""
    text = logged(tmp_path, program)
    assert "postgresql+psycopg://paperwire:[secret]@127.0.0.1:1/papers" in text
    assert "postgresql://you:[secret]@db.example.org/papers" in text
    assert "of%20nobody" not in text


def test_a_digests_id_stands_in_all_that_is_said_while_it_is_made_and_sent(tmp_path: Path) -> None:
    program = """
import asyncio

async def send():
    ours.info("message.sent", message=12)
    theirs.warning("slow")

async def make():
    with structlog.contextvars.bound_contextvars(digest=7):
        await asyncio.create_task(send())
    ours.info("done")

asyncio.run(make())
"""
    lines = [json.loads(line) for line in logged(tmp_path, program, "json").splitlines()]
    assert [(line["event"], line.get("digest")) for line in lines] == [("message.sent", 7), ("slow", 7), ("done", None)]


def test_the_level_counts_for_us_and_libraries_only_warn(tmp_path: Path) -> None:
    text = logged(tmp_path, TELL_ALL, level="warning")
    assert "numbers" not in text
    assert "bound" in text
    assert "asked" in text


def test_what_is_below_the_level_is_not_even_looked_at(tmp_path: Path) -> None:
    program = """
class Costly:
    def __repr__(self):
        raise RuntimeError("looked at")

ours.debug("below", value=Costly())
ours.bind(value=Costly()).info("below")
ours.warning("above")
"""
    (line,) = logged(tmp_path, program, level="warning").splitlines()
    assert "above" in line


@pytest.mark.parametrize(("level", "told"), [("debug", True), ("info", False)])
def test_each_single_job_is_told_only_to_those_who_look_for_faults(tmp_path: Path, level: str, told: bool) -> None:
    program = """
import asyncio, procrastinate, procrastinate.testing
app = procrastinate.App(connector=procrastinate.testing.InMemoryConnector())

@app.task(name="deliver")
async def deliver(chat): ours.warning("delivering")

async def work():
    async with app.open_async():
        await deliver.defer_async(chat=7)
        await app.run_worker_async(wait=False, install_signal_handlers=False)

asyncio.run(work())
"""
    text = logged(tmp_path, program, level=level)
    assert "delivering" in text
    assert ("deliver[1](chat=7)" in text) is told
