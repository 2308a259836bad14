"""The page of new listings (https://arxiv.org/list/cs.AI/new): it states its day and how many entries it has."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html.parser import HTMLParser

from bot.arxiv.client import ArxivClient
from bot.arxiv.feed import BrokenFeedError, authors_from, version_of
from bot.papers import Announced, AnnounceType, Paper, find_paper_ids, looks_withdrawn
from bot.taxonomy import canonical, names_of

PAGE_SIZE = 2_000
"""The most entries that a page shows (`max_show` of arXiv's own code, github.com/arXiv/arxiv-browse)."""

MOST_PAGES = 10
_LONGEST_HEADING = 200
_LONGEST_END = 1_000

_DAY = re.compile(r"Showing new listings for \w+, (\d{1,2} \w+ \d{4})")
_SECTION = re.compile(
    r"(New|Cross|Replacement) submissions.*\(.*showing (?:first |last )?(\d{1,6}) of (\d{1,6}) entries"
)
_TYPES: dict[str, AnnounceType] = {"New": "new", "Cross": "cross", "Replacement": "replace"}
_TOTAL = re.compile(r"Total of (\d{1,6}) entries", re.I)
_QUIET = re.compile(rb"No updates (?:today|for this time period)")
_CATEGORY = re.compile(r"\(([a-z-]+(?:\.[A-Za-z-]+)?)\)\s*(?:;|$)")


@dataclass(frozen=True, slots=True)
class ListingPage:
    """What was announced in a category on a day (US/Eastern, as arXiv counts).

    `total` is how many entries the page says there are, `entries` those it shows. A page does not always tell a
    paper's version: where it does not, it counts as the first, so that it displaces no better source.
    """

    day: date
    total: int
    entries: tuple[Announced, ...]


async def fetch_listing(client: ArxivClient, listing_url: str, category: str) -> ListingPage:
    """The whole of a category's latest announcement, page by page. A quiet day has no entries.

    Raises UnreachableError, RefusedError, or BrokenFeedError: what is not whole is never taken for quiet.
    """
    entries: list[Announced] = []
    for _ in range(MOST_PAGES):
        asked = {"skip": str(len(entries)), "show": str(PAGE_SIZE)}
        answer = await client.get(f"{listing_url}/{category}/new", params=asked)
        page = await asyncio.to_thread(parse_listing, answer.body)
        if entries and page.day != entries[0].day:
            raise BrokenFeedError("a new announcement came while the last one was being read")
        if entries and page.entries and page.entries[0].paper.id == entries[0].paper.id:
            raise BrokenFeedError("the same page came again")
        entries += (_in_category(each, category) for each in page.entries)
        if len(entries) >= page.total:
            return replace(page, entries=tuple(entries))
        if not page.entries:
            break
    raise BrokenFeedError(f"{len(entries)} entries came of {page.total}")


def _in_category(entry: Announced, category: str) -> Announced:
    """A page calls every replacement the same; feeds tell apart those of papers at home elsewhere."""
    home = canonical(entry.paper.primary)
    if entry.announce_type != "replace" or canonical(category) in (home, home.partition(".")[0]):
        return entry
    return replace(entry, announce_type="replace-cross")


def parse_listing(body: bytes) -> ListingPage:
    """Read a page; some 0.5 ms an entry, so it belongs in a thread.

    Raises BrokenFeedError for anything but a whole page that states its day and has the entries that it says it shows.
    """
    if not body[-_LONGEST_END:].rstrip().lower().endswith(b"</html>"):
        raise BrokenFeedError("it is no web page, or cut")
    reader = _Reader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    day = _day(reader.heading)
    entries: list[Announced] = []
    total = 0
    for section in reader.sections:
        announced = list(_announced(section, day))
        if (heading := _SECTION.search(section.heading)) is None or len(announced) != int(heading[2]):
            raise BrokenFeedError(f"{len(announced)} entries are under {section.heading[:80]!r}")
        entries += announced
        total += int(heading[3])
    if stated := _TOTAL.search(reader.paging):
        total = int(stated[1])
    if not reader.sections and not total and not _QUIET.search(body):
        raise BrokenFeedError("it has no entries, and does not say that there are none")
    return ListingPage(day, total, tuple(entries))


def _day(heading: str) -> date:
    try:
        return datetime.strptime(f"{_DAY.findall(heading)[0]} +0000", "%d %B %Y %z").date()
    except (IndexError, ValueError):
        raise BrokenFeedError("it is no page of new listings: it does not state its day") from None


@dataclass(slots=True)
class _Row:
    """One entry as the page has it: where its links lead, and its texts by their classes."""

    abs_url: str = ""
    html_url: str = ""
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Section:
    heading: str
    rows: list[_Row] = field(default_factory=list)


def _announced(section: _Section, day: date) -> Iterator[Announced]:
    kind = _TYPES.get(section.heading.partition(" ")[0])
    for row in section.rows:
        paper_id = next(find_paper_ids(row.abs_url), None)
        # A page leaves out the second name of a category.
        shown = _CATEGORY.findall(row.texts.get("list-subjects", ""))
        categories = tuple(dict.fromkeys(name for category in shown for name in names_of(category)))
        if kind is None or paper_id is None or not categories:
            continue
        abstract, comment = row.texts.get("mathjax", ""), row.texts.get("list-comments") or None
        paper = Paper(
            id=paper_id,
            version=version_of(row.html_url),
            title=row.texts.get("list-title", ""),
            abstract=abstract,
            authors=authors_from(row.texts.get("list-authors", "")),
            categories=categories,
            comment=comment,
            journal_ref=row.texts.get("list-journal-ref") or None,
            withdrawn=looks_withdrawn(abstract, comment),
        )
        yield Announced(paper, kind, day)


class _Reader(HTMLParser):
    """Collects the headings and, under each, the entries; whatever else a page has is left out."""

    _ROW_TEXTS = ("list-title", "list-authors", "list-comments", "list-journal-ref", "list-subjects", "mathjax")

    def __init__(self) -> None:
        super().__init__()
        self.heading = ""
        self.paging = ""
        self.sections: list[_Section] = []
        self._place = ""
        self._text: list[str] = []
        self._left_out = ""
        """The tag within a text whose content does not belong to it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        if tag == "dt" and self.sections:
            self.sections[-1].rows.append(_Row())
        elif tag in ("h3", "div", "p") and (place := "h3" if tag == "h3" else (classes or [""])[0]):
            self._place, self._text, self._left_out = place, [], ""
        elif tag == "span" and "descriptor" in classes:
            self._left_out = tag
        elif tag == "a":
            self._link(given, classes)

    def _link(self, given: dict[str, str], classes: list[str]) -> None:
        address = given.get("href", "")
        if "link-external" in classes:
            # What is read as "this https URL" is that address.
            self._text.append(address)
            self._left_out = "a"
        elif given.get("title") in ("Abstract", "View HTML") and self.sections and self.sections[-1].rows:
            row = self.sections[-1].rows[-1]
            if given["title"] == "Abstract":
                row.abs_url = address
            else:
                row.html_url = address

    def handle_data(self, data: str) -> None:
        if self._place and not self._left_out:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._left_out:
            self._left_out = ""
        elif tag in ("h3", "div", "p") and self._place:
            self._keep(" ".join("".join(self._text).split()))
            self._place = ""

    def _keep(self, text: str) -> None:
        if self._place == "h3" and "submissions" in text:
            self.sections.append(_Section(text[:_LONGEST_HEADING]))
        elif self._place == "h3":
            self.heading = self.heading or text[:_LONGEST_HEADING]
        elif self._place == "paging":
            self.paging = text
        elif self._place in self._ROW_TEXTS and self.sections and self.sections[-1].rows:
            self.sections[-1].rows[-1].texts[self._place] = text
