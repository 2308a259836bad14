"""OAI-PMH (https://info.arxiv.org/help/oa/index.html): which records changed on which days, and single papers.

Read as arXivRaw: of the four formats it alone tells versions, and it keeps the text as it was submitted.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from bot.arxiv.client import ArxivClient, RefusedError
from bot.arxiv.feed import BrokenFeedError
from bot.cards.latex import LONGEST, readable
from bot.papers import Paper, PaperId, Submission, find_paper_ids, looks_withdrawn

MOST_PAGES = 100
"""Of one sweep. A month of the busiest category has some twenty."""

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_RAW = "{http://arxiv.org/OAI/arXivRaw/}"
_FORMAT = {"metadataPrefix": "arXivRaw"}
_GROUPS = ("cs", "econ", "eess", "math", "q-bio", "q-fin", "stat")  # every other archive is physics
_PIECE = 2**16
_BETWEEN_AUTHORS = re.compile(r"(?<!\\),(?:\s*and\s)?|\sand\s|:\s")
_SUFFIX = re.compile(r"(?<!\\),(?=\s*(?:Jr|Sr)\b)")
_DEEPEST = 5


class OaiError(RefusedError):
    """OAI-PMH reports an error, which it does with HTTP 200.

    The codes: https://www.openarchives.org/OAI/openarchivesprotocol.html#ErrorConditions.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__("refused", f"{code}: {detail}")
        self.code = code


def set_of(category: str) -> str:
    """The set with a category's papers, cross-lists too: `cs:cs:AI` for `cs.AI`, `physics:hep-th` for `hep-th`."""
    archive, *subject = category.split(".")
    return ":".join([archive if archive in _GROUPS else "physics", archive, *subject])


async def list_records(
    client: ArxivClient, oai_url: str, category: str, first: date, last: date
) -> AsyncIterator[tuple[Submission, ...]]:
    """Pages of the category's papers whose records last changed from `first` to `last` (days UTC, both included).

    A sweep whose resumption token expires (they do at midnight UTC) begins anew, once: a paper can come twice.
    Raises UnreachableError, OaiError, or BrokenFeedError.
    """
    sweep = {"verb": "ListRecords", **_FORMAT, "set": set_of(category), "from": f"{first}", "until": f"{last}"}
    asked, restarted = sweep, False
    for _ in range(MOST_PAGES):
        answer = await client.get(oai_url, params=asked)
        try:
            submissions, token = await asyncio.to_thread(_page, answer.body)
        except OaiError as error:
            if error.code == "noRecordsMatch" and asked is sweep:
                return
            if error.code != "badResumptionToken" or restarted:
                raise
            asked, restarted = sweep, True
            continue
        yield submissions
        if not token:
            return
        asked = {"verb": "ListRecords", "resumptionToken": token}
    raise BrokenFeedError(f"the sweep has not ended after {MOST_PAGES} pages")


async def get_record(client: ArxivClient, oai_url: str, paper_id: PaperId) -> Paper | None:
    """A single paper, or None where arXiv knows none of this id, or has deleted it.

    Raises UnreachableError, OaiError, or BrokenFeedError.
    """
    identifier = f"oai:arXiv.org:{paper_id}"
    answer = await client.get(oai_url, params={"verb": "GetRecord", **_FORMAT, "identifier": identifier})
    try:
        submissions, _ = await asyncio.to_thread(_page, answer.body)
    except OaiError as error:
        if error.code == "idDoesNotExist":
            return None
        raise
    if submissions and submissions[0].paper.id != paper_id:
        raise BrokenFeedError(f"it is about {submissions[0].paper.id}, not {paper_id}")
    return submissions[0].paper if submissions else None


def _page(body: bytes) -> tuple[tuple[Submission, ...], str]:
    """The papers of a ListRecords or GetRecord answer, deleted ones left out, and the token for what follows."""
    root = _document(body)
    if (error := root.find(f"{_OAI}error")) is not None:
        raise OaiError(error.get("code", ""), _tidy(error.text))
    records = root.findall(f"{_OAI}*/{_OAI}record")
    if root.tag != f"{_OAI}OAI-PMH" or not records:
        raise BrokenFeedError("it is no answer of OAI-PMH with records or an error")
    kept = [record for record in records if record.find(f"{_OAI}header[@status='deleted']") is None]
    submissions = tuple(each for record in kept if (each := _submission(record)))
    if kept and not submissions:
        raise BrokenFeedError("none of its records can be read")
    return submissions, _tidy(root.findtext(f"{_OAI}*/{_OAI}resumptionToken"))


class _Builder(TreeBuilder):
    def doctype(self, *_: str | None) -> NoReturn:
        # No answer needs one, and one that has it can hide a bomb of entities.
        raise BrokenFeedError("it is a web page, or declares a document type")


def _document(body: bytes) -> Element:
    parser = XMLParser(target=_Builder())  # noqa: S314 -- document types, and so entities, are refused
    try:
        # In pieces: the interpreter is held for as long as one is read, and the event loop with it.
        for start in range(0, len(body), _PIECE):
            parser.feed(body[start : start + _PIECE])
        root: Element = parser.close()
    except (ParseError, LookupError, ValueError) as error:
        raise BrokenFeedError(f"it is not whole: {error}") from error
    return root


def _submission(record: Element) -> Submission | None:
    raw = record.find(f"{_OAI}metadata/{_RAW}arXivRaw")
    facts = {fact.tag.removeprefix(_RAW): _tidy(fact.text) for fact in raw} if raw is not None else {}
    versions = sorted(raw.iterfind(f"{_RAW}version"), key=_number) if raw is not None else []
    paper_id = next(find_paper_ids(facts.get("id", "")), None)
    categories = tuple(dict.fromkeys(facts.get("categories", "").split()))
    if paper_id is None or not categories or not versions:
        return None
    try:
        submitted_at = _instant(versions[0])
        changed_on = date.fromisoformat(_tidy(record.findtext(f"{_OAI}header/{_OAI}datestamp")))
    except (ValueError, OverflowError):
        return None
    abstract, comment = facts.get("abstract", ""), facts.get("comments") or None
    paper = Paper(
        id=paper_id,
        version=max(1, _number(versions[-1])),
        title=facts.get("title", ""),
        abstract=abstract,
        authors=_authors(facts.get("authors", "")),
        categories=categories,
        licence=facts.get("license") or None,
        comment=comment,
        journal_ref=facts.get("journal-ref") or None,
        doi=facts.get("doi") or None,
        withdrawn=looks_withdrawn(abstract, comment) or _is_empty(versions[-1]),
    )
    return Submission(paper, submitted_at, changed_on)


def _tidy(text: str | None) -> str:
    return " ".join((text or "").split())


def _number(version: Element) -> int:
    digits = re.fullmatch(r"v(\d{1,4})", version.get("version", ""))
    return int(digits[1]) if digits else 0


def _instant(version: Element) -> datetime:
    """When a version was submitted: `Tue, 25 Jan 2000 16:09:37 GMT`, always GMT."""
    return parsedate_to_datetime(_tidy(version.findtext(f"{_RAW}date"))).replace(tzinfo=UTC)


def _is_empty(version: Element) -> bool:
    """Whether a version is a withdrawal: it has no source, or one flagged `I` (to be ignored)."""
    return _tidy(version.findtext(f"{_RAW}size")) == "0kb" or "I" in _tidy(version.findtext(f"{_RAW}source_type"))


def _authors(line: str) -> tuple[str, ...]:
    r"""The names of a line such as `A. One (1), B. Two and Ren\'e Three ((1) Paris)`, affiliations dropped."""
    names = line[:LONGEST]
    for _ in range(_DEEPEST):
        names = re.sub(r"\s*\([^()]*\)", "", names)
    parts = _BETWEEN_AUTHORS.split(_SUFFIX.sub("", names))
    return tuple(readable(name) for part in parts if (name := part.strip()))
