"""A summary's second language, and what its card says of who translated it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cards.reply import card_of
from bot.chats import Language
from bot.clock import WallClock
from bot.locales import CatalogueName, phrases_of
from bot.papers import Paper
from bot.summaries.translation.bilingual import in_both_languages
from bot.summaries.translation.firefox import FirefoxTranslator
from bot.summary import Provenance, Summary, Takeaway
from tests.builders import MONDAY, a_paper
from tests.toy import SENTENCES, put_model, settings

TITLE, TLDR, FIRST, SECOND, OTHER = SENTENCES
PAPER = a_paper(title=TITLE, abstract=f"{TLDR} {FIRST} {SECOND}")
SUMMARY = Summary(
    paper_id=PAPER.id,
    paper_version=1,
    tldr=TLDR,
    takeaways=(Takeaway(FIRST, role="method"), Takeaway(SECOND, role="result")),
    provenance=Provenance("extract", "1", MONDAY),
)


class Sayings:
    """A translator that knows what it was told."""

    name = "sayings 1"

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []

    async def translate(self, texts: Sequence[str]) -> list[str | None]:
        self.asked += [text for text in texts if text]
        return [self.known.get(text) for text in texts]


async def test_a_summary_gets_title_tldr_takeaways_and_abstract(tmp_path: Path) -> None:
    put_model(tmp_path)
    translator = FirefoxTranslator(settings(tmp_path), WallClock())
    both = await in_both_languages(SUMMARY, PAPER, translator)
    await translator.close()
    assert (both.title_zh, both.tldr_zh) == (SENTENCES[TITLE], SENTENCES[TLDR])
    assert both.takeaways == (
        Takeaway(FIRST, SENTENCES[FIRST], "method"),
        Takeaway(SECOND, SENTENCES[SECOND], "result"),
    )
    assert both.abstract_zh == "".join(SENTENCES[each] for each in (TLDR, FIRST, SECOND))
    assert both.provenance == replace(SUMMARY.provenance, translator="firefox en-zh 3.0")
    assert (both.tldr, both.paper_id) == (SUMMARY.tldr, SUMMARY.paper_id)


async def test_without_a_model_a_summary_stays_as_it_is(tmp_path: Path) -> None:
    translator = FirefoxTranslator(settings(tmp_path), WallClock())
    assert await in_both_languages(SUMMARY, PAPER, translator) == SUMMARY
    await translator.close()


async def test_takeaways_are_translated_all_or_not_at_all() -> None:
    both = await in_both_languages(SUMMARY, PAPER, Sayings({TLDR: "一", FIRST: "二"}))
    assert both.tldr_zh == "一"
    assert both.takeaways == SUMMARY.takeaways
    assert (both.title_zh, both.abstract_zh) == (None, None)


async def test_what_the_writer_wrote_in_chinese_stays_and_is_not_asked_for() -> None:
    written = replace(SUMMARY, tldr_zh="原文", takeaways=(Takeaway(FIRST, "要点"), Takeaway(SECOND, "要点二")))
    translator = Sayings({TITLE: "题目", TLDR: "别的", FIRST: "别的", PAPER.abstract: "摘要"})
    both = await in_both_languages(written, PAPER, translator)
    assert translator.asked == [TITLE, PAPER.abstract]
    assert (both.title_zh, both.tldr_zh, both.abstract_zh) == ("题目", "原文", "摘要")
    assert both.takeaways == written.takeaways


async def test_a_summary_that_has_everything_names_no_translator() -> None:
    written = replace(SUMMARY, tldr_zh="一", title_zh="二", abstract_zh="三", takeaways=())
    translator = Sayings({})
    assert await in_both_languages(written, PAPER, translator) == written
    assert translator.asked == []


async def test_latex_becomes_readable_text() -> None:
    paper: Paper = replace(PAPER, title="On $x^2$")
    assert (await in_both_languages(SUMMARY, paper, Sayings({"On $x^2$": "论 $x^2$"}))).title_zh == "论 x²"


@pytest.mark.parametrize(
    ("language", "catalogue", "badge"),
    [
        ("both", "en", "🧾 quoted from the abstract · 🌐 machine translation"),
        ("zh", "zh", "🧾 摘自原文摘要 · 🌐 机器翻译"),
        ("en", "en", "🧾 quoted from the abstract"),
    ],
)
def test_a_card_says_that_a_machine_translated_what_it_shows(
    language: Language, catalogue: CatalogueName, badge: str
) -> None:
    translated = replace(SUMMARY, provenance=replace(SUMMARY.provenance, translator="firefox en-zh 3.0"))
    assert card_of(PAPER, translated, language, phrases_of(catalogue)).badge == badge
    assert "🌐" not in card_of(PAPER, SUMMARY, language, phrases_of(catalogue)).badge
