"""The stored events with which a handshake-era client resumes a stream that broke off."""

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp_types import JSONRPCMessage


class EventLog(EventStore):
    """Every event since the start, in order; an event's number is its identifier."""

    def __init__(self) -> None:
        self._events: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep an event; one without a message marks where a stream begins."""
        self._events.append((stream_id, message))
        return str(len(self._events) - 1)

    async def replay_events_after(
        self, last_event_id: EventId, send_callback: EventCallback
    ) -> StreamId | None:
        """Send again what followed `last_event_id` on its stream."""
        if not last_event_id.isdecimal() or int(last_event_id) >= len(self._events):
            return None
        last = int(last_event_id)
        stream_id = self._events[last][0]
        for number in range(last + 1, len(self._events)):
            stream, message = self._events[number]
            if stream != stream_id:
                continue
            # A stream is named by its request's id, which other sessions use again.
            if message is None:
                break
            await send_callback(EventMessage(message, str(number)))
        return stream_id
