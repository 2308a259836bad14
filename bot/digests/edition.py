"""Editions: a digest as a reader gets it, which is the same for many chats."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bot.cards.reply import Button, Reply, badges_of, card_of, formed, shortened
from bot.chats import Format, Language, PlatformName, languages
from bot.digests.choose import Choice
from bot.locales import Phrases, format_date, phrases_of
from bot.papers import Paper, PaperId
from bot.storage.digests import Occasion
from bot.summary import Summary

_A_PAGE: dict[Format, int] = {"cards": 3, "tldrs": 6, "titles": 12}
_TWICE_AS_LONG = 2
"""Cards on a page that say everything in two languages."""
PAGE_SIZES = frozenset((*_A_PAGE.values(), _TWICE_AS_LONG))
_DAYS_NAMED = 4
_QUERY_SHOWN = 80


def page_size(form: Format, language: Language) -> int:
    """Papers on a page: as many as fit one message of each platform. Seldom one has to give up a takeaway for it."""
    return _TWICE_AS_LONG if (form, language) == ("cards", "both") else _A_PAGE[form]


@dataclass(frozen=True, slots=True)
class Edition:
    """All that a digest's text depends on: chats with the same edition get the same messages.

    `day` is the chats' own; `latest_day`: the last announcement day among what matched; `late_days`: of what came late.
    `note`: what to say where there are no papers. `awaits_chinese`: the machine that would translate is not there yet.
    `queries`: of an alert, what found its papers.
    `page_size`: papers on a page, of which `page` is shown, counted from 1; 0: all, in as many messages as they take.
    `mention`: the role that its first message mentions; the others' texts are those of chats that mention none.
    """

    platform: PlatformName
    language: Language
    occasion: Occasion
    day: date
    choice: Choice
    latest_day: date | None
    late_days: tuple[date, ...]
    format: Format = "cards"
    note: str = ""
    awaits_chinese: bool = False
    queries: tuple[str, ...] = ()
    page_size: int = 0
    page: int = 1
    mention: str = ""

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return max(1, -(-len(self.choice.shown) // self.page_size)) if self.page_size else 1

    @property
    def on_page(self) -> tuple[PaperId, ...]:
        """The papers of the page that is shown."""
        return self.choice.shown[self._skipped :][: self.page_size or None]

    @property
    def numbered(self) -> Iterator[tuple[int, PaperId]]:
        """The same with their places in the whole digest."""
        return enumerate(self.on_page, start=self._skipped + 1)

    @property
    def _skipped(self) -> int:
        return (self.page - 1) * self.page_size

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.choice.shown or self.note)


def reply_of(edition: Edition, papers: Mapping[PaperId, Paper], written: Mapping[PaperId, Summary]) -> Reply:
    """Header, cards, receipt; in both languages where that is the edition's."""
    chosen = [papers[paper_id] for paper_id in edition.on_page]
    spoken = [phrases_of(name) for name in languages(edition.language)]
    first = spoken[0]
    if not chosen:
        return Reply(edition.note, title=_title(edition, first, sample=False))
    sample = any(paper.is_sample for paper in chosen)
    cards = tuple(
        formed(card_of(papers[paper_id], written[paper_id], edition.language, first, number), edition.format)
        for number, paper_id in edition.numbered
    )
    summaries = [written[paper.id] for paper in chosen]
    is_waiting = edition.awaits_chinese and not any(summary.tldr_zh for summary in summaries)
    return Reply(
        title=_title(edition, first, sample=sample),
        text="\n".join(_opening(edition, phrases, sample=sample) for phrases in spoken),
        cards=cards,
        footer="\n".join(
            [
                *(_receipt(edition, summaries, phrases) for phrases in spoken),
                *(phrases("digest.no_chinese") for phrases in spoken if is_waiting),
            ]
        ),
        buttons=(
            *_turns(edition),
            *(_more_button(edition.choice.held, first) if edition.page == edition.pages else ()),
        ),
        is_page=edition.page_size > 0,
        mention=edition.mention,
    )


def _turns(edition: Edition) -> tuple[Button, ...]:
    """To the pages around this one. A digest is known by its first paper: so many chats share its messages."""
    if edition.pages == 1:
        return ()
    leaves = (
        (edition.page - 1, "◀"),
        (edition.page, f"{edition.page}/{edition.pages}"),
        (edition.page + 1, "▶"),
    )
    book = f"{edition.page_size} {edition.format} {edition.choice.shown[0]}"
    return tuple(Button(label, f"page:{to} {book}") for to, label in leaves if 1 <= to <= edition.pages)


def _more_button(held: Sequence[PaperId], phrases: Phrases) -> tuple[Button, ...]:
    return (Button(phrases("button.more", count=len(held)), f"more:{held[0]}"),) if held else ()


def _receipt(edition: Edition, written: Iterable[Summary], phrases: Phrases) -> str:
    receipt = edition.choice.receipt
    if edition.occasion == "alert" and receipt.held:
        key = "digest.receipt.alert.rest"
    else:
        key = {"more": "digest.receipt.more", "alert": "digest.receipt.alert"}.get(edition.occasion, "digest.receipt")
    return phrases(
        key,
        count=receipt.held,
        announced=receipt.announced,
        matched=receipt.matched,
        shown=receipt.shown,
        held=receipt.held,
        late=phrases("digest.receipt.late", late=receipt.late) if receipt.late else "",
        engines=" · ".join(_engines(edition.language, written, phrases)),
    )


def _engines(language: Language, written: Iterable[Summary], phrases: Phrases) -> list[str]:
    """Each badge once, those who wrote before those who translated."""
    badges = [badges_of(summary, language, phrases) for summary in written]
    return [*sorted({first for first, *_ in badges}), *sorted({each for _, *others in badges for each in others})]


def _title(edition: Edition, phrases: Phrases, *, sample: bool) -> str:
    if edition.queries:
        query, others = shortened(edition.queries[0], _QUERY_SHOWN), len(edition.queries) - 1
        key = "digest.title.alert.several" if others else "digest.title.alert"
        return phrases(key, query=query, count=others)
    day = format_date(edition.day, "EEE d MMM y" if phrases.name == "en" else "y年M月d日 EEE", locale=phrases.babel)
    return phrases("digest.title.sample" if sample else f"digest.title.{edition.occasion}", day=day)


def _opening(edition: Edition, phrases: Phrases, *, sample: bool) -> str:
    if sample:
        return phrases("digest.opening.sample")
    count = edition.choice.receipt.shown
    if not edition.latest_day:
        return phrases("digest.opening", count=count)
    opening = phrases("digest.opening.announced", count=count, day=phrases.short_day(edition.latest_day))
    if not edition.late_days:
        return opening
    days = [phrases.short_day(day) for day in edition.late_days]
    named = days if len(days) <= _DAYS_NAMED else [days[0], "…", days[-1]]
    late = phrases("digest.opening.late", count=edition.choice.receipt.late, days=", ".join(named))
    return f"{opening} · {late}"
