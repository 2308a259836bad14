"""The command line: `paperwire run`, and what an operator looks up, checks and mends.

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
    from bot.storage.inspection import Changed
    from bot.storage.outbox import State

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
def migrate(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="Copy the SQLite database into this empty PostgreSQL instead."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Bring the database's schema up to date (`run` does so by itself), or move to PostgreSQL."""
    from bot import database_desk

    settings = _settings(config)
    _finish(_print_text(database_desk.migrate(settings) if to is None else database_desk.copy_to(settings, to)))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy to make.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigOption = None,
) -> None:
    """Copy the SQLite database, also while Paperwire runs. Put in service, the copy asks before it sends anything."""
    from bot.database_desk import copy_to_file

    _finish(_print_text(copy_to_file(_settings(config), file, replace=force)))


@app.command()
def restored(
    from_now: Annotated[bool, typer.Option("--from-now", help="Leave out what was announced so far.")] = False,
    catch_up: Annotated[bool, typer.Option("--catch-up", help="Send it; some may come a second time.")] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="Send nothing until it is chosen: this is an older copy (a pg_dump, say).")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Say how a restored backup goes on; without a choice, tell whether one is needed."""
    if from_now + catch_up + hold > 1:
        _fail("Choose one of --from-now, --catch-up and --hold.")
    settings = _settings(config)
    if hold:
        _finish(_hold(settings))
    elif from_now or catch_up:
        _finish(_release(settings, catch_up=catch_up))
    else:
        _finish(_tell_restored(settings))


@app.command()
def summaries(
    rejected: Annotated[
        bool, typer.Option("--rejected", help="What a model wrote and the checks did not let through, and why.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many rejections, the newest.")] = 20,
    config: ConfigOption = None,
) -> None:
    """Show who wrote the summaries, and what models were asked in the last seven days."""
    _finish(_show_summaries(_settings(config), limit if rejected else None))


outbox = typer.Typer(
    invoke_without_command=True,
    help="List the messages that are not well or not sent yet; send them again, or take them back. "
    'Tries "4 (1)": after one of the four nobody knew whether it had arrived.',
)
app.add_typer(outbox, name="outbox")

NumbersArgument = Annotated[list[int] | None, typer.Argument(metavar="NO", help="Numbers, as the list has them.")]


@outbox.callback()
def list_outbox(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only this state; several times: these.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Sent and voided ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
    config: ConfigOption = None,
) -> None:
    """`paperwire outbox` without a further word: the list."""
    if context.invoked_subcommand is not None:
        context.obj = config
        return
    from bot.storage.inspection import NOT_DONE, STATES

    if unknown := set(state or ()) - set(STATES):
        _fail(f"--state {unknown.pop()}: no such state. Known: {', '.join(STATES)}.")
    wanted = [each for each in STATES if each in (state or (STATES if everything else NOT_DONE))]
    _finish(_show_outbox(_settings(config), wanted, limit, as_json=as_json))


@outbox.command("retry")
def retry_messages(
    context: typer.Context,
    numbers: NumbersArgument = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    config: ConfigOption = None,
) -> None:
    """Send messages again, now: those that failed, wait, or were taken back."""
    if bool(numbers) == failed:
        _fail("Name messages by their numbers, or --failed.")
    _finish(_retry(_settings(config or context.obj), numbers))


@outbox.command("void")
def void_messages(
    context: typer.Context,
    numbers: NumbersArgument = None,
    chat: Annotated[int | None, typer.Option("--chat", metavar="NO", help="All that is still to go to a chat.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take messages back that are still to be sent."""
    if bool(numbers) == (chat is not None):
        _fail("Name messages by their numbers, or --chat with a chat's.")
    _finish(_void(_settings(config or context.obj), numbers, chat, is_sure=yes))


models = typer.Typer(invoke_without_command=True, help="List the models of the machine translation, or fetch one.")
app.add_typer(models, name="models")


@models.callback()
def list_models(context: typer.Context, config: ConfigOption = None) -> None:
    """`paperwire models` without a further word: which are there, whether each is whole, how large, and where."""
    if context.invoked_subcommand is not None:
        context.obj = config
        return
    _finish(_show_models(_settings(config)))


@models.command("fetch")
def fetch_model(
    context: typer.Context,
    to: Annotated[str | None, typer.Option("--to", help="Language; without it the one in [translation] to.")] = None,
    config: ConfigOption = None,
) -> None:
    """Fetch a translation model, or go on with a fetch that was broken off."""
    _finish(_fetch_model(_settings(config or context.obj), to))


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


async def _tell_restored(settings: "Settings") -> None:
    from bot.outbox_desk import overview

    made_at = (await overview(settings, (), 0)).restored_from
    typer.echo(
        f"This is a copy of {made_at[:16].replace('T', ' ')} UTC, and nothing is sent. "
        "Choose: paperwire restored --from-now, or --catch-up."
        if made_at is not None
        else "This is no restored backup: nothing is to be chosen."
    )


async def _hold(settings: "Settings") -> None:
    from bot.outbox_desk import hold

    await hold(settings)
    typer.echo("Nothing is sent from now on. Choose: paperwire restored --from-now, or --catch-up.")


async def _release(settings: "Settings", *, catch_up: bool) -> None:
    from bot.outbox_desk import release

    if not await release(settings, catch_up=catch_up):
        _fail("Nothing is to be chosen: this is no restored backup, or somebody chose already.")
    typer.echo("Catching up. Some papers may come a second time." if catch_up else "From now on.")


async def _show_outbox(settings: "Settings", states: "list[State]", limit: int, *, as_json: bool) -> None:
    from rich.console import Console

    from bot import outbox_desk
    from bot.clock import WallClock

    found = await outbox_desk.overview(settings, states, limit)
    if as_json:
        typer.echo(outbox_desk.as_json(found))
        return
    console = Console(highlight=False)
    if found.messages:
        console.print(outbox_desk.as_table(found.messages, WallClock().now()))
    for line in outbox_desk.remarks(found):
        console.print(line, markup=False, soft_wrap=True)


async def _show_summaries(settings: "Settings", rejected: int | None) -> None:
    from rich.console import Console

    from bot import summary_desk

    found = summary_desk.written(settings) if rejected is None else summary_desk.rejected(settings, rejected)
    for table in (tables := await found):
        Console(highlight=False).print(table)
    if not tables:
        typer.echo("No summaries yet." if rejected is None else "Nothing was rejected.")


async def _retry(settings: "Settings", numbers: list[int] | None) -> None:
    from bot import outbox_desk

    _report(
        await outbox_desk.retry(settings, numbers or await outbox_desk.failed(settings)),
        "to be sent again; a running Paperwire looks at least every half minute",
    )


async def _void(settings: "Settings", numbers: list[int] | None, chat: int | None, *, is_sure: bool) -> None:
    from bot import outbox_desk

    wanted = await outbox_desk.open_in(settings, chat) if chat is not None else numbers or []
    if wanted and not is_sure:
        typer.confirm(f"Take back {_messages(len(wanted))}, which nobody will get then?", abort=True)
    _report(await outbox_desk.void(settings, wanted), "taken back")


def _report(changed: "Changed", done: str) -> None:
    typer.echo(f"{_messages(len(changed.ids))} {done}.")
    if changed.refused:
        _fail("\n".join(f"{number}: left as it is; {reason}." for number, reason in sorted(changed.refused.items())))


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


async def _show_models(settings: "Settings") -> None:
    from rich.console import Console

    from bot import models_desk

    found = await models_desk.overview(settings)
    Console(highlight=False).print(models_desk.as_table(found))
    if any(each.is_set and each.model is None for each in found):
        raise typer.Exit(1)


async def _fetch_model(settings: "Settings", to: str | None) -> None:
    from rich.console import Console

    from bot import models_desk

    model = await models_desk.fetch_model(settings, to, Console(stderr=True))
    typer.echo(f"{model.folder} holds {model.name}, verified, of {model.size / 1024**2:.1f} MB.")


async def _examine(settings: "Settings") -> None:
    from rich.console import Console

    from bot.doctor import examine

    console = Console(highlight=False)
    ill = False
    async for finding in examine(settings):
        sign = "[green]✓[/]" if finding.well else "[red]✗[/]"
        console.print(f"{sign} [bold]{finding.subject}[/] ", end="")
        console.print(finding.text, markup=False, soft_wrap=True)
        ill |= not finding.well
    if ill:
        raise typer.Exit(1)


def _fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)  # noqa: T201 -- what went wrong, for the person at the terminal
    raise typer.Exit(1)
