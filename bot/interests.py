"""Interest: what somebody wants, as a query over papers. Today's language: categories joined with `+` and `-`."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_CATEGORY = r"[A-Za-z]+(?:-[A-Za-z]+)*(?:\.[A-Za-z]+(?:-[A-Za-z]+)*)?"
# A sign, or a comma or blank that stands for `+`. A hyphen may also belong to a name (cond-mat): that is tried first.
_TERM = re.compile(rf"(?P<sign>^|\s*[+,、-]|\s)\s*(?P<category>{_CATEGORY})")
_LONGEST_QUERY = 500


class BadQuery(ValueError):
    """The text is no query; `position` (from 0) is where it stops making sense."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text)
        self.text = text
        self.position = position


@dataclass(frozen=True, slots=True)
class Interest:
    """Papers in any of `wanted` and in none of `unwanted`, by all their categories, not only the primary one."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()

    def matches(self, categories: Iterable[str]) -> bool:
        have = set(categories)
        return not have.isdisjoint(self.wanted) and have.isdisjoint(self.unwanted)

    def __str__(self) -> str:
        """The canonical form, `cs.CV+cs.CL -cs.RO`: what people are shown and what is stored."""
        return "+".join(self.wanted) + "".join(f" -{category}" for category in self.unwanted)

    @classmethod
    def stored(cls, canonical: str) -> "Interest":
        """The Interest whose canonical form this is."""
        wanted, *unwanted = canonical.split(" -")
        return cls(tuple(wanted.split("+")), tuple(unwanted))


def parse_interest(text: str, categories: Iterable[str]) -> Interest:
    """Read `cs.CV+cs.CL-cs.RO`; case does not matter. `categories` are the names that exist.

    Raises BadQuery where the text is no query or names a category that does not exist.
    """
    known = {category.lower(): category for category in categories}
    text = unicodedata.normalize("NFKC", text[: _LONGEST_QUERY + 1]).strip()
    if not text or len(text) > _LONGEST_QUERY:
        raise BadQuery(text[:_LONGEST_QUERY], 0)
    wanted: dict[str, None] = {}
    unwanted: dict[str, None] = {}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise BadQuery(text, position)
        name, start = match["category"], match.start("category")
        # `cs.CV-cs.RO` reads as one name first: give back what follows a hyphen until the name exists.
        while name.lower() not in known and "-" in name:
            name = name.rpartition("-")[0]
        if name.lower() not in known:
            raise BadQuery(text, start)
        (unwanted if match["sign"].strip() == "-" else wanted)[known[name.lower()]] = None
        position = start + len(name)
        if not text[position:].strip(",、 \t"):
            break
    if not wanted:
        raise BadQuery(text, 0)
    return Interest(tuple(wanted), tuple(unwanted))
