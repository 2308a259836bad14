"""Translation: a text sentence by sentence, whatever must not change kept, and no half truth."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.clock import WallClock
from bot.summaries.translation.firefox import FirefoxTranslator
from bot.summaries.translation.glossary import GlossaryError, glossary, load
from bot.summaries.translation.models import RECORD
from bot.summaries.translation.text import LONGEST, translated
from tests.toy import MODEL, SENTENCES, SOURCE, TARGET, digest, put_model, put_record, settings

NO_TERMS = glossary()
TERMS = glossary(
    {"transformer": "Transformer", "image segmentation": "图像分割", "few-shot": "少样本", "attention": "注意力"}
)


class Model:
    """Stands where a real model would: says what it was told for each source, and remembers what it was asked."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def say(self, sentence: str) -> str:
        self.asked.append(sentence)
        return self.answers.get(sentence, "")


@pytest.mark.parametrize(
    ("text", "answers", "chinese"),
    [
        pytest.param(
            "We use BERT here. It gains 3.5% on $x^2$.",
            {"We use X1 here.": "我们在此使用X1。", "It gains 3.5% on X1.": "它在X1上提升了3.5%。"},
            "我们在此使用 BERT。它在 $x^2$ 上提升了 3.5%。",
            id="names, numbers and formulas come back",
        ),
        pytest.param(
            "A Transformer with attention does few-shot image segmentation.",
            {"A X1 with X2 does X3.": "带有X2的X1可以完成X3。"},
            "带有注意力的 Transformer 可以完成少样本图像分割。",
            id="terms become the glossary's",
        ),
        pytest.param(
            "We use BERT here.",
            {"We use X1 here.": "我们在此使用它。", "We use [1] here.": "我们在此使用[1]。"},
            "我们在此使用 BERT。",
            id="a second form of sign is tried where the first is lost",
        ),
        pytest.param(
            "It gains 3.5% here.",
            {"It gains 3.5% here.": "它提升了35%。", "It gains [1] here.": "它在此提升了[1]。"},
            "它在此提升了 3.5%。",
            id="a number that came out wrong is set aside",
        ),
        pytest.param(
            "The attention of BERT works.",
            {
                "The X1 of X2 works.": "有效。",
                "The [1] of [2] works.": "有效。",
                "The attention of X1 works.": "X1的注意力有效。",
            },
            "BERT 的注意力有效。",
            id="the glossary is given up before the translation is",
        ),
        pytest.param("GPT-4: $x$", {}, "GPT-4: $x$", id="what has no words needs no model"),
        pytest.param(
            r"We \emph{really} like~it.",
            {"We really like it.": "我们真的很喜欢它。"},
            "我们真的很喜欢它。",
            id="emphasis is no word",
        ),
        pytest.param(
            "A SURVEY OF GOOD METHODS",
            {"A survey of good methods": "优秀方法综述"},
            "优秀方法综述",
            id="capitals are no acronyms",
        ),
        pytest.param(
            "We like it. It is BERT here.",
            {"We like it.": "我们喜欢它。", "It is X1 here.": "它在此。"},
            None,
            id="one sentence spoils all",
        ),
        pytest.param("We use BERT here.", {"We use X1 here.": "我们用X1和X1。"}, None, id="a doubled sign is refused"),
        pytest.param("We like it.", {"We like it.": "We like it."}, None, id="English is no Chinese"),
        pytest.param("We like it.", {"We like it.": "喜欢喜欢喜欢喜欢喜欢"}, None, id="a loop is refused"),
        pytest.param("", {}, None, id="nothing"),
        pytest.param(" \n ", {}, None, id="blanks"),
        pytest.param("We like it. " * LONGEST, {}, None, id="longer than any abstract"),
    ],
)
def test_a_text_is_translated_faithfully_or_not_at_all(text: str, answers: dict[str, str], chinese: str | None) -> None:
    assert translated(text, Model(answers).say, TERMS, "zh") == chinese


def test_no_source_is_asked_twice_for_one_sentence() -> None:
    model = Model({})
    assert translated("We like it.", model.say, TERMS, "zh") is None
    assert model.asked == ["We like it."]


def test_what_takes_too_long_is_given_up_between_sentences() -> None:
    model = Model({"We like it.": "我们喜欢它。"})
    assert translated("We like it. We like it.", model.say, NO_TERMS, "zh", lambda: len(model.asked) > 0) is None
    assert len(model.asked) == 1


def test_another_language_is_a_setting() -> None:
    model = Model({"We use X1 here.": "Wir verwenden hier X1.", "It works well.": "Es funktioniert gut."})
    assert translated("We use BERT here. It works well.", model.say, NO_TERMS, "de") == (
        "Wir verwenden hier BERT. Es funktioniert gut."
    )


@pytest.mark.parametrize(
    "bit", ["a", "A", "1", "a-", "$", "\\a{", "\\cite[", "(A", "[1,", "X1 ", "a@", "it's ", "1,111", "我"]
)
def test_a_hostile_text_takes_no_longer_than_its_length(bit: str) -> None:
    started = time.perf_counter()
    translated((bit * LONGEST)[:LONGEST], lambda sentence: f"我们{sentence}", load("zh"), "zh")
    assert time.perf_counter() - started < 2


# With the toy model.


@asynccontextmanager
async def a_translator(folder: Path, **values: Any) -> AsyncIterator[FirefoxTranslator]:
    translator = FirefoxTranslator(settings(folder, **values), WallClock())
    try:
        yield translator
    finally:
        await translator.close()


async def test_the_model_translates_exactly_and_tells_its_name(tmp_path: Path) -> None:
    put_model(tmp_path)
    async with a_translator(tmp_path) as translator:
        assert translator.name is None
        assert await translator.translate([*SENTENCES, " ".join(SENTENCES), "", "  "]) == [
            *SENTENCES.values(),
            "".join(SENTENCES.values()),
            None,
            None,
        ]
        assert translator.name == "firefox en-zh 3.0"
        assert translator.fault is None


async def test_what_the_model_does_not_bring_back_stays_english(tmp_path: Path) -> None:
    put_model(tmp_path)
    async with a_translator(tmp_path) as translator:
        assert await translator.translate(["We release code for GPT-4.", "It has 7 gains.", "GPT-4"]) == [
            None,
            None,
            "GPT-4",
        ]


async def test_many_at_once_get_each_their_own_and_the_event_loop_goes_on(tmp_path: Path) -> None:
    put_model(tmp_path)
    gaps = []

    async def beat() -> None:
        while True:
            before = time.process_time()  # not the wall clock's: other processes may hold the machine up
            await asyncio.sleep(0)
            gaps.append(time.process_time() - before)

    async with a_translator(tmp_path) as translator:
        beating = asyncio.create_task(beat())
        many = await asyncio.gather(*(translator.translate([text]) for _ in range(40) for text in SENTENCES))
        beating.cancel()
    assert many == [[chinese] for _ in range(40) for chinese in SENTENCES.values()]
    assert max(gaps) < 0.5


async def test_a_text_that_is_cancelled_leaves_the_next_one_its_turn(tmp_path: Path) -> None:
    put_model(tmp_path)
    text, chinese = next(iter(SENTENCES.items()))
    async with a_translator(tmp_path) as translator:
        waiting = [asyncio.create_task(translator.translate([text])) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting[:4]:
            task.cancel()
        assert await waiting[4] == [chinese]


@pytest.mark.parametrize("seconds", [-1, -5], ids=["between its sentences", "while a thread is stuck"])
async def test_a_text_has_so_much_time_and_no_more(tmp_path: Path, seconds: float) -> None:
    put_model(tmp_path)
    translator = FirefoxTranslator(settings(tmp_path), WallClock(), longest_work=seconds)
    assert await translator.translate(list(SENTENCES)) == [None] * len(SENTENCES)
    await translator.close()


def _missing(folder: Path) -> None:
    pass


def _without_a_file(folder: Path) -> None:
    (put_model(folder) / TARGET).unlink()


def _truncated(folder: Path) -> None:
    home = put_model(folder)
    (home / MODEL).write_bytes((home / MODEL).read_bytes()[:1000])


def _other_bytes(folder: Path) -> None:
    home = put_model(folder)
    content = bytearray((home / MODEL).read_bytes())
    content[-1] ^= 1
    (home / MODEL).write_bytes(content)


def _wrong_vocabulary(folder: Path) -> None:
    home = put_model(folder)
    (home / SOURCE).write_bytes((home / TARGET).read_bytes()[: (home / SOURCE).stat().st_size])


def _wrong_pair(folder: Path) -> None:
    home = put_model(folder)
    put_record(home, pair="en-de")


def _wrong_files(folder: Path) -> None:
    home = put_model(folder, pair="en-de", has_record=False).rename(folder / "en-zh")
    put_record(home)


def _no_record(folder: Path) -> None:
    put_model(folder, has_record=False)


def _broken_record(folder: Path) -> None:
    (put_model(folder) / RECORD).write_text("{", "utf-8")


def _path_in_record(folder: Path) -> None:
    record = put_model(folder) / RECORD
    record.write_text(record.read_text("utf-8").replace(MODEL, f"../{MODEL}"), "utf-8")


def _no_model_at_all(folder: Path) -> None:
    home = put_model(folder)
    (home / MODEL).write_bytes(b"no model, though its hash is right")
    put_record(home)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing, ["[translation] folder", "en-zh is missing", "paperwire models fetch"]),
        (_without_a_file, ["[translation] folder", TARGET, "is missing", "paperwire models fetch"]),
        (_truncated, ["[translation] folder", MODEL, "has 1000 bytes instead of 193000", "paperwire models fetch"]),
        (_other_bytes, ["[translation] folder", MODEL, "damaged", "paperwire models fetch"]),
        (_wrong_vocabulary, ["[translation] folder", SOURCE, "damaged", "paperwire models fetch"]),
        (_wrong_pair, ["[translation] folder", RECORD, "is of en-de", 'to is "zh"', "paperwire models fetch"]),
        (_wrong_files, ["[translation] folder", "ende", "of another pair", "paperwire models fetch"]),
        (_no_record, ["[translation] pins", MODEL, "not pinned", "paperwire models fetch"]),
        (_broken_record, ["[translation] folder", RECORD, "no record of a model", "paperwire models fetch"]),
        (_path_in_record, ["[translation] folder", RECORD, "no record of a model", "paperwire models fetch"]),
        (
            _no_model_at_all,
            ["[translation] folder", "en-zh", "no model that fxtranslate reads", "paperwire models fetch"],
        ),
    ],
)
async def test_a_model_that_cannot_be_used_is_told_with_key_file_and_fix(
    tmp_path: Path, spoil: Callable[[Path], None], said: list[str]
) -> None:
    spoil(tmp_path)
    async with a_translator(tmp_path) as translator:
        assert await translator.translate(list(SENTENCES)) == [None] * len(SENTENCES)
        assert translator.name is None
        assert translator.fault is not None
        assert [part for part in said if part not in translator.fault] == []
        assert "\n" not in translator.fault


async def test_a_model_that_comes_while_running_is_used(tmp_path: Path) -> None:
    text, chinese = next(iter(SENTENCES.items()))
    async with a_translator(tmp_path) as translator:
        assert await translator.translate([text]) == [None]
        put_model(tmp_path)
        assert await translator.translate([text]) == [chinese]
        assert translator.fault is None


async def test_a_model_that_is_replaced_while_running_is_noticed(tmp_path: Path) -> None:
    text, chinese = next(iter(SENTENCES.items()))
    put_model(tmp_path)
    async with a_translator(tmp_path) as translator:
        await translator.translate([text])
        put_model(tmp_path, version="3.1")
        assert await translator.translate([text]) == [chinese]
        assert translator.name == "firefox en-zh 3.1"


async def test_while_a_damaged_model_lies_there_the_one_in_memory_goes_on(tmp_path: Path) -> None:
    text, chinese = next(iter(SENTENCES.items()))
    put_model(tmp_path)
    async with a_translator(tmp_path) as translator:
        await translator.translate([text])
        _other_bytes(tmp_path)
        assert await translator.translate([text]) == [chinese]
        assert translator.fault is not None
        assert MODEL in translator.fault
        put_model(tmp_path, version="3.2")
        assert await translator.translate([text]) == [chinese]
        assert (translator.name, translator.fault) == ("firefox en-zh 3.2", None)


async def test_files_without_a_record_are_used_where_each_is_pinned(tmp_path: Path) -> None:
    home = put_model(tmp_path, has_record=False)
    pins = {name: digest(home / name) for name in (MODEL, SOURCE, TARGET)}
    async with a_translator(tmp_path, pins=pins) as translator:
        assert await translator.translate(list(SENTENCES)) == list(SENTENCES.values())
        assert translator.name == "firefox en-zh"


async def test_a_pin_wins_over_a_record(tmp_path: Path) -> None:
    put_model(tmp_path)
    async with a_translator(tmp_path, pins={MODEL: "0" * 64}) as translator:
        assert await translator.translate(list(SENTENCES)) == [None] * len(SENTENCES)
        assert translator.fault is not None
        assert "[translation] pins" in translator.fault


async def test_a_model_that_fails_inside_is_survived(tmp_path: Path) -> None:
    home = put_model(tmp_path)
    # The source's vocabulary is the larger one of the target: its last pieces have no place in the model.
    (home / SOURCE).write_bytes((home / TARGET).read_bytes())
    put_record(home)
    async with a_translator(tmp_path) as translator:
        assert await translator.translate(["We propose 我们提出了"]) == [None]
        assert translator.fault is not None
        assert "failed at a sentence (PanicException)" in translator.fault
        assert await translator.translate(["We like it."]) != [None]


def test_a_glossary_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(GlossaryError, match="glossary"):
        FirefoxTranslator(settings(tmp_path, glossary=str(tmp_path / "nowhere.tsv")), WallClock())
