"""LaTeX from arXiv, as a reader of a chat sees it."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards.latex import LONGEST, math_spans, readable


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        (r"$\mathcal{O}(n^2)$ time", "𝒪(n²) time"),
        (r"$x_{ij}$ and $x^{foo+q}$", "xᵢⱼ and x^(foo+q)"),
        (r"$M_\odot$, $10^{-3}$, $T_{eff}$, 30$^\circ$", "M_⊙, 10⁻³, T_eff, 30°"),
        (r"$\mathbb{R}^n \to \mathfrak{g}$", "ℝⁿ → 𝔤"),
        (r"$\frac{a}{b}$, $\frac{a+1}{2b}$, $\frac12x$", "a/b, (a+1)/(2b), (1/2)x"),
        (r"$\sqrt{x}$, $\sqrt{x+1}$, $\sqrt[3]{2}$", "√x, √(x+1), ∛2"),
        (r"$n\log\log n$ over $p\equiv 1\pmod{4}$", "n log log n over p≡1 (mod 4)"),
        (r"$\left\{x \in X : |x| \leq 1\right\}$", "{x ∈ X : |x| ≤ 1}"),
        (r"$\bar{x}$, $\hat\rho$, $a \not= b$", "x̅, ρ̂, a ≠ b"),
        (r"$\operatorname{Gal}(K/\mathbb{Q})$", "Gal(K/ℚ)"),
        (r"\(a\), \[b^2\], $$c$$ and $x$$y$", "a, b², c and xy"),
        (r"\begin{equation*} E=mc^2 \end{equation*}", "E=mc²"),
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
        (r"10--20 of ~5\%", "10--20 of ~5%"),
        (r"{\bf Fast} {B}ayes\ldots", "Fast Bayes…"),
    ],
)
def test_marked_up_text_reads_as_its_words(typed: str, seen: str) -> None:
    assert readable(typed) == seen


@pytest.mark.parametrize("text", ["for $35,000", "from $5 to $10", "US$28.31 or US$40.88", "$2B-$10B", "95$ a day"])
def test_money_is_no_formula(text: str) -> None:
    assert readable(text) == text
    assert math_spans(text) == []


def test_a_formula_after_a_price_is_still_one() -> None:
    assert readable("$5 for $0<d<1$ and $x$") == "$5 for 0<d<1 and x"


@pytest.mark.parametrize("text", [r"we use \ours{small}[x] here", r"\citep{a_b}", r"C:\ourfiles"])
def test_an_unknown_macro_stays_as_typed(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize("text", [r"\emph{open", r"$x_{i$", r"shut} \alpha", r"\alpha" + "{" * 99 + "}" * 99])
def test_text_with_broken_braces_stays_as_typed(text: str) -> None:
    assert readable(text) == text


def test_an_author_s_macro_that_shares_a_letter_s_name_is_left_alone() -> None:
    assert readable(r"$\O(n)$ and \O slo") == r"\O(n) and Øslo"


LATEX_LIKE = st.text(alphabet=st.sampled_from(list("\\{}$^_~[]()ab1 .\"'")) | st.characters(), max_size=200)


@given(LATEX_LIKE)
def test_nothing_an_author_types_breaks_it_or_makes_it_long(text: str) -> None:
    assert len(readable(text)) <= 3 * len(text)


@given(LATEX_LIKE)
def test_text_without_latex_is_unchanged_and_what_became_plain_stays(text: str) -> None:
    plain = re.sub(r"[\\$]", "", text)
    assert readable(plain) == plain
    seen = readable(text)
    assert "\\" in seen or "$" in seen or readable(seen) == seen


@pytest.mark.parametrize("unit", ["$", r"\(", "{", r"\'", r"\'{", r"\sqrt", "$x^", r"\a[", r"\begin{equation}", "$a "])
def test_hostile_text_takes_no_long_time(unit: str) -> None:
    text = unit * (LONGEST // len(unit))
    started = time.perf_counter()
    readable(text)
    assert time.perf_counter() - started < 1


def test_text_longer_than_anything_on_arxiv_stays_as_typed() -> None:
    text = r"\alpha " * LONGEST
    assert readable(text) == text
