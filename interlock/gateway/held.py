"""Streams that are the only answer of their request, as the connections that follow them know them."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock.gateway.call import Trace
from interlock.gateway.clients import ClientSession
from interlock.gateway.entry import Entry
from interlock.gateway.listening import Listen
from interlock.gateway.modern import ModernClients
from interlock.gateway.streams import Stream, StreamEvent
from interlock.protocol.sse import encode


@dataclass(slots=True)
class HeldStream:
    """A stream from the message after `after` on; its record is written when it is over."""

    stream: Stream
    after: int
    trace: Trace
    entry: Entry

    def part(self, event: StreamEvent, /) -> bytes:
        """Return a message as it is written."""
        return part_of(self.trace, self.stream, event)

    def over(self, *, is_complete: bool) -> None:
        """Write the record."""
        self.entry.close(self.trace)


@dataclass(slots=True)
class HeldGet(HeldStream):
    """A stream of a session that a GET follows."""

    session: ClientSession

    def over(self, *, is_complete: bool) -> None:
        """Count the session as used until now."""
        self.session.touch()
        self.entry.close(self.trace)


@dataclass(slots=True)
class HeldConnection(HeldStream):
    """The one stream of a client of the older transport; `left` ends what belongs to it."""

    left: Callable[[], None]

    def over(self, *, is_complete: bool) -> None:
        """End the session."""
        self.left()
        self.entry.close(self.trace)


@dataclass(slots=True)
class HeldListen(HeldStream):
    """A stream of changes that a client of the modern era asked for."""

    clients: ModernClients
    listen: Listen

    def over(self, *, is_complete: bool) -> None:
        """Listen no more."""
        if not is_complete:
            # Closing the connection is how a modern client cancels its request.
            self.trace.outcome = "cancelled"
        self.clients.leave(self.listen)
        self.entry.close(self.trace)


def part_of(trace: Trace, stream: Stream, event: StreamEvent) -> bytes:
    """Return a message of a stream as an event, counted in the trace."""
    trace.response_bytes += len(event.data)
    event_id = f"{stream.id}-{event.number}" if stream.id else None
    return encode(event.data, event="message", event_id=event_id)
