"""Categories: the two names of one are known as one."""

import json
from pathlib import Path

import pytest

from bot.taxonomy import canonical, categories


def test_the_names_of_a_category_are_one() -> None:
    pairs = [
        ("cs.IT", "math.IT"),
        ("eess.SY", "cs.SY"),
        ("math.NA", "cs.NA"),
        ("math-ph", "math.MP"),
        ("math.ST", "stat.TH"),
        ("econ.GN", "q-fin.EC"),
    ]
    assert [(canonical(name), canonical(alias)) for name, alias in pairs] == [(name, name) for name, _ in pairs]
    assert len({canonical(each) for each in categories()}) == len(categories()) - len(pairs)
    assert canonical("cs.CL") == "cs.CL"


@pytest.mark.shared
def test_the_aliases_are_those_of_arxiv(shared: Path) -> None:
    taxonomy = json.loads((shared / "arxiv/taxonomy/arxiv_taxonomy.json").read_text("utf-8"))
    changed = {each: canonical(each) for each in categories() if canonical(each) != each}
    assert changed == taxonomy["aliases"]
