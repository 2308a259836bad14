"""/settings: when, in which zone, how much, in which form and language; a menu, or one change at a time."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import time
from typing import Any, cast

from bot.cards.reply import Button, Reply
from bot.chats import EVERY_DAY, LARGEST_CAP, Chat, Format, Language, Paging, Preferences
from bot.commands import links, mentioning
from bot.commands.context import Context
from bot.commands.request import number_in
from bot.commands.status import paused
from bot.commands.zones import find_zone, nearest_zone
from bot.locales import Phrases
from bot.storage import chats

_WEEKDAYS = frozenset(range(5))
_DAY_NAMES = {
    name: number
    for number, names in enumerate(
        ["mon 周一 一", "tue 周二 二", "wed 周三 三", "thu 周四 四", "fri 周五 五", "sat 周六 六", "sun 周日 日"]
    )
    for name in names.split()
}
_FORMATS: dict[str, Format] = {
    "cards": "cards",
    "tldr": "tldrs",
    "tldrs": "tldrs",
    "titles+tldr": "tldrs",
    "titles": "titles",
}
_PAGINGS: dict[str, Paging] = {"messages": "messages", "pages": "pages", "消息": "messages", "翻页": "pages"}
_YES, _NO = ("on", "yes", "true", "1", "开"), ("off", "no", "false", "0", "关")


class BadValueError(ValueError):
    """The value does not fit: `key` is the text to show, `hint` an example that would do."""

    def __init__(self, key: str, hint: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.hint = hint


async def _nothing(_: Context, __: str = "") -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set. `choices`: the values that the menu offers; any other that fits can be written.

    `written`: its value as `change` takes it. `fits`: whether a chat is of a kind that has it. `refused`: why this chat
    cannot have a value. `note`: what else is to be known of it here, such as what it needs.
    """

    change: Callable[[Preferences, str], Preferences]
    shown: Callable[[Preferences, Phrases], str]
    choices: tuple[str, ...]
    written: Callable[[Preferences], str]
    fits: Callable[[Chat], bool] = lambda _: True
    refused: Callable[[Context, str], Awaitable[str]] = _nothing
    note: Callable[[Context], Awaitable[str]] = _nothing


async def settings(context: Context) -> Reply:
    """Show the settings, or change one: `/settings time 08:30`."""
    name, _, value = context.argument.strip().partition(" ")
    name, value = name.lower(), value.strip()
    if not name:
        return _menu(context)
    setting = SETTINGS.get(name)
    if setting is None:
        return context.says("settings.unknown", name=name[:20], known=", ".join(_of(context.chat)))
    if not setting.fits(context.chat):
        return context.says(f"setting.{name}.elsewhere")
    return await (_choices(context, name, setting) if value == "?" else _change(context, setting, value))


async def _change(context: Context, setting: Setting, value: str) -> Reply:
    if refusal := await setting.refused(context, value):
        return Reply(refusal)
    quota = context.chat.quota
    try:
        asked = setting.change(context.chat.preferences, value)
        if setting is SETTINGS["cap"] and quota.keep(asked) != asked:
            back = Button(context.phrases("button.back"), "set:cap ?")
            return replace(context.says("quota.papers", count=quota.papers), buttons=(back,))
        async with context.services.database.write() as connection:
            chat = await chats.set_preferences(
                connection, context.chat.id, lambda preferences: setting.change(preferences, value), context.now
            )
    except BadValueError as error:
        return context.says(error.key, value=value[:40], hint=error.hint)
    context.services.scheduler.wake("digest")
    context = replace(context, chat=chat)
    return _menu(context, changed=True, note=await setting.note(context))


async def pressed(context: Context) -> Reply:
    """The same by a button of the menu, which the answer takes the place of."""
    return replace(await settings(context), in_place=True)


def _of(chat: Chat) -> dict[str, Setting]:
    """The settings that a chat of this kind has."""
    return {name: setting for name, setting in SETTINGS.items() if setting.fits(chat)}


def _menu(context: Context, *, changed: bool = False, note: str = "") -> Reply:
    phrases, preferences, here = context.phrases, context.chat.preferences, _of(context.chat)
    due = context.chat.next_digest_at
    lines = [
        *([note, ""] if note else []),
        *([paused(context)] if context.chat.is_paused(context.now) else []),
        # The zone stands beside the time.
        *(setting.shown(preferences, phrases) for name, setting in here.items() if name != "zone"),
        phrases("status.next", at=context.local(due)) if due else phrases("status.follows_nothing"),
        "",
        phrases("settings.how"),
    ]
    return Reply(
        "\n".join(lines),
        title=phrases("settings.changed" if changed else "settings.title"),
        buttons=tuple(Button(phrases(f"setting.{name}"), f"set:{name} ?") for name in here),
    )


async def _choices(context: Context, name: str, setting: Setting) -> Reply:
    phrases = context.phrases
    current, note = setting.shown(context.chat.preferences, phrases), await setting.note(context)
    return Reply(
        "\n".join(filter(None, [current, note, phrases(f"setting.{name}.how")])),
        title=phrases(f"setting.{name}"),
        buttons=(
            *(Button(_choice(value, phrases), f"set:{name} {value}") for value in setting.choices),
            Button(phrases("button.back"), "set:"),
        ),
    )


def _choice(value: str, phrases: Phrases) -> str:
    return phrases(f"choice.{value}") if value.isalpha() and value != "UTC" else value


def _clock(text: str) -> time:
    match = re.fullmatch(r"([01]?\d|2[0-3])(?:[:：.h]([0-5]\d))?", text)
    if match is None:
        raise BadValueError("settings.bad_time")
    return time(int(match[1]), int(match[2] or 0))


def _time(preferences: Preferences, value: str) -> Preferences:
    if value.lower() in ("asap", "尽快"):
        return replace(preferences, asap=True)
    if not re.search(r"[:：.h]", value):
        raise BadValueError("settings.bad_time")
    return replace(preferences, time=_clock(value), asap=False)


def _zone(preferences: Preferences, value: str) -> Preferences:
    found = find_zone(value)
    if found is None:
        raise BadValueError("settings.bad_zone", nearest_zone(value) or "Asia/Shanghai")
    return replace(preferences, zone=found)


def _days(preferences: Preferences, value: str) -> Preferences:
    named = {"daily": EVERY_DAY, "weekdays": _WEEKDAYS, "每天": EVERY_DAY, "工作日": _WEEKDAYS}
    chosen: set[int] = set()
    for part in re.split(r"[\s,，、]+", value.lower().strip()):
        first, dash, last = part.partition("-")
        ends = [
            _DAY_NAMES.get(end[:3] if end.isascii() else end) for end in ((first, last) if dash else (first, first))
        ]
        if part in named:
            chosen |= named[part]
        elif ends[0] is None or ends[1] is None:
            raise BadValueError("settings.bad_days")
        else:
            chosen |= {(ends[0] + step) % 7 for step in range((ends[1] - ends[0]) % 7 + 1)}
    return replace(preferences, days=frozenset(chosen))


def _quiet(preferences: Preferences, value: str) -> Preferences:
    if value.lower() in _NO:
        return replace(preferences, quiet=None)
    begin, dash, end = re.sub(r"\s*(?:-|–|—|~|到|至)\s*", "-", value).partition("-")
    try:
        hours = _clock(begin), _clock(end)
    except BadValueError:
        raise BadValueError("settings.bad_quiet") from None
    if not dash or hours[0] == hours[1]:
        raise BadValueError("settings.bad_quiet")
    return replace(preferences, quiet=hours)


def _language(preferences: Preferences, value: str) -> Preferences:
    if value.lower() not in ("en", "zh", "both"):
        raise BadValueError("settings.bad_language")
    return replace(preferences, language=cast("Language", value.lower()))


def _format(preferences: Preferences, value: str) -> Preferences:
    if value.lower() not in _FORMATS:
        raise BadValueError("settings.bad_format")
    return replace(preferences, format=_FORMATS[value.lower()])


def _paging(preferences: Preferences, value: str) -> Preferences:
    if value.lower() not in _PAGINGS:
        raise BadValueError("settings.bad_paging")
    return replace(preferences, paging=_PAGINGS[value.lower()])


def _cap(preferences: Preferences, value: str) -> Preferences:
    if value.lower() in ("all", "全部"):
        value = "0"
    cap = number_in(value)
    if cap is None or cap > LARGEST_CAP:
        raise BadValueError("settings.bad_cap", str(LARGEST_CAP))
    return replace(preferences, cap=cap)


def _mention(preferences: Preferences, value: str) -> Preferences:
    if value.lower() in _NO:
        return replace(preferences, mention="")
    role = mentioning.role_in(value)
    if role is None:
        raise BadValueError("settings.bad_mention")
    return replace(preferences, mention=role)


def _is_on(value: str) -> bool:
    if value.lower() not in _YES + _NO:
        raise BadValueError("settings.bad_switch")
    return value.lower() in _YES


def _show_time(preferences: Preferences, phrases: Phrases) -> str:
    if preferences.asap:
        return phrases("settings.asap", zone=preferences.zone)
    return phrases("settings.time", time=f"{preferences.time:%H:%M}", zone=preferences.zone)


def _show_quiet(preferences: Preferences, phrases: Phrases) -> str:
    if preferences.quiet is None:
        return phrases("settings.no_quiet")
    begin, end = preferences.quiet
    return phrases("settings.quiet", begin=f"{begin:%H:%M}", end=f"{end:%H:%M}")


def _show_days(preferences: Preferences, phrases: Phrases) -> str:
    named = {EVERY_DAY: phrases("choice.daily"), _WEEKDAYS: phrases("choice.weekdays")}
    days = named.get(preferences.days) or ", ".join(phrases.weekday(day) for day in sorted(preferences.days))
    return phrases("settings.days", days=days)


def _write_quiet(preferences: Preferences) -> str:
    if preferences.quiet is None:
        return "off"
    begin, end = preferences.quiet
    return f"{begin:%H:%M}-{end:%H:%M}"


def _write_days(preferences: Preferences) -> str:
    named = {EVERY_DAY: "daily", _WEEKDAYS: "weekdays"}
    short = list(_DAY_NAMES)[::3]
    return named.get(preferences.days) or ", ".join(short[day] for day in sorted(preferences.days))


def _state(key: str, *, is_on: bool, phrases: Phrases) -> str:
    return phrases(key, state=phrases("choice.on" if is_on else "choice.off"))


def _switch(field: str, key: str) -> Setting:
    """A setting that is on or off; `field` is the name that preferences have for it."""

    def change(preferences: Preferences, value: str) -> Preferences:
        changed: dict[str, Any] = {field: _is_on(value)}
        return replace(preferences, **changed)

    return Setting(
        change,
        lambda set_, phrases: _state(key, is_on=getattr(set_, field), phrases=phrases),
        ("on", "off"),
        lambda set_: "on" if getattr(set_, field) else "off",
    )


SETTINGS: dict[str, Setting] = {
    "time": Setting(
        _time,
        _show_time,
        ("asap", "07:00", "08:00", "09:00", "12:00", "18:00", "21:00"),
        lambda set_: "asap" if set_.asap else f"{set_.time:%H:%M}",
    ),
    "zone": Setting(
        _zone,
        lambda set_, phrases: phrases("settings.zone", zone=set_.zone),
        (
            "UTC",
            "Asia/Shanghai",
            "Asia/Tokyo",
            "Europe/London",
            "Europe/Berlin",
            "America/New_York",
            "America/Los_Angeles",
        ),
        lambda set_: set_.zone,
    ),
    "days": Setting(_days, _show_days, ("daily", "weekdays"), _write_days),
    "quiet": Setting(_quiet, _show_quiet, ("off", "22:00-07:00", "23:00-08:00"), _write_quiet),
    "language": Setting(
        _language,
        lambda set_, phrases: phrases("settings.language", language=phrases(f"choice.{set_.language}")),
        ("en", "zh", "both"),
        lambda set_: set_.language,
    ),
    "format": Setting(
        _format,
        lambda set_, phrases: phrases("settings.format", format=phrases(f"choice.{set_.format}")),
        ("cards", "tldrs", "titles"),
        lambda set_: set_.format,
    ),
    "paging": Setting(
        _paging,
        lambda set_, phrases: phrases("settings.paging", paging=phrases(f"choice.{set_.paging}")),
        ("messages", "pages"),
        lambda set_: set_.paging,
    ),
    "cap": Setting(
        _cap,
        lambda set_, phrases: phrases("settings.cap", cap=set_.cap) if set_.cap else phrases("settings.no_cap"),
        ("5", "12", "30", "all"),
        lambda set_: str(set_.cap) if set_.cap else "all",
    ),
    "crosslists": _switch("cross_lists", "settings.crosslists"),
    "note": _switch("quiet_note", "settings.note"),
    "replacements": _switch("replacements", "settings.replacements"),
    "links": replace(_switch("links", "settings.links"), fits=lambda chat: chat.is_group, note=links.note),
    "mention": Setting(
        _mention,
        lambda set_, phrases: _state("settings.mention", is_on=bool(set_.mention), phrases=phrases),
        ("off",),
        lambda set_: set_.mention or "off",
        fits=lambda chat: chat.is_group and chat.platform == "discord",
        refused=mentioning.refused,
        note=mentioning.note,
    ),
}
"""Every setting by its name, in the order of the menu."""
