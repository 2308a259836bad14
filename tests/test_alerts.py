"""Alerts: what a subscription wants at once comes at once, and nowhere else."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.digests.compose import Composer
from bot.jobs.alerting import Alerting
from bot.jobs.summarising import Summarising
from bot.metrics import Metrics
from bot.papers import Paper, PaperId
from bot.storage import alerts, chats, marks, moves, replacements
from bot.storage.database import Database
from bot.storage.replacements import Replacement
from bot.storage.tables import messages
from bot.summaries.write import WRITERS, Summariser
from tests.builders import MONDAY, HandClock, a_chat, a_paper, announce

NUMBERS = range(1, 81)


@dataclass
class World:
    """Everything between what came and the outbox, on a real database; `came` is what was composed."""

    database: Database
    clock: HandClock
    wait: timedelta = timedelta(0)
    came: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.summariser = Summariser(self.database, self.clock, WRITERS)
        self.start()

    def start(self) -> None:
        """A process that knows only what is stored."""
        summarising = Summarising(self.database, self, self.wait)
        self.composer = Composer(
            self.database,
            self.summariser.at_once,
            dict.fromkeys(("web", "telegram", "discord"), self._render),
            ("cs.CL",),
            Metrics(),
            awaited=summarising.awaited,
        )
        self.alerting = Alerting(self.database, self.composer)

    def _render(self, reply: Reply) -> list[str]:
        self.came.append(reply)
        return [f"{len(self.came)}"]

    async def write(self, papers: Any, *, bilingual: bool) -> None:
        await self.summariser.write(papers, bilingual=bilingual)

    async def unready(self, papers: list[Paper], *, bilingual: bool) -> set[PaperId]:
        """As if all of it took its time."""
        return {paper.id for paper in papers} if self.wait else set()

    async def chat(self, *queries: str, at_once: tuple[str, ...], **facts: Any) -> Chat:
        chat = await a_chat(self.database, *queries, now=self.clock.now(), **{"language": "en", **facts})
        async with self.database.write() as connection:
            followed = await chats.subscriptions_of(connection, chat.id)
            wanted = [each.id for each in followed if str(each.interest) in at_once]
            await alerts.switch(connection, chat.id, wanted, self.clock.now())
        return chat

    async def comes(self, *papers: Paper) -> None:
        await announce(self.database, self.clock.turn(seconds=5), *papers, day=self.clock.now().date())

    async def tick(self) -> datetime | None:
        return await self.alerting.tick(self.clock.now())

    @property
    def papers(self) -> list[list[int]]:
        return [[int(card.paper_id[-5:]) for card in reply.cards] for reply in self.came]

    async def in_outbox(self) -> int:
        async with self.database.read() as connection:
            return int((await connection.execute(sa.select(sa.func.count()).select_from(messages))).scalar_one())


@pytest.fixture
def world(any_database: Database, clock: HandClock) -> World:
    return World(any_database, clock)


async def test_what_is_wanted_at_once_comes_at_once_and_not_again_with_the_digest(world: World) -> None:
    await world.chat("cs.CL", "ti:paper", at_once=("ti:paper",))
    await world.comes(a_paper(1), a_paper(2, title="Another matter"))
    await world.tick()
    assert world.papers == [[1]]
    assert world.came[0].title == "Alert · ti:paper"
    assert world.came[0].text == "1 paper, announced up to 2 Mar"
    await world.tick()
    await world.comes(a_paper(1))
    await world.tick()
    await world.composer.tick(world.clock.turn(days=1))
    assert world.papers == [[1], [2]]


async def test_only_what_comes_after_the_wish_comes_at_once(world: World) -> None:
    await announce(world.database, world.clock.now(), a_paper(1))
    world.clock.turn(minutes=5)
    chat = await world.chat("cs.CL", at_once=())
    await world.comes(a_paper(2))
    await world.tick()
    async with world.database.write() as connection:
        followed = await chats.subscriptions_of(connection, chat.id)
        await alerts.switch(connection, chat.id, [each.id for each in followed], world.clock.turn(seconds=1))
    await world.tick()
    assert world.papers == []
    await world.comes(a_paper(3))
    await world.tick()
    assert world.papers == [[3]]


async def test_nobody_is_looked_at_where_nobody_wants_anything_at_once(world: World) -> None:
    await world.chat("cs.CL", at_once=())
    await world.comes(a_paper(1))
    assert await world.tick() is None
    assert world.papers == []


async def test_a_burst_is_one_alert_as_large_as_a_digest_and_the_digest_has_the_rest(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",), cap=12)
    await world.comes(*map(a_paper, NUMBERS))
    await world.tick()
    assert [len(papers) for papers in world.papers] == [12]
    assert world.came[0].footer.startswith("68 more fit and come with the next digest.\n")
    assert world.came[0].buttons == ()
    await world.comes(a_paper(90))
    await world.tick()
    assert len(world.came) == 1, "the day's alerts are full"
    await world.composer.tick(world.clock.turn(days=1))
    assert [len(papers) for papers in world.papers] == [12, 12]
    assert "matched 69 · shown 12 · held back 57" in world.came[1].footer
    assert not set(world.papers[0]) & set(world.papers[1])


async def test_on_the_next_local_day_there_is_room_again_for_what_is_new_then(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",), cap=2)
    await world.comes(*map(a_paper, range(1, 6)))
    await world.tick()
    world.clock.set(MONDAY + timedelta(hours=10))
    await world.comes(a_paper(7))
    await world.tick()
    assert world.papers == [[1, 2]]
    world.clock.set(MONDAY + timedelta(hours=12))
    await world.comes(a_paper(8))
    await world.tick()
    assert world.papers == [[1, 2], [8]]


async def test_who_has_all_papers_in_a_digest_still_gets_no_endless_alert(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",), cap=0)
    await world.comes(*map(a_paper, NUMBERS))
    await world.tick()
    assert [len(papers) for papers in world.papers] == [30]


async def test_in_quiet_hours_an_alert_waits_for_their_end_with_all_that_came(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",), quiet=(time(11), time(14)))
    await world.comes(a_paper(1))
    assert await world.tick() == MONDAY + timedelta(hours=2)
    world.clock.turn(minutes=30)
    await world.comes(a_paper(2))
    await world.tick()
    assert world.papers == []
    world.clock.set(MONDAY + timedelta(hours=2))
    await world.tick()
    assert world.papers == [[1, 2]]


async def test_an_alert_that_waits_for_summaries_does_not_come_in_quiet_hours_that_began_meanwhile(
    world: World,
) -> None:
    world.wait = timedelta(minutes=2)
    world.start()
    await world.chat("cs.CL", at_once=("cs.CL",), quiet=(time(12, 1), time(14)))
    await world.comes(a_paper(1))
    await world.tick()
    assert await world.alerting.tick(world.clock.turn(minutes=3)) == MONDAY + timedelta(hours=2)
    assert world.papers == []
    await world.alerting.tick(world.clock.set(MONDAY + timedelta(hours=2)))
    assert world.papers == [[1]]


@pytest.mark.parametrize(
    "preferences",
    [{"quiet": (time(8), time(9, 30))}, {"days": frozenset({1})}],
    ids=["the digest is due as soon", "a day off"],
)
async def test_what_the_digest_brings_as_soon_or_a_day_off_has_needs_no_alert(
    world: World, preferences: dict[str, Any]
) -> None:
    world.clock.set(MONDAY - timedelta(hours=4, minutes=1))  # 07:59
    await world.chat("cs.CL", at_once=("cs.CL",), **preferences)
    world.clock.turn(minutes=5)
    await world.comes(a_paper(1))
    await world.tick()
    world.clock.set(MONDAY - timedelta(hours=2, minutes=30))  # 09:30
    await world.tick()
    assert world.papers == []
    await world.composer.tick(world.clock.turn(days=1))
    assert world.papers == [[1]]


async def test_a_paused_chat_gets_no_alert_and_has_all_of_it_in_the_digest_afterwards(world: World) -> None:
    chat = await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    await world.alerting.look(world.clock.now())
    async with world.database.write() as connection:
        await chats.pause(connection, chat.id, world.clock.now() + timedelta(hours=5), world.clock.now())
    await world.tick()
    await world.comes(a_paper(2))
    await world.tick()
    await world.alerting.tick(world.clock.turn(hours=6))
    assert world.papers == []
    await world.composer.tick(world.clock.turn(days=1))
    assert world.papers == [[1, 2]]


@pytest.mark.parametrize("access", ["denied", "waiting"])
async def test_a_chat_that_is_not_let_in_any_more_gets_nothing(world: World, access: Any) -> None:
    chat = await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    await world.alerting.look(world.clock.now())
    async with world.database.write() as connection:
        await chats.set_access(connection, chat.id, access)
    await world.tick()
    await world.comes(a_paper(2))
    await world.tick()
    assert world.papers == []


async def test_a_chat_that_was_given_up_gets_nothing_and_comes_back_to_its_digest(world: World) -> None:
    chat = await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    await world.alerting.look(world.clock.now())
    async with world.database.write() as connection:
        await chats.deactivate(connection, chat.id, "blocked", world.clock.now())
    await world.tick()
    async with world.database.write() as connection:
        await chats.reactivate(connection, chat.id)
    await world.tick()
    assert world.papers == []
    await world.composer.tick(world.clock.turn(days=1))
    assert world.papers == [[1]]


async def test_a_restored_backup_sends_no_alert_until_somebody_chose(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    async with world.database.write() as connection:
        await marks.put(connection, marks.RESTORED, MONDAY.isoformat())
    await world.tick()
    assert world.papers == []
    async with world.database.write() as connection:
        await marks.remove(connection, marks.RESTORED)
    await world.tick()
    assert world.papers == [[1]]


async def test_an_alert_waits_for_its_summaries_but_not_for_long(world: World) -> None:
    world.wait = timedelta(minutes=2)
    world.start()
    await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    assert await world.tick() == world.clock.now() + timedelta(seconds=20)
    await world.alerting.tick(world.clock.turn(minutes=1))
    assert world.papers == []
    await world.alerting.tick(world.clock.turn(minutes=1, seconds=1))
    assert world.papers == [[1]]


async def test_two_queries_that_find_papers_are_both_named(world: World) -> None:
    await world.chat("cs.CL", "au:lovelace", "math.NT", at_once=("cs.CL", "au:lovelace", "math.NT"))
    await world.comes(a_paper(1), a_paper(2, authors=("Wang Zhenyi",)))
    await world.tick()
    assert world.papers == [[1, 2]]
    assert world.came[0].title == "Alert · cs.CL and 1 other query"


async def test_a_paper_that_a_digest_gave_comes_in_no_alert(world: World) -> None:
    chat = await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    assert await world.composer.on_demand(chat, world.clock.now()) == 1
    await world.tick()
    assert world.papers == [[1]]


async def test_cross_lists_that_the_chat_does_not_want_are_no_alert(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",), cross_lists=False)
    await world.comes(a_paper(1, "cs.AI", "cs.CL"))
    await world.tick()
    assert world.papers == []


async def test_a_process_that_dies_after_the_look_or_after_composing_costs_nothing(world: World) -> None:
    chat = await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    await world.alerting.look(world.clock.now())
    world.start()
    await world.tick()
    assert world.papers == [[1]]
    # As if it had died between composing and putting down that the alert is over.
    async with world.database.write() as connection:
        await alerts.wait(connection, {chat.id: world.clock.now()}, world.clock.now() - timedelta(minutes=1))
    world.start()
    await world.tick()
    assert world.papers == [[1]]
    assert await world.in_outbox() == 1
    async with world.database.read() as connection:
        assert await alerts.due(connection, world.clock.now(), ["web"]) == {}


async def test_what_comes_while_an_alert_is_composed_is_not_forgotten(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",))
    await world.comes(a_paper(1))
    await world.alerting.look(world.clock.now())
    before = world.clock.now()
    async with world.database.read() as connection:
        (chat_id, due_at), *_ = (await alerts.due(connection, before, ["web"])).items()
    await world.comes(a_paper(2))
    await world.alerting.look(world.clock.now())
    async with world.database.write() as connection:
        await alerts.done(connection, {chat_id: due_at})
    await world.tick()
    assert world.papers == [[1, 2]]


async def test_a_listing_that_is_committed_late_is_found_by_the_next_look(world: World) -> None:
    await world.chat("cs.CL", at_once=("cs.CL",))
    seen_at = world.clock.turn(seconds=10)
    await world.comes(a_paper(1))
    await world.tick()
    await announce(world.database, seen_at, a_paper(2))
    await world.alerting.tick(world.clock.turn(seconds=30))
    assert world.papers == [[1], [2]]


async def test_of_two_chats_that_become_one_what_either_wanted_at_once_still_comes_so(world: World) -> None:
    old = await world.chat("cs.CL", "math.NT", at_once=("cs.CL", "math.NT"), platform="telegram", address="-1")
    new = await world.chat("cs.CL", "cs.AI", at_once=("cs.AI",), platform="telegram", address="-1001")
    await world.comes(a_paper(1, "cs.AI"))
    await world.tick()
    async with world.database.write() as connection:
        await replacements.told(
            connection,
            {
                chat.id: [Replacement(PaperId("2603.00001"), "", 1, 2, withdrawn=False, comment=None)]
                for chat in (old, new)
            },
            world.clock.now(),
        )
        merged = await moves.move(connection, old, "-1001", world.clock.now())
        followed = await chats.subscriptions_of(connection, merged.id)
    assert {str(each.interest) for each in followed if each.alerts_since} == {"cs.CL", "math.NT", "cs.AI"}
    await world.comes(a_paper(2, "math.NT"), a_paper(3, "cs.CL"), a_paper(4, "cs.AI"))
    await world.tick()
    assert world.papers == [[1], [2, 3, 4]]
