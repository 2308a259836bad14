"""arXiv as a stub: feeds, API, OAI-PMH, the page of new listings, its politeness rules and its bad days.

The forms were read off real answers of rss.arxiv.org, export.arxiv.org, oaipmh.arxiv.org and arxiv.org/list; the rules
are those of https://info.arxiv.org/help/api/tou.html and https://info.arxiv.org/help/rss.html.
"""

from .atom import FEED_LIMIT, Capture, atom_feed, load_captures
from .faults import Fault
from .papers import Entry
from .query import API_PAGE_LIMIT
from .server import SECONDS_BETWEEN_REQUESTS, ArxivStub, Request

__all__ = [
    "API_PAGE_LIMIT",
    "FEED_LIMIT",
    "SECONDS_BETWEEN_REQUESTS",
    "ArxivStub",
    "Capture",
    "Entry",
    "Fault",
    "Request",
    "atom_feed",
    "load_captures",
]
