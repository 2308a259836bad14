"""Digests: what a chat is owed, in which order, how much of it, and the receipt."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.digests.compose import Composer
from bot.interests import Interest
from bot.metrics import Metrics
from bot.storage import chats
from bot.storage.database import Database
from bot.storage.tables import messages
from bot.summaries.write import WRITERS, Summariser
from tests.builders import MONDAY, HandClock, a_chat, a_paper, announce


@dataclass
class Seen:
    """A renderer that keeps what it was given: one message a digest."""

    replies: list[Reply] = field(default_factory=list)

    def render(self, reply: Reply) -> list[str]:
        self.replies.append(reply)
        return ["{}"]

    @property
    def papers(self) -> list[list[str]]:
        return [[card.paper_id.removeprefix("2603.0000") for card in reply.cards] for reply in self.replies]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def composer(database: Database, clock: HandClock, seen: Seen) -> Composer:
    summariser = Summariser(database, clock, WRITERS)
    renders: dict[str, Callable[[Reply], list[str]]] = dict.fromkeys(("web", "telegram", "discord"), seen.render)
    return Composer(database, summariser.at_once, renders, ("cs.CL",), Metrics())


async def again(database: Database, chat: Chat) -> Chat:
    async with database.read() as connection:
        found = await chats.get(connection, chat.id)
    assert found is not None
    return found


async def test_a_chat_gets_at_its_hour_what_it_follows_and_nothing_else(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL", time=time(9, 0), zone="Asia/Shanghai")
    await announce(
        database, clock.turn(hours=1), a_paper(1, "cs.CL"), a_paper(2, "math.NT"), a_paper(3, "cs.AI", "cs.CL")
    )
    due = await composer.tick(clock.now())
    assert due == datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    assert seen.papers == []
    await composer.tick(clock.set(due))
    assert seen.papers == [["1", "3"]]


async def test_nothing_comes_twice_whatever_brings_it_again(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL", "cs.CL+cs.CV", "cs.AI")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL", "cs.AI"))
    await composer.tick(clock.turn(days=1))
    await announce(database, clock.turn(minutes=1), a_paper(1, "cs.CL", "cs.AI"))
    await announce(
        database, clock.turn(minutes=1), a_paper(1, "cs.CL", "cs.AI", "cs.CV", version=2), announce_type="cross"
    )
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["1"]]


async def test_papers_first_seen_before_the_subscription_are_not_owed(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await announce(database, clock.now() - timedelta(hours=1), a_paper(1, "cs.CL"))
    await a_chat(database, "cs.CL", now=clock.now())
    await announce(database, clock.turn(hours=1), a_paper(2, "cs.CL"))
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["2"]]


async def test_a_later_cross_list_is_owed_to_the_chats_of_the_new_category(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CV")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await composer.tick(clock.turn(days=1))
    await announce(database, clock.turn(minutes=1), a_paper(1, "cs.CL", "cs.CV"), announce_type="cross")
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["1"]]


async def test_replacements_are_no_new_papers(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL", version=2), announce_type="replace")
    await composer.tick(clock.turn(days=1))
    assert seen.papers == []


async def test_an_unwanted_category_keeps_a_paper_out(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CV+cs.CL -cs.RO")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CV", "cs.RO"), a_paper(2, "cs.CV"))
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["2"]]
    (reply,) = seen.replies
    assert "Announced 2 · matched 1 · shown 1 · held back 0" in reply.footer


async def test_primaries_come_before_cross_lists(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL")
    await announce(
        database, clock.turn(hours=1), a_paper(1, "cs.AI", "cs.CL"), a_paper(2, "cs.CL"), a_paper(3, "cs.CV", "cs.CL")
    )
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["2", "1", "3"]]


async def test_the_cap_holds_papers_back_for_good_and_they_can_be_opened(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    chat = await a_chat(database, "cs.CL", cap=2)
    await announce(database, clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 6)))
    await composer.tick(clock.turn(days=1))
    (digest,) = seen.replies
    assert seen.papers == [["1", "2"]]
    assert "matched 5 · shown 2 · held back 3" in digest.footer
    (button,) = digest.buttons
    assert button.label == "3 more papers"
    await composer.tick(clock.turn(days=1))
    assert len(seen.replies) == 1
    assert await composer.more(chat, button.action.removeprefix("more:"), clock.now()) == 3
    assert seen.papers[-1] == ["3", "4", "5"]
    assert await composer.more(chat, button.action.removeprefix("more:"), clock.now()) == 0


async def test_no_cap_shows_everything(database: Database, composer: Composer, clock: HandClock, seen: Seen) -> None:
    await a_chat(database, "cs.CL", cap=0)
    await announce(database, clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 40)))
    await composer.tick(clock.turn(days=1))
    assert len(seen.replies[0].cards) == 39


async def test_a_day_without_papers_is_silent_and_still_had_its_digest(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    chat = await a_chat(database, "cs.CL", time=time(13, 0))
    await composer.tick(clock.turn(hours=1))
    await announce(database, clock.turn(minutes=5), a_paper(1, "cs.CL"))
    await composer.tick(clock.turn(minutes=5))
    assert seen.papers == []
    assert (await again(database, chat)).next_digest_at == MONDAY + timedelta(days=1, hours=1)
    await composer.tick(clock.turn(days=1))
    assert seen.papers == [["1"]]


async def test_after_days_of_sleep_one_digest_brings_everything(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL")
    for number in range(1, 4):
        await announce(database, clock.turn(days=1), a_paper(number, "cs.CL"))
    await composer.tick(clock.turn(days=1))
    await composer.tick(clock.now())
    assert seen.papers == [["1", "2", "3"]]


async def test_settings_changed_after_the_days_digest_bring_no_second_one(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    chat = await a_chat(database, "cs.CL", time=time(13, 0))
    await announce(database, clock.turn(minutes=30), a_paper(1, "cs.CL"))
    await composer.tick(clock.turn(hours=1))
    async with database.write() as connection:
        await chats.set_preferences(connection, chat.id, lambda old: replace(old, time=time(20, 0)), clock.now())
    await announce(database, clock.turn(minutes=30), a_paper(2, "cs.CL"))
    await composer.tick(clock.turn(hours=8))
    assert seen.papers == [["1"]]


async def test_asking_brings_what_is_owed_and_then_the_latest_that_was_not_shown(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await announce(database, clock.now() - timedelta(hours=1), a_paper(1, "cs.CL"))
    chat = await a_chat(database, "cs.CL", cap=2)
    await announce(database, clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(2, 6)))
    assert await composer.on_demand(chat, clock.now()) == 2
    assert await composer.on_demand(chat, clock.now()) == 2
    assert await composer.on_demand(chat, clock.now()) == 1
    assert await composer.on_demand(chat, clock.now()) == 0
    assert seen.papers == [["2", "3"], ["1", "4"], ["5"]]
    await composer.tick(clock.turn(days=1))
    assert len(seen.replies) == 3


async def test_a_chat_that_follows_nothing_is_shown_the_default_categories(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await announce(database, clock.now(), a_paper(1, "cs.CL"), a_paper(2, "math.NT"))
    assert await composer.on_demand(await a_chat(database), clock.now()) == 1
    assert seen.papers == [["1"]]


async def test_the_sample_is_never_in_a_daily_digest(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    chat = await a_chat(database, "cs.CL")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL", id="2600.00001"))
    await composer.tick(clock.turn(days=1))
    assert seen.papers == []
    assert await composer.on_demand(chat, clock.now()) == 0
    assert await composer.on_demand(chat, clock.now(), with_sample=True) == 1
    assert seen.replies[-1].title == "Paperwire · Sample"


async def test_a_digest_and_its_messages_are_written_together(
    database: Database, composer: Composer, clock: HandClock, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_chat(database, "cs.CL")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))

    async def no_room(*_: object) -> None:
        raise sa.exc.OperationalError("insert", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr("bot.storage.outbox.put_many", no_room)
        await composer.tick(clock.turn(days=1))
    await composer.tick(clock.turn(minutes=1))
    async with database.read() as connection:
        assert len((await connection.execute(sa.select(messages))).all()) == 1


async def test_chats_that_are_gone_or_not_let_in_get_nothing(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    gone = await a_chat(database, "cs.CL", address="gone")
    waiting = await a_chat(database, "cs.CL", address="waiting")
    async with database.write() as connection:
        await chats.deactivate(connection, gone.id, "blocked", clock.now())
        await chats.set_access(connection, waiting.id, "waiting")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await composer.tick(clock.turn(days=1))
    assert seen.papers == []


async def test_both_languages_stand_in_header_and_receipt(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL", language="both")
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await composer.tick(clock.turn(days=1))
    (reply,) = seen.replies
    assert reply.text == "1 paper, announced up to 2 Mar\n1 篇论文，公布日期截至3月2日"
    assert "匹配 1" in reply.footer
    assert reply.cards[0].second_title is None
    assert len(reply.cards[0].tldrs) == 1


def test_the_canonical_query_is_what_people_see() -> None:
    assert str(Interest.in_categories(("cs.CV",), ("cs.RO",))) == "cs.CV -cs.RO"


async def test_what_came_late_is_said_with_the_day_that_it_belongs_to(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL", language="both")
    last_week = MONDAY.date() - timedelta(days=4)
    await announce(database, clock.turn(hours=1), a_paper(1, "cs.CL"))
    await announce(database, clock.now(), a_paper(2, "cs.CL"), a_paper(3, "cs.CL"), day=last_week)
    await composer.tick(clock.set(MONDAY + timedelta(days=1)))
    (reply,) = seen.replies
    assert reply.text.splitlines() == [
        "3 papers, announced up to 2 Mar · 2 late, from 26 Feb",
        "3 篇论文，公布日期截至3月2日 · 其中 2 篇为补发（2月26日）",
    ]
    assert "shown 3 · held back 0 · late 2" in reply.footer
    assert "未展示 0 · 补发 2" in reply.footer


async def test_of_many_late_days_the_first_and_the_last_are_named(
    database: Database, composer: Composer, clock: HandClock, seen: Seen
) -> None:
    await a_chat(database, "cs.CL", language="en")
    for number in range(1, 8):
        day = MONDAY.date() - timedelta(days=number)
        await announce(database, clock.turn(hours=1), a_paper(number, "cs.CL"), day=day)
    await composer.tick(clock.set(MONDAY + timedelta(days=1)))
    assert seen.replies[0].text.endswith(" · 7 late, from 23 Feb, …, 1 Mar")
