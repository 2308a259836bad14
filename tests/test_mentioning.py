"""The role that a daily digest mentions in a Discord server: chosen, checked, and nobody else ever mentioned."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
import sqlalchemy as sa

from bot.cards.reply import Button, Card, Reply
from bot.commands.request import Incoming, Role, Sender, Venue
from bot.delivery.port import Sent
from bot.platforms.discord.instead import instead
from bot.platforms.discord.render import render
from bot.platforms.discord.send import DiscordPlatform
from bot.storage.database import Database
from bot.storage.tables import chats, digests, messages, payloads
from tests.builders import HandClock, a_chat, a_paper, announce
from tests.room import Person, Room, a_room, as_read, says
from tests.servers.discord import DiscordStub, check_message, mentions
from tests.test_compose_batches import a_composer
from tests.test_discord_outcomes import CARDS
from tests.test_discord_platform import CHANNEL, Bot, bot, stub, until
from tests.test_discord_simcord import platform, simcord_bot

__all__ = ["bot", "platform", "simcord_bot", "stub"]

READERS, QUIET = "1100000000000000501", "1100000000000000502"
ROLES = {READERS: Role("readers", may_be_mentioned=True), QUIET: Role("quiet", may_be_mentioned=False)}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(tmp_path) as room:
        yield room


async def in_server(room: Room, person: Person, **what: Any) -> str:
    """What somebody is answered in a server that has these roles."""
    said = Incoming(person.platform, person.address, "Lab#papers", person.group, Sender("7", "Ada"), **what)
    return as_read(await room.desk.answer(replace(said, venue=Venue(role=ROLES.get))))


async def mention_of(room: Room, person: Person) -> str:
    return (await room.chat(person)).preferences.mention


@pytest.mark.parametrize("written", [f"<@&{READERS}>", READERS])
async def test_a_role_of_the_server_is_chosen_and_named(room: Room, written: str) -> None:
    server = await room.person("cs.CL", platform="discord", group=True)
    answer = await in_server(room, server, text=f"/settings mention {written}")
    assert says(answer, "mention.role", role="readers")
    assert says(answer, "settings.mention", state="on")
    assert await mention_of(room, server) == READERS
    assert says(await in_server(room, server, action="set:mention ?"), "mention.role", role="readers")
    assert says(await in_server(room, server, action="set:mention off"), "settings.mention", state="off")
    assert await mention_of(room, server) == ""


@pytest.mark.parametrize(
    ("value", "key", "values"),
    [
        ("<@&1100000000000000999>", "mention.unknown", {}),
        (f"<@&{QUIET}>", "mention.not_allowed", {"role": "quiet"}),
        ("@everyone", "settings.bad_mention", {"value": "@everyone"}),
        ("<@1100000000000000501>", "settings.bad_mention", {"value": "<@1100000000000000501>"}),
        ("", "settings.bad_mention", {"value": ""}),
        ("9" * 40, "settings.bad_mention", {"value": "9" * 40}),
    ],
)
async def test_what_cannot_be_mentioned_is_told_with_the_way_out(
    room: Room, value: str, key: str, values: dict[str, str]
) -> None:
    server = await room.person("cs.CL", platform="discord", group=True)
    assert says(await in_server(room, server, text=f"/settings mention {value}"), key, **values)
    assert await mention_of(room, server) == ""


async def test_a_role_that_went_is_told(room: Room) -> None:
    server = await room.person("cs.CL", platform="discord", group=True)
    await in_server(room, server, text=f"/settings mention {READERS}")
    assert says(as_read(await server.presses("set:mention ?")), "mention.gone")


@pytest.mark.parametrize(
    "facts", [{"platform": "telegram", "group": True}, {"platform": "web"}, {"platform": "discord"}]
)
async def test_where_there_are_no_roles_none_is_chosen(room: Room, facts: Any) -> None:
    person = await room.person("cs.CL", **facts)
    assert says(await in_server(room, person, text=f"/settings mention {READERS}"), "setting.mention.elsewhere")
    assert await mention_of(room, person) == ""


async def test_a_role_is_taken_along_to_a_chat_of_the_same_server_only(room: Room) -> None:
    server = await room.person("cs.CL", platform="discord", group=True)
    await in_server(room, server, text=f"/settings mention {READERS}")
    exported = await server.says("/export")
    assert exported is not None
    assert exported.file is not None
    assert f'mention = "{READERS}"' in exported.file.text
    neighbour = await room.person(platform="discord", group=True, address="neighbour")
    assert says(await in_server(room, neighbour, text=f"/import {exported.file.text}"), "settings.mention", state="on")
    await in_server(room, neighbour, action="import:from-now 1")
    assert await mention_of(room, neighbour) == READERS
    elsewhere = await room.person(platform="discord", group=True, address="elsewhere")
    private = await room.person(address="private")
    for number, person in ((2, elsewhere), (3, private)):
        offered = await person.reads(f"/import {exported.file.text}")  # a server without these roles
        assert says(offered, "import.not_here", names="mention")
        await person.presses(f"import:from-now {number}")
        assert await mention_of(room, person) == ""


# In the digest.


async def texts(database: Database) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Each chat's messages, by its address: the number of each text, and the text."""
    query = (
        sa.select(chats.c.address, payloads.c.id, payloads.c.content)
        .select_from(messages.join(payloads).join(chats, chats.c.id == messages.c.chat_id))
        .order_by(messages.c.id)
    )
    found: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    async with database.read() as connection:
        for address, number, content in await connection.execute(query):
            found.setdefault(address, []).append((number, json.loads(content)))
    return found


async def test_the_first_message_of_a_daily_digest_mentions_the_role_and_others_share_their_texts(
    database: Database, clock: HandClock
) -> None:
    for address, mention in (("a", ""), ("b", READERS), ("c", ""), ("d", READERS)):
        await a_chat(database, "cs.CL", platform="discord", address=address, is_group=True, mention=mention, cap=0)
    await announce(database, clock.turn(hours=1), *map(a_paper, range(1, 31)))
    await a_composer(database, clock).tick(clock.turn(days=1))
    sent = await texts(database)
    assert len(sent["a"]) > 1
    assert sent["a"] == sent["c"]
    assert sent["b"] == sent["d"]
    (first, *rest), (plain, *others) = sent["b"], sent["a"]
    assert first[1]["content"].startswith(f"<@&{READERS}>\n")
    assert first[1]["allowed_mentions"] == {"roles": [READERS]}
    assert rest == others  # the very same rows
    for _, body in (plain, *others):
        assert body["allowed_mentions"] == {"parse": []}
        assert READERS not in body["content"]


async def test_what_was_asked_for_and_a_day_without_papers_mention_nobody(database: Database, clock: HandClock) -> None:
    chat = await a_chat(database, "cs.CL", platform="discord", is_group=True, mention=READERS, quiet_note=True, cap=1)
    composer = a_composer(database, clock)
    await composer.tick(clock.turn(days=1))
    await announce(database, clock.turn(hours=1), a_paper(1), a_paper(2))
    await composer.on_demand(chat, clock.turn(minutes=1))
    await composer.tick(clock.turn(days=1))
    assert {body["allowed_mentions"] == {"parse": []} for _, body in (await texts(database))["papers"]} == {True}
    async with database.read() as connection:
        assert len((await connection.execute(sa.select(digests.c.id))).all()) == 3


def body_of(reply: Reply) -> list[dict[str, Any]]:
    found = [json.loads(payload) for payload in render(reply)]
    for body in found:
        check_message(body)
    return found


@pytest.mark.parametrize("length", [0, 10, 1_900, 1_975, 1_976, 1_977, 1_978, 1_999, 2_000, 2_001, 6_000])
def test_a_mention_stands_first_and_fits(length: int) -> None:
    first, *rest = body_of(Reply("x" * length, mention=READERS, cards=CARDS[:1]))
    assert first["content"].startswith(f"<@&{READERS}>")
    assert first["allowed_mentions"] == {"roles": [READERS]}
    assert all(body["allowed_mentions"] == {"parse": []} for body in rest)


@pytest.mark.parametrize("mention", ["", "everyone", "<@&1>", "here"])
def test_what_is_no_number_is_mentioned_by_nobody(mention: str) -> None:
    (body,) = body_of(Reply("Hello", mention=mention))
    assert (body["content"], body["allowed_mentions"]) == ("Hello", {"parse": []})


def test_a_digest_that_is_put_differently_keeps_its_mention_and_makes_no_other() -> None:
    trap = Card("1", "@everyone <@&1100000000000000777>", "https://example.org", buttons=(Button("Go", "x:1"),))
    (payload,) = render(Reply("Digest", mention=READERS, cards=(trap,)))
    first, *rest = [json.loads(each) for each in instead(payload, "In embeds.0.url: no")]
    assert first["allowed_mentions"] == {"roles": [READERS]}
    assert first["content"].startswith(f"<@&{READERS}>")
    assert all(body["allowed_mentions"] == {"parse": []} for body in rest)


async def test_discord_tells_that_role_and_nobody_else(stub: DiscordStub, bot: Bot) -> None:
    trap = Card("1", f"@everyone <@&{QUIET}> <@12>", "https://example.org", tldrs=("@here",))
    (payload,) = render(Reply(f"@everyone <@&{QUIET}>", mention=READERS, cards=(trap,)))
    await until(lambda: bot.updates.client() is not None)
    assert isinstance(await bot.platform.send(str(CHANNEL), payload, "d1"), Sent)
    told = mentions(stub.messages[0])
    assert (told.everyone, told.users, told.roles) == (False, frozenset(), frozenset({int(READERS)}))


async def test_a_second_opinion_on_whom_a_digest_tells(simcord_env: simcord.Env, platform: DiscordPlatform) -> None:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("papers")
    role = guild.create_role("readers", mentionable=True)
    (payload,) = render(Reply("Digest", mention=str(role.id), cards=CARDS[:1]))
    assert isinstance(await platform.send(str(channel.id), payload, "d1"), Sent)
    shown: discord.Message = channel.last_message
    assert shown.content.startswith(f"<@&{role.id}>")
    assert [each.id for each in shown.role_mentions] == [role.id]
    assert not shown.mention_everyone
