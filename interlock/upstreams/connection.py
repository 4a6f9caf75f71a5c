"""One HTTP/1.1 connection, and the answers that arrive on it."""

import asyncio
import select
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from interlock.errors import InterlockError, UpstreamFailed
from interlock.protocol.http_heads import split
from interlock.upstreams.response import Awaited, ConnectionFailed, HTTPResponse

MAX_HEAD: Final = 64 * 1024
MAX_PLAIN: Final = 16  # heads that a connection knows by their bytes
MAX_BUFFERED: Final = 256 * 1024
MAX_REST: Final = 64 * 1024  # bytes of an answer that are read on after what was wanted of it
REST_DEADLINE: Final = 1.0  # seconds in which it must end then

_UNUSUAL: Final = frozenset({b"transfer-encoding", b"content-encoding", b"trailer"})


class Receiver(Protocol):
    """What takes one answer as it arrives: its head, the parts of its body, and then its end.

    `waiting` is how many bytes of body were taken in and not yet passed on; a server that is faster
    is slowed down.
    """

    takes_whole: bool

    @property
    def waiting(self) -> int:
        """How many bytes wait here."""
        ...

    def whole(self, body: bytes) -> None:
        """Take JSON that came at once, status 200, in the place of all else; if it `takes_whole`."""
        ...

    def head(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Take the status and the header fields, as they came."""
        ...

    def part(self, data: bytes) -> None:
        """Take a piece of the body."""
        ...

    def end(self, error: InterlockError | None) -> None:
        """Know that the body is whole, or that `error` ended it; this may come before a head."""
        ...


class _Rest:
    """Receives what is left of an answer that nobody wants to the end."""

    takes_whole = False

    def __init__(self, connection: "Connection") -> None:
        self.waiting = 0
        self._connection = connection
        self._left = MAX_REST
        loop = asyncio.get_running_loop()
        self._ending = loop.call_later(REST_DEADLINE, connection.give_up, self)

    def whole(self, body: bytes) -> None:
        """Take nothing: the head came before."""

    def head(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Take nothing: the head came before."""

    def part(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._connection.give_up(self)

    def end(self, error: InterlockError | None) -> None:
        self._ending.cancel()


class Connection:
    """A connection that carries one exchange after another, and tells its pool how each ended.

    It is a protocol of asyncio's, but for the base class, which would keep it from being compiled.
    `freed` is called when an exchange is over and the connection can carry another; `gone` once,
    when it can carry no more.
    """

    def __init__(
        self,
        server: str,
        *,
        freed: Callable[["Connection"], None],
        gone: Callable[["Connection"], None],
    ) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.busy = False
        self.idle_since = 0.0
        self.server = server
        self._freed = freed
        self._gone = gone
        self._parser = HttpResponseParser(self)
        self._poll = select.poll()
        self._transport: asyncio.Transport
        self._reused = self._clogged = self._paused = False
        self._receiver: Receiver | None = None
        # Heads of answers of which only the body counts, without their lengths; the last as it came.
        self._plain: set[bytes] = set()
        self._last_head, self._last_size = b"", 0
        self._fields: list[tuple[bytes, bytes]]
        self._barren: int
        self._has_head: bool
        self._bodyless: bool
        self._is_dirty: bool  # whether the parser was used for the answer that is awaited
        self._heard: bool
        self._whole: bool
        self._keep_alive: bool
        self._until_close: bool
        self._reset(bodyless=False)

    async def exchange(self, message: bytes, *, bodyless: bool) -> HTTPResponse:
        """Write a whole request and return its answer as soon as the head is there.

        The answer counts even while the request is still being written, so that an early
        refusal is seen; the caller sets the deadline. `bodyless` says that the answer has no
        body whatever its headers say. Raises ConnectionFailed and UpstreamFailed.
        """
        awaited = Awaited(self, self.server)
        self.start(message, awaited, bodyless=bodyless)
        try:
            return await awaited.answer
        except asyncio.CancelledError:
            self.give_up(awaited)
            raise

    def start(self, message: bytes, receiver: Receiver, *, bodyless: bool = False) -> None:
        """Write a whole request, whose answer goes to `receiver`; otherwise as `exchange`."""
        self._receiver = receiver
        if self._is_dirty or bodyless:
            self._reset(bodyless=bodyless)
        if self._paused:
            self.resume()
        self._transport.write(message)

    def leave(self) -> None:
        """Let the rest of the answer go by, so that the connection can be used again."""
        self._receiver = _Rest(self)
        self.resume()

    def give_up(self, receiver: Receiver) -> None:
        """End the connection, unless the answer to `receiver` was whole and others have it now."""
        if self._receiver is receiver:
            self.abort()

    def is_closing(self) -> bool:
        """Say whether the connection has ended, or is about to."""
        return self._transport.is_closing()

    def is_quiet(self) -> bool:
        """Say whether an idle connection is open and silent, looking past the event loop.

        Anything that waits to be read can only be the end of the stream or an answer that
        nobody asked for.
        """
        return not self.is_closing() and not self._poll.poll(0)

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def resume(self) -> None:
        """Go on reading after the buffered part of a body was taken."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connected transport."""
        self._transport = cast("asyncio.Transport", transport)
        # What comes before the first request waits for it, to be seen as an early answer to it.
        self._paused = True
        self._transport.pause_reading()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way and tell the pool."""
        self._end(self._break())
        self.lost.set_result(None)
        self._gone(self)

    def eof_received(self) -> None:
        """Complete a body that lasts until the end of the stream; answer the end with ours."""
        if self._until_close:
            self._end(None)
        # A mere close would wait for a server that does not read what is still unsent.
        self.abort()

    def pause_writing(self) -> None:
        """Note that part of the request is unsent."""
        self._clogged = True

    def resume_writing(self) -> None:
        """Note that the request is sent, but for a little."""
        self._clogged = False

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; bytes that nobody asked for end the connection."""
        receiver = self._receiver
        if receiver is None:
            self.abort()
            return
        if receiver.takes_whole and not self._is_dirty and self._is_taken(receiver, data):
            return
        is_first = not self._heard
        self._heard = self._is_dirty = True
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._keep_alive = False
            if not self._whole:
                self._end(UpstreamFailed(f"{self.server} did not answer in HTTP/1.1: {error}."))
                self.abort()
                return
        if self._whole:
            if is_first:
                self._learn(data)
            self._complete()
        elif not self._paused and receiver.waiting > MAX_BUFFERED:
            self._paused = True
            self._transport.pause_reading()

    def on_message_begin(self) -> None:
        """Refuse reuse where another answer follows unasked."""
        if self._whole:
            self._keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers come too late to be seen."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand out the answer, unless it is only an interim one or one that nobody asked for."""
        if self._whole:
            return
        status = self._parser.get_status_code()
        if status < HTTPStatus.OK:
            self._fields.clear()
            return
        self._barren = 0
        self._has_head = True
        self._keep_alive = self._parser.should_keep_alive() and not self._bodyless
        self._whole = self._bodyless
        self._until_close = not _has_length(self._fields)
        if self._receiver is not None:
            self._receiver.head(status, tuple(self._fields))

    def on_body(self, data: bytes) -> None:
        """Pass a piece of the body on."""
        self._barren = 0
        if self._receiver is not None and self._has_head and not self._whole:
            self._receiver.part(data)

    def on_message_complete(self) -> None:
        """Note that the answer is whole; the rest is done once all bytes are parsed."""
        self._whole = self._has_head

    def _feed(self, data: bytes) -> None:
        # Heads, chunk extensions and trailers are bounded alike, by counting what is fed without
        # a byte of body coming out.
        view = memoryview(data)
        while view and not self._whole:
            piece = view[: MAX_HEAD - self._barren]
            self._barren += len(piece)
            self._parser.feed_data(piece)
            if self._barren >= MAX_HEAD and not self._whole:
                raise HttpParserError(f"its headers are over {MAX_HEAD} bytes")
            view = view[len(piece) :]
        if view:
            self._keep_alive = False

    def _is_taken(self, receiver: Receiver, data: bytes) -> bool:
        """Pass on an answer that came at once, with a head that was read before; False for others.

        The parser sees nothing of it.
        """
        if len(data) != self._last_size or not data.startswith(self._last_head):
            parts = split(data)
            if parts is None or parts[0] not in self._plain:
                return False
            self._last_head, self._last_size = data[: len(data) - len(parts[1])], len(data)
        self._receiver = None
        receiver.whole(data[len(self._last_head) :])
        self._keep_alive = True
        self._hand_back()
        return True

    def _is_plain(self) -> bool:
        """Tell whether all that counts of an answer like this one is its body."""
        names = [name.lower() for name, _ in self._fields]
        kinds = [value for name, value in self._fields if name.lower() == b"content-type"]
        return (
            self._keep_alive
            and self._parser.get_status_code() == HTTPStatus.OK
            and names.count(b"content-length") == 1
            and _UNUSUAL.isdisjoint(names)
            and len(kinds) == 1
            and kinds[0].lower().startswith(b"application/json")
        )

    def _learn(self, data: bytes) -> None:
        """Remember the head of an answer that came at once, if its body is all that counts of it."""
        parts = split(data) if self._is_plain() else None
        if parts is not None:
            if len(self._plain) >= MAX_PLAIN:
                self._plain.clear()
            self._plain.add(parts[0])

    def _complete(self) -> None:
        self._end(None)
        self._hand_back()

    def _hand_back(self) -> None:
        if not self._keep_alive or self._clogged or self._transport.is_closing():
            self.abort()
            return
        self._reused = True
        self._freed(self)

    def _end(self, error: InterlockError | None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.end(error)

    def _break(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"The connection to {self.server} broke before its answer was whole.",
            sent=True,
            stale=self._reused and not self._heard,
        )

    def _reset(self, *, bodyless: bool) -> None:
        self._fields = []
        self._has_head = False
        self._bodyless = bodyless
        self._barren = 0
        self._is_dirty = False
        self._heard = self._whole = self._keep_alive = self._until_close = False


def _has_length(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether an answer says where its body ends."""
    names = {name.lower(): value for name, value in fields}
    coding = names.get(b"transfer-encoding", b"").rpartition(b",")[2]
    return b"content-length" in names or coding.strip().lower().endswith(b"chunked")
