"""The API of export.arxiv.org: papers by id, by category and by when they were submitted."""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from lxml.builder import ElementMaker

from .atom import ARXIV, ATOM, Element, xml
from .papers import ID, Known, Papers

API_PAGE_LIMIT = 2_000

_OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
_Q = ElementMaker(namespace=ATOM, nsmap={"opensearch": _OPENSEARCH, "arxiv": ARXIV, None: ATOM})
_X = ElementMaker(namespace=ARXIV, nsmap={"arxiv": ARXIV})
_O = ElementMaker(namespace=_OPENSEARCH, nsmap={"opensearch": _OPENSEARCH})
_PERIOD = re.compile(r"submittedDate:\[(\d{12}) TO (\d{12})\]")


class QueryError(Exception):
    """A query that the API refuses; the text says why."""


def answer(query: Mapping[str, str], papers: Papers, now: float, indexed_until: float) -> bytes:
    """The feed for a query. Papers first heard of after `indexed_until` are not in the index yet.

    Raises QueryError.
    """
    wanted = [one.strip() for one in query.get("id_list", "").split(",") if one.strip()]
    if bad := [one for one in wanted if not ID.fullmatch(one)]:
        raise QueryError(f"incorrect id format for {bad[0]}")
    try:
        start, size = int(query.get("start", "0")), int(query.get("max_results", "10"))
    except ValueError:
        raise QueryError("start and max_results must be integers") from None
    if min(start, size) < 0:
        raise QueryError("start and max_results must be non-negative")
    search = query.get("search_query", "")
    categories = set(re.findall(r"\bcat:([\w.-]+)", search))
    if wanted:
        found = [known for one in wanted if (known := papers.named(one))]
        found = [known for known in found if not categories or categories & set(known.entry.categories)]
    elif categories:
        found = papers.listed_in(categories)
    else:
        found = [papers[bare] for bare in sorted(papers, reverse=True)] if search else []
    first, last = _period(search)
    found = [known for known in found if known.first_at <= indexed_until and first <= known.submitted < last]
    if query.get("sortBy") in ("submittedDate", "lastUpdatedDate"):
        by_submission = query["sortBy"] == "submittedDate"
        found.sort(key=lambda known: known.submitted if by_submission else known.changed_at)
        if query.get("sortOrder", "descending") == "descending":
            found.reverse()
    asked = f"search_query={search}&id_list={','.join(wanted)}&start={start}&max_results={size}"
    key = hashlib.sha256(asked.encode()).hexdigest()[:27]
    feed = _feed(f"https://arxiv.org/api/{key}", f"arXiv Query: {asked}", now, size, len(found), start)
    feed.extend(map(_entry, found[start : start + min(size, API_PAGE_LIMIT)]))
    return xml(feed)


def refusal(why: str, now: float) -> bytes:
    """The feed that comes with HTTP 400."""
    about = f"https://arxiv.org/api/errors#{why.replace(' ', '_')}"
    feed = _feed("https://arxiv.org/", "arXiv Search Results", now, 1, 1, 0)
    feed.append(
        _Q.entry(
            _Q.id(about),
            _Q.title("Error"),
            _Q.updated(_z(now)),
            _Q.link(href=about, rel="alternate", type="text/html"),
            _Q.summary(why),
            _Q.author(_Q.name("arXiv api core")),
        )
    )
    return xml(feed)


def _period(search: str) -> tuple[float, float]:
    """From when on and until when papers were submitted, the minute of the end included."""
    period = _PERIOD.search(search)
    if period is None:
        return -math.inf, math.inf
    first, last = (datetime.strptime(f"{minute}+0000", "%Y%m%d%H%M%z").timestamp() for minute in period.groups())
    return first, last + 60


def _z(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _feed(address: str, title: str, at: float, size: int, total: int, start: int) -> Element:
    return _Q.feed(
        _Q.id(address),
        _Q.title(title),
        _Q.updated(_z(at)),
        _O.itemsPerPage(str(size)),
        _O.totalResults(str(total)),
        _O.startIndex(str(start)),
    )


def _entry(known: Known) -> Element:
    entry = known.entry
    name = f"{entry.id}v{entry.version}"
    return _Q.entry(
        _Q.id(f"http://arxiv.org/abs/{name}"),
        _Q.title(entry.title),
        _Q.updated(_z(known.changed_at)),
        _Q.link(href=f"https://arxiv.org/abs/{name}", rel="alternate", type="text/html"),
        _Q.link(href=f"https://arxiv.org/pdf/{name}", rel="related", type="application/pdf", title="pdf"),
        _Q.summary(entry.abstract),
        *(_Q.category(term=category, scheme=ARXIV) for category in entry.categories),
        _Q.published(_z(known.submitted)),
        *([_X.comment(entry.comment)] if entry.comment else []),
        _X.primary_category(term=entry.categories[0]),
        *([_X.journal_ref(entry.journal_ref)] if entry.journal_ref else []),
        *(_Q.author(_Q.name(author)) for author in entry.authors),
        *([_X.doi(entry.doi)] if entry.doi else []),
    )
