"""The web chat in a real Chromium, as a person uses it: on a telephone and on a desk."""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.cards.reply import Button, Reply
from bot.commands.request import Incoming
from bot.config import Web
from tests.test_webchat import CARD, World, running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
SCREENS = {"telephone": (390, 844), "desk": (1280, 800)}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),  # one browser for all of them
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine"),
]


async def answer(incoming: Incoming) -> Reply | None:
    match incoming.text or incoming.action:
        case "/subscribe cs.CL":
            return Reply("This chat now follows cs.CL · Computation and Language.\nThe first digest comes at 09:00.")
        case "/digest":
            further = (Button("BibTeX", "bibtex:2600.00001"), Button("👍", "vote:2600.00001 up"))
            cards = tuple(replace(CARD, number=number, further=further) for number in range(1, 7))
            return Reply(
                "6 of 48 new papers match.",
                "Tuesday, 3 March",
                cards,
                "All were sent.",
                (Button("All", "all:1"), Button("▶", "page:2")),
            )
        case "page:2":
            return Reply(title="The second page", cards=(CARD,) * 6, in_place=True)
        case "vote:2600.00001 up":
            return Reply("👍 Noted.", is_aside=True)
        case "abstract:2600.00001":
            return Reply("The dominant sequence models cost the square of their length …", CARD.title)
    return None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    assert CHROMIUM, "CI has to have a Chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, answer, status="arXiv cannot be reached; next try at 05:40 UTC") as world:
        yield world


@pytest_asyncio.fixture(params=SCREENS, loop_scope="module")
async def page(request: pytest.FixtureRequest, browser: Browser, world: World) -> AsyncIterator[Page]:
    """The first page on a screen; whatever a page complains of fails the test."""
    width, height = SCREENS[request.param]
    complaints: list[str] = []
    page = await browser.new_page(viewport={"width": width, "height": height})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
    await page.goto(world.server.address)
    yield page
    await page.close()
    assert complaints == []


async def say(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="arXiv id").fill(text)
    await page.keyboard.press("Enter")


async def top_of(page: Page, what: str) -> float:
    box = await page.locator(what).bounding_box()
    assert box is not None
    return box["y"]


async def test_a_person_subscribes_reads_a_digest_and_opens_an_abstract(page: Page) -> None:
    await expect(page.get_by_text("Nothing has been said here yet")).to_be_visible()
    await say(page, "/subscribe cs.CL")
    await expect(page.get_by_text("Nothing has been said here yet")).to_be_hidden()
    await expect(page.locator(".message.bot").last).to_contain_text("now follows cs.CL")
    await say(page, "/digest")
    await expect(page.locator(".card")).to_have_count(6)
    await expect(page.locator(".card").first).to_contain_text("一种线性注意力")
    await page.locator(".card").first.get_by_role("button", name="Abstract").click()
    await expect(page.locator(".message.bot").last).to_contain_text("The dominant sequence models")
    await expect(page.locator(".message")).to_have_count(6)
    await expect(page.locator("#note")).to_be_empty()


async def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    await say(page, "/digest")
    await expect(page.locator(".card")).to_have_count(6)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_what_is_seldom_pressed_is_a_tap_away_and_a_few_words_are_said_below(page: Page) -> None:
    await say(page, "/digest")
    card = page.locator(".card").first
    vote = card.get_by_role("button", name="👍")
    await expect(vote).to_be_hidden()
    await card.get_by_text("⋯").click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await vote.click()
    await expect(page.locator("#note")).to_have_text("👍 Noted.")
    await expect(page.locator(".message")).to_have_count(2)


async def test_a_page_that_was_turned_is_read_from_its_top(page: Page) -> None:
    await say(page, "/digest")
    await page.get_by_role("button", name="▶").click()
    await expect(page.locator(".message.bot")).to_contain_text("The second page")
    await expect(page.locator(".message")).to_have_count(2)
    assert 0 <= await top_of(page, ".message.bot") < 400


async def test_takeaways_are_open_where_there_is_room_and_a_tap_away_elsewhere(page: Page) -> None:
    await say(page, "/digest")
    takeaway = page.get_by_text("训练速度提高到 3.2 倍。").first
    await takeaway.wait_for(state="attached")
    is_shown = "(element) => element.checkVisibility()"
    if page.viewport_size == {"width": 390, "height": 844}:
        assert not await takeaway.evaluate(is_shown)
        await page.get_by_text("要点").first.click()
    assert await takeaway.evaluate(is_shown)


async def test_a_digest_is_shown_from_its_top(page: Page) -> None:
    await say(page, "/digest")
    await expect(page.locator(".card")).to_have_count(6)
    assert 0 <= await top_of(page, ".message.bot") < 400


async def test_who_comes_for_the_first_time_sees_the_top_of_the_first_unread_digest(page: Page, world: World) -> None:
    await say(page, "/digest")
    await expect(page.locator(".card")).to_have_count(6)
    assert page.context.browser
    other = await page.context.browser.new_page(viewport=page.viewport_size)
    await other.goto(world.server.address)
    assert 0 <= await top_of(other, ".message.person") < 400
    await other.close()


async def test_a_message_that_comes_while_one_reads_further_up_does_not_move_the_page(page: Page, world: World) -> None:
    await say(page, "/digest")
    await expect(page.locator(".card")).to_have_count(6)
    await page.evaluate("scrollTo(0, 300)")
    before = await page.evaluate("scrollY")
    await world.platform.send("home", "<p>later</p>", "k")
    await expect(page.locator(".message").last).to_contain_text("later")
    assert await page.evaluate("scrollY") == before


async def test_a_command_that_wants_an_argument_is_put_where_it_can_be_changed(page: Page) -> None:
    await page.get_by_role("button", name="/subscribe cs.CL").click()
    await expect(page.get_by_role("textbox", name="arXiv id")).to_have_value("/subscribe cs.CL")
    await expect(page.locator(".message")).to_have_count(0)


async def test_what_was_refused_stays_to_be_mended(page: Page) -> None:
    await page.locator("#say textarea").evaluate("(area) => area.removeAttribute('maxlength')")
    await say(page, "long " * 801)
    await expect(page.locator("#note")).to_contain_text("4000")
    assert len(await page.locator("#say textarea").input_value()) == 4_005


async def test_a_page_that_lost_the_server_gets_what_it_missed(browser: Browser, tmp_path: Path) -> None:
    page = await browser.new_page()
    async with running(tmp_path, answer) as before:
        await page.goto(before.server.address)
        await page.wait_for_load_state()
    await expect(page.locator("#note")).not_to_be_empty()
    async with running(tmp_path, answer, settings=Web(port=httpx.URL(before.server.address).port)) as after:
        await after.platform.send("home", "<p>missed</p>", "k")
        await expect(page.locator(".message")).to_contain_text("missed", timeout=20_000)
        await expect(page.locator("#note")).to_be_empty()
        await page.close()


async def test_without_javascript_it_does_the_same(browser: Browser, world: World) -> None:
    page = await browser.new_page(java_script_enabled=False)
    await page.goto(world.server.address)
    await page.get_by_role("textbox", name="arXiv id").fill("/digest")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".card")).to_have_count(6)
    await page.locator(".card").first.get_by_role("button", name="Abstract").click()
    await expect(page.locator(".message.bot").last).to_contain_text("The dominant sequence models")
    await page.close()
