"""What LaTeX's macros stand for: signs, letters, accents, and the ways to set what follows them."""

from functools import cache

from pylatexenc.latex2text import get_default_latex_context_db


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ACCENTS = {
    **dict(zip("'`^\"~=.", "\u0301\u0300\u0302\u0308\u0303\u0304\u0307", strict=True)),
    **dict(zip("cdkruvH", "\u0327\u0323\u0328\u030a\u0306\u030c\u030b", strict=True)),
}
MATH_ACCENTS = {
    **dict.fromkeys(["hat", "widehat", "Hat"], "\u0302"),
    **dict.fromkeys(["tilde", "widetilde", "Tilde"], "\u0303"),
    **dict.fromkeys(["bar", "overline", "Bar"], "\u0305"),
    **{"acute": "\u0301", "grave": "\u0300", "breve": "\u0306", "check": "\u030c", "dot": "\u0307", "ddot": "\u0308"},
    **{"dddot": "\u20db", "mathring": "\u030a", "vec": "\u20d7", "not": "\u0338"},
    **{"overrightarrow": "\u20d7", "overleftarrow": "\u20d6"},
}
# Bold, sans and italic letters have signs too, but few fonts draw them and no search finds them: they stay plain.
ALPHABETS = {
    **dict.fromkeys(["mathbb", "mathds", "mathbbm", "Bbb"], "doublestruck"),
    **dict.fromkeys(["mathcal", "mathscr", "EuScript", "cal"], "script"),
    **dict.fromkeys(["mathfrak", "frak"], "fraktur"),
}
TEXT_CONTENTS = _words(
    "text textrm textit textbf textsc textsl textsf texttt textnormal textup textmd emph url mbox hbox enquote num"
)
MATH_CONTENTS = _words(
    "mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb bold operatorname mathop mathbin mathrel mathord "
    "ensuremath underline substack"
)
FRACTIONS = _words("frac tfrac dfrac cfrac nicefrac sfrac")
# What only tells TeX how to set what follows.
SILENT = _words(
    "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm limits nolimits "
    "displaystyle textstyle scriptstyle scriptscriptstyle rm bf it em tt sf sc sl small footnotesize scriptsize tiny "
    "large boldmath noindent xspace protect hline centering ! - / @"
)
SILENT_WITH_ARGUMENT = _words("label hspace vspace color phantom hphantom vphantom")
SPACES = {" ", ",", ";", ":", "\\", "\n", "quad", "qquad", "newline", "enspace", "thinspace", "cr", "par"}
CITATIONS = _words("cite citep citet citealp citealt citeauthor parencite textcite autocite")
# First the argument that stands above or below, then what it belongs to.
STACKED = {"overset": "^", "stackrel": "^", "underset": "_"}
TEXT_SCRIPTS = {"textsuperscript": "^", "textsubscript": "_"}
LONG_ARROWS = {"xrightarrow": "→", "xleftarrow": "←", "xleftrightarrow": "↔", "xmapsto": "↦", "xhookrightarrow": "↪"}
# Environments of rows and cells, with what they stand in; of any other the contents are read.
TABLES = {
    **{"cases": ("{", "}"), "pmatrix": ("(", ")"), "psmallmatrix": ("(", ")"), "bmatrix": ("[", "]")},
    **{"Bmatrix": ("{", "}"), "vmatrix": ("|", "|"), "Vmatrix": ("‖", "‖")},
    **dict.fromkeys(["matrix", "smallmatrix", "array", "tabular"], ("", "")),
}
FUNCTIONS = _words(
    "gcd lcm det dim ker deg hom arg Pr sec csc cot coth sinh mod bmod sgn argmax argmin Re Im "
    "Hom End Ext Tor Aut Gal Sym Spec Res Rep Tr GL SL PGL PSL Sp SO SU OPT Cov Var conv rank ord supp diag"
)
# Not TeX's own: what AASTeX and many papers' preambles call so.
CUSTOM = {
    **{"N": "ℕ", "Z": "ℤ", "Q": "ℚ", "R": "ℝ", "NN": "ℕ", "ZZ": "ℤ", "QQ": "ℚ", "RR": "ℝ", "CC": "ℂ", "FF": "𝔽"},
    **{"arcsec": "″", "arcmin": "′", "arcdeg": "°", "farcs": "″.", "farcm": "′.", "fdg": "°.", "micron": "µm"},
    **{"Msun": " M_⊙", "Lsun": " L_⊙", "Rsun": " R_⊙", "Zsun": " Z_⊙", "kms": " km s⁻¹"},
    **{"eg": "e.g.", "ie": "i.e.", "etal": "et al.", "wrt": "w.r.t."},
}
# In text a letter of some alphabet; in mathematics these names are the author's own macros.
LETTERS = _words("oe OE ae AE aa AA o O ss L l i j")

SCRIPTS = {
    "^": str.maketrans(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ∘′'*∗†‡",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ°′′**†‡",
    ),
    "_": str.maketrans("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"),
}
RAISED = frozenset(chr(sign) for table in SCRIPTS.values() for sign in table.values()) - set("°′*†‡")
"""Signs that stand higher or lower than the line."""
ROOTS = {"": "√", "3": "∛", "4": "∜"}


@cache
def symbols() -> dict[str, str]:
    """Macros that stand for one sign or a function's name: pylatexenc's table, less what it lays out."""
    table = {spec.macroname: spec.simplify_repl for spec in get_default_latex_context_db().iter_macro_specs()}
    signs = {
        name: sign
        for name, sign in table.items()
        if isinstance(sign, str) and (len(sign) == 1 or sign.replace(" ", "").isalpha()) and not sign.isspace()
    }
    signs |= CUSTOM | {name: name for name in FUNCTIONS} | {sign: sign for sign in "%#&_${}"}
    signs |= {"|": "‖", "prime": "′", "ne": "≠", "colon": ":", "coloneqq": "≔", "Bbbk": "𝕜", "degree": "°", "S": "§"}
    signs |= {"textasciicircum": "^", "textasciitilde": "~", "imath": "i", "jmath": "j", "bmod": "mod", "lt": "<"}
    signs |= {"gt": ">", "iff": "⟺", "implies": "⟹", "land": "∧", "lor": "∨", "choose": " choose ", "item": "•"}
    return signs | {"backslash": "∖", "smallsetminus": "∖", "Box": "□", "textless": "<", "textgreater": ">"}
