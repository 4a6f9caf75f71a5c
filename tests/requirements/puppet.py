"""An MCP server over HTTP that does what a test tells it, and keeps all that it was sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from interlock.errors import RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps
from interlock.protocol.sse import encode
from tests.upstreams.fakes import HTTPRequest, answering
from tests.upstreams.raw_server import DEADLINE, RawServer

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
REGION = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}
CAPABILITIES: JSONObject = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "logging": {},
    "completions": {},
}
LISTS: dict[str, list[JSONObject]] = {
    "tools": [
        {"name": "act", "inputSchema": {"type": "object"}},
        {"name": "mirrored", "inputSchema": REGION},
    ],
    "prompts": [{"name": "greet"}],
    "resources": [{"uri": "test://text", "name": "text"}],
    "resourceTemplates": [{"uriTemplate": "test://item/{id}", "name": "item"}],
}
OF_LEGACY = {"initialize", "ping"}
OF_MODERN = {"server/discover", "subscriptions/listen"}
DONE: JSONObject = {"content": []}

Act = Callable[[HTTPRequest], Awaitable[None]]


def event(message: JSONObject) -> bytes:
    """Write a message as an event of a stream."""
    return encode(dumps(message))


class Puppet:
    """The server; `acts` are what a test has it do with requests of a method."""

    def __init__(self, era: str) -> None:
        self.is_modern = era == "modern"
        self.url = ""
        self.acts: dict[str, Act] = {}
        self.seen: list[HTTPRequest] = []
        self.lists = dict(LISTS)
        self.capabilities = dict(CAPABILITIES)
        self._streams: dict[Any, HTTPRequest] = {}
        self._answers: dict[str, asyncio.Future[JSONObject]] = {}
        self._numbers = count(1)
        self._opened = asyncio.Event()

    def received(self, method: str) -> list[HTTPRequest]:
        """Return the requests and notifications of a method that came so far."""
        posted = [each for each in self.seen if each.verb == "POST"]
        return [each for each in posted if each.message.get("method") == method]

    async def ask(self, request: HTTPRequest, method: str, params: JSONObject) -> JSONObject:
        """Send the client a request on the stream of its own one; return what it answers."""
        name = f"q{next(self._numbers)}"
        self._answers[name] = asyncio.get_running_loop().create_future()
        await request.begin_stream(event(jsonrpc.request(name, method, params)))
        return await self._answers[name]

    async def end_stream(self, request: HTTPRequest, result: JSONObject) -> None:
        """End the stream of a request with its result."""
        await request.go_on(event(jsonrpc.result(request.message["id"], result)))
        await request.peer.send(b"0\r\n\r\n")

    async def say(self, method: str, **params: Any) -> None:
        """Send a notification on every stream that is open for such."""
        for key, stream in tuple(self._streams.items()):
            tag = {"_meta": {SUBSCRIPTION: key}} if self.is_modern else {}
            await stream.go_on(event(jsonrpc.notification(method, {**params, **tag})))

    async def say_to(self, session: str, method: str, **params: Any) -> None:
        """Send a notification on the stream of one session."""
        await self._streams[session].go_on(event(jsonrpc.notification(method, params)))

    async def opened(self, session: str) -> None:
        """Wait until a session has a stream of its own."""
        async with asyncio.timeout(DEADLINE):
            while session not in self._streams:
                self._opened.clear()
                await self._opened.wait()

    async def handle(self, request: HTTPRequest) -> None:
        """Serve one request."""
        if request.verb == "GET":
            await self._hold(request, request.headers.get("mcp-session-id"))
        elif request.verb == "DELETE":
            await request.reply(204)
        elif "method" not in request.message:
            self._answers.pop(request.message["id"]).set_result(request.message)
            await request.reply(202)
        elif request.message["method"] in self.acts:
            await self.acts[request.message["method"]](request)
        elif "id" not in request.message:
            await request.reply(202)
        else:
            await self._answer(request)

    async def _hold(self, request: HTTPRequest, key: Any, *events: bytes) -> None:
        """Keep a stream open until its client leaves."""
        await request.begin_stream(b": open\n\n", *events)
        self._streams[key] = request
        self._opened.set()
        await request.peer.request()
        self._streams.pop(key, None)

    async def _answer(self, request: HTTPRequest) -> None:
        method, params = request.message["method"], request.message.get("params", {})
        kind = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources"}
        if method in (OF_LEGACY if self.is_modern else OF_MODERN):
            await request.failure(404, RPCError(jsonrpc.METHOD_NOT_FOUND, "Method not found"))
        elif method == "initialize":
            session = f"session-{next(self._numbers)}"
            await request.result(self._introduction(), mcp_session_id=session)
        elif method == "server/discover":
            await request.result(self._introduction())
        elif method == "subscriptions/listen":
            key = request.message["id"]
            told = {"notifications": params["notifications"], "_meta": {SUBSCRIPTION: key}}
            method = "notifications/subscriptions/acknowledged"
            await self._hold(request, key, event(jsonrpc.notification(method, told)))
        elif method.endswith("/list"):
            key = kind.get(method, "resourceTemplates")
            await request.result({key: self.lists[key], **self.complete()})
        else:
            await request.result({**DONE, **self.complete()})

    def complete(self) -> JSONObject:
        """Return what this era adds to every result."""
        hints = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}
        return hints if self.is_modern else {}

    def _introduction(self) -> JSONObject:
        facts: JSONObject = {"capabilities": self.capabilities}
        if self.is_modern:
            return {**facts, "supportedVersions": ["2026-07-28"], **self.complete()}
        info = {"name": "puppet", "version": "1"}
        return {**facts, "protocolVersion": "2025-11-25", "serverInfo": info}


@asynccontextmanager
async def serving(puppet: Puppet) -> AsyncIterator[Puppet]:
    """Let a puppet serve until the block ends."""
    server = RawServer(answering(puppet.handle, puppet.seen))
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    puppet.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/mcp"
    try:
        yield puppet
    finally:
        listener.close()
        for script in server.scripts:
            script.cancel()
        async with asyncio.timeout(DEADLINE):
            ended = await asyncio.gather(*server.scripts, return_exceptions=True)
        assert not [each for each in ended if isinstance(each, Exception)], ended
