"""Portable: a chat's subscriptions and settings as a text that a person can read, edit and take elsewhere."""

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from bot.chats import MOST_SUBSCRIPTIONS, Chat, Preferences, Subscription
from bot.commands.settings import SETTINGS, BadValueError
from bot.interests import BadQuery, Interest, parse_interest

VERSION = 1
_LONGEST_LINE = 4_000
_LARGEST_NUMBER = 1_000_000
_KNOWN = ("paperwire", "subscriptions", "alerts", "settings")
_CURLY = re.compile("[“”‘’„«»]")
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class BadFileError(ValueError):
    """A text cannot be imported: `key` is the text that says why, with its `values`; `line` (0: the whole).

    `query`: where a query is wrong. `setting`: where a setting's value is.
    """

    def __init__(
        self,
        line: int,
        key: str = "",
        *,
        query: BadQuery | None = None,
        setting: BadValueError | None = None,
        **values: object,
    ) -> None:
        super().__init__(f"line {line}: {key}")
        self.line = line
        self.key = key
        self.query = query
        self.setting = setting
        self.values = values


@dataclass(frozen=True, slots=True)
class Portable:
    """What a file says: queries, and settings by their names, as `/settings` takes them.

    `left_out`: what it has besides, and is nothing of ours. `alerts`: the queries whose papers come at once.
    """

    interests: tuple[Interest, ...]
    settings: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    alerts: tuple[Interest, ...] = ()

    def applied(self, preferences: Preferences) -> Preferences:
        """The preferences with these settings. Raises BadValueError."""
        for name, value in self.settings:
            preferences = SETTINGS[name].change(preferences, value)
        return preferences


def portable(chat: Chat, followed: Iterable[Subscription]) -> Portable:
    """What a chat has."""
    settings = tuple(
        (name, setting.written(chat.preferences)) for name, setting in SETTINGS.items() if setting.fits(chat)
    )
    several = tuple(followed)
    alerts = tuple(each.interest for each in several if each.alerts_since is not None)
    return Portable(tuple(each.interest for each in several), settings, alerts=alerts)


def write(what: Portable, comment: str = "") -> str:
    """The text, which `read` reads; each line of the comment begins it."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [f"paperwire = {VERSION}", "", *_list("subscriptions", what.interests)]
    if what.alerts:
        lines += ["", *_list("alerts", what.alerts)]
    if what.settings:
        lines += ["", "[settings]", *(f"{name} = {_quoted(value)}" for name, value in what.settings)]
    return "\n".join(lines) + "\n"


def _list(name: str, interests: Iterable[Interest]) -> list[str]:
    return [f"{name} = [", *(f"  {_quoted(str(interest))}," for interest in interests), "]"]


def _quoted(text: str) -> str:
    """A TOML string: as it is where it can stand so, for the sake of who reads it (https://toml.io/en/v1.0.0#string)."""
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # JSON escapes what TOML wants escaped, but for the one sign DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read(text: str) -> Portable:
    """What a text says that `write` or a person wrote. Raises BadFileError with the line and what is wrong there."""
    table = _toml(text)
    if "paperwire" not in table:
        raise BadFileError(1, "import.no_version")
    if type(table["paperwire"]) is not int or table["paperwire"] != VERSION:
        raise BadFileError(_line_of(text, "paperwire"), "import.other_version", version=_short(table["paperwire"]))
    for name in table:
        if name not in _KNOWN:
            raise _unknown(text, name, _KNOWN)
    settings = table.get("settings", {})
    if not isinstance(settings, dict):
        raise BadFileError(_line_of(text, "settings"), "import.no_table")
    followed, alerts = (_interests(text, name, table.get(name, [])) for name in ("subscriptions", "alerts"))
    # What is to come at once is followed, whether the other list has it or not.
    return Portable(tuple(dict.fromkeys([*followed, *alerts])), _settings(text, settings), alerts=alerts)


def _toml(text: str) -> Mapping[str, Any]:
    lines = text.splitlines()
    if long := next((number for number, line in enumerate(lines, 1) if len(line) > _LONGEST_LINE), 0):
        raise BadFileError(long, "import.long_line", count=_LONGEST_LINE)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place and place[1] else max(1, len(lines))
        if _CURLY.search(lines[line - 1] if line <= len(lines) else ""):
            raise BadFileError(line, "import.curly_quotes") from None
        raise BadFileError(line, "import.no_toml", detail=_AT_LINE.sub("", str(error))) from None
    except RecursionError:
        raise BadFileError(0, "import.too_deep") from None
    except ValueError:
        raise BadFileError(0, "import.no_toml", detail="a value out of range") from None


def _interests(text: str, name: str, queries: object) -> tuple[Interest, ...]:
    if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
        raise BadFileError(_line_of(text, name), "import.no_list", name=name)
    if len(set(queries)) > MOST_SUBSCRIPTIONS:
        raise BadFileError(_line_of(text, name), "import.too_many", count=MOST_SUBSCRIPTIONS)
    found = []
    for query in queries:
        if not query.isprintable():
            raise BadFileError(_line_of_value(text, query), "import.control")
        try:
            found.append(parse_interest(query))
        except BadQuery as error:
            raise BadFileError(_line_of_value(text, query), query=error) from None
    return tuple(dict.fromkeys(found))


def _settings(text: str, settings: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    found = []
    for name, given in settings.items():
        if name not in SETTINGS:
            raise _unknown(text, name, SETTINGS)
        value = _as_said(given)
        try:
            if value is None:
                raise BadValueError("import.no_value")
            SETTINGS[name].change(Preferences(), value)
        except BadValueError as error:
            raise BadFileError(_line_of(text, name), setting=error, value=_short(given)) from None
        found.append((name, value))
    return tuple(found)


def _as_said(value: object) -> str | None:
    """A value as `/settings` takes it: who edits a file may write `12`, `true` or `08:30:00` as TOML has them."""
    match value:
        case bool():
            return "on" if value else "off"
        case str():
            return value.strip()
        case int() if abs(value) < _LARGEST_NUMBER:
            return str(value)
        case time():
            return f"{value:%H:%M}"
        case _:
            return None


def _unknown(text: str, name: str, known: Collection[str]) -> BadFileError:
    return BadFileError(_line_of(text, name), "import.unknown", name=_short(name), known=", ".join(known))


def _line_of(text: str, key: str) -> int:
    """The line at which a key gets its value, or its table begins."""
    named = re.compile(rf"""\s*(?:\[+\s*)?["']?{re.escape(key)}["']?\s*(?:[=.\]]|$)""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if named.match(line)), 0)


def _line_of_value(text: str, value: str) -> int:
    lines = text.splitlines()
    for written in (f"'{value}'", json.dumps(value, ensure_ascii=False), json.dumps(value), value):
        if found := next((number for number, line in enumerate(lines, 1) if written in line), 0):
            return found
    return 0


def _short(value: object) -> str:
    try:
        return str(value)[:40]
    except ValueError:  # a number of thousands of digits
        return "…"
