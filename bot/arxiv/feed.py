"""The announcement feed (https://info.arxiv.org/help/rss.html): Atom bytes in, an announcement's papers out."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, get_args

import feedparser

from bot.announcements import day_of
from bot.arxiv.client import ArxivError
from bot.cards.latex import readable
from bot.papers import Announced, AnnounceType, Paper, find_paper_ids, looks_withdrawn

_TYPES: dict[str, AnnounceType] = {each: each for each in get_args(AnnounceType)}
_SUMMARY = re.compile(r"^arXiv:\S+\s+Announce Type:.*?\n\s*Abstract:\s*", re.S)
# A feed needs no document type, and one that has it can hide a bomb of entities. It can only stand before the root.
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.I)
_PROLOGUE = 4096


class BrokenFeedError(ArxivError):
    """The bytes are no whole Atom feed. They are never taken for an empty one."""

    def __init__(self, detail: str) -> None:
        super().__init__("unreadable", detail)


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """One build of a feed: when it was made (aware UTC), what it announces, how many of its entries made no sense."""

    built_at: datetime
    announced: tuple[Announced, ...]
    unreadable: int = 0

    @property
    def entries(self) -> int:
        return len(self.announced) + self.unreadable


def parse_feed(body: bytes) -> FeedDocument:
    """Read a feed; some 0.4 ms an entry, so a large one belongs in a thread.

    Raises BrokenFeedError for anything but a whole, well-formed Atom feed.
    """
    parsed = parse_atom(body)
    if parsed.feed.get("updated_parsed") is None or "error" in parsed.feed.get("title", "").lower():
        raise BrokenFeedError("it reports an error of its own, or does not say when it was built")
    year, month, day, hour, minute, second, *_ = parsed.feed.updated_parsed
    built_at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    announced = [each for entry in parsed.entries if (each := _announced(entry, built_at))]
    if parsed.entries and not announced:
        raise BrokenFeedError("none of its entries has an id, an announcement type and a category")
    return FeedDocument(built_at, tuple(announced), unreadable=len(parsed.entries) - len(announced))


def parse_atom(body: bytes) -> Any:
    """Any Atom document of arXiv's, as feedparser gives it.

    Raises BrokenFeedError where it is blank, cut, another form, or declares entities.
    """
    if not body.strip():
        raise BrokenFeedError("the answer is blank")
    if _DOCTYPE.search(body[:_PROLOGUE]):
        raise BrokenFeedError("it is a web page, or declares a document type: no feed does")
    parsed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    version = parsed.get("version", "")
    if not version.startswith("atom"):
        raise BrokenFeedError(f"it is no Atom feed ({version or 'unknown'}); [arxiv] feed_url must be one")
    if parsed.bozo and not isinstance(parsed.bozo_exception, feedparser.CharacterEncodingOverride):
        raise BrokenFeedError(f"it is not whole: {parsed.bozo_exception}")
    return parsed


def _announced(entry: Any, built_at: datetime) -> Announced | None:
    identifier = str(entry.get("id", ""))
    paper_id = next(find_paper_ids(identifier.removeprefix("oai:arXiv.org:")), None)
    announce_type = _TYPES.get(entry.get("arxiv_announce_type", ""))
    categories = tuple(dict.fromkeys(tag.term for tag in entry.get("tags", []) if tag.term))
    if paper_id is None or announce_type is None or not categories:
        return None
    abstract = _SUMMARY.sub("", entry.get("summary", "")).strip()
    paper = Paper(
        id=paper_id,
        version=version_of(identifier),
        title=" ".join(entry.get("title", "").split()),
        abstract=" ".join(abstract.split()),
        authors=authors_from(entry.get("author", "")),
        categories=categories,
        licence=entry.get("rights"),
        withdrawn=looks_withdrawn(abstract),
    )
    return Announced(paper, announce_type, _day(entry, built_at))


def version_of(identifier: str) -> int:
    """The version at the end of an id or a link; 1 where none is named."""
    match = re.search(r"v(\d+)$", identifier)
    return int(match[1]) if match else 1


def _day(entry: Any, built_at: datetime) -> date:
    """The announcement day is written in US/Eastern; feedparser's own time would be shifted to UTC."""
    try:
        return date.fromisoformat(entry.get("published", "")[:10])
    except ValueError:
        return day_of(built_at)


def authors_from(creator: str) -> tuple[str, ...]:
    """The names of a creator line: comma-joined, accents in TeX, affiliations in parentheses dropped."""
    without_affiliations = re.sub(r"\s*\([^()]*\)", "", creator)
    return tuple(readable(name) for part in without_affiliations.split(",") if (name := " ".join(part.split())))
