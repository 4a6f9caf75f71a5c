"""The answer to an HTTP request as a caller awaits and reads it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from interlock.errors import InterlockError, TooLarge, UpstreamUnavailable


class ConnectionFailed(UpstreamUnavailable):
    """A server could not be reached, or its connection broke before the answer was whole.

    `sent` is False where certainly no byte of the request reached the server. `stale` says that
    the connection had served before and broke without a byte of this answer, as happens when a
    server ends an idle connection just as it is used again.
    """

    def __init__(self, message: str, *, sent: bool, stale: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.stale = stale

    def at(self, server: str) -> "ConnectionFailed":
        """Return the same failure in words that name the server."""
        return ConnectionFailed(f"{server}: {self.message}", sent=self.sent, stale=self.stale)


class HTTPResponse:
    """An answer whose head has arrived; one reader takes its body, by `read` or by `chunks`.

    `headers` have lower-case names; the values of a repeated one are joined by ", ". `fields` are
    the same one by one, as they came. Whoever does not read to the end must `close`. A read that
    is cancelled ends the connection, which tells the server that nobody waits any more.
    """

    __slots__ = ("_body", "fields", "headers", "status")

    def __init__(self, status: int, fields: Sequence[tuple[bytes, bytes]], body: "Body") -> None:
        self.status = status
        self.fields = fields
        self.headers: Mapping[str, str] = headers_from(fields)
        self._body = body

    async def read(self, limit: int) -> bytes:
        """Return the whole body, of at most `limit` bytes.

        Raises TooLarge, UpstreamFailed where the rest is not HTTP, and ConnectionFailed where
        the connection breaks; each ends the connection.
        """
        parts: list[bytes] = []
        size = 0
        while part := await self._body.take():
            size += len(part)
            if size > limit:
                self._body.drop()
                raise TooLarge(f"The answer of {self._body.server} is over {limit} bytes.")
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body as it arrives; the server is slowed to the pace of the reader.

        Leaving before the end ends the connection. Raises like `read`, save TooLarge.
        """
        try:
            while part := await self._body.take():
                yield part
        finally:
            self._body.drop()

    def leave(self) -> None:
        """Want nothing more of the body; the connection is used again if it ends soon."""
        self._body.leave()

    async def close(self) -> None:
        """End the connection unless the body has arrived whole; safe to call twice."""
        self._body.drop()


class Body:
    """The bytes of one answer on their way from the connection to the reader."""

    __slots__ = ("_connection", "_error", "_parts", "_waiter", "server", "size")

    def __init__(self, connection: "Flow", server: str) -> None:
        self.server = server
        self.size = 0
        self._connection: Flow | None = connection
        self._parts: list[bytes] = []
        self._error: InterlockError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._parts.append(data)
        self.size += len(data)
        self._wake()

    def end(self, error: InterlockError | None) -> None:
        """Say that nothing more comes, because the body is whole or because of `error`."""
        if self._connection is None:
            return
        self._connection = None
        self._error = error
        self._wake()

    async def take(self) -> bytes:
        """Wait for bytes and return all that are there; empty at the end of the body."""
        if not self._parts and self._connection is not None:
            await self._arrival()
        if self._parts:
            data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self.size = 0
            if self._connection is not None:
                self._connection.resume()
            return data
        if self._error is not None:
            raise self._error
        return b""

    def drop(self) -> None:
        """End the connection unless the body has arrived whole."""
        if self._connection is None:
            return
        connection = self._connection
        self._parts.clear()
        self.end(ConnectionFailed(f"The answer of {self.server} was closed early.", sent=True))
        connection.abort()

    def leave(self) -> None:
        """Let the rest go by, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._parts.clear()
            connection.leave()

    async def _arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.drop()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Flow(Protocol):
    """The connection that an answer comes on."""

    def abort(self) -> None:
        """End the connection at once."""
        ...

    def resume(self) -> None:
        """Go on reading after the buffered part of a body was taken."""
        ...

    def leave(self) -> None:
        """Let the rest of the answer go by, so that the connection can be used again."""
        ...


class Awaited:
    """Receives an answer for a caller that awaits it."""

    __slots__ = ("_body", "_connection", "_server", "answer")
    takes_whole = False

    def __init__(self, connection: Flow, server: str) -> None:
        self.answer: asyncio.Future[HTTPResponse] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self._server = server
        self._body: Body | None = None

    @property
    def waiting(self) -> int:
        """How many bytes the caller has not taken."""
        return self._body.size if self._body is not None else 0

    def whole(self, body: bytes) -> None:
        """Take nothing: who awaits an answer wants to see its head."""

    def head(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Give the caller the answer, whose body follows."""
        self._body = Body(self._connection, self._server)
        if not self.answer.done():
            self.answer.set_result(HTTPResponse(status, fields, self._body))

    def part(self, data: bytes) -> None:
        """Add a piece of the body."""
        if self._body is not None:
            self._body.feed(data)

    def end(self, error: InterlockError | None) -> None:
        """End the body, or the wait for an answer."""
        if self._body is not None:
            self._body.end(error)
        elif error is not None and not self.answer.done():
            self.answer.set_exception(error)


def headers_from(fields: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return header fields by lower-case name; the values of a repeated one joined by ", "."""
    pairs = [
        (name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in fields
    ]
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        values[name].append(value)
    return {name: ", ".join(found) for name, found in values.items()}
