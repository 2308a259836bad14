"""Updates: a digest's closing section tells what was replaced of the papers that the chat was given, once."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.digests.compose import Composer
from bot.metrics import Metrics
from bot.papers import Paper
from bot.storage import chats, papers, replacements
from bot.storage.database import Database
from bot.summaries.write import WRITERS, Summariser
from tests.builders import HandClock, a_chat, a_paper, announce

NOTICE = "This paper has been withdrawn by the authors."


@dataclass
class World:
    """A composer on a real database, at one day's end after the other; `came` is what it made."""

    database: Database
    clock: HandClock
    came: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A process that knows only what is stored."""
        summariser = Summariser(self.database, self.clock, WRITERS)
        renders = dict.fromkeys(("web", "telegram", "discord"), self._render)
        self.composer = Composer(self.database, summariser.at_once, renders, ("cs.CL",), Metrics())

    def _render(self, reply: Reply) -> list[str]:
        self.came.append(reply)
        return [f"{len(self.came)}"]

    async def chat(self, **preferences: Any) -> Chat:
        return await a_chat(
            self.database, "cs.CL", now=self.clock.now(), **{"language": "en", "replacements": True, **preferences}
        )

    async def comes(self, *announced: Paper) -> None:
        await announce(self.database, self.clock.turn(hours=1), *announced)

    async def is_replaced(self, *announced: Paper) -> None:
        await announce(self.database, self.clock.turn(hours=1), *announced, announce_type="replace")

    async def next_day(self) -> list[Reply]:
        """What its digest is made of."""
        before = len(self.came)
        await self.composer.tick(self.clock.turn(days=1))
        return self.came[before:]


@pytest.fixture
def world(any_database: Database, clock: HandClock) -> World:
    return World(any_database, clock)


def told(reply: Reply) -> list[tuple[str, str]]:
    return [(card.title, card.tldrs[0]) for card in reply.cards]


async def test_a_new_version_of_a_paper_that_came_here_is_told_once(world: World) -> None:
    await world.chat()
    await world.comes(a_paper(1), a_paper(2))
    await world.next_day()
    await world.is_replaced(a_paper(1, version=2, title="A better title"), a_paper(9, version=4))
    await world.comes(a_paper(3))
    digest, updates = await world.next_day()
    assert [card.paper_id for card in digest.cards] == ["2603.00003"]
    assert (updates.title, updates.text) == ("Updated", "1 paper that came here has changed.")
    assert told(updates) == [("A better title", "v1 → v2")]
    assert updates.cards[0].url == "https://arxiv.org/abs/2603.00001"
    world.start()
    assert await world.next_day() == []
    assert await world.next_day() == []


async def test_versions_of_one_paper_are_told_together_and_a_later_one_again(world: World) -> None:
    await world.chat()
    await world.comes(a_paper(1))
    await world.next_day()
    await world.is_replaced(a_paper(1, version=2))
    await world.is_replaced(a_paper(1, version=3))
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 1", "v1 → v3")]
    await world.is_replaced(a_paper(1, version=4))
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 1", "v3 → v4")]


async def test_what_a_digest_showed_in_its_new_version_already_is_no_update(world: World) -> None:
    await world.chat()
    await world.comes(a_paper(1))
    await world.is_replaced(a_paper(1, version=2))
    (digest,) = await world.next_day()
    assert len(digest.cards) == 1
    assert await world.next_day() == []


async def test_what_was_only_held_back_is_no_update(world: World) -> None:
    await world.chat(cap=1)
    await world.comes(a_paper(1))
    await world.comes(a_paper(2))
    await world.next_day()
    await world.is_replaced(a_paper(1, version=2), a_paper(2, version=2))
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 1", "v1 → v2")]


async def test_a_comment_is_told_where_the_authors_changed_it(world: World) -> None:
    await world.chat()
    await world.comes(a_paper(1, comment="9 pages"), a_paper(2, comment="8 pages"))
    await world.next_day()
    # A feed has no comment; the records tell it later.
    await world.is_replaced(a_paper(1, version=2), a_paper(2, version=2))
    async with world.database.write() as connection:
        found = [a_paper(1, version=2, comment="Accepted at a meeting"), a_paper(2, version=2, comment="8 pages")]
        await papers.add(connection, found, world.clock.turn(hours=1))
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 1", "v1 → v2 · Accepted at a meeting"), ("Paper 2", "v1 → v2")]


async def test_a_chat_that_does_not_want_updates_hears_of_withdrawn_papers_alone(world: World) -> None:
    await world.chat(replacements=False)
    await world.comes(a_paper(1), a_paper(2), a_paper(3))
    await world.next_day()
    await world.is_replaced(
        a_paper(1, version=2), a_paper(2, version=2, abstract=NOTICE, withdrawn=True), a_paper(3, version=2)
    )
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 2", "withdrawn (v2)")]
    assert await world.next_day() == []


async def test_a_version_that_turns_out_to_be_withdrawn_is_told_again(world: World) -> None:
    await world.chat()
    await world.comes(a_paper(1))
    await world.next_day()
    await world.is_replaced(a_paper(1, version=2))
    await world.next_day()
    async with world.database.write() as connection:
        comment = "Withdrawn: an error in the proof"
        await papers.add(connection, [a_paper(1, version=2, withdrawn=True, comment=comment)], world.clock.now())
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 1", f"withdrawn (v2) · {comment}")]
    assert await world.next_day() == []


async def test_many_are_told_in_few_lines_withdrawn_ones_first_and_the_others_counted(world: World) -> None:
    await world.chat(cap=0, language="both")
    await world.comes(*map(a_paper, range(1, 15)))
    await world.next_day()
    await world.is_replaced(
        *(a_paper(number, version=2) for number in range(1, 14)), a_paper(14, version=2, withdrawn=True)
    )
    (updates,) = await world.next_day()
    assert updates.text == "14 papers that came here have changed.\n14 篇推送过的论文有变动。"
    assert told(updates)[0] == ("Paper 14", "withdrawn (v2) · 已撤稿（v2）")
    assert len(updates.cards) == 10
    assert updates.footer == "… and 4 more.\n……另有 4 篇。"
    assert await world.next_day() == []


async def test_who_begins_to_want_updates_is_not_told_of_old_ones(world: World) -> None:
    chat = await world.chat(replacements=False)
    await world.comes(a_paper(1), a_paper(2))
    await world.next_day()
    await world.is_replaced(a_paper(1, version=2))
    for _ in range(4):
        assert await world.next_day() == []
    async with world.database.write() as connection:
        now = world.clock.now()
        await chats.set_preferences(connection, chat.id, lambda known: replace(known, replacements=True), now)
    await world.is_replaced(a_paper(2, version=2))
    (updates,) = await world.next_day()
    assert told(updates) == [("Paper 2", "v1 → v2")]


async def test_chats_that_were_given_the_same_get_the_same_section_printed_once(world: World) -> None:
    for address in ("one", "other"):
        await world.chat(address=address)
    await world.comes(a_paper(1))
    assert len(await world.next_day()) == 1
    await world.is_replaced(a_paper(1, version=2))
    assert len(await world.next_day()) == 1


async def test_what_is_stored_again_or_was_never_stored_before_replaces_nothing(world: World) -> None:
    await world.comes(a_paper(1, version=3), a_paper(2, withdrawn=True))
    await world.is_replaced(a_paper(1, version=3), a_paper(1, version=2), a_paper(2, withdrawn=True))
    async with world.database.read() as connection:
        chat_since = {1: world.clock.now() - timedelta(days=1)}
        assert await replacements.untold(connection, chat_since, only_withdrawn=()) == {}
        seen = await connection.exec_driver_sql("SELECT count(*) FROM replacements")
        assert seen.scalar_one() == 0
