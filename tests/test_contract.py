"""Every command, button, permission and mistake, said to a running bot over real sockets: the same on every platform.

The platforms' rules are their stubs' to watch: Telegram's texts are read by tdjson, Discord's payloads held against
its documented limits.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.commands.desk import ACTIONS, COMMANDS
from bot.commands.request import Permission
from bot.locales import CatalogueName
from tests.builders import a_database, a_paper, announce
from tests.places import PATIENCE, DiscordPlace, Place, TelegramPlace, WebPlace, shows, until
from tests.process import paperwire
from tests.servers.arxiv import ArxivStub, Entry, atom_feed
from tests.servers.discord import DiscordStub
from tests.servers.telegram import TelegramStub

PLATFORMS = ("telegram", "discord", "web")
FILE = 'paperwire = 1\nsubscriptions = ["math.NT"]\n[settings]\ncap = 7\n'


@dataclass(frozen=True)
class Talk:
    """What is said and pressed (`!action`) in turn, and a text that stands in what is seen at last: a key, or itself.

    `by`: a person alone, the administrator of a group, or another member, who says the last of it. `on`: the platforms
    that have such a thing.
    """

    said: tuple[str, ...]
    seen: str
    values: dict[str, Any] = field(default_factory=dict)
    by: str = "person"
    on: tuple[str, ...] = PLATFORMS

    def __str__(self) -> str:
        return f"{self.by}: {' / '.join(self.said)} -> {self.seen}"


def talk(*said: str, sees: str, by: str = "person", on: tuple[str, ...] = PLATFORMS, **values: Any) -> Talk:
    return Talk(said, sees, values, by, on)


WRITTEN = ("telegram", "web")
"""Where one can say what is no command."""
IN_GROUPS = ("telegram", "discord")
"""Where there are several people: all threads of the web chat have the same one, and what that one saved."""
MANY = [f"/save {' '.join(f'2603.{number:05}' for number in some)}" for some in (range(1, 8), range(8, 13))]

PEOPLE = [
    talk("/start", sees="start.hello"),
    talk("/start wrong-code", sees="start.hello"),
    talk("/help", sees="help.more"),
    talk("/help query", sees="help.query"),
    talk("/help", "!help:reading", sees="help.reading"),
    talk("/help nonsense", sees="help.more"),
    talk("hello", sees="error.unknown_command", on=WRITTEN),
    talk("/nonsense", sees="error.unknown_command", on=WRITTEN),
    talk("y" * 4_001, sees="error.too_long", count=4_000, on=("telegram",)),
    talk("2603.00003", sees="Paper 3", on=WRITTEN),
    # Saying what one wants.
    talk("/subscribe cs.CL", sees="subscribe.done"),
    talk("/subscribe cs.CL", sees="subscribe.next"),
    talk("/subscribe cs.CV+cs.CL -cs.RO", sees="query.named", query="cs.CV+cs.CL -cs.RO"),
    talk('/subscribe "vision transformer" OR ViT -survey au:"Kaiming He"', sees="query.everywhere"),
    talk("/subscribe #vision-transformer", sees="subscribe.done"),
    talk("/subscribe cs.CL", "/subscribe cs.CL", sees="subscribe.already"),
    talk("/subscribe", sees="subscribe.how"),
    talk("/subscribe cs.CLL", sees="query.category", wrong="cs.CLL"),
    talk("/preview cs.CL", "!subscribe:", sees="subscribe.done"),
    talk("/subscribe a OR", sees="query.half"),
    talk('/subscribe a "b', sees="query.unclosed_quote"),
    talk("/subscribe #nonsense", sees="query.topic", wrong="#nonsense"),
    talk("/subscribe -cs.CL", sees="query.only_not"),
    talk("/preview cs.CL", sees="preview.title"),
    talk("/preview", sees="preview.how"),
    talk("/preview a OR", sees="query.half"),
    talk("/topics", sees="topics.title"),
    talk("/subscriptions", sees="subscriptions.none"),
    talk("/subscribe math.NT", "/subscriptions", sees="subscriptions.title"),
    talk("/subscribe math.NT", "/unsubscribe math.NT", sees="unsubscribe.done", query="math.NT"),
    talk("/unsubscribe math.NT", sees="unsubscribe.none", query="math.NT"),
    talk("/unsubscribe", sees="subscriptions.none"),
    talk("/subscribe math.NT", "/unsubscribe 1", sees="unsubscribe.done", query="math.NT"),
    talk("/unsubscribe 7", sees="unsubscribe.no_number", number=7),
    talk("/subscribe math.NT", "/subscriptions", "!drop:", sees="unsubscribe.done", query="math.NT"),
    talk("/subscribe math.NT", "/subscriptions", "!drop:", "!undo:", sees="unsubscribe.undone", query="math.NT"),
    talk("/subscribe math.NT", "/alert 1", sees="alert.on"),
    talk("/subscribe math.NT", "!alert:on", sees="alert.on"),
    talk("/subscribe math.NT", "/alert 1", "/alert 1 off", sees="alert.off"),
    talk("/alert math.NT", sees="alert.not_followed", query="math.NT"),
    talk("/alert", sees="subscriptions.none"),
    # Reading.
    talk("/digest", sees="digest.receipt"),
    talk("/digest", "!abstract:", sees="We study question"),
    talk("/digest", "!save:", sees="save.done", on=IN_GROUPS),
    talk("/digest", "!card:", sees="button.bibtex", on=IN_GROUPS),
    talk("/digest", "!card:", "!bibtex:", sees="@misc", on=IN_GROUPS),
    talk("/settings paging pages", "/digest", "!page:2", sees="Paper 4"),
    talk("/paper 2603.00001", "!bibtex:", sees="@misc"),
    talk("/paper 2603.00001", "!like:", sees="like.title"),
    talk("/paper 2603.00001", "!vote:2603.00001 up", sees="vote.up", on=IN_GROUPS),
    talk("/paper 2603.00001", "!vote:2603.00001 down", sees="vote.down", on=IN_GROUPS),
    talk("/paper 2603.00001", "!hide:", sees="hide.nothing"),
    talk("/subscribe question", "/paper 2603.00001", "!hide:", sees="hide.title"),
    talk("/subscribe question", "/paper 2603.00001", "!hide:", "!exclude:", sees="hide.done"),
    talk("/subscribe question", "/paper 2603.00001", "!hide:", "!exclude:", "!unhide:", sees="hide.undone"),
    talk("/settings cap 1", "/digest", "!more:", sees="digest.receipt.more", shown=12),
    talk("/paper 2603.00001", sees="Paper 1"),
    talk("/paper https://arxiv.org/pdf/2603.00002v1", sees="Paper 2"),
    talk("/paper", sees="paper.how"),
    talk("/paper 12345", sees="paper.bad", text="12345"),
    talk("/paper 2603.99999", sees="paper.unknown", id="2603.99999"),
    talk("/search question", sees="search.title"),
    talk("/search question", "!find:", sees="search.title"),
    talk("/search", sees="search.how"),
    talk("/search perpetuum mobile", sees="search.none", query="perpetuum mobile"),
    talk("/why 2603.00001", sees="why.nothing_followed"),
    talk("/subscribe cs.CL", "/why 2603.00001", sees="why.before"),
    talk("/subscribe math.NT", "/why 2603.00001", sees="why.no_match"),
    talk("/why", sees="why.how"),
    talk("/why 2603.99999", sees="why.unknown"),
    talk("/status", sees="status.title"),
    # Keeping.
    talk("/save 2603.00001", sees="save.done", on=IN_GROUPS),
    talk("/save", sees="save.how"),
    talk("/save 2603.99999", sees="paper.unknown", id="2603.99999"),
    talk("/unsave 2603.00001", sees="unsave.none", on=IN_GROUPS),
    talk("/unsave", sees="unsave.how"),
    talk("/save 2603.00001", "/unsave 2603.00001", sees="unsave.done", on=IN_GROUPS),
    talk("/saved export nonsense", sees="saved.how"),
    talk("/save 2603.00001", "/saved", sees="saved.title"),
    talk("/save 2603.00001", "/saved", "!unsave:", sees="saved.none", on=IN_GROUPS),
    talk(*MANY, "/saved", "!saved:", sees="saved.title", count=12, on=IN_GROUPS),
    talk("/save 2603.00001", "/saved export bibtex", sees="saved.bib"),
    # Settling how it comes.
    talk("/settings", sees="settings.title"),
    talk("/settings", "!set:time ?", sees="setting.time.how"),
    talk("/settings", "!set:time ?", "!set:time 08:00", sees="settings.changed"),
    talk("/settings time 8:30", sees="settings.time", time="08:30", zone="UTC"),
    talk("/settings time asap", sees="settings.asap", zone="UTC"),
    talk("/settings zone Beijing", sees="settings.time", time="09:00", zone="Asia/Shanghai"),
    talk("/settings days mon-fri", sees="settings.days"),
    talk("/settings quiet 22:00-07:00", sees="settings.quiet", begin="22:00", end="07:00"),
    talk("/settings format titles", sees="settings.format"),
    talk("/settings cap all", sees="settings.no_cap"),
    talk("/settings crosslists off", sees="settings.crosslists"),
    talk("/settings note on", sees="settings.note"),
    talk("/settings paging pages", sees="settings.paging"),
    talk("/settings replacements on", sees="settings.replacements"),
    talk("/settings time 25:00", sees="settings.bad_time", value="25:00"),
    talk("/settings zone Berlln", sees="settings.bad_zone", value="Berlln", hint="Europe/Berlin"),
    talk("/settings days never", sees="settings.bad_days"),
    talk("/settings quiet often", sees="settings.bad_quiet"),
    talk("/settings language de", sees="settings.bad_language"),
    talk("/settings format poem", sees="settings.bad_format"),
    talk("/settings cap -1", sees="settings.bad_cap"),
    talk("/settings note maybe", sees="settings.bad_switch"),
    talk("/settings colour red", sees="settings.unknown", name="colour"),
    talk("/pause 7d", sees="pause.until"),
    talk("/pause", sees="pause.on"),
    talk("/pause soon", sees="pause.how", value="soon"),
    talk("/resume", sees="resume.not_paused"),
    talk("/pause 7d", "/resume", sees="resume.done"),
    # For those who administer a channel, and those who run the bot, as who is at the web chat does.
    talk("/channel", sees="channel.how", on=("telegram",)),
    talk("/channel @nowhere", sees="channel.unknown", on=("telegram",)),
    talk("/channel", sees="channel.discord", on=("discord",)),
    talk("/channel", sees="channel.web", on=("web",)),
    talk("/admin", sees="error.operators_only", on=IN_GROUPS),
    talk("/admin", sees="admin.title", on=("web",)),
    talk("/admin", "!admin:chats", sees="admin.chats_how", on=("web",)),
    # Moving and leaving.
    talk("/export", sees="paperwire.toml", on=IN_GROUPS),
    talk("/subscribe cs.CL", "/export", sees="export.done", count=1),
    talk("/import", sees="import.how"),
    talk("/import nonsense", sees="import.no_toml"),
    talk(f"/import {FILE}", sees="import.question"),
    talk(f"/import {FILE}", "!import:from-now", sees="import.done", count=1),
    talk(f"/import {FILE}", "!import:no", sees="import.left"),
    talk(f"/import {FILE}", "!import:no", "!import:catch-up", sees="import.gone"),
    talk("/forget", sees="forget.question"),
    talk("/forget", "!forget:no", sees="forget.kept"),
    talk("/forget", "!export:", sees="export.done"),
    talk("/forget", "!forget:yes", sees="forget.done", on=IN_GROUPS),
]

_ARGUMENTS = {
    "subscribe": "cs.CL",
    "unsubscribe": "cs.CL",
    "alert": "1",
    "settings": "cap 7",
    "pause": "7d",
    "resume": "",
    "import": FILE,
    "forget": "",
}
_MENUS = {
    "subscribe": ("/preview cs.CL", "!subscribe:"),
    "alert": ("/subscribe cs.CL", "!alert:on"),
    "drop": ("/subscribe cs.CL", "/subscriptions", "!drop:"),
    "undo": ("/subscribe cs.CL", "/subscriptions", "!drop:", "!undo:"),
    "hide": ("/subscribe question", "/paper 2603.00001", "!hide:"),
    "exclude": ("/subscribe question", "/paper 2603.00001", "!hide:", "!exclude:"),
    "unhide": ("/subscribe question", "/paper 2603.00001", "!hide:", "!exclude:", "!unhide:"),
    "set": ("/settings", "!set:time ?"),
    "import": (f"/import {FILE}", "!import:from-now"),
    "forget": ("/forget", "!forget:yes"),
}
GROUPS = [
    talk("/subscribe cs.CL", sees="subscribe.done", by="admin", on=IN_GROUPS),
    talk("/settings", "!set:cap ?", "!set:cap 5", sees="settings.changed", by="admin", on=IN_GROUPS),
    talk("/settings links on", sees="settings.links", by="admin", on=IN_GROUPS),
    talk("/settings mention off", sees="settings.mention", by="admin", on=("discord",)),
    talk("/digest", sees="digest.receipt", by="member", on=IN_GROUPS),
    talk("/subscriptions", sees="subscriptions.none", by="member", on=IN_GROUPS),
    talk("/settings", sees="settings.title", by="member", on=IN_GROUPS),
    talk("/paper 2603.00001", sees="Paper 1", by="member", on=IN_GROUPS),
    talk("/digest", "!save:", sees="save.done", by="member", on=IN_GROUPS),
    *(
        talk(f"/{name} {_ARGUMENTS[name]}".strip(), sees="error.admins_only", by="member", on=IN_GROUPS)
        for name in (each.name for each in COMMANDS if each.permission is Permission.ADMIN)
    ),
    *(talk(*menu, sees="error.admins_only", by="member", on=IN_GROUPS) for menu in _MENUS.values()),
]
TALKS = [*PEOPLE, *GROUPS]

ELSEWHERE = {
    "paper": "the command on a message, in Discord: test_pointing, test_platforms",
    "anew": "needs a model: test_summary_records",
    "return": "comes after a removal or with papers that came meanwhile: test_returning, test_pausing",
    "restored": "comes after a restored backup: test_backup",
    "allow": "test_platforms",
    "deny": "test_platforms",
}
"""Buttons that a chat sees by no command of its own, and where they are pressed."""


@dataclass
class World:
    """A running bot with fourteen papers, and places on all its platforms."""

    telegram: TelegramStub
    discord: DiscordStub
    browser: httpx.AsyncClient
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10_000))

    async def place(self, platform: str, by: str, language: CatalogueName) -> Place:
        """A new one, whose people speak this language."""
        admin, member, place = (next(self.numbers) for _ in range(3))
        if platform == "web":
            await self.browser.post("/threads", data={"name": f"Thread {place}"})
            web = WebPlace(self.browser, f"/t/thread-{place}")
            await web.say(f"/settings language {language}")
            return web
        if platform == "telegram":
            for person in (admin, member):
                self.telegram.add_user(person, f"Person {person}", {"en": "en", "zh": "zh-hans"}[language])
            if by == "person":
                self.telegram.add_chat(admin, title=f"Person {admin}")
                return TelegramPlace(self.telegram, admin, admin)
            self.telegram.add_chat(-place, "supergroup", f"Group {place}")
            self.telegram.set_admin(-place, admin)
            return TelegramPlace(self.telegram, admin, member, -place)
        for person in (admin, member):
            self.discord.add_user(person, f"person{person}", {"en": "en-US", "zh": "zh-CN"}[language])
        if by == "person":
            return DiscordPlace(self.discord, admin, admin, self.discord.dm(admin))
        self.discord.add_guild(place, f"Lab {place}")
        self.discord.add_channel(channel := next(self.numbers), place, "papers")
        self.discord.add_member(place, admin, manage_guild=True)
        self.discord.add_member(place, member)
        return DiscordPlace(self.discord, admin, member, channel)


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    (folder / "data").mkdir()
    database = await a_database(folder / "data")
    now = datetime.now(UTC)
    papers = [a_paper(number, "cs.CL") for number in range(1, 15)]
    papers[:2] = [replace(each, abstract=f"{each.abstract} Quokkas hop, and quokkas hop.") for each in papers[:2]]
    await announce(database, now - timedelta(hours=2), *papers, day=now.date())
    await database.close()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        arxiv, telegram, discord = [await enter(stub) for stub in (ArxivStub(), TelegramStub(), DiscordStub())]
        built = (now - timedelta(hours=3)).timestamp()
        for category in ("cs.CL", "cs.CV", "math.NT"):
            entries = [Entry(each.id, each.title, each.abstract, each.categories) for each in papers]
            of_it = entries if category == "cs.CL" else []
            arxiv.publish(category, atom_feed(category, of_it, built), built)
        bot = await enter(
            paperwire(
                folder,
                access__open="true",
                arxiv__feed_url=f"{arxiv.url}/atom",
                arxiv__api_url=f"{arxiv.url}/api/query",
                arxiv__oai_url=f"{arxiv.url}/oai",
                arxiv__listing_url=f"{arxiv.url}/list",
                arxiv__default_categories='["cs.CL"]',
                telegram__token=telegram.token,
                telegram__base_url=telegram.api_url,
                discord__token=discord.token,
                discord__api_url=discord.api_url,
                discord__gateway_url=discord.gateway_url,
            )
        )
        browser = await enter(httpx.AsyncClient(base_url=bot.address, headers={"Origin": bot.address}, timeout=30))
        async with asyncio.timeout(20):
            while not ("discord.connected" in bot.printed and "telegram.listening" in bot.printed):
                await asyncio.sleep(0.05)
        yield World(telegram, discord, browser)
        assert await bot.stop() == 0
        assert "Traceback" not in bot.printed
        assert telegram.http_429 == discord.http_429 == 0
        assert [*arxiv.violations, *telegram.violations, *discord.violations] == []


@pytest.mark.parametrize(
    ("language", "platform"),
    [
        ("en", "telegram"),
        ("en", "discord"),
        pytest.param("en", "web", marks=pytest.mark.thorough),
        *(pytest.param("zh", platform, marks=pytest.mark.thorough) for platform in PLATFORMS),
    ],
)
async def test_everybody_is_answered_in_their_language(tmp_path: Path, platform: str, language: CatalogueName) -> None:
    async with a_world(tmp_path) as world:
        at_once = asyncio.Semaphore(32)
        talks = [each for each in TALKS if platform in each.on]
        failed = await asyncio.gather(*(_hold(world, platform, language, each, at_once) for each in talks))
    assert not (wrong := [each for each in failed if each]), "\n\n".join(wrong)


async def _hold(world: World, platform: str, language: CatalogueName, what: Talk, at_once: asyncio.Semaphore) -> str:
    async with at_once:
        return await _held(world, platform, language, what)


async def _held(world: World, platform: str, language: CatalogueName, what: Talk) -> str:
    """Hold a talk; what was wrong with it, if anything."""
    place = await world.place(platform, what.by, language)

    async def sees() -> bool:
        return shows(await place.seen(), what.seen, language, **what.values)

    for number, said in enumerate(what.said, start=1):
        before = "" if place.is_prompt else await place.seen()
        is_last = number == len(what.said)
        try:
            if said.startswith("!"):
                await _press(place, said[1:], as_member=is_last and what.by == "member")
            else:
                await place.say(said, as_member=is_last and what.by == "member")
        except (LookupError, ValueError, AssertionError) as error:
            return f"{what}\n{error!r}\n{before}"
        if place.is_prompt and not is_last:
            continue
        if not await until(sees if is_last else lambda before=before: _has_changed(place, before)):
            return f"{what}\n{said}\n{await place.seen()}"
    return ""


async def _has_changed(place: Place, before: str) -> bool:
    return await place.seen() != before


async def _press(place: Place, action: str, *, as_member: bool) -> None:
    """Press a button that may be on its way."""
    tries = 10 * PATIENCE
    while True:
        tries -= 1
        try:
            await place.press(action, as_member=as_member)
        except LookupError:
            if not tries:
                raise
            await asyncio.sleep(0.1)
        else:
            return


def test_every_command_and_every_button_is_in_the_table() -> None:
    said = {step.lstrip("/").split(" ")[0] for each in TALKS for step in each.said}
    assert {command.name for command in COMMANDS} <= said
    pressed = {step[1:].partition(":")[0] for each in TALKS for step in each.said if step.startswith("!")}
    assert {action.name for action in ACTIONS} == pressed | ELSEWHERE.keys()


def test_whatever_only_administrators_may_is_refused_to_others_in_the_table() -> None:
    refused = {each.said[-1].lstrip("/!").split(" ")[0].split(":")[0] for each in GROUPS if "admins" in each.seen}
    only_admins = {each.name for each in (*COMMANDS, *ACTIONS) if each.permission is Permission.ADMIN}
    assert only_admins == refused | (ELSEWHERE.keys() & only_admins)
