"""/export and /import: what a chat follows, and how, taken along; from Paperwire, or from a feed reader."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.cards.reply import Button, File, Reply
from bot.chats import Preferences
from bot.commands import opml, portable
from bot.commands.context import Context
from bot.commands.portable import BadFileError, Portable
from bot.commands.queries import mend
from bot.commands.request import LARGEST_FILE, NotFetchedError, number_in
from bot.commands.returning import both_ways
from bot.commands.settings import SETTINGS
from bot.commands.subscribing import too_many
from bot.interests import Interest
from bot.storage import alerts, chats, imports

TIME_TO_CONFIRM = timedelta(hours=1)
"""For so long an import waits for a yes."""
CATCH_UP = timedelta(days=7)
"""So far back subscriptions count that are to catch up. What the chat was given already does not come again."""

_LISTED = 10

log = structlog.get_logger(__name__)


async def export(context: Context) -> Reply:
    """The chat's subscriptions and settings as one file."""
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    what = portable.portable(context.chat, followed)
    text = portable.write(what, context.phrases("export.comment"))
    return Reply(context.phrases("export.done", count=len(followed)), file=File("paperwire.toml", text))


async def import_(context: Context) -> Reply:
    """Read a file, or the text behind the command; say what it would change, and ask. Nothing is changed yet."""
    try:
        text = context.argument or (await context.file() if context.file else "")
    except NotFetchedError as error:
        return context.says(f"import.{error.why}", size=LARGEST_FILE // 1024)
    if not text.strip():
        return context.says("import.how")
    try:
        return await _offer(context, await asyncio.to_thread(_read, text))
    except BadFileError as error:
        return _repair(context, error)


async def _offer(context: Context, wanted: Portable) -> Reply:
    """What an import would change, and how to have it."""
    services, chat = context.services, context.chat
    async with services.database.read() as connection:
        followed = {each.interest: each for each in await chats.subscriptions_of(connection, chat.id)}
    wanted, misfits = await _fitting(context, wanted)
    new = [interest for interest in wanted.interests if interest not in followed]
    at_once = [each for each in wanted.alerts if each not in followed or followed[each].alerts_since is None]
    if new and (full := too_many(context, len(followed) + len(new))):
        return full
    applied = wanted.applied(chat.preferences)
    changed = _changed(context, chat.preferences, chat.quota.keep(applied))
    lines = _what_changes(context, new, at_once, len(wanted.interests) - len(new), changed, wanted.left_out)
    if chat.quota.keep(applied) != applied:
        lines.append(context.phrases("quota.papers", count=chat.quota.papers))
    if misfits:
        lines.append(context.phrases("import.not_here", names=", ".join(misfits)))
    title = context.phrases("import.title")
    if not (new or at_once or changed):
        return Reply("\n".join([context.phrases("import.nothing"), *lines]), title=title)
    async with services.database.write() as connection:
        number = await imports.put(connection, chat.id, portable.write(wanted), context.now)
    keep = Button(context.phrases("button.leave"), f"import:no {number}")
    if not new:
        apply = Button(context.phrases("button.apply"), f"import:from-now {number}")
        return Reply("\n".join(lines), title=title, buttons=(apply, keep))
    lines.append(context.phrases("import.question", days=CATCH_UP.days))
    return Reply("\n".join(lines), title=title, buttons=(*both_ways(context.phrases, "import", f" {number}"), keep))


async def choose(context: Context) -> Reply:
    """Carry out an import that was shown, from now or with the last days; or leave it."""
    services, now = context.services, context.now
    choice, _, written = context.argument.partition(" ")
    number = number_in(written)
    if choice not in ("from-now", "catch-up", "no") or number is None:
        return context.says("button.stale")
    async with services.database.read() as connection:
        content = await imports.get(connection, context.chat.id, number, now - TIME_TO_CONFIRM)
    if content is None:
        return context.says("import.gone")
    wanted = await asyncio.to_thread(_read, content)
    since = now - CATCH_UP if choice == "catch-up" else now
    async with services.database.write() as connection:
        if not await imports.end(connection, context.chat.id, number):
            return context.says("import.gone")
        if choice == "no":
            return context.says("import.left")
        followed = {each.interest for each in await chats.subscriptions_of(connection, context.chat.id)}
        new = set(wanted.interests) - followed
        if new and (full := too_many(context, len(followed) + len(new))):
            return full
        added = [
            interest
            for interest in wanted.interests
            if await chats.subscribe(connection, context.chat, interest, now, since)
        ]
        by_interest = {each.interest: each.id for each in await chats.subscriptions_of(connection, context.chat.id)}
        await alerts.switch(connection, context.chat.id, [by_interest[each] for each in wanted.alerts], now)
        chat = await chats.set_preferences(connection, context.chat.id, wanted.applied, now)
    log.info("chat.imported", chat=chat.id, added=len(added), catch_up=choice == "catch-up")
    services.scheduler.wake("poll")
    services.scheduler.wake("digest")
    lines = [context.phrases("import.done", count=len(added))]
    if chat.next_digest_at is not None:
        lines.append(context.phrases("subscribe.next", next=context.local(chat.next_digest_at)))
    return Reply("\n".join(lines))


async def _fitting(context: Context, wanted: Portable) -> tuple[Portable, list[str]]:
    """What a file says without the settings that this chat cannot have, such as a role of another server; and those."""
    fits, misfits = [], []
    for name, value in wanted.settings:
        setting = SETTINGS[name]
        if setting.fits(context.chat) and not await setting.refused(context, value):
            fits.append((name, value))
        elif setting.change(Preferences(), value) != Preferences():
            misfits.append(name)
    return replace(wanted, settings=tuple(fits)), misfits


def _read(text: str) -> Portable:
    return opml.read(text.strip()) if text.lstrip("\ufeff \t\r\n").startswith("<") else portable.read(text)


def _repair(context: Context, error: BadFileError) -> Reply:
    """What is wrong in which line, and how to mend it."""
    phrases = context.phrases
    if error.query is not None:
        reason = phrases("subscribe.how") if error.query.problem == "empty" else mend(context, error.query).text
    elif error.setting is not None:
        reason = phrases(error.setting.key, hint=error.setting.hint, **error.values)
    else:
        reason = phrases(error.key, **error.values)
    place = [phrases("import.line", line=error.line)] if error.line else []
    return Reply("\n".join([*place, reason, phrases("import.as_was")]))


def _changed(context: Context, before: Preferences, after: Preferences) -> list[str]:
    """The settings that would be others, as they would be."""
    return [
        setting.shown(after, context.phrases)
        for setting in SETTINGS.values()
        if setting.written(before) != setting.written(after)
    ]


def _what_changes(
    context: Context,
    new: Sequence[Interest],
    at_once: Sequence[Interest],
    known: int,
    changed: Sequence[str],
    left_out: Sequence[str],
) -> list[str]:
    phrases = context.phrases
    lines = []
    if new:
        lines += [phrases("import.added", count=len(new)), *_listed(context, list(map(str, new)))]
    if at_once:
        lines += [phrases("import.alerts"), *_listed(context, list(map(str, at_once)))]
    if known:
        lines.append(phrases("import.known", count=known))
    if changed:
        lines += [phrases("import.settings"), *_listed(context, changed)]
    if left_out:
        lines += [phrases("import.left_out", count=len(left_out)), *_listed(context, left_out)]
    return lines


def _listed(context: Context, texts: Sequence[str]) -> list[str]:
    lines = [f"• {text}" for text in texts[:_LISTED]]
    if (more := len(texts) - _LISTED) > 0:
        lines.append(context.phrases("import.more", count=more))
    return lines
