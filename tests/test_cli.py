"""The command line, as a process of its own: what it prints, where, and with which exit code."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot import __version__
from bot.clock import WallClock
from bot.config import Arxiv, Settings, Telegram
from bot.config import Database as DatabaseSettings
from bot.config import Discord as DiscordSettings
from bot.doctor import Finding, examine
from bot.locales import phrases_of
from bot.storage import marks, outbox
from bot.storage.database import open_database
from bot.storage.tables import messages
from tests.builders import a_chat, a_paper, announce
from tests.servers.arxiv import ArxivStub, Entry
from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub
from tests.terminal import Done, Terminal

COMMANDS = ("run", "paper", "digest", "doctor", "outbox", "backup", "restored", "migrate")
ADA = 7
NOBODY = "http://127.0.0.1:9"
"""The discard port: nobody listens there."""


@pytest.fixture
async def arxiv(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ArxivStub]:
    async with ArxivStub() as stub:
        yield stub


@pytest.fixture
def terminal(tmp_path: Path, arxiv: ArxivStub) -> Terminal:
    return Terminal(tmp_path, {}).with_settings(
        arxiv__feed_url=f"{arxiv.url}/atom",
        arxiv__api_url=f"{arxiv.url}/api/query",
        arxiv__oai_url=f"{arxiv.url}/oai",
        arxiv__listing_url=f"{arxiv.url}/list",
        database__url=f"sqlite:///{tmp_path}/paperwire.db",
    )


async def a_stored_chat(folder: Path) -> None:
    now = WallClock().now()
    database = await open_database(f"sqlite:///{folder}/paperwire.db")
    await a_chat(database, "cs.CL", now=now - timedelta(hours=2), language="en", address="lab")
    await announce(database, now - timedelta(hours=1), a_paper(1, "cs.CL", title="A \x1b[31mred\x1b[0m paper"))
    await database.close()


async def test_help_names_every_command_and_the_version_is_told(terminal: Terminal) -> None:
    helped, versioned, bare = await asyncio.gather(terminal.runs("--help"), terminal.runs("--version"), terminal.runs())
    assert helped.code == 0
    assert all(name in helped.out for name in COMMANDS)
    assert (versioned.code, versioned.out) == (0, f"paperwire {__version__}\n")
    assert "Usage" in bare.out + bare.err


async def test_a_paper_is_fetched_and_shown(terminal: Terminal, arxiv: ArxivStub) -> None:
    abstract = "Questions abound. We propose an answer. Results show that it holds."
    arxiv.add_paper(Entry("2603.00001", "Bounds of $\\alpha$", abstract, ("cs.CL", "cs.AI"), comment="12 pages"))
    done = await terminal.runs("paper", "https://arxiv.org/abs/2603.00001v1")
    assert (done.code, done.err) == (0, "")
    for part in (
        "Bounds of α\n",
        "Ada Example",
        "2603.00001 · cs.CL · also cs.AI",
        "We propose an answer.",
        "12 pages",
    ):
        assert part in done.out
    assert "https://arxiv.org/pdf/2603.00001" in done.out
    assert arxiv.violations == []


async def test_a_stored_paper_is_shown_without_arxiv_and_without_control_characters(terminal: Terminal) -> None:
    await a_stored_chat(terminal.folder)
    done = await terminal.with_settings(arxiv__api_url=NOBODY, arxiv__oai_url=NOBODY).runs("paper", "2603.00001")
    assert done.code == 0
    assert "A [31mred[0m paper" in done.out
    assert "\x1b" not in done.out


async def test_a_paper_that_cannot_be_shown_is_one_line_and_exit_code_1(terminal: Terminal) -> None:
    off = terminal.with_settings(arxiv__api_url=NOBODY, arxiv__oai_url=NOBODY)
    bad, unknown, down, sample = await asyncio.gather(
        terminal.runs("paper", "12345"),
        terminal.runs("paper", "2603.99999"),
        off.runs("paper", "2603.00001"),
        off.runs("paper", "2600.00001"),
    )
    phrases = phrases_of("en")
    assert bad == Done(1, "", f"{phrases('paper.bad', text='12345')}\n")
    assert unknown == Done(1, "", f"{phrases('paper.unknown', id='2603.99999')}\n")
    assert down == Done(1, "", f"{phrases('paper.unreachable', reason='no connection')}\n")
    assert sample == Done(1, "", f"{phrases('paper.unknown', id='2600.00001')}\n")
    assert not (terminal.folder / "paperwire.db").exists()


async def test_digests_are_shown_and_nothing_is_written(terminal: Terminal) -> None:
    await a_stored_chat(terminal.folder)
    stored = (terminal.folder / "paperwire.db").read_bytes()
    once, again = await asyncio.gather(*(terminal.runs("digest", "--dry-run") for _ in range(2)))
    assert (once.code, once.err) == (0, "")
    assert once.out.startswith("== web: lab ==\n\nPaperwire · ")
    assert "1. A [31mred[0m paper" in once.out
    assert "Announced 1 · matched 1 · shown 1 · held back 0" in once.out
    assert again == once
    assert (terminal.folder / "paperwire.db").read_bytes() == stored


async def test_what_a_dry_run_needs_is_said(terminal: Terminal) -> None:
    sending, nothing = await asyncio.gather(terminal.runs("digest"), terminal.runs("digest", "--dry-run"))
    assert sending.code == nothing.code == 1
    assert "paperwire digest --dry-run" in sending.err
    assert nothing.err.endswith("yet. Start Paperwire once with `paperwire run`.\n")
    assert (await terminal.runs("migrate")).out == "The database is up to date.\n"
    assert (await terminal.runs("digest", "--dry-run")).out == "No chat follows anything yet.\n"


async def test_a_wrong_configuration_is_one_line_and_exit_code_1(terminal: Terminal) -> None:
    (terminal.folder / "config.toml").write_text('[digest]\nzone = "Mars"')
    commands = ("run", "paper 2603.00001", "digest --dry-run", "doctor", "migrate")
    for done in await asyncio.gather(*(terminal.runs(*command.split()) for command in commands)):
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("config.toml: [digest] zone: ")
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "token"), [("telegram__token", "１２３:ＡＢＣ"), ("discord__token", "全角的令牌")]
)
async def test_a_token_in_letters_that_no_token_has_is_refused_before_anybody_is_asked(
    terminal: Terminal, variable: str, token: str
) -> None:
    done = await terminal.with_settings(**{variable: token}).runs("doctor")
    assert done.code == 1
    assert "does not look like a bot token" in done.err


async def test_a_named_file_is_read_and_has_to_be_there(terminal: Terminal) -> None:
    (terminal.folder / "mine.toml").write_text(f'[database]\nurl = "sqlite:///{terminal.folder}/mine.db"')
    bare = Terminal(terminal.folder, {})
    done, missing = await asyncio.gather(
        bare.runs("migrate", "--config", "mine.toml"), bare.runs("migrate", "--config", "x.toml")
    )
    assert done.code == 0
    assert (terminal.folder / "mine.db").exists()
    assert (missing.code, missing.err[:22]) == (1, "x.toml: no such file. ")


async def test_a_start_that_fails_is_one_line_and_exit_code_1(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done, exposed = await asyncio.gather(
            terminal.with_settings(web__port=port).runs("run"),
            terminal.with_settings(web__host="192.0.2.1", database__url="sqlite:///other.db").runs("run"),
        )
    assert done.code == exposed.code == 1
    assert port in done.err
    assert "Traceback" not in done.err
    assert "set [web] password" in exposed.err


async def test_the_doctor_finds_all_well(terminal: Terminal, arxiv: ArxivStub) -> None:
    await a_stored_chat(terminal.folder)
    async with TelegramStub() as telegram, DiscordStub() as discord:
        done = await terminal.with_settings(
            telegram__token=telegram.token,
            telegram__base_url=telegram.api_url,
            discord__token=discord.token,
            discord__api_url=discord.api_url,
        ).runs("doctor")
    assert done.code == 0
    assert [line[:2] for line in done.out.splitlines()] == ["✓ "] * 9
    assert "✓ database is sound, and its schema is this version's\n" in done.out
    assert "✓ outbox no messages yet\n" in done.out
    assert "✓ telegram accepts the token\n" in done.out
    assert "tell @BotFather /setprivacy" in done.out
    assert "tell @BotFather /setinline" in done.out
    assert done.err == ""
    assert arxiv.violations == []


async def test_the_doctor_tells_what_telegram_lets_the_bot_hear(terminal: Terminal, arxiv: ArxivStub) -> None:
    await a_stored_chat(terminal.folder)
    async with TelegramStub() as telegram:
        telegram.me |= {"can_read_all_group_messages": True, "supports_inline_queries": True}
        done = await terminal.with_settings(telegram__token=telegram.token, telegram__base_url=telegram.api_url).runs(
            "doctor"
        )
    assert "✓ groups show the bot in Telegram what people say" in done.out
    assert "✓ inline mode is on: @paperwire_test_bot and" in done.out


async def test_the_doctor_tells_what_is_ill_with_exit_code_1_and_no_secret(terminal: Terminal) -> None:
    (terminal.folder / "paperwire.db").write_bytes(b"not a database at all" * 100)
    async with TelegramStub() as telegram:
        done = await terminal.with_settings(
            arxiv__feed_url=NOBODY,
            telegram__token="123456789:AAsecret-token",
            telegram__base_url=telegram.api_url,
            discord__token="another-secret-token",
            discord__api_url=NOBODY,
        ).runs("doctor")
    assert done.code == 1
    assert [line[:2] for line in done.out.splitlines()] == ["✓ ", *["✗ "] * 4]
    assert "secret" not in done.out + done.err
    assert "Traceback" not in done.err


@pytest.fixture
def settings(tmp_path: Path, arxiv: ArxivStub, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """For a doctor in this process: one who need not rest before he asks arXiv."""
    monkeypatch.setattr("bot.arxiv.client.SPACING", timedelta(0))
    return Settings(
        arxiv=Arxiv(feed_url=f"{arxiv.url}/atom", default_categories=("cs.CL",)),
        database=DatabaseSettings(url=f"sqlite:///{tmp_path}/paperwire.db"),
    )


async def finding(settings: Settings, subject: str) -> Finding:
    return next(found for found in [each async for each in examine(settings)] if found.subject == subject)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no database"),
        (b"", "is an empty file"),
        (b"not a database at all" * 100, "is no SQLite database"),
    ],
)
async def test_a_database_that_is_ill_is_told_with_the_cure(settings: Settings, content: Any, said: str) -> None:
    if content is not None:
        Path(settings.database.url.removeprefix("sqlite:///")).write_bytes(content)
    found = await finding(settings, "database")
    assert not found.well
    assert said in found.text


async def test_a_damaged_database_is_told(settings: Settings, tmp_path: Path) -> None:
    await a_stored_chat(tmp_path)
    file = tmp_path / "paperwire.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = file.read_bytes()
    file.write_bytes(content[: size * 3] + b"\xff" * (len(content) - size * 3))
    found = await finding(settings, "database")
    assert not found.well
    assert "is damaged" in found.text


async def test_a_disk_that_is_nearly_full_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await open_database(settings.database.url)).close()
    assert (await finding(settings, "disk")).well
    monkeypatch.setattr("bot.doctor.LEAST_SPACE", 2**60)
    found = await finding(settings, "disk")
    assert not found.well
    assert "Free some space" in found.text


async def test_messages_that_nobody_sends_and_a_restored_backup_are_told(settings: Settings) -> None:
    now = WallClock().now()
    database = await open_database(settings.database.url)
    chat = await a_chat(database)
    async with database.write() as connection:
        await outbox.put(connection, chat.id, None, "now", ["{}"], now)
    assert (await finding(settings, "outbox")).text == "1 pending; the oldest could have left 0 min ago"
    async with database.write() as connection:
        await outbox.put(connection, chat.id, None, "then", ["{}", "[]"], now - timedelta(hours=5))
        await connection.execute(sa.update(messages).where(messages.c.id == 3).values(state="failed", error="refused"))
        await marks.put(connection, marks.RESTORED, "2026-03-02T12:00:00+00:00")
    await database.close()
    stuck, held = await finding(settings, "outbox"), await finding(settings, "database")
    assert not stuck.well
    assert stuck.text.startswith("1 failed, 2 pending; see `paperwire outbox --state failed`; ")
    assert "left 300 min ago. Is Paperwire running?" in stuck.text
    assert not held.well
    assert "a copy of 2026-03-02 12:00 UTC, and nothing is sent until you choose: `paperwire restored" in held.text


async def test_on_postgresql_living_and_silent_workers_and_wrong_clocks_are_told(
    settings: Settings, new_migrated_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_migrated_postgres()
    there = settings.model_copy(update={"database": DatabaseSettings(url=url)})
    silent = await finding(there, "workers")
    assert not silent.well
    assert "paperwire run --role worker" in silent.text
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 day')")
    assert (await finding(there, "workers")).text == "alive: 1"
    assert (await finding(there, "clock")).well
    monkeypatch.setattr(WallClock, "now", lambda _: datetime.now(UTC) + timedelta(seconds=5))
    wrong = await finding(there, "clock")
    assert not wrong.well
    assert "(NTP)" in wrong.text


async def test_a_postgresql_that_cannot_be_reached_is_told_without_its_password(settings: Settings) -> None:
    database = DatabaseSettings(url="postgresql+psycopg://me:secret@127.0.0.1:9/papers")
    found = await finding(settings.model_copy(update={"database": database}), "database")
    assert not found.well
    assert "cannot be reached" in found.text
    assert "secret" not in found.text


@pytest.mark.parametrize("fault", ["http_503", "html", "blank", "reset"])
async def test_an_arxiv_that_cannot_be_read_is_told(settings: Settings, arxiv: ArxivStub, fault: Any) -> None:
    arxiv.fail_next(fault)
    found = await finding(settings, "arxiv")
    assert not found.well
    assert "Check the network and [arxiv] feed_url." in found.text


@pytest.mark.parametrize(
    ("token", "url", "said"),
    [
        ("1:wrong", "{stub}", "refuses the token. Get a new one from @BotFather"),
        ("1:AA", "http://127.0.0.1:9/bot", "cannot be reached (ConnectError)"),
        ("1:AA", "http://[::1/bot", "cannot be reached (InvalidURL)"),
    ],
)
async def test_a_telegram_that_is_ill_is_told(settings: Settings, token: str, url: str, said: str) -> None:
    async with TelegramStub() as stub:
        telegram = Telegram.model_validate({"token": token, "base_url": url.format(stub=stub.api_url)})
        found = await finding(settings.model_copy(update={"telegram": telegram}), "telegram")
    assert not found.well
    assert said in found.text


@pytest.mark.parametrize(
    ("token", "fault", "said"),
    [
        ("wrong-token", None, "refuses the token. Get a new one from the developer portal"),
        ("bot-token", 502, "answers HTTP 502. Try again in a few minutes."),
        ("bot-token", "reset_before", "cannot be reached"),
    ],
)
async def test_a_discord_that_is_ill_is_told(settings: Settings, token: str, fault: Any, said: str) -> None:
    async with DiscordStub() as stub:
        if fault:
            stub.fail_next(fault, on="GET /users/@me")
        discord = DiscordSettings.model_validate({"token": token, "api_url": stub.api_url})
        found = await finding(settings.model_copy(update={"discord": discord}), "discord")
    assert not found.well
    assert said in found.text


async def test_a_webhook_is_told_as_telegram_has_it(settings: Settings) -> None:
    async with TelegramStub() as stub:
        telegram = Telegram(token=stub.token, base_url=stub.api_url, webhook_url=NOBODY)
        there = settings.model_copy(update={"telegram": telegram})
        unset = await finding(there, "webhook")
        await stub.set_webhook("https://elsewhere.example.org/telegram/webhook")
        foreign = await finding(there, "webhook")
        await stub.set_webhook(f"{NOBODY}/telegram/webhook")
        ours = await finding(there, "webhook")
        stub.add_user(ADA)
        stub.add_chat(ADA)
        stub.say(ADA, ADA, "/start")
        async with asyncio.timeout(10):
            while not stub.webhook_statuses:
                await asyncio.sleep(0.01)
        unreachable = await finding(there, "webhook")
    assert (unset.well, unset.text[:10]) == (False, "is not set")
    assert (foreign.well, foreign.text[:21]) == (False, "is at another address")
    assert ours == Finding("webhook", True, "is set; updates waiting: 0")
    assert not unreachable.well
    assert "Connection refused; updates waiting: 1. Check that [telegram] webhook_url" in unreachable.text
