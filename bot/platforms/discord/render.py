"""Rendering: a Reply as Discord messages, with an embed for each card."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from discord.utils import escape_mentions

from bot.cards.packing import Size, pack, share
from bot.cards.plain import plain
from bot.cards.reply import Button, Card, Reply, pressed
from bot.platforms.discord import limits

Json = dict[str, Any]

# No title, author list or TLDR comes near: with these even the longest card fits once its optional parts are gone.
_LONGEST_LINE = 600
_LONGEST_ASIDE = 200
_BESIDE_DESCRIPTION = limits.EMBED_TITLE + _LONGEST_ASIDE
"""Characters of a card's embed besides its description, at most: its title and its footer."""
_FENCED = "```\n{}\n```"
_CODE_ROOM = limits.CONTENT - len(_FENCED)

_LINK = r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?(?:[\w./?&=%+~:;,#@-]*[\w/&=%+~#-])?"
_SIGN = re.compile(rf"(?P<link>{_LINK})|[\\*_~|`\[\]<>#]", re.ASCII)
_LIST = re.compile(r"^([ \t]*(?:\d+(?=[.)]\s)|(?=[-+]\s)))", re.MULTILINE)
_AFTER_LINE, _AFTER_SENTENCE, _AFTER_WORD = r"(?<=\n)", r"(?<=[.!?;]\s)|(?<=[。！？；])", r"(?<=\s)"


@dataclass(frozen=True, slots=True)
class _Part:
    """What stays whole: a piece of the header, a card, the closing line, a row of buttons."""

    content: str = ""
    embed: Json | None = None
    buttons: tuple[Button, ...] = ()
    number: int | None = None
    mention: str = ""


def render(reply: Reply) -> list[str]:
    """The fewest messages that keep Discord's limits, each the JSON body of a request.

    It mentions nobody, but for the first one of a Reply that is to mention a role, and that role alone.
    """
    # The newline that joins it counts with each piece of content, so there is one too many.
    limit = limits.CONTENT + 1, limits.EMBEDS, limits.EMBEDS_TEXT, limits.BUTTONS
    return [json.dumps(_message(parts), ensure_ascii=False) for parts in pack(_parts(reply), _size, limit)]


def _parts(reply: Reply) -> Iterator[_Part]:
    title = _line(reply.title, limits.EMBED_TITLE)
    header = _joined("\n", [_bold(title), *(escaped(plain(text)) for text in (reply.text, reply.quote))])
    mention = f"<@&{reply.mention}>" if reply.mention.isdecimal() else ""
    if mention:
        yield _Part(content=mention, mention=reply.mention)
    yield from (_Part(content=piece) for piece in split(header, limits.CONTENT - len(mention) - bool(mention)))
    yield from (_Part(content=_FENCED.format(piece)) for piece in split(_code(reply.code), _CODE_ROOM))
    footer = _line(reply.footer, limits.CONTENT)
    room, is_alone = limits.EMBED_DESCRIPTION, len(reply.cards) == 1
    if reply.is_page:
        sizes = [len(_embed(card, room)["description"]) + _BESIDE_DESCRIPTION for card in reply.cards]
        room = min(room, share(sizes, limits.EMBEDS_TEXT - len(footer)) - _BESIDE_DESCRIPTION)
    yield from (
        _Part(embed=_embed(card, room), buttons=pressed(card, is_alone=is_alone), number=card.number)
        for card in reply.cards
        if not card.is_line
    )
    lines = ((_list_line(card), pressed(card, is_alone=is_alone)) for card in reply.cards if card.is_line)
    most = limits.EMBED_DESCRIPTION, limits.BUTTONS
    for some in pack(lines, lambda line: (len(line[0]) + 1, len(line[1])), most):
        buttons = tuple(button for _, few in some for button in few)
        yield _Part(embed={"description": "\n".join(line for line, _ in some)}, buttons=buttons)
    if footer:
        yield _Part(embed={"description": footer})
    yield from (_Part(buttons=row) for row in _rows(reply.buttons))


def _code(text: str) -> str:
    """What stands in a block of code, which three backticks would end."""
    return plain(text).replace("``", "`\u200b`")


def _size(part: _Part) -> Size:
    embed = part.embed or {}
    texts = embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")
    return len(part.content) + bool(part.content), bool(embed), sum(map(len, texts)), _places(len(part.buttons))


def _message(parts: Sequence[_Part]) -> Json:
    several = sum(part.number is not None for part in parts) > 1
    runs: list[list[Json]] = []
    actions: set[str] = set()
    for part in parts:
        number = f"{part.number} · " if several and part.number is not None else ""
        # Discord refuses a message in which two buttons do the same.
        new = {button.action: button for button in part.buttons if button.action not in actions}
        actions |= new.keys()
        runs += _rows([_button(f"{number}{plain(each.label)}", each.action) for each in new.values()])
    mentioned = [part.mention for part in parts if part.mention]
    return {
        "content": "\n".join(part.content for part in parts if part.content),
        "embeds": [part.embed for part in parts if part.embed],
        "components": [{"type": 1, "components": row} for row in _together(runs)],
        "allowed_mentions": {"roles": mentioned} if mentioned else {"parse": []},
    }


def _button(label: str, action: str) -> Json:
    return {"type": 2, "style": 2, "label": label[: limits.BUTTON_LABEL], "custom_id": action}


def _together(runs: Sequence[list[Json]]) -> list[list[Json]]:
    """Rows of buttons, in which what belongs together stands together, unless they would be too many."""
    rows = [list(chain(*row)) for row in pack(runs, lambda run: (len(run),), (limits.BUTTONS_IN_ROW,))]
    return rows if len(rows) <= limits.ROWS else _rows(list(chain(*runs)))


def _places(buttons: int) -> int:
    """The places that so many buttons take that stand together, with those beside them that none fit into."""
    whole, rest = divmod(buttons, limits.BUTTONS_IN_ROW)
    return whole * limits.BUTTONS_IN_ROW + (limits.BUTTONS_IN_ROW // (limits.BUTTONS_IN_ROW // rest) if rest else 0)


def _rows(buttons: Sequence[Any]) -> list[Any]:
    return [buttons[start : start + limits.BUTTONS_IN_ROW] for start in range(0, len(buttons), limits.BUTTONS_IN_ROW)]


def _embed(card: Card, room: int) -> Json:
    """A card; while its description is over the room it loses its comment first, then each language's last takeaway."""
    number = f"{card.number} · " if card.number is not None else ""
    title = _line(card.title)
    fits = 0 < len(number + title) <= limits.EMBED_TITLE
    head = [
        _bold("" if fits else title),
        _bold(_line(card.second_title or "")),
        _bold(_line(" · ".join(card.tags), _LONGEST_ASIDE)),
        _joined(" · ", [_italic(_line(card.byline)), _line(card.categories, _LONGEST_ASIDE)]),
    ]
    links = " · ".join(f"[{_line(link.label)}]({link.url})" for link in card.links)
    most = max(map(len, card.takeaways), default=0)
    shortenings = [(card.comment or "", most), *(("", count) for count in range(most, -1, -1))]
    descriptions = (
        _joined("\n\n", [_joined("\n", head), *_languages(card, count), _line(comment), links])
        for comment, count in shortenings
    )
    description = ""
    for description in descriptions:
        if len(description) <= room:
            break
    embed: Json = {"title": number + (title if fits else _line(card.paper_id)), "description": description}
    if card.url.startswith("http"):
        embed["url"] = card.url
    # A footer knows no markdown: what is escaped would be shown with its backslashes.
    if badge := " ".join(plain(card.badge).split())[:_LONGEST_ASIDE]:
        embed["footer"] = {"text": badge}
    return embed


def _list_line(card: Card) -> str:
    """A card of a list: its linked title, and what else there is of it, below."""
    number = f"{card.number}. " if card.number is not None else ""
    title = _line(card.title)
    linked = f"[{title}](<{card.url}>)" if card.url.startswith("http") else title
    below = map(_line, filter(None, [card.second_title, *card.tldrs]))
    return "\n".join([_bold(f"{number}{linked}"), *below])


def _languages(card: Card, count: int) -> Iterator[str]:
    for tldr, takeaways in zip_longest(card.tldrs, card.takeaways, fillvalue=""):
        lines = [f"{place}. {_line(each)}" for place, each in enumerate(takeaways[:count], 1)]
        yield _joined("\n", [_line(tldr), *lines])


def _joined(separator: str, parts: Sequence[str]) -> str:
    return separator.join(filter(None, parts))


def _bold(text: str) -> str:
    return text and f"**{text}**"


def _italic(text: str) -> str:
    return text and f"*{text}*"


def _line(text: str, at_most: int = _LONGEST_LINE) -> str:
    """An outside text as one line, escaped; past `at_most` characters it is cut after a sentence or a word."""
    pieces = split(escaped(" ".join(plain(text).split())), at_most - 1)
    return pieces[0] + "…" if len(pieces) > 1 else "".join(pieces)


def escaped(text: str) -> str:
    """`text` without markdown, mentions, emoji or timestamps of Discord; links stay links.

    A backslash makes any sign plain: https://support.discord.com/hc/en-us/articles/210298617. discord.py's
    `escape_markdown` leaves what is inside a masked link, sub-headings and `<…>` as they are.
    """
    text = _SIGN.sub(lambda found: found["link"] or f"\\{found[0]}", text)
    return escape_mentions(_LIST.sub(r"\1\\", text))


def split(text: str, at_most: int) -> list[str]:
    """Escaped text in pieces: cut after lines; if one is too long, after sentences; then words; then anywhere."""
    cuts = [re.split(mark, text) for mark in (_AFTER_LINE, _AFTER_SENTENCE, _AFTER_WORD)]
    # A backslash stays with what it escapes.
    cuts.append(re.findall(r"\\?.", text, re.DOTALL))
    parts = next(parts for parts in cuts if max(map(len, parts), default=0) <= at_most)
    pieces = ("".join(group).strip() for group in pack(parts, lambda part: (len(part),), (at_most,)))
    return [piece for piece in pieces if piece]
