"""Papers in the store: a later source adds what it knows and takes nothing away."""

from dataclasses import replace
from datetime import timedelta

from bot.papers import Paper
from bot.storage import digests, papers
from bot.storage.database import Database
from tests.builders import MONDAY, a_paper, announce

RICH = a_paper(1, licence="CC0", comment="5 pages", journal_ref="J. 1", doi="10.1/x", withdrawn=True, version=2)
POOR = replace(RICH, licence=None, comment=None, journal_ref=None, doi=None, withdrawn=False)


async def stored(database: Database, *versions: Paper) -> Paper:
    async with database.write() as connection:
        for each in versions:
            await papers.add(connection, [each], MONDAY)
        (paper,) = (await papers.get(connection, [RICH.id])).values()
    return paper


async def test_a_paper_comes_back_as_it_was_stored(any_database: Database) -> None:
    assert await stored(any_database, RICH) == RICH


async def test_a_poorer_source_loses_nothing(any_database: Database) -> None:
    assert await stored(any_database, RICH, POOR) == RICH


async def test_a_richer_source_adds_what_was_missing(any_database: Database) -> None:
    assert await stored(any_database, POOR, RICH) == RICH


async def test_a_new_version_keeps_what_it_does_not_tell(any_database: Database) -> None:
    newer = replace(POOR, version=3, title="Better")
    assert await stored(any_database, RICH, newer) == replace(RICH, version=3, title="Better", withdrawn=False)


async def test_an_older_version_only_adds_what_was_missing(any_database: Database) -> None:
    older = replace(RICH, version=1, title="Worse", comment="6 pages")
    assert await stored(any_database, POOR, older) == replace(RICH, comment="6 pages", withdrawn=False)
    assert await stored(any_database, replace(POOR, comment="7 pages"), older) == replace(
        RICH, comment="7 pages", withdrawn=False
    )


async def test_a_place_of_publication_that_arxiv_changes_is_changed(any_database: Database) -> None:
    assert await stored(any_database, RICH, replace(RICH, journal_ref="J. 2")) == replace(RICH, journal_ref="J. 2")


async def test_what_is_cross_listed_later_is_news_only_in_the_category_that_it_came_to(any_database: Database) -> None:
    later = MONDAY + timedelta(days=3)
    await announce(any_database, MONDAY, a_paper(1, "cs.CL"))
    await announce(any_database, later, a_paper(1, "cs.CL", "cs.AI"), announce_type="cross")
    async with any_database.read() as connection:
        found = await digests.listed(connection, ["cs.CL", "cs.AI"], MONDAY)
    assert {each.category: each.first_seen_at for each in found} == {"cs.CL": MONDAY, "cs.AI": later}
    assert len(found) == 2
