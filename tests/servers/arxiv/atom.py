"""The feeds of rss.arxiv.org: Atom documents built and read, and the same as RSS."""

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from lxml import etree
from lxml.builder import ElementMaker

from .papers import Entry

Element = etree._Element

FEED_LIMIT = 2_000
"""Entries in one feed document, counted over all its categories."""

ATOM, ARXIV = "http://www.w3.org/2005/Atom", "http://arxiv.org/schemas/atom"
_EASTERN = ZoneInfo("America/New_York")
_DC = "http://purl.org/dc/elements/1.1/"
_FEED_NAMES = {"arxiv": ARXIV, "dc": _DC, None: ATOM}
_A = ElementMaker(namespace=ATOM, nsmap=_FEED_NAMES)
_X = ElementMaker(namespace=ARXIV, nsmap=_FEED_NAMES)
_D = ElementMaker(namespace=_DC, nsmap=_FEED_NAMES)
_R = ElementMaker(nsmap={"arxiv": ARXIV, "dc": _DC, "atom": ATOM})
_ANNOUNCE_TYPES = ("new", "cross", "replace", "replace-cross")


@dataclass(frozen=True, slots=True)
class Capture:
    """A feed document that was once served: `built` is aware UTC; `body` unpacks the file at every call."""

    category: str
    built: datetime
    path: Path

    def body(self) -> bytes:
        return gzip.decompress(self.path.read_bytes())


def load_captures(folder: Path) -> list[Capture]:
    """The `*.xml.gz` Atom captures of a folder, oldest build first, named by what the documents themselves say."""
    return sorted(map(_capture, folder.glob("*.xml.gz")), key=lambda capture: (capture.built, capture.category))


def _capture(path: Path) -> Capture:
    with gzip.open(path) as packed:
        head = packed.read(2_000).decode(errors="replace")
    category, built = re.findall(r"<id>\S+/atom/(\S+)</id>|<updated>(\S+)</updated>", head)[:2]
    return Capture(category[0], datetime.fromisoformat(built[1]).astimezone(UTC), path)


def atom_feed(category: str, entries: Iterable[Entry], built: float) -> bytes:
    """The document that rss.arxiv.org would have built at that epoch second, in its order and cut at its limit."""
    return feed_document([category], built, (_feed_entry(entry, built) for entry in entries))


def announcement_day(built: float) -> datetime:
    return datetime.fromtimestamp(built, _EASTERN).replace(hour=0, minute=0, second=0, microsecond=0)


def xml(root: Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def text_of(element: Element, tag: str) -> str:
    return str(element.findtext(tag, ""))


def entries_of(atom: bytes) -> list[Element]:
    return list(etree.fromstring(atom, etree.XMLParser(remove_blank_text=True)).iterfind(f"{{{ATOM}}}entry"))


def feed_document(
    names: Sequence[str], built: float, entries: Iterable[Element], title: str = "", subtitle: str = ""
) -> bytes:
    address, label = f"http://rss.arxiv.org/atom/{'+'.join(names)}", ", ".join(names)
    feed = _A.feed(
        _A.id(address),
        _A.title(title or f"{label} updates on arXiv.org"),
        _A.updated(datetime.fromtimestamp(built, UTC).isoformat(timespec="microseconds")),
        _A.link(href=address, rel="self", type="application/atom+xml"),
        _A.subtitle(subtitle or f"{label} updates on the arXiv.org e-print archive."),
    )
    feed.set("{http://www.w3.org/XML/1998/namespace}lang", "en-us")
    once: dict[str, Element] = {}
    for entry in sorted(entries, key=_place):
        once.setdefault(text_of(entry, f"{{{ATOM}}}id"), entry)
    feed.extend(list(once.values())[:FEED_LIMIT])
    return xml(feed)


def _place(entry: Element) -> tuple[int, str]:
    kind = text_of(entry, f"{{{ARXIV}}}announce_type")
    return _ANNOUNCE_TYPES.index(kind), text_of(entry, f"{{{ATOM}}}id")


def _feed_entry(entry: Entry, built: float) -> Element:
    # Of the many that a year has, one read from text takes a quarter of the time of one that is put together.
    name = f"{entry.id}v{entry.version}"
    categories = "".join(f"<category term={quoteattr(category)}/>" for category in entry.categories)
    return etree.fromstring(
        f'<entry xmlns="{ATOM}" xmlns:arxiv="{ARXIV}" xmlns:dc="{_DC}"><id>oai:arXiv.org:{name}</id>'
        f"<title>{escape(entry.title)}</title>"
        f"<updated>{datetime.fromtimestamp(built, UTC).isoformat(timespec='microseconds')}</updated>"
        f'<link href="https://arxiv.org/abs/{entry.id}" rel="alternate" type="text/html"/>'
        f"<summary>arXiv:{name} Announce Type: {entry.announce_type} \nAbstract: {escape(entry.abstract)}</summary>"
        f"{categories}<published>{announcement_day(built).isoformat()}</published>"
        f"<arxiv:announce_type>{entry.announce_type}</arxiv:announce_type>"
        f"<dc:rights>{escape(entry.rights)}</dc:rights>"
        f"<dc:creator>{escape(', '.join(entry.authors))}</dc:creator></entry>"
    )


def read_entry(element: Element) -> Entry:
    bare, version = text_of(element, f"{{{ATOM}}}id").removeprefix("oai:arXiv.org:").rsplit("v", 1)
    return Entry(
        id=bare,
        title=text_of(element, f"{{{ATOM}}}title"),
        abstract=text_of(element, f"{{{ATOM}}}summary").partition("\nAbstract: ")[2],
        categories=tuple(one.get("term") for one in element.iterfind(f"{{{ATOM}}}category")),
        announce_type=text_of(element, f"{{{ARXIV}}}announce_type"),
        authors=tuple(text_of(element, f"{{{_DC}}}creator").split(", ")),
        version=int(version),
        rights=text_of(element, f"{{{_DC}}}rights"),
    )


def rss(atom: bytes) -> bytes:
    feed = etree.fromstring(atom)
    address = text_of(feed, f"{{{ATOM}}}id").replace("/atom/", "/rss/")
    built = datetime.fromisoformat(text_of(feed, f"{{{ATOM}}}updated"))
    day = format_datetime(announcement_day(built.timestamp()))
    channel = _R.channel(
        _R.title(text_of(feed, f"{{{ATOM}}}title")),
        _R.link(address),
        _R.description(text_of(feed, f"{{{ATOM}}}subtitle")),
        _R.docs("http://www.rssboard.org/rss-specification"),
        _R.language("en-us"),
        _R.lastBuildDate(format_datetime(built)),
        _R.pubDate(day),
        _R.skipDays(_R.day("Saturday"), _R.day("Sunday")),
    )
    for entry in entries_of(atom):
        facts = read_entry(entry)
        channel.append(
            _R.item(
                _R.title(facts.title),
                _R.link(f"https://arxiv.org/abs/{facts.id}"),
                _R.description(text_of(entry, f"{{{ATOM}}}summary")),
                _R.guid(text_of(entry, f"{{{ATOM}}}id"), isPermaLink="false"),
                *(_R.category(category) for category in facts.categories),
                _R.pubDate(day),
                _X.announce_type(facts.announce_type),
                _D.rights(facts.rights),
                _D.creator(", ".join(facts.authors)),
            )
        )
    return xml(_R.rss(channel, version="2.0"))
