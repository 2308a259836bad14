"""The glossary: its files, and what of a text it finds."""

import re
import time
from pathlib import Path

import pytest

from bot.summaries.translation.glossary import FOLDER, GlossaryError, glossary, load, parse

BUNDLED = FOLDER / "en-zh.tsv"


def found(text: str, **terms: str) -> list[tuple[str, str]]:
    """What a glossary finds in a text, and what it becomes; blanks of a term are written `_`."""
    named = glossary({english.replace("_", " "): translation for english, translation in terms.items()})
    return [(text[piece.start : piece.end], piece.shown) for piece in named.find(text)]


def test_the_bundled_glossary_is_well_formed() -> None:
    terms = parse(BUNDLED.read_text("utf-8"), BUNDLED.name)
    assert len(terms) >= 1_100
    assert len(load("zh").terms) == len(terms), "two terms differ only in hyphens, capitals or number"
    for english, chinese in terms.items():
        assert chinese == "=" or chinese == "Transformer" or re.search("[一-鿿]", chinese), english
        assert english == english.strip()
        assert chinese == chinese.strip()


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("attention", "注意力"),
        ("transformer", "Transformer"),
        ("few-shot", "少样本"),
        ("prompt", "提示词"),
        ("manifold", "流形"),
        ("Galerkin", "伽辽金"),
        ("Vision Transformer", "视觉 Transformer"),
        ("image segmentation", "图像分割"),
        ("tracking", "跟踪"),
        ("NeRF", "NeRF"),
        ("3D Gaussian splatting", "三维高斯泼溅"),
        ("TTS", "语音合成"),
        ("large language models", "大语言模型"),
        ("Riemannian manifolds", "黎曼流形"),
        ("Navier–Stokes equations", "纳维-斯托克斯方程"),
        ("Alzheimer's disease", "阿尔茨海默病"),
        ("Bayes' theorem", "贝叶斯定理"),
        ("random matrices", "随机矩阵"),
        ("Kähler manifolds", "凯勒流形"),
        ("dark matter", "暗物质"),
        ("gene expression", "基因表达"),
    ],
)
def test_terms_of_every_field_have_their_established_chinese(english: str, chinese: str) -> None:
    assert [piece.shown for piece in load("zh").find(english)] == [chinese]


def test_the_longest_term_wins() -> None:
    terms = {"image": "图像", "image_segmentation": "图像分割", "segmentation": "分割"}
    assert found("medical image segmentation", **terms) == [("image segmentation", "图像分割")]
    assert found("image, segmentation", **terms) == [("image", "图像"), ("segmentation", "分割")]


@pytest.mark.parametrize("text", ["Neural Network", "neural networks", "neural-network", "Neural\nnetworks"])
def test_capitals_number_and_hyphens_do_not_matter(text: str) -> None:
    assert found(text, neural_network="神经网络") == [(text, "神经网络")]


@pytest.mark.parametrize(
    "text", ["submanifold", "manifold_x", "non-manifold", "manifoldness", "MANIFOLD", "\\manifold"]
)
def test_a_part_of_a_word_an_acronym_and_a_command_are_no_term(text: str) -> None:
    assert found(text, manifold="流形") == []


def test_a_term_before_a_suffix_is_found() -> None:
    assert found("attention-based and graph-free", attention="注意力") == [("attention", "注意力")]


def test_an_acronym_is_found_only_as_it_is_written() -> None:
    assert found("TTS, tts, Tts, TTSs", TTS="语音合成") == [("TTS", "语音合成"), ("TTSs", "语音合成")]


def test_an_abbreviation_in_brackets_stays_what_it_is() -> None:
    pieces = found("text-to-speech (TTS)", text_to_speech="语音合成", TTS="语音合成")
    assert pieces == [("text-to-speech", "语音合成"), ("TTS", "TTS")]


def test_an_equals_sign_keeps_the_english() -> None:
    assert found("Dropout helps", dropout="=") == [("Dropout", "Dropout")]


def test_an_operators_own_terms_come_before_the_bundled_ones(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text("# mine\nattention\t关注力\nzyzzyva\t象鼻虫\n", "utf-8")
    both = load("zh", str(own))
    assert [piece.shown for piece in both.find("attention of a zyzzyva in a manifold")] == ["关注力", "象鼻虫", "流形"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It has attracted significant attention.", ["广泛关注"]),
        ("Attention is all you need", ["注意力"]),
        ("a power transformer in the grid", ["电力变压器"]),
        ("the conformal bootstrap", ["共形自举"]),
        ("the extracellular matrix", ["细胞外基质"]),
    ],
)
def test_a_word_of_two_meanings_is_told_by_its_neighbours(text: str, shown: list[str]) -> None:
    assert [piece.shown for piece in load("zh").find(text)] == shown


def test_simplified_chinese_has_the_same_glossary_under_both_names() -> None:
    assert load("zh-Hans") == load("zh")


def test_a_language_without_a_bundled_glossary_has_an_empty_one() -> None:
    assert load("de").find("attention") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"attention\n", "line 1: write the English, one tab"),
        (b"a\tb\tc\n", "line 1"),
        (b"# x\nattention\t1\nattention\t2\n", "line 3: “attention” is there twice"),
        (b"\xff\xfe", "UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_key_file_and_fix(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    own = tmp_path / "own.tsv"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(GlossaryError) as caught:
        load("zh", str(own))
    assert all(part in str(caught.value) for part in ("[translation] glossary", str(own), said))


def test_an_abstract_is_searched_in_a_few_milliseconds() -> None:
    bundled = load("zh")
    text = ("We propose vision transformers for few-shot image segmentation on Riemannian manifolds. " * 20)[:1_500]
    took = []
    for _ in range(20):
        started = time.perf_counter()
        assert bundled.find(text)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.003
