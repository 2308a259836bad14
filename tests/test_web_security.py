"""Who may call the web server, and what its answers tell browsers."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.config import Web
from bot.web.security import WebError, check_bind
from tests.test_webchat import World, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, settings=Web(port=0, hosts=("papers.example.org",))) as world:
        yield world


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, settings=Web(port=0, password="open sésame")) as world:
        yield world


def host_of(world: World, name: str) -> str:
    return name.replace("PORT", str(httpx.URL(world.server.address).port))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:PORT",
        "localhost:PORT",
        "LOCALHOST:PORT",
        "[::1]:PORT",
        "papers.example.org",
        "papers.example.org:8443",
    ],
)
async def test_the_server_answers_to_its_own_names(world: World, host: str) -> None:
    assert (await world.browser.get("/t/home", headers={"Host": host_of(world, host)})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:PORT",
        "127.0.0.1",
        "localhost:1",
        "localhost:PORT.evil.example",
        "papers.example.org.evil.example",
        "",
    ],
)
async def test_a_name_that_others_may_point_here_is_not_answered(world: World, host: str) -> None:
    answer = await world.browser.get("/t/home", headers={"Host": host_of(world, host)})
    assert answer.status_code == 421
    assert "[web] hosts" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[broken"},
        {"Referer": "http://evil.example/127.0.0.1"},
        {"Origin": "http://evil.example", "Referer": "http://127.0.0.1:PORT/t/home"},
    ],
)
@pytest.mark.parametrize("path", ["/t/home/say", "/t/home/press", "/threads"])
async def test_a_form_of_another_site_is_refused(world: World, path: str, headers: dict[str, str]) -> None:
    sent = {name: host_of(world, value) for name, value in headers.items()}
    async with httpx.AsyncClient(base_url=world.server.address, headers=sent) as stranger:
        answer = await stranger.post(path, data={"text": "x", "action": "x", "name": "x"})
    assert answer.status_code == 403
    assert await world.messages() == []


async def test_a_referer_of_our_own_will_do_where_a_browser_sends_no_origin(world: World) -> None:
    page = f"{world.server.address}/t/home"
    async with httpx.AsyncClient(base_url=world.server.address, headers={"Referer": page}) as browser:
        assert (await browser.post("/t/home/say", data={"text": "hello"})).status_code == 303


async def test_behind_a_proxy_the_browsers_own_address_counts(world: World) -> None:
    headers = {"Host": "papers.example.org", "Origin": "https://papers.example.org"}
    assert (await world.browser.post("/t/home/say", data={"text": "x"}, headers=headers)).status_code == 303


@pytest.mark.parametrize(
    "path", ["/", "/t/home", "/t/home/events", "/papers/2600.00001", "/static/chat.js", "/nowhere", "/metrics"]
)
async def test_without_the_password_nothing_is_shown(locked: World, path: str) -> None:
    answer = await locked.browser.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_the_password_opens_whatever_the_user_is_called(locked: World) -> None:
    assert (await locked.browser.get("/t/home", auth=("anyone", "open sésame"))).status_code == 200
    assert (await locked.browser.get("/t/home", auth=("", "open sésame"))).status_code == 200


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer open", "Basic ===="])
async def test_what_is_no_password_is_refused(locked: World, header: str) -> None:
    assert (await locked.browser.get("/t/home", headers={"Authorization": header})).status_code == 401


async def test_a_wrong_password_is_refused(locked: World) -> None:
    assert (await locked.browser.get("/t/home", auth=("you", "open sesame"))).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_told_to_anybody_by_any_name(locked: World, path: str) -> None:
    for host in ("", "10.0.0.7", "evil.example"):
        assert (await locked.browser.get(path, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1/healthz?", "/healthz", "x/healthz#", "evil.example\\@x/healthz?"])
async def test_a_path_inside_the_name_opens_no_page(locked: World, host: str) -> None:
    assert (await locked.browser.get("/t/home", headers={"Host": host})).status_code in (400, 421)


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/healthz/../t/home", "/t/home?/healthz", "/HEALTHZ"])
async def test_a_path_that_looks_like_an_open_one_is_not_open(locked: World, path: str) -> None:
    async with httpx.AsyncClient() as stranger:
        request = stranger.build_request("GET", locked.server.address)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert (await stranger.send(request)).status_code == 401


async def test_metrics_are_for_those_who_know_the_password_and_our_name(locked: World) -> None:
    assert (await locked.browser.get("/metrics", auth=("prometheus", "open sésame"))).status_code == 200
    assert (await locked.browser.get("/metrics", headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.parametrize(
    ("path", "status"),
    [("/t/home", 200), ("/", 303), ("/nowhere", 404), ("/static/style.css", 200), ("/t/home/say", 405)],
)
async def test_every_answer_binds_the_browser_to_our_own_scripts(world: World, path: str, status: int) -> None:
    answer = await world.browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == status
    assert "default-src 'none'; script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_pages_are_not_kept_in_any_cache(world: World) -> None:
    for path in ("/t/home", "/nowhere"):
        assert (await world.browser.get(path)).headers["cache-control"] == "no-store"


async def test_more_than_64_kilobytes_are_not_taken_in(world: World) -> None:
    assert (await world.browser.post("/t/home/say", data={"text": "x" * 65_536})).status_code == 413
    assert await world.messages() == []


async def test_a_file_is_not_taken_in(world: World) -> None:
    answer = await world.browser.post("/t/home/say", files={"text": ("a.txt", b"hello")})
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_password_is_needed(host: str) -> None:
    check_bind(Web(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "papers.example.org", ""])  # noqa: S104
def test_where_others_can_call_a_password_is_needed(host: str) -> None:
    with pytest.raises(WebError, match=r"\[web\] password"):
        check_bind(Web(host=host))
    check_bind(Web(host=host, password="secret"))
