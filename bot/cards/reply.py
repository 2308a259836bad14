"""Card and Reply: what a person is shown, before any platform has given it a form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.cards.latex import readable
from bot.chats import Format, Language
from bot.locales import Phrases
from bot.papers import Paper, PaperId
from bot.summary import Summary

_AUTHORS_SHOWN = 4
_COMMENT_SHOWN = 160
_LINKS_SHOWN = 2
_CODE_HOSTS = ("github.com/", "gitlab.com/", "huggingface.co/", "bitbucket.org/", "codeberg.org/")
_BADGES = {"extract": "🧾", "hand": "✍️", "model": "🤖"}


CHOICES = "⋯"
"""The label of the button that opens a card's further ones."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press. `action` is `verb:argument`, at most 60 bytes, and is sent back when it is pressed."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """How a Paper looks. `tldrs` and `takeaways` have one part a language shown; a sample's `url` is a page of ours.

    `is_line`: one of a list, of which the titles and `tldrs` are shown. `further`: buttons that are seldom pressed;
    where a card stands among others they are found behind `CHOICES`. `title_source`: the title with its LaTeX, for
    whoever can draw formulas.
    """

    paper_id: PaperId
    title: str
    url: str
    second_title: str | None = None
    byline: str = ""
    categories: str = ""
    tags: tuple[str, ...] = ()
    tldrs: tuple[str, ...] = ()
    takeaways: tuple[tuple[str, ...], ...] = ()
    comment: str | None = None
    links: tuple[Link, ...] = ()
    badge: str = ""
    buttons: tuple[Button, ...] = ()
    further: tuple[Button, ...] = ()
    number: int | None = None
    is_line: bool = False
    title_source: str = ""

    @property
    def menu(self) -> Button:
        """What opens the further buttons; in a list, where there are no others, it is the paper's number."""
        if self.is_line:
            return Button(str(self.number) if self.number is not None else CHOICES, f"card:{self.paper_id} all")
        return Button(CHOICES, f"card:{self.paper_id}")


@dataclass(frozen=True, slots=True)
class File:
    """A text file that goes along, such as `saved.bib`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says: a headline, a text, cards in order, a closing line, buttons. Every part is plain text.

    `code` is there to be copied, sign for sign, and stands below the text. `file` goes along with what is said anew.
    `quote`: what somebody else wrote, below the text; unlike in the text, a command in it is none. `quote_source`: the
    same with its LaTeX, for whoever can draw formulas.

    `in_place`: it takes the place of the message whose button was pressed. `is_aside`: it is for who pressed alone, and
    not worth a message where the platform has a lesser way to say it. `is_page`: all of it is one message; where that
    is tight each card gives up what it can do without. `mention`: the number of a role whose people are told, where the
    platform has roles.
    """

    text: str = ""
    title: str = ""
    cards: tuple[Card, ...] = ()
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    in_place: bool = False
    code: str = ""
    file: File | None = None
    quote: str = ""
    is_aside: bool = False
    is_page: bool = False
    mention: str = ""
    quote_source: str = ""


Render = Callable[[Reply], list[str]]
"""A platform's renderer: a Reply as the fewest messages that keep its limits, each a payload of the platform's own."""


def card_of(paper: Paper, summary: Summary, language: Language, phrases: Phrases, number: int | None = None) -> Card:
    """A Paper's card in a chat's language. Where nobody wrote Chinese it keeps its English and says no more of it."""
    title = readable(paper.title)
    takeaways = [(takeaway.en, takeaway.zh) for takeaway in summary.takeaways]
    title_zh = summary.title_zh if language != "en" else None
    return Card(
        paper_id=paper.id,
        number=number,
        title=title,
        url=_url(paper),
        second_title=title_zh if title_zh != title else None,
        byline=byline(paper.authors, phrases),
        categories=_categories(paper.categories, phrases),
        tags=tuple(
            phrases(key)
            for key, holds in (("tag.sample", paper.is_sample), ("tag.withdrawn", paper.withdrawn))
            if holds
        ),
        tldrs=_in_language(language, readable(summary.tldr), summary.tldr_zh),
        takeaways=_in_language(
            language,
            tuple(readable(en) for en, _ in takeaways),
            tuple(zh for _, zh in takeaways if zh) if takeaways and all(zh for _, zh in takeaways) else None,
        ),
        comment=_note(paper),
        links=() if paper.is_sample else _links(paper, phrases),
        badge=" · ".join(badges_of(summary, language, phrases)),
        buttons=_buttons(paper, phrases, "abstract" if paper.is_sample else "abstract save"),
        further=further_buttons(paper, phrases),
        title_source=paper.title,
    )


def line_of(paper: Paper, phrases: Phrases, number: int) -> Card:
    """A paper as one of a list: its title, and who wrote it, its category and its id below."""
    about = f"{byline(paper.authors, phrases)} · {paper.primary} · {paper.id}"
    return Card(paper.id, readable(paper.title), _url(paper), tldrs=(about,), number=number, is_line=True)


def compact(card: Card) -> Card:
    """The card as a short answer to a link: title, who wrote the paper, TLDR."""
    about = " · ".join(filter(None, (*card.tags, card.byline)))
    return Card(card.paper_id, card.title, card.url, tldrs=tuple(filter(None, (about, *card.tldrs))), is_line=True)


def formed(card: Card, form: Format) -> Card:
    """The card as a digest of this form shows it."""
    if form == "cards":
        return card
    tldrs, further = card.tldrs if form == "tldrs" else (), (*card.buttons, *card.further)
    named = (card.paper_id, card.title, card.url, card.second_title)
    listed = Card(*named, tldrs=tldrs, further=further, number=card.number, is_line=True)
    return replace(listed, title_source=card.title_source)


def _url(paper: Paper) -> str:
    return paper.abs_url if not paper.is_sample else f"/papers/{paper.id}"


def further_buttons(paper: Paper, phrases: Phrases) -> tuple[Button, ...]:
    """What else can be done with a paper. Nobody can cite what the sample invents, and it is like nothing else."""
    if paper.is_sample:
        return ()
    votes = (Button("👍", f"vote:{paper.id} up"), Button("👎", f"vote:{paper.id} down"))
    return (*_buttons(paper, phrases, "bibtex like hide"), *votes)


def pressed(card: Card, *, is_alone: bool) -> tuple[Button, ...]:
    """A card's buttons where it stands: a few among others, so that these stay a list of papers, else all."""
    if is_alone or not card.further:
        return (*card.buttons, *card.further)
    return (*card.buttons, card.menu)


def _buttons(paper: Paper, phrases: Phrases, kinds: str) -> tuple[Button, ...]:
    return tuple(Button(phrases(f"button.{kind}"), f"{kind}:{paper.id}") for kind in kinds.split())


def _note(paper: Paper) -> str | None:
    """What the authors say beside the abstract, and where it was published."""
    said = [readable(paper.comment or ""), readable(paper.journal_ref or "")]
    return shortened(" · ".join(filter(None, said)), _COMMENT_SHOWN) or None


def _links(paper: Paper, phrases: Phrases) -> tuple[Link, ...]:
    own = [Link(phrases("link.code" if _is_code(url) else "link.project"), url) for url in paper.links]
    arxivs = (Link("PDF", paper.pdf_url), Link("HTML", paper.html_url))
    return (*arxivs, *own[:_LINKS_SHOWN], Link("Cool Papers", paper.cool_url))


def _is_code(url: str) -> bool:
    return url.removeprefix("https://").removeprefix("www.").startswith(_CODE_HOSTS)


_Part = TypeVar("_Part", str, tuple[str, ...])


def _in_language(language: Language, english: _Part, chinese: _Part | None) -> tuple[_Part, ...]:
    if not chinese or language == "en":
        return (english,) if english else ()
    return (chinese,) if language == "zh" or not english else (english, chinese)


def byline(authors: Sequence[str], phrases: Phrases) -> str:
    """The first authors; a long list ends in "et al."."""
    if len(authors) <= _AUTHORS_SHOWN:
        return ", ".join(authors)
    return phrases("card.et_al", authors=", ".join(authors[: _AUTHORS_SHOWN - 1]), count=len(authors))


def _categories(categories: Sequence[str], phrases: Phrases) -> str:
    primary, *others = categories
    return phrases("card.also", primary=primary, others=", ".join(others)) if others else primary


def badges_of(summary: Summary, language: Language, phrases: Phrases) -> tuple[str, ...]:
    """Who wrote a summary, and whether a machine translated what a reader in this language sees of it."""
    engine = summary.provenance.engine
    writer = f"{_BADGES[engine]} {summary.provenance.model or phrases(f'engine.{engine}')}"
    is_translated = summary.provenance.translator is not None and language != "en"
    return (writer, f"🌐 {phrases('engine.translation')}") if is_translated else (writer,)


def shortened(text: str, at_most: int) -> str:
    """A text of so many characters at most, cut after a word."""
    return text if len(text) <= at_most else text[: at_most - 1].rsplit(" ", 1)[0] + "…"
