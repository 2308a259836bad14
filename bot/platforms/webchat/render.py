"""Rendering: a Reply as HTML fragments, whole in every browser, without JavaScript too."""

import re
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from bot.cards.packing import pack
from bot.cards.plain import plain
from bot.cards.reply import Reply
from bot.locales import CatalogueName, phrases_of
from bot.platforms.webchat.mathml import with_formulas

CARDS_A_MESSAGE = 20
"""Our own number: more papers are hard to find again in one message."""

_HAN = re.compile("[\u3400-\u9fff]")
_LOCAL_PATH = re.compile(r"(/[\w.-]+)+", re.ASCII)


def language_of(text: str) -> CatalogueName:
    """The catalogue of the language that a text is written in."""
    return "zh" if _HAN.search(text) else "en"


def link_kind(url: str) -> Literal["outside", "local", "none"]:
    """Where a link may lead: another site, one of our own pages, or nowhere (a script, another host in disguise)."""
    if url.startswith(("https://", "http://")):
        return "outside"
    return "local" if _LOCAL_PATH.fullmatch(url) else "none"


def _shown(value: object) -> object:
    # Markup is a str too, but one of our own making.
    return plain(value) if type(value) is str else value


@pass_context
def _phrase(context: Context, key: str, language: CatalogueName | None = None, **values: object) -> str:
    """A text in a language; else in the page's own (`ui`), which a message, that is no page, does not have."""
    return phrases_of(language or context.get("ui", "en"))(key, **values)


templates = Environment(
    loader=PackageLoader("bot.platforms.webchat"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.globals |= {"phrase": _phrase, "language_of": language_of, "link_kind": link_kind}
templates.filters["with_formulas"] = with_formulas
templates.filters["html_lang"] = lambda text: {"en": "en", "zh": "zh-Hans"}[language_of(text)]


def render(reply: Reply) -> list[str]:
    """A Reply as the fewest messages of at most 20 cards, each an HTML fragment.

    Buttons submit the form `press` of the page that shows them. Formulas take some ms a paper: it belongs in a thread.
    """
    packs = pack(reply.cards, lambda _: (1,), (CARDS_A_MESSAGE,)) or [[]]
    template = templates.get_template("message.html")
    return [
        template.render(reply=reply, cards=cards, is_first=cards is packs[0], is_last=cards is packs[-1])
        for cards in packs
    ]
