"""Similar papers: those that share what is rare in a paper's title and abstract.

What a paper is about stands in its title, word by word and pair by pair, and in what its abstract says again and again.
Of each of these the index is asked for the latest papers that have it, so many at most; from how far back they reach
follows how rare it is. A paper is as similar as what it shares is rare.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from math import log

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.interests.wording import wording
from bot.papers import Paper, PaperId, is_sample
from bot.storage import papers
from bot.storage.search import having
from bot.storage.words import in_category

_MOST_TRAITS = 20
_MOST_HAVING = 400
"""Papers that are looked at for each trait, the latest."""
_SHORTEST_WORD = 3
_AGAIN = 2
"""How often an abstract has what it is about."""
_SAME_FIELD = 1.5
"""Times as similar are papers of the same primary category."""
_LEAST_SHARED = 0.15
"""Of the paper's own rarity: who shares less has a word in common, not a subject."""
_LEAST_RARE = 1.0
"""Words that more than a third of all papers have say nothing."""

_HAVING = {
    "sqlite": """
        SELECT id, paper_id, instr(' ' || others || ' ', :primary) > 0 AS same_field FROM paper_words WHERE id IN (
            SELECT rowid FROM found_words WHERE found_words MATCH :query ORDER BY rowid DESC LIMIT :most
        )""",
    "postgresql": """
        SELECT id, paper_id, strpos(' ' || others || ' ', :primary) > 0 AS same_field FROM paper_words
        WHERE found @@ to_tsquery('simple', :query) ORDER BY id DESC LIMIT :most""",
}


async def similar(connection: AsyncConnection, paper: Paper, at_most: int) -> list[Paper]:
    """The stored papers that are most like this one, the likest first; never itself."""
    newest = (await connection.execute(sa.text("SELECT max(id) FROM paper_words"))).scalar_one() or 0
    dialect = connection.dialect.name
    primary = f" {in_category(paper.primary, primary=True)} "
    score: defaultdict[str, float] = defaultdict(float)
    of_same_field: set[str] = set()
    whole = 0.0
    for trait in traits(paper):
        values = {"query": having(trait, dialect), "most": _MOST_HAVING, "primary": primary}
        rows = (await connection.execute(sa.text(_HAVING[dialect]), values)).all()
        reach = newest - min(row.id for row in rows) + 1 if len(rows) == _MOST_HAVING else newest
        rarity = log(reach / len(rows)) if rows else 0.0
        others = [row for row in rows if row.paper_id != paper.id]
        if rarity < _LEAST_RARE or not others:
            continue
        whole += rarity
        for row in others:
            score[row.paper_id] += rarity
        of_same_field |= {row.paper_id for row in others if row.same_field}
    for paper_id in of_same_field:
        score[paper_id] *= _SAME_FIELD
    alike = [each for each in score if score[each] >= _LEAST_SHARED * whole and not is_sample(PaperId(each))]
    best = [PaperId(each) for each in sorted(alike, key=lambda each: (score[each], each), reverse=True)[:at_most]]
    found = await papers.get(connection, best)
    return [found[each] for each in best if each in found]


def traits(paper: Paper) -> list[tuple[str, ...]]:
    """What a paper is about: its title's pairs of words, and words of its title and, if said again, of its abstract."""
    title, abstract = wording(paper.title).apart.split(), wording(paper.abstract).apart.split()
    said = Counter([*title, *abstract])
    words = [(word,) for word in dict.fromkeys(title) if _says_something(word)]
    again = [(word,) for word, times in said.most_common() if times > _AGAIN and _says_something(word)]
    return list(dict.fromkeys([*_pairs(title), *words, *again]))[:_MOST_TRAITS]


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    return (pair for pair in pairwise(words) if all(map(_says_something, pair)))


def _says_something(word: str) -> bool:
    return len(word) >= _SHORTEST_WORD and word.isalpha()
