"""Wording: what makes two spellings the same words, for queries and papers alike.

Case, accents, hyphens and plurals make no difference; LaTeX's accents and dollar signs are read as what they stand for.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "ŋ": "n"}
)
"""Small letters that Unicode does not take apart into a base and an accent, for `str.translate`."""
_LATEX_ACCENT = re.compile(r"\\(?:[\"'`^~=.]|[Hcuvdbkrt](?![a-zA-Z]))\s*\{?\\?([a-zA-Z])\}?")
_LATEX_FONT = re.compile(r"\\(?:text|math)(?:bf|it|rm|sc|sf|tt|cal|bb|frak)\b|\\(?:emph|textsuperscript)\b|[${}]")
_HYPHEN = re.compile(r"(?<=\w)[-‐‑–−](?=\w)")
_WORD = re.compile(r"[^\W_]+")
_IRREGULAR = {
    "analyses": "analysis",
    "axes": "axis",
    "bases": "base",
    "biases": "bias",
    "corpora": "corpus",
    "criteria": "criterion",
    "hypotheses": "hypothesis",
    "indices": "index",
    "lenses": "lens",
    "matrices": "matrix",
    "phenomena": "phenomenon",
    "spectra": "spectrum",
    "syntheses": "synthesis",
    "vertices": "vertex",
}
_SINGULAR = frozenset(_IRREGULAR.values())
_SHORTEST_PLURAL = 4


@dataclass(frozen=True, slots=True)
class Wording:
    """A text as words with blanks between and around them: `apart` at its hyphens, and `joined` there."""

    apart: str
    joined: str

    @property
    def words(self) -> set[str]:
        """Every word of either form."""
        return {*self.apart.split(), *self.joined.split()}

    def has(self, phrase: "Wording") -> bool:
        """Whether the phrase's words stand in this text one after the other."""
        return phrase.apart in self.apart or phrase.joined in self.joined


def wording(text: str) -> Wording:
    """The words of a text, each in its plain form."""
    text = _plain(text)
    apart = _spaced(text)
    joined = _HYPHEN.sub("", text)
    return Wording(apart, apart if joined == text else _spaced(joined))


def _spaced(text: str) -> str:
    return f" {' '.join(map(_singular, _WORD.findall(text)))} "


def _plain(text: str) -> str:
    if "\\" in text or "$" in text:
        text = _LATEX_FONT.sub("", _LATEX_ACCENT.sub(r"\1", text))
    if not text.isascii():
        marked = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(sign for sign in marked if not unicodedata.combining(sign)).translate(PLAIN_LETTERS)
    return text.casefold()


@lru_cache(100_000)
def _singular(word: str) -> str:
    """A word and its plural alike: Harman's S stemmer (1991), and a few nouns whose plurals are their own.

    What comes out need not be a word: "caches" and "cache" both become "cach".
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if (
        len(word) >= _SHORTEST_PLURAL
        and word not in _SINGULAR
        and word.endswith("s")
        and not word.endswith(("us", "ss"))
    ):
        if word.endswith("ies") and not word.endswith(("eies", "aies")):
            return word[:-3] + "y"
        word = word[:-1]
    return word[:-1] if word.endswith(("sse", "xe", "che", "she")) else word
