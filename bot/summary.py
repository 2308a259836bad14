"""Summary: what a reader gets of one Paper, in English and, where somebody wrote it, in Chinese."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from bot.papers import Paper, PaperId

Role = Literal["problem", "method", "result", ""]


@dataclass(frozen=True, slots=True)
class Takeaway:
    """One thing to remember; `role` says what it is where that is sure, `zh` is None where nobody wrote Chinese."""

    en: str
    zh: str | None = None
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who wrote a Summary: the engine, its version (a model's is its prompt's), and when (aware UTC).

    `model` wrote it, if one did. `translator`: the machine that was asked for the second language, such as
    `firefox en-zh 3.0`; None: none was.
    """

    engine: Literal["extract", "hand", "model"]
    version: str
    written_at: datetime
    model: str | None = None
    translator: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one version of one Paper. Facts (title, authors, links) are not here: they are arXiv's.

    `checks`: what the grounding checks remarked and let pass, a line each. `source`: stands for the title and abstract
    that it is of, so that a new version which changes neither needs no new summary.
    """

    paper_id: PaperId
    paper_version: int
    tldr: str
    takeaways: tuple[Takeaway, ...]
    provenance: Provenance
    tldr_zh: str | None = None
    title_zh: str | None = None
    abstract_zh: str | None = None
    checks: tuple[str, ...] = ()
    source: str = ""


def source_of(paper: Paper) -> str:
    """What stands for a paper's title and abstract."""
    return sha256(f"{paper.title}\n{paper.abstract}".encode("utf-8", "replace")).hexdigest()[:16]
