"""The web chat over real sockets: its pages, forms and events, and delivery's port to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import lxml.html
import pytest
import sqlalchemy as sa

from bot.cards.reply import Button, Card, File, Link, Reply
from bot.chats import Chat, Preferences
from bot.clock import WallClock
from bot.commands.request import LONGEST_TEXT, Incoming
from bot.config import Web
from bot.delivery.port import Gone, Sent, Wait
from bot.locales import phrases_of
from bot.metrics import Metrics, Snapshot
from bot.papers import Paper, PaperId
from bot.platforms.webchat.render import render
from bot.platforms.webchat.send import Listeners, WebChatPlatform
from bot.platforms.webchat.updates import WebChat, slug_of
from bot.storage import chats, forgetting, papers
from bot.storage.database import Database
from bot.web.operations import Operations
from bot.web.server import WebServer, build_web
from bot.web.site import Site
from tests.builders import a_database

CARD = Card(
    paper_id="2600.00001",
    number=1,
    title="Attention Is Cheap: Linear Transformers for Long Documents",
    url="/papers/2600.00001",
    second_title="注意力很便宜：面向长文档的线性 Transformer",
    byline="Ada Lovelace, 何其, Grace Hopper et al. (6)",
    categories="cs.CL, also cs.LG",
    tags=("Sample",),
    tldrs=(
        "A linear attention reads 128,000 tokens in 1.9 s on one CPU and loses 0.4 points on LongBench.",
        "一种线性注意力在单个 CPU 上用 1.9 秒读完 12.8 万个词元，在 LongBench 上只损失 0.4 分。",
    ),
    takeaways=(
        ("Memory grows with the square root of the length.", "Training is 3.2 times faster.", "The code is released."),
        ("内存占用随长度的平方根增长。", "训练速度提高到 3.2 倍。", "代码已经公开。"),
    ),
    comment="12 pages, 4 figures",
    links=(Link("PDF", "https://arxiv.org/pdf/2600.00001"), Link("HTML", "https://arxiv.org/html/2600.00001")),
    badge="🧾 extract",
    buttons=(Button("Abstract", "abstract:2600.00001"),),
)
PAPER = Paper(
    id=PaperId("2600.00001"),
    version=2,
    title="Attention Is Cheap",
    abstract="We bound $\\alpha$ by <b>two</b>.",
    authors=("Ada Lovelace", "何其"),
    categories=("cs.CL", "cs.LG"),
    comment="12 pages",
)

Answer = Callable[[Incoming], Awaitable[Reply | None]]


async def echo(incoming: Incoming) -> Reply | None:
    return Reply(f"heard {incoming.text or incoming.action}")


async def silence(_incoming: Incoming) -> Reply | None:
    return None


@dataclass
class World:
    """A running web server whose one thread is `home`, and who asks it as a browser would."""

    database: Database
    platform: WebChatPlatform
    server: WebServer
    browser: httpx.AsyncClient

    async def page(self, path: str = "/t/home") -> lxml.html.HtmlElement:
        return lxml.html.fromstring((await self.browser.get(path)).text)

    async def messages(self, path: str = "/t/home") -> list[str]:
        """What a page shows as said, without who and when."""
        found = (await self.page(path)).find_class("message")
        return [" ".join(" ".join(part.text_content() for part in message[1:]).split()) for message in found]

    async def say(self, text: str, path: str = "/t/home") -> httpx.Response:
        return await self.browser.post(f"{path}/say", files={"text": (None, text)})


async def ready() -> str:
    return ""


async def empty() -> Snapshot:
    return Snapshot()


@asynccontextmanager
async def running(
    folder: Path,
    answer: Answer = echo,
    status: str = "",
    settings: Web | None = None,
    look_again: float | None = None,
    grace: int = 5,
) -> AsyncIterator[World]:
    database = await a_database(folder, "web.db")
    clock, listeners = WallClock(), Listeners()

    async def new_thread(name: str) -> Chat:
        async with database.write() as connection:
            return await chats.meet(
                connection,
                "web",
                slug_of(name),
                title=name,
                is_group=False,
                access="allowed",
                preferences=Preferences(),
                now=clock.now(),
            )

    async def status_line(_thread: str) -> str:
        return status

    await new_thread("Home")
    settings = settings or Web(port=0)
    web_chat = WebChat(database, clock, listeners, answer)
    operations = Operations(clock, Metrics(), ready, empty)
    site = Site(database, listeners, web_chat, new_thread, status_line, look_again)
    server = WebServer(settings, build_web(settings, operations, site), listeners, grace)
    try:
        await server.start()
        async with httpx.AsyncClient(base_url=server.address, headers={"Origin": server.address}) as browser:
            yield World(database, WebChatPlatform(database, clock, listeners), server, browser)
    finally:
        await server.stop()
        await database.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


async def test_the_first_page_leads_to_the_first_thread(world: World) -> None:
    answer = await world.browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/home")


async def test_what_is_typed_into_the_form_is_on_the_next_page_with_its_answer(world: World) -> None:
    answer = await world.say("/subscribe cs.CL")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/home#m1")
    assert await world.messages() == ["/subscribe cs.CL", "heard /subscribe cs.CL"]


async def test_a_pressed_button_is_handed_in_as_its_action(world: World) -> None:
    await world.browser.post("/t/home/press", data={"action": "abstract:2600.00001"})
    assert await world.messages() == ["abstract 2600.00001", "heard abstract:2600.00001"]


async def test_an_aside_is_told_to_a_script_and_is_a_message_to_a_page_without_one(tmp_path: Path) -> None:
    async def aside(_: Incoming) -> Reply:
        return Reply("Noted <b>", is_aside=True)

    async with running(tmp_path, aside) as world:
        vote = {"action": "vote:2603.00001 up"}
        told = await world.browser.post("/t/home/press", data=vote, headers={"X-Requested-With": "fetch"})
        assert (told.status_code, told.text) == (200, "Noted <b>")
        assert told.headers["content-type"].startswith("text/plain")
        assert await world.messages() == []
        await world.browser.post("/t/home/press", data=vote)
        assert await world.messages() == ["vote 2603.00001 up", "Noted <b>"]


async def test_an_answer_takes_the_place_of_the_message_whose_button_was_pressed(tmp_path: Path) -> None:
    async def menu(incoming: Incoming) -> Reply:
        is_change = incoming.action == "set:x"
        return Reply("Changed" if is_change else "No", buttons=(Button("Go", "set:x"),), in_place=is_change)

    async with running(tmp_path, menu) as world:
        await world.platform.send("home", render(Reply("Menu", buttons=(Button("Go", "set:x"),)))[0], "k")
        (message,) = (await world.page()).find_class("message")
        number = message.get("id")[1:]
        script = {"X-Requested-With": "fetch"}
        pressed = {"action": "set:x", "message": number}
        answer = await world.browser.post("/t/home/press", data=pressed, headers=script)
        assert lxml.html.fromstring(answer.text).get("id") == f"m{number}"
        assert await world.messages() == ["Changed Go"]
        refused = await world.browser.post("/t/home/press", data=pressed | {"action": "set:y"}, headers=script)
        assert refused.status_code == 204
        elsewhere = await world.browser.post("/t/home/press", data=pressed | {"message": "999"}, headers=script)
        assert elsewhere.status_code == 204
        assert await world.messages() == ["Changed Go", "set y", "No Go", "set x", "Changed Go"]


async def test_every_button_of_a_reply_submits_the_form_of_the_page_it_is_on(world: World) -> None:
    (payload,) = render(Reply(cards=(CARD,), buttons=(Button("More", "more:1"),)))
    await world.platform.send("home", payload, "k")
    page = await world.page()
    (form,) = page.xpath("//form[@id='press']")
    buttons = page.xpath("//button[@form='press']")
    assert (form.get("method"), form.get("action")) == ("post", "/t/home/press")
    assert [(each.get("type"), each.get("name"), each.get("value")) for each in buttons] == [
        ("submit", "action", "abstract:2600.00001"),
        ("submit", "action", "more:1"),
    ]


async def test_a_script_gets_no_page_back(world: World) -> None:
    answer = await world.browser.post("/t/home/say", data={"text": "/help"}, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_an_empty_form_says_nothing(world: World) -> None:
    await world.say("  \n ")
    assert await world.messages() == []


async def test_a_text_that_is_too_long_is_refused_before_anything_is_stored(world: World) -> None:
    answer = await world.say("长" * (LONGEST_TEXT + 1))
    assert answer.status_code == 400
    assert str(LONGEST_TEXT) in answer.text
    assert await world.messages() == []


async def test_a_text_of_the_greatest_length_is_heard_in_chinese_too(world: World) -> None:
    await world.say("长" * LONGEST_TEXT)
    assert await world.messages() == ["长" * LONGEST_TEXT, "heard " + "长" * LONGEST_TEXT]


async def test_a_file_may_be_pasted_behind_import_and_is_shown_in_part(tmp_path: Path) -> None:
    heard: list[str] = []

    async def hear(incoming: Incoming) -> Reply | None:
        heard.append(incoming.text)
        return None

    async with running(tmp_path, hear) as world:
        text = "/import " + "a" * 10 * LONGEST_TEXT
        await world.say(text)
        assert heard == [text]
        assert await world.messages() == [text[:LONGEST_TEXT]]


@pytest.mark.parametrize("headers", [{}, {"X-Requested-With": "fetch"}])
async def test_a_thread_that_was_forgotten_says_so_and_is_gone(tmp_path: Path, headers: dict[str, str]) -> None:
    async def forget(incoming: Incoming) -> Reply | None:
        async with world.database.write() as connection:
            chat = await chats.find(connection, "web", incoming.address)
            assert chat is not None
            assert await forgetting.forget(connection, chat, incoming.sender.id)
        return Reply("Gone.")

    async with running(tmp_path, forget) as world:
        answer = await world.browser.post("/t/home/press", data={"action": "forget:yes 1"}, headers=headers)
        assert answer.status_code == 410
        assert phrases_of("en")("forget.done") in answer.text
        assert (await world.browser.get("/t/home")).status_code == 404
        assert (await world.browser.get("/", follow_redirects=True)).status_code == 200


async def test_a_reply_that_fails_leaves_what_was_said_and_an_apology(tmp_path: Path) -> None:
    async def fail(_incoming: Incoming) -> Reply | None:
        raise RuntimeError("no disk")

    async with running(tmp_path, fail) as world:
        answer = await world.say("/digest")
        assert answer.status_code == 500
        assert "no disk" not in answer.text
        assert await world.messages() == ["/digest"]


async def test_the_status_line_is_above_the_messages(tmp_path: Path) -> None:
    async with running(tmp_path, status="arXiv cannot be reached; next try at 05:40 UTC") as world:
        (line,) = (await world.page()).find_class("status")
        assert line.text_content() == "arXiv cannot be reached; next try at 05:40 UTC"


async def test_a_new_thread_has_a_tab_and_its_own_messages(world: World) -> None:
    answer = await world.browser.post("/threads", data={"name": "视觉 Transformer"})
    thread = answer.headers["location"]
    await world.say("only here", thread)
    tabs = (await world.page(thread)).xpath("//nav/a")
    assert [(tab.text, tab.get("aria-current")) for tab in tabs] == [("Home", None), ("视觉 Transformer", "page")]
    assert await world.messages() == []
    assert await world.messages(thread) == ["only here", "heard only here"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Vision & Language!", "vision-language"),
        ("Zürich", "zurich"),
        ("a" * 90, "a" * 40),
        ("视觉", "thread-209c47b5"),
        ("视觉 Transformer", "transformer-41e482e2"),
    ],
)
def test_a_threads_address_follows_from_its_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug


async def test_older_messages_are_a_link_away(world: World) -> None:
    for number in range(130):
        await world.platform.send("home", f"<p></p><p>{number}</p>", str(number))
    (older,) = (await world.page()).xpath("//a[starts-with(@href, '?before=')]/@href")
    assert await world.messages() == [str(number) for number in range(30, 130)]
    assert await world.messages(f"/t/home{older}") == [str(number) for number in range(30)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/t/nowhere", 404),
        ("/t/nowhere/events", 404),
        ("/papers/2600.99999", 404),
        ("/static/../server.py", 404),
        ("/t/home?before=x", 400),
        ("/t/home?before=99999999999999999999", 400),
    ],
)
async def test_what_is_not_there_is_said_to_be_missing(world: World, path: str, status: int) -> None:
    assert (await world.browser.get(path)).status_code == status


async def test_nothing_is_said_to_a_thread_that_is_not_there(world: World) -> None:
    assert (await world.say("hello", "/t/nowhere")).status_code == 404


async def test_a_stored_paper_has_a_page_with_its_facts(world: World) -> None:
    async with world.database.write() as connection:
        await papers.add(connection, [PAPER], WallClock().now())
    shown = (await world.page("/papers/2600.00001")).text_content()
    for fact in ("Attention Is Cheap", "Ada Lovelace, 何其", "cs.CL, cs.LG", "v2", "12 pages", "by <b>two</b>."):
        assert fact in shown
    assert "first screening only" in shown


async def test_a_card_shows_both_languages_and_says_which_is_which() -> None:
    (payload,) = render(Reply(title="Tuesday", text="2 of 40 papers", cards=(CARD,), footer="All was sent."))
    message = lxml.html.fromstring(f"<div>{payload}</div>")
    shown = [(each.get("lang"), each.text_content().strip()) for each in message.xpath("//*[@lang]")]
    assert ("zh-Hans", CARD.second_title) in shown
    assert ("zh-Hans", CARD.tldrs[1]) in shown
    assert ("en", CARD.tldrs[0]) in shown
    assert [point.text_content() for point in message.xpath("//details[@lang='zh-Hans']//li")] == [*CARD.takeaways[1]]
    for text in ("Tuesday", "2 of 40 papers", "All was sent.", "12 pages, 4 figures", "🧾 extract", "Sample"):
        assert text in message.text_content()


def test_a_link_to_another_site_opens_apart_and_tells_it_nothing() -> None:
    (payload,) = render(Reply(cards=(CARD,)))
    links = lxml.html.fromstring(payload).xpath("//a")
    assert [(each.get("href"), each.get("target"), each.get("rel")) for each in links] == [
        ("/papers/2600.00001", None, None),
        ("https://arxiv.org/pdf/2600.00001", "_blank", "noopener noreferrer"),
        ("https://arxiv.org/html/2600.00001", "_blank", "noopener noreferrer"),
    ]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "/\t/evil.example", "data:,"]
)
def test_an_address_that_is_no_web_page_is_not_linked(url: str) -> None:
    (payload,) = render(Reply(cards=(replace(CARD, url=url, links=()),)))
    assert lxml.html.fromstring(payload).xpath("//a") == []


async def test_hostile_html_is_shown_as_text(tmp_path: Path) -> None:
    hostile = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    button = Button(hostile, f'x:"><script>{hostile}')
    card = replace(
        *(CARD,),
        paper_id=hostile,
        title=hostile,
        second_title=hostile,
        byline=hostile,
        categories=hostile,
        tags=(hostile,),
        tldrs=(hostile,),
        takeaways=((hostile,),),
        comment=hostile,
        links=(Link(hostile, f"https://x/{hostile}"),),
        badge=hostile,
        buttons=(button,),
    )

    async def answer(_incoming: Incoming) -> Reply | None:
        return Reply(hostile, hostile, (card,), hostile, (button,))

    async with running(tmp_path, answer) as world:
        await world.say(hostile)
        page = await world.page()
        assert page.xpath("//img | //script[not(@src)] | //*[@onerror]") == []
        assert page.text_content().count("<script>alert(1)</script>") == 16


async def test_marks_that_turn_the_writing_direction_are_dropped(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.say("evil\u202etxt.exe\x07")
        assert await world.messages() == ["eviltxt.exe", "heard eviltxt.exe"]


def test_at_most_twenty_cards_are_a_message() -> None:
    first, second = render(Reply(title="Digest", cards=(CARD,) * 21, footer="The end"))
    assert (first.count("<article"), second.count("<article")) == (20, 1)
    assert ("Digest" in first, "The end" in first) == (True, False)
    assert ("Digest" in second, "The end" in second) == (False, True)


async def test_a_delivered_message_is_in_its_thread_once_however_often_it_is_sent(world: World) -> None:
    first = await world.platform.send("home", "<p></p><p>digest</p>", "digest:7:0")
    again = await world.platform.send("home", "<p></p><p>digest</p>", "digest:7:0")
    assert first == again == Sent("1")
    assert await world.messages() == ["digest"]


async def test_a_thread_that_is_no_more_is_gone_for_delivery(world: World) -> None:
    assert isinstance(await world.platform.send("nowhere", "", "k"), Gone)


async def test_a_database_that_cannot_be_written_is_waited_for(world: World) -> None:
    async with world.database.write() as connection:
        await connection.execute(sa.text("ALTER TABLE web_messages RENAME TO elsewhere"))
    assert isinstance(await world.platform.send("home", "", "k"), Wait)


async def test_a_file_stands_below_the_last_message_of_an_answer_and_is_downloaded_not_shown(tmp_path: Path) -> None:
    text = "@misc{a,\n  title = {<script>视觉</script>}\n}\n"

    async def with_a_file(_incoming: Incoming) -> Reply:
        return Reply("Here it is.", file=File('saved"\r\n<b>.bib', text))

    async with running(tmp_path, with_a_file) as world:
        await world.say("/saved export bibtex")
        page = await world.page()
        _, answer = page.find_class("message")
        (link,) = answer.xpath(".//*[@class='file']/a")
        assert link.text_content() == 'saved"\n<b>.bib'
        assert "视觉" not in page.text_content()
        file = await world.browser.get(link.get("href"))
        assert (file.status_code, file.text) == (200, text)
        assert file.headers["content-type"] == "text/plain; charset=utf-8"
        assert file.headers["content-disposition"] == 'attachment; filename="saved____b_.bib"'
        assert file.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/t/home/files/1", 404), ("/t/home/files/9", 404), ("/t/home/files/x", 400), ("/t/other/files/2", 404)],
)
async def test_where_there_is_no_file_there_is_none_to_download(tmp_path: Path, path: str, status: int) -> None:
    async def with_a_file(_incoming: Incoming) -> Reply:
        return Reply("Here it is.", file=File("saved.bib", "@misc{}"))

    async with running(tmp_path, with_a_file) as world:
        await world.say("/saved export bibtex")
        assert (await world.browser.get(path)).status_code == status
        assert (await world.browser.get("/t/home/files/2")).status_code == 200


def test_code_is_shown_as_it_is_and_is_no_markup() -> None:
    (html,) = render(Reply("Paper 1", code="@misc{a,\n  title = {<b>}\n}"))
    (block,) = lxml.html.fromstring(f"<div>{html}</div>").find_class("code")
    assert (block.tag, block.text_content()) == ("pre", "@misc{a,\n  title = {<b>}\n}")
