"""A client's connection in the fast lane: common requests are taken from it, and answered on it.

Nothing here parses: a head is known by its bytes, and what is not known is left to the listener.
"""

import asyncio
import time
from typing import Any, Final, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from interlock.gateway.fast_call import FastCall
from interlock.gateway.fast_lane import FastLane
from interlock.gateway.heads import Head
from interlock.gateway.http import JSON_TYPE, VARY
from interlock.protocol.http_heads import split

_now: Final = time.monotonic


class Listener(Protocol):
    """What reads the requests of a connection that are not common ones, and runs the application.

    `cycle` is what answers the last request; the call of the fast lane stands for it, for all that
    looks at one.
    """

    cycle: Any
    scope: Any
    server_state: ServerState

    @property
    def is_whole(self) -> bool:
        """Whether the request that was read last has come whole, and its connection is open."""
        ...

    @property
    def is_clear(self) -> bool:
        """Whether nothing was read of the next request, and every earlier one is answered."""
        ...

    def parse(self, data: bytes) -> None:
        """Read a piece of a request."""
        ...

    def await_nothing(self) -> None:
        """Know that a whole request was read, for which no deadline counts any more."""
        ...

    def go_on(self) -> None:
        """Serve the request that waits in line, or wait for one to come."""
        ...

    def replay(self, call: FastCall, data: bytes) -> bool:
        """Let the general lane serve a request; False where it cannot."""
        ...

    def carry_on(self, call: FastCall) -> None:
        """Let the general lane deliver what a call still brings."""
        ...


class FastLine:
    """One connection; `quiet_since` is when it was last answered here, on the clock `time.monotonic`."""

    def __init__(self, lane: FastLane, listener: Listener) -> None:
        self.address = ""
        self.quiet_since = 0.0
        self._lane = lane
        self._listener = listener
        self._state = listener.server_state
        self._transport: asyncio.Transport
        self._flow: FlowControl
        # The call that was taken last, and whether all is set for the next one; unless the listener
        # has read something since.
        self._call: FastCall | None = None
        self._is_set = False
        # The head that was read last, as it came, and how long a request with it was.
        self._head: Head | None = None
        self._head_bytes, self._size = b"", 0
        self._fields = b""
        self._written_for: list[tuple[bytes, bytes]] | None = None

    def open(self, transport: asyncio.Transport, flow: FlowControl, address: str) -> None:
        """Know the connection, before anything arrives on it; `address` is the client's host."""
        self._transport, self._flow, self.address = transport, flow, address

    def data_received(self, data: bytes) -> None:
        """Take the request that begins here, or let the listener read on."""
        last, head = self._call, self._head
        is_clear = last.response_complete if last is not None else self._listener.is_clear
        # A client that does not read its answers must not have more of them written.
        if not is_clear or self._flow.write_paused:
            self._parse(data)
            return
        if head is None or len(data) != self._size or not data.startswith(self._head_bytes):
            head = self._find_head(data)
            if head is None:
                return
        call = self._lane.take(head, data[len(self._head_bytes) :], data, self)
        if call is None:
            self._parse(data)
            return
        if last is None:
            self._listener.await_nothing()
        self._call = self._listener.cycle = call

    def answer(self, call: FastCall, status: int, body: bytes) -> None:
        """Write a whole answer, and take the next request."""
        call.response_complete = True
        state, transport = self._state, self._transport
        state.total_requests += 1
        if transport.is_closing():
            return
        if state.default_headers is not self._written_for:
            self._write_fields(state.default_headers)
        first, own = STATUS_LINE[status], call.request_id.encode()
        end = b"" if call.keep_alive else b"connection: close\r\n"
        transport.write(
            b"%b%b%b\r\ncontent-length: %d\r\n%b\r\n%b"
            % (first, self._fields, own, len(body), end, body)
        )
        self.quiet_since = _now()
        if not call.keep_alive:
            transport.close()
        elif not self._is_set:
            self._is_set = self._call is call
            self._listener.go_on()

    def replay(self, call: FastCall, data: bytes) -> bool:
        """Let the general lane serve the request, unless another came meanwhile."""
        self._leave()
        return self._listener.replay(call, data)

    def carry_on(self, call: FastCall) -> None:
        """Let the general lane deliver what a call still brings."""
        self._leave()
        self._listener.carry_on(call)

    def _find_head(self, data: bytes) -> Head | None:
        """Return what is known of the head of a request; one that is not, the listener reads."""
        parts = split(data)
        head = self._lane.known(parts[0]) if parts is not None else None
        if parts is not None and head is not None:
            self._head, self._size = head, len(data)
            self._head_bytes = data[: len(data) - len(parts[1])]
            return head
        self._parse(data)
        if parts is not None and self._listener.is_whole:
            self._lane.learn(parts[0], self._listener.scope)
        return None

    def _parse(self, data: bytes) -> None:
        self._leave()
        self._listener.parse(data)

    def _leave(self) -> None:
        self._call = None
        self._is_set = False

    def _write_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Write the fields of all answers; the server makes theirs anew every second."""
        self._written_for = fields
        every = [*fields, JSON_TYPE, VARY]
        self._fields = b"".join([b"%b: %b\r\n" % field for field in every]) + b"x-request-id: "
