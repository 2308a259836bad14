"""Anything that people might say or press, and what must never come of it."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as trials
from hypothesis import strategies as st

from bot.cards.reply import Reply
from bot.commands.desk import ACTIONS, COMMANDS
from bot.commands.settings import SETTINGS
from bot.storage import chats as stored_chats
from bot.storage.tables import chats, imports, marks, operators, subscriptions
from tests.builders import a_paper, announce
from tests.room import Person, Room, a_room, as_read, says

IN_A_ROW = 10
"""Inputs of the same person."""

WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["cs.CL", "cs.", "-cs.CL", "cs.CV+cs.CL-cs.RO", "2603.00001", "2603.99999", "2600.00001", "hep-th/1"]
    ),
    st.sampled_from(["24:00", "٠٩:٣٠", "Tokyo", "²", "9" * 40, "+", "\0", "on", "off", "all", "export", "?", "7d"]),
    st.sampled_from(
        ["1 3 cards 2603.00001", "2603.00001 up", "2603.00001 #agents", "2603.00001 cs.CL", "2603.00001 here"]
    ),
    st.sampled_from([*SETTINGS, "zh", "both", "from-now", "catch-up", "yes", "no", "bibtex"]),
    st.integers(0, 30).map(str),
    st.from_regex(r"[a-z]{1,8}(\.[A-Z]{2})?", fullmatch=True),
)
ARGUMENTS = st.lists(WORDS, max_size=3).map(" ".join)
TEXTS = st.one_of(
    WORDS,
    st.tuples(st.sampled_from([command.name for command in COMMANDS]), ARGUMENTS).map(" ".join).map("/{}".format),
)
PRESSED = st.tuples(st.sampled_from([action.name for action in ACTIONS]), ARGUMENTS).map(":".join)
INPUTS = st.one_of(
    TEXTS.map(lambda text: ("says", text)),
    PRESSED.map(lambda action: ("presses", action)),
    st.integers(0, 10_000).map(lambda number: ("presses again", number)),
)
PEOPLE = st.builds(
    dict,
    platform=st.sampled_from(["telegram", "discord"]),
    address=st.sampled_from(["1", "2"]),
    group=st.booleans(),
    admin=st.booleans(),
    name=st.sampled_from(["Ada", "Lin"]),
    language=st.sampled_from([None, "en", "zh", "", "x" * 50]),
)
IN_THE_WEB = st.builds(dict, platform=st.just("web"), address=st.sampled_from(["1", "2"]))


def say_anything(folder: Path, inputs: int, number: int) -> None:
    """So many inputs, the same ones for a number: each is answered or rightly passed over, and none fails.

    None changes what it may not.
    """
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        room = runner.run(stack.enter_async_context(a_room(folder)))
        runner.run(room.add_sample())
        runner.run(announce(room.database, room.clock.now(), *(a_paper(number, "cs.CL") for number in range(1, 30))))
        offered = ["abstract:2603.00001"]

        @trials(max_examples=inputs // IN_A_ROW, database=None, suppress_health_check=list(HealthCheck))
        @seed(number)
        @given(PEOPLE | IN_THE_WEB, st.lists(INPUTS, min_size=IN_A_ROW, max_size=IN_A_ROW))
        def check(who: dict[str, Any], done: list[tuple[str, Any]]) -> None:
            runner.run(_check(room, Person(room.desk, **who), done, offered))

        check()
        runner.run(stack.aclose())


async def _check(room: Room, person: Person, done: list[tuple[str, Any]], offered: list[str]) -> None:
    await _know(room, person)
    before = await _settled(room, person)
    for how, what in done:
        # Calmly: a flood is another matter.
        room.clock.turn(minutes=1)
        if how == "says":
            reply = await person.says(what)
        else:
            reply = await person.presses(what if how == "presses" else offered[what % len(offered)])
        _is_good(reply, what)
        if reply is not None:
            buttons = [*reply.buttons, *(button for card in reply.cards for button in card.buttons)]
            assert all(len(button.action.encode()) <= 60 for button in buttons), what
            offered += [button.action for button in buttons if button.action not in offered]
            del offered[:-500]
    assert await _settled(room, person) == before, (person, done)


async def _know(room: Room, person: Person) -> None:
    """The chat is met before it counts as changed."""
    async with room.database.read() as connection:
        chat = await stored_chats.find(connection, person.platform, person.address)
    if chat is None:
        await person.says("/start")


def _is_good(reply: Reply | None, what: object) -> None:
    assert reply is None or reply.text or reply.cards or reply.quote or reply.title, what
    assert not any(says(as_read(reply), "error.ours", language) for language in ("en", "zh")), what


async def _settled(room: Room, person: Person) -> list[Any]:
    """What this person must not change: other chats, and their own in a group that they do not administer.

    Whoever can open the web chat runs the bot: what is true of all of it is theirs, and who is let in.
    """
    own = sa.and_(chats.c.platform == person.platform, chats.c.address == person.address)
    may = not person.group or person.admin
    async with room.database.read() as connection:
        rows = (await connection.execute(sa.select(chats).where(~own if may else sa.true()))).mappings()
        names = _SETTLED - _FOR_OPERATORS if person.platform == "web" else _SETTLED
        kept = [{name: value for name, value in row.items() if name in names} for row in rows]
        ids = [row["id"] for row in kept]
        followed = await connection.execute(sa.select(subscriptions).where(subscriptions.c.chat_id.in_(ids)))
        waiting = await connection.execute(sa.select(imports).where(imports.c.chat_id.in_(ids)))
        powers = () if person.platform == "web" else (operators, marks)
        return [
            kept,
            list(followed),
            list(waiting),
            *[list(await connection.execute(sa.select(each))) for each in powers],
        ]


_SETTLED = {column.name for column in chats.c} - {"next_digest_at", "last_digest_day", "probe_at"}
_FOR_OPERATORS = {"access", "most_papers", "most_subscriptions", "cap"}
"""What who runs the bot may change of any chat: who is let in, and its limits, which its own length keeps."""
