"""The database at the command line: brought up to date, copied to PostgreSQL, backed up."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bot.clock import WallClock
from bot.config import Settings
from bot.storage.backup import back_up
from bot.storage.database import open_database
from bot.storage.transfer import transfer


async def migrate(settings: Settings) -> str:
    """Bring the schema up to date. Raises DatabaseError."""
    await (await open_database(settings.database.url)).close()
    return "The database is up to date."


async def copy_to(settings: Settings, target: str) -> str:
    """Copy the SQLite database into an empty PostgreSQL, showing how far that is. Raises DatabaseError."""
    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=Console(stderr=True))

    def show(table: str, over: int, total: int) -> None:
        progress.start()
        if table not in tasks:
            tasks[table] = progress.add_task(table, total=total)
        progress.update(tasks[table], completed=over)

    try:
        rows = await transfer(settings.database.url, target, WallClock().now(), show)
    finally:
        if tasks:
            progress.stop()
    return (
        f"Copied {rows} rows in {len(tasks)} tables, and compared each table's rows. What is next:\n"
        "1. Set [database] url (or PAPERWIRE_DATABASE__URL) to the URL that you gave as --to.\n"
        "2. Look at it with `paperwire doctor`, and start with `paperwire run`.\n"
        "3. Keep the old file until you are content. Started again, it asks before it sends anything."
    )


async def copy_to_file(settings: Settings, file: Path, *, replace: bool) -> str:
    """Make a checked copy of the SQLite database. Raises DatabaseError."""
    size = back_up(settings.database.url, file, WallClock().now(), replace=replace)
    return f"{file} is a complete copy, checked, of {size / 1024**2:.1f} MB."
