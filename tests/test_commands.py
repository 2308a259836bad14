"""Commands, said to the desk: what people get back, in both languages, for good words and for bad ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.cards.reply import Reply
from bot.commands.desk import COMMON
from bot.commands.settings import SETTINGS
from bot.locales import phrases_of
from tests.builders import a_paper, announce
from tests.room import ANYTHING, NEXT, NEXT_ZH, Person, Room, as_read, says
from tests.servers.arxiv import Entry

# What is said, and the catalogue's text that has to stand in the answer, with its values.
IN_PRIVATE = [name for name in SETTINGS if name not in ("links", "mention")]
ANSWERS: list[tuple[str, str, dict[str, Any]]] = [
    ("/start", "start.hello", {}),
    ("/help", "help.more", {}),
    ("/subscribe cs.AI", "query.named", {"query": "cs.AI", "names": "Artificial Intelligence"}),
    ("/subscribe cs.AI", "subscribe.next", {"next": NEXT}),
    ("/subscribe CS.ai, math.nt -cs.RO", "query.named", {"query": "cs.AI+math.NT -cs.RO"}),
    ("/subscribe cs.CL", "subscribe.already", {}),
    ("/subscribe", "subscribe.how", {}),
    ("/subscribe cs.CLL", "query.category", {"wrong": "cs.CLL"}),
    ("/subscribe cs.CLL", "query.as_word", {"wrong": "cs.CLL"}),
    ("/subscribe au:He robotics", "query.everywhere", {"count": 1, "categories": "cs.CL"}),
    ("/subscribe robotics", "query.is_category", {"code": "cs.RO", "name": "Robotics"}),
    ("/subscribe 论文", "query.chinese", {"wrong": "论文"}),
    ("/subscribe titel:" + "y" * 99, "query.field", {"wrong": "titel:"}),
    ("/subscribe " + "y" * 501, "query.too_long", {"limit": 500}),
    ("/subscribe " + "(" * 11 + "a" + ")" * 11, "query.too_deep", {"limit": 10}),
    ("/subscribe " + "w " * 9 + "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 9, "subscribe.done", {}),
    ("/subscribe " + " ".join(f"w{number}" for number in range(101)), "query.too_many", {}),
    ('/subscribe a "b', "query.unclosed_quote", {}),
    ("/subscribe a (b", "query.unclosed_bracket", {}),
    ("/subscribe a) b", "query.stray_bracket", {}),
    ("/subscribe a OR", "query.half", {}),
    ("/subscribe #nonsense", "query.topic", {"wrong": "#nonsense"}),
    ("/subscribe transform*", "query.wildcard", {}),
    ("/subscribe ...", "query.no_words", {"wrong": "..."}),
    ("/subscribe au:K", "query.no_name", {}),
    ("/subscribe -cs.CL", "query.only_not", {}),
    ("/subscribe a # b", "query.unreadable", {"wrong": "#"}),
    ("/subscribe a # b", "query.more", {}),
    ("/preview", "preview.how", {}),
    ("/preview a OR", "query.half", {}),
    ("/topics", "topics.how", {}),
    ("/help query", "help.query", {}),
    ("/help Following", "help.following", {}),
    ("/help 阅读", "help.reading", {}),
    ("/help keeping", "help.keeping", {}),
    ("/help settings", "help.settings", {}),
    ("/help me", "help.more", {}),
    ("/unsubscribe cs.CL", "unsubscribe.done", {"query": "cs.CL"}),
    ("/unsubscribe cs.AI", "unsubscribe.none", {"query": "cs.AI"}),
    ("/unsubscribe cs.CLL", "query.category", {"wrong": "cs.CLL"}),
    ("/unsubscribe", "subscriptions.how", {}),
    ("/subscriptions", "subscriptions.title", {}),
    ("/alert", "subscriptions.alerts", {}),
    ("/alert 1", "alert.bounds", {"count": 12}),
    ("/alert cs.CL off", "alert.off", {}),
    ("/alert robots", "alert.not_followed", {"query": "robots"}),
    ("/settings", "settings.time", {"time": "09:00", "zone": "UTC"}),
    ("/settings", "settings.cap", {"cap": 12}),
    ("/settings time 8:30", "settings.time", {"time": "08:30", "zone": "UTC"}),
    ("/settings TIME 20：15", "settings.time", {"time": "20:15", "zone": "UTC"}),
    ("/settings zone asia/shanghai", "settings.time", {"time": "09:00", "zone": "Asia/Shanghai"}),
    ("/settings zone new york", "settings.time", {"time": "09:00", "zone": "America/New_York"}),
    ("/settings cap 0", "settings.no_cap", {}),
    ("/settings cap 1000", "settings.cap", {"cap": 1000}),
    ("/settings cap 7", "settings.changed", {}),
    ("/settings time 25:00", "settings.bad_time", {"value": "25:00"}),
    ("/settings time 9", "settings.bad_time", {"value": "9"}),
    ("/settings time", "settings.bad_time", {"value": ""}),
    ("/settings zone Asia/Shangai", "settings.bad_zone", {"value": "Asia/Shangai", "hint": "Asia/Shanghai"}),
    ("/settings zone Berlln", "settings.bad_zone", {"value": "Berlln", "hint": "Europe/Berlin"}),
    ("/settings zone ../../etc/passwd", "settings.bad_zone", {"value": "../../etc/passwd"}),
    ("/settings cap -1", "settings.bad_cap", {"value": "-1", "hint": "1000"}),
    ("/settings cap 1001", "settings.bad_cap", {"value": "1001", "hint": "1000"}),
    ("/settings cap ²", "settings.bad_cap", {"value": "²"}),
    ("/settings cap " + "9" * 4000, "error.too_long", {"count": 4000}),
    ("/settings language de", "settings.bad_language", {"value": "de"}),
    ("/settings colour red", "settings.unknown", {"name": "colour", "known": ", ".join(IN_PRIVATE)}),
    ("/status", "status.not_asked", {}),
    ("/status", "status.next", {"at": NEXT}),
    ("/paper", "paper.how", {}),
    ("/paper 12345", "paper.bad", {"text": "12345"}),
    ("/paper 2603.99999", "paper.unknown", {"id": "2603.99999"}),
    ("/paper 2600.00001", "paper.unknown", {"id": "2600.00001"}),
    ("/search", "search.how", {}),
    ("/search a OR", "query.half", {}),
    ("/search cs.CLL", "query.category", {"wrong": "cs.CLL"}),
    ("/search perpetuum mobile", "search.none", {"query": "perpetuum mobile"}),
    ("/search 2603.99999", "paper.unknown", {"id": "2603.99999"}),
    ("/save", "save.how", {}),
    ("/save 12345", "save.how", {}),
    ("/save 2603.99999", "paper.unknown", {"id": "2603.99999"}),
    ("/save 2600.00001", "paper.unknown", {"id": "2600.00001"}),
    ("/unsave", "unsave.how", {}),
    ("/unsave 2603.99999", "unsave.none", {}),
    ("/unsave all", "unsave.none", {}),
    ("/saved", "saved.none", {}),
    ("/saved export bibtex", "saved.none", {}),
    ("/saved export", "saved.how", {}),
    ("/saved 99999", "saved.none", {}),
    ("/saved export word", "saved.how", {}),
    ("hello", "error.unknown_command", {}),
    ("/nonsense", "error.unknown_command", {}),
    ("/", "error.unknown_command", {}),
    ("", "error.unknown_command", {}),
    ("x" * 10_000, "error.too_long", {"count": 4000}),
]


@pytest.mark.parametrize(("said", "key", "values"), ANSWERS, ids=lambda value: str(value)[:30])
async def test_people_are_answered_in_their_chats_language(
    room: Room, said: str, key: str, values: dict[str, Any]
) -> None:
    assert says(await (await room.person("cs.CL", address="1")).reads(said), key, **values)
    chinese = values | ({"next": NEXT_ZH, "at": NEXT_ZH} if values.keys() & {"next", "at"} else {})
    assert says(await (await room.person("cs.CL", address="2", language="zh")).reads(said), key, "zh", **chinese)


@pytest.mark.parametrize(
    ("said", "titles"),
    [
        ("/paper 2603.00007", ["Paper 7"]),
        ("https://arxiv.org/pdf/2603.00007v2?x=1", ["Paper 7"]),
        ("see arXiv:2603.00007 and hep-th/9901001, please", ["Paper 7", "Old paper"]),
    ],
)
async def test_papers_are_looked_up_by_every_form_of_their_ids(room: Room, said: str, titles: list[str]) -> None:
    for number, title in (("2603.00007", "Paper 7"), ("hep-th/9901001", "Old paper")):
        room.arxiv.add_paper(Entry(number, title, "We study it. Results show it.", ("cs.CL",)))
    reply = await (await room.person()).says(said)
    assert reply is not None
    assert [card.title for card in reply.cards] == titles
    assert room.arxiv.violations == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_change_of_language_is_answered_in_the_new_one(room: Room, language: str) -> None:
    person = await room.person(language="zh" if language == "en" else "en")
    assert says(await person.reads(f"/settings language {language.upper()}"), "settings.changed", language)


async def test_a_chat_with_both_languages_is_answered_in_the_persons_own(room: Room) -> None:
    person = await room.person(language="both")
    assert says(await person.reads("/help"), "help.title")
    assert says(await replace(person, language="zh-hans").reads("/help"), "help.title", "zh")


async def test_help_tells_every_command(room: Room) -> None:
    text = await (await room.person()).reads("/help")
    assert all(f"/{command.name} – " in text for command in COMMON)
    assert "/admin" not in text
    assert "/admin – " in await (await room.person(platform="web")).reads("/help")


async def test_help_turns_from_subject_to_subject_in_one_message(room: Room) -> None:
    person = await room.person(language="zh")
    (*_, settings) = (await person.says("/help") or Reply()).buttons
    shown = await person.presses(settings.action)
    assert shown is not None
    assert (shown.title, shown.in_place) == ("设置", True)
    assert [button.label for button in shown.buttons] == ["订阅", "查询写法", "阅读", "收藏与数据"]


async def test_a_command_is_understood_in_capitals_and_over_several_lines(room: Room) -> None:
    person = await room.person()
    answer = await person.reads("  /Subscribe \n cs.CL\n cs.CV ")
    assert says(answer, "query.named", query="cs.CL+cs.CV")


async def test_who_follows_nothing_is_told_how_to_begin(room: Room) -> None:
    person = await room.person()
    assert says(await person.reads("/subscriptions"), "subscriptions.none")
    assert says(await person.reads("/settings"), "status.follows_nothing")
    assert says(await person.reads("/status"), "status.follows_nothing")


async def test_a_chat_follows_fifty_queries_at_most(room: Room) -> None:
    person = await room.person(*(f"cs.{first}{second}" for first in "ABCDE" for second in "ABCDEFGHIJ"))
    assert says(await person.reads("/subscribe math.NT"), "subscribe.too_many", count=50)


async def test_a_subscription_takes_effect_at_once(room: Room) -> None:
    person = await room.person()
    await person.says("/subscribe cs.CL")
    assert {"poll", "digest"} <= set(room.scheduler.woken)
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    await room.services.composer.tick(room.clock.turn(days=1))
    assert [card.paper_id for _, reply in room.came for card in reply.cards] == ["2603.00001"]


async def test_a_changed_time_moves_the_next_digest(room: Room) -> None:
    person = await room.person("cs.CL")
    assert says(await person.reads("/settings time 20:00"), "status.next", at="20:00")
    assert says(await person.reads("/status"), "status.next", at="20:00")


@pytest.mark.parametrize(
    "action",
    [
        *("abstract:2603.09999", "abstract:", "abstract:x", "more:x", "more:", "more:2603.00001 or so"),
        *("bibtex:2603.09999", "bibtex:2600.00001", "bibtex:x", "find:x cs.CL", "find:1", "find:21 cs.CL", "find:"),
        *("card:2603.09999", "card:2600.00001", "like:2603.09999", "like:x", "vote:2603.09999 up", "vote:x up"),
        *(
            "hide:2603.09999",
            "hide:x",
            "exclude:2603.09999 cs.CL",
            "exclude:x",
            "unhide:x",
            "unhide:²",
            "undo:x",
            "undo:²",
        ),
        *("page:2", "page:1 3 scrolls 2603.00001", "page:1 4 cards 2603.00001", "page:1 3 cards x", "save:x"),
    ],
)
async def test_a_button_that_means_nothing_any_more_says_so(room: Room, action: str) -> None:
    english, chinese = await room.person(address="1"), await room.person(address="2", language="zh")
    assert says(as_read(await english.presses(action)), "button.stale")
    assert says(as_read(await chinese.presses(action)), "button.stale", "zh")


@pytest.mark.parametrize("action", ["nonsense:1", "nonsense", ":", "unsubscribe:cs.CL"])
async def test_a_button_that_never_was_does_nothing(room: Room, action: str) -> None:
    person = await room.person()
    assert says(as_read(await person.presses(action)), "error.unknown_command")
    assert says(await person.reads("/subscriptions"), "subscriptions.none")


async def test_a_paper_is_found_in_the_store_without_asking_arxiv(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1, "cs.CL"))
    assert "Paper 1\nAda Lovelace, Wang Zhenyi" in await (await room.person()).reads("/paper 2603.00001")
    assert room.arxiv.journal == []


async def test_several_papers_are_looked_up_in_one_request(room: Room) -> None:
    for number in range(1, 9):
        room.arxiv.add_paper(Entry(f"2603.{number:05}", f"Paper {number}", "An abstract.", ("cs.CL",)))
    said = " ".join(f"2603.{number:05}" for number in (9, 3, 1, 3, 2, 4, 5, 6))
    reply = await (await room.person()).says(said)
    assert reply is not None
    assert reply.text == phrases_of("en")("paper.unknown", id="2603.00009")
    assert [card.title for card in reply.cards] == ["Paper 3", "Paper 1", "Paper 2", "Paper 4"]
    assert len(room.arxiv.journal) == 1


async def test_a_withdrawn_paper_is_shown_and_called_that(room: Room) -> None:
    gone = Entry("2603.00007", "Paper 7", "An abstract.", ("cs.CL",), comment="Withdrawn: Lemma 2 is wrong.", version=2)
    room.arxiv.add_paper(gone)
    text = await (await room.person()).reads("/paper 2603.00007")
    assert says(text, "paper.withdrawn", id="2603.00007")
    assert "Paper 7" in text
    assert says(
        await (await room.person(language="zh", address="2")).reads("2603.00007"), "paper.withdrawn", "zh", id=ANYTHING
    )


async def test_when_arxiv_is_down_a_paper_is_shown_if_it_is_stored_and_else_the_trouble(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1, "cs.CL"))
    room.arxiv.down = True
    person = await room.person()
    assert says(await person.reads("/paper 2603.00002"), "paper.unreachable")
    both = await person.reads("/paper 2603.00001 2603.00002")
    assert says(both, "paper.unreachable")
    assert "Paper 1" in both
    assert not says(both, "paper.unknown", id=ANYTHING)
    chinese = await room.person(address="2", language="zh")
    assert says(await chinese.reads("/paper 2603.00002"), "paper.unreachable", "zh")


@pytest.mark.parametrize("fault", ["http_503", "html", "blank", "cut", "binary"])
async def test_an_answer_that_cannot_be_read_is_not_taken_for_an_unknown_paper(room: Room, fault: Any) -> None:
    room.arxiv.fail_next(fault, times=2)  # the API and OAI-PMH
    text = await (await room.person()).reads("/paper 2603.00002")
    assert says(text, "paper.unreachable")
    assert not says(text, "paper.unknown", id=ANYTHING)


async def test_the_abstract_is_shown_whole(room: Room) -> None:
    await announce(room.database, room.clock.now(), a_paper(1, abstract="Bounds of $\\alpha$." * 200))
    reply = await (await room.person()).presses("abstract:2603.00001")
    assert reply is not None
    assert reply.title == "Paper 1"
    assert reply.quote == ("Bounds of α." * 200)


async def test_the_sample_is_shown_in_the_web_chat_alone(room: Room) -> None:
    await room.add_sample()
    web, telegram = await room.person(platform="web"), await room.person()
    assert f"{phrases_of('en')('tag.sample')}\nAnswer First" in await web.reads("/paper 2600.00001")
    assert "Reasoning traces" in as_read(await web.presses("abstract:2600.00001"))
    assert says(await telegram.reads("/paper 2600.00001"), "paper.unknown", id="2600.00001")
    assert says(as_read(await telegram.presses("abstract:2600.00001")), "button.stale")


async def test_a_digest_brings_what_is_owed_by_the_outbox(room: Room) -> None:
    person = await room.person("cs.CL")
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"), a_paper(2, "math.NT"))
    assert await person.says("/digest") is None
    (came,) = room.came
    assert came[0] == "telegram"
    assert came[1].title == "Paperwire · Mon 2 Mar 2026"
    assert [card.paper_id for card in came[1].cards] == ["2603.00001"]
    assert "deliver" in room.scheduler.woken
    assert room.arxiv.journal == []


async def test_a_digest_brings_the_latest_stored_announcement_to_a_newcomer(room: Room) -> None:
    await announce(room.database, room.clock.now() - timedelta(hours=5), a_paper(1, "cs.CL"))
    assert await (await room.person("cs.CL", language="zh")).says("/digest") is None
    assert [(reply.title, len(reply.cards)) for _, reply in room.came] == [("Paperwire · 2026年3月2日 周一", 1)]


async def test_a_digest_fetches_where_nothing_is_stored(room: Room) -> None:
    room.publish(1, 2)
    assert await (await room.person()).says("/digest") is None
    assert [len(reply.cards) for _, reply in room.came] == [2]
    assert room.arxiv.violations == []


async def test_where_all_was_shown_a_digest_tells_when_the_next_one_comes(room: Room) -> None:
    room.publish(1)
    person = await room.person("cs.CL")
    assert await person.says("/digest") is None
    assert says(await person.reads("/digest"), "digest.nothing_new", next=NEXT)


async def test_who_follows_nothing_and_has_read_all_is_told_how_to_follow(room: Room) -> None:
    english, chinese = await room.person(address="1"), await room.person(address="2", language="zh")
    assert says(await english.reads("/digest"), "digest.nothing")
    assert says(await chinese.reads("/digest"), "digest.nothing", "zh")


async def test_a_digest_while_arxiv_is_down_says_so_and_knocks_once(room: Room) -> None:
    room.arxiv.down = True
    person = await room.person("cs.CL", "cs.CV", "cs.AI")
    assert says(await person.reads("/digest"), "status.trouble", next="12:05")
    assert len(room.arxiv.journal) == 1
    assert says(await (await room.person("cs.CL", address="2", language="zh")).reads("/digest"), "status.trouble", "zh")


async def test_another_chats_broken_feed_is_soon_not_this_chats_trouble(room: Room) -> None:
    await room.person("cs.RO", address="2")
    room.arxiv.publish("cs.RO", b"no feed at all", room.clock.epoch() - 1)
    person = await room.person("cs.CL")
    for _ in range(12):
        await room.services.poller.tick(room.clock.turn(minutes=1))
    assert says(await person.reads("/digest"), "digest.nothing_new")
    assert says(await Person(room.desk, address="2").reads("/status"), "status.broken", category="cs.RO")


async def test_the_web_chat_gets_the_sample_where_there_is_nothing_else_and_only_there(room: Room) -> None:
    await room.add_sample()
    room.arxiv.down = True
    assert await (await room.person(platform="web")).says("/digest") is None
    assert [(platform, reply.title) for platform, reply in room.came] == [("web", "Paperwire · Sample")]
    assert says(await (await room.person()).reads("/digest"), "status.trouble")


async def test_what_a_digest_held_back_is_opened_twelve_at_a_time_until_that_was_all(room: Room) -> None:
    person = await room.person("cs.CL")
    await announce(room.database, room.clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 31)))
    await person.says("/digest")
    buttons = [room.came[-1][1].buttons[0]]
    assert buttons[0].label == phrases_of("en")("button.more", count=18)
    assert await person.presses(buttons[0].action) is None
    assert len(room.came[-1][1].cards) == 12
    buttons.append(room.came[-1][1].buttons[0])
    assert buttons[1].label == phrases_of("en")("button.more", count=6)
    assert await person.presses(buttons[0].action) is None
    assert (len(room.came[-1][1].cards), room.came[-1][1].buttons) == (6, ())
    for button in buttons:
        assert says(as_read(await person.presses(button.action)), "digest.no_more")
    stranger = await room.person(address="2", language="zh")
    assert says(as_read(await stranger.presses(buttons[0].action)), "digest.no_more", "zh")


async def test_in_a_group_only_admins_change_things(room: Room) -> None:
    member = await room.person("cs.CL", group=True, admin=False)
    for said in ("/subscribe cs.CV", "/unsubscribe cs.CL", "/settings cap 5", "/settings nonsense"):
        assert says(await member.reads(said), "error.admins_only")
    for action in ("set:language zh", "hide:2603.00001", "exclude:2603.00001 cs.CV", "unhide:1", "drop:1", "undo:1"):
        refusal = await member.presses(action)
        assert says(as_read(refusal), "error.admins_only")
        assert refusal is not None
        assert refusal.is_aside
    assert "1. cs.CL · Computation and Language" in await member.reads("/subscriptions")
    assert says(await replace(member, admin=True).reads("/subscribe cs.CV"), "query.named", query="cs.CV")


async def test_in_a_group_anyone_reads(room: Room) -> None:
    member = await room.person("cs.CL", group=True, admin=False)
    await announce(room.database, room.clock.turn(hours=1), *(a_paper(number, "cs.CL") for number in range(1, 15)))
    for said in ("/start", "/help", "/subscriptions", "/unsubscribe", "/settings", "/status", "/paper 2603.00001"):
        assert not says(await member.reads(said), "error.admins_only")
    assert await member.says("/digest") is None
    assert await member.presses(room.came[-1][1].buttons[0].action) is None
    assert "We study question 1" in as_read(await member.presses("abstract:2603.00001"))
    assert says(as_read(await member.presses("save:2603.00001")), "save.done", titles="• Paper 1 · 2603.00001")
    assert "Paper 1" in await member.reads("/search paper")
    for action in ("card:2603.00001", "like:2603.00001", "vote:2603.00001 up"):
        assert not says(as_read(await member.presses(action)), "error.admins_only")


@pytest.mark.parametrize("said", ["/nonsense", "hello", "2603.00001", "https://arxiv.org/abs/2603.00001", "x" * 5_000])
async def test_in_a_group_what_is_not_for_us_is_not_answered(room: Room, said: str) -> None:
    assert await (await room.person(group=True)).says(said) is None


async def test_trouble_of_ours_is_told_in_one_line(room: Room) -> None:
    english, chinese = await room.person("cs.CL", address="1"), await room.person("cs.CL", address="2", language="zh")

    async def no_disk(*_: object) -> Any:
        raise OSError("disk full")

    room.services = replace(room.services, summarise=no_disk)
    await announce(room.database, room.clock.turn(hours=1), a_paper(1, "cs.CL"))
    assert says(await replace(english, desk=room.desk).reads("/paper 2603.00001"), "error.ours")
    assert says(await replace(chinese, desk=room.desk, language="zh").reads("/paper 2603.00001"), "error.ours", "zh")
