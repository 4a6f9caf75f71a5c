"""The console is served from memory: files for ever, the page anew, under a strict policy."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from interlock.app import landing
from interlock.app.console import Console, open_console
from tests.support.program import program

PAGE = '<meta nonce="__NONCE__"><link href="/assets/a-1.css">'


@pytest.fixture(name="console")
def built_console(tmp_path: Path) -> Console:
    """Open a small console as a build leaves it."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "manifest.webmanifest").write_text("{}")
    (tmp_path / "frame.html").write_text("<script>run()</script>")
    (assets / "a-1.js").write_text("plain")
    (assets / "a-1.js.br").write_text("by brotli")
    (assets / "a-1.js.gz").write_text("by gzip")
    console = open_console((tmp_path / "missing", tmp_path))
    assert console is not None
    return console


@pytest.fixture(name="browser")
async def client_of(console: Console) -> AsyncIterator[httpx2.AsyncClient]:
    """Ask the console without a socket."""
    transport = httpx2.ASGITransport(console)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def test_where_nothing_was_built_there_is_no_console(tmp_path: Path) -> None:
    assert open_console((tmp_path,)) is None


async def test_the_page_in_its_place_runs_no_script_and_says_how_to_build_it() -> None:
    app = FastAPI()
    app.include_router(landing.routes("http://127.0.0.1:20100"))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        page = await client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "http://127.0.0.1:20100/mcp/default" in page.text
    assert "make console" in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_the_program_shows_the_one_or_the_other() -> None:
    async with program({"mcpServers": {}}) as running, httpx2.AsyncClient() as anyone:
        page = await anyone.get(f"{running.address}/")
    expected = "Interlock is running" if open_console() is None else '<div id="root">'
    assert page.status_code == 200
    assert expected in page.text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", True),
        ("/p/default/servers/a%20b", True),
        ("/login", True),
        ("/projects", True),
        ("/projects/default/servers", False),
        ("/assets/a-1.js", True),
        ("/assets/a-1.js.br", False),
        ("/assets/../index.html", False),
        ("/api/v1/projects", False),
        ("/mcp/default", False),
        ("/metrics", False),
    ],
)
def test_it_serves_its_pages_and_files_and_nothing_of_the_api(
    console: Console, path: str, *, expected: bool
) -> None:
    assert console.serves({"type": "http", "method": "GET", "path": path}) is expected


def test_it_takes_no_changes(console: Console) -> None:
    assert not console.serves({"type": "http", "method": "POST", "path": "/"})


async def test_every_address_of_the_console_shows_the_page_with_a_nonce_of_its_own(
    browser: httpx2.AsyncClient,
) -> None:
    nonces: set[str] = set()
    for path in ("/", "/p/default/records"):
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"'nonce-([\w-]{20,})'", policy)
        assert nonce is not None
        assert answer.text == PAGE.replace("__NONCE__", nonce[1])
        assert answer.headers["cache-control"] == "no-cache"
        assert "unsafe" not in policy
        nonces.add(nonce[1])
    assert len(nonces) == 2


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br;q=1.0", "br", b"by brotli"),
        ("gzip", "gzip", b"by gzip"),
        ("identity", None, b"plain"),
    ],
)
async def test_assets_stay_for_ever_and_come_as_they_were_compressed(
    browser: httpx2.AsyncClient, accepted: str, coding: str | None, body: bytes
) -> None:
    request = browser.build_request("GET", "/assets/a-1.js", headers={"accept-encoding": accepted})
    answer = await browser.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert raw == body
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_file_that_the_browser_has_is_not_sent_again(browser: httpx2.AsyncClient) -> None:
    first = await browser.get("/manifest.webmanifest")
    assert first.headers["content-type"] == "application/manifest+json"
    assert first.headers["cache-control"] == "no-cache"
    again = await browser.get(
        "/manifest.webmanifest", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_the_frame_for_pages_of_servers_has_no_origin_and_no_network_wherever_it_is_opened(
    browser: httpx2.AsyncClient,
) -> None:
    answer = await browser.get("/frame.html")
    policy = answer.headers["content-security-policy"].split("; ")
    assert "sandbox allow-scripts" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert not any(each.startswith("connect-src") for each in policy)
