"""What a newcomer sees: no token, no key, no configuration, and within seconds a real digest."""

import asyncio
import os
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.async_api import async_playwright, expect

from tests.process import Running, paperwire
from tests.servers.arxiv import ArxivStub, Entry, atom_feed
from tests.test_browser import CHROMIUM, FLAGS

NOWHERE = "http://127.0.0.1:9/atom"
RESULTS = Path(__file__).parents[1] / "test-results"


async def page(running: Running, holding: str = "Paperwire · Sample") -> str:
    """The first page, once this stands in it."""
    async with httpx.AsyncClient(base_url=running.address, follow_redirects=True) as http, asyncio.timeout(20):
        while holding not in (text := (await http.get("/")).text):
            await asyncio.sleep(0.05)
        return text


def an_announcement(arxiv: ArxivStub, *numbers: int, hours_ago: float = 5) -> None:
    built = (datetime.now(UTC) - timedelta(hours=hours_ago)).timestamp()
    entries = [
        Entry(
            f"2603.{number:05}",
            f"Live paper {number} about <b>$0<d<1$</b> @everyone",
            "Questions abound. We propose an answer with $\\mathcal{O}(n^2)$ steps. Results show that it holds.",
            ["cs.CL", "cs.AI"],
        )
        for number in numbers
    ]
    arxiv.publish("cs.CL", atom_feed("cs.CL", entries, built), built)


async def test_the_first_start_shows_a_digest_without_a_script(tmp_path: Path) -> None:
    async with paperwire(tmp_path, arxiv__feed_url=NOWHERE) as running:
        async with httpx.AsyncClient(base_url=running.address) as http:
            assert (await http.get("/healthz")).status_code == 200
        text = await page(running)
        assert len(re.findall(r'<article class="card"', text)) == 12
        assert "23 more papers" in text
        assert "Announced 35 · matched 35 · shown 12 · held back 23" in text
        await page(running, holding="arXiv cannot be read just now (no connection); next try")
        assert "next_try=" in running.printed
        assert "Traceback" not in running.printed
        assert await running.stop() == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_sends_nothing_again_and_forgets_nothing(tmp_path: Path, sign: signal.Signals) -> None:
    async with paperwire(tmp_path, arxiv__feed_url=NOWHERE) as running:
        before = await page(running)
        await running.stop(sign)
    async with paperwire(tmp_path, arxiv__feed_url=NOWHERE) as running:
        after = await page(running)
    messages = re.compile(r'<div class="message .*?" id="m\d+">')
    assert messages.findall(before) == messages.findall(after)


async def test_a_second_start_on_the_same_data_is_refused_in_one_line(tmp_path: Path) -> None:
    async with paperwire(tmp_path, arxiv__feed_url=NOWHERE):
        with pytest.raises(RuntimeError, match="Another Paperwire already works on") as caught:
            async with paperwire(tmp_path, arxiv__feed_url=NOWHERE):
                pass
    assert len(str(caught.value).strip().splitlines()) == 1


async def test_off_loopback_a_password_is_asked_for_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"\[web\] password"):
        async with paperwire(tmp_path, web__host="0.0.0.0"):  # noqa: S104
            pass


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine")
@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
async def test_in_a_browser_one_subscribes_reads_and_opens_an_abstract(
    tmp_path: Path, name: str, width: int, height: int
) -> None:
    async with ArxivStub() as arxiv:
        an_announcement(arxiv, 1, 2, 3)
        async with (
            paperwire(tmp_path, arxiv__feed_url=f"{arxiv.url}/atom", arxiv__default_categories="[]") as running,
            async_playwright() as playwright,
        ):
            assert CHROMIUM is not None
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            opened = await browser.new_page(viewport={"width": width, "height": height})
            await opened.goto(running.address)
            await expect(opened.get_by_role("heading", name="Paperwire · Sample")).to_be_visible()
            box = opened.get_by_role("textbox", name="arXiv id")
            await box.fill("/subscribe cs.CL")
            await box.press("Enter")
            await expect(opened.get_by_text("Following cs.CL (Computation and Language)")).to_be_visible()
            await box.fill("/digest")
            await box.press("Enter")
            card = opened.locator("article.card", has_text="Live paper 1")
            await expect(card).to_be_visible(timeout=15_000)
            await expect(card.locator("a.title")).to_have_attribute("href", "https://arxiv.org/abs/2603.00001")
            await expect(card.locator("a.title")).to_contain_text("<b>")
            RESULTS.mkdir(exist_ok=True)
            await opened.screenshot(path=RESULTS / f"digest-{name}.png")
            await card.get_by_role("button", name="Abstract").click()
            await expect(opened.get_by_text("an answer with 𝒪(n²) steps").last).to_be_visible()
            await opened.screenshot(path=RESULTS / f"abstract-{name}.png")
            await browser.close()
        assert arxiv.violations == []
