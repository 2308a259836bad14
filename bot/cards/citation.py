"""Citations: papers as BibTeX, RIS, CSL-JSON and Markdown have them."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bot.cards.latex import readable
from bot.cards.plain import plain
from bot.interests.wording import PLAIN_LETTERS
from bot.papers import Paper, PaperId

MOST_AUTHORS = 50
"""That are named; some collaborations have three thousand."""

_GROUP = re.compile(r"\b(?:collaborations?|consortium|team|group|project|network|initiative)\b|^the\s", re.I)
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV")
_SPECIAL = re.compile(r"[\\{}$%&#_^]")
_DULL = frozenset(
    {"a", "an", "the", "on", "of", "for", "in", "to", "is", "are", "and", "or", "with", "from", "by", "at"}
)


@dataclass(frozen=True, slots=True)
class Name:
    """An author's name; without `given` it is that of a group, or of one word."""

    family: str
    given: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class CitationStyle:
    """A form in which papers are cited, and how the name of a file of it ends."""

    suffix: str
    cite: Callable[[Sequence[Paper]], str]


def name_of(author: str) -> Name:
    """A name as arXiv has it, given name first, taken apart; "van", "de la" and the like begin the family name."""
    words = author.split()
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    text = " ".join(words).removesuffix(",")
    if len(words) < 2 or "," in text or _GROUP.search(text) or re.search(r"\sand\s", text, re.I):
        return Name(" ".join(author.split()))
    words = text.split()
    last = next((place for place in range(1, len(words) - 1) if words[place].islower()), len(words) - 1)
    return Name(" ".join(words[last:]), " ".join(words[:last]), suffix)


def first_month(paper_id: PaperId) -> tuple[int, int]:
    """Year and month in which a paper first came to arXiv: https://info.arxiv.org/help/arxiv_identifier.html."""
    digits = paper_id.rpartition("/")[2]
    year, month = int(digits[:2]), int(digits[2:4])
    return year + (1900 if year > 90 else 2000), month


def bibtex(papers: Sequence[Paper]) -> str:
    """BibTeX entries, with the fields of https://info.arxiv.org/help/hypertex/bibstyles.html."""
    return "\n".join(_bibtex(paper, key) for paper, key in zip(papers, _keys(papers), strict=True))


def _bibtex(paper: Paper, key: str) -> str:
    fields = {
        "title": _tex(paper.title),
        "author": " and ".join([*map(_bibtex_name, _named(paper)), *(["others"] if _has_more(paper) else [])]),
        "year": str(first_month(paper.id)[0]),
        "eprint": paper.id,
        "archivePrefix": "arXiv",
        "primaryClass": paper.primary,
        "journal": _tex(paper.journal_ref or ""),
        "doi": _bare(paper.doi),
        "url": paper.abs_url,
    }
    lines = (f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return "@misc{" + ",\n".join([key, *lines]) + "\n}\n"


def _bibtex_name(author: str) -> str:
    name = name_of(author)
    if not name.given:
        return f"{{{_tex(name.family)}}}"
    return ", ".join(map(_tex, filter(None, (name.family, name.suffix, name.given))))


def _named(paper: Paper) -> tuple[str, ...]:
    return paper.authors[:MOST_AUTHORS]


def _has_more(paper: Paper) -> bool:
    return len(paper.authors) > MOST_AUTHORS


def _bare(doi: str | None) -> str:
    """A DOI without what would end a field; some papers name several."""
    return re.sub(r"[{}\\\s].*", "", plain(doi or "").strip())


def _keys(papers: Sequence[Paper]) -> Iterator[str]:
    """Keys such as `lovelace2026attention`; one that is there already gets a number."""
    seen: Counter[str] = Counter()
    for paper in papers:
        family = _ascii(name_of(paper.authors[0]).family if paper.authors else "") or "arxiv"
        words = (_ascii(word) for word in re.split(r"[\s:/-]+", readable(paper.title)))
        word = next((word for word in words if word and word not in _DULL), "")
        key = f"{family}{first_month(paper.id)[0]}{word}"
        seen[key] += 1
        yield key if seen[key] == 1 else f"{key}-{seen[key]}"


def _ascii(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", readable(text).lower().translate(PLAIN_LETTERS)))


def _tex(text: str) -> str:
    r"""A text as arXiv gave it, safe inside the braces of a BibTeX field.

    Its LaTeX stays; outside of formulas signs that LaTeX takes for its own get a backslash. BibTeX counts each brace,
    `\{` too (https://www.ctan.org/pkg/bibtex, "btxdoc"): where they do not come in pairs, `\{` goes by its name, and
    what is left alone is dropped.
    """
    text = " ".join(plain(text).split())
    if not _SPECIAL.search(text):
        return text
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\$", r"\1", text)
    for by_name in (False, True):
        safe = "".join(_safe(text, by_name=by_name))
        if not _unmatched(safe):
            return safe
    alone = _unmatched(safe)
    return "".join(sign for place, sign in enumerate(safe) if place not in alone)


def _safe(text: str, *, by_name: bool) -> Iterator[str]:
    signs = re.findall(r"\\.|.", text)
    has_formulas = signs.count("$") % 2 == 0
    in_formula = False
    for sign in signs:
        if sign == "$":
            in_formula = has_formulas and not in_formula
            yield "$" if has_formulas else r"\$"
        elif by_name and sign in (r"\{", r"\}"):
            side = "left" if sign == r"\{" else "right"
            yield f"\\{side[0]}brace " if in_formula else f"\\textbrace{side}{{}}"
        elif sign in ("%", "#") or (sign in ("&", "_") and not in_formula):
            yield f"\\{sign}"
        elif sign == "^" and not in_formula:
            yield r"\textasciicircum{}"
        else:
            yield sign


def _unmatched(text: str) -> set[int]:
    """Where braces stand that have no other half."""
    opened: list[int] = []
    alone: set[int] = set()
    for place, sign in enumerate(text):
        if sign == "{":
            opened.append(place)
        elif sign == "}" and opened:
            opened.pop()
        elif sign == "}":
            alone.add(place)
    return alone | set(opened)


def ris(papers: Sequence[Paper]) -> str:
    """RIS records, each an unpublished work: https://en.wikipedia.org/wiki/RIS_(file_format)."""
    return "".join(f"{line}\r\n" for paper in papers for line in (*_ris(paper), ""))


def _ris(paper: Paper) -> Iterator[str]:
    year, month = first_month(paper.id)
    yield "TY  - UNPB"
    yield f"TI  - {_line(paper.title)}"
    for author in _named(paper):
        name = name_of(_line(author))
        yield "AU  - " + ", ".join(filter(None, (name.family, name.given, name.suffix)))
    yield f"PY  - {year}"
    yield f"DA  - {year}/{month:02}//"
    yield "PB  - arXiv"
    yield f"AN  - arXiv:{paper.id}"
    yield f"DO  - {_doi(paper)}"
    yield f"UR  - {paper.abs_url}"
    if paper.journal_ref:
        yield f"N1  - {_line(paper.journal_ref)}"
    yield "ER  - "


def csl(papers: Sequence[Paper]) -> str:
    """CSL-JSON, each a preprint: https://docs.citationstyles.org/en/stable/specification.html#appendix-iii-types."""
    items = (json.dumps(_csl(*each), ensure_ascii=False) for each in zip(papers, _keys(papers), strict=True))
    return "[" + ",\n".join(items) + "]\n"


def _csl(paper: Paper, key: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": key,
        "type": "article",
        "title": _line(paper.title),
        "author": [_csl_name(_line(author)) for author in _named(paper)],
        "issued": {"date-parts": [list(first_month(paper.id))]},
        "publisher": "arXiv",
        "number": f"arXiv:{paper.id}",
        "DOI": _doi(paper),
        "URL": paper.abs_url,
    }
    return item | ({"note": _line(paper.journal_ref)} if paper.journal_ref else {})


def _csl_name(author: str) -> dict[str, str]:
    name = name_of(author)
    if not name.given:
        return {"literal": name.family}
    return {"family": name.family, "given": name.given} | ({"suffix": name.suffix} if name.suffix else {})


def markdown(papers: Sequence[Paper]) -> str:
    """A list, a paper a line."""
    return "".join(f"- {_markdown(paper)}\n" for paper in papers)


def _markdown(paper: Paper) -> str:
    authors = ", ".join([*map(_line, _named(paper)), *(["et al."] if _has_more(paper) else [])])
    published = [f"{_escaped(_line(paper.journal_ref))}."] if paper.journal_ref else []
    doi = [f"<https://doi.org/{quote(_bare(paper.doi))}>"] if _bare(paper.doi) else []
    about = f"{_escaped(authors)}. arXiv:{paper.id} \\[{paper.primary}\\], {first_month(paper.id)[0]}."
    return " ".join([f"[{_escaped(_line(paper.title))}]({paper.abs_url}).", about, *published, *doi])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def _line(text: str) -> str:
    return " ".join(plain(readable(text)).split())


def _doi(paper: Paper) -> str:
    """The publisher's, else the one that arXiv gives every paper: https://info.arxiv.org/help/doi.html."""
    return _bare(paper.doi) or f"10.48550/arXiv.{paper.id}"


STYLES = {
    "bibtex": CitationStyle("bib", bibtex),
    "ris": CitationStyle("ris", ris),
    "csl": CitationStyle("json", csl),
    "markdown": CitationStyle("md", markdown),
}
"""Every form, by the name that people say."""
