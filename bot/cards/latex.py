r"""LaTeX in titles, abstracts and author names, as text that reads well in a chat."""

import re
import unicodedata
from collections.abc import Callable

from pylatexenc.latex2text import fmt_math_text_style

from bot.cards.formulas import BRACKET, closings, formulas
from bot.cards.macros import (
    ACCENTS,
    ALPHABETS,
    CITATIONS,
    FRACTIONS,
    LETTERS,
    LONG_ARROWS,
    MATH_ACCENTS,
    MATH_CONTENTS,
    RAISED,
    ROOTS,
    SCRIPTS,
    SILENT,
    SILENT_WITH_ARGUMENT,
    SPACES,
    STACKED,
    TABLES,
    TEXT_CONTENTS,
    TEXT_SCRIPTS,
    symbols,
)
from bot.cards.typography import typeset

# arXiv's longest abstract has under 3,000 characters, its longest author list some 10,000.
LONGEST = 20_000
DEEPEST = 40
_MOST_MARKED = 30

_LOOSE_GROUP = re.compile(r"[_^]\{|[^\W\d_]\{[^\W\d_]\}|\{[^\W\d_]\}[^\W\d_]")
_TOKEN = re.compile(r"\\(?P<name>[A-Za-z]+|[\s\S])|[\\{}~^_$&]|[^\\{}~^_$&]+")
_OPTION = re.compile(r"\[([^\[\]{}$\\]*)\]")
_LENGTH = re.compile(r"\*?\[ *-?[\d.]+ *[a-z]{2} *\]")
_BARE_GROUP = re.compile(r"\{(?:\\|\w*\})")
_OPERATOR = re.compile(r"[\s+\-−=/<>±×]")
_ATOM = re.compile(r"\d+(\.\d+)?|∂?[^\W\d][^\s+\-−=/<>±×·,]*|\([^()]*\)|\|[^|]*\|")
_WORD = re.compile(r"[\w.]+")
_MEASURE = re.compile(r"[+\-−]?\d+\.\d+")
_CODE_POINT = re.compile(r"\{x([0-9A-Fa-f]{2,5})\}")
_CELL, _ROW = "\x1f", "\x1e"
_BREAK = re.compile(f" *{_ROW} *")


class _UnreadableError(Exception):
    """The braces are nested deeper than anybody writes."""


def readable(text: str) -> str:
    r"""`text` with its LaTeX as Unicode: `$\mathcal{O}(n^2)$` becomes 𝒪(n²), `Rapha\"el` becomes Raphaël.

    Macros that only the author knows stay as typed; so do braces without a partner, and all of a text that is nested
    deeper than anybody writes or longer than LONGEST characters. Never raises; takes time linear in the length.
    """
    if len(text) > LONGEST:
        return text
    is_tex = "\\" in text or "$" in text
    try:
        return typeset(_Reader(text).whole() if is_tex or ("{" in text and _LOOSE_GROUP.search(text)) else text)
    except _UnreadableError:
        return text


class _Reader:
    """Reads one text once, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.end = len(text)
        self.depth = 0
        found = formulas(text)
        self.formulas = {start: rest for start, *rest in found}
        self.closings = closings(text, found)
        self.is_in_formula = False
        # Where the last piece ended, and how it reads.
        self.last = 0, ""
        # Braces that mean nothing to TeX are common in texts without any LaTeX.
        self.is_tex = "\\" in text or "$" in text

    def whole(self) -> str:
        return _BREAK.sub(" ", self.sequence(len(self.text), math=False)).replace(_CELL, "")

    def sequence(self, end: int, *, math: bool) -> str:
        out = ""
        after_word = False
        outer, self.end = self.end, end
        while self.position < end:
            is_macro = self.text[self.position] == "\\"
            piece = self.piece(math)
            is_word = is_macro and len(piece) > 1 and piece.isalpha()
            # TeX leaves a gap between a letter and a function's name.
            gap = math and (is_word or after_word) and piece[:1].isalnum() and piece[0] not in RAISED
            if gap and out[-1:].isalnum():
                out += " "
            out += piece.removeprefix(" ") if out.endswith(" ") and is_macro else piece
            after_word = is_word if piece else after_word
        self.end = outer
        return out

    def piece(self, math: bool) -> str:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _UnreadableError
        start = self.position
        token = _TOKEN.match(self.text, start)
        assert token  # one of its alternatives fits every character
        self.position = token.end()
        if start in self.formulas:
            out = self.formula(start)
        elif token["name"]:
            out = self.macro(token["name"], start, math)
        elif token[0] == "{":
            out = self.group(start, math)
        elif token[0] == "$" and self.is_in_formula:
            out = self.inner_formula(math)
        elif token[0] == "~":
            out = " " if math or self.is_tie(start) else "~"
        elif token[0] in SCRIPTS and (math or self.group_here()):
            out = self.script(token[0])
        elif math:
            out = _CELL if token[0] == "&" else token[0].replace("'", "′")
        else:
            out = token[0]
        self.depth -= 1
        self.last = self.position, out
        return out

    def formula(self, start: int) -> str:
        self.position, content_end, end = self.formulas[start]
        self.is_in_formula = True
        out = self.sequence(content_end, math=True).strip()
        self.is_in_formula = False
        self.position = end
        return out

    def inner_formula(self, math: bool) -> str:
        """What stands between dollars in a text that is part of a formula."""
        end = -1 if math else self.text.find("$", self.position, self.end)
        if end < 0:
            return ""
        out = self.sequence(end, math=True).strip()
        self.position = max(self.position, end + 1)
        return out

    def group(self, start: int, math: bool) -> str:
        if start not in self.closings:
            return "{"
        content_end, end = self.closings[start]
        out = self.sequence(content_end, math=math)
        self.position = end
        # Outside mathematics arXiv shows braces, so they mean TeX only around a word or a macro.
        is_bare = self.is_tex and _BARE_GROUP.match(self.text, start)
        is_letter = len(out) == 1 and (self.text[start - 1 : start].isalpha() or self.text[end : end + 1].isalpha())
        return out if math or is_bare or is_letter else f"{{{out}}}"

    def is_tie(self, start: int) -> bool:
        """Whether `~` joins words, as in `Fig.~3`; about (`~5`), ranges (`3~5`) and home pages (`/~me`) do not."""
        before, after = self.text[start - 1 : start], self.text[start + 1 : start + 2]
        joins = before.isalnum() or before in tuple(".,;:)}]$")
        return joins and not after.isspace() and not (before.isdigit() and after.isdigit())

    def script(self, mark: str) -> str:
        return self.raised(mark, self.argument(math=True))

    def raised(self, mark: str, content: str) -> str:
        squeezed = "".join(content.split())
        if squeezed and all(ord(sign) in SCRIPTS[mark] for sign in squeezed):
            return squeezed.translate(SCRIPTS[mark])
        if _MEASURE.fullmatch(squeezed):
            # Unicode has no raised point, so 8.6^{+1.4} is set with the one that stands in the middle.
            return squeezed.translate(SCRIPTS[mark]).replace(".", "." if mark == "_" else "·")
        is_word = _WORD.fullmatch(content) and not self.next_is_letter() and RAISED.isdisjoint(content)
        return mark + content if len(content) < 2 or is_word else f"{mark}({content.strip()})"

    def next_is_letter(self) -> bool:
        return self.text[self.position : self.position + 1].isalnum()

    def macro(self, name: str, start: int, math: bool) -> str:
        after_name = self.position
        reader = _MACROS.get(name)
        out = reader(self, name, math) if reader else self.symbol(name, math)
        if out is not None:
            return out
        self.position = after_name
        while end := self.group_end():
            self.position = end
        return self.text[start : self.position]

    def group_end(self) -> int:
        """Where the `{…}` or `[…]` that starts here ends; 0 where none starts."""
        option = _OPTION.match(self.text, self.position)
        group = self.group_here()
        return option.end() if option else group[1] if group else 0

    def group_here(self) -> tuple[int, int] | None:
        """Where the content of the `{…}` that starts here ends, and where the group does."""
        return self.closings.get(self.position) if self.text.startswith("{", self.position) else None

    def option(self) -> str:
        """What stands in the `[…]` that follows; empty where none does."""
        found = _OPTION.match(self.text, self.position)
        self.position = found.end() if found else self.position
        return found[1] if found else ""

    def argument(self, math: bool) -> str:
        """The group, macro or single sign that follows; empty where none does."""
        self.skip_space()
        here = self.text[self.position : self.position + 1]
        if group := self.group_here():
            self.position += 1
            out = self.sequence(group[0], math=math)
            self.position = group[1]
            return out
        if here == "\\":
            return self.piece(math)
        if here in ("", "{", "}", "$"):
            return ""
        self.position += 1
        return here

    def skip_space(self) -> None:
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1

    # One method a kind of macro: its text, or None to leave it as typed.

    def symbol(self, name: str, math: bool) -> str | None:
        sign = symbols().get(name)
        if name in LETTERS and math:
            return None
        typed_tight = not self.text[self.position - len(name) - 2 : self.position - len(name) - 1].isspace()
        if name in LETTERS or (math and sign and len(sign) == 1 and typed_tight):
            self.skip_space()
        return sign

    def silent(self, name: str, _math: bool) -> str:
        if name.isalpha():
            self.skip_space()
        if name in ("left", "right") and self.text.startswith(".", self.position):
            self.position += 1
        return ""

    def without_argument(self, _name: str, _math: bool) -> str:
        self.position += self.text.startswith("*", self.position)
        self.skip_group()
        return ""

    def skip_group(self) -> None:
        if group := self.group_here():
            self.position = group[1]

    def space(self, name: str, _math: bool) -> str:
        if name not in ("\\", "cr"):
            return " "
        length = _LENGTH.match(self.text, self.position)
        self.position = length.end() if length else self.position
        return _ROW

    def accented(self, name: str, math: bool) -> str | None:
        if math and len(name) == 1:
            return None
        if self.text.startswith("{}", self.position) and name in "~^":
            self.position += 2
            return name
        letters = self.argument(math=False).replace("ı", "i").replace("ȷ", "j")
        if not letters.isalpha():
            return None
        return unicodedata.normalize("NFC", letters[0] + ACCENTS[name]) + letters[1:]

    def marked(self, name: str, _math: bool) -> str | None:
        signs = self.argument(math=True)
        if "\\" in signs:
            return None
        if len(signs) > _MOST_MARKED:
            return signs
        # A mark gets no mark of its own: marks within marks would double at each depth.
        bare = (sign.isspace() or unicodedata.combining(sign) for sign in signs)
        mark = MATH_ACCENTS[name]
        marked = "".join(sign if is_bare else sign + mark for sign, is_bare in zip(signs, bare, strict=True))
        return unicodedata.normalize("NFC", marked) or None

    def lettered(self, name: str, _math: bool) -> str | None:
        return str(fmt_math_text_style(self.argument(math=True), ALPHABETS[name])) or None

    def contents(self, name: str, math: bool) -> str | None:
        if self.text.startswith("*", self.position):
            self.position += 1
        return self.argument(math and name not in TEXT_CONTENTS) or None

    def braced(self, _name: str, _math: bool) -> str | None:
        content = self.argument(math=True).strip()
        return content if not _OPERATOR.search(content) or _ATOM.fullmatch(content) else f"({content})"

    def second_argument(self, _name: str, math: bool) -> str | None:
        return self.argument(math=False) and (self.argument(math) or None)

    def side_by_side(self, _name: str, _math: bool) -> str | None:
        first = self.argument(math=False)
        second = self.argument(math=False) if self.group_here() else ""
        return f"{first} {second}".strip() or None

    def stacked(self, name: str, math: bool) -> str | None:
        beside = self.argument(math=True)
        below = self.argument(math)
        return below + self.raised(STACKED[name], beside) if below and beside else None

    def long_arrow(self, name: str, _math: bool) -> str | None:
        self.option()
        above = self.argument(math=True)
        return LONG_ARROWS[name] + (self.raised("^", above) if above else "")

    def text_script(self, name: str, _math: bool) -> str:
        return self.script(TEXT_SCRIPTS[name])

    def citation(self, _name: str, _math: bool) -> str | None:
        option = self.option()
        group = self.group_here()
        if not group:
            return None
        keys = self.text[self.position + 1 : group[0]]
        self.position = group[1]
        return f"[{keys}, {option}]" if option else f"[{keys}]"

    def note(self, _name: str, _math: bool) -> str | None:
        content = self.argument(math=False)
        return content and f" ({content})"

    def code_point(self, _name: str, _math: bool) -> str | None:
        found = _CODE_POINT.match(self.text, self.position)
        sign = chr(int(found[1], 16)) if found else ""
        if not found or not sign.isprintable():
            return None
        self.position = found.end()
        return sign

    def environment(self, _name: str, math: bool) -> str | None:
        start = self.position - len(r"\begin")
        opening = BRACKET.match(self.text, start)
        if not opening or start not in self.closings:
            return None
        content_end, end = self.closings[start]
        self.position = opening.end()
        name = opening["name"].rstrip("*")
        if name in ("array", "tabular"):
            self.skip_group()
        out = self.sequence(content_end, math=math)
        self.position = end
        if name not in TABLES:
            return out
        rows = ([cell.strip().rstrip(",;.") for cell in row.split(_CELL)] for row in out.split(_ROW))
        inner = "; ".join(", ".join(filter(None, row)) for row in rows if any(row))
        # The sentence may end with the table.
        return inner.join(TABLES[name]) + "." * out.rstrip().endswith(".")

    def fraction(self, name: str, _math: bool) -> str | None:
        start = self.position - len(name) - 1
        before = self.last[1] if self.last[0] == start else self.text[start - 1 : start]
        above, below = self.argument(math=True).strip(), self.argument(math=True).strip()
        if not above or not below:
            return None
        above = above if not _OPERATOR.search(above) or _ATOM.fullmatch(above) else f"({above})"
        below = below if _ATOM.fullmatch(below) else f"({below})"
        is_factor = before[-1:].isalnum() or self.factor_follows()
        return f"({above}/{below})" if is_factor else f"{above}/{below}"

    def factor_follows(self) -> bool:
        token = _TOKEN.match(self.text, self.position, self.end)
        if token is None or not token["name"]:
            return token is not None and (token[0][0].isalnum() or token[0][0] in "({")
        name = token["name"]
        is_letter = symbols().get(name, "x")[0].isalpha() and name.isalpha()
        return name == "left" or (is_letter and name not in SILENT and name not in SPACES)

    def root(self, _name: str, _math: bool) -> str | None:
        degree = self.option()
        content = self.argument(math=True).strip()
        sign = ROOTS.get(degree) or degree.translate(SCRIPTS["^"]) + "√"
        return sign + (content if _ATOM.fullmatch(content) else f"({content})") if content else None

    def binomial(self, _name: str, _math: bool) -> str:
        return f"({self.argument(math=True)} choose {self.argument(math=True)})"

    def modulus(self, _name: str, _math: bool) -> str:
        return f" (mod {self.argument(math=True)})"


_MACROS: dict[str, Callable[[_Reader, str, bool], str | None]] = {
    **dict.fromkeys(SILENT, _Reader.silent),
    **dict.fromkeys(SILENT_WITH_ARGUMENT, _Reader.without_argument),
    **dict.fromkeys(SPACES, _Reader.space),
    **dict.fromkeys(ACCENTS, _Reader.accented),
    **dict.fromkeys(MATH_ACCENTS, _Reader.marked),
    **dict.fromkeys(ALPHABETS, _Reader.lettered),
    **dict.fromkeys(TEXT_CONTENTS | MATH_CONTENTS, _Reader.contents),
    **dict.fromkeys(["underbrace", "overbrace"], _Reader.braced),
    **dict.fromkeys(["href", "textcolor", "texorpdfstring"], _Reader.second_argument),
    **dict.fromkeys(["SI", "qty", "ion"], _Reader.side_by_side),
    **dict.fromkeys(STACKED, _Reader.stacked),
    **dict.fromkeys(LONG_ARROWS, _Reader.long_arrow),
    **dict.fromkeys(CITATIONS, _Reader.citation),
    **dict.fromkeys(FRACTIONS, _Reader.fraction),
    **dict.fromkeys(TEXT_SCRIPTS, _Reader.text_script),
    **{"sqrt": _Reader.root, "binom": _Reader.binomial, "pmod": _Reader.modulus, "begin": _Reader.environment},
    **{"footnote": _Reader.note, "unicode": _Reader.code_point},
}
