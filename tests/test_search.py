"""Searching the stored papers: what a subscription would want is found, the best first, on both databases alike."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.interests import Document, Matches, parse_interest
from bot.jobs.indexing import Indexing
from bot.papers import Paper
from bot.storage import papers, search
from bot.storage.database import Database, open_database
from bot.storage.tables import paper_words
from tests.builders import MONDAY, a_paper

OTHERS = ("Grace Hopper", "Emmy Noether")
SHELF = (
    a_paper(1, "cs.CL", title="Pre-training of Language Models", abstract="We train them.", authors=OTHERS),
    a_paper(
        2, "cs.CV", "cs.CL", title="Vision transformers", abstract="We ask what pretraining brings.", authors=OTHERS
    ),
    a_paper(
        3, "cs.CV", title="A survey", abstract="Every vision transformer of note, and their language.", authors=OTHERS
    ),
    a_paper(
        4, "math.CO", title="On a problem of Erd\\H{o}s", abstract="State-of-the-art bounds.", authors=("J. Ørsted",)
    ),
    a_paper(
        5, "hep-th", title="Branes", abstract="A vision of what a transformer may be.", authors=("Wang Zhenyi", "Lu He")
    ),
    a_paper(6, "cs.CL", title="视觉 analyses", abstract="The state of art and the models' language.", authors=OTHERS),
)

MEANT = {
    "transformer": {2, 3, 5},
    '"vision transformer"': {2, 3},
    "pretraining": {1, 2},
    '"pre-training"': {1, 2},
    "ti:pretraining": {1},
    "abs:pretraining": {2},
    "analysis": {6},
    "erdos": {4},
    '"state of the art"': {4},
    "stateoftheart": {4},
    '"pretraining of language"': {1},
    "au:Orsted": {4},
    'au:"Zhenyi Wang"': {5},
    'au:"Z. Wang"': {5},
    'au:"Lu Wang"': set(),
    "cs.CL": {1, 2, 6},
    "primary:cs.CL": {1, 6},
    "cs.CL+math.CO language": {1, 6},
    "language -survey": {1, 6},
    'language -"language models"': {3, 6},
    "transformer -cs.CV": {5},
    "cs.CV -language": {2},
    "erdos OR branes": {4, 5},
    "(erdos OR branes) -hep-th": {4},
    "#vision-transformer": {2, 3},
    "nothing": set(),
}
"""Queries, and the papers of the shelf that each is to find."""


@pytest.fixture
async def shelf(any_database: Database) -> Database:
    async with any_database.write() as connection:
        await papers.add(connection, SHELF, MONDAY)
    await Indexing(any_database).tick(MONDAY)
    return any_database


async def found(database: Database, query: str, at_most: int = 20) -> list[int]:
    async with database.read() as connection:
        return [int(each.id[-2:]) for each in await search.find(connection, parse_interest(query), at_most)]


async def test_a_query_finds_what_it_means(shelf: Database) -> None:
    for query, numbers in MEANT.items():
        assert set(await found(shelf, query)) == numbers, query


async def test_the_best_comes_first_a_title_before_an_abstract(shelf: Database) -> None:
    assert (await found(shelf, "vision transformer"))[0] == 2
    assert await found(shelf, "vision transformer", at_most=1) == [2]


async def test_of_categories_alone_the_latest_come_first(shelf: Database) -> None:
    assert await found(shelf, "cs.CL") == [6, 2, 1]


async def test_a_new_version_is_found_by_its_own_words_only(shelf: Database) -> None:
    second = replace(SHELF[4], version=2, title="Strings", categories=("hep-th", "gr-qc"))
    async with shelf.write() as connection:
        await papers.add(connection, [second, replace(SHELF[0], categories=("cs.CL", "cs.AI"))], MONDAY)
    await Indexing(shelf).tick(MONDAY)
    assert (await found(shelf, "branes"), await found(shelf, "strings"), await found(shelf, "gr-qc")) == ([], [5], [5])
    assert await found(shelf, "cs.AI") == [1]


async def test_a_paper_that_is_gone_is_not_found(shelf: Database) -> None:
    async with shelf.write() as connection:
        await connection.execute(sa.text("DELETE FROM papers WHERE id = '2603.00005'"))
    assert await found(shelf, "branes") == []
    async with shelf.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(paper_words))).scalar_one() == 5


async def test_whatever_is_asked_both_databases_find_what_a_subscription_would_match(any_database: Database) -> None:
    dice = random.Random(7)
    words = ["net", "nets", "deep", "pre-train", "pretrain", "graph", "co-author", "the", "state-of-art", "of", "art"]
    authors = ["Li He", "Wang Li", "H. Li", "Jean-Paul He", "JeanPaul Wang"]
    shelf = [
        a_paper(
            number,
            *dice.sample(["cs.CL", "cs.CV", "math.NT"], 2),
            title=" ".join(dice.choices(words, k=3)),
            abstract=" ".join(dice.choices(words, k=6)),
            authors=tuple(dice.sample(authors, 2)),
        )
        for number in range(1, 200)
    ]
    async with any_database.write() as connection:
        await papers.add(connection, shelf, MONDAY)
    await Indexing(any_database).tick(MONDAY)
    asked = {query: parse_interest(query) for query in (_a_query(dice, words, authors) for _ in range(150))}
    matches = Matches(asked.values())
    matches.add(Document(each.id, each.categories, each.title, each.abstract, each.authors) for each in shelf)
    for query, interest in asked.items():
        async with any_database.read() as connection:
            found = await search.find(connection, interest, 500)
        assert sorted(each.id for each in found) == sorted(matches.of(interest)), query


def _a_query(dice: random.Random, words: list[str], authors: list[str]) -> str:
    def term() -> str:
        return dice.choice(
            [
                lambda: f'"{dice.choice(words)}"',
                lambda: f'"{" ".join(dice.choices(words, k=dice.choice((2, 3))))}"',
                lambda: f'ti:"{dice.choice(words)}"',
                lambda: f'au:"{dice.choice(authors)}"',
                lambda: dice.choice(["cs.CL", "math.NT", "primary:cs.CV"]),
            ]
        )()

    joint = dice.choice([" ", " OR ", " -", f" ({term()} OR {term()}) -"])
    return f"{term()}{joint}{term()}"


async def test_what_was_stored_before_can_be_searched_after_the_upgrade(tmp_path: Path) -> None:
    file = tmp_path / "paperwire.db"
    _store_before(file)
    database = await open_database(f"sqlite:///{file}")
    await Indexing(database).tick(MONDAY)
    assert set(await found(database, "transformer")) == {2, 3, 5}
    await database.close()


def _store_before(file: Path) -> None:
    """A database of the schema before this one, with the papers of the shelf."""
    from alembic import command

    from bot.storage.database import _alembic

    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        connection.execute(sa.insert(papers.papers), [papers._row(each, MONDAY) for each in SHELF])
        connection.commit()
    engine.dispose()


async def test_what_is_as_common_as_can_be_costs_no_more_than_the_latest_of_it(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_RANKED", 5)
    shelf: list[Paper] = [a_paper(number, title="Common words") for number in range(1, 31)]
    async with any_database.write() as connection:
        await papers.add(connection, shelf, MONDAY)
    await Indexing(any_database).tick(MONDAY)
    assert sorted(await found(any_database, "common")) == [26, 27, 28, 29, 30]
