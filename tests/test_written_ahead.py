"""Summaries before digests: what is wanted is written and translated first, and a digest waits a while for that."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.clock import WallClock
from bot.config import Llm
from bot.digests.compose import LOOK_AGAIN, Composer
from bot.jobs.summarising import Summarising
from bot.metrics import Metrics
from bot.papers import Paper
from bot.storage import chats, operators, papers, rejections, spending, summaries, wanted
from bot.storage.database import Database
from bot.storage.rejections import Rejection
from bot.storage.spending import Spent
from bot.summaries.model import prompt
from bot.summaries.translation.firefox import FirefoxTranslator
from bot.summaries.write import WRITERS, Summariser
from bot.summary import Provenance, Summary, Takeaway
from tests.builders import MONDAY, HandClock, a_chat, a_paper, announce, written
from tests.room import a_room, as_read, says
from tests.toy import SENTENCES, put_model, settings

WAIT = timedelta(minutes=20)
TITLE, TLDR, *_ = SENTENCES
PAPER = a_paper(title=TITLE, abstract=f"{TLDR} We release code for drug discovery.")
BOTH = Summary(
    PAPER.id,
    1,
    "A model's TLDR.",
    (Takeaway("One.", "一。"),),
    Provenance("model", "1", MONDAY, "toy"),
    "模型的一句话。",
)


class SlowWriter:
    """A writer that takes its time; what it writes is told to it."""

    def __init__(self, *known: Summary) -> None:
        self.known = {each.paper_id: each for each in known}
        self.asked: list[str] = []

    async def write(self, papers: Sequence[Paper], now: datetime) -> list[Summary]:
        self.asked += [paper.id for paper in papers]
        found = [self.known[paper.id] for paper in papers if paper.id in self.known]
        return [replace(each, provenance=replace(each.provenance, written_at=now)) for each in found]

    async def stop(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def translator(tmp_path: Path) -> AsyncIterator[FirefoxTranslator]:
    translator = FirefoxTranslator(settings(tmp_path / "models", download=False), WallClock())
    yield translator
    await translator.close()


def reading(
    database: Database, clock: HandClock, summariser: Summariser, wait: timedelta = WAIT
) -> tuple[Composer, Summarising, list[Reply]]:
    """Who composes, who summarises, and what was composed."""
    came: list[Reply] = []

    def render(reply: Reply) -> list[str]:
        came.append(reply)
        return [f"{len(came)}"]

    summarising = Summarising(database, summariser, wait)
    composer = Composer(
        database,
        summariser.at_once,
        {"web": render},
        ("cs.CL",),
        Metrics(),
        awaited=summarising.awaited,
        awaits_chinese=lambda: summariser.awaits_chinese,
    )
    return composer, summarising, came


async def due(database: Database, chat: Chat) -> datetime | None:
    async with database.read() as connection:
        found = await chats.get(connection, chat.id)
    return found.next_digest_at if found else None


async def test_a_digest_waits_for_what_is_still_being_written(database: Database, clock: HandClock) -> None:
    composer, summarising, came = reading(database, clock, Summariser(database, clock, [SlowWriter(BOTH), *WRITERS]))
    await a_chat(database, "cs.CL")
    await announce(database, clock.now(), PAPER)
    clock.set(MONDAY + timedelta(hours=21))
    assert await composer.tick(clock.now()) == clock.now() + LOOK_AGAIN
    assert came == []
    await summarising.tick(clock.now())
    clock.turn(seconds=LOOK_AGAIN.total_seconds())
    await composer.tick(clock.now())
    (digest,) = came
    assert "A model's TLDR." in as_read(digest)


async def test_a_digest_waits_no_longer_than_that_and_then_shows_what_takes_no_time(
    database: Database, clock: HandClock
) -> None:
    """And what it shows is not kept: whoever asks later gets what the model wrote."""
    composer, summarising, came = reading(database, clock, Summariser(database, clock, [SlowWriter(BOTH), *WRITERS]))
    chat = await a_chat(database, "cs.CL")
    await announce(database, clock.now(), PAPER)
    begun = clock.set(MONDAY + timedelta(hours=21))
    while not came:
        clock.set(await due(database, chat) or clock.now())
        await composer.tick(clock.now())
    assert WAIT <= clock.now() - begun <= WAIT + LOOK_AGAIN
    assert TLDR in as_read(came[0])
    assert "🧾" in as_read(came[0])
    await summarising.tick(clock.now())
    async with database.read() as connection:
        assert (await summaries.get(connection, [PAPER]))[PAPER.id].tldr == BOTH.tldr


async def test_nobody_waits_where_nothing_takes_time(database: Database, clock: HandClock) -> None:
    composer, _, came = reading(database, clock, Summariser(database, clock, WRITERS))
    await a_chat(database, "cs.CL")
    await announce(database, clock.now(), PAPER)
    await composer.tick(clock.set(MONDAY + timedelta(hours=21)))
    assert len(came) == 1
    async with database.read() as connection:
        assert await wanted.oldest(connection, 10) == []


async def test_who_reads_english_does_not_wait_for_chinese(
    database: Database, clock: HandClock, translator: FirefoxTranslator, tmp_path: Path
) -> None:
    put_model(tmp_path / "models")
    composer, summarising, came = reading(database, clock, Summariser(database, clock, WRITERS, translator=translator))
    await a_chat(database, "cs.CL", address="english", language="en")
    both = await a_chat(database, "cs.CL", address="both", language="both")
    await announce(database, clock.now(), PAPER)
    await composer.tick(clock.set(MONDAY + timedelta(hours=21)))
    (english,) = came
    assert SENTENCES[TLDR] not in as_read(english)
    assert await due(database, both) == clock.now() + LOOK_AGAIN
    await summarising.tick(clock.now())
    await composer.tick(clock.turn(seconds=LOOK_AGAIN.total_seconds()))
    shown = as_read(came[1])
    assert SENTENCES[TLDR] in shown
    assert SENTENCES[TITLE] in shown or TITLE in shown
    assert "🌐" in shown


async def test_a_digest_late_in_the_day_does_not_wait_into_the_next(database: Database, clock: HandClock) -> None:
    composer, _, came = reading(database, clock, Summariser(database, clock, [SlowWriter(BOTH), *WRITERS]))
    await a_chat(database, "cs.CL")
    await announce(database, clock.now(), PAPER)
    await composer.tick(clock.set(datetime(2026, 3, 3, 23, 59, 50, tzinfo=UTC)))
    assert len(came) == 1


async def test_papers_that_nobody_will_see_are_not_summarised(database: Database, clock: HandClock) -> None:
    slow = SlowWriter()
    summarising = reading(database, clock, Summariser(database, clock, [slow, *WRITERS]))[1]
    await a_chat(database, "cs.CL -survey")
    await announce(database, clock.now(), PAPER, a_paper(2, "cs.CV"), a_paper(3, title="A Survey"))
    await summarising.tick(clock.now())
    assert slow.asked == [PAPER.id]


async def test_chinese_comes_to_summaries_that_were_written_before_its_model_was_there(
    database: Database, clock: HandClock, translator: FirefoxTranslator, tmp_path: Path
) -> None:
    summariser = Summariser(database, clock, WRITERS, translator=translator)
    await announce(database, clock.now(), PAPER)
    assert (await written(summariser, [PAPER], bilingual=True))[PAPER.id].tldr_zh is None
    assert summariser.awaits_chinese
    assert await summariser.unready([PAPER], bilingual=True) == set()
    put_model(tmp_path / "models")
    assert not summariser.awaits_chinese
    assert await summariser.unready([PAPER], bilingual=False) == set()
    assert await summariser.unready([PAPER], bilingual=True) == {PAPER.id}
    translated = (await written(summariser, [PAPER], bilingual=True))[PAPER.id]
    assert translated.tldr_zh == SENTENCES[TLDR]
    assert translated.provenance.translator == "firefox en-zh 3.0"
    assert await summariser.unready([PAPER], bilingual=True) == set()


async def test_what_cannot_be_translated_faithfully_is_tried_once(
    database: Database, clock: HandClock, translator: FirefoxTranslator, tmp_path: Path
) -> None:
    put_model(tmp_path / "models")
    summariser = Summariser(database, clock, WRITERS, translator=translator)
    unknown = a_paper(7, abstract="Nobody ever taught the toy this sentence. It says $x^2$ and 17 more things.")
    await announce(database, clock.now(), unknown)
    summary = (await written(summariser, [unknown], bilingual=True))[unknown.id]
    assert summary.tldr_zh is None
    assert await summariser.unready([unknown], bilingual=True) == set()


@pytest.mark.parametrize(("language", "is_told"), [("en", False), ("zh", True), ("both", True)])
async def test_a_digest_says_how_chinese_comes_while_it_cannot(
    database: Database, clock: HandClock, translator: FirefoxTranslator, language: str, is_told: bool
) -> None:
    composer, _, came = reading(database, clock, Summariser(database, clock, WRITERS, translator=translator))
    await a_chat(database, "cs.CL", language=language)
    await announce(database, clock.now(), PAPER)
    await composer.tick(clock.set(MONDAY + timedelta(hours=21)))
    shown = as_read(came[0])
    assert says(shown, "digest.no_chinese", "zh" if language == "zh" else "en") is is_told


async def test_a_new_version_that_says_the_same_keeps_its_summary(database: Database, clock: HandClock) -> None:
    slow = SlowWriter(BOTH)
    summariser = Summariser(database, clock, [slow, *WRITERS])
    await announce(database, clock.now(), PAPER)
    await summariser.write([PAPER], bilingual=False)
    again, changed = replace(PAPER, version=2, comment="v2"), replace(PAPER, version=2, abstract="Another abstract.")
    assert (await written(summariser, [again]))[PAPER.id].tldr == BOTH.tldr
    assert slow.asked == [PAPER.id]
    slow.known.clear()
    assert (await written(summariser, [changed]))[PAPER.id].tldr == "Another abstract."
    assert (await summariser.at_once([PAPER]))[PAPER.id].tldr == BOTH.tldr


async def test_of_several_workers_each_wanted_paper_is_claimed_by_one(any_database: Database, clock: HandClock) -> None:
    some = [a_paper(number) for number in range(1, 61)]
    await announce(any_database, clock.now(), *some)
    async with any_database.write() as connection:
        await wanted.add(connection, [paper.id for paper in some], clock.now())
    summarising = Summarising(any_database, Summariser(any_database, clock, WRITERS))
    first, second = await summarising.claimed(clock.now()), await summarising.claimed(clock.now())
    assert sorted(first + second) == [paper.id for paper in some]
    assert await summarising.claimed(clock.now()) == []
    await summarising.write(first)
    assert await summarising.claimed(clock.now()) == []
    assert await summarising.claimed(clock.turn(hours=1)) == second


# Written anew.


def toy(model: str = "toy") -> Llm:
    return Llm(base_url="http://127.0.0.1:9/v1", model=model, price_in=1.0, price_out=2.0)


async def test_a_summary_by_another_writer_can_be_written_anew_by_the_model(tmp_path: Path) -> None:
    slow = SlowWriter(replace(BOTH, provenance=replace(BOTH.provenance, version=prompt.VERSION)))
    async with a_room(tmp_path, writers=[slow, *WRITERS], llm=toy()) as room:
        person = await room.person()
        async with room.database.write() as connection:
            await papers.add(connection, [PAPER], room.clock.now())
            old = replace(BOTH, tldr="Of old.", provenance=Provenance("extract", "1", room.clock.now()))
            await summaries.add(connection, [old])
        card = await person.says(f"/paper {PAPER.id}")
        assert card is not None
        assert "Of old." in as_read(card)
        (*_, button) = card.cards[0].further
        assert button.action == f"anew:{PAPER.id}"
        shown = await person.presses(button.action)
        assert shown is not None
        assert "A model's TLDR." in as_read(shown)
        assert button not in shown.cards[0].further
        assert says(as_read(await person.presses(button.action)), "anew.too_soon", at="13:00")
        room.clock.turn(hours=2)
        slow.known.clear()
        assert says(as_read(await person.presses(button.action)), "anew.failed")
        assert "A model's TLDR." in await person.reads(f"/paper {PAPER.id}")


async def test_what_was_just_rejected_is_not_paid_for_again_and_again(tmp_path: Path) -> None:
    async with a_room(tmp_path, writers=[SlowWriter(BOTH), *WRITERS], llm=toy()) as room:
        person = await room.person()
        async with room.database.write() as connection:
            await papers.add(connection, [PAPER], room.clock.now())
            rejected = Rejection(PAPER.id, 1, "toy", "1", "number", "tldr.en: 97%", "{}", room.clock.now())
            await rejections.add(connection, [rejected])
        assert says(as_read(await person.presses(f"anew:{PAPER.id}")), "anew.too_soon", at="13:00")
        room.clock.turn(hours=1)
        assert "A model's TLDR." in as_read(await person.presses(f"anew:{PAPER.id}"))


async def test_only_administrators_spend_a_groups_tokens(tmp_path: Path) -> None:
    async with a_room(tmp_path, llm=toy()) as room:
        person = await room.person(group=True, admin=False)
        assert says(as_read(await person.presses(f"anew:{PAPER.id}")), "error.admins_only")


async def test_a_paper_that_was_looked_up_is_wanted(tmp_path: Path) -> None:
    async with a_room(tmp_path, writers=[SlowWriter(BOTH), *WRITERS], llm=toy()) as room:
        async with room.database.write() as connection:
            await papers.add(connection, [PAPER], room.clock.now())
        assert TLDR in await (await room.person()).reads(f"/paper {PAPER.id}")
        async with room.database.read() as connection:
            assert await wanted.oldest(connection, 10) == [PAPER.id]


@pytest.mark.parametrize("is_operator", [True, False])
async def test_operators_are_told_what_the_model_costs(tmp_path: Path, is_operator: bool) -> None:
    async with a_room(tmp_path, llm=toy()) as room:
        person = await room.person()
        if is_operator:
            chat = await room.chat(person)
            async with room.database.write() as connection:
                await operators.add(connection, person.platform, person.name.lower(), chat.id)
                await spending.add(connection, room.clock.now().date(), "toy", Spent(3, 1_000_000, 250_000))
        answer = await person.reads("/status")
        told = says(answer, "status.model_cost", model="toy", requests=3, tokens="1,250,000", cost="1.50")
        assert told is is_operator
