"""LaTeX in titles, abstracts and author names, as text that reads well in a chat."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from pylatexenc.latex2text import fmt_math_text_style, get_default_latex_context_db

# arXiv's longest abstract has under 3,000 characters, its longest author list some 10,000.
LONGEST = 20_000
DEEPEST = 40


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ACCENTS = {
    **dict(zip("'`^\"~=.", "\u0301\u0300\u0302\u0308\u0303\u0304\u0307", strict=True)),
    **dict(zip("cdkruvH", "\u0327\u0323\u0328\u030a\u0306\u030c\u030b", strict=True)),
}
MATH_ACCENTS = {
    **dict.fromkeys(["hat", "widehat"], "\u0302"),
    **dict.fromkeys(["tilde", "widetilde"], "\u0303"),
    **dict.fromkeys(["bar", "overline"], "\u0305"),
    **{"acute": "\u0301", "grave": "\u0300", "breve": "\u0306", "check": "\u030c", "dot": "\u0307"},
    **{"ddot": "\u0308", "mathring": "\u030a", "vec": "\u20d7", "not": "\u0338"},
}
# Bold, sans and italic letters have signs too, but few fonts draw them and no search finds them: they stay plain.
ALPHABETS = {
    **dict.fromkeys(["mathbb", "mathds", "mathbbm", "Bbb"], "doublestruck"),
    **dict.fromkeys(["mathcal", "mathscr", "EuScript", "cal"], "script"),
    **dict.fromkeys(["mathfrak", "frak"], "fraktur"),
}
TEXT_CONTENTS = _words(
    "text textrm textit textbf textsc textsl textsf texttt textnormal textup textmd emph url mbox hbox enquote"
)
MATH_CONTENTS = _words(
    "mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb operatorname mathop mathbin mathrel mathord "
    "ensuremath underline substack"
)
FRACTIONS = _words("frac tfrac dfrac cfrac nicefrac sfrac")
# What only tells TeX how to set what follows.
SILENT = _words(
    "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm limits nolimits "
    "displaystyle textstyle scriptstyle scriptscriptstyle rm bf it em tt sf sc sl small footnotesize scriptsize tiny "
    "large boldmath noindent xspace protect ! - / @"
)
SPACES = {" ", ",", ";", ":", "\\", "\n", "quad", "qquad", "newline", "enspace", "thinspace"}
FUNCTIONS = _words("gcd lcm det dim ker deg hom arg Pr sec csc cot coth sinh mod bmod sgn argmax argmin Re Im")
# In text a letter of some alphabet; in mathematics these names are the author's own macros.
LETTERS = _words("oe OE ae AE aa AA o O ss L l i j")

SCRIPTS = {
    "^": str.maketrans(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ∘′'*∗†‡",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ°′′**†‡",
    ),
    "_": str.maketrans("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"),
}
ROOTS = {"": "√", "3": "∛", "4": "∜"}

_ENVIRONMENT = r"\\begin\{(?:equation|align|gather|multline|eqnarray|displaymath)\*?\}"
_DELIMITER = re.compile(rf"{_ENVIRONMENT}|\\end\{{\w+\*?\}}|\\[\s\S]|\$\$?")
_CLOSERS = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_MATH_SIGN = re.compile(r"[\\^_{]")
_PROSE = re.compile(r"^\s|\s$|^\d.*[A-Za-z]{3}", re.S)
_ENGLISH = re.compile(r"[A-Za-z]{2}")
_TOKEN = re.compile(r"\\(?P<name>[A-Za-z]+|[\s\S])|[\\{}~^_$&]|[^\\{}~^_$&]+")
_BRACE = re.compile(r"\\[\s\S]|[{}]")
_OPTION = re.compile(r"\[([^\[\]{}$\\]*)\]")
_BARE_GROUP = re.compile(r"\{(?:\\|\w*\})")
_OPERATOR = re.compile(r"[\s+\-−=/<>±×]")
_ATOM = re.compile(r"\d+(\.\d+)?|[^\W\d][^\s+\-−=/<>±×·,]*|\([^()]*\)|\|[^|]*\|")
_WORD = re.compile(r"[\w.]+")


class _UnreadableError(Exception):
    """The braces do not match, or are nested deeper than anybody writes."""


def readable(text: str) -> str:
    r"""`text` with its LaTeX as Unicode: `$\mathcal{O}(n^2)$` becomes 𝒪(n²), `Rapha\"el` becomes Raphaël.

    Macros that only the author knows stay as typed; so does all of a text whose braces do not match, or that is
    longer than LONGEST characters. Never raises; takes time linear in the length.
    """
    if ("\\" not in text and "$" not in text) or len(text) > LONGEST:
        return text
    try:
        return _Reader(text).sequence(len(text), math=False)
    except _UnreadableError:
        return text


def math_spans(text: str) -> list[tuple[int, int]]:
    r"""Start and end of every formula in `text`, delimiters included: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, equation.

    A lonely dollar and a price (`from $5 to $10`) are none.
    """
    return [(start, end) for start, _, _, end in _formulas(text)]


def _formulas(text: str) -> list[tuple[int, int, int, int]]:
    """Of every formula: where it starts, where its content starts and ends, where it ends."""
    found: list[tuple[int, int, int, int]] = []
    start, opener, closer, position = 0, "", "", 0
    while delimiter := _DELIMITER.search(text, position):
        mark, here, position = delimiter[0], delimiter.start(), delimiter.end()
        content = start + len(opener), here
        if closer and mark.startswith(closer) and _is_formula(text, opener, *content):
            position = here + len(closer)
            found.append((start, *content, position))
            closer = ""
        elif not closer or opener.startswith("$") == mark.startswith("$"):
            closing = _CLOSERS.get(mark) or (mark.replace("begin", "end") if mark.startswith(r"\begin") else "")
            if closing:
                start, opener, closer = here, mark, closing
    return found


def _is_formula(text: str, opener: str, start: int, end: int) -> bool:
    content = text[start:end]
    if opener != "$" or _MATH_SIGN.search(content):
        return bool(content.strip())
    is_price = content.strip()[:1].isdigit() and text[end + 1 :].lstrip()[:1].isdigit()
    is_prose = _PROSE.search(content) and _ENGLISH.search(content)
    return bool(content.strip()) and not is_price and not is_prose


def _braces(text: str) -> dict[int, int]:
    """Where the brace that opens here is closed."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closing[opened.pop()] = brace.start()
        elif brace[0] == "}":
            raise _UnreadableError
    if opened:
        raise _UnreadableError
    return closing


@cache
def _symbols() -> dict[str, str]:
    """Macros that stand for one sign or a function's name: pylatexenc's table, less what it lays out."""
    table = {spec.macroname: spec.simplify_repl for spec in get_default_latex_context_db().iter_macro_specs()}
    signs = {
        name: sign
        for name, sign in table.items()
        if isinstance(sign, str) and (len(sign) == 1 or sign.replace(" ", "").isalpha()) and not sign.isspace()
    }
    signs |= {name: name for name in FUNCTIONS} | {sign: sign for sign in "%#&_${}"}
    signs |= {"|": "‖", "prime": "′", "ne": "≠", "colon": ":", "coloneqq": "≔", "Bbbk": "𝕜", "degree": "°", "S": "§"}
    signs |= {"textasciicircum": "^", "textasciitilde": "~", "imath": "i", "jmath": "j", "bmod": "mod", "lt": "<"}
    return signs | {"gt": ">", "iff": "⟺", "implies": "⟹", "land": "∧", "lor": "∨", "choose": " choose ", "item": "•"}


class _Reader:
    """Reads one text once, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.closing = _braces(text)
        self.formulas = {start: rest for start, *rest in _formulas(text)}

    def sequence(self, end: int, *, math: bool) -> str:
        out = ""
        after_word = False
        while self.position < end:
            is_macro = self.text[self.position] == "\\"
            piece = self.piece(math)
            is_word = is_macro and len(piece) > 1 and piece.isalpha()
            # TeX leaves a gap between a letter and a function's name.
            if math and (is_word or after_word) and piece[:1].isalnum() and out[-1:].isalnum():
                out += " "
            out += piece.removeprefix(" ") if out.endswith(" ") and is_macro else piece
            after_word = is_word if piece else after_word
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
        elif token[0] == "~":
            out = " " if math or self.is_tie(start) else "~"
        elif token[0] in SCRIPTS and math:
            out = self.script(token[0])
        else:
            out = "" if token[0] == "&" and math else token[0]
        self.depth -= 1
        return out

    def formula(self, start: int) -> str:
        self.position, content_end, end = self.formulas[start]
        out = self.sequence(content_end, math=True).strip()
        self.position = end
        return out

    def group(self, start: int, math: bool) -> str:
        self.position = start + 1
        out = self.sequence(self.closing[start], math=math)
        self.position = self.closing[start] + 1
        # Outside mathematics arXiv shows braces, so they mean TeX only around a word or a macro.
        return out if math or _BARE_GROUP.match(self.text, start) else f"{{{out}}}"

    def is_tie(self, start: int) -> bool:
        """Whether `~` joins words, as in `Fig.~3`; about (`~5`), ranges (`3~5`) and home pages (`/~me`) do not."""
        before, after = self.text[start - 1 : start], self.text[start + 1 : start + 2]
        joins = before.isalnum() or before in tuple(".,;:)}]$")
        return joins and not after.isspace() and not (before.isdigit() and after.isdigit())

    def script(self, mark: str) -> str:
        content = self.argument(math=True)
        squeezed = "".join(content.split())
        if squeezed and all(ord(sign) in SCRIPTS[mark] for sign in squeezed):
            return squeezed.translate(SCRIPTS[mark])
        if len(content) < 2 or (_WORD.fullmatch(content) and not self.next_is_letter()):
            return mark + content
        return f"{mark}({content.strip()})"

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
        return option.end() if option else self.closing.get(self.position, -1) + 1

    def argument(self, math: bool) -> str:
        """The group, macro or single sign that follows; empty where none does."""
        self.skip_space()
        here = self.text[self.position : self.position + 1]
        if here == "{":
            start, self.position = self.position, self.position + 1
            out = self.sequence(self.closing[start], math=math)
            self.position = self.closing[start] + 1
            return out
        if here == "\\":
            return self.piece(math)
        if here in ("", "}", "$"):
            return ""
        self.position += 1
        return here

    def skip_space(self) -> None:
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1

    # One method a kind of macro: its text, or None to leave it as typed.

    def symbol(self, name: str, math: bool) -> str | None:
        sign = _symbols().get(name)
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

    def space(self, _name: str, _math: bool) -> str:
        return " "

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
        marked = "".join(sign if sign.isspace() else sign + MATH_ACCENTS[name] for sign in signs)
        return unicodedata.normalize("NFC", marked) or None

    def lettered(self, name: str, _math: bool) -> str | None:
        return str(fmt_math_text_style(self.argument(math=True), ALPHABETS[name])) or None

    def contents(self, name: str, math: bool) -> str | None:
        if self.text.startswith("*", self.position):
            self.position += 1
        return self.argument(math and name not in TEXT_CONTENTS) or None

    def second_argument(self, _name: str, math: bool) -> str | None:
        return self.argument(math=False) and (self.argument(math) or None)

    def fraction(self, _name: str, _math: bool) -> str | None:
        start = self.text.rindex("\\", 0, self.position)
        above, below = self.argument(math=True).strip(), self.argument(math=True).strip()
        if not above or not below:
            return None
        above = above if not _OPERATOR.search(above) or _ATOM.fullmatch(above) else f"({above})"
        below = below if _ATOM.fullmatch(below) else f"({below})"
        before, after = self.text[start - 1 : start], self.text[self.position : self.position + 1]
        is_factor = before.isalnum() or after.isalnum() or after in tuple("(\\{")
        return f"({above}/{below})" if is_factor else f"{above}/{below}"

    def root(self, _name: str, _math: bool) -> str | None:
        option = _OPTION.match(self.text, self.position)
        degree = option[1] if option else ""
        self.position = option.end() if option else self.position
        content = self.argument(math=True).strip()
        sign = ROOTS.get(degree) or degree.translate(SCRIPTS["^"]) + "√"
        return sign + (content if _ATOM.fullmatch(content) else f"({content})") if content else None

    def binomial(self, _name: str, _math: bool) -> str:
        return f"({self.argument(math=True)} choose {self.argument(math=True)})"

    def modulus(self, _name: str, _math: bool) -> str:
        return f" (mod {self.argument(math=True)})"


_MACROS: dict[str, Callable[[_Reader, str, bool], str | None]] = {
    **dict.fromkeys(SILENT, _Reader.silent),
    **dict.fromkeys(SPACES, _Reader.space),
    **dict.fromkeys(ACCENTS, _Reader.accented),
    **dict.fromkeys(MATH_ACCENTS, _Reader.marked),
    **dict.fromkeys(ALPHABETS, _Reader.lettered),
    **dict.fromkeys(TEXT_CONTENTS | MATH_CONTENTS, _Reader.contents),
    **dict.fromkeys(["href", "textcolor", "texorpdfstring"], _Reader.second_argument),
    **dict.fromkeys(FRACTIONS, _Reader.fraction),
    **{"sqrt": _Reader.root, "binom": _Reader.binomial, "pmod": _Reader.modulus},
}
