"""A model's reply is taken out of what it is wrapped in, its LaTeX mended, and what cannot be used is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.summaries.model.reply import SCHEMA, Draft, Unusable, mended, read

DRAFT = {
    "tldr": {"en": "We bound $\\theta$.", "zh": "本文给出界。"},
    "takeaways": [{"role": "result", "en": "The bound is tight.", "zh": "该界是紧的。"}],
    "title_zh": "一个界",
    "abstract_zh": "本文给出一个紧的界。",
}
PLAIN = json.dumps(DRAFT, ensure_ascii=False)


@pytest.mark.parametrize(
    "reply",
    [
        PLAIN,
        f"```json\n{PLAIN}\n```",
        f"Here it is: {PLAIN} I hope it helps {{really}}.",
        f"<think>Is {{x}} small?</think>{PLAIN}",
        f"so it is small.\n</think>\n\n{PLAIN}",
        json.dumps({"type": "object", "properties": DRAFT}),
        json.dumps({"summary": DRAFT}),
        json.dumps({"response": {"properties": DRAFT}}),
        PLAIN.replace("\\\\", "\\"),
        PLAIN.replace(", ", ",\n\t"),
        PLAIN.replace("紧的界", "紧的\n界").replace("紧的\n界", "紧的界"),
    ],
)
def test_the_draft_is_found_in_whatever_it_is_wrapped(reply: str) -> None:
    assert read(reply) == Draft.model_validate(DRAFT)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"$\alpha$", r"$\alpha$"),
        (r"$\theta$, $\tau$ and $\times$", r"$\theta$, $\tau$ and $\times$"),
        (r"$\frac{a}{b}$", r"$\frac{a}{b}$"),
        (r"$\beta$ and $\bar x$", r"$\beta$ and $\bar x$"),
        (r"$\nabla f \neq \nu$", r"$\nabla f \neq \nu$"),
        (r"$\rho \rightarrow r$", r"$\rho \rightarrow r$"),
        (r"$\upsilon$", r"$\upsilon$"),
        (r"$\\sigma$", r"$\sigma$"),
        (r"one\nNext line", "one Next line"),
        (r"caf\u00e9 and \"quotes\"", 'café and "quotes"'),
        (r"90\% of \{1, 2\}", r"90\% of \{1, 2\}"),
    ],
)
def test_backslashes_mean_what_the_model_meant(written: str, meant: str) -> None:
    assert read(PLAIN.replace("The bound is tight.", written)).takeaways[0].en == meant


@pytest.mark.parametrize(
    ("reply", "guard", "told"),
    [
        ("", "json", "JSON"),
        ("The bound is tight.", "json", "JSON"),
        ("[1, 2]", "json", "JSON"),
        (PLAIN[:90], "cut", "not complete"),
        (PLAIN[:-1], "cut", "not complete"),
        ("<think>What is a bound?", "thinking", "never ended"),
        (json.dumps(DRAFT | {"tldr": {"en": "We bound it."}}), "field", "tldr.zh"),
        (json.dumps(DRAFT | {"tldr": "We bound it."}), "field", "tldr"),
        (json.dumps(DRAFT | {"takeaways": []}), "field", "takeaways"),
        (json.dumps(DRAFT | {"title_zh": " "}), "field", "title_zh"),
        (json.dumps(DRAFT | {"abstract_zh": None}), "field", "abstract_zh"),
        (json.dumps(DRAFT | {"abstract_zh": "长" * 7_000}), "field", "abstract_zh"),
        ("{" * 60_000, "json", "JSON"),
    ],
)
def test_what_cannot_be_used_is_named(reply: str, guard: str, told: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(reply)
    assert caught.value.guard == guard
    assert told in caught.value.detail


def test_a_reply_that_was_stopped_is_cut_whatever_is_wrong_with_it() -> None:
    with pytest.raises(Unusable) as caught:
        read('{"tldr": {"en": "We', is_cut=True)
    assert caught.value.guard == "cut"


def test_what_a_reader_cannot_see_is_taken_out() -> None:
    hostile = DRAFT | {"title_zh": "\u202e一个\u0000界\ud800\u200b"}
    assert read(json.dumps(hostile)).title_zh == "一个 界"


def test_a_role_that_we_do_not_know_is_none() -> None:
    unknown = DRAFT | {"takeaways": [{"role": "Opinion", "en": "It is nice.", "zh": "很好。"}]}
    assert read(json.dumps(unknown)).takeaways[0].role == ""


def test_the_schema_asks_for_what_a_draft_needs() -> None:
    assert set(SCHEMA["required"]) == set(Draft.model_fields)


@given(st.text(alphabet=st.sampled_from(list('\\nbtu{}"a 1/')), max_size=60))
def test_json_that_was_right_stays_right(text: str) -> None:
    written = json.dumps({"a": text})
    assert isinstance(json.loads(mended(written), strict=False)["a"], str)


@given(st.text(max_size=300))
def test_any_reply_is_a_draft_or_unusable(reply: str) -> None:
    with pytest.raises(Unusable):
        read(reply)
