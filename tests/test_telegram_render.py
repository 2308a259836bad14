"""What a Telegram reader sees of a Reply; every text is parsed by TDLib, which the real server parses with."""

import json
from dataclasses import replace
from typing import Any

import pytest
import tdjson
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards.packing import utf16_length
from bot.cards.plain import plain
from bot.cards.reply import Button, Card, Link, Reply, formed
from bot.platforms.telegram.instead import as_plain, in_parts
from bot.platforms.telegram.render import WORD_JOINER, render

CARD = Card(
    paper_id="2502.14584",
    title="Vision Transformers See More",
    url="https://arxiv.org/abs/2502.14584",
    second_title="视觉 Transformer 看得更多",
    byline="Ada Lovelace, Lin Wei",
    categories="cs.CV, cs.AI",
    tags=("Sample",),
    tldrs=("Bigger patches help.", "更大的块有帮助。"),
    takeaways=(("It is faster.", "It is smaller."), ("更快。", "更小。")),
    comment="12 pages",
    links=(Link("PDF", "https://arxiv.org/pdf/2502.14584"), Link("HTML", "https://arxiv.org/html/2502.14584")),
    badge="🧾 Extracted",
    buttons=(Button("Abstract", "abstract:2502.14584"),),
    number=1,
)

Seen = tuple[str, list[tuple[str, str]]]
"""A text and the stretches of it that are formatted: (kind, words)."""


def td(request: dict[str, Any]) -> dict[str, Any]:
    answer = tdjson.td_execute(json.dumps(request).encode())
    assert answer is not None
    return dict(json.loads(answer))


td({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0})


def stretches(text: str, entities: list[dict[str, Any]]) -> list[tuple[str, str]]:
    units = text.encode("utf-16-le")
    return [
        (
            entity["type"]["@type"].removeprefix("textEntityType"),
            units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le"),
        )
        for entity in entities
    ]


def seen(payload: str) -> Seen:
    mode = {"@type": "textParseModeHTML"}
    parsed = td({"@type": "parseTextEntities", "text": json.loads(payload)["text"], "parse_mode": mode})
    assert parsed["@type"] == "formattedText", parsed
    return parsed["text"], stretches(parsed["text"], parsed["entities"])


def linked_by_telegram(text: str) -> list[tuple[str, str]]:
    return stretches(text, td({"@type": "getTextEntities", "text": text})["entities"])


def buttons(payload: str) -> list[list[str]]:
    return [[button["label"] for button in row] for row in json.loads(payload)["buttons"]]


def test_a_card_shows_titles_people_points_and_links() -> None:
    (payload,) = render(Reply(title="Monday", text="2 papers", cards=(CARD,), footer="Read 10"))
    text, formatted = seen(payload)
    assert text.replace(WORD_JOINER, "") == (
        "Monday\n2 papers\n\n"
        "1. Vision Transformers See More\n视觉 Transformer 看得更多\n[Sample] Ada Lovelace, Lin Wei · cs.CV, cs.AI\n\n"
        "Bigger patches help.\n\n更大的块有帮助。\n"
        "1. It is faster.\n2. It is smaller.\n\n1. 更快。\n2. 更小。\n"
        "💬 12 pages\nPDF · HTML · 🧾 Extracted\n\nRead 10"
    )
    assert ("TextUrl", "Vision Transformers See More") in formatted
    assert [words for kind, words in formatted if kind == "TextUrl"][1:] == ["PDF", "HTML"]
    assert [kind for kind, _ in formatted].count("ExpandableBlockQuote") == 1


def test_a_sample_has_nothing_to_link_to() -> None:
    (payload,) = render(Reply(cards=(replace(CARD, url="/papers/2502.14584", links=()),)))
    assert "TextUrl" not in [kind for kind, _ in seen(payload)[1]]


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script>",
        "*_[]()~`>#+-=|{}.!",
        "a &amp; b &lt; c",
        "</b></a><b>",
        "\"quoted\" 'twice'",
        "x<y & z",
    ],
)
def test_a_hostile_title_shows_as_it_is(title: str) -> None:
    (payload,) = render(Reply(title=title, text=title, cards=(replace(CARD, title=title),), footer=title))
    text, formatted = seen(payload)
    assert text.count(title) == 4
    assert ("TextUrl", title) in formatted


def test_marks_that_turn_the_writing_around_are_taken_out() -> None:
    assert plain("a\u202eb\u2066c\u2069d\x00e\x1b[0m\tf\ng\ud800") == "abcde[0m\tf\ng"
    (payload,) = render(Reply(cards=(replace(CARD, title="abc\u202ecba"),)))
    assert "\u202e" not in payload


@pytest.mark.parametrize(
    "text",
    [
        "@everyone @durov",
        "#ad and #中文",
        "/start now (/stop)",
        "cs.AI or math.AG",
        "costs $TON",
        "hi,@durov",
        pytest.param("#\U00013441", id="a letter of Unicode 15"),
    ],
)
def test_a_papers_text_mentions_nobody_and_links_nowhere(text: str) -> None:
    (payload,) = render(Reply(cards=(replace(CARD, title=text, tldrs=(text,), comment=text),)))
    shown, _ = seen(payload)
    assert shown.replace(WORD_JOINER, "").count(text) == 3
    assert not linked_by_telegram(shown)


def test_a_link_in_a_comment_stays_a_link() -> None:
    (payload,) = render(Reply(cards=(replace(CARD, comment="Code: https://github.com/a/b"),)))
    assert linked_by_telegram(seen(payload)[0]) == [("Url", "https://github.com/a/b")]


def test_our_own_commands_can_be_tapped_but_nobody_is_mentioned() -> None:
    (payload,) = render(Reply(text="/subscribe cs.CV by @ada"))
    assert linked_by_telegram(seen(payload)[0]) == [("BotCommand", "/subscribe")]


def test_a_quoted_abstract_has_no_command_to_tap() -> None:
    (payload,) = render(Reply(text="/help", title="On f/(1+x)/y and /stop", quote="Of (1+√5)/2, φ(n)/24 and /start."))
    text, _ = seen(payload)
    assert linked_by_telegram(text) == [("BotCommand", "/help")]
    assert text.replace(WORD_JOINER, "") == "On f/(1+x)/y and /stop\n/help\n\nOf (1+√5)/2, φ(n)/24 and /start."


def test_buttons_say_which_card_they_belong_to_where_there_are_several() -> None:
    more = (Button("10 more", "more:2502.1"),)
    assert buttons(render(Reply(cards=(CARD,), buttons=more))[0]) == [["Abstract"], ["10 more"]]
    four = tuple(replace(CARD, number=number) for number in range(1, 5))
    (payload,) = render(Reply(cards=four, buttons=more))
    assert buttons(payload) == [["1 · Abstract", "2 · Abstract", "3 · Abstract"], ["4 · Abstract"], ["10 more"]]


def test_cards_fill_messages_in_order_and_none_is_cut() -> None:
    cards = tuple(replace(CARD, number=number, tldrs=("word " * 250,)) for number in range(1, 8))
    payloads = render(Reply(title="Monday", cards=cards, footer="End", buttons=(Button("More", "more:1"),)))
    assert [seen(payload)[0].count("🧾") for payload in payloads] == [2, 2, 2, 1]
    assert [len(buttons(payload)) for payload in payloads] == [1, 1, 1, 2]


def test_a_card_too_long_goes_without_comment_then_last_points_then_the_second_language() -> None:
    points = tuple(f"Point {number}. " + "word " * 60 for number in range(6))
    long = replace(CARD, takeaways=(points, points), tldrs=("TLDR " * 50,))
    (payload,) = render(Reply(cards=(long,)))
    text, _ = seen(payload)
    assert "💬" not in text
    assert "1. Point 0" in text
    assert "6. Point 5" not in text
    (payload,) = render(Reply(cards=(replace(long, tldrs=("TLDR " * 680,)),)))
    text, _ = seen(payload)
    assert text.count("1. Point 0") == 1
    assert "🧾 Extracted" in text


def test_a_summary_of_nothing_but_length_ends_with_a_sentence_and_an_ellipsis() -> None:
    (payload,) = render(Reply(cards=(replace(CARD, tldrs=("A sentence of words. " * 400,)),)))
    assert "words. …\n" in seen(payload)[0]


def test_a_long_abstract_is_split_between_sentences() -> None:
    abstract = "We prove that 3.5 is less than 4. " * 400
    payloads = render(Reply(title="Abstract", text=abstract))
    texts = [seen(payload)[0] for payload in payloads]
    assert len(texts) == 4
    assert texts[0].startswith("Abstract\nWe prove")
    assert all(text.endswith("than 4.") for text in texts)
    assert " ".join(texts).count("We prove") == 400


def test_a_reply_of_nothing_is_no_message() -> None:
    assert render(Reply()) == []


WORDS = st.text(st.sampled_from("ab@#$/.<>&'\"_*😀é中。 \n\u202e1A"), max_size=60) | st.text(max_size=40)
LONG = st.builds(lambda text, times: text * times, WORDS, st.sampled_from([1, 1, 1, 5, 150]))
SOME_BUTTONS = st.lists(st.builds(Button, st.just("Label"), st.just("verb:argument")), max_size=3).map(tuple)
CARDS = st.builds(
    Card,
    paper_id=st.just("2502.14584"),
    title=LONG,
    url=st.sampled_from(["https://arxiv.org/abs/2502.14584", "/papers/2502.14584"]),
    second_title=st.none() | LONG,
    byline=LONG,
    categories=LONG,
    tags=st.sampled_from([(), ("Sample", "Withdrawn")]),
    tldrs=st.lists(LONG, max_size=2).map(tuple),
    takeaways=st.lists(st.lists(LONG, max_size=5).map(tuple), max_size=2).map(tuple),
    comment=st.none() | LONG,
    links=st.just(CARD.links),
    badge=st.just("🧾 Extracted"),
    buttons=SOME_BUTTONS,
    number=st.none() | st.integers(1, 100),
)
REPLIES = st.builds(
    Reply,
    text=LONG,
    title=LONG,
    quote=LONG,
    cards=st.lists(CARDS, max_size=40).map(tuple),
    footer=LONG,
    buttons=SOME_BUTTONS,
)


@settings(max_examples=60)
@given(REPLIES)
def test_no_reply_whatever_breaks_a_limit_loses_a_card_or_mentions_anybody(reply: Reply) -> None:
    payloads = render(reply)
    for payload in payloads:
        text, formatted = seen(payload)
        assert utf16_length(text) <= 4096
        assert len(formatted) <= 100
        assert sum(map(len, buttons(payload))) <= 100
        assert not [kind for kind, _ in linked_by_telegram(text) if kind in ("Mention", "Hashtag", "Cashtag")]
    assert sum(payload.count("🧾 Extracted") for payload in payloads) == len(reply.cards)


@settings(max_examples=60)
@given(CARDS)
def test_no_card_offers_a_command_to_tap(card: Card) -> None:
    (payload,) = render(Reply(cards=(card,)))
    assert not [kind for kind, _ in linked_by_telegram(seen(payload)[0]) if kind == "BotCommand"]


# What goes instead of a message that Telegram does not take


def words(texts: list[str]) -> list[str]:
    return "".join(texts).split()


def test_a_message_in_parts_is_cut_between_cards_and_keeps_its_buttons_below_the_last() -> None:
    cards = tuple(replace(CARD, number=number) for number in (1, 2, 3))
    (whole,) = render(Reply(title="Monday", cards=cards, footer="End", buttons=(Button("More", "more:1"),)))
    parts = in_parts(whole)
    assert [seen(part)[0].split("\n")[0] for part in parts] == ["Monday", "2. Vision Transformers See More"]
    assert [len(buttons(part)) for part in parts] == [0, 2]


@pytest.mark.parametrize(
    ("html", "parts"),
    [
        ("one\n\ntwo", ["one", "two"]),
        ("one two\nthree four", ["one two", "three four"]),
        ("<b>one two</b> <i>three</i>", ["<b>one two</b>", "<i>three</i>"]),
        ("<b>one <i>two three</i></b>", ["<b>one <i>two</i></b>", "<b><i>three</i></b>"]),
        ('<a href="x y">one two</a>', ['<a href="x y">one</a>', '<a href="x y">two</a>']),
        ("<blockquote expandable>a b</blockquote>", [f"<blockquote expandable>{x}</blockquote>" for x in "ab"]),
        ("&amp;&lt;", ["&amp;", "&lt;"]),
        ("a\n\n" + "b" * 20, ["a\n\n" + "b" * 8, "b" * 12]),
        ("x", ["x"]),
    ],
)
def test_a_message_is_cut_at_the_best_place_near_its_middle_and_never_in_its_markup(
    html: str, parts: list[str]
) -> None:
    found = in_parts(json.dumps({"text": html, "buttons": []}))
    assert [json.loads(part)["text"] for part in found] == parts


def test_a_text_without_markup_is_cut_as_it_stands() -> None:
    payload = json.dumps({"text": "1 < 2 &amp; </b>", "buttons": [], "parse_mode": None})
    parts = [json.loads(part) for part in in_parts(payload)]
    assert [(part["text"], part["parse_mode"]) for part in parts] == [("1 < 2", None), ("&amp; </b>", None)]


def test_what_is_many_times_too_long_goes_in_as_many_parts() -> None:
    whole = json.dumps({"text": f"<b>{'😀 ' * 9_000}</b>", "buttons": []})
    texts = [seen(part)[0] for part in in_parts(whole)]
    assert max(map(utf16_length, texts)) <= 4096
    assert sum(text.count("😀") for text in texts) == 9_000


@settings(max_examples=60)
@given(REPLIES)
def test_whatever_is_rendered_can_go_in_parts_and_as_plain_text(reply: Reply) -> None:
    for payload in render(reply):
        text, _ = seen(payload)
        plain_payload = as_plain(payload)
        assert plain_payload is not None
        assert words([json.loads(plain_payload)["text"]]) == words([text])
        assert json.loads(plain_payload)["buttons"] == json.loads(payload)["buttons"]
        assert as_plain(plain_payload) is None
        if utf16_length(text) > 100:
            parts = [seen(part)[0] for part in in_parts(payload)]
            assert "".join(words(parts)) == "".join(words([text]))
            assert max(map(len, parts)) <= len(text) * 3 / 4 + 1


def test_titles_stand_below_each_other_and_tldrs_apart() -> None:
    line = replace(CARD, byline="", takeaways=(), comment=None, links=(), badge="", buttons=(), is_line=True)
    titles = Reply(cards=(replace(line, tldrs=()), replace(line, tldrs=(), number=2)))
    (text, _) = seen(render(titles)[0])
    assert text.splitlines() == [
        "1. Vision Transformers See More",
        "视觉 Transformer 看得更多",
        "2. Vision Transformers See More",
        "视觉 Transformer 看得更多",
    ]
    (text, _) = seen(render(Reply(cards=(line, line)))[0])
    assert "更大的块有帮助。\n\n1. Vision" in text


@settings(max_examples=30)
@given(st.lists(CARDS.map(lambda card: replace(card, is_line=True, title=f"€{card.title}")), max_size=40))
def test_a_list_keeps_the_limits_and_loses_no_title(lines: list[Card]) -> None:
    payloads = render(Reply(cards=tuple(lines)))
    for payload in payloads:
        text, formatted = seen(payload)
        assert utf16_length(text) <= 4096
        assert len(formatted) <= 100
    assert sum(payload.count("€") for payload in payloads) >= len(lines)


CODE = "@misc{lovelace2026paper,\n  title = {A & B <i>},\n  primaryClass = {cs.AI}\n}"


def test_code_is_shown_sign_for_sign_so_that_it_can_be_copied() -> None:
    (payload,) = render(Reply("Paper 1", code=CODE))
    assert seen(payload) == (f"Paper 1\n\n{CODE}", [("Pre", CODE)])


@settings(max_examples=60)
@given(LONG)
def test_whatever_is_code_keeps_the_limits_and_loses_nothing(code: str) -> None:
    parsed = [seen(payload) for payload in render(Reply(code=code))]
    assert all(utf16_length(text) <= 4096 for text, _ in parsed)
    assert "".join(words([text for text, _ in parsed])) == "".join(words([plain(code)]))


def test_signs_and_numbers_stand_side_by_side_and_words_in_rows_of_their_own() -> None:
    labels = ["✕ 1", "✕ 2", "◀", "2/3", "▶", "4", "Export", "Back"]
    (payload,) = render(Reply("Saved", buttons=tuple(Button(label, f"do:{label}") for label in labels)))
    assert buttons(payload) == [["✕ 1", "✕ 2", "◀", "2/3", "▶"], ["4"], ["Export"], ["Back"]]


FURTHER = tuple(Button(label, f"x:{label}") for label in ("BibTeX", "Similar", "Hide…", "👍", "👎"))
DIRECT = (Button("Abstract", "abstract:1"), Button("Save", "save:1"))


def labels(payload: str) -> list[list[str]]:
    return [[button["label"] for button in row] for row in json.loads(payload)["buttons"]]


def test_a_card_alone_has_all_its_buttons_four_in_a_row() -> None:
    (payload,) = render(Reply(cards=(replace(CARD, buttons=DIRECT, further=FURTHER),)))
    assert labels(payload) == [["Abstract", "Save", "BibTeX", "Similar"], ["Hide…", "👍", "👎"]]


def test_a_card_among_others_has_a_row_and_the_rest_behind_three_dots() -> None:
    cards = tuple(replace(CARD, number=number, buttons=DIRECT, further=FURTHER) for number in (1, 2))
    (payload,) = render(Reply(cards=cards, buttons=(Button("1/2", "page:1"), Button("▶", "page:2"))))
    assert labels(payload) == [
        ["1 · Abstract", "1 · Save", "1 · ⋯"],
        ["2 · Abstract", "2 · Save", "2 · ⋯"],
        ["1/2", "▶"],
    ]


def test_below_a_list_its_numbers_open_what_can_be_done() -> None:
    card = replace(CARD, buttons=DIRECT, further=FURTHER)
    lines = tuple(formed(replace(card, number=number), "titles") for number in range(1, 9))
    (payload,) = render(Reply(cards=lines))
    assert labels(payload) == [["1", "2", "3", "4", "5", "6"], ["7", "8"]]
    assert json.loads(payload)["buttons"][0][1]["action"] == f"card:{CARD.paper_id} all"
