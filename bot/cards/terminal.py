"""The plain-text rendering of a Reply, for the command line."""

import textwrap

from bot.cards.plain import plain
from bot.cards.reply import Card, Reply

_WIDTH = 100


def as_text(reply: Reply) -> str:
    """A Reply as lines of text, wrapped for a terminal; control characters of outside texts are gone."""
    parts = ["\n".join(filter(None, [reply.title, reply.text, reply.quote])), *map(_card, reply.cards), reply.footer]
    return "\n\n".join(plain(part) for part in parts if part)


def _card(card: Card) -> str:
    number = f"{card.number}. " if card.number else ""
    tags = "".join(f"[{tag}] " for tag in card.tags)
    lines = [
        f"{number}{card.title}",
        card.second_title or "",
        f"{tags}{card.byline}",
        f"{card.paper_id} · {card.categories}",
    ]
    lines += card.tldrs
    for takeaways in card.takeaways:
        lines += [f"  {position}. {takeaway}" for position, takeaway in enumerate(takeaways, start=1)]
    lines += [card.comment or "", " · ".join([*(link.url for link in card.links), card.badge])]
    return "\n".join(
        textwrap.fill(line, _WIDTH, subsequent_indent="   ", break_on_hyphens=False) for line in lines if line
    )
