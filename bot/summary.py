"""Summary: what a reader gets of one Paper, in English and, where somebody wrote it, in Chinese."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.papers import PaperId

Role = Literal["problem", "method", "result", ""]


@dataclass(frozen=True, slots=True)
class Takeaway:
    """One thing to remember; `role` says what it is where that is sure, `zh` is None where nobody wrote Chinese."""

    en: str
    zh: str | None = None
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who wrote a Summary: the engine, its version, the model if any, and when (aware UTC).

    `translator`: which machine translated some of it, such as `firefox en-zh 3.0`; None: none did.
    """

    engine: Literal["extract", "hand", "model"]
    version: str
    written_at: datetime
    model: str | None = None
    translator: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one version of one Paper. Facts (title, authors, links) are not here: they are arXiv's."""

    paper_id: PaperId
    paper_version: int
    tldr: str
    takeaways: tuple[Takeaway, ...]
    provenance: Provenance
    tldr_zh: str | None = None
    title_zh: str | None = None
    abstract_zh: str | None = None
