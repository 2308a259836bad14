"""LaTeX from arXiv, as a reader of a chat sees it."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards.formulas import math_spans
from bot.cards.latex import LONGEST, readable


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        (r"$\mathcal{O}(n^2)$ time", "𝒪(n²) time"),
        (r"$x_{ij}$ and $x^{foo+q}$", "xᵢⱼ and x^(foo+q)"),
        (r"$M_\odot$, $10^{-3}$, $T_{eff}$, 30$^\circ$", "M_⊙, 10⁻³, T_eff, 30°"),
        (r"$\mathbb{R}^n \to \mathfrak{g}$", "ℝⁿ → 𝔤"),
        (r"$\frac{a}{b}$, $\frac{a+1}{2b}$, $\frac12x$", "a/b, (a+1)/(2b), (1/2)x"),
        (r"$\frac12\pi$, $\frac{1}{2}\le x$, $x\le\frac{1}{k}$", "(1/2)π, 1/2≤x, x≤1/k"),
        (r"$\frac{\partial f}{\partial x}$, $f'(x)$, $\Gamma\backslash G$", "∂f/∂x, f′(x), Γ∖G"),
        (r"$\mathrm{SL}_n(\R)$, $\log_2 n$, $\operatorname{Sym}^2 V$", "SLₙ(ℝ), log₂ n, Sym² V"),
        (r"$8.6^{+1.4}_{-1.2}$, $\mathbb{F}_{p^m}$, $x^{2^n}$", "8.6⁺¹·⁴₋₁.₂, 𝔽_(pᵐ), x^(2ⁿ)"),
        (
            r"$X_n \xrightarrow[n]{d} Y$, $A \overset{\infty}{\otimes} B$, $\underset{k=1}{\sum}$",
            "Xₙ →ᵈ Y, A ⊗^∞ B, ∑ₖ₌₁",
        ),
        (r"$\underbrace{a+b}_{n}$, $\overleftarrow{p}$, $\overrightarrow{AB}$", "(a+b)ₙ, p⃖, A⃗B⃗"),
        (r"$\sqrt{x}$, $\sqrt{x+1}$, $\sqrt[3]{2}$", "√x, √(x+1), ∛2"),
        (r"$n\log\log n$ over $p\equiv 1\pmod{4}$", "n log log n over p≡1 (mod 4)"),
        (r"$\left\{x \in X : |x| \leq 1\right\}$", "{x ∈ X : |x| ≤ 1}"),
        (r"$\bar{x}$, $\hat\rho$, $a \not= b$", "x̅, ρ̂, a ≠ b"),
        (r"$\operatorname{Gal}(K/\mathbb{Q})$", "Gal(K/ℚ)"),
        (r"\(a\), \[b^2\], $$c$$ and $x$$y$", "a, b², c and xy"),
        (r"\begin{equation*} E=mc^2 \end{equation*}", "E=mc²"),
        (r"\[\begin{aligned} a &= b \\[2mm] c &= d \end{aligned}\]", "a = b c = d"),
        (r"\[\begin{align} a &= b \end{align}\]", "a = b"),
        (r"$\begin{pmatrix} a & b \\ c & d \end{pmatrix}$", "(a, b; c, d)"),
        (r"$U=\ours\begin{bmatrix} x \end{bmatrix}$", r"U=\ours[x]"),
        (r"$\begin{array}{cc} 1 & 2 \\ 3 & 4 \end{array}$", "1, 2; 3, 4"),
        (
            r"\[\begin{cases} 1, & \text{if $k$ is odd,} \\ 0, & \text{else.} \end{cases}\]",
            "{1, if k is odd; 0, else}.",
        ),
    ],
)
def test_a_formula_reads_as_unicode(typed: str, seen: str) -> None:
    assert readable(typed) == seen


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        (r"Rapha\"el, Andr\'{e}, {\L}ukasz", "Raphaël, André, Łukasz"),
        (r"Erd\H{o}s, Ay\c{s}e, Ji\v{r}\'{\i}", "Erdős, Ayşe, Jiří"),
        (r"S\o rensen, Stra\ss e, \O{}vind", "Sørensen, Straße, Øvind"),
        (r"Mu\~noz and \~{}", "Muñoz and ~"),
    ],
)
def test_a_name_gets_its_accents(typed: str, seen: str) -> None:
    assert readable(typed) == seen


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        (r"\textbf{bold $x_i$} and \emph{slanted}", "bold xᵢ and slanted"),
        (r"100\% of a~b, \href{http://x.org}{here}", "100% of a b, here"),
        (r"\url{http://x.org/a_b/~me}", "http://x.org/a_b/~me"),
        (r"10--20 of ~5\%", "10–20 of ~5%"),
        (r"{\bf Fast} {B}ayes\ldots", "Fast Bayes…"),
        (r"as \citep[Thm 2]{ada20} and \cite{a,b} say", "as [ada20, Thm 2] and [a,b] say"),
        (r"data\footnote{At \url{https://a.org/b--c}.} and", "data (At https://a.org/b--c.) and"),
        (r"\textsuperscript{2}H, [\ion{N}{2}], \SI{300}{pc}, \num{12}", "²H, [N 2], 300 pc, 12"),
        (r"0\farcs5, 3\Msun at 22\kms, \eg, here", "0″.5, 3 M_⊙ at 22 km s⁻¹, e.g., here"),
        (r"1\unicode{x2013}2\label{x}\hspace{2mm} of", "1–2 of"),
        (r"\begin{itemize}\item One \item Two\end{itemize}", "• One • Two"),
    ],
)
def test_marked_up_text_reads_as_its_words(typed: str, seen: str) -> None:
    assert readable(typed) == seen


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("a ``quoted'' word, and ``another\" one", "a “quoted” word, and “another” one"),
        ("1--2, so---it seems -- holds", "1–2, so—it seems – holds"),
        ("Voronoi's {V}oronoi, Z{ü}rich", "Voronoi's Voronoi, Zürich"),
        ("A_{mp}^{mix} of x^{2}", "Aₘₚᵐⁱˣ of x²"),
    ],
)
def test_what_is_typed_for_tex_outside_formulas_reads_well_too(typed: str, seen: str) -> None:
    assert readable(typed) == seen


@pytest.mark.parametrize(
    "text",
    [
        "use --json",
        "a --> b",
        "<!-- x -->",
        "-----",
        "https://a.org/b--c",
        "the set {a, b}",
        "{ImageNet, CIFAR}",
        "1''",
    ],
)
def test_what_only_looks_like_tex_stays_as_typed(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize("text", ["for $35,000", "from $5 to $10", "US$28.31 or US$40.88", "$2B-$10B", "95$ a day"])
def test_money_is_no_formula(text: str) -> None:
    assert readable(text) == text
    assert math_spans(text) == []


def test_a_formula_after_a_price_is_still_one() -> None:
    assert readable("$5 for $0<d<1$ and $x$") == "$5 for 0<d<1 and x"


@pytest.mark.parametrize(
    "text", [r"we use \ours{small}[x] here", r"\ourterm{a_b}", r"\unicode{xD800}", r"$\bar\ours$"[1:-1], r"C:\ourfiles"]
)
def test_an_unknown_macro_stays_as_typed(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        (r"\emph{open $\alpha$", r"\emph{open α"),
        (r"$x_{i$ and $y_{j}$", "x_{i and yⱼ"),
        (r"shut} \alpha", "shut} α"),
        (r"\begin{x} $\beta$", r"\begin{x} β"),
        (r"\begin{cases} {a \end{cases} $\beta$ }", r"\begin{cases} {a \end{cases} β }"),
    ],
)
def test_a_brace_without_a_partner_is_shown_and_what_is_around_it_reads_well(typed: str, seen: str) -> None:
    assert readable(typed) == seen


def test_what_is_nested_deeper_than_anybody_writes_stays_as_typed() -> None:
    text = r"\alpha" + "{" * 99 + "}" * 99
    assert readable(text) == text


def test_an_author_s_macro_that_shares_a_letter_s_name_is_left_alone() -> None:
    assert readable(r"$\O(n)$ and \O slo") == r"\O(n) and Øslo"


LATEX_LIKE = st.text(alphabet=st.sampled_from(list("\\{}$^_~[]()ab1 .\"'")) | st.characters(), max_size=200)


@given(LATEX_LIKE)
def test_nothing_an_author_types_breaks_it_or_makes_it_long(text: str) -> None:
    assert len(readable(text)) <= 3 * len(text)


@given(LATEX_LIKE)
def test_text_without_latex_is_unchanged_and_what_became_plain_stays(text: str) -> None:
    plain = re.sub(r"[\\${`-]", "", text)
    assert readable(plain) == plain
    seen = readable(text)
    assert "\\" in seen or "$" in seen or readable(seen) == seen


@pytest.mark.parametrize(
    "unit",
    [
        "$",
        r"\(",
        "{",
        "``",
        "a--",
        "_{",
        r"\bar",
        r"\bar_{",
        r"\begin{a}",
        r"\begin{a}}",
        r"{\begin{a}{\end{a}",
        r"\'",
        r"\'{",
        r"\sqrt",
        "$x^",
        r"\a[",
        r"\begin{equation}",
        "$a ",
    ],
)
def test_hostile_text_takes_no_long_time(unit: str) -> None:
    text = unit * (LONGEST // len(unit))
    started = time.perf_counter()
    readable(text)
    assert time.perf_counter() - started < 1


def test_marks_on_marks_do_not_double_at_each_depth() -> None:
    assert len(readable("$" + r"\hat{\bar{" * 19 + "abc" + "}}" * 19 + "$")) < 200


def test_text_longer_than_anything_on_arxiv_stays_as_typed() -> None:
    text = r"\alpha " * LONGEST
    assert readable(text) == text
