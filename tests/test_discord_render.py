"""What people on Discord see, judged by the strict rules of the stub server."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards.reply import Button, Card, Link, Reply, formed
from bot.papers import PaperId
from bot.platforms.discord.render import escaped, render
from tests.servers.discord import Message, check_message, mentions

CARD = Card(
    paper_id="2502.14584",
    number=1,
    title="Vision Transformers on Few Images",
    url="https://arxiv.org/abs/2502.14584",
    second_title="少量图像上的视觉 Transformer",
    byline="Ada Lovelace, Grace Hopper",
    categories="cs.CV · also cs.LG",
    tags=("withdrawn",),
    tldrs=("It learns from few images.", "它从少量图像中学习。"),
    takeaways=(("Needs 100 images.", "Beats CNNs."), ("只需 100 张图像。", "优于 CNN。")),
    comment="12 pages",
    links=(Link("PDF", "https://arxiv.org/pdf/2502.14584"), Link("HTML", "https://arxiv.org/html/2502.14584")),
    badge="🧾 extract",
    buttons=(Button("Abstract", "abstract:2502.14584"),),
)


def cards(count: int) -> tuple[Card, ...]:
    return tuple(
        replace(CARD, number=number, buttons=(Button("Abstract", f"abstract:{number}"),))
        for number in range(1, count + 1)
    )


def messages(reply: Reply) -> list[dict[str, Any]]:
    found = [json.loads(payload) for payload in render(reply)]
    for body in found:
        check_message(body)
    return found


def embed(card: Card) -> dict[str, Any]:
    (message,) = messages(Reply(cards=(card,)))
    (shown,) = message["embeds"]
    return dict(shown)


def labels(message: dict[str, Any]) -> list[list[str]]:
    return [[button["label"] for button in row["components"]] for row in message["components"]]


def read(markdown: str) -> str:
    """What is on the screen where nothing but backslashes is markup."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", markdown)


def test_a_card_reads_from_the_title_down_to_the_links() -> None:
    shown = embed(CARD)
    assert shown["title"] == "1 · Vision Transformers on Few Images"
    assert shown["url"] == "https://arxiv.org/abs/2502.14584"
    assert shown["footer"] == {"text": "🧾 extract"}
    assert shown["description"] == (
        "**少量图像上的视觉 Transformer**\n"
        "**withdrawn**\n"
        "*Ada Lovelace, Grace Hopper* · cs.CV · also cs.LG\n\n"
        "It learns from few images.\n1. Needs 100 images.\n2. Beats CNNs.\n\n"
        "它从少量图像中学习。\n1. 只需 100 张图像。\n2. 优于 CNN。\n\n"
        "12 pages\n\n"
        "[PDF](https://arxiv.org/pdf/2502.14584) · [HTML](https://arxiv.org/html/2502.14584)"
    )


def test_a_sample_has_nothing_to_link_to() -> None:
    shown = embed(replace(CARD, url="/papers/2500.00001", links=()))
    assert "url" not in shown
    assert "](" not in shown["description"]


def test_a_title_too_long_for_discord_is_shown_whole_in_the_text() -> None:
    title = "Attention " * 40
    shown = embed(replace(CARD, title=title))
    assert shown["title"] == "1 · 2502.14584"
    assert shown["description"].startswith(f"**{title.strip()}**\n")


def test_a_card_that_is_too_long_loses_its_comment_first_and_then_its_last_takeaways() -> None:
    sentence = "A long takeaway. " * 30
    long = replace(CARD, takeaways=((sentence,) * 9, ("中文",) * 9))
    shown = embed(long)["description"]
    assert "12 pages" not in shown
    assert "1. A long takeaway." in shown
    assert "9. " not in shown
    assert shown.endswith("[HTML](https://arxiv.org/html/2502.14584)")


def test_headline_text_cards_footer_and_buttons_share_a_message() -> None:
    reply = Reply("3 papers", "Digest", cards(3), "Announced 412", (Button("More", "more:1"),))
    (message,) = messages(reply)
    assert message["content"] == "**Digest**\n3 papers"
    assert [each.get("title", "")[:1] for each in message["embeds"]] == ["1", "2", "3", ""]
    assert message["embeds"][-1] == {"description": "Announced 412"}
    assert labels(message) == [["1 · Abstract", "2 · Abstract", "3 · Abstract", "More"]]


def test_the_button_of_a_lonely_card_has_no_number() -> None:
    assert labels(messages(Reply(cards=(CARD,)))[0]) == [["Abstract"]]


def test_the_same_button_is_shown_once() -> None:
    (message,) = messages(Reply(cards=(CARD,), buttons=CARD.buttons))
    assert labels(message) == [["Abstract"]]


def test_ten_cards_fill_a_message() -> None:
    small = [replace(card, takeaways=(), tldrs=()) for card in cards(21)]
    assert [len(message["embeds"]) for message in messages(Reply(cards=tuple(small)))] == [10, 10, 1]


def test_a_long_text_is_cut_between_lines_and_then_between_sentences() -> None:
    lines = "\n".join(f"Line {number}: " + "word " * 60 for number in range(20))
    for message in messages(Reply(lines)):
        assert message["content"].startswith("Line ")
    paragraph = "".join(f"Sentence {number} says little. " for number in range(200))
    for message in messages(Reply(paragraph)):
        assert message["content"].startswith("Sentence ")
        assert message["content"].endswith("little.")


def test_nothing_to_say_is_no_message() -> None:
    assert render(Reply()) == []


SNOWFLAKE = "123456789012345678"
HOSTILE = [
    "@everyone @here",
    "@\u202eeveryone",
    f"<@{SNOWFLAKE}> <@!{SNOWFLAKE}> <@&{SNOWFLAKE}> <#{SNOWFLAKE}>",
    "[free money](https://evil.example) <https://evil.example>",
    "[a](https://x.example/[b](https://evil.example))",
    "# HUGE\n## BIG\n-# small\n> quoted\n>>> all quoted",
    "- point\n+ point\n* point\n1. point\n  2) point",
    "**bold** _italic_ ~~gone~~ ||spoiler|| `code` ```block```",
    f"<t:1700000000:R> <:x:{SNOWFLAKE}> <a:x:{SNOWFLAKE}> </go:{SNOWFLAKE}>",
    "back\\*slash\\\\*es*",
]
MARKUP = re.compile(r"(?<!\\)(?:\\\\)*(?:[*_~|`<>#\]]|\[)|^\s*(?:[-+]|\d+[.)])\s", re.MULTILINE)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_they_are(text: str) -> None:
    shown = escaped(text)
    assert not MARKUP.search(shown)
    assert read(shown).replace("\u200b", "") == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_mention_nobody(text: str) -> None:
    hostile = replace(CARD, title=text, byline=text, tldrs=(text,), takeaways=((text,),), comment=text, badge=text)
    for body in messages(Reply(text, text, (hostile,), text, (Button(text, "x:1"),))):
        unguarded = Message(0.0, 1, 1, body["content"], tuple(body["embeds"]), (), None, 0, None)
        assert not mentions(unguarded).everyone
        assert not mentions(unguarded).users | mentions(unguarded).roles
        assert body["allowed_mentions"] == {"parse": []}


def test_what_turns_the_direction_of_writing_is_gone() -> None:
    (message,) = messages(Reply("abc\u202edef\x07", cards=(replace(CARD, title="x\u2066y"),)))
    assert message["content"] == "abcdef"
    assert message["embeds"][0]["title"] == "1 · xy"


def test_links_stay_links() -> None:
    text = "Code at https://github.com/some_one/a_b#readme_1, see https://x.example."
    assert escaped(text) == text


@pytest.mark.parametrize(
    "text", ["https://_evil_/", "https://x.example/*a*", "https://x.example/[b](https://y.example)"]
)
def test_no_markup_hides_in_a_link(text: str) -> None:
    assert not MARKUP.search(escaped(text))


texts = st.text(st.sampled_from("ab*_[]()<>@#\\-. \n。!é论🧾"), max_size=900) | st.text(max_size=60)
long_texts = st.builds(str.__mul__, texts, st.integers(1, 20))
buttons = st.lists(
    st.builds(lambda label, number: Button(f"b{label}", f"do:{number}"), texts, st.integers(0, 99)), max_size=5
).map(tuple)
some_cards = st.builds(
    Card,
    paper_id=st.just("2502.14584"),
    number=st.none() | st.integers(1, 300),
    title=texts,
    url=st.sampled_from(["https://arxiv.org/abs/2502.14584", "/papers/2500.00001"]),
    second_title=st.none() | texts,
    byline=long_texts,
    categories=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    tldrs=st.lists(long_texts, max_size=2).map(tuple),
    takeaways=st.lists(st.lists(texts, max_size=12).map(tuple), max_size=2).map(tuple),
    comment=st.none() | texts,
    links=st.sampled_from([(), CARD.links]),
    badge=long_texts,
    buttons=buttons,
)
replies = st.builds(
    Reply,
    text=long_texts,
    title=texts,
    cards=st.lists(some_cards, max_size=14).map(tuple),
    footer=texts,
    buttons=st.lists(buttons, max_size=7).map(lambda rows: tuple(button for row in rows for button in row)),
)


@settings(max_examples=60)
@given(replies)
def test_no_message_is_over_a_limit_and_no_card_is_lost(reply: Reply) -> None:
    shown = [each for message in messages(reply) for each in message["embeds"] if "title" in each]
    assert len(shown) == len(reply.cards)


@settings(max_examples=60)
@given(long_texts)
def test_no_text_is_lost_when_it_is_split(text: str) -> None:
    shown = "".join(message["content"] for message in messages(Reply(text)))
    kept = re.sub(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\s]", "", text)
    assert re.sub(r"[\u200b\s]", "", read(shown)) == kept


def test_a_list_is_one_embed_with_a_linked_title_a_line() -> None:
    line = replace(CARD, byline="", takeaways=(), comment=None, links=(), badge="", buttons=(), is_line=True)
    (message,) = messages(Reply(cards=(replace(line, tldrs=(), second_title=None),) * 2))
    (shown,) = message["embeds"]
    first, second = shown["description"].split("\n")
    assert first == second
    assert first.startswith("**1. [")
    assert first.endswith(f"](<{CARD.url}>)**")


@settings(max_examples=30)
@given(st.lists(some_cards.map(lambda card: replace(card, is_line=True, title=f"€{card.title}")), max_size=60))
def test_a_list_keeps_the_limits_and_loses_no_title(lines: list[Card]) -> None:
    shown = messages(Reply(cards=tuple(lines)))
    assert sum(str(message["embeds"]).count("€") for message in shown) >= len(lines)


def test_code_is_shown_in_a_block_as_it_is() -> None:
    (message,) = messages(Reply("Paper 1", code="@misc{a,\n  title = {*A_b*}\n}"))
    assert message["content"] == "Paper 1\n```\n@misc{a,\n  title = {*A_b*}\n}\n```"


@settings(max_examples=60)
@given(long_texts | st.text(st.sampled_from("`a\n"), max_size=50))
def test_no_code_ends_its_block_or_goes_over_a_limit(code: str) -> None:
    for message in messages(Reply(code=code)):
        blocks = re.split(r"```", message["content"])
        assert len(blocks) % 2 == 1
        assert not "".join(blocks[::2]).strip()
        assert message["allowed_mentions"] == {"parse": []}


FURTHER = tuple(Button(label, f"x:{label}") for label in ("BibTeX", "Similar", "Hide…", "👍", "👎"))


def with_choices(number: int) -> Card:
    direct = (Button("Abstract", f"abstract:{number}"), Button("Save", f"save:{number}"))
    return replace(CARD, paper_id=PaperId(f"2600.{number:05}"), number=number, buttons=direct, further=FURTHER)


def test_each_card_among_others_has_its_row() -> None:
    shown = tuple(replace(with_choices(number), takeaways=(), tldrs=()) for number in range(1, 8))
    first, second = messages(Reply(cards=shown, buttons=(Button("More", "more:1"),)))
    assert labels(first) == [[f"{number} · Abstract", f"{number} · Save", f"{number} · ⋯"] for number in range(1, 6)]
    assert labels(second) == [["6 · Abstract", "6 · Save", "6 · ⋯"], ["7 · Abstract", "7 · Save", "7 · ⋯", "More"]]


def test_a_card_alone_has_all_its_buttons() -> None:
    (message,) = messages(Reply(cards=(with_choices(1),)))
    assert labels(message) == [["Abstract", "Save", "BibTeX", "Similar", "Hide…"], ["👍", "👎"]]


def test_below_a_list_its_numbers_open_what_can_be_done() -> None:
    lines = tuple(formed(with_choices(number), "titles") for number in range(1, 31))
    first, second = messages(Reply(cards=lines))
    assert labels(first) == [[str(row * 5 + place) for place in range(1, 6)] for row in range(5)]
    assert labels(second) == [["26", "27", "28", "29", "30"]]
    assert first["components"][0]["components"][0]["custom_id"] == "card:2600.00001 all"
