"""What a translation must bring back as it was: formulas, links, code, citations, names and acronyms.

Each such piece is replaced by a short sign before the translation and put back after it. The check is strict: a sign
that is missing, doubled or made up spoils the translation, so that a sign which a model does not copy well costs
Chinese, and never correctness.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.cards.formulas import math_spans


@dataclass(frozen=True, slots=True)
class Form:
    """How a sign is written, and how it is found again."""

    before: str
    after: str
    pattern: re.Pattern[str]


FORMS = (
    # A letter and a figure, as products and variables are called: translation models copy names, and a name is a noun,
    # so that the grammar around it holds. X begins no ordinary words and means nothing by itself (Q1 is a quarter).
    Form("X", "", re.compile(r"(?<![A-Za-z])X ?([0-9]+)")),
    # The note marks of encyclopedias, of which web-crawled training text is full; for where names went wrong.
    Form("[", "]", re.compile(r"\[ ?([0-9]+) ?\]")),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and what stands in the translation instead: for a glossary's term the established one."""

    start: int
    end: int
    shown: str


@dataclass(frozen=True, slots=True)
class Protected:
    """A text with signs instead of its pieces; sign number 1 stands for `pieces[0]`."""

    text: str
    pieces: tuple[str, ...]
    form: Form


_LITERAL = re.compile(
    r"`[^`\n]{1,200}`"  # code
    r"|\\(?:url|href|texttt|verb)\*?\{[^{}]*\}(?:\{[^{}]*\})?"
    r"|(?:https?://|www\.)[^\s<>\"{}|^`\[\]]*[^\s<>\"{}|^`\[\].,;:!?)'*]"
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:arxiv:|doi:)\s?[\w./-]*\w|\b10\.\d{4,9}/[\w./()-]*\w"
    r"|\\cite\w*\*?(?:\[[^\]]*\])*\{[^{}]*\}"
    r"|\[[0-9]{1,4}(?:\s?[,;–-]\s?[0-9]{1,4})*\]"
    r"|(?-i:\([A-Z][^()]{1,80}\b(?:19|20)[0-9]{2}[a-z]?\))"
    # A command of LaTeX with its arguments, or one sign of text with a backslash before it.
    r"|\\[A-Za-z]+\*?(?:\[[^\]\n]{0,80}\])?(?:\{[^{}]*\})*|\\[^\w\s](?:\{[^{}]*\})?"
    + "".join(f"|(?-i:{form.pattern.pattern})" for form in FORMS),
    re.I,
)
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[-_.+/][A-Za-z0-9]+)*")
_PART = re.compile(r"[A-Za-z0-9]+")
_NUMBER = re.compile(
    r"(?:(?<![\w.,)\]%])[-−+±~≈])?(?<![A-Za-z0-9])[0-9]+(?:[.,][0-9]+)*(?:\s?(?:thousand|million|billion|trillion)\b)?"
    r"(?:\s?(?:\\?%|‰|°C?|[x×]\b|percent\b(?!age)))?[A-Za-z0-9]*"
)
_HAN = re.compile("[一-鿿]")
_ALNUM = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def literals(text: str) -> list[Piece]:
    """Formulas, links, code, citations and LaTeX, each with the letters and figures that stick to it (`$n$th`)."""
    spans = sorted([*math_spans(text), *(match.span() for match in _LITERAL.finditer(text))])
    merged: list[tuple[int, int]] = []
    for begin, finish in spans:
        start, end = begin, finish
        while start > 0 and text[start - 1] in _ALNUM:
            start -= 1
        while end < len(text) and text[end] in _ALNUM:
            end += 1
        if merged and start <= merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return [Piece(start, end, text[start:end]) for start, end in merged]


def names(text: str) -> Iterator[Piece]:
    """Acronyms and the names of models and things: BERT, GPT-4, ResNet-50, YOLOv8, mAP, H100, snake_case."""
    for token in _TOKEN.finditer(text):
        if token[0].isalpha() and (token[0].islower() or token[0][1:].islower()):
            continue
        if "_" in token[0]:
            yield Piece(*token.span(), token[0])
            continue
        parts = list(_PART.finditer(token[0]))
        kept = [_is_name(part[0]) for part in parts]
        for index, (part, after) in enumerate(pairwise(parts)):
            # "Llama-3", "Mamba-2", "U-Net": a capital takes the figure or the capital after the hyphen along.
            if part[0][0].isupper() and (after[0][0].isdigit() or (len(part[0]) == 1 and after[0][0].isupper())):
                kept[index] = kept[index + 1] = True
            # "k-NN"
            kept[index] |= kept[index + 1] and len(part[0]) == 1
        start = None
        for index, part in enumerate(parts):
            # A figure between or behind kept parts belongs to them: "Qwen2.5-7B", "GPT-4".
            keep = kept[index] or (start is not None and part[0].isdigit())
            if keep and start is None:
                start = part.start()
            last = index == len(parts) - 1
            if start is not None and (last or not keep):
                end = part.end() if keep else parts[index - 1].end()
                yield Piece(token.start() + start, token.start() + end, token[0][start:end])
                start = None


def _is_name(word: str) -> bool:
    capitals = sum(sign.isupper() for sign in word)
    digits = any(sign.isdigit() for sign in word)
    letters = not word.isdigit()
    return capitals > 1 or (digits and letters and (capitals > 0 or not word[0].isdigit()))


def figures(text: str) -> Iterator[Piece]:
    """Numbers with their sign, scale and unit: `95.2%`, `-3.1`, `1.5 million`, `100ms`."""
    return (Piece(*match.span(), match[0]) for match in _NUMBER.finditer(text))


def apart(*layers: Sequence[Piece]) -> list[Piece]:
    """The pieces of all layers in the order of the text; where two overlap, the earlier layer's stays."""
    taken: list[Piece] = []
    for layer in layers:
        before = sorted(taken, key=lambda piece: piece.start)
        index = 0
        for piece in sorted(layer, key=lambda piece: piece.start):
            while index < len(before) and before[index].end <= piece.start:
                index += 1
            if index == len(before) or before[index].start >= piece.end:
                taken.append(piece)
    return sorted(taken, key=lambda piece: piece.start)


def joined(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """The same with neighbours (`few-shot` `image segmentation`) as one piece: two signs in a row seldom both survive.

    Only for languages without blanks between words that put what describes before the noun, as English does.
    """
    found: list[Piece] = []
    for piece in pieces:
        if found and text[found[-1].end : piece.start] == " ":
            before = found.pop()
            gap = "" if _HAN.match(before.shown[-1:]) and _HAN.match(piece.shown) else " "
            found.append(Piece(before.start, piece.end, f"{before.shown}{gap}{piece.shown}"))
        else:
            found.append(piece)
    return found


def protect(text: str, pieces: Sequence[Piece], form: Form = FORMS[0]) -> Protected:
    """The text with a sign for each of these pieces, which are in order and do not overlap."""
    written: list[str] = []
    done = 0
    for number, piece in enumerate(pieces, 1):
        written += [text[done : piece.start], f"{form.before}{number}{form.after}"]
        done = piece.end
    return Protected("".join([*written, text[done:]]), tuple(piece.shown for piece in pieces), form)


def restore(translation: str, protected: Protected) -> str | None:
    """The translation with its pieces put back; None unless each sign is there exactly once, and no other one."""
    found = [int(number) for number in protected.form.pattern.findall(translation)]
    if sorted(found) != list(range(1, len(protected.pieces) + 1)):
        return None
    return protected.form.pattern.sub(lambda sign: protected.pieces[int(sign[1]) - 1], translation)


def bare(text: str, form: Form) -> str:
    """A text without its signs: what a model really had to translate, or did."""
    return form.pattern.sub(" ", text)
