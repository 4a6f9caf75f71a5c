"""Streamable HTTP against servers that answer well, oddly, in pieces, or not at all."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from interlock.errors import RPCError, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps, loads
from interlock.protocol.sse import ServerSentEvent, encode
from interlock.protocol.versions import LATEST_LEGACY, LATEST_MODERN
from interlock.upstreams import streamable_http
from interlock.upstreams.begun import Cursor
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.conversation import Conversation
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, request_meta
from interlock.upstreams.port import Ended, Nobody, ProtocolBroken, SessionExpired
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.streamable_http import HTTPConnector, HTTPLink, HTTPRefused
from tests.conformance.suite import FIXTURE_SERVER
from tests.support.processes import running
from tests.upstreams.fakes import (
    CLIENT,
    INITIALIZED,
    Handler,
    HTTPRequest,
    Listener,
    answering,
)
from tests.upstreams.raw_server import DEADLINE, Peer, serving

SECRETS = {"authorization": "Bearer hidden"}


@asynccontextmanager
async def link_to(
    handler: Handler, listener: Listener | None = None, ended: Ended = lambda reason: None
) -> AsyncIterator[tuple[HTTPLink, list[HTTPRequest]]]:
    """Return a link to a scripted server, and what the server has seen."""
    seen: list[HTTPRequest] = []

    def hear(message: JSONObject) -> None:
        if listener is not None:
            listener.notify(message["method"], message.get("params", {}))

    async with serving(answering(handler, seen)) as (server, client):
        connector = HTTPConnector(client, HTTPTarget(server.url, SECRETS), "fake")
        link = await connector.connect(hear, ended)
        yield link, seen
        await link.close()


def event(message: JSONObject, event_id: str | None = None) -> bytes:
    return encode(dumps(message), event_id=event_id)


def progress(number: int) -> JSONObject:
    return jsonrpc.notification("notifications/progress", {"progressToken": 1, "progress": number})


CALL = jsonrpc.request(1, "tools/call", {"name": "t"})
ANSWER = jsonrpc.result(1, {"ok": True})


async def exchanged(link: HTTPLink, listener: Listener | None = None) -> JSONObject:
    listener = listener or Listener()
    return await link.exchange(CALL, lambda message: listener.notify(message["method"], message))


async def test_a_request_is_a_post_that_accepts_both_kinds_of_answer() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.result({"ok": True})

    async with link_to(handle) as (link, seen):
        answer = await link.exchange(CALL, lambda message: None, [("mcp-method", "tools/call")])

    assert answer == ANSWER
    (request,) = seen
    assert (request.verb, request.message) == ("POST", CALL)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json, text/event-stream"
    assert request.headers["mcp-method"] == "tools/call"
    assert request.headers["authorization"] == "Bearer hidden"


async def test_an_answer_may_come_as_a_stream_after_what_belongs_to_its_call() -> None:
    client, session = Listener(), Listener()
    other = jsonrpc.result(99, {"other": True})

    async def handle(request: HTTPRequest) -> None:
        await request.stream(b": hello\n\n", event(progress(1)), event(other), event(ANSWER))

    async with link_to(handle, session) as (link, _):
        assert await exchanged(link, client) == ANSWER

    assert client.heard == [("notifications/progress", progress(1))]
    assert session.heard == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data\n\n",
        b'data: {"method":[1]}\n\n',
        b"event: x\ndata: 1\n\n",
    ],
)
async def test_garbage_in_a_stream_is_skipped(garbage: bytes) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.stream(garbage, event(ANSWER))

    async with link_to(handle) as (link, _):
        assert await exchanged(link) == ANSWER


@pytest.mark.parametrize("unnamed", [{}, {"id": None}])
async def test_an_error_without_an_id_answers_the_only_request_of_its_stream(
    unnamed: JSONObject,
) -> None:
    failure: JSONObject = {"jsonrpc": "2.0", "error": {"code": -1, "message": "No"}, **unnamed}

    async def handle(request: HTTPRequest) -> None:
        await request.stream(event(failure))

    async with link_to(handle) as (link, _):
        assert await exchanged(link) == failure


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_json_rpc_error_is_an_answer_whatever_the_http_status(status: int) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.failure(status, RPCError(-32601, "Method not found"))

    async with link_to(handle) as (link, _):
        with pytest.raises(RPCError, match="Method not found"):
            jsonrpc.unwrap(await exchanged(link))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, b"", r"fake answered HTTP 400\.$"),
        (500, b"<html>", r"fake answered HTTP 500\.$"),
        (400, b'{"error":"invalid_request"}', r"fake answered HTTP 400\.$"),
        (404, b"Not Found", r"HTTP 404\. Check its url\.$"),
        (405, b"", r"HTTP 405\. Check its url\.$"),
        (401, b'{"error":"invalid_token"}', r"HTTP 401\. Check the credentials in its headers\.$"),
        (403, b'{"error":{"code":1,"message":"no"}}', r"HTTP 403\. Check the credentials"),
    ],
)
async def test_an_http_error_without_a_json_rpc_answer_is_named_with_its_cure(
    status: int, body: bytes, told: str
) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(status, body, content_type="application/json")

    async with link_to(handle) as (link, _):
        with pytest.raises(HTTPRefused, match=told) as refused:
            await exchanged(link)

    assert refused.value.code == status
    assert "hidden" not in refused.value.message


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"{}", b'{"jsonrpc":"2.0","id":1}', b"[" * 9000]
)
async def test_a_good_status_with_anything_else_breaks_the_protocol(body: bytes) -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(200, body, content_type="application/json")

    async with link_to(handle) as (link, _):
        with pytest.raises(ProtocolBroken, match="fake answered with something"):
            await exchanged(link)


async def test_integers_of_any_size_arrive_exactly() -> None:
    number = 2**70

    async def handle(request: HTTPRequest) -> None:
        await request.result({"n": number})

    async with link_to(handle) as (link, _):
        assert (await exchanged(link))["result"] == {"n": number}


async def test_a_message_without_an_answer_is_posted() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(202)

    async with link_to(handle) as (link, seen):
        await link.post(jsonrpc.notification("notifications/initialized"))

    assert seen[0].message == {"jsonrpc": "2.0", "method": "notifications/initialized"}


async def test_a_refused_notification_is_a_failure() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(400)

    async with link_to(handle) as (link, _):
        with pytest.raises(HTTPRefused):
            await link.post(jsonrpc.notification("notifications/initialized"))


async def test_a_stream_that_ends_early_is_resumed_where_it_broke() -> None:
    client = Listener()

    async def handle(request: HTTPRequest) -> None:
        if request.verb == "POST":
            await request.stream(
                b"retry: 1\n\n", event(progress(1), "a-1"), encode(b"", event_id="a-2")
            )
        elif request.headers["last-event-id"] == "a-2":
            await request.stream(event(progress(2), "a-3"))
        else:
            await request.stream(event(ANSWER, "a-4"))

    async with link_to(handle) as (link, seen):
        assert await exchanged(link, client) == ANSWER

    assert [request.headers.get("last-event-id") for request in seen] == [None, "a-2", "a-3"]
    assert seen[1].headers["accept"] == "text/event-stream"
    assert seen[1].headers["authorization"] == "Bearer hidden"
    assert [params["params"]["progress"] for _, params in client.heard] == [1, 2]


async def test_a_stream_whose_connection_breaks_is_resumed_too() -> None:
    async def handle(request: HTTPRequest) -> None:
        if request.verb == "POST":
            await request.begin_stream(b"retry: 1\n\n", event(progress(1), "a-1"))
            await request.peer.end()
        else:
            await request.stream(event(ANSWER))

    async with link_to(handle) as (link, seen):
        assert await exchanged(link) == ANSWER

    assert [request.headers.get("last-event-id") for request in seen] == [None, "a-1"]


async def test_a_stream_without_a_position_cannot_be_resumed() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.stream(event(progress(1)))

    async with link_to(handle) as (link, seen):
        with pytest.raises(UpstreamUnavailable, match="ended its stream before the answer"):
            await exchanged(link)

    assert len(seen) == 1


async def test_a_broken_connection_without_a_position_fails_the_call() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.begin_stream(event(progress(1)))
        await request.peer.end()

    async with link_to(handle) as (link, seen):
        with pytest.raises(ConnectionFailed):
            await exchanged(link)

    assert len(seen) == 1


async def test_a_stream_that_never_brings_the_answer_is_not_resumed_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamable_http, "MAX_RESUMES", 3)

    async def handle(request: HTTPRequest) -> None:
        await request.stream(b"retry: 1\n\n", event(progress(1), "a-1"))

    async with link_to(handle) as (link, seen):
        with pytest.raises(UpstreamUnavailable, match="before the answer"):
            await exchanged(link)

    assert len(seen) <= 1 + 3


async def test_a_server_that_refuses_to_resume_fails_the_call() -> None:
    async def handle(request: HTTPRequest) -> None:
        if request.verb == "POST":
            await request.stream(b"retry: 1\n\n", event(progress(1), "a-1"))
        else:
            await request.reply(405)

    async with link_to(handle) as (link, _):
        with pytest.raises(HTTPRefused, match="HTTP 405"):
            await exchanged(link)


async def test_giving_a_call_up_closes_its_stream() -> None:
    gone, begun = asyncio.Event(), asyncio.Event()

    async def handle(request: HTTPRequest) -> None:
        await request.begin_stream(event(progress(1)))
        begun.set()
        assert await request.peer.request() == b""
        gone.set()

    async with link_to(handle) as (link, _):
        call = asyncio.create_task(exchanged(link))
        await begun.wait()

        call.cancel()

        await gone.wait()


async def initialized(request: HTTPRequest, session: str) -> bool:
    """Answer a handshake, and the GET of a stream that this server does not offer."""
    if request.verb == "GET":
        await request.reply(405)
    elif request.verb == "DELETE":
        await request.reply(204)
    elif request.message["method"] == "initialize":
        await request.result(INITIALIZED, mcp_session_id=session)
    elif "id" not in request.message:
        await request.reply(202)
    else:
        return False
    return True


async def test_a_session_is_named_in_every_request_after_its_handshake_and_ended_politely() -> None:
    async def handle(request: HTTPRequest) -> None:
        if not await initialized(request, "s-1"):
            await request.result({"ok": True}, mcp_session_id="other")

    async with link_to(handle) as (link, seen):
        session = LegacySession(link, "fake", CLIENT, Nobody())
        await session.open()
        await session.request("tools/call", {}, Nobody())
        await session.request("tools/call", {}, Nobody())
        await session.close()
        await session.close()

    first, *later = seen
    assert "mcp-session-id" not in first.headers
    assert {request.headers["mcp-session-id"] for request in later} == {"s-1"}
    assert {request.headers["mcp-protocol-version"] for request in later} == {LATEST_LEGACY}
    assert [request.verb for request in later].count("DELETE") == 1
    assert later[-1].verb == "DELETE"


@pytest.mark.parametrize(
    "body",
    [b"", b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'],
)
async def test_a_session_that_the_server_forgot_has_expired(body: bytes) -> None:
    async def handle(request: HTTPRequest) -> None:
        if not await initialized(request, "s-1"):
            await request.reply(404, body, content_type="application/json")

    async with link_to(handle) as (link, _):
        session = LegacySession(link, "fake", CLIENT, Nobody())
        await session.open()
        with pytest.raises(SessionExpired, match="fake ended our session"):
            await session.request("tools/call", {}, Nobody())
        await session.close()


async def test_giving_a_call_of_a_session_up_tells_the_server_which() -> None:
    told, begun = asyncio.Event(), asyncio.Event()

    async def handle(request: HTTPRequest) -> None:
        if request.verb == "POST" and request.message.get("method") == "notifications/cancelled":
            told.set()
        if not await initialized(request, "s-1"):
            begun.set()
            await request.peer.request()

    async with link_to(handle) as (link, seen):
        session = LegacySession(link, "fake", CLIENT, Nobody())
        await session.open()
        call = asyncio.create_task(session.request("tools/call", {}, Nobody()))
        await begun.wait()

        call.cancel()

        await told.wait()
        posts = [request.message for request in seen if request.verb == "POST"]
        (called,) = [each for each in posts if each["method"] == "tools/call"]
        assert posts[-1]["params"]["requestId"] == called["id"]
        await session.close()


async def test_a_cancellation_is_read_after_its_request_though_it_goes_another_way() -> None:
    read: list[str] = []
    is_arriving, told = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        while head := await peer.request():
            message = loads(head.partition(b"\r\n\r\n")[2] or b"{}")
            method = message.get("method", "")
            if method == "tools/call":
                # The server is slower to read this connection than the other.
                is_arriving.set()
                await asyncio.sleep(0.1)
            read.append(method)
            if method == "notifications/cancelled":
                told.set()
            if method == "initialize":
                body = dumps(jsonrpc.result(message["id"], INITIALIZED))
                fields = b"Content-Type: application/json\r\nMcp-Session-Id: s-1\r\n"
                length = b"Content-Length: %d\r\n\r\n" % len(body)
                await peer.send(b"HTTP/1.1 200 OK\r\n" + fields + length + body)
            elif method != "tools/call":
                await peer.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    async with serving(script) as (server, client):
        connector = HTTPConnector(client, HTTPTarget(server.url), "fake")
        session = LegacySession(
            await connector.connect(lambda _: None, lambda _: None), "fake", CLIENT, Nobody()
        )
        await session.open()
        call = asyncio.create_task(session.request("tools/call", {}, Nobody()))
        await is_arriving.wait()

        call.cancel()

        await told.wait()
        await session.close()
    assert read.index("tools/call") < read.index("notifications/cancelled")


async def test_a_modern_call_is_cancelled_by_closing_its_stream_alone() -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def handle(request: HTTPRequest) -> None:
        begun.set()
        assert await request.peer.request() == b""
        gone.set()

    async with link_to(handle) as (link, seen):
        session = ModernSession(link, "fake")
        params: JSONObject = {"name": "t", "_meta": request_meta(CLIENT)}
        call = asyncio.create_task(session.request("tools/call", params, Nobody()))
        await begun.wait()

        call.cancel()

        await gone.wait()
        await session.close()
        assert len(seen) == 1
    assert seen[0].headers["mcp-protocol-version"] == LATEST_MODERN
    assert seen[0].headers["mcp-method"] == "tools/call"
    assert seen[0].headers["mcp-name"] == "t"


async def test_the_sessions_own_stream_is_heard_and_taken_up_again() -> None:
    listener = Listener()
    changed = jsonrpc.notification("notifications/tools/list_changed", {"n": 1})

    async def handle(request: HTTPRequest) -> None:
        if "last-event-id" not in request.headers:
            await request.stream(b"retry: 0\n\n", event(changed, "m-1"))
        else:
            await request.begin_stream(event(changed, "m-2"))
            assert await request.peer.request() == b""

    async with link_to(handle, listener) as (link, seen):
        listening = asyncio.create_task(link.listen())
        assert await listener.until(2) == [("notifications/tools/list_changed", {"n": 1})] * 2
        listening.cancel()
        await asyncio.wait({listening})

    assert [request.headers.get("last-event-id") for request in seen] == [None, "m-1"]


async def test_the_sessions_own_stream_survives_a_server_that_is_away_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamable_http, "RECONNECT_DELAY", 0.01)
    listener = Listener()
    changed = jsonrpc.notification("notifications/tools/list_changed", {"n": 1})

    async def handle(request: HTTPRequest) -> None:
        if request.peer.number < 3:
            await request.peer.end()
        else:
            await request.begin_stream(event(changed))
            assert await request.peer.request() == b""

    async with link_to(handle, listener) as (link, _):
        listening = asyncio.create_task(link.listen())
        await listener.until(1)
        listening.cancel()
        await asyncio.wait({listening})


async def test_a_server_without_a_stream_of_its_own_says_so_once() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(405)

    async with link_to(handle) as (link, seen):
        with pytest.raises(HTTPRefused):
            await link.listen()

    assert len(seen) == 1


@pytest.mark.parametrize(("was_open", "told"), [(True, ["fake ended our session."]), (False, [])])
async def test_a_session_has_ended_where_its_own_stream_was_open_and_is_not_found_any_more(
    *, was_open: bool, told: list[str]
) -> None:
    ends: list[str] = []

    async def handle(request: HTTPRequest) -> None:
        if was_open and "last-event-id" not in request.headers:
            await request.stream(b"id: m-1\nretry: 0\n\n")
        else:
            await request.reply(404)

    async with link_to(handle, ended=lambda reason: ends.append(reason.message)) as (link, _):
        with pytest.raises(HTTPRefused):
            await link.listen()

    assert ends == told


@pytest.mark.parametrize(
    ("asked", "kept"), [(0, 0.1), (50, 0.1), (100, 0.1), (2500, 2.5), (600_000, 600.0)]
)
def test_a_server_is_asked_no_sooner_than_it_wants_and_never_at_once(
    asked: int, kept: float
) -> None:
    cursor = Cursor()

    cursor.advance(ServerSentEvent(retry=asked))

    assert cursor.retry == kept


@asynccontextmanager
async def fixture(era: str) -> AsyncIterator[HTTPLink]:
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", era]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        client = HTTPClient()
        async with asyncio.timeout(DEADLINE):
            connector = HTTPConnector(client, HTTPTarget(server.ready[1]), "fixture")
            yield await connector.connect(lambda message: None, lambda reason: None)
            await client.close()


async def test_a_real_legacy_server_streams_progress_and_resumes_a_call_that_it_cut() -> None:
    async with fixture("legacy") as link:
        session = LegacySession(link, "fixture", CLIENT, Nobody())
        await session.open()
        client = Listener()
        params: JSONObject = {"name": "test_tool_with_progress", "_meta": {"progressToken": "mine"}}

        await session.request("tools/call", params, client)
        resumed = await session.request("tools/call", {"name": "test_reconnection"}, Nobody())
        await session.close()

    tokens = {(method, told["progressToken"]) for method, told in client.heard}
    assert tokens == {("notifications/progress", "mine")}
    assert [told["progress"] for _, told in client.heard] == [0, 50, 100]
    assert resumed["content"][0]["text"] == "Reconnection test completed"


async def test_a_real_modern_server_answers_calls_and_announces_changes() -> None:
    async with fixture("modern") as link:
        session = ModernSession(link, "fixture")
        await session.discover(CLIENT)
        listener = Listener()
        listening = asyncio.create_task(
            session.listen(CLIENT, {"toolsListChanged": True}, listener.notify)
        )
        await listener.until(1)
        params: JSONObject = {"name": "test_trigger_tool_change", "_meta": request_meta(CLIENT)}

        await session.request("tools/call", params, Nobody())

        heard = [method for method, _ in await listener.until(2)]
        listening.cancel()
        await asyncio.wait({listening})
        await session.close()
    assert heard == [
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
    ]


async def test_conversations_on_one_link_never_use_an_id_twice() -> None:
    async def handle(request: HTTPRequest) -> None:
        await request.result({})

    async with link_to(handle) as (link, seen):
        for _ in range(3):
            await Conversation(link).call("ping", {}, lambda message: None)

    assert len({request.message["id"] for request in seen}) == 3
