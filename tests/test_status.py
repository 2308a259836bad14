"""/status: what a category waits for and why, in a sentence that tells one silence from another, in both languages."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bot.announcements import ARXIV_ZONE, Announcement, State, midnight_of
from bot.storage import announcements, feeds
from bot.storage.feeds import Feed
from tests.builders import MONDAY
from tests.room import ANYTHING, Room, says

WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 11, day) for day in (25, 26, 27))
"""Of the week of Thanksgiving, after which nothing is announced on Friday."""
NOON = datetime(2026, 11, 25, 12, tzinfo=ARXIV_ZONE).astimezone(UTC)


async def status(
    room: Room,
    now: datetime,
    *known: Announcement,
    language: str = "en",
    error: str | None = None,
) -> list[str]:
    """The lines of /status, where that is known of cs.CL."""
    room.clock.set(now)
    person = await room.person("cs.CL", language=language, address=language)
    read = Feed("cs.CL", next_poll_at=now + timedelta(minutes=25), read_at=now, first_read_at=now)
    failing = Feed(
        "cs.CL", now + timedelta(minutes=25), failing_since=now - timedelta(hours=2), failures=2, error=error
    )
    async with room.database.write() as connection:
        await feeds.put(connection, [failing if error else read])
        await announcements.put(connection, known)
    return (await person.reads("/status")).splitlines()[1:-1]


def of(day: date, state: State, size: int = 0, **facts: str) -> Announcement:
    counts = {"new": size - 1, "cross": 1, "replace": 4} if size else {}
    return Announcement("cs.CL", day, midnight_of(day), state, counts, **facts)


@pytest.mark.parametrize(
    ("now", "known", "english", "chinese"),
    [
        pytest.param(
            NOON, [of(WEDNESDAY, "fresh", 132)],
            "cs.CL: 132 papers on the list of Wed 25 Nov.",
            "cs.CL：11月25日 周三的列表有 132 篇。",
            id="it is there",
        ),
        pytest.param(
            NOON, [of(date(2026, 11, 24), "fresh", 40), of(WEDNESDAY, "late", 1)],
            "cs.CL: 1 paper on the list of Wed 25 Nov, which came late.",
            "cs.CL：11月25日 周三的列表有 1 篇，比平时晚到。",
            id="it came late",
        ),
        pytest.param(
            NOON, [of(date(2026, 11, 24), "fresh", 40), of(WEDNESDAY, "stale")],
            "cs.CL: arXiv still shows an old list instead of that of Wed 25 Nov; awaited since 05:00, next look 17:25. "
            "Last: 40 papers on Tue 24 Nov.",
            "cs.CL：arXiv 显示的还是旧列表，11月25日 周三的没出来；自 05:00 起在等，下次查看 17:25。"
            "上一期：11月24日 周二，40 篇。",
            id="stale",
        ),
        pytest.param(
            NOON, [of(date(2026, 11, 24), "fresh", 40), of(WEDNESDAY, "expected")],
            "cs.CL: the list of Wed 25 Nov has not come yet; awaited since 05:00, next look 17:25. "
            "Last: 40 papers on Tue 24 Nov.",
            "cs.CL：11月25日 周三的列表还没出来，自 05:00 起在等，下次查看 17:25。上一期：11月24日 周二，40 篇。",
            id="not there",
        ),
        pytest.param(
            NOON + timedelta(days=2), [of(THURSDAY, "fresh", 40), of(FRIDAY, "expected")],
            "cs.CL: no list on Fri 27 Nov, a holiday at arXiv; the next is due Mon 30 Nov. "
            "Last: 40 papers on Thu 26 Nov.",
            "cs.CL：11月27日 周五 arXiv 放假，没有列表；下一期预计11月30日 周一。上一期：11月26日 周四，40 篇。",
            id="holiday",
        ),
        pytest.param(
            NOON + timedelta(days=3), [of(THURSDAY, "fresh", 40), of(FRIDAY, "quiet")],
            "cs.CL: arXiv has no list on weekends; the next is due Mon 30 Nov. Last: 40 papers on Thu 26 Nov.",
            "cs.CL：周末没有列表；下一期预计11月30日 周一。上一期：11月26日 周四，40 篇。",
            id="weekend",
        ),
        pytest.param(
            NOON, [of(WEDNESDAY, "quiet")],
            "cs.CL: nothing was announced on Wed 25 Nov; the next list is due Thu 26 Nov.",
            "cs.CL：11月25日 周三没有公布新论文；下一期预计11月26日 周四。",
            id="quiet",
        ),
    ],
)  # fmt: skip
async def test_one_silence_is_told_from_another(
    room: Room, now: datetime, known: list[Announcement], english: str, chinese: str
) -> None:
    assert await status(room, now, *known) == [english]
    assert await status(room, now, *known, language="zh") == [chinese]


async def test_a_source_that_cannot_be_read_is_named_with_since_when(room: Room) -> None:
    known = [of(date(2026, 11, 24), "fresh", 40), of(WEDNESDAY, "broken", reason="busy")]
    assert await status(room, NOON, *known, error="busy") == [
        "cs.CL: arXiv cannot be read since 15:00 (arXiv is busy); next try 17:25. Last: 40 papers on Tue 24 Nov."
    ]
    assert await status(room, NOON, *known, error="busy", language="zh") == [
        "cs.CL：自 15:00 起读不到 arXiv（arXiv 繁忙），将于 17:25 重试。上一期：11月24日 周二，40 篇。"
    ]


async def test_what_no_source_could_tell_is_said(room: Room) -> None:
    days = [of(date(2026, 11, 9), "broken", reason="untold"), of(date(2026, 11, 10), "broken", reason="untold")]
    lines = await status(room, NOON, *days, of(WEDNESDAY, "fresh", 2))
    assert lines[1] == "cs.CL: arXiv's interfaces do not tell what was announced on Mon 9 Nov, Tue 10 Nov."


async def test_what_was_read_what_came_last_and_what_comes_next(room: Room) -> None:
    room.publish(1, 2)
    person = await room.person("cs.CL")
    await room.services.poller.tick(room.clock.turn(seconds=30))
    assert says(await person.reads("/status"), "status.here", category="cs.CL", count=2, day="Mon 2 Mar")
    await person.says("/digest")
    room.clock.turn(minutes=5)
    assert says(await person.reads("/status"), "status.last", at="12:00", matched=2, shown=2, held=0)


async def test_an_empty_list_on_a_weekday_and_a_failing_feed_are_told_honestly(room: Room) -> None:
    person = await room.person("cs.CL")
    await room.services.poller.tick(room.clock.turn(seconds=30))
    assert says(await person.reads("/status"), "status.expected", category="cs.CL", day="Mon 2 Mar", since="05:00")
    room.arxiv.down = True
    await room.services.poller.tick(room.clock.turn(hours=2))
    assert says(await person.reads("/status"), "status.broken", category="cs.CL", since="14:00")


async def test_what_was_never_read_is_not_called_anything_else(room: Room) -> None:
    person = await room.person("cs.CL")
    async with room.database.write() as connection:
        await feeds.follow(connection, ["cs.CL"], MONDAY)
    assert says(await person.reads("/status"), "status.unread", category="cs.CL")


async def test_a_digest_that_has_nothing_new_says_why(room: Room) -> None:
    await room.services.poller.tick(room.clock.turn(seconds=30))
    for language in ("en", "zh"):
        person = await room.person("cs.CL", language=language, address=language)
        answer = await person.reads("/digest")
        assert says(answer, "digest.nothing_new", language)
        assert says(answer, "status.expected", language, category="cs.CL", day=ANYTHING)


async def test_what_is_the_same_for_several_categories_is_said_once(room: Room) -> None:
    person = await room.person("cs.CL", "cs.CV")
    room.arxiv.down = True
    await room.services.poller.tick(room.clock.turn(seconds=30))
    answer = await person.reads("/status")
    assert says(answer, "status.broken", category="cs.CL, cs.CV", since="12:00")
    assert answer.count("cs.CV") == 1
