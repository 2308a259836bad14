"""Rendering: a Reply as Telegram's HTML (https://core.telegram.org/bots/api#html-style) in the fewest messages."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape, unescape
from itertools import groupby, pairwise

from bot.cards.packing import Size, pack, share, utf16_length
from bot.cards.plain import plain
from bot.cards.reply import Button, Card, Reply, pressed
from bot.platforms.telegram.limits import (
    BUTTON_LIMIT,
    BUTTONS_A_ROW,
    BUTTONS_OF_A_CARD,
    ENTITY_LIMIT,
    NUMBERS_A_ROW,
    SIGNS_A_ROW,
    TEXT_LIMIT,
)

WORD_JOINER = "\u2060"
"""Invisible. After a sign that Telegram would make a link of, it keeps the text a text."""

_TITLE_ROOM, _LINE_ROOM, _TLDR_ROOM = 600, 300, 1_000
_GAP = "\n\n"

_TAG = re.compile(r"<[^>]*>")
_OPENING_TAG = re.compile(r"<[a-z]")
# Telegram links @names, #hashtags, $STOCKS, and takes `cs.AI` for a site in Anguilla. It knows letters that Python does
# not know yet.
_LINKING = re.compile(r"(?<![A-Za-z0-9_])[@#$](?=\w|[^\x00-\x7f])|(?<=[a-z])\.(?=[A-Z]{2}\b)")
_COMMAND = re.compile(r"(?<![\w/<>])/(?=\w)")


@dataclass(frozen=True, slots=True)
class _Part:
    """What stays together in one message. `buttons` stand below those of the cards, one a row."""

    html: str
    card: Card | None = None
    of_card: tuple[Button, ...] = ()
    buttons: tuple[Button, ...] = ()


def render(reply: Reply) -> list[str]:
    """A Reply as payloads, in order, each `{"text": HTML, "buttons": [[{"label", "action"}]]}` in JSON.

    No card is cut; one that is too long for a message of its own goes without its least parts.
    """
    # The last part of a message has no gap behind it, so there is room for one more.
    limit = (TEXT_LIMIT + len(_GAP), ENTITY_LIMIT, BUTTON_LIMIT)
    return [_payload(parts) for parts in pack(_parts(reply), _size, limit)]


def visible(html: str) -> str:
    """The text of our HTML as people see it."""
    return unescape(_TAG.sub("", html))


def _parts(reply: Reply) -> list[_Part]:
    opening = _opening(reply)
    footer = [escape(piece) for piece in _split(_said(reply.footer), TEXT_LIMIT)]
    room, is_alone = TEXT_LIMIT, len(reply.cards) == 1
    if reply.is_page:
        left = TEXT_LIMIT + len(_GAP) - sum(map(_with_gap, (*opening, *footer)))
        room = min(room, share([_with_gap(_drawn(card)) for card in reply.cards], left) - len(_GAP))
    parts = [
        *map(_Part, opening),
        *(_Part(f"<pre>{escape(piece)}</pre>") for piece in _split(plain(reply.code), TEXT_LIMIT)),
        *(_Part(_card(card, room), card, pressed(card, is_alone=is_alone)) for card in reply.cards),
        *map(_Part, footer),
    ]
    return [*parts[:-1], *(replace(part, buttons=reply.buttons) for part in parts[-1:])]


def _size(part: _Part) -> Size:
    buttons = len(part.buttons) + len(part.of_card)
    return _with_gap(part.html), len(_OPENING_TAG.findall(part.html)), buttons


def _with_gap(html: str) -> int:
    return utf16_length(visible(html)) + len(_GAP)


def _payload(parts: list[_Part]) -> str:
    several = sum(part.card is not None for part in parts) > 1
    below = [
        Button(f"{part.card.number} · {button.label}", button.action)
        if several and part.card and part.card.number is not None and not part.card.is_line
        else button
        for part in parts
        for button in part.of_card
    ]
    is_list = all(part.card.is_line for part in parts if part.card)
    beside = NUMBERS_A_ROW if is_list and several else BUTTONS_A_ROW if several else BUTTONS_OF_A_CARD
    rows = [below[start : start + beside] for start in range(0, len(below), beside)]
    rows += [row for part in parts for row in _rows(part.buttons)]
    content = {
        "text": _joined(parts),
        "buttons": [[{"label": plain(button.label), "action": button.action} for button in row] for row in rows],
    }
    return json.dumps(content, ensure_ascii=False)


def _rows(buttons: tuple[Button, ...]) -> Iterator[list[Button]]:
    """Each has a row of its own, but for signs and numbers, of which several stand side by side."""
    for is_sign, run in groupby(buttons, lambda button: not any(map(str.isalpha, button.label))):
        some = list(run)
        beside = SIGNS_A_ROW if is_sign else 1
        yield from (some[start : start + beside] for start in range(0, len(some), beside))


def _joined(parts: list[_Part]) -> str:
    """The parts with a gap between them, but for titles below each other."""
    text = parts[0].html
    for before, part in pairwise(parts):
        is_list = all(each.card is not None and each.card.is_line and not each.card.tldrs for each in (before, part))
        text += ("\n" if is_list else _GAP) + part.html
    return text


def _opening(reply: Reply) -> list[str]:
    title = cut(_untapped(reply.title), _TITLE_ROOM)
    heading = f"<b>{escape(title)}</b>" if title else ""
    text = _GAP.join(filter(None, (_said(reply.text), _untapped(reply.quote))))
    first, *rest = _split(text, TEXT_LIMIT - utf16_length(title) - 1) or [""]
    return [html for html in ("\n".join(filter(None, (heading, escape(first)))), *map(escape, rest)) if html]


def _card(card: Card, room: int) -> str:
    """As much of a card as there is room for; at the least its title and the beginning of its TLDR."""
    html = ""
    for slim in _slimmer(card, room):
        html = _drawn(slim)
        if utf16_length(visible(html)) <= room:
            break
    return html


def _drawn(card: Card) -> str:
    number = f"{card.number}. " if card.number is not None else ""
    tags = "".join(f"[{_quoted(tag)}] " for tag in card.tags)
    about = " · ".join(filter(None, (card.byline, card.categories)))
    head = [f"<b>{number}{_linked(card.title, card.url)}</b>"]
    if card.second_title:
        head.append(f"<b>{_quoted(card.second_title)}</b>")
    if card.is_line:
        return "\n".join([*head, *map(_quoted, card.tldrs)])
    head.append(f"{tags}<i>{_quoted(about)}</i>")
    lists = [
        "\n".join(f"{count}. {_quoted(point)}" for count, point in enumerate(points, start=1))
        for points in card.takeaways
    ]
    below = [
        _GAP.join(["\n".join(head), *map(_quoted, card.tldrs)]),
        f"<blockquote expandable>{_GAP.join(lists)}</blockquote>" if any(lists) else "",
        f"💬 {_quoted(card.comment)}" if card.comment else "",
        " · ".join([*(_linked(link.label, link.url) for link in card.links), _quoted(card.badge)]),
    ]
    return "\n".join(filter(None, below))


def _slimmer(card: Card, room: int) -> Iterator[Card]:
    """The card, then with less and less of what it can do without; the last one fits into the room, or nearly."""
    yield card
    card = replace(card, comment=None)
    yield card
    while any(len(points) > 1 for points in card.takeaways):
        card = replace(card, takeaways=tuple(points[: max(1, len(points) - 1)] for points in card.takeaways))
        yield card
    for fewer in (card.takeaways[:1], ()):
        card = replace(card, takeaways=fewer)
        yield card
    card = replace(card, tldrs=card.tldrs[:1])
    yield card
    yield replace(
        card,
        title=cut(card.title, min(_TITLE_ROOM, room // 3)),
        second_title=None,
        byline=cut(card.byline, min(_LINE_ROOM, room // 8)),
        categories=cut(card.categories, min(_LINE_ROOM, room // 8)),
        tldrs=tuple(cut(tldr, min(_TLDR_ROOM, room // 3)) for tldr in card.tldrs),
    )


def _linked(label: str, url: str) -> str:
    """A sample's page is on this machine only, so its url is relative and no link for others."""
    return f'<a href="{escape(url)}">{_quoted(label)}</a>' if url.startswith("http") else _quoted(label)


def _quoted(outside: str) -> str:
    """A text from outside, as HTML that shows it and nothing else: no markup, nobody mentioned, no command to tap."""
    return escape(_untapped(outside))


def _untapped(text: str) -> str:
    """A text in which nobody is mentioned and no command can be tapped. Not escaped yet."""
    return _COMMAND.sub(rf"\g<0>{WORD_JOINER}", _said(text))


def _said(text: str) -> str:
    """Our own text, in which others are quoted: commands can be tapped, nobody is mentioned. Not escaped yet."""
    return _LINKING.sub(rf"\g<0>{WORD_JOINER}", plain(text))


def _split(text: str, units: int) -> list[str]:
    """`text` in pieces of at most so many UTF-16 units that end with a line or sentence, or else with a word."""
    most = units // 2
    sentence = rf".{{1,{most}}}?(?:(?<=[.!?])\s+|(?<=[。！？\n])|\Z)"
    found = re.findall(rf"{sentence}|.{{1,{most - 1}}}(?:\s|\Z)|.{{1,{most}}}", text, re.DOTALL)
    pieces = ("".join(run).strip() for run in pack(found, lambda piece: (utf16_length(piece),), (units,)))
    return [piece for piece in pieces if piece]


def cut(text: str, units: int) -> str:
    """A text of at most so many UTF-16 units; a longer one ends with a sentence, or else with a word, and " …"."""
    if utf16_length(text) <= units:
        return text
    return _split(text, units - 2)[0] + " …"
