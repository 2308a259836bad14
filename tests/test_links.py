"""Links to code and project pages, as abstracts and comments have them."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.cards.reply import card_of
from bot.locales import phrases_of
from bot.papers import find_links
from bot.summary import Provenance, Summary
from tests.builders import MONDAY, a_paper


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Code is available at https://github.com/a/b.", "https://github.com/a/b"),
        ("Code: github.com/a/b_c, and more", "https://github.com/a/b_c"),
        ("see www.github.com/a/b", "https://www.github.com/a/b"),
        ("http://github.com/a/b", "https://github.com/a/b"),
        ("Project page:https://Some-Lab.github.io/x/.", "https://some-lab.github.io/x/"),
        ("(project: name.github.io)", "https://name.github.io"),
        ("(https://github.com/a/b)", "https://github.com/a/b"),
        ("https://en.wikipedia.org/wiki/A_(b).", "https://en.wikipedia.org/wiki/A_(b)"),
        (r"\url{https://github.com/a/b\_c\#d}", "https://github.com/a/b_c#d"),
        (r"at \href{https://github.com/a/b.git}{\texttt{here}}.", "https://github.com/a/b.git"),
        (r"\href{https://example.org/\%7Eme}{$\star$}", "https://example.org/%7Eme"),
        ("{\\tt https://example.org:8080/x?y=1&z=2}", "https://example.org:8080/x?y=1&z=2"),
        ("代码见 https://github.com/a/b。", "https://github.com/a/b"),
        ("<https://huggingface.co/datasets/a/b>", "https://huggingface.co/datasets/a/b"),
        ("https://anonymous.4open.science/r/x-D05E/!", "https://anonymous.4open.science/r/x-D05E/"),
    ],
)
def test_a_link_is_found_without_what_is_around_it(text: str, link: str) -> None:
    assert find_links(text) == (link,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https://localhost/x",
        "https://arxiv.org/abs/2502.14584",
        "https://export.arxiv.org/abs/1",
        "http://example.org/plain",
        "we use GitHub (github.com) and e.g. some.thing",
        "me@github.com/x",
        "https://github.com@example.org/x",
        "notgithub.com/a/b",
        "ftp://example.org",
    ],
)
def test_what_is_no_link_is_left(text: str) -> None:
    assert find_links(text) == ()


def test_each_link_comes_once_and_the_comments_first() -> None:
    paper = a_paper(1, abstract="See https://a.org and github.com/x/y.", comment="At https://github.com/x/y!")
    assert paper.links == ("https://github.com/x/y", "https://a.org")
    assert a_paper(2).links == ()


def test_a_card_links_to_code_and_project_and_names_the_journal() -> None:
    paper = a_paper(
        1,
        abstract="Code: https://github.com/a/b. Page: https://a.github.io/b. Data: https://c.org.",
        comment="12 pages",
        journal_ref="J. Examples 7 (2026) 12",
    )
    summary = Summary(paper.id, 1, "Short.", (), Provenance("extract", "1", MONDAY))
    card = card_of(paper, summary, "en", phrases_of("en"))
    assert card.comment == "12 pages · J. Examples 7 (2026) 12"
    assert [(link.label, link.url) for link in card.links[2:]] == [
        ("Code", "https://github.com/a/b"),
        ("Project", "https://a.github.io/b"),
        ("Cool Papers", "https://papers.cool/arxiv/2603.00001"),
    ]
    assert card_of(paper, summary, "zh", phrases_of("zh")).links[2].label == "代码"


@given(st.text(st.sampled_from(r"https://github.com/a.io)(\_{}%@:#?&=~ ") | st.characters(), max_size=300))
@example("https://" + "a." * 10_000)
@example("https://a.org/" + ")" * 20_000)
@example("a-" * 10_000)
@example("https://" * 3_000)
@example("https://a.org/(" * 1_500)
def test_whatever_is_found_is_a_link_that_is_found_in_itself(text: str) -> None:
    for link in find_links(text):
        assert link.startswith("https://")
        assert link.isascii()
        assert not set(link) & set(" \\{}<>\"'`")
        assert find_links(link) == (link,)


@pytest.mark.shared
def test_links_of_real_papers_look_like_links(shared: Path) -> None:
    found = 0
    for file in sorted((shared / "arxiv/papers").glob("papers_*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                paper = json.loads(line)
                text = f"{paper.get('abstract') or paper.get('summary')} {paper.get('comment') or ''}"
                links = find_links(text)
                found += len(links)
                assert not [link for link in links if link[-1] in ".,;:)" or len(link) < 11]
                assert bool(links) or "https://github.com/" not in text
    assert found > 500
