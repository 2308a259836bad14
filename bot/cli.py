"""The command line: `paperwire run`, `paper`, `digest --dry-run`, `doctor`, `migrate`.

The rooms are imported by the command that needs them, so that `--help` is there at once.
"""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bot import __version__

if TYPE_CHECKING:
    from bot.config import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; without it config.toml here, if there is one.")
]


def main() -> None:
    """The `paperwire` command."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paperwire {__version__}")
        raise typer.Exit


@app.callback()
def paperwire(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """New arXiv papers, once a day, in your chat."""


@app.command()
def run(
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            help="With PostgreSQL: take this part only (web, worker, telegram, discord); can be given several times.",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Start Paperwire: the web chat, and Telegram and Discord where there is a token."""
    from bot.app import ROLES
    from bot.run import run_until_stopped

    if unknown := set(role or ()) - set(ROLES):
        _fail(f"--role {unknown.pop()}: no such role. Known: {', '.join(ROLES)}.")
    _finish(run_until_stopped(_settings(config), [each for each in ROLES if not role or each in role]))


@app.command()
def paper(reference: Annotated[str, typer.Argument(help="arXiv id or link")], config: ConfigOption = None) -> None:
    """Look a paper up by its id or a link to it."""
    from bot.lookup import look_up

    _finish(_print_text(look_up(_settings(config), reference)))


@app.command()
def digest(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, send nothing.")] = False, config: ConfigOption = None
) -> None:
    """Show what each chat's digest would be now."""
    from bot.lookup import preview_digests

    if not dry_run:
        _fail("Digests are sent by `paperwire run`. To see what they would be: paperwire digest --dry-run")
    _finish(_print_text(preview_digests(_settings(config))))


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check the configuration, the database, arXiv and the tokens, and say what to do."""
    _finish(_examine(_settings(config)))


@app.command()
def migrate(config: ConfigOption = None) -> None:
    """Bring the database's schema up to date (`run` does so by itself)."""
    from bot.storage.database import open_database

    async def open_and_close(url: str) -> None:
        await (await open_database(url)).close()
        typer.echo("The database is up to date.")

    _finish(open_and_close(_settings(config).database.url))


def _settings(config: Path | None) -> "Settings":
    from bot.config import ConfigError, load_settings
    from bot.log import configure_logging

    try:
        settings = load_settings(config)
    except ConfigError as error:
        _fail(str(error))
    configure_logging(settings)
    return settings


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; what went wrong becomes one line and the exit code 1."""
    from bot.errors import PaperwireError

    try:
        asyncio.run(work)
    except PaperwireError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _print_text(work: Coroutine[Any, Any, str]) -> None:
    typer.echo(await work)


async def _examine(settings: "Settings") -> None:
    from rich.console import Console

    from bot.doctor import examine

    console = Console(highlight=False)
    ill = False
    async for finding in examine(settings):
        sign = "[green]✓[/]" if finding.well else "[red]✗[/]"
        console.print(f"{sign} [bold]{finding.subject}[/] ", end="")
        console.print(finding.text, markup=False)
        ill |= not finding.well
    if ill:
        raise typer.Exit(1)


def _fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)  # noqa: T201 -- what went wrong, for the person at the terminal
    raise typer.Exit(1)
