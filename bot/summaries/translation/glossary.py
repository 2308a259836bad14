"""The glossary: terms whose established translation stands instead of whatever a model would say.

A file has a line a term, the English and the translation with a tab between them; `=` keeps the English. `#` begins a
comment. A term in small letters is found however it is capitalised, in singular and plural, with a hyphen or a blank;
one with capitals (`NeRF`) only as it is written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from bot.errors import PaperwireError
from bot.summaries.translation.placeholders import Piece

FOLDER = Path(__file__).parent / "glossaries"
"""Those that come with Paperwire, one a direction: `en-zh.tsv`."""

_LARGEST = 4 * 2**20
_WORD = re.compile(r"[^\W_]+(?:['’]s(?![^\W_]))?")
# What may stand between the words of one term: "few-shot", "Bayes' theorem".
_GAP = re.compile(r"['’]?[ \n–-]")
# Behind a term a hyphen may follow where the translation goes on in words: "attention-based".
_SUFFIX = re.compile(
    r"-(?:based|driven|free|aware|guided|like|level|wise|oriented|specific|style|inspired|centric|enhanced|augmented|"
    r"powered|agnostic|theoretic|invariant|equivariant|efficient|enabled|assisted|informed|to|and|or|type)\b"
)
_IRREGULAR = {
    **{"matrices": "matrix", "vertices": "vertex", "indices": "index", "simplices": "simplex", "vortices": "vortex"},
    **{"analyses": "analysis", "hypotheses": "hypothesis", "syntheses": "synthesis", "bases": "basis"},
    **{"spectra": "spectrum", "quanta": "quantum", "phenomena": "phenomenon", "criteria": "criterion", "data": "data"},
    **{"bacteria": "bacterium", "genera": "genus", "nuclei": "nucleus", "loci": "locus", "stimuli": "stimulus"},
    **{"bias": "bias", "biases": "bias", "gas": "gas", "gases": "gas", "viruses": "virus", "caches": "cache"},
    **{"sheaves": "sheaf", "supernovae": "supernova", "lens": "lens"},
    **{"mice": "mouse", "axes": "axis", "diagnoses": "diagnosis", "prostheses": "prosthesis", "lenses": "lens"},
}


class GlossaryError(PaperwireError):
    """A glossary's file cannot be used; the text names the key, the file, the line and the fix."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """Terms by their words: each as it is looked up, with how it is written and what it becomes.

    `longest`: for each first word, how many words its longest term has.
    """

    terms: dict[tuple[str, ...], str]
    longest: dict[str, int]

    def find(self, text: str) -> list[Piece]:
        """The terms in a text, the longest where several begin at one word; `shown` is the translation."""
        words = list(_WORD.finditer(text))
        plain = [_singular(match[0]) for match in words]
        joined = [_GAP.fullmatch(text, left.end(), right.start()) is not None for left, right in pairwise(words)]
        found: list[Piece] = []
        index = 0
        while index < len(words):
            length, shown = self._at(index, plain, joined)
            start, end = (words[index].start(), words[index + length - 1].end()) if length else (0, 0)
            if length and _is_whole(text, start, end):
                # "Text-to-speech (TTS)": the brackets tell the abbreviation itself.
                in_brackets = text[start - 1 : start] == "(" and text[end : end + 1] == ")"
                is_abbreviation = in_brackets and _is_exact(words[index][0])
                found.append(Piece(start, end, text[start:end] if shown == "=" or is_abbreviation else shown))
            index += max(1, length)
        return found

    def _at(self, index: int, plain: Sequence[str], joined: Sequence[bool]) -> tuple[int, str]:
        """How many words from here on are a term, and its translation; 0: none begins here."""
        most = self.longest.get(plain[index], 0)
        reach = min(1, most)
        while reach < most and index + reach <= len(joined) and joined[index + reach - 1]:
            reach += 1
        for length in range(reach, 0, -1):
            shown = self.terms.get(tuple(plain[index : index + length]))
            if shown is not None:
                return length, shown
        return 0, ""


def _is_whole(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    bordered = before in ("-", "_", "\\", "/", "@", "'") or after in ("_", "@", "\\")
    return not (bordered or before.isalnum() or after.isalnum()) and (after != "-" or bool(_SUFFIX.match(text, end)))


def _is_exact(word: str) -> bool:
    """Whether a word has capitals of its own, beyond one that a sentence's beginning would give it."""
    return any(sign.isupper() for sign in word[1:]) or (len(word) == 1 and word.isupper())


@lru_cache(maxsize=16_384)
def _singular(word: str) -> str:
    """The word in small letters and in the singular, roughly; an acronym as it is, without the s of its plural.

    Stricter than what queries take for the same word: "dynamics" is another term than "dynamic".
    """
    word = word.replace("’", "'").removesuffix("'s")
    if _is_exact(word):
        return word[:-1] if word[-1] == "s" and len(word) > 2 else word
    low = word.lower()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if len(low) < 4 or not low.endswith("s") or low.endswith(("ss", "us", "is", "ics")):
        return low
    if low.endswith("ies"):
        return low[:-3] + "y"
    return low[:-2] if low.endswith(("sses", "shes", "ches", "xes", "zes")) else low[:-1]


def parse(text: str, where: str) -> dict[str, str]:
    """A file's terms, as they are written. Raises GlossaryError; `where` names the file in it."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        english, _, translation = (part.strip(" ") for part in line.partition("\t"))
        if not translation.strip() or not _WORD.search(english) or "\t" in translation:
            raise GlossaryError(f"{where}, line {number}: write the English, one tab, the translation.")
        if english in found:
            raise GlossaryError(f"{where}, line {number}: “{english[:60]}” is there twice. Take one out.")
        found[english] = translation
    return found


def glossary(*sources: dict[str, str]) -> Glossary:
    """One glossary of several; where two have the same term, the later one's translation holds."""
    terms: dict[tuple[str, ...], str] = {}
    longest: dict[str, int] = {}
    for english, translation in (term for source in sources for term in source.items()):
        words = tuple(_singular(word) for word in _WORD.findall(english))
        terms[words] = translation
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return Glossary(terms, longest)


def load(to: str, own: str = "") -> Glossary:
    """The bundled glossary into a language, if there is one, and the operator's own above it. Reads files.

    Raises GlossaryError.
    """
    bundled = FOLDER / f"en-{to.removesuffix('-Hans')}.tsv"
    sources = [parse(bundled.read_text("utf-8"), bundled.name)] if bundled.exists() else []
    if own:
        where = f"[translation] glossary: {own}"
        try:
            data = Path(own).read_bytes()
            if len(data) > _LARGEST:
                raise GlossaryError(f"{where}: is larger than {_LARGEST >> 20} MB. Keep the terms that you need.")
            sources.append(parse(data.decode("utf-8-sig"), where))
        except OSError as error:
            raise GlossaryError(
                f"{where}: cannot be read ({error.strerror}). Correct the path or the rights."
            ) from None
        except UnicodeDecodeError:
            raise GlossaryError(f"{where}: is no text in UTF-8. Save it as UTF-8, with tabs.") from None
    return glossary(*sources)
