"""/settings: when, in which zone, how much, in which language."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from difflib import get_close_matches
from typing import cast
from zoneinfo import available_timezones

from bot.cards.reply import Button, Reply
from bot.chats import LARGEST_CAP, Language, Preferences
from bot.commands.context import Context
from bot.storage import chats


class BadValueError(ValueError):
    """The value does not fit: `key` is the text to show, `hint` an example that would do."""

    def __init__(self, key: str, hint: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.hint = hint


async def settings(context: Context) -> Reply:
    """Show the settings, or change one: `/settings time 08:30`."""
    name, _, value = context.argument.strip().partition(" ")
    if not name:
        return _shown(context)
    change = _CHANGES.get(name.lower())
    if change is None:
        return context.says("settings.unknown", name=name[:20], known=", ".join(_CHANGES))
    try:
        async with context.services.database.write() as connection:
            chat = await chats.set_preferences(
                connection, context.chat.id, lambda preferences: change(preferences, value.strip()), context.now
            )
    except BadValueError as error:
        return context.says(error.key, value=value[:40], hint=error.hint)
    context.services.scheduler.wake("digest")
    return _shown(replace(context, chat=chat), changed=True)


def _shown(context: Context, *, changed: bool = False) -> Reply:
    phrases, preferences = context.phrases, context.chat.preferences
    due = context.chat.next_digest_at
    lines = [
        phrases("settings.time", time=f"{preferences.time:%H:%M}", zone=preferences.zone),
        phrases("settings.cap", cap=preferences.cap) if preferences.cap else phrases("settings.no_cap"),
        phrases("settings.language", language=phrases(f"language.{preferences.language}")),
        phrases("status.next", at=context.local(due)) if due else phrases("status.follows_nothing"),
        "",
        phrases("settings.how"),
    ]
    others = [language for language in ("en", "zh", "both") if language != preferences.language]
    return Reply(
        "\n".join(lines),
        title=phrases("settings.changed" if changed else "settings.title"),
        buttons=tuple(Button(phrases(f"language.{each}"), f"set:language {each}") for each in others),
    )


def _time(preferences: Preferences, value: str) -> Preferences:
    match = re.fullmatch(r"([01]?\d|2[0-3])[:：.h]([0-5]\d)", value)
    if match is None:
        raise BadValueError("settings.bad_time")
    return replace(preferences, time=time(int(match[1]), int(match[2])))


def _zone(preferences: Preferences, value: str) -> Preferences:
    known = {name.lower(): name for name in available_timezones()}
    cities = {name.rpartition("/")[2]: name for name in sorted(known)}
    wanted = value.replace(" ", "_").lower()
    found = known.get(wanted) or known.get(cities.get(wanted, ""))
    if found is None:
        near = get_close_matches(wanted, known, 1) or [cities[city] for city in get_close_matches(wanted, cities, 1)]
        raise BadValueError("settings.bad_zone", known[near[0]] if near else "Asia/Shanghai")
    return replace(preferences, zone=found)


def _cap(preferences: Preferences, value: str) -> Preferences:
    if not value.isdecimal() or len(value) > 4 or int(value) > LARGEST_CAP:
        raise BadValueError("settings.bad_cap", str(LARGEST_CAP))
    return replace(preferences, cap=int(value))


def _language(preferences: Preferences, value: str) -> Preferences:
    if value.lower() not in ("en", "zh", "both"):
        raise BadValueError("settings.bad_language")
    return replace(preferences, language=cast("Language", value.lower()))


_CHANGES: dict[str, Callable[[Preferences, str], Preferences]] = {
    "time": _time,
    "zone": _zone,
    "cap": _cap,
    "language": _language,
}
