"""Which Host and Origin reach us: the guard against pages that rebind a name to our address."""

import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from interlock.gateway.perimeter import Perimeter, allowed_hosts, is_loopback

HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "mcp.example.com"})
Headers = list[tuple[bytes, bytes]]


async def answer(headers: Headers, hosts: frozenset[str] = HOSTS) -> tuple[int, Any]:
    """Return the status and error of a request with these headers; 204 if it is let through."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        raise AssertionError("The perimeter reads no body.")

    async def send(message: Message) -> None:
        sent.append(message)

    await Perimeter(app, hosts)({"type": "http", "headers": headers}, receive, send)
    start, body = sent
    return start["status"], json.loads(body["body"])["error"] if body["body"] else None


def request(host: str | None, *origins: str) -> Headers:
    named = [(b"host", host.encode("latin-1"))] if host is not None else []
    return [*named, *((b"origin", origin.encode("latin-1")) for origin in origins)]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost:20100",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:20100",
        "mcp.example.com",
        "MCP.Example.COM:443",
    ],
)
async def test_our_own_hosts_are_let_through_with_any_port(host: str) -> None:
    assert await answer(request(host)) == (204, None)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "mcp.example.com.evil.example",
        "sub.mcp.example.com",
        "localhost.",
        "127.0.0.2",
        "2130706433",
        "::1",
        "[::2]",
        "[::1",
        "[::1]evil",
        "evil@localhost",
        "localhost/evil",
        "localhost#evil",
        "localhost:80:80",
        "localhost\t",
        "localhost, evil.example",
        "\xff",
    ],
)
async def test_all_other_hosts_are_misdirected(host: str) -> None:
    status, error = await answer(request(host))

    assert status == 421
    assert "INTERLOCK_ALLOWED_HOSTS" in error["message"]


@pytest.mark.parametrize(
    "headers",
    [
        request(None),
        [*request("localhost"), *request("localhost")],
        [*request("localhost"), *request("evil.example")],
        [*request("evil.example"), *request("localhost")],
    ],
)
async def test_a_request_has_exactly_one_host(headers: Headers) -> None:
    status, _ = await answer(headers)

    assert status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:5173",
        "http://LOCALHOST:5173",
        "https://mcp.example.com",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
async def test_pages_of_our_own_hosts_may_call(origin: str) -> None:
    assert await answer(request("localhost:20100", origin)) == (204, None)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "localhost",
        "http://evil.example",
        "https://localhost.evil.example",
        "http://localhost.evil.example:20100",
        "http://evil.example:20100",
        "file://",
        "http://[::1",
        "\xff",
    ],
)
async def test_pages_of_other_sites_may_not(origin: str) -> None:
    status, error = await answer(request("localhost", origin))

    assert status == 403
    assert "Origin" in error["message"]


async def test_one_foreign_origin_among_several_is_enough() -> None:
    headers = request("localhost", "http://localhost", "http://evil.example")

    assert (await answer(headers))[0] == 403


async def test_the_host_is_checked_before_the_origin() -> None:
    assert (await answer(request("evil.example", "http://evil.example")))[0] == 421


async def test_what_is_not_http_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError("Nothing is sent.")

    await Perimeter(app, HOSTS)({"type": "lifespan"}, receive, send)

    assert seen == ["lifespan"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_only_this_machine_reaches_a_loopback_address(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.evil"])  # noqa: S104 -- compared, not bound
def test_others_reach_any_other_address(host: str) -> None:
    assert not is_loopback(host)


LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("bound", "public_url", "more", "hosts"),
    [
        ("127.0.0.1", None, (), LOOPBACK),
        ("::1", None, (), LOOPBACK),
        ("localhost", None, (), LOOPBACK),
        ("0.0.0.0", None, (), LOOPBACK),  # noqa: S104 -- compared, not bound
        ("::", None, (), LOOPBACK),
        ("10.0.0.1", None, (), {"10.0.0.1"}),
        ("127.0.0.2", None, (), {*LOOPBACK, "127.0.0.2"}),
        ("10.0.0.1", "https://MCP.example.com:8443/x", (), {"10.0.0.1", "mcp.example.com"}),
        ("10.0.0.1", "http://[fd00::1]:80", (), {"10.0.0.1", "fd00::1"}),
        ("10.0.0.1", None, ("A.example", "b.example"), {"10.0.0.1", "a.example", "b.example"}),
        ("10.0.0.1", "not a url", (), {"10.0.0.1"}),
    ],
)
def test_the_hosts_are_our_address_our_public_name_and_what_the_owner_adds(
    bound: str, public_url: str | None, more: tuple[str, ...], hosts: set[str]
) -> None:
    assert allowed_hosts(bound, public_url, more) == hosts
