"""The legacy HTTP+SSE transport: one stream down, POSTs up, and only ever to the same origin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from interlock.errors import UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps
from interlock.protocol.sse import encode
from interlock.upstreams import sse
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.duplex import DuplexLink
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.port import Nobody, ProtocolBroken
from interlock.upstreams.sse import SSEConnector
from tests.upstreams.fakes import CLIENT, INITIALIZED, Handler, HTTPRequest, Listener, answering
from tests.upstreams.raw_server import serving

SECRETS = {"authorization": "Bearer hidden"}
CALL = jsonrpc.request(1, "tools/call", {"name": "t"})


def endpoint(path: str) -> bytes:
    return encode(path.encode(), event="endpoint")


class SSEServer:
    """A server of the old transport: answers POSTs on the stream that is open."""

    def __init__(self, path: str = "/messages?session=1") -> None:
        self.seen: list[HTTPRequest] = []
        self.stream: HTTPRequest | None = None
        self.results: dict[str, JSONObject] = {"initialize": INITIALIZED}
        self.posted_status = 202
        self.posted = asyncio.Event()
        self._path = path

    async def handle(self, request: HTTPRequest) -> None:
        self.seen.append(request)
        if request.verb == "GET":
            self.stream = request
            await request.begin_stream(endpoint(self._path))
            assert await request.peer.request() == b""
            return
        await request.reply(self.posted_status, b"Accepted")
        self.posted.set()
        message = request.message
        if self.stream is not None and message.get("method") in self.results:
            result = jsonrpc.result(message["id"], self.results[message["method"]])
            await self.stream.go_on(encode(dumps(result), event="message"))


@asynccontextmanager
async def link_to(
    handler: Handler, listener: Listener | None = None
) -> AsyncIterator[tuple[DuplexLink, str]]:
    def hear(message: JSONObject) -> None:
        if listener is not None:
            listener.notify(message["method"], message)

    def ended(reason: UpstreamFailed) -> None:
        if listener is not None:
            listener.notify("ended", {"reason": reason.message})

    async with serving(answering(handler)) as (server, client):
        link = await SSEConnector(client, HTTPTarget(f"{server.url}sse", SECRETS), "fake").connect(
            hear, ended
        )
        yield link, server.url
        await link.close()


async def open_only(handler: Handler) -> None:
    async with link_to(handler):
        pass


async def test_calls_are_posted_to_the_endpoint_and_answered_on_the_stream() -> None:
    fake = SSEServer()
    fake.results["tools/call"] = {"ok": True}
    async with link_to(fake.handle) as (link, _):
        session = LegacySession(link, "fake", CLIENT, Nobody())
        await session.open()
        assert await session.request("tools/call", {"name": "t"}, Nobody()) == {"ok": True}
        await session.close()

    opened, *posts = fake.seen
    assert (opened.path, opened.headers["accept"]) == ("/sse", "text/event-stream")
    assert [post.message["method"] for post in posts] == [
        "initialize",
        "notifications/initialized",
        "tools/call",
    ]
    assert {post.path for post in posts} == {"/messages?session=1"}
    assert {request.headers["authorization"] for request in fake.seen} == {"Bearer hidden"}


@pytest.mark.parametrize(
    ("named", "posted"),
    [
        ("messages?a=1", "/messages?a=1"),
        ("?a=1", "/sse?a=1"),
        ("../messages", "/messages"),
        ("{origin}messages", "/messages"),
    ],
)
async def test_an_endpoint_is_read_relative_to_the_stream(named: str, posted: str) -> None:
    fake = SSEServer()

    async def handle(request: HTTPRequest) -> None:
        fake._path = named.format(origin=f"http://{request.headers['host']}/")
        await fake.handle(request)

    async with link_to(handle) as (link, _):
        await link.post(jsonrpc.notification("notifications/initialized"))

    assert fake.seen[-1].path == posted


@pytest.mark.parametrize(
    "named",
    [
        "http://127.0.0.1:1/messages",
        "http://localhost/messages",
        "https://{host}/messages",
        "//example.com/messages",
        "http://{host}@example.com/",
        "http://user@{host}/",
        "file:///etc/passwd",
        "javascript:1",
    ],
)
async def test_an_endpoint_at_another_origin_is_refused_and_not_sent_the_credentials(
    named: str,
) -> None:
    seen: list[HTTPRequest] = []

    async def handle(request: HTTPRequest) -> None:
        seen.append(request)
        await request.begin_stream(endpoint(named.format(host=request.headers["host"])))
        assert await request.peer.request() == b""

    with pytest.raises(ProtocolBroken, match="endpoint at another origin"):
        await open_only(handle)

    assert [request.verb for request in seen] == ["GET"]


@pytest.mark.parametrize("named", ["http://[::1/messages", "//[x]/"])
async def test_an_endpoint_that_is_no_url_is_refused(named: str) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.begin_stream(endpoint(named))
        assert await request.peer.request() == b""

    with pytest.raises(ProtocolBroken, match="named an endpoint"):
        await open_only(handle)


async def test_a_second_endpoint_changes_nothing() -> None:
    fake = SSEServer()
    async with link_to(fake.handle) as (link, _):
        assert fake.stream is not None
        await fake.stream.go_on(endpoint("http://example.com/steal"))
        await link.post(jsonrpc.notification("notifications/initialized"))

    assert fake.seen[-1].path == "/messages?session=1"


@pytest.mark.parametrize("status", [401, 404, 405, 500])
async def test_an_address_without_a_stream_is_refused_with_its_status(status: int) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(status, b"no")

    with pytest.raises(UpstreamUnavailable, match=f"fake answered HTTP {status} and no event"):
        await open_only(handle)


async def test_an_answer_of_another_type_is_refused() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(200, b"<html>", content_type="text/html")

    with pytest.raises(UpstreamUnavailable, match="no event stream"):
        await open_only(handle)


async def test_a_stream_that_names_no_endpoint_is_given_up_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sse, "OPEN_DEADLINE", 0.1)

    async def handle(request: HTTPRequest) -> None:
        await request.begin_stream(b": hello\n\n")
        assert await request.peer.request() == b""

    with pytest.raises(ProtocolBroken, match="named no endpoint"):
        await open_only(handle)


async def test_a_stream_that_ends_before_its_endpoint_is_a_failure() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.stream(b": hello\n\n")

    with pytest.raises(UpstreamUnavailable, match="ended its event stream"):
        await open_only(handle)


async def test_a_call_fails_when_the_stream_ends_and_the_end_is_told_once() -> None:
    fake, listener = SSEServer(), Listener()
    async with link_to(fake.handle, listener) as (link, _):
        call = asyncio.create_task(link.exchange(CALL, lambda message: None))
        await fake.posted.wait()
        assert fake.stream is not None

        await fake.stream.peer.end()

        with pytest.raises(UpstreamUnavailable):
            await call
        assert [method for method, _ in listener.heard] == ["ended"]
    assert len(listener.heard) == 1


async def test_a_post_that_is_refused_fails_its_call_and_no_other() -> None:
    fake = SSEServer()
    fake.results["tools/call"] = {"ok": True}
    async with link_to(fake.handle) as (link, _):
        fake.posted_status = 500
        with pytest.raises(UpstreamUnavailable, match="fake answered HTTP 500"):
            await link.post(jsonrpc.notification("notifications/initialized"))

        fake.posted_status = 202
        answer = await link.exchange(CALL, lambda message: None)

    assert answer["result"] == {"ok": True}


async def test_what_the_server_says_by_itself_is_heard() -> None:
    fake, listener = SSEServer(), Listener()
    async with link_to(fake.handle, listener):
        assert fake.stream is not None
        changed = jsonrpc.notification("notifications/tools/list_changed")
        await fake.stream.go_on(encode(b"not json"), encode(dumps(changed)))

        await listener.until(1)

    assert listener.heard == [("notifications/tools/list_changed", changed)]


async def test_an_event_that_is_too_large_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_MESSAGE", 1000)
    fake, listener = SSEServer(), Listener()
    async with link_to(fake.handle, listener) as (link, _):
        assert fake.stream is not None
        await fake.stream.go_on(encode(b"x" * 2000))

        await listener.until(1)

        assert "larger than 1000 bytes" in listener.heard[0][1]["reason"]
        with pytest.raises(UpstreamUnavailable, match="1000 bytes"):
            await link.exchange(CALL, lambda message: None)


async def test_closing_twice_ends_the_stream_and_tells_no_end() -> None:
    fake, listener = SSEServer(), Listener()
    async with link_to(fake.handle, listener) as (link, _):
        await link.close()
        await link.close()

    assert listener.heard == []


async def test_an_address_where_nobody_listens_cannot_be_reached() -> None:
    client = HTTPClient()
    connector = SSEConnector(client, HTTPTarget("http://127.0.0.1:1/sse"), "fake")

    with pytest.raises(UpstreamUnavailable):
        await connector.connect(lambda message: None, lambda reason: None)
    await client.close()
