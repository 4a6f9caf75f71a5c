"""Two real servers, one relaying to the other: a front on a port, a peer on a Unix socket."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from interlock.errors import InterlockError
from interlock.gateway.http import (
    ClientGone,
    Receive,
    Scope,
    Send,
    headers_of,
    read_body,
    send_body,
    send_failure,
)
from interlock.gateway.listener import guarded_protocol
from interlock.gateway.relay import Relay, received
from interlock.settings import GatewaySettings

DEADLINE = 60.0  # seconds; the machine may be slow
LIMIT = 64 * 1024 * 1024
FRONT, PEER = 1, 0
HERE = b"127.0.0.1"

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """A request as the peer had it."""

    scope: Scope
    body: bytes

    def values(self, name: str) -> list[bytes]:
        """Return the values of a header, in their order."""
        return [value for each, value in self.scope["headers"] if each == name.encode()]


@dataclass(slots=True)
class Pair:
    """The front's address, the relay that it uses, and what became of the requests there."""

    port: int
    relay: Relay
    seen: list[Seen] = field(default_factory=list[Seen])
    ends: asyncio.Queue[bool | InterlockError] = field(
        default_factory=asyncio.Queue[bool | InterlockError]
    )

    async def front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay a request, as the endpoints do."""
        try:
            body = await read_body(headers_of(scope), receive, LIMIT)
            self.ends.put_nowait(await self.relay.send(PEER, scope, body, receive, send))
        except InterlockError as fault:
            self.ends.put_nowait(fault)
            await send_failure(send, fault, 7, "r1")
        except ClientGone:
            return

    def client(self) -> httpx2.AsyncClient:
        """Return a client of the front."""
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE)

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes to the front and return all that it sends until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(DEADLINE):
                return await reader.read()
        finally:
            await _end(writer)


@asynccontextmanager
async def relaying(app: App) -> AsyncIterator[Pair]:
    """Relay to an ASGI application, which sees its requests as they were `received`."""
    async with _relaying() as (pair, path):

        async def peer(scope: Scope, receive: Receive, send: Send) -> None:
            scope = received(scope)

            async def seen() -> Any:
                message = await receive()
                if message["type"] == "http.request":
                    pair.seen[-1].body += message.get("body", b"")
                return message

            pair.seen.append(Seen(scope, b""))
            await app(scope, seen, send)

        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(path)
        async with _served(peer, listening):
            yield pair


@asynccontextmanager
async def relaying_to(script: Script | None) -> AsyncIterator[Pair]:
    """Relay to a peer that answers each connection by script, or to none at all."""
    async with _relaying() as (pair, path):
        if script is None:
            yield pair
            return
        talks: list[asyncio.Task[None]] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await script(reader, writer)
            finally:
                await _end(writer)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.append(asyncio.create_task(talk(reader, writer)))

        async with await asyncio.start_unix_server(accept, path):
            yield pair
            async with asyncio.timeout(DEADLINE):
                await pair.relay.close()
                await asyncio.gather(*talks)


@asynccontextmanager
async def _relaying() -> AsyncIterator[tuple[Pair, str]]:
    async with AsyncExitStack() as stack:
        # A socket's path is short, and pytest's own folders are deep.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ilk-"))
        path = str(Path(folder) / "0.sock")
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        pair = Pair(listening.getsockname()[1], Relay(FRONT, [path]))
        stack.push_async_callback(pair.relay.close)
        await stack.enter_async_context(_served(pair.front, listening))
        await stack.enter_async_context(asyncio.timeout(DEADLINE))
        yield pair, path


class _Server(uvicorn.Server):
    """Says when it listens, and leaves the signals of the process to the test runner."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_open = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_open.set()


@asynccontextmanager
async def _served(app: App, listening: socket.socket) -> AsyncIterator[None]:
    config: Any = uvicorn.Config(
        app,
        interface="asgi3",
        http=guarded_protocol(GatewaySettings()),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with listening:
        serving = asyncio.create_task(server.serve([listening]))
        try:
            async with asyncio.timeout(DEADLINE):
                await server.is_open.wait()
            yield
        finally:
            server.should_exit = True
            await serving


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def answer(send: Send, body: bytes = b"ok", status: int = 200, **headers: str) -> None:
    """Send a whole answer of the peer's; `_` in the name of a header stands for `-`."""
    fields = [(name.replace("_", "-").encode(), each.encode()) for name, each in headers.items()]
    await send_body(send, status, body, fields)
