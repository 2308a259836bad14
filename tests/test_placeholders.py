"""What must not change through a translation: what is set aside, and how it comes back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.summaries.translation.placeholders import (
    FORMS,
    Form,
    Piece,
    apart,
    bare,
    figures,
    joined,
    literals,
    names,
    protect,
    restore,
)


def set_aside(text: str) -> list[str]:
    """What of a text is not left to a model, numbers aside."""
    return [piece.shown for piece in apart(literals(text), list(names(text)))]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The rate is $O(n^2)$ here.", ["$O(n^2)$"]),
        (r"Let \(x\) be in $\mathcal{H}$-space, the $n$th.", [r"\(x\)", r"$\mathcal{H}$", "$n$th"]),
        ("A layer of 5$\\mu$m is grown.", ["5$\\mu$m"]),
        (r"Solutions of the Schr\"odinger equation", [r"Schr\"odinger"]),
        (r"With \alpha{} and \foo[a]{b} we see", [r"\alpha{}", r"\foo[a]{b}"]),
        ("Code: https://example.org/a_b?c=1.", ["https://example.org/a_b?c=1"]),
        ("See www.example.org, or ada@example.org.", ["www.example.org", "ada@example.org"]),
        ("It follows arXiv:2603.00001v2 and doi:10.1000/xyz.5.", ["arXiv:2603.00001v2", "doi:10.1000/xyz.5"]),
        ("Call `fit(x)` first.", ["`fit(x)`"]),
        ("As in [3, 5-7] and [12].", ["[3, 5-7]", "[12]"]),
        (r"As \cite{lovelace} and \citep[p. 3]{wang} say", [r"\cite{lovelace}", r"\citep[p. 3]{wang}"]),
        ("This was shown (Lovelace et al., 2021), and made (it was in 2019).", ["(Lovelace et al., 2021)"]),
        ("BERT and GPT-4 beat ResNet-50.", ["BERT", "GPT-4", "ResNet-50"]),
        ("YOLOv8, mAP, H100, F1 and 3D scenes", ["YOLOv8", "mAP", "H100", "F1", "3D"]),
        ("Llama-3.1-8B, Qwen2.5-VL and U-Net", ["Llama-3.1-8B", "Qwen2.5-VL", "U-Net"]),
        ("CNN-based and non-IID data of LLMs", ["CNN", "IID", "LLMs"]),
        ("We call train_step in CamelCase.", ["train_step", "CamelCase"]),
        ("The Vision-Language model of a Survey. We show it", []),
        ("Prices rose from $5 to $10.", []),
    ],
)
def test_formulas_links_code_citations_and_names_are_set_aside(text: str, kept: list[str]) -> None:
    assert set_aside(text) == kept


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It gains 3.5% over 1,200 runs.", ["3.5%", "1,200"]),
        ("From -3.2 to 1.5 million, 10-20 times", ["-3.2", "1.5 million", "10", "20"]),
        ("in 100ms, 2x faster, the 2nd", ["100ms", "2x", "2nd"]),
    ],
)
def test_numbers_keep_their_sign_scale_and_unit(text: str, numbers: list[str]) -> None:
    assert [piece.shown.strip() for piece in figures(text)] == numbers


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.before)
def test_what_comes_back_whole_is_put_in_and_anything_else_is_refused(form: Form) -> None:
    text = "BERT beats GPT-4."
    protected = protect(text, list(names(text)), form)
    first, second = (f"{form.before}{number}{form.after}" for number in (1, 2))
    assert protected.text == f"{first} beats {second}."
    assert restore(f"{second}不如{first}。", protected) == "GPT-4不如BERT。"
    assert restore(f"{second}不如{form.before} 1{form.after}。", protected) == "GPT-4不如BERT。"
    for wrong in (f"不如{first}。", f"{first}{first}{second}", f"{first}{second}{form.before}3{form.after}", ""):
        assert restore(wrong, protected) is None


def test_a_text_that_looks_like_a_sign_is_set_aside_itself() -> None:
    for form in FORMS:
        text = f"The model X1 of [2] beats {form.before}7{form.after} and BERT."
        pieces = apart(literals(text), list(names(text)))
        assert restore(protect(text, pieces, form).text, protect(text, pieces, form)) == text


def test_neighbours_become_one_sign() -> None:
    text = "few-shot image segmentation with BERT embeddings"
    pieces = [Piece(0, 8, "少样本"), Piece(9, 27, "图像分割"), Piece(33, 37, "BERT"), Piece(38, 48, "嵌入")]
    together = joined(text, pieces)
    assert [piece.shown for piece in together] == ["少样本图像分割", "BERT 嵌入"]
    assert protect(text, together).text == "X1 with X2"


def test_signs_are_no_part_of_what_a_model_translates() -> None:
    assert bare("X1 beats X2.", FORMS[0]).split() == ["beats", "."]


SIGNS = st.lists(st.sampled_from(["X1", "[1]", "$a$", " ", "1", "\\b", "GPT-4", "X", "["]), max_size=12).map("".join)
ODD = st.text(st.sampled_from("abXx19 []$\\{}`-_.,%()@/:~\n人é"), max_size=60)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.before)
@example(text="A0/X0")
@example(text="X0/0A0")
@example(text="$a$5 and 5$a$, X$a$, [$a$]")
@given(text=st.one_of(st.text(max_size=80), ODD, SIGNS))
def test_protecting_and_restoring_is_the_identity_for_any_text(form: Form, text: str) -> None:
    for layers in (
        [literals(text)],
        [literals(text), list(names(text))],
        [literals(text), list(names(text)), list(figures(text))],
    ):
        for pieces in (apart(*layers), joined(text, apart(*layers))):
            protected = protect(text, pieces, form)
            assert restore(protected.text, protected) == text
