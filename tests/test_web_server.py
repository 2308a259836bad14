"""The web server over real sockets: how messages reach open pages, and how it begins and ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import lxml.html
import pytest
from httpx_sse import aconnect_sse

from bot.cards.reply import Reply
from bot.clock import WallClock
from bot.commands.request import Incoming
from bot.config import Web
from bot.platforms.webchat.send import Listeners, WebChatPlatform
from bot.web.security import WebError
from tests.test_webchat import World, running, silence


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


async def refused(world: World) -> None:
    """Come back once the server takes no new connection."""
    with pytest.raises(httpx.ConnectError):
        while True:
            async with httpx.AsyncClient(base_url=world.server.address) as stranger:
                await stranger.get("/healthz")


async def test_a_page_that_was_away_gets_what_it_missed_and_then_what_comes(world: World) -> None:
    for number in (1, 2, 3):
        await world.platform.send("home", f"<p>{number}</p>", str(number))
    async with aconnect_sse(world.browser, "GET", "/t/home/events", headers={"Last-Event-ID": "1"}) as source:
        assert source.response.headers["content-type"].startswith("text/event-stream")
        events = source.aiter_sse()
        missed = [await anext(events), await anext(events)]
        await world.platform.send("home", "<p>4</p>", "4")
        live = await anext(events)
    shown = [(event.id, lxml.html.fromstring(event.data).get("id"), event.event) for event in (*missed, live)]
    assert shown == [("2", "m2", "message"), ("3", "m3", "message"), ("4", "m4", "message")]


async def test_a_page_hears_of_its_own_thread_only(world: World) -> None:
    await world.browser.post("/threads", data={"name": "Other"})
    async with aconnect_sse(world.browser, "GET", "/t/home/events?after=0") as source:
        await world.platform.send("other", "<p>not here</p>", "a")
        await world.platform.send("home", "<p>here</p>", "b")
        assert "<p>here</p>" in (await anext(source.aiter_sse())).data


async def test_what_a_person_says_reaches_the_other_pages_before_its_answer_is_ready(tmp_path: Path) -> None:
    may_answer = asyncio.Event()

    async def slow(_incoming: Incoming) -> Reply | None:
        await may_answer.wait()
        return Reply("done")

    async with running(tmp_path, slow) as world, aconnect_sse(world.browser, "GET", "/t/home/events") as source:
        events = source.aiter_sse()
        asking = asyncio.create_task(world.say("/digest"))
        assert "/digest" in (await anext(events)).data
        may_answer.set()
        assert "done" in (await anext(events)).data
        await asking


async def test_what_another_process_writes_reaches_an_open_page_too(tmp_path: Path) -> None:
    async with (
        running(tmp_path, look_again=0.05) as world,
        aconnect_sse(world.browser, "GET", "/t/home/events") as source,
    ):
        events = source.aiter_sse()
        await world.platform.send("home", "<p>ours</p>", "1")
        assert "ours" in (await anext(events)).data
        elsewhere = WebChatPlatform(world.database, WallClock(), Listeners())
        await elsewhere.send("home", "<p>theirs</p>", "2")
        assert "theirs" in (await anext(events)).data


async def test_what_is_being_answered_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(_incoming: Incoming) -> Reply | None:
        asked.set()
        await may_answer.wait()
        return Reply("done")

    async with running(tmp_path, slow) as world:
        asking = asyncio.create_task(world.say("/digest"))
        await asked.wait()
        stopping = asyncio.create_task(world.server.stop())
        await refused(world)
        may_answer.set()
        assert (await asking).status_code == 303
        await stopping


async def test_an_answer_that_never_comes_does_not_keep_the_server(tmp_path: Path) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def never(_incoming: Incoming) -> Reply | None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(tmp_path, never, grace=0) as world:
        asking = asyncio.create_task(world.say("/digest"))
        await asked.wait()
        await asyncio.wait_for(world.server.stop(), timeout=2)
        await ended.wait()
        assert (await asking).status_code == 500


async def test_the_server_stops_at_once_though_a_page_listens(tmp_path: Path) -> None:
    async with running(tmp_path, silence) as world, aconnect_sse(world.browser, "GET", "/t/home/events") as source:
        await asyncio.wait_for(world.server.stop(), timeout=2)
        assert [event async for event in source.aiter_sse()] == []


async def test_a_port_that_is_taken_is_named_with_the_setting_that_helps(world: World, tmp_path: Path) -> None:
    port = httpx.URL(world.server.address).port
    (tmp_path / "second").mkdir()
    with pytest.raises(WebError, match=rf"port {port} is taken; set \[web\] port"):
        async with running(tmp_path / "second", settings=Web(port=port)):
            pass
