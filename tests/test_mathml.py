"""Formulas on the web: drawn as MathML where they are understood, else as the Unicode that chats have; never unsafe."""

import gzip
import json
import re
import time
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bot.cards.latex import readable
from bot.cards.plain import plain
from bot.platforms.webchat.mathml import LONGEST_FORMULA, with_formulas

SAFE = re.compile(r"m[a-z]+")


def elements(text: str) -> list[etree._Element]:
    """The elements that a text becomes, which are MathML's and have nothing but looks about them."""
    found = list(etree.fromstring(f"<p>{with_formulas(text)}</p>").iter())[1:]
    for each in found:
        assert SAFE.fullmatch(str(each.tag)), each.tag
        assert not {"href", "class", "id", "style", "src"} & set(each.attrib)
    return found


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("$x_i$", "<msub><mi>x</mi><mi>i</mi></msub>"),
        ("$x_i^2$", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"$\frac{a}{b}$", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"$\mathbf{x}$", "<mi>𝐱</mi>"),
        (r"$\mathbb{R}^d$", "<msup><mi>ℝ</mi><mi>d</mi></msup>"),
        (r"$\log n$", '<mi>log</mi><mspace width="0.167em"></mspace><mi>n</mi>'),
        (r"$a \sim b$", "<mi>∼</mi>"),
        (r"\(n^2\)", "<msup><mi>n</mi><mn>2</mn></msup>"),
    ],
)
def test_a_formula_is_drawn_and_reads_aloud_as_in_a_chat(text: str, drawn: str) -> None:
    html = with_formulas(text)
    assert drawn in html
    assert f'alttext="{readable(text)}"' in html
    assert elements(text)


@pytest.mark.parametrize(
    "text",
    [
        "No formula, from $5 to $10",
        r"$\mine{x}$",
        "$x_$",
        "$" + "x_1" * (LONGEST_FORMULA // 3 + 1) + "$",
        r"$\def\a{\b\b}\def\b{x}\a_1$",
        r"$\newcommand{\a}{x}\a_1$",
        r"$\href{javascript:alert(1)}{x}$",
        "a\U00013000 $x_1$",
    ],
)
def test_what_is_not_wholly_understood_stays_the_text_that_chats_have(text: str) -> None:
    assert unescape(str(with_formulas(text))) == plain(readable(text))


def test_macros_that_multiply_themselves_cost_nothing() -> None:
    bomb = "".join(r"\newcommand{\A}{" + r"\B" * 10 + "}" for _ in range(8)).replace("A", "a").replace("B", "b")
    layers = "".join(rf"\newcommand{{\{a}}}{{\{b}\{b}\{b}\{b}}}" for a, b in pairwise("abcdefgh"))
    began = time.perf_counter()
    for each in (bomb, layers):
        with_formulas(f"${each}\\a$")
    assert time.perf_counter() - began < 1


PIECES = r"""$ $ \text \frac \left \right \href \class \style { } ( ) [ ] < > & \& _ ^ ' " \\ \begin{matrix}
\end{matrix} \def\x \let \sqrt \tag \label \color x 1 <img/src=x> &lt;b&gt; javascript: \mathbf"""


@given(st.lists(st.sampled_from(PIECES.split()), max_size=40).map(" ".join))
def test_whatever_is_typed_there_is_nothing_but_text_and_mathml(text: str) -> None:
    elements(text)


@pytest.mark.shared
def test_of_real_formulas_nearly_all_are_drawn_and_the_text_around_them_stays_as_it_reads(shared: Path) -> None:
    formulas = drawn = differing = texts = 0
    with gzip.open(shared / "arxiv" / "papers" / "papers_math.NT_zh_2026.jsonl.gz", "rt") as file:
        for line, _ in zip(file, range(300), strict=False):
            abstract = json.loads(line)["abstract"]
            html = str(with_formulas(abstract))
            found = re.findall(r"<math ", html)
            texts, drawn = texts + 1, drawn + len(found)
            formulas += abstract.count("$") // 2
            heard = re.sub(r'<math alttext="([^"]*)">.*?</math>', r"\1", html)
            differing += unescape(heard) != plain(readable(abstract))
    assert drawn > 0.95 * formulas > 500
    assert differing < texts / 100
