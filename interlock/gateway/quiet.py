"""Connections that are left to one long stream: no task and no parser waits while it is quiet.

Ten thousand clients may listen for hours and hear nothing. All that is kept for each of them is its
connection, how far it has read, and whom to tell when it leaves.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from interlock.gateway.streams import Stream, StreamEvent
from interlock.protocol.sse import KEEP_ALIVE

HOLD: Final = "interlock.hold"  # in a scope: the connection's own `Hold`
# A stream that is held has its connection to itself, and ends it.
CLOSE: Final = (b"connection", b"close")
MAX_STRAY = 64 * 1024  # bytes that a client may send though it was told that nothing more is read
_TICKS: Final = 30  # between two comments
_AT_ONCE: Final = 100  # comments, before others have their turn
_PAUSE: Final = 0.01  # seconds until the rest of them


class Held(Protocol):
    """A stream that an endpoint leaves to its connection, from the message after `after` on."""

    @property
    def stream(self) -> Stream:
        """The stream."""
        ...

    @property
    def after(self) -> int:
        """The number of the last message that the client has."""
        ...

    def part(self, event: StreamEvent, /) -> bytes:
        """Return a message as it is written."""
        ...

    def over(self, *, is_complete: bool) -> None:
        """Know that the stream has ended, or else that the client has left."""
        ...


# Returns False where the client has left.
Hold: TypeAlias = Callable[[Held], bool]


class QuietLines:
    """All quiet connections of a process: who is to hear a comment next, after how many seconds."""

    def __init__(self, keep_alive: float) -> None:
        self._keep_alive = keep_alive
        # In the order in which they are due.
        self._due: dict[QuietLine, float] = {}
        self._ticking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def add(self, line: "QuietLine") -> None:
        """Let a line hear a comment once it was quiet for long, counted from now."""
        loop = asyncio.get_running_loop()
        self._due.pop(line, None)
        self._due[line] = loop.time() + self._keep_alive
        if self._ticking is None:
            self._ticking = loop.call_later(self._keep_alive / _TICKS, self._tick)

    def remove(self, line: "QuietLine") -> None:
        """Forget a line."""
        self._due.pop(line, None)
        if not self._due and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now, late = loop.time(), list[QuietLine]()
        for line, due in self._due.items():
            if due > now or len(late) == _AT_ONCE:
                break
            late.append(line)
        wait = _PAUSE if len(late) == _AT_ONCE else self._keep_alive / _TICKS
        self._ticking = loop.call_later(wait, self._tick)
        for line in late:
            line.comment()


class QuietLine(asyncio.Protocol):
    """One connection whose only answer is a stream, in chunks.

    `connections` are those of the server, which closes them when it stops.
    """

    __slots__ = (
        *("_after", "_connections", "_held", "_is_paused", "_lines", "_stray", "_stuck"),
        "_transport",
    )

    def __init__(
        self,
        lines: QuietLines,
        connections: set[asyncio.Protocol],
        transport: asyncio.Transport,
        *,
        is_paused: bool,
    ) -> None:
        self._lines = lines
        self._connections = connections
        self._transport = transport
        self._is_paused = is_paused
        self._stuck = 0  # bytes that were waiting at the last comment
        self._stray = 0
        self._held: Held | None = None
        self._after = 0

    def carry(self, held: Held) -> None:
        """Write what comes on a stream until it ends."""
        self._held, self._after = held, held.after
        self._connections.add(self)
        self._lines.add(self)
        held.stream.hand_to(self)
        self.news()

    def news(self) -> None:
        """Write what the stream has, as far as the client reads it."""
        held = self._held
        if held is None:
            return
        stream = held.stream
        pending = () if self._is_paused else stream.pending(self._after)
        for event in pending:
            self._write(held.part(event))
            stream.taken(event.number)
            self._after = event.number
            if self._is_paused:
                return
        if pending:
            self._lines.add(self)
        if stream.ended and not self._is_paused and self._after >= stream.size:
            self._finish()

    def replaced(self) -> None:
        """End the answer, for another connection follows the stream now."""
        self._finish()

    def comment(self) -> None:
        """Write a comment on a quiet stream; end one whose client has read nothing since the last."""
        self._lines.add(self)
        if not self._is_paused:
            self._stuck = 0
            self._write(KEEP_ALIVE)
            return
        waiting = self._transport.get_write_buffer_size()
        if self._stuck and waiting >= self._stuck:
            self._transport.abort()
        self._stuck = waiting

    def shutdown(self) -> None:
        """Wait for the end of the stream, unless its client does not read on."""
        if self._is_paused:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Drop what a client sends: it was told that its connection ends with this answer."""
        self._stray += len(data)
        if self._stray > MAX_STRAY:
            self._transport.abort()

    def pause_writing(self) -> None:
        """Write nothing until the client has read on."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Write on."""
        self._is_paused = False
        self._stuck = 0
        self.news()

    def connection_lost(self, exc: Exception | None) -> None:
        """Know that the client has left."""
        self._connections.discard(self)
        self._leave(is_complete=False)

    def _write(self, part: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(part), part))

    def _finish(self) -> None:
        self._transport.write(b"0\r\n\r\n")
        self._transport.close()
        self._leave(is_complete=True)

    def _leave(self, *, is_complete: bool) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._lines.remove(self)
            held.stream.leave(self)
            held.over(is_complete=is_complete)
