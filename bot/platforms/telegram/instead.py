"""Instead: what goes in place of a message that Telegram does not take in its form. That it happens is our bug."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from bot.cards.packing import utf16_length
from bot.platforms.telegram.limits import TEXT_LIMIT
from bot.platforms.telegram.render import visible

_SIGN = re.compile(r"<(?P<name>/?[a-z-]+)[^>]*>|&[^;]+;|.", re.DOTALL)
"""A tag, an entity or a character of HTML: nothing within it is a place to cut."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where HTML may be cut: before the sign at `at`, which `seen` characters precede, inside the tags of `inside`."""

    at: int
    seen: int
    inside: tuple[str, ...]
    rank: int


def as_plain(payload: str) -> str | None:
    """The text that people would see, as a payload without markup; None: it had none."""
    content = json.loads(payload)
    if not _is_html(content):
        return None
    return json.dumps(content | {"text": visible(content["text"]), "parse_mode": None}, ensure_ascii=False)


def in_parts(payload: str) -> tuple[str, ...]:
    """Two payloads or more that say the same in order, the buttons below the last; a single one: it cannot be cut.

    They end between cards where they can, else between paragraphs, lines or words; what a cut falls into is closed
    before it and opened again behind it.
    """
    content = json.loads(payload)
    is_html = _is_html(content)
    parts = _parts(content["text"] if is_html else escape(content["text"]))
    bodies = [{"text": part if is_html else unescape(part), "buttons": []} for part in parts]
    bodies[-1]["buttons"] = content["buttons"]
    return tuple(json.dumps(content | body, ensure_ascii=False) for body in bodies)


def _is_html(content: dict[str, Any]) -> bool:
    return content.get("parse_mode", "HTML") is not None


def _parts(html: str) -> list[str]:
    halves = _halves(html)
    if len(halves) == 1:
        return halves
    return [part for half in halves for part in (_parts(half) if utf16_length(visible(half)) > TEXT_LIMIT else [half])]


def _halves(html: str) -> list[str]:
    """Cut at the best place in the middle half: far from it a part would be hardly shorter than the whole."""
    places = list(_places(html))
    middle = [place for place in places if len(places) <= 4 * place.seen <= 3 * len(places)]
    if not middle:
        return [html]
    cut = min(middle, key=lambda place: (place.rank, abs(2 * place.seen - len(places))))
    closing = "".join(f"</{tag[1:-1].split()[0]}>" for tag in reversed(cut.inside))
    return [html[: cut.at].rstrip() + closing, "".join(cut.inside) + html[cut.at :].lstrip()]


def _places(html: str) -> Iterator[_Place]:
    inside: list[str] = []
    seen = 0
    for sign in _SIGN.finditer(html):
        if sign["name"] is None:
            yield _Place(sign.start(), seen, tuple(inside), _rank(html, sign.start(), is_inside=bool(inside)))
            seen += 1
        elif sign["name"].startswith("/"):
            del inside[-1:]
        else:
            inside.append(sign[0])


def _rank(html: str, at: int, *, is_inside: bool) -> int:
    """The lower the better; the renderer opens each card with a bold line behind an empty one."""
    if is_inside:
        return 4 if html[at].isspace() else 5
    ends = ("\n\n<b>", "\n\n", "\n", " ")
    return next((rank for rank, end in enumerate(ends) if html.startswith(end, at)), 5)
