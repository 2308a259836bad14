"""Export and import: what a chat follows, and how, as a file that people edit; nothing happens without a yes."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cards.reply import Reply
from bot.chats import Chat, Preferences, Subscription
from bot.commands import portable
from bot.commands.moving import TIME_TO_CONFIRM
from bot.commands.opml import interest_of
from bot.commands.portable import BadFileError, Portable
from bot.commands.request import LARGEST_FILE, NotFetchedError, text_of
from bot.commands.settings import SETTINGS
from bot.config import Retention
from bot.interests import parse_interest
from bot.jobs.housekeeping import Housekeeper
from bot.storage import chats, imports
from bot.storage.database import Database
from tests.builders import MONDAY, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says

FILE = """
paperwire = 1
subscriptions = [
  "cs.CL",
  'cs.CV "vision transformer" -survey',
]

[settings]
time = "08:30"
zone = "Asia/Shanghai"
"""
OPML = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0">
  <head><title>Feeds</title></head>
  <body>
    <outline text="arXiv">
      <outline type="rss" text="cs.CL" xmlUrl="http://export.arxiv.org/rss/cs.CL"/>
      <outline type="rss" text="two" xmlUrl="https://rss.arxiv.org/atom/cs.CV+math.AG?version=2.0"/>
    </outline>
    <outline type="rss" text="A blog" xmlUrl="https://example.org/feed.xml"/>
  </body>
</opml>
"""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as made:
        yield made


async def followed(room: Room, person: Person) -> list[str]:
    chat = await room.chat(person)
    async with room.database.read() as connection:
        return [str(each.interest) for each in await chats.subscriptions_of(connection, chat.id)]


def action(reply: Reply | None, choice: str) -> str:
    assert reply is not None
    return next(button.action for button in reply.buttons if button.action.startswith(f"import:{choice}"))


async def exported(person: Person) -> str:
    reply = await person.says("/export")
    assert reply is not None
    assert reply.file is not None
    assert reply.file.name == "paperwire.toml"
    return reply.file.text


def with_file(person: Person, fetch: Callable[[], Awaitable[str]]) -> Person:
    """The same person, whose next words come with a file."""

    class Sends(Person):
        def _incoming(self, **what: str) -> object:  # type: ignore[override]
            return replace(Person._incoming(self, **what), file=fetch)

    return Sends(person.desk, person.platform, person.address, person.group, person.admin, person.name)


# The file.


async def test_an_export_is_a_text_that_a_person_can_read(room: Room) -> None:
    person = await room.person("cs.CL", '"vision transformer" -survey')
    assert await exported(person) == (
        "# What this chat follows in Paperwire, and how. It may be edited.\n"
        "# To take it over anywhere: /import with this file, or with its text behind the command.\n"
        "paperwire = 1\n\n"
        "subscriptions = [\n"
        '  "cs.CL",\n'
        "  '\"vision transformer\" -survey',\n"
        "]\n\n"
        "[settings]\n"
        'time = "09:00"\nzone = "UTC"\ndays = "daily"\nquiet = "off"\nlanguage = "en"\nformat = "cards"\n'
        'paging = "messages"\ncap = "12"\ncrosslists = "on"\nnote = "off"\nreplacements = "off"\n'
    )


async def test_anyone_may_export_in_a_group_and_nobody_but_administrators_import(room: Room) -> None:
    member = replace(await room.person("cs.CL", group=True), admin=False)
    assert "cs.CL" in await exported(member)
    assert says(await member.reads("/import"), "import.how")
    for said in (f"/import {FILE}", "/forget"):
        assert says(await member.reads(said), "error.admins_only")

    async def fetch() -> str:
        raise AssertionError("nobody fetches what is not going to be read")

    assert says(as_read(await with_file(member, fetch).says("/import")), "error.admins_only")
    assert says(as_read(await member.presses("import:from-now 1")), "error.admins_only")


SHOWN = {name: st.sampled_from(setting.choices) for name, setting in SETTINGS.items()}


@given(
    queries=st.dictionaries(
        st.sampled_from(["cs.CL", "au:O'Brien", '"vision transformer" -survey', "#llm", '"o\'clock problem"']),
        st.sampled_from([None, MONDAY]),
    ),
    chosen=st.fixed_dictionaries(SHOWN),
)
def test_what_is_exported_is_read_as_it_was(queries: dict[str, datetime | None], chosen: dict[str, str]) -> None:
    preferences = Preferences()
    for name, value in chosen.items():
        preferences = SETTINGS[name].change(preferences, value)
    followed = [Subscription(1, 1, parse_interest(query), MONDAY, MONDAY, since) for query, since in queries.items()]
    chat = Chat(1, "discord", "1", "papers", is_group=True, preferences=preferences)
    what = portable.portable(chat, followed)
    read = portable.read(portable.write(what, "A comment\nof two lines"))
    assert read == what
    assert read.applied(Preferences()) == preferences


def test_values_may_be_written_as_toml_has_them() -> None:
    read = portable.read("paperwire = 1\n[settings]\ncap = 7\ncrosslists = false\nnote = true\ntime = 08:30:00")
    assert read.settings == (("cap", "7"), ("crosslists", "off"), ("note", "on"), ("time", "08:30"))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("subscriptions = []", 1, "import.no_version"),
        ("\npaperwire = 2", 2, "import.other_version"),
        ("paperwire = true", 1, "import.other_version"),
        ("paperwire = 1\nsubscriptions = [“cs.CL”]", 2, "import.curly_quotes"),
        ("paperwire = 1\nsubscriptions = [cs.CL]", 2, "import.no_toml"),
        ("paperwire = 1\n\nsubscription = ['cs.CL']", 3, "import.unknown"),
        ("paperwire = 1\nsubscriptions = 'cs.CL'", 2, "import.no_list"),
        ("paperwire = 1\nsubscriptions = [1]", 2, "import.no_list"),
        ("paperwire = 1\nsubscriptions = [\n'cs.CL',\n'cs.XX',\n]", 4, ""),
        ('paperwire = 1\nsubscriptions = [\n"cs.CL",\n"a \\"b",\n]', 4, ""),
        ('paperwire = 1\nsubscriptions = ["a\\u0000b"]', 2, "import.control"),
        ("paperwire = 1\nsettings = 3", 2, "import.no_table"),
        ("paperwire = 1\n[settings]\ncolour = 'red'", 3, "import.unknown"),
        ("paperwire = 1\n[settings]\ntime = '25:99'", 3, ""),
        ("paperwire = 1\n[settings]\ntime = [8]", 3, ""),
        ("paperwire = 1\n[settings]\ncap = 0x" + "f" * 3_900, 3, ""),
        ("paperwire = 0x" + "f" * 3_900, 1, "import.other_version"),
        ("paperwire = 1\nsubscriptions = " + "[" * 3_900, 0, "import.too_deep"),
        ("paperwire = 1\n# " + "a" * 5_000, 2, "import.long_line"),
        ("paperwire = 1\nsubscriptions = [" + ",".join(f"'word{n}'" for n in range(51)) + "]", 2, "import.too_many"),
        ("hello", 1, "import.no_toml"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, key: str) -> None:
    with pytest.raises(BadFileError) as caught:
        portable.read(text)
    assert (caught.value.line, caught.value.key) == (line, key)


HOSTILE = [
    ".".join("a" * 1_900) + " = 1\n",
    "a = [\n",
    "[a.b.c.d.e]\n",
    'a = """\n',
    "b = {a = {a = {a = 1}}}\n",
    "'\"'.x = 1\n",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_file_is_refused_in_time(unit: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadFileError):
        portable.read((unit * (LARGEST_FILE // len(unit)))[:LARGEST_FILE])
    assert time.monotonic() - began < 20


# Feeds of a reader.


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("http://export.arxiv.org/rss/cs.CL", "cs.CL"),
        ("https://rss.arxiv.org/rss/cs.CL+cs.CV", "cs.CL+cs.CV"),
        ("https://rss.arxiv.org/atom/cs.cl%2Bhep-th/", "cs.CL+hep-th"),
        ("http://arxiv.org/rss/q-bio?version=2.0", "q-bio.BM+q-bio.CB+q-bio.GN+q-bio.MN+q-bio.NC+q-bio.OT+q-bio.PE"),
        ("https://example.org/rss/cs.CL", None),
        ("https://rss.arxiv.org/rss/cs.XX", None),
        ("https://rss.arxiv.org/rss/cs.CL+nonsense", None),
        ("http://export.arxiv.org/api/query?search_query=cat:cs.CL", None),
        ("file:///rss/cs.CL", None),
        ("http://[broken", None),
        ("https://rss.arxiv.org.example.org/rss/cs.CL", None),
    ],
)
def test_feeds_of_arxiv_are_known_by_their_address(url: str, query: str | None) -> None:
    found = interest_of(url)
    assert (found is None) if query is None else str(found).startswith(query)


def test_the_feed_of_a_whole_archive_brings_all_of_its_categories() -> None:
    found = interest_of("http://arxiv.org/rss/cs")
    assert found is not None
    assert {"cs.AI", "cs.CL", "cs.RO"} <= set(found.wanted)
    assert len(found.wanted) > 35


async def test_a_readers_list_of_feeds_is_offered_and_unknown_feeds_are_named(room: Room) -> None:
    person = await room.person("cs.CL")
    reply = await person.says(f"/import {OPML}")
    shown = as_read(reply)
    assert says(shown, "import.added", count=1)
    assert says(shown, "import.known", count=1)
    assert "• cs.CV+math.AG" in shown
    assert "• https://example.org/feed.xml" in shown
    await person.presses(action(reply, "from-now"))
    assert await followed(room, person) == ["cs.CL", "cs.CV+math.AG"]


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('<?xml version="1.0"?>\n<!DOCTYPE opml [<!ENTITY a "b">]>\n<opml/>', 2, "import.doctype"),
        ('<!DOCTYPE opml SYSTEM "http://127.0.0.1/x.dtd">\n<opml/>', 1, "import.doctype"),
        ("<opml>\n<body>\n</opml>", 3, "import.no_xml"),
        ("<opml>&entity;</opml>", 1, "import.no_xml"),
        ("<html>\n</html>", 1, "import.no_opml"),
        ("<opml><outline xmlUrl='https://example.org/feed'/></opml>", 0, "import.no_feeds"),
    ],
)
async def test_xml_that_is_none_of_ours_is_refused_with_its_line(room: Room, text: str, line: int, key: str) -> None:
    person = await room.person()
    answer = await person.reads(f"/import {text}")
    assert not line or says(answer, "import.line", line=line)
    assert says(answer, key, detail="\0")
    assert says(answer, "import.as_was")


# A conversation.


async def test_an_import_shows_what_would_change_and_changes_nothing_yet(room: Room) -> None:
    person = await room.person("cs.CL")
    reply = await person.says(f"/import{FILE}")
    shown = as_read(reply)
    assert says(shown, "import.added", count=1)
    assert '• cs.CV "vision transformer" -survey' in shown
    assert says(shown, "import.known", count=1)
    assert "• Digest at 08:30, Asia/Shanghai" in shown
    assert await followed(room, person) == ["cs.CL"]
    assert (await room.chat(person)).preferences.zone == "UTC"
    assert reply is not None
    assert [button.action.split(" ")[0] for button in reply.buttons] == [
        "import:from-now",
        "import:catch-up",
        "import:no",
    ]
    assert all(len(button.action.encode()) <= 60 for button in reply.buttons)


async def test_an_import_moves_a_chat_from_one_bot_to_another(room: Room, tmp_path: Path) -> None:
    person = await room.person("cs.CL", "au:Turing")
    for setting in (
        "time 07:45",
        "days mon,wed",
        "quiet 22:00-06:30",
        "format titles",
        "paging pages",
        "cap all",
        "note on",
    ):
        await person.says(f"/settings {setting}")
    text = await exported(person)
    (tmp_path / "other").mkdir()
    async with a_room(tmp_path / "other") as other:
        there = await other.person(language="both")
        answer = as_read(await there.presses(action(await there.says(f"/import {text}"), "from-now")))
        assert says(answer, "import.done", count=2)
        assert await followed(other, there) == ["cs.CL", "au:Turing"]
        assert (await other.chat(there)).preferences == (await room.chat(person)).preferences
        assert says(await there.reads(f"/import {text}"), "import.nothing")


async def digest_after(room: Room, person: Person) -> list[str]:
    due = (await room.chat(person)).next_digest_at
    assert due is not None
    room.came.clear()
    await room.services.composer.tick(room.clock.set(due))
    return [card.title for _, digest in room.came for card in digest.cards]


async def a_week_of_papers(room: Room) -> Person:
    """Somebody who had digests of cs.CL for days, while papers came in cs.CV as well."""
    person = await room.person("cs.CL")
    for day in range(8):
        await announce(room.database, room.clock.now(), a_paper(day, "cs.CL", "cs.CV"), a_paper(100 + day, "cs.CV"))
        await room.services.composer.tick(room.clock.turn(days=1))
    return person


async def test_catching_up_brings_the_last_week_and_nothing_twice(room: Room) -> None:
    person = await a_week_of_papers(room)
    await person.says("/settings cap all")
    reply = await person.says("/import paperwire = 1\nsubscriptions = ['cs.CV']")
    assert says(as_read(await person.presses(action(reply, "catch-up"))), "import.done", count=1)
    assert await digest_after(room, person) == [f"Paper {100 + day}" for day in range(1, 8)]
    assert await digest_after(room, person) == []


async def test_from_now_on_an_import_brings_only_what_comes(room: Room) -> None:
    person = await a_week_of_papers(room)
    reply = await person.says("/import paperwire = 1\nsubscriptions = ['cs.CV']")
    await person.presses(action(reply, "from-now"))
    await announce(room.database, room.clock.now(), a_paper(200, "cs.CV"))
    assert await digest_after(room, person) == ["Paper 200"]


async def test_an_import_is_carried_out_once_and_the_last_one_alone(room: Room) -> None:
    person = await room.person()
    first = await person.says("/import paperwire = 1\nsubscriptions = ['cs.CV']")
    second = await person.says("/import paperwire = 1\nsubscriptions = ['cs.CL']")
    assert says(as_read(await person.presses(action(first, "from-now"))), "import.gone")
    assert says(as_read(await person.presses(action(second, "from-now"))), "import.done", count=1)
    assert says(as_read(await person.presses(action(second, "catch-up"))), "import.gone")
    assert await followed(room, person) == ["cs.CL"]


async def test_an_import_waits_for_an_hour_and_over_a_restart(room: Room) -> None:
    person = await room.person()
    reply = await person.says(f"/import {FILE}")
    room.clock.turn(seconds=TIME_TO_CONFIRM.total_seconds())
    again = Person(room.desk)  # another desk: nothing is remembered but what is stored
    assert says(as_read(await again.presses(action(reply, "from-now"))), "import.done", count=2)
    late = await again.says("/import paperwire = 1\nsubscriptions = ['hep-th']")
    room.clock.turn(seconds=TIME_TO_CONFIRM.total_seconds() + 1)
    assert says(as_read(await again.presses(action(late, "from-now"))), "import.gone")
    assert "hep-th" not in await followed(room, again)


async def test_an_import_that_is_left_changes_nothing(room: Room) -> None:
    person = await room.person()
    reply = await person.says(f"/import {FILE}")
    assert says(as_read(await person.presses(action(reply, "no"))), "import.left")
    assert says(as_read(await person.presses(action(reply, "from-now"))), "import.gone")
    assert await followed(room, person) == []


@pytest.mark.parametrize("forged", ["from-now", "from-now x", "sell 1", "from-now ²", "from-now 99999999999999999999"])
async def test_a_forged_choice_changes_nothing(room: Room, forged: str) -> None:
    person = await room.person()
    await person.says(f"/import {FILE}")
    await person.presses(f"import:{forged}")
    assert await followed(room, person) == []


async def test_the_import_of_another_chat_cannot_be_taken(room: Room) -> None:
    reply = await (await room.person(address="first")).says(f"/import {FILE}")
    other = await room.person(address="second")
    assert says(as_read(await other.presses(action(reply, "from-now"))), "import.gone")


async def test_settings_alone_need_no_choice_of_a_time(room: Room) -> None:
    person = await room.person("cs.CL")
    reply = await person.says("/import paperwire = 1\n[settings]\nlanguage = 'zh'")
    assert reply is not None
    assert [button.label for button in reply.buttons] == ["Apply", "Leave it"]
    await person.presses(action(reply, "from-now"))
    assert (await room.chat(person)).preferences.language == "zh"


async def test_a_chat_follows_no_more_than_it_can_by_an_import(room: Room) -> None:
    person = await room.person(*(f"word{number}" for number in range(49)))
    answer = await person.reads("/import paperwire = 1\nsubscriptions = ['cs.CL', 'cs.CV']")
    assert says(answer, "subscribe.too_many", count=50)


async def test_a_mistake_is_told_in_the_readers_language_with_its_line_and_a_way_out(room: Room) -> None:
    person = await room.person(language="zh")
    answer = await person.reads("/import paperwire = 1\nsubscriptions = [\n  'cs.CK',\n]")
    assert says(answer, "import.line", "zh", line=3)
    assert says(answer, "query.category", "zh", wrong="cs.CK", limit=None)
    assert "• cs.CV" in answer
    assert says(answer, "import.as_was", "zh")


async def test_a_file_that_comes_along_is_read(room: Room) -> None:
    person = await room.person()

    async def fetch() -> str:
        return text_of(b"\xef\xbb\xbf" + FILE.encode())

    reply = await with_file(person, fetch).says("/import")
    await person.presses(action(reply, "from-now"))
    assert len(await followed(room, person)) == 2


@pytest.mark.parametrize(
    ("content", "key"), [(b"a" * (LARGEST_FILE + 1), "import.too_large"), (b"\xff\xfe\x00", "import.no_text")]
)
async def test_a_file_that_cannot_be_text_of_ours_is_refused(room: Room, content: bytes, key: str) -> None:
    async def fetch() -> str:
        return text_of(content)

    answer = as_read(await with_file(await room.person(), fetch).says("/import"))
    assert says(answer, key, size=256)


async def test_a_file_that_cannot_be_fetched_is_told(room: Room) -> None:
    async def fetch() -> str:
        raise NotFetchedError("not_fetched")

    assert says(as_read(await with_file(await room.person(), fetch).says("/import")), "import.not_fetched")


async def test_imports_that_nobody_decided_on_are_dropped(any_database: Database) -> None:
    chat = await a_chat(any_database)
    async with any_database.write() as connection:
        first = await imports.put(connection, chat.id, "old", MONDAY)
        second = await imports.put(connection, chat.id, "new", MONDAY)
        assert await imports.get(connection, chat.id, first, MONDAY) is None
        assert await imports.get(connection, chat.id, second, MONDAY) == "new"
        assert await imports.get(connection, chat.id, second, MONDAY + timedelta(seconds=1)) is None
    await Housekeeper(any_database, Retention()).tick(MONDAY + timedelta(hours=2))
    async with any_database.write() as connection:
        assert await imports.get(connection, chat.id, second, MONDAY) is None
        assert not await imports.end(connection, chat.id, second)


LINES = st.sampled_from([*FILE.splitlines(), *OPML.splitlines(), "cap = 1e400", "time = 08:30:00", "<!DOCTYPE a>", "]"])
ANYTHING = st.one_of(st.text(max_size=200), st.lists(LINES, max_size=12).map("\n".join), st.just(FILE[:-9]))


async def test_whatever_stands_behind_import_never_fails_and_changes_nothing(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        person = await room.person("cs.CL")
        before = await room.chat(person), await followed(room, person)
        texts: list[str] = []

        @settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
        @given(ANYTHING)
        def gather(text: str) -> None:
            texts.append(text)

        gather()
        for text in texts:
            answer = await person.reads(f"/import {text}")
            assert answer.strip(), text
            assert not says(answer, "error.ours"), text
        assert (await room.chat(person), await followed(room, person)) == before


@given(ANYTHING)
def test_any_text_is_read_or_refused_with_a_line_that_exists(text: str) -> None:
    try:
        assert isinstance(portable.read(text), Portable)
    except BadFileError as error:
        assert 0 <= error.line <= max(1, len(re.split("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", text)))
