"""Which translations may be shown."""

import pytest

from bot.summaries.translation.faithful import LANGUAGES, Language, fault, same_numbers

CHINESE = LANGUAGES["zh"]


@pytest.mark.parametrize(
    ("source", "translation", "wrong"),
    [
        ("We propose a method for images.", "我们提出了一种图像方法。", None),
        ("We propose a method for images.", "", "empty"),
        ("We propose a method for images.", "We propose a method.", "script"),
        ("We propose a method for images.", "我们 propose a method for images", "script"),
        (
            "We propose a method for drug discovery now.",
            "我们提出了一种非常好的全新的通用方法 for drug discovery now",
            "left over",
        ),
        ("We propose a method for images.", "我们提出的提出的提出的提出的提出的方法。", "loop"),
        ("We propose a method for images.", "方法方方方方方方方方方。", "loop"),
        ("A long sentence about the method and its results on all the many sets " * 4, "方法。", "length"),
        ("Short.", "一句话说得比原来的那一句长了许多许多，谁也不知道它究竟是从哪里来的。", "length"),
        ("It gains 3.5 percent.", "提升了3.5%。", None),
        ("It gains 3.5%.", "提升了百分之3.5。", None),
        ("It gains 3.5%.", "提升了3.5。", "numbers"),
        ("It gains 3.5%.", "提升了35%。", "numbers"),
        ("It gains 3.5%.", "有所提升。", "numbers"),
        ("It has gains.", "提升了7%。", "numbers"),
        ("From -3 to 5.", "从-3到5。", None),
        ("From -3 to 5.", "从负3到5。", None),
        ("From -3 to 5.", "从3到5。", "numbers"),
        ("It has 5 million rows.", "它有500万行。", None),
        ("It has 1.5 billion rows.", "它有15亿行。", None),
        ("It has 5 million rows.", "它有500行。", "numbers"),
        ("It has 5 million rows.", "它有5亿行。", "numbers"),
        ("It has 12,500 rows.", "它有12500行。", None),
        ("It has 12,500 rows.", "它有1.25万行。", None),
        ("It has 12,500 rows.", "它有12,500行。", None),
        ("A walk of 3 km.", "步行3千米。", None),
        ("On two sets.", "在2个数据集上。", None),
        ("On two sets.", "在3个数据集上。", "numbers"),
        ("In May 2025 it began.", "它始于2025年5月。", None),
        ("In 2025 it may begin.", "它可能始于2025年5月。", "numbers"),
        ("It is 2 or 2.", "是2。", "numbers"),
    ],
)
def test_a_chinese_translation_is_judged(source: str, translation: str, wrong: str | None) -> None:
    assert fault(source, translation, CHINESE) == wrong


@pytest.mark.parametrize(
    ("to", "source", "translation", "wrong"),
    [
        ("de", "It gains 3.5% on 1,200 runs.", "Es gewinnt 3,5 % bei 1.200 Läufen.", None),
        ("de", "It gains 3.5%.", "Es gewinnt 35 %.", "numbers"),
        ("de", "It has 5 million rows.", "Es hat 5 Millionen Zeilen.", None),
        ("de", "This is a sentence about it.", "This is a sentence about it.", "left over"),
        ("ja", "We propose a method.", "本研究では新しい手法を提案する。", None),
        ("ja", "We propose a method.", "We propose a method.", "script"),
        ("ru", "We propose a method.", "Мы предлагаем метод.", None),
    ],
)
def test_another_language_is_judged_by_the_same_rules(
    to: str, source: str, translation: str, wrong: str | None
) -> None:
    assert fault(source, translation, LANGUAGES[to]) == wrong


def test_an_unknown_language_is_taken_for_one_in_latin_letters() -> None:
    assert fault("It has 5 rows.", "Dia punya 5 baris.", Language()) is None


def test_numbers_are_compared_by_value() -> None:
    assert same_numbers("1.50 and 2", "2 与 1.5", CHINESE)
    assert not same_numbers("1.50 and 2", "2 与 15", CHINESE)
