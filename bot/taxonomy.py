"""arXiv's categories (https://arxiv.org/category_taxonomy): which exist, what they are called, which one was meant."""

import json
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path

# Of two names for one category this is the one that arXiv gives its papers first (CATEGORY_ALIASES of arxiv-base).
_ALIASES = {
    "cs.NA": "math.NA",
    "cs.SY": "eess.SY",
    "math.IT": "cs.IT",
    "math.MP": "math-ph",
    "q-fin.EC": "econ.GN",
    "stat.TH": "math.ST",
}

_A_SLIP = 0.85
"""So alike are a code and a misspelling of it (`cscv`, `hep-thh`), and no word that papers use and a code."""


@cache
def categories() -> dict[str, str]:
    """Every category that takes submissions, with its English name."""
    found: dict[str, str] = json.loads(Path(__file__).with_name("taxonomy.json").read_text("utf-8"))
    return found


def canonical(category: str) -> str:
    """The one name of a category that has two: papers in either are always in both."""
    return _ALIASES.get(category, category)


def names_of(category: str) -> tuple[str, ...]:
    """A category's name and, where it has two, the other one."""
    others = [other for pair in _ALIASES.items() if category in pair for other in pair if other != category]
    return (category, *others)


@cache
def codes() -> dict[str, str]:
    """Every category's code by its lower-case form."""
    return {code.lower(): code for code in categories()}


@cache
def archives() -> frozenset[str]:
    """What stands before the dot of a category, lower-case: `cs`, `math`, `astro-ph`; undotted ones are their own."""
    return frozenset(code.lower().partition(".")[0] for code in categories())


@lru_cache(10_000)
def resembles_one(word: str) -> bool:
    """Whether a word is a category or an archive, or so near to a category's code that it may be a slip."""
    lower = word.lower()
    return lower in archives() or bool(get_close_matches(lower, codes(), 1, cutoff=_A_SLIP))


def nearest(text: str, at_most: int = 3) -> list[str]:
    """The categories that somebody who wrote this may have meant, by their code or by their name."""
    known = categories()
    wanted = text.strip().lower()
    names = {name.lower(): code for code, name in known.items()}
    inside = [code for code, name in known.items() if len(wanted) > 2 and wanted in name.lower()]
    like = get_close_matches(wanted, codes(), 3 * at_most, cutoff=0.6)
    # Of equally close ones those that begin alike are likelier meant: cs.CK is rather cs.CL than cs.SC.
    close = [codes()[match] for match in sorted(like, key=lambda code: -_alike(wanted, code))]
    close += [names[match] for match in get_close_matches(wanted, names, at_most, cutoff=0.6)]
    return list(dict.fromkeys([*close, *inside]))[:at_most]


def _alike(one: str, other: str) -> int:
    """How many characters the two have in common from the beginning."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
