"""What the bridge does byte by byte: with bodies, headers, sessions, failures and its own end."""

import asyncio
import json
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.cli.contract import served

PROGRAM = Path(sys.executable).with_name("interlock")
SECONDS = 120
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
SESSION = {"mcp-session-id": "s-1"}

Reply = Callable[[Any], Response]


@dataclass(slots=True)
class Recorder:
    """An MCP endpoint that answers as a test says, and keeps what it got."""

    reply: Reply = field(default=lambda _message: Response(status_code=202))
    stream: Callable[[str | None], Response] = field(
        default=lambda _last: Response(status_code=405)
    )
    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    news: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/mcp", self._take, methods=["GET", "POST", "DELETE"])])

    def methods(self) -> list[str]:
        """Name what arrived: HTTP methods, and for POST the JSON-RPC method."""
        return [
            json.loads(body).get("method", "response") if method == "POST" else method
            for method, _, body in self.got
        ]

    def headers_of(self, name: str) -> dict[str, str]:
        return self.got[self.methods().index(name)][1]

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.got.append((request.method, dict(request.headers), body))
        self.news.set()
        if request.method == "GET":
            return self.stream(request.headers.get("last-event-id"))
        if request.method == "DELETE":
            return Response(status_code=204)
        return self.reply(json.loads(body))

    async def endless(self) -> AsyncIterator[bytes]:
        """A stream that never ends; says when its reader has left."""
        try:
            yield b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n'
            await asyncio.get_running_loop().create_future()
        finally:
            self.left.set()


@dataclass(slots=True)
class Client:
    """The near end of the bridge: a program's standard streams."""

    process: asyncio.subprocess.Process

    def send(self, message: Any) -> None:
        """Write one line: bytes as they are, anything else as JSON."""
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")

    async def line(self) -> bytes:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).rstrip(b"\n")

    async def receive(self) -> Any:
        return json.loads(await self.line())

    async def hang_up(self) -> tuple[int, bytes]:
        """Close stdin; return the status and what was still on stdout."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.end()

    async def end(self) -> tuple[int, bytes]:
        assert self.process.stdout is not None
        rest = await self.process.stdout.read()
        return await self.process.wait(), rest


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    with served(recorder.app()) as url:
        recorder.url = f"{url}/mcp"
        yield recorder


@asynccontextmanager
async def connected(url: str, *arguments: str) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "connect", url, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(SECONDS):
            yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(message: Any, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": members}


def handshake(message: Any) -> Response:
    """Answer as a legacy server with a session."""
    if message.get("method") == "initialize":
        return JSONResponse(result(message, protocolVersion="2025-06-18"), headers=SESSION)
    if "id" not in message:
        return Response(status_code=202)
    return JSONResponse(result(message))


async def initialize(client: Client) -> None:
    client.send(request(0, "initialize", protocolVersion="2025-06-18"))
    assert (await client.receive())["id"] == 0
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


async def test_bodies_pass_byte_true_in_both_directions(recorder: Recorder) -> None:
    sent = b'{ "params":{"n":1.0,"big":123456789012345678901234567890,"u":"\\u00e9"},'
    sent += b' "id" :"\xc3\xa9", "jsonrpc":"2.0","method":"x/y" }'
    answer = b'{"id":"\xc3\xa9",\r\n "jsonrpc":"2.0",\n"result":{"e":1e2,"s":"a\\nb","_meta":{}}}'
    recorder.reply = lambda _message: Response(answer, media_type="application/json")
    async with connected(recorder.url) as client:
        client.send(sent)
        received = await client.line()

    assert recorder.got[0][2] == sent
    assert received == answer.replace(b"\r", b" ").replace(b"\n", b" ")


async def test_the_key_and_the_accepted_types_go_with_every_request(recorder: Recorder) -> None:
    recorder.reply = handshake
    async with connected(recorder.url, "--key", "ilk_right") as client:
        client.send(request(1, "ping"))
        await client.receive()

    headers = recorder.headers_of("ping")
    assert headers["authorization"] == "Bearer ilk_right"
    assert headers["accept"] == "application/json, text/event-stream"
    assert headers["content-type"] == "application/json"
    assert "mcp-session-id" not in headers


async def test_a_legacy_session_is_kept_and_ended(recorder: Recorder) -> None:
    recorder.reply = handshake
    async with connected(recorder.url) as client:
        await initialize(client)
        client.send(request(1, "tools/list"))
        await client.receive()
        while "GET" not in recorder.methods():
            await asyncio.to_thread(recorder.news.wait, SECONDS)
            recorder.news.clear()
        status, rest = await client.hang_up()

    assert (status, rest) == (0, b"")
    assert recorder.methods()[:2] == ["initialize", "notifications/initialized"]
    assert sorted(recorder.methods()[2:4]) == ["GET", "tools/list"]
    assert recorder.methods()[4:] == ["DELETE"]
    assert "mcp-session-id" not in recorder.headers_of("initialize")
    for name in ("notifications/initialized", "tools/list", "GET", "DELETE"):
        headers = recorder.headers_of(name)
        assert headers["mcp-session-id"] == "s-1"
        assert headers["mcp-protocol-version"] == "2025-06-18"


async def test_messages_sent_at_once_keep_the_order_of_the_handshake(recorder: Recorder) -> None:
    recorder.reply = handshake
    async with connected(recorder.url) as client:
        client.send(request(0, "initialize"))
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        client.send(request(1, "tools/list"))
        answers = [(await client.receive())["id"], (await client.receive())["id"]]

    posted = [name for name in recorder.methods() if name != "GET"]
    assert answers == [0, 1]
    assert posted[:3] == ["initialize", "notifications/initialized", "tools/list"]
    # The session is known only once `initialize` was answered.
    assert recorder.headers_of("notifications/initialized")["mcp-session-id"] == "s-1"
    assert recorder.headers_of("tools/list")["mcp-session-id"] == "s-1"


async def test_a_forgotten_session_is_an_error_and_is_not_opened_again(recorder: Recorder) -> None:
    recorder.reply = handshake
    async with connected(recorder.url) as client:
        await initialize(client)
        recorder.reply = lambda _message: Response(status_code=404)
        client.send(request(1, "tools/list"))
        answer = await client.receive()
        recorder.reply = handshake
        client.send(request(2, "initialize"))
        again = await client.receive()

    assert (answer["id"], answer["error"]["code"]) == (1, -31404)
    assert "initialize again" in answer["error"]["message"]
    assert again["id"] == 2
    assert recorder.methods().count("initialize") == 2


async def test_cancelling_a_modern_request_closes_its_stream_and_nothing_else(
    recorder: Recorder,
) -> None:
    def reply(message: Any) -> Response:
        if message["method"] == "tools/call":
            return StreamingResponse(recorder.endless(), media_type="text/event-stream")
        return JSONResponse(result(message))

    recorder.reply = reply
    async with connected(recorder.url) as client:
        client.send(request(7, "tools/call", name="slow", arguments={}, _meta=MODERN))
        assert (await client.receive())["method"] == "notifications/message"
        cancelled = {"method": "notifications/cancelled", "params": {"requestId": 7}}
        client.send({"jsonrpc": "2.0", **cancelled})
        assert await asyncio.to_thread(recorder.left.wait, SECONDS)
        client.send(request(8, "tools/list", _meta=MODERN))
        answer = await client.receive()
        status, rest = await client.hang_up()

    assert answer["id"] == 8
    assert (status, rest) == (0, b"")
    assert recorder.methods() == ["tools/call", "tools/list"]


async def test_modern_requests_carry_the_mirrored_headers(recorder: Recorder) -> None:
    schema = {"properties": {"city": {"type": "string", "x-mcp-header": "City"}}}

    def reply(message: Any) -> Response:
        if message["method"] == "tools/list":
            return JSONResponse(result(message, tools=[{"name": "w", "inputSchema": schema}]))
        return JSONResponse(result(message))

    recorder.reply = reply
    async with connected(recorder.url) as client:
        client.send(request(1, "tools/list", _meta=MODERN))
        await client.receive()
        client.send(request(2, "tools/call", name="w", arguments={"city": "서울"}, _meta=MODERN))
        await client.receive()

    headers = recorder.headers_of("tools/call")
    assert headers["mcp-protocol-version"] == "2026-07-28"
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"] == "w"
    assert headers["mcp-param-city"] == "=?base64?7ISc7Jq4?="


async def test_without_a_gateway_each_request_is_answered_until_there_is_one() -> None:
    recorder = Recorder(reply=lambda message: JSONResponse(result(message)))
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        async with connected(f"http://127.0.0.1:{port}/mcp") as client:
            client.send(request(1, "initialize"))
            first = await client.receive()
            reserved.close()
            with served(recorder.app(), port=port):
                client.send(request(2, "initialize"))
                second = await client.receive()

    assert (first["id"], first["error"]["code"]) == (1, -31503)
    assert "`interlock up`" in first["error"]["message"]
    assert second == {"jsonrpc": "2.0", "id": 2, "result": {}}


@pytest.mark.parametrize(("status", "code"), [(401, -31401), (403, -31403), (502, -31503)])
async def test_an_http_error_becomes_an_error_with_the_cure(
    status: int, code: int, recorder: Recorder
) -> None:
    recorder.reply = lambda _message: Response("<html>", status)
    async with connected(recorder.url) as client:
        client.send(request(1, "ping"))
        answer = await client.receive()

    assert (answer["id"], answer["error"]["code"]) == (1, code)


async def test_a_refusal_without_an_id_is_given_the_one_of_its_request(recorder: Recorder) -> None:
    error = {"code": -32022, "message": "No.", "data": {"supported": []}}
    body = {"jsonrpc": "2.0", "id": None, "error": error}
    recorder.reply = lambda _message: JSONResponse(body, 400)
    async with connected(recorder.url) as client:
        client.send(request(1, "server/discover", _meta=MODERN))
        answer = await client.receive()

    assert answer == {"jsonrpc": "2.0", "id": 1, "error": error}


async def test_a_stream_that_ends_before_the_answer_is_an_error(recorder: Recorder) -> None:
    recorder.reply = lambda _message: Response(b": nothing\n\n", media_type="text/event-stream")
    async with connected(recorder.url) as client:
        client.send(request(1, "ping"))
        answer = await client.receive()

    assert (answer["id"], answer["error"]["code"]) == (1, -31503)


@pytest.mark.parametrize(
    ("line", "code"), [(b"{", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0"}', -32600)]
)
async def test_what_is_no_message_is_answered_and_not_sent(
    line: bytes, code: int, recorder: Recorder
) -> None:
    async with connected(recorder.url) as client:
        client.send(line)
        answer = await client.receive()

    assert answer["error"]["code"] == code
    assert recorder.got == []


async def test_an_id_that_is_in_use_is_refused(recorder: Recorder) -> None:
    recorder.reply = lambda _message: StreamingResponse(
        recorder.endless(), media_type="text/event-stream"
    )
    async with connected(recorder.url) as client:
        client.send(request(1, "tools/call", _meta=MODERN))
        await client.receive()
        client.send(request(1, "tools/call", _meta=MODERN))
        answer = await client.receive()
        client.process.send_signal(signal.SIGTERM)
        status, _ = await client.end()

    assert (answer["id"], answer["error"]["code"]) == (1, -32600)
    assert status == 0


async def test_large_messages_pass_and_larger_ones_are_refused(recorder: Recorder) -> None:
    recorder.reply = lambda message: JSONResponse(result(message, **message["params"]))
    text = "x" * (8 * 1024 * 1024)
    async with connected(recorder.url) as client:
        client.send(request(1, "echo", text=text))
        echoed = await client.receive()
        client.send(b'{"a":"' + b"x" * (32 * 1024 * 1024) + b'"}')
        refused = await client.receive()
        client.send(request(2, "echo", text="small"))
        after = await client.receive()

    assert echoed["result"]["text"] == text
    assert refused["error"]["code"] == -31413
    assert after["result"]["text"] == "small"


async def test_answers_under_way_are_still_passed_on_after_the_client_hung_up(
    recorder: Recorder,
) -> None:
    async def late(message: Any) -> AsyncIterator[bytes]:
        # The bridge lets go of the session's own stream once its client has hung up.
        await asyncio.to_thread(recorder.left.wait, SECONDS)
        yield f"data: {json.dumps(result(message))}\n\n".encode()

    def reply(message: Any) -> Response:
        if message.get("method") != "slow":
            return handshake(message)
        return StreamingResponse(late(message), media_type="text/event-stream")

    recorder.reply = reply
    recorder.stream = lambda _last: StreamingResponse(
        recorder.endless(), media_type="text/event-stream"
    )
    async with connected(recorder.url) as client:
        await initialize(client)
        assert (await client.receive())["method"] == "notifications/message"
        client.send(request(1, "slow"))
        while "slow" not in recorder.methods():
            await asyncio.to_thread(recorder.news.wait, SECONDS)
            recorder.news.clear()
        status, rest = await client.hang_up()

    assert status == 0
    assert json.loads(rest) == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_a_stream_that_breaks_off_is_taken_up_behind_its_last_event(
    recorder: Recorder,
) -> None:
    def reply(message: Any) -> Response:
        if message.get("method") != "slow":
            return handshake(message)
        return Response(b"id: e-1\nretry: 10\ndata:\n\n", media_type="text/event-stream")

    def stream(last: str | None) -> Response:
        if last is None:
            return Response(status_code=405)
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"last": last}})
        return Response(f"data: {answer}\n\n", media_type="text/event-stream")

    recorder.reply, recorder.stream = reply, stream
    async with connected(recorder.url) as client:
        await initialize(client)
        client.send(request(1, "slow"))
        answer = await client.receive()

    assert answer["result"] == {"last": "e-1"}


async def test_schemas_are_read_where_a_server_misses_mirrored_headers(recorder: Recorder) -> None:
    schema = {"properties": {"city": {"type": "string", "x-mcp-header": "City"}}}
    mismatch = {"code": -32020, "message": "Header mismatch: mcp-param-city is missing."}

    def reply(message: Any) -> Response:
        if message["method"] == "tools/list":
            return JSONResponse(result(message, tools=[{"name": "w", "inputSchema": schema}]))
        if "mcp-param-city" not in recorder.got[-1][1]:
            body = {"jsonrpc": "2.0", "id": message["id"], "error": mismatch}
            return JSONResponse(body, 400)
        return JSONResponse(result(message))

    recorder.reply = reply
    async with connected(recorder.url) as client:
        client.send(request(1, "tools/call", name="w", arguments={"city": "x"}, _meta=MODERN))
        mended = await client.receive()
        client.send(request(2, "tools/call", name="other", arguments={}, _meta=MODERN))
        hopeless = await client.receive()

    assert mended == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert (hopeless["id"], hopeless["error"]) == (2, mismatch)


async def test_what_never_ends_does_not_keep_the_bridge_alive(recorder: Recorder) -> None:
    recorder.reply = lambda _message: StreamingResponse(
        recorder.endless(), media_type="text/event-stream"
    )
    async with connected(recorder.url) as client:
        client.send(request(1, "subscriptions/listen", _meta=MODERN))
        client.send(request(2, "tools/call", _meta=MODERN))
        await client.receive()
        await client.receive()
        status, rest = await client.hang_up()

    assert (status, rest) == (0, b"")
    assert recorder.left.is_set()
