"""Citations: what reference managers read of a paper, whatever arXiv and its authors wrote."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards.citation import MOST_AUTHORS, STYLES, Name, bibtex, csl, first_month, markdown, name_of, ris
from bot.papers import PaperId
from tests.builders import a_paper

PAPER = a_paper(
    7,
    "cs.CL",
    "cs.LG",
    title=r"The 50% \emph{Rule} of $L^2$ & Erd\H{o}s",
    authors=("Ada Lovelace", "Ludwig van der Berg", "The ATLAS Collaboration", "Sammy Davis, Jr."),
    journal_ref="Phys. Rev. D 76, 013009 (2007)",
    doi="10.1103/PhysRevD.76.013009",
)


def test_an_entry_has_the_fields_that_arxiv_gives_its_own() -> None:
    assert (
        bibtex([PAPER])
        == r"""@misc{lovelace202650,
  title = {The 50\% \emph{Rule} of $L^2$ \& Erd\H{o}s},
  author = {Lovelace, Ada and van der Berg, Ludwig and {The ATLAS Collaboration} and Davis, Jr., Sammy},
  year = {2026},
  eprint = {2603.00007},
  archivePrefix = {arXiv},
  primaryClass = {cs.CL},
  journal = {Phys. Rev. D 76, 013009 (2007)},
  doi = {10.1103/PhysRevD.76.013009},
  url = {https://arxiv.org/abs/2603.00007}
}
"""
    )


def test_what_a_paper_does_not_have_is_left_out() -> None:
    entry = bibtex([a_paper(1)])
    assert "doi" not in entry
    assert "journal" not in entry


def test_ris_has_a_tag_a_line_and_ends_each_record() -> None:
    assert ris([PAPER]).split("\r\n") == [
        "TY  - UNPB",
        "TI  - The 50% Rule of L² & Erdős",
        "AU  - Lovelace, Ada",
        "AU  - van der Berg, Ludwig",
        "AU  - The ATLAS Collaboration",
        "AU  - Davis, Sammy, Jr.",
        "PY  - 2026",
        "DA  - 2026/03//",
        "PB  - arXiv",
        "AN  - arXiv:2603.00007",
        "DO  - 10.1103/PhysRevD.76.013009",
        "UR  - https://arxiv.org/abs/2603.00007",
        "N1  - Phys. Rev. D 76, 013009 (2007)",
        "ER  - ",
        "",
        "",
    ]


def test_csl_json_is_a_list_of_preprints() -> None:
    (item,) = json.loads(csl([a_paper(7, authors=("Ada Lovelace", "何其"))]))
    assert item == {
        "id": "lovelace2026paper",
        "type": "article",
        "title": "Paper 7",
        "author": [{"family": "Lovelace", "given": "Ada"}, {"literal": "何其"}],
        "issued": {"date-parts": [[2026, 3]]},
        "publisher": "arXiv",
        "number": "arXiv:2603.00007",
        "DOI": "10.48550/arXiv.2603.00007",
        "URL": "https://arxiv.org/abs/2603.00007",
    }


def test_markdown_has_a_linked_title_a_line_and_no_markup_from_outside() -> None:
    paper = a_paper(7, title="A [link](x) *and* `code`", authors=("Ada Lovelace",), doi="10.1002/(SICI)1<1::AID>3")
    assert (
        markdown([paper, paper]).splitlines()
        == [
            r"- [A \[link\](x) \*and\* \`code\`](https://arxiv.org/abs/2603.00007). Ada Lovelace. arXiv:2603.00007 "
            r"\[cs.CL\], 2026. <https://doi.org/10.1002/%28SICI%291%3C1%3A%3AAID%3E3>"
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Ada Lovelace", Name("Lovelace", "Ada")),
        ("J. R. R. Tolkien", Name("Tolkien", "J. R. R.")),
        ("Ludwig van Beethoven", Name("van Beethoven", "Ludwig")),
        ("Juan de la Cruz", Name("de la Cruz", "Juan")),
        ("Martin Luther King Jr.", Name("King", "Martin Luther", "Jr.")),
        ("Henry Ford III", Name("Ford", "Henry", "III")),
        ("Plato", Name("Plato")),
        ("何其", Name("何其")),
        ("LIGO Scientific Collaboration", Name("LIGO Scientific Collaboration")),
        ("Smith and Sons", Name("Smith and Sons")),
        ("Lab, University", Name("Lab, University")),
        ("", Name("")),
    ],
)
def test_names_are_taken_apart_as_far_as_they_can_be(author: str, name: Name) -> None:
    assert name_of(author) == name


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r"$\left\{ x_1 \right.$", r"$\left\lbrace  x_1 \right.$"),
        (r"\{ alone", r"\textbraceleft{} alone"),
        ("a } b { c", "a b c"),
        (r"Caf\'{e}, {GPT} and \^{i}", r"Caf\'{e}, {GPT} and \^{i}"),
        ("costs 5$ a_b #1", r"costs 5\$ a\_b \#1"),
        (r"already \% and \_", r"already \% and \_"),
        ("x^2 outside, $x^2$ inside", r"x\textasciicircum{}2 outside, $x^2$ inside"),
        ("ends in \\", "ends in"),
        ("line\nbreak \x00and\u202e more", "line break and more"),
    ],
)
def test_latex_stays_and_signs_and_braces_do_no_harm(given: str, wanted: str) -> None:
    title = re.search(r"title = \{(.*)\},\n", bibtex([a_paper(1, title=given)]))
    assert title is not None
    assert re.sub(r" +", " ", title[1]).strip() == re.sub(r" +", " ", wanted)


@pytest.mark.parametrize(
    ("paper_id", "month"),
    [("2603.00001", (2026, 3)), ("0704.0001", (2007, 4)), ("hep-th/9901001", (1999, 1)), ("math/0012345", (2000, 12))],
)
def test_the_year_is_that_of_the_first_version(paper_id: str, month: tuple[int, int]) -> None:
    assert first_month(PaperId(paper_id)) == month


def test_keys_are_plain_letters_and_differ() -> None:
    papers = [a_paper(number, title="On the Ümlaut", authors=("Ása Ørsted",)) for number in (1, 2, 3)]
    keys = re.findall(r"@misc\{(.*),", bibtex(papers))
    assert keys == ["orsted2026umlaut", "orsted2026umlaut-2", "orsted2026umlaut-3"]
    assert re.findall(r"@misc\{(.*),", bibtex([a_paper(1, title="视觉", authors=("何其",))])) == ["arxiv2026"]


def test_of_thousands_of_authors_the_first_are_named() -> None:
    crowd = a_paper(1, authors=tuple(f"Ada Number{number}" for number in range(3_000)))
    entry = bibtex([crowd])
    assert f"Number{MOST_AUTHORS - 1}, Ada and others}}" in entry
    assert len(json.loads(csl([crowd]))[0]["author"]) == MOST_AUTHORS
    assert markdown([crowd]).count("Ada ") == MOST_AUTHORS
    assert "et al." in markdown([crowd])


TEXTS = st.text(st.one_of(st.sampled_from('{}\\$%&_#^~"@\n ,-'), st.characters()), max_size=40)


@settings(max_examples=60)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3), TEXTS, TEXTS)
def test_whatever_stands_in_a_paper_the_file_can_be_read(
    title: str, authors: list[str], journal: str, doi: str
) -> None:
    paper = a_paper(1, title=title, authors=tuple(authors), journal_ref=journal, doi=doi)
    entry = bibtex([paper])
    depth = 0
    for sign in entry:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)(?:\\\\)*\\\}(?:,\n|\n\}\n$)", entry), "a field's last brace is not escaped"
    assert len(json.loads(csl([paper]))) == 1
    lines = ris([paper]).split("\r\n")
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-2])
    assert markdown([paper]).count("\n") == 1


def test_every_style_makes_a_file_of_nothing() -> None:
    assert {name: style.cite([]) for name, style in STYLES.items()} == {
        "bibtex": "",
        "ris": "",
        "csl": "[]\n",
        "markdown": "",
    }
