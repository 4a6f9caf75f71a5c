"""A remote MCP server over real sockets whose mood a test changes: it refuses, drops, or is silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps
from tests.upstreams.fakes import DISCOVERED, INITIALIZED, HTTPRequest, answering
from tests.upstreams.raw_server import RawServer

READING = {"name": "look_up", "inputSchema": {}, "annotations": {"readOnlyHint": True}}
WRITING = {"name": "store", "inputSchema": {}}
DONE: JSONObject = {"content": [{"type": "text", "text": "done"}]}

Mood: TypeAlias = Callable[[HTTPRequest], Awaitable[None]]


class MoodyServer:
    """Speaks one era; `mood` answers tool calls, and all else too where it is `grave`."""

    def __init__(self, era: str) -> None:
        self.era = era
        self.mood: Mood = well
        self.is_grave = False
        self.requests: list[JSONObject] = []
        self.url = ""
        self._changed = asyncio.Event()

    @property
    def calls(self) -> int:
        """How many tool calls arrived."""
        return self.count("tools/call")

    def count(self, method: str) -> int:
        """How many messages of a method arrived."""
        return sum(each.get("method") == method for each in self.requests)

    async def until(self, method: str, number: int) -> None:
        """Wait until so many messages of a method have arrived."""
        while self.count(method) < number:
            self._changed.clear()
            await self._changed.wait()

    def turn(self, mood: Mood, *, is_grave: bool = False) -> None:
        """Change the mood."""
        self.mood, self.is_grave = mood, is_grave

    async def handle(self, request: HTTPRequest) -> None:
        """Answer one request."""
        message: JSONObject = request.message if request.body else {}
        self.requests.append(message)
        self._changed.set()
        method = message.get("method")
        if self.is_grave or method == "tools/call":
            await self.mood(request)
        elif request.verb != "POST":
            await request.reply(405)
        elif "id" not in message:
            await request.reply(202)
        elif method in {"initialize", "server/discover"}:
            await self._greet(request, method)
        elif method == "tools/list":
            await request.result({"tools": [READING, WRITING]})
        else:
            await request.result({})

    async def _greet(self, request: HTTPRequest, method: str) -> None:
        if (method == "initialize") != (self.era == "legacy"):
            await request.reply(400)
        elif method == "initialize":
            await request.result(INITIALIZED, mcp_session_id="one")
        else:
            await request.result(DISCOVERED)


@asynccontextmanager
async def moody(era: str = "modern") -> AsyncIterator[MoodyServer]:
    """Serve on a free port for as long as the block runs."""
    server = MoodyServer(era)
    raw = RawServer(answering(server.handle))
    listener = await asyncio.start_server(raw.accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/mcp"
    try:
        yield server
    finally:
        listener.close()
        for script in raw.scripts:
            script.cancel()
        await asyncio.gather(*raw.scripts, return_exceptions=True)


async def well(request: HTTPRequest) -> None:
    """Answer as one should."""
    await request.result(DONE)


def refusing(status: int, *, retry_after: str | None = None) -> Mood:
    """Answer with an HTTP status and nothing more, or when to come back."""

    async def refuse(request: HTTPRequest) -> None:
        if retry_after is None:
            await request.reply(status)
        else:
            await request.reply(status, retry_after=retry_after)

    return refuse


async def silent(request: HTTPRequest) -> None:
    """Accept and never answer, until the client leaves."""
    assert await request.peer.request() == b""


async def breaking_off(request: HTTPRequest) -> None:
    """End the connection in the middle of the body."""
    head = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    await request.peer.send(head + b'{"jsonrpc":')
    await request.peer.end()


async def dropping_the_stream(request: HTTPRequest) -> None:
    """Begin a stream and end the connection before the answer."""
    await request.begin_stream(b": here it comes\n\n")
    await request.peer.end()


async def ending_the_stream(request: HTTPRequest) -> None:
    """End a stream in good order, but without the answer."""
    await request.stream(b": here it comes\n\n")


def telling_progress_then(mood: Mood) -> Mood:
    """Let the client hear of its call before it fails."""

    async def tell(request: HTTPRequest) -> None:
        token: Any = request.message["params"]["_meta"]["progressToken"]
        params = {"progressToken": token, "progress": 1}
        progress = dumps(jsonrpc.notification("notifications/progress", params))
        await request.begin_stream(b"data: " + progress + b"\n\n")
        await mood(request)

    return tell


def by_turns(*moods: Mood) -> Mood:
    """Take another mood for each request, and begin anew after the last."""
    turn = 0

    async def take_turns(request: HTTPRequest) -> None:
        nonlocal turn
        turn += 1
        await moods[(turn - 1) % len(moods)](request)

    return take_turns
