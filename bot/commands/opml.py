"""OPML: the list of feeds that a feed reader exports; those of arXiv become subscriptions (http://opml.org/spec2.opml)."""

import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit
from xml.parsers.expat import ExpatError, ParserCreate
from xml.parsers.expat.errors import messages

from bot import taxonomy
from bot.chats import MOST_SUBSCRIPTIONS
from bot.commands.portable import BadFileError, Portable
from bot.interests import BadQuery, Interest, parse_interest

_HOST = re.compile(r"(?:(?:rss|export|www)\.)?arxiv\.org")
_FEED = re.compile(r"/(?:rss|atom)/([A-Za-z.+-]+)/?")
_LONGEST_URL = 200


def read(text: str) -> Portable:
    """The feeds of an OPML document: arXiv's as queries, the others' addresses as left out. Raises BadFileError.

    A document that declares a type or entities is refused: no reader's export needs them, and they are how XML bites.
    """
    interests: dict[Interest, None] = {}
    left_out: dict[str, None] = {}
    for url in _feeds(text):
        interest = interest_of(url)
        if interest is not None:
            interests[interest] = None
        else:
            left_out[url[:_LONGEST_URL]] = None
        if len(interests) > MOST_SUBSCRIPTIONS:
            raise BadFileError(0, "import.too_many", count=MOST_SUBSCRIPTIONS)
    if not interests:
        raise BadFileError(0, "import.no_feeds")
    return Portable(tuple(interests), left_out=tuple(left_out))


def interest_of(url: str) -> Interest | None:
    """What one of arXiv's feeds brings: `http://export.arxiv.org/rss/cs.CL`, `https://rss.arxiv.org/atom/cs.CL+cs.CV`.

    That of an archive, such as `arxiv.org/rss/cs`, brings all of its categories. None for any other feed.
    """
    try:
        parts = urlsplit(url.strip())
        feed = _FEED.fullmatch(unquote(parts.path))
        is_arxiv = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        return None
    return _interest(feed[1].lower()) if is_arxiv and feed is not None else None


@lru_cache(1_000)
def _interest(names: str) -> Interest | None:
    codes = [code for name in names.split("+") for code in _categories(name)]
    try:
        return parse_interest("+".join(codes)) if all(codes) else None
    except BadQuery:
        return None


def _categories(name: str) -> list[str]:
    """A category, or all of an archive; one empty name for what is neither."""
    known = taxonomy.codes()
    if name in known:
        return [known[name]]
    return [code for lower, code in known.items() if lower.startswith(f"{name}.")] or [""]


def _feeds(text: str) -> list[str]:
    parser = ParserCreate()
    urls: list[str] = []
    is_opml = False

    def refuse(*_: object) -> None:
        raise BadFileError(parser.CurrentLineNumber, "import.doctype")

    def element(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_opml
        if not is_opml and name.lower() != "opml":
            raise BadFileError(parser.CurrentLineNumber, "import.no_opml")
        is_opml = True
        if name.lower() == "outline":
            urls.extend(value for key, value in attributes.items() if key.lower() == "xmlurl" and value.strip())

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = element
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        raise BadFileError(error.lineno, "import.no_xml", detail=messages[error.code]) from None
    return urls
