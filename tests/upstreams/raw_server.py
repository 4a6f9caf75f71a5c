"""A real HTTP server that answers by script, byte for byte, to test odd answers."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.response import ConnectionFailed

DEADLINE = 60.0
LIMIT = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"


class Peer:
    """The server's side of one connection; `number` counts from 1 in the order of arrival."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self._reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Return the next request, or nothing once the client has ended the connection."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            _, _, length = head.partition(b"Content-Length: ")
            return head + await self._reader.readexactly(int(length.split(b"\r")[0] or b"0"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def head(self) -> bytes:
        """Return the head of the next request, and leave its body unread."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with suppress(ConnectionError):
            await self.writer.drain()

    async def end(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


class RawServer:
    """Runs one script per connection."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self.url = ""
        self.scripts: list[asyncio.Task[None]] = []
        self.stop_listening: Callable[[], None]
        self._script = script

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        peer = Peer(self.connections, reader, writer)
        self.scripts.append(asyncio.create_task(self._run(peer)))

    async def _run(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        finally:
            await peer.end()


@asynccontextmanager
async def serving(
    script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[RawServer, HTTPClient]]:
    """Serve by `script`; leaving closes the client and shows what failed in a script."""
    async with asyncio.timeout(DEADLINE):
        server = RawServer(script)
        listener = await asyncio.start_server(server.accept, host, 0, ssl=tls)
        server.stop_listening = listener.close
        port = listener.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        server.url = f"{'https' if tls else 'http'}://{shown}:{port}/"
        client = HTTPClient(**options)
        try:
            yield server, client
        except BaseException:
            for running in server.scripts:
                running.cancel()
            await asyncio.gather(*server.scripts, return_exceptions=True)
            raise
        finally:
            await client.close()
            listener.close()
        await asyncio.gather(*server.scripts)


def always(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(answer)

    return script


def once(answer: bytes) -> Script:
    """Answer one request and end the connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


def watching(answer: bytes, gone: asyncio.Event) -> Script:
    """Answer one request and set `gone` when the client ends the connection."""

    async def script(peer: Peer) -> None:
        assert await peer.request() != b""
        await peer.send(answer)
        assert await peer.request() == b""
        gone.set()

    return script


async def fetch(client: HTTPClient, url: str, **options: Any) -> bytes:
    response = await client.request("GET", url, **options)
    return await response.read(LIMIT)


async def failure_of(client: HTTPClient, url: str) -> ConnectionFailed:
    """Return how a request fails to connect."""
    with pytest.raises(ConnectionFailed) as failure:
        await client.request("POST", url, body=b"x", repeatable=True)
    return failure.value
