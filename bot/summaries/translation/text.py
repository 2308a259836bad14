"""How a text is translated so that it can be believed: sentence by sentence, with what must not change set aside.

Whatever says the sentences in the other language comes in as a function; of what it says only that is taken which
brings everything back and passes the checks. A text with one sentence that cannot be had so is not translated at all.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bot.cards.formulas import math_spans
from bot.summaries.embedded.sentences import split
from bot.summaries.translation.faithful import LANGUAGES, Language, fault
from bot.summaries.translation.glossary import Glossary
from bot.summaries.translation.placeholders import (
    FORMS,
    Form,
    Piece,
    apart,
    bare,
    figures,
    joined,
    literals,
    names,
    protect,
    restore,
)

LONGEST = 5_000
"""Characters. arXiv's longest abstract has under 3,000."""

Say = Callable[[str], str]
"""Says one sentence in the other language. Takes some 2.4 ms a token; in another thread than the event loop's."""

_STYLED = re.compile(r"\\(?:emph|text(?:bf|it|sc|sl|sf|rm|up|md|normal)|underline|uline)\{([^{}]*)\}")
_TIE = re.compile(r"(?<![/\s\\])~(?=[^\s/])")
_RANGE = re.compile(r"(?<=[0-9%])--(?=[0-9])")
_WORD = re.compile(r"[A-Za-z]{2}")
_BLANK_WANTED = re.compile(r"(?<=[一-鿿])(?=[A-Za-z0-9$\\])|(?<=[A-Za-z0-9$%}])(?=[一-鿿])")
_BLANK_UNWANTED = re.compile(r"(?<=[一-鿿，。；：！？、）”]) +(?=[一-鿿，。；：！？、（“])")


class Translator(Protocol):
    """Translates texts from English into one other language."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a model to translate with."""

    @property
    def name(self) -> str | None:
        """Model and version, for a summary's provenance; None while nothing was translated."""

    def need(self) -> None:
        """Begin to get a model, if none is there."""

    async def close(self) -> None:
        """Let go of everything."""

    async def translate(self, texts: Sequence[str]) -> list[str | None]:
        """Each text's translation, None where it could not be had faithfully. Raises nothing of its own."""


def translated(
    text: str, say: Say, glossary: Glossary, to: str, is_late: Callable[[], bool] = lambda: False
) -> str | None:
    """The text in the language `to`, LaTeX as it is; None: not faithfully, or not before it was late."""
    if not text.strip() or len(text) > LONGEST:
        return None
    language = LANGUAGES.get(to, Language())
    parts: list[str] = []
    for sentence in split(_prose(text)):
        said = None if is_late() else _one(sentence, say, glossary, language)
        if said is None:
            return None
        parts.append(said.strip())
    whole = language.joint.join(parts)
    return _spaced(whole) if not language.joint else whole


def _one(sentence: str, say: Say, glossary: Glossary, language: Language) -> str | None:
    if sentence.isupper() and len(sentence.split()) > 3:
        sentence = sentence.capitalize()  # a title that is shouted is no row of acronyms
    tried: set[str] = set()
    for form, pieces in _attempts(sentence, glossary, language):
        protected = protect(sentence, pieces, form)
        if protected.text in tried:
            continue
        tried.add(protected.text)
        source = bare(protected.text, form)
        if not _WORD.search(source):
            return restore(protected.text, protected)
        said = say(protected.text)
        restored = restore(said, protected)
        if restored is not None and fault(source, bare(said, form), language) is None:
            return restored
    return None


def _attempts(sentence: str, glossary: Glossary, language: Language) -> Iterator[tuple[Form, list[Piece]]]:
    """What is set aside, the best for the language first and the surest for the facts last.

    Numbers are left in at first: models copy figures, a sentence keeps its grammar around them, and the check sees
    each one. The glossary is given up last: without it the words are the model's own, and still true.
    """
    fixed, named, numbers = literals(sentence), list(names(sentence)), list(figures(sentence))
    terms = glossary.find(sentence)
    for form, layers in (
        (FORMS[0], (fixed, terms, named)),
        (FORMS[1], (fixed, terms, named, numbers)),
        (FORMS[0], (fixed, named)),
        (FORMS[0], (fixed, named, numbers)),
    ):
        pieces = apart(*layers)
        yield form, pieces if language.joint else joined(sentence, pieces)


def _prose(text: str) -> str:
    """The text without what LaTeX only sets otherwise: emphasis, blanks that do not break, dashes of ranges."""
    done, parts = 0, []
    for start, end in [*math_spans(text), (len(text), len(text))]:
        parts += [_RANGE.sub("–", _TIE.sub(" ", _STYLED.sub(r"\1", text[done:start]))), text[start:end]]
        done = end
    return "".join(parts)


def _spaced(text: str) -> str:
    """Chinese with a blank between its signs and Latin letters or figures, and none between its sentences."""
    return _BLANK_WANTED.sub(" ", _BLANK_UNWANTED.sub("", text))
