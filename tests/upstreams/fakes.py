"""Servers written by script, in memory and over HTTP, and clients that keep what they hear."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from interlock.errors import InterlockError, RPCError, UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps, loads
from interlock.protocol.versions import (
    LATEST_LEGACY,
    LATEST_MODERN,
    META_SERVER_INFO,
    UNSUPPORTED_VERSION,
)
from interlock.upstreams.channel import Closed, Receive
from interlock.upstreams.duplex import DuplexLink
from interlock.upstreams.port import ClientFacts, Ended, Hear
from tests.upstreams.raw_server import Peer, Script

DEADLINE = 60.0  # seconds; the machine may be slow
CLIENT = ClientFacts({"name": "tester", "version": "1"})

INITIALIZED: JSONObject = {
    "protocolVersion": LATEST_LEGACY,
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "fake", "version": "1"},
}
DISCOVERED: JSONObject = {
    "resultType": "complete",
    "supportedVersions": [LATEST_MODERN],
    "capabilities": {"tools": {}},
    "_meta": {META_SERVER_INFO: {"name": "fake", "version": "2"}},
}
TOO_NEW = RPCError(
    UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": ["2030-01-01"]}
)


class Listener:
    """A client of both kinds, of a call and of a session: keeps what it hears, answers by rote."""

    def __init__(self, answer: JSONObject | RPCError | None = None) -> None:
        self.heard: list[tuple[str, JSONObject]] = []
        self.questions: asyncio.Queue[tuple[str, JSONObject]] = asyncio.Queue()
        self.given_up = asyncio.Event()
        self._answer = answer
        self._news = asyncio.Event()

    def notify(self, method: str, params: JSONObject) -> None:
        self.heard.append((method, params))
        self._news.set()

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        self.questions.put_nowait((method, params))
        if isinstance(self._answer, RPCError):
            raise self._answer
        if self._answer is not None:
            return self._answer
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.given_up.set()
            raise

    def notified(self, method: str, params: JSONObject) -> None:
        self.notify(method, params)

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        return await self.ask(method, params)

    async def until(self, count: int) -> list[tuple[str, JSONObject]]:
        """Wait until so many notifications were heard, and return them."""
        async with asyncio.timeout(DEADLINE):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard


class FakeServer:
    """The far end of a channel in memory; `act` answers what arrives, on the loop's next turn."""

    def __init__(self, act: "Act", receive: Receive, closed: Closed) -> None:
        self.inbox: asyncio.Queue[JSONObject] = asyncio.Queue()
        self.is_closed = False
        self._act = act
        self._receive = receive
        self._closed = closed

    async def send(self, message: bytes) -> None:
        if self.is_closed:
            raise UpstreamUnavailable("The fake has ended.")
        arrived = loads(message)
        self.inbox.put_nowait(arrived)
        asyncio.get_running_loop().call_soon(self._act, self, arrived)

    def send_now(self, message: bytes) -> bool:
        if self.is_closed:
            return False
        arrived = loads(message)
        self.inbox.put_nowait(arrived)
        asyncio.get_running_loop().call_soon(self._act, self, arrived)
        return True

    async def close(self) -> None:
        self.die()

    async def next(self, method: str | None = None) -> JSONObject:
        """Wait for the next message, or for the next of one method."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self.inbox.get()
                if method is None or message.get("method") == method:
                    return message

    def say(self, message: JSONObject | bytes) -> None:
        if not self.is_closed:
            self._receive(message if isinstance(message, bytes) else dumps(message))

    def answer(self, request: JSONObject, result: JSONObject) -> None:
        self.say(jsonrpc.result(request["id"], result))

    def die(self, reason: InterlockError | None = None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._closed(reason or UpstreamUnavailable("The fake has ended."))


Act: TypeAlias = Callable[[FakeServer, JSONObject], None]
Reply: TypeAlias = JSONObject | RPCError | Act


def silent(_server: FakeServer, _message: JSONObject) -> None:
    """Let a message lie."""


def dying(server: FakeServer, _message: JSONObject) -> None:
    """End at a message."""
    server.die(UpstreamUnavailable("The fake fell over."))


def speaking(replies: Mapping[str, Reply]) -> Act:
    """Answer requests by method; a method that is not named is not found."""

    def act(server: FakeServer, message: JSONObject) -> None:
        if "id" not in message or "method" not in message:
            return
        reply = replies.get(
            message["method"], RPCError(jsonrpc.METHOD_NOT_FOUND, "Method not found")
        )
        if isinstance(reply, RPCError):
            server.say(jsonrpc.failure(message["id"], reply))
        elif isinstance(reply, dict):
            server.answer(message, reply)
        else:
            reply(server, message)

    return act


LEGACY: Mapping[str, Reply] = {"initialize": INITIALIZED}
MODERN: Mapping[str, Reply] = {"server/discover": DISCOVERED}


class FakeConnector:
    """Opens links to fakes: the first connection by the first script, the last script for ever."""

    is_duplex = True

    def __init__(self, *acts: Act) -> None:
        self.servers: list[FakeServer] = []
        self.opened: asyncio.Queue[FakeServer] = asyncio.Queue()
        self._acts: Sequence[Act] = acts

    async def connect(self, hear: Hear, ended: Ended) -> DuplexLink:
        await asyncio.sleep(0)
        link = DuplexLink("fake", hear, ended)
        act = self._acts[min(len(self.servers), len(self._acts) - 1)]
        server = FakeServer(act, link.receive, link.closed)
        self.servers.append(server)
        self.opened.put_nowait(server)
        link.attach(server)
        return link


def connected(act: Act, listener: Listener | None = None) -> tuple[DuplexLink, FakeServer]:
    """Return an open link and the fake behind it; what belongs to no exchange goes to `listener`."""

    def hear(message: JSONObject) -> None:
        if listener is not None:
            listener.notify(message["method"], message)

    def ended(reason: UpstreamFailed) -> None:
        if listener is not None:
            listener.notify("ended", {"reason": reason.message})

    link = DuplexLink("fake", hear, ended)
    server = FakeServer(act, link.receive, link.closed)
    link.attach(server)
    return link, server


class HTTPRequest:
    """One request as a scripted HTTP server got it; header names in lower case."""

    def __init__(self, raw: bytes, peer: Peer) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        self.verb, self.path, _ = first.split(" ")
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (field.partition(":") for field in fields)
        }
        self.peer = peer

    @property
    def message(self) -> Any:
        return loads(self.body)

    async def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a whole answer; `content_type` and the like become headers."""
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.peer.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def result(self, value: JSONObject, **headers: str) -> None:
        body = dumps(jsonrpc.result(self.message["id"], value))
        await self.reply(200, body, content_type="application/json", **headers)

    async def failure(self, status: int, fault: RPCError, **headers: str) -> None:
        body = dumps(jsonrpc.failure(self.message["id"], fault))
        await self.reply(status, body, content_type="application/json", **headers)

    async def stream(self, *events: bytes) -> None:
        """Answer with an event stream that ends well after these events."""
        await self.begin_stream(*events)
        await self.peer.send(b"0\r\n\r\n")

    async def begin_stream(self, *events: bytes) -> None:
        head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await self.peer.send(head)
        await self.go_on(*events)

    async def go_on(self, *events: bytes) -> None:
        for event in events:
            await self.peer.send(b"%x\r\n%s\r\n" % (len(event), event))


Handler: TypeAlias = Callable[[HTTPRequest], Awaitable[None]]


def answering(handler: Handler, seen: list[HTTPRequest] | None = None) -> Script:
    """Handle each request of a connection; `seen` collects them all."""

    async def script(peer: Peer) -> None:
        while raw := await peer.request():
            request = HTTPRequest(raw, peer)
            if seen is not None:
                seen.append(request)
            await handler(request)

    return script
