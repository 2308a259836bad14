"""How papers full of LaTeX read on every platform, and what the benchmark that measures it sees."""

import json
from pathlib import Path

import pytest

from benchmarks.render import Count, chinese, look_at_discord, look_at_telegram, measure, papers, raw
from bot.papers import Paper
from tests.builders import a_paper

HEAVY = [
    a_paper(
        1,
        "math.NT",
        "math.AG",
        title=r"On $\mathcal{O}(n^{2})$ Bounds for $\mathrm{SL}_n(\mathbb{R})$ --- after Erd\H{o}s",
        abstract=r"We bound $\frac{a+1}{2b}$ by $\sqrt{x^2+1}$ for $x_{ij} \in \mathbb{F}_{p^m}$, see \cite[§2]{ada}. "
        r"Let \begin{equation} f(x)=\begin{cases} 1, & \text{if $x$ is ``odd''}, \\ 0, & \text{else} \end{cases} "
        r"\end{equation} and take $M=\begin{pmatrix} a & b \\ c & d \end{pmatrix}$. We show that "
        r"$\lim_{n\to\infty} a_n/24=\varphi(n)/24$ holds, with $(1+\sqrt{5})/2$ of @everyone, \#tags and \$TON at "
        r"\url{https://example.org/a_b--c}.",
        authors=("Raphaël Núñez", "Oona O'Neil"),
        comment=r"12 pages, 3 figures; $\mathbb{Z}$-graded, with K.~Lee",
        journal_ref=r"J. Reine Angew. Math. \textbf{12} (2026), 1--20",
    ),
    a_paper(
        2,
        "astro-ph.GA",
        title=r"A $10^{8}\,M_\odot$ Halo at $z\sim1.6$",
        abstract=r"We measure $8.6^{+1.4}_{-1.2}$ kpc, 22\kms{} and 0\farcs5 in [\ion{N}{2}] $\lambda6584$. "
        r"\textbf{Results} of H$\alpha$ show $\gtrsim 60\%$ of $T_{\rm eff}$ and \ourterm{more}. It costs \$5. "
        + r"The ratio $\left(\frac{L}{L_\odot}\right)^{-0.5}$ is \emph{large}, $\le 3$. "
        * 20,
        authors=(),
    ),
    a_paper(
        3, title=r"\emph{Unclosed $x_{i$ \& <b>", abstract="{" * 60 + r"$\hat{\bar{x}}$ " * 200, comment=r"\\" * 90
    ),
    a_paper(4, abstract=""),
]


def test_papers_full_of_latex_read_well_and_keep_every_limit() -> None:
    count = measure(HEAVY[:2] * 15)
    assert (count.papers, count.refused, count.over_limit, count.mentions) == (30, 0, 0, 0)
    assert (count.raw_latex, count.left) == (0, {})


def test_papers_that_nobody_can_read_are_shown_within_the_limits_all_the_same() -> None:
    count = measure(HEAVY)
    assert (count.refused, count.over_limit, count.mentions) == (0, 0, 0)
    assert count.messages > 3 * 4 * len(HEAVY)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (r"a \frac{1}{2}, \alpha and \%", [r"\frac", r"\alpha", r"\%"]),
        (r"N\'u\~nez of {B}onn", [r"\'u", r"\~n", "{B}o"]),
        ("x_{i} is ``odd'', 1--2", ["_{", "``", "--"]),
        (r"of $x_i$ and $n$", ["$…$", "$…$"]),
        (r"\ours{x} for $5 to $10, {a, b}, x_(ab), --json, https://a.org/b--c", []),
    ],
)
def test_latex_that_unicode_has_signs_for_is_found_in_what_is_shown(text: str, left: list[str]) -> None:
    assert list(raw(text)) == left


def test_made_up_chinese_keeps_the_formulas_and_is_as_long_as_a_translation() -> None:
    prose = "We bound the length of this in words that are long enough. "
    text = chinese(prose * 10 + "$x_i$")
    assert text.endswith("xᵢ")
    assert len(text) == round(0.4 * 10 * len(prose)) + len("xᵢ")


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<b>fine</b>", (0, 0, 0)),
        ("<b>open", (1, 0, 0)),
        ("by @somebody", (0, 0, 1)),
        ("see #tag", (0, 0, 1)),
        ("long " * 900, (0, 1, 0)),
        ("<b>x</b> " * 101, (0, 1, 0)),
    ],
)
def test_what_telegram_would_refuse_cut_or_link_is_counted(html: str, found: tuple[int, int, int]) -> None:
    count = Count()
    look_at_telegram(json.dumps({"text": html, "buttons": []}), count)
    assert (count.refused, count.over_limit, count.mentions) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, (0, 0, 0)),
        ({"content": ""}, (1, 0, 0)),
        ({"content": "x" * 2_001}, (1, 1, 0)),
        ({"embeds": [{"title": "x", "url": "ftp://x"}]}, (1, 0, 0)),
        ({"content": "for <@123>"}, (0, 0, 1)),
        ({"allowed_mentions": {}}, (0, 0, 1)),
    ],
)
def test_what_discord_would_refuse_or_ping_is_counted(body: dict[str, object], found: tuple[int, int, int]) -> None:
    count = Count()
    whole = {"content": "fine", "embeds": [], "components": [], "allowed_mentions": {"parse": []}} | body
    look_at_discord(json.dumps(whole), count)
    assert (count.refused, count.over_limit, count.mentions) == found


@pytest.mark.shared
def test_three_hundred_real_papers_read_well_and_keep_every_limit(shared: Path) -> None:
    files = sorted((shared / "arxiv/papers").glob("*.jsonl.gz"))
    some: list[Paper] = [paper for file in files for paper in papers(file, 300 // len(files))]
    count = measure(some)
    assert (count.papers, count.refused, count.over_limit, count.mentions) == (300, 0, 0, 0)
    assert count.raw_latex <= 1, count.left
