"""Paper: one arXiv e-print and its facts, keyed by its bare id."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NewType

PaperId = NewType("PaperId", str)
"""A bare id without version: `2502.14584`, `hep-th/9901001`."""

AnnounceType = Literal["new", "cross", "replace", "replace-cross"]
"""What arXiv says an announcement is: a submission, a cross-list, or a replacement of either."""

FRESH: tuple[AnnounceType, ...] = ("new", "cross")
"""The announcement types that bring a paper to a category for the first time."""

# Schemes: https://info.arxiv.org/help/arxiv_identifier.html. Month 00 never exists there: the bundled sample uses it.
_NEW_STYLE = r"\d{2}(?:0\d|1[0-2])\.\d{4,5}"
_OLD_STYLE = r"[a-z]+(?:-[a-z]+)*(?:\.[a-z]{2})?/\d{2}(?:0[1-9]|1[0-2])\d{3}"
_ID = re.compile(
    rf"(?<![\w./-])(?:arxiv[.:]\s*)?(?P<id>{_NEW_STYLE}|{_OLD_STYLE})(?:v(?P<version>[1-9]\d?))?(?:\.pdf)?(?![\w/-]|\.\w)",
    re.I,
)
# What ids stand behind in links: arxiv.org/abs|pdf|html, alphaxiv, ar5iv, huggingface.co/papers, papers.cool, doi.org.
_LINK = re.compile(r"(?<![\w-])(?:abs|pdf|html|format|papers|arxiv|overview|10\.48550)/", re.I)
_LONGEST_TEXT = 20_000
_FIRST_YEAR = 91
_A_DAY = timedelta(days=1)
_PAPER_LINK = re.compile(
    # People often leave out the scheme. The last one is the DOI of any arXiv paper.
    r"(?<![\w@./-])(?:https?://)?"
    r"(?:(?:[\w-]+\.){0,3}(?:(?:arxiv|alphaxiv|ar5iv)\.org|(?:huggingface|hf)\.co|papers\.cool)|(?:dx\.)?doi\.org/10\.48550)"
    r"/[^\s<>\"']{1,300}",
    re.I | re.A,
)

_URL_SIGN = r"(?:[\w./?#&=%~+:@;,!*()-]|\\[_%#&~])"
_WEB_LINK = re.compile(
    # Code is often named without a scheme; anything else needs one to be a link.
    r"(?<![\w./@-])(?:https://|(?:http://)?(?=(?:www\.)?(?:github|gitlab)\.com/\w|[\w-]+\.github\.io\b))"
    rf"(?P<host>(?:[\w-]+\.)+[a-z]{{2,}})(?![\w@-])(?P<rest>(?::\d+)?(?:[/?#]{_URL_SIGN}{{0,2000}})?)",
    re.I | re.A,
)


class BadPaperId(ValueError):
    """The text names no arXiv paper."""


def parse_paper_id(text: str) -> PaperId:
    """The first paper that a text names: a bare id, `arXiv:…v2`, a DOI, or a link to arXiv or one of its mirrors.

    Raises BadPaperId when it names none.
    """
    for paper_id in find_paper_ids(text):
        return paper_id
    raise BadPaperId(text[:80])


def find_paper_ids(text: str) -> Iterator[PaperId]:
    """Every paper that a text names, in order; the same one may come twice."""
    plain = unicodedata.normalize("NFKC", text[:_LONGEST_TEXT])
    for match in _ID.finditer(_LINK.sub(" ", plain)):
        paper_id = _bare(match["id"])
        if paper_id is not None:
            yield paper_id


def find_linked_ids(text: str) -> Iterator[PaperId]:
    """Every paper that a text has a link to, in order: on arXiv, a mirror or a reader of it; a bare id is no link."""
    for match in _PAPER_LINK.finditer(unicodedata.normalize("NFKC", text[:_LONGEST_TEXT])):
        yield from find_paper_ids(match[0])


def _bare(found: str) -> PaperId | None:
    if "/" in found:
        archive, number = found.lower().split("/")
        return PaperId(f"{archive.split('.')[0]}/{number}")
    yymm, number = found.split(".")
    five_digits = int(yymm) >= 1501 or yymm.endswith("00")
    return PaperId(found) if len(number) == (5 if five_digits else 4) else None


def is_sample(paper_id: PaperId) -> bool:
    """Whether the id belongs to the bundled sample: month 00, which arXiv can never issue."""
    return re.fullmatch(r"\d{2}00\.\d{5}", paper_id) is not None


def month_of(paper_id: PaperId) -> date:
    """The first day of the month in which arXiv numbered a paper, since 1991; of a sample, that of its year."""
    year, month = divmod(int(paper_id.rpartition("/")[2][:4]), 100)
    return date(1900 + year if year >= _FIRST_YEAR else 2000 + year, month or 1, 1)


def abs_url(paper_id: PaperId) -> str:
    """arXiv's page of a paper."""
    return f"https://arxiv.org/abs/{paper_id}"


@dataclass(frozen=True, slots=True)
class Paper:
    """The facts, as arXiv gave them last.

    `categories` begins with the primary one; `version` is how many were published; `doi` is the publisher's.
    """

    id: PaperId
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    licence: str | None = None
    comment: str | None = None
    withdrawn: bool = False
    journal_ref: str | None = None
    doi: str | None = None

    @property
    def primary(self) -> str:
        return self.categories[0]

    @property
    def links(self) -> tuple[str, ...]:
        """Where its code, data or project page is, as its comment and abstract say."""
        return find_links(f"{self.comment or ''}\n{self.abstract}")

    @property
    def is_sample(self) -> bool:
        return is_sample(self.id)

    @property
    def abs_url(self) -> str:
        return abs_url(self.id)

    @property
    def pdf_url(self) -> str:
        return f"https://arxiv.org/pdf/{self.id}"

    @property
    def html_url(self) -> str:
        return f"https://arxiv.org/html/{self.id}"

    @property
    def cool_url(self) -> str:
        """The page of Cool Papers, where readers find it explained and discussed."""
        return f"https://papers.cool/arxiv/{self.id}"


@dataclass(frozen=True, slots=True)
class Announced:
    """One entry of an announcement: a Paper, how it was announced, and on which day (US/Eastern, as arXiv counts)."""

    paper: Paper
    announce_type: AnnounceType
    day: date

    @property
    def is_late_cross_list(self) -> bool:
        """Whether it was new in its own category long ago: by its number, in a month before the last one."""
        last_month = (self.day.replace(day=1) - _A_DAY).replace(day=1)
        return self.announce_type == "cross" and month_of(self.paper.id) < last_month


@dataclass(frozen=True, slots=True)
class Submission:
    """A Paper as a search or a sweep finds it, with when its first version was submitted (aware UTC).

    `changed_on` is the day (UTC) on which its record last changed, which OAI-PMH alone tells.
    """

    paper: Paper
    submitted_at: datetime
    changed_on: date | None = None


def looks_withdrawn(abstract: str, comment: str | None = None) -> bool:
    """Whether an abstract is a withdrawal notice, or a comment speaks of one. Feeds have no comments."""
    notice = r"\W*this (?:paper|article|submission|manuscript|work) (?:has been|is|was) withdrawn"
    return bool(re.match(notice, abstract, re.I) or re.search(r"\bwithdrawn\b", comment or "", re.I))


def find_links(text: str) -> tuple[str, ...]:
    r"""The web pages that a text names, each once and in order, none of arXiv's own.

    Links need `https://`, but for those to GitHub, GitLab and pages there; `\url{…}` and `\href{…}{…}` are understood.
    """
    found: dict[str, None] = {}
    for match in _WEB_LINK.finditer(text[:_LONGEST_TEXT]):
        host = match["host"].lower()
        if host.split(".")[-2:] != ["arxiv", "org"]:
            found[f"https://{host}{_without_punctuation(match['rest'].replace(chr(92), ''))}"] = None
    return tuple(found)


def _without_punctuation(end: str) -> str:
    """The end of a link without what belongs to the sentence around it: a full stop, the bracket that it stands in."""
    while end and (end[-1] in ".,;:!?*" or (end[-1] == ")" and end.count(")") > end.count("("))):
        end = end[:-1]
    return end
