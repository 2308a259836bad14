"""Paper: one arXiv e-print and its facts, keyed by its bare id."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
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


@dataclass(frozen=True, slots=True)
class Paper:
    """The facts, as arXiv gave them last. `categories` begins with the primary one."""

    id: PaperId
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    licence: str | None = None
    comment: str | None = None
    withdrawn: bool = False

    @property
    def primary(self) -> str:
        return self.categories[0]

    @property
    def is_sample(self) -> bool:
        return is_sample(self.id)

    @property
    def abs_url(self) -> str:
        return f"https://arxiv.org/abs/{self.id}"

    @property
    def pdf_url(self) -> str:
        return f"https://arxiv.org/pdf/{self.id}"

    @property
    def html_url(self) -> str:
        return f"https://arxiv.org/html/{self.id}"


@dataclass(frozen=True, slots=True)
class Announced:
    """One entry of an announcement: a Paper, how it was announced, and on which day (US/Eastern, as arXiv counts)."""

    paper: Paper
    announce_type: AnnounceType
    day: date


def looks_withdrawn(abstract: str) -> bool:
    """Whether an abstract is a withdrawal notice: feeds carry no other sign of it."""
    return (
        re.match(
            r"\W*this (?:paper|article|submission|manuscript|work) (?:has been|is|was) withdrawn",
            abstract,
            re.I,
        )
        is not None
    )
