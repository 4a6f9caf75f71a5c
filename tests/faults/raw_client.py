"""A client that sends bytes as a test wrote them, and reads what comes back as answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.faults.stage import SECONDS, Stage


def head(line: str, key: str, *fields: str) -> bytes:
    """Return the head of a request to an endpoint, with these further fields, to the empty line."""
    usual = ("Host: 127.0.0.1", f"Authorization: Bearer {key}", "Content-Type: application/json")
    accept = "Accept: application/json, text/event-stream"
    return "\r\n".join((line, *usual, accept, *fields, "", "")).encode("latin-1")


def post(path: str, key: str, body: bytes, *fields: str) -> bytes:
    """Return a whole POST."""
    return head(f"POST {path} HTTP/1.1", key, *fields, f"Content-Length: {len(body)}") + body


@dataclass(slots=True)
class Spoken:
    """What came back on one connection until the server closed it."""

    statuses: list[int] = field(default_factory=list)
    last: bytes = b""


@dataclass(slots=True)
class RawClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, parts: bytes | Iterable[bytes]) -> None:
        """Send until all is sent, or the server has closed the connection."""
        with suppress(ConnectionError):
            for part in (parts,) if isinstance(parts, bytes) else parts:
                self.writer.write(part)
                await self.writer.drain()

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Return the status, head and body of the next answer; 0 where the connection has ended.

        Of an answer in chunks the body is left to be read.
        """
        try:
            async with asyncio.timeout(SECONDS):
                found = await self.reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in found.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b"", b""
        return int(found.split(b" ")[1]), found, body

    async def until(self, mark: bytes) -> None:
        """Read until something has come."""
        async with asyncio.timeout(SECONDS):
            await self.reader.readuntil(mark)

    async def all(self) -> Spoken:
        """Read every answer until the server closes the connection."""
        spoken = Spoken()
        while True:
            status, _, body = await self.answer()
            if not status:
                return spoken
            spoken.statuses.append(status)
            spoken.last = body


@asynccontextmanager
async def raw(on: Stage) -> AsyncIterator[RawClient]:
    """Open a connection to the gateway."""
    port = int(on.gateway.address.rpartition(":")[2])
    async with asyncio.timeout(SECONDS):
        client = RawClient(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()


async def spoken(on: Stage, parts: bytes | Iterable[bytes]) -> Spoken:
    """Send bytes on a connection of their own; return all answers, once the server closed it."""
    async with raw(on) as client:
        sending = asyncio.create_task(client.send(parts))
        try:
            return await client.all()
        finally:
            sending.cancel()
            await asyncio.wait({sending})
