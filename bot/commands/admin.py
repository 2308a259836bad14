"""/admin: what operators do at run time, as a menu or as one line; only where nobody else reads along."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import get_args

import structlog

from bot.cards.reply import Button, Reply
from bot.commands import broadcasting, overseeing
from bot.commands.access import by_whom, is_open
from bot.commands.context import Context
from bot.log import Level, level, set_level
from bot.storage import marks, overview

_QUOTED = 40
_LEVELS: tuple[Level, ...] = get_args(Level)

log = structlog.get_logger(__name__)


async def admin(context: Context) -> Reply:
    """Show the menu, or do one thing: `/admin chats waiting`, `/admin log debug`."""
    # Titles, people's ids and what is broadcast are nobody else's business.
    if context.chat.is_group:
        return context.says("admin.in_private")
    name, rest = (*context.argument.split(maxsplit=1), "", "")[:2]
    if not name:
        return await _menu(context)
    form = FORMS.get(name.lower())
    if form is None:
        return context.says("admin.unknown", name=name[:_QUOTED])
    return await form(replace(context, argument=rest.strip()))


async def pressed(context: Context) -> Reply:
    """The same by a button of the menu, which the answer takes the place of."""
    return replace(await admin(context), in_place=True)


async def _menu(context: Context) -> Reply:
    phrases = context.phrases
    async with context.services.database.read() as connection:
        counts = {state: await overview.count(connection, state) for state in overview.STATES}
        anybody = await is_open(connection, context.services)
        is_chosen = await marks.get(connection, marks.ACCESS) is not None
    states = " · ".join(phrases(f"state.{state}_count", count=count) for state, count in counts.items() if count)
    lines = [
        phrases("admin.chats", states=states),
        phrases("admin.open" if anybody else "admin.closed"),
        phrases("admin.chosen" if is_chosen else "admin.configured"),
        phrases("admin.level", level=level()),
        "",
        phrases("admin.how"),
    ]
    return Reply(
        "\n".join(lines),
        title=phrases("admin.title"),
        buttons=(
            Button(phrases("button.chats"), "admin:chats"),
            *([Button(phrases("button.waiting"), "admin:chats waiting")] if counts["waiting"] else []),
            Button(phrases("button.close" if anybody else "button.open"), f"admin:access {_other(anybody=anybody)}"),
            Button(phrases("button.log"), "admin:log"),
            Button(phrases("button.broadcast"), "admin:broadcast"),
        ),
    )


def _other(*, anybody: bool) -> str:
    return "closed" if anybody else "open"


async def _access(context: Context) -> Reply:
    """Let anybody use the bot, or only whom an operator lets in: from now on, whatever the configuration says."""
    wanted = context.argument.lower()
    if wanted not in ("open", "closed"):
        return context.says("admin.access_how")
    async with context.services.database.write() as connection:
        await marks.put(connection, marks.ACCESS, wanted)
    log.warning("admin.access", access=wanted, by=by_whom(context))
    return await _menu(context)


async def _log(context: Context) -> Reply:
    """Log more or less, in this process and until it ends."""
    wanted = context.argument.lower()
    phrases = context.phrases
    if wanted in _LEVELS:
        set_level("info")  # so that this is logged, whichever two levels these are
        log.warning("admin.log_level", wanted=wanted, by=by_whom(context))
        set_level(wanted)
    said = phrases("admin.level_set" if wanted in _LEVELS else "admin.level_how", level=level())
    return Reply(
        said,
        title=phrases("button.log"),
        buttons=(
            *(Button(each, f"admin:log {each}") for each in _LEVELS if each != level()),
            Button(phrases("button.back"), "admin:"),
        ),
    )


FORMS: dict[str, Callable[[Context], Awaitable[Reply]]] = {
    "chats": overseeing.list_chats,
    "chat": overseeing.show_chat,
    "allow": overseeing.allow,
    "deny": overseeing.deny,
    "ban": overseeing.ban,
    "unban": overseeing.unban,
    "quota": overseeing.quota,
    "access": _access,
    "log": _log,
    "broadcast": broadcasting.preview,
    "send": broadcasting.send,
    "leave": broadcasting.leave,
}
"""What may stand behind `/admin`, and behind `admin:` in a button."""
