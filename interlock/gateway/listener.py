"""The socket's guard: uvicorn's HTTP protocol with deadlines for headers and bodies.

No ASGI server has both, and without them a few thousand dripping connections hold everything.
"""

import asyncio
import time
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from interlock.gateway.fast_call import FastCall
from interlock.gateway.fast_lane import FastLane
from interlock.gateway.fast_line import FastLine
from interlock.gateway.http import ATTEMPTS, Scope
from interlock.gateway.passing import OWNER, PASS_AFTER, Passage
from interlock.gateway.quiet import HOLD, Held, QuietLine, QuietLines
from interlock.settings import GatewaySettings

MAX_HEAD = 64 * 1024  # bytes
MAX_FRAMING = 32  # bytes for each byte of a body: sizes and extensions of its chunks
_REFUSAL = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s"
)


def guarded_protocol(
    settings: GatewaySettings, lane: FastLane | None = None, passage: Passage | None = None
) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol with the deadlines of `settings`; `lane` is tried first.

    By the `passage`, connections go to the process that serves their requests.
    """
    members = {"header_timeout": settings.header_timeout, "body_timeout": settings.body_timeout}
    lines = QuietLines(settings.keep_alive)
    members_of_process = {"lane": lane, "lines": lines, "passage": passage}
    return type("GuardedProtocol", (_GuardedProtocol,), {**members, **members_of_process})


class _GuardedProtocol(HttpToolsProtocol):
    header_timeout: float
    body_timeout: float
    lines: QuietLines
    lane: FastLane | None = None
    passage: Passage | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = (0.0, "")
        self._unread = 0  # bytes of a head that is not complete
        self._head_size = 0
        self._body_size = self._framed_size = 0  # bytes, without and with their framing
        self._is_too_large = False
        self._in_head = True
        self._is_between = True  # no byte of the next request was read
        self._is_replayed = False
        self._quiet_since = 0.0  # on the clock `time.monotonic`
        self._fast: FastLine | None = None
        if self.lane is not None:
            self._fast = FastLine(self.lane, self)
            # The event loop takes it from here before there is a transport, and calls it directly.
            self.data_received = self._fast.data_received
        self._reading: asyncio.TimerHandle | None = None
        self._owner: int | None = None  # the process that the last requests were handed over to
        self._owned = 0  # requests in a row

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.header_timeout, "The headers were not complete in time.")
        if self._fast is not None:
            self._fast.open(transport, self.flow, self.client[0] if self.client else "")

    def taken_over(self) -> None:
        """Wait for the next request of a connection that another process has answered so far."""
        if not self.transport.is_closing() and self._is_between and not self._unread:
            self.await_nothing()
            self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self.await_nothing()
        self._expect_no_reading()
        super().connection_lost(exc)
        self._part_from_lane()

    def _part_from_lane(self) -> None:
        # These hold each other, and would be found by the collector only.
        if self._fast is not None:
            self._fast = None
            del self.data_received

    @property
    def is_whole(self) -> bool:
        """Whether the request that was read last has come whole, and its connection is open."""
        return self._is_between and not self.transport.is_closing()

    @property
    def is_clear(self) -> bool:
        """Whether nothing was read of the next request, and every earlier one is answered."""
        return self._is_free and self._is_between

    def replay(self, call: FastCall, data: bytes) -> bool:
        """Let the general lane serve the request, unless another came meanwhile."""
        if self.pipeline or not self.is_whole:
            return False
        call.response_complete = True
        self._is_replayed = True
        self.parse(data)
        return True

    def carry_on(self, call: FastCall) -> None:
        """Let the general lane deliver what a call still brings."""
        lane = self.lane
        if lane is None or self.transport.is_closing():
            return
        # Another request with this head may have been handed over.
        scope: Any = {**call.head.scope, OWNER: None, "client": self.client, "server": self.server}
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=call.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        self.cycle = cycle

        async def deliver(scope: Any, receive: Any, send: Any) -> None:
            await lane.carry_on(call, scope, receive, send)

        self._start_asgi_task(cycle, cast("Any", deliver))

    def hold(self, held: Held) -> bool:
        """Leave the connection to a stream whose head was sent; False if the client has left.

        All that served its request is let go.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.disconnected or self.transport.is_closing():
            return False
        self.await_nothing()
        self._expect_no_reading()
        self._unset_keepalive_if_required()
        # What answered until now has no more to say, and does not miss the end.
        cycle.disconnected = True
        cycle.message_event.set()
        self.flow.resume_reading()
        self.connections.discard(self)
        is_paused, transport = self.flow.write_paused, self.transport
        connections = cast("set[asyncio.Protocol]", self.connections)
        line = QuietLine(self.lines, connections, transport, is_paused=is_paused)
        transport.set_protocol(line)
        # All these hold each other, and would be found by the collector only.
        self.parser = self.scope = self.cycle = cast("Any", None)
        self._part_from_lane()
        self.pipeline.clear()
        line.carry(held)
        return True

    def go_on(self) -> None:
        """Serve the request that waits in line, or wait for one to come."""
        if self.pipeline:
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been quiet for long; the fast lane sets no timer per call."""
        self.timeout_keep_alive_task = None
        fast = self._fast.quiet_since if self._fast is not None else 0.0
        quiet = time.monotonic() - max(self._quiet_since, fast)
        rest = self.timeout_keep_alive - quiet if self.is_clear else self.timeout_keep_alive
        if rest <= 0:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                rest, self.timeout_keep_alive_handler
            )

    @property
    def _is_free(self) -> bool:
        """Whether no request is being answered or waits for that."""
        cycle: Any = self.cycle
        return (cycle is None or cycle.response_complete) and not self.pipeline

    def data_received(self, data: bytes) -> None:
        self.parse(data)

    def parse(self, data: bytes) -> None:
        """Read a piece of a request."""
        if self._in_head:
            if self._deadline is None:
                self._expect(self.header_timeout, "The headers were not complete in time.")
            self._unread += len(data)
        else:
            self._framed_size += len(data)
        super().data_received(data)
        if not self._in_head and self._framed_size > MAX_HEAD + MAX_FRAMING * self._body_size:
            self._refuse(b"400 Bad Request", "The chunks of the body hold next to nothing.")
        elif self._in_head and (self._is_too_large or self._unread > MAX_HEAD):
            self._refuse(b"431 Request Header Fields Too Large", "The headers are too large.")

    def on_message_begin(self) -> None:
        self._is_between = False
        self._head_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # Fields behind a body were checked by nobody, and must not pass for headers.
            return
        self._head_size += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # uvicorn must not see a request that is refused, or it would serve it all the same.
        self._is_too_large = self._is_too_large or self._head_size > MAX_HEAD
        if self._is_too_large:
            return
        self._in_head = False
        self._unread = self._body_size = self._framed_size = 0
        self._expect(self.body_timeout, "The body made no progress in time.")
        if self._is_replayed:
            self._is_replayed = False
            cast("Scope", self.scope)[ATTEMPTS] = 1
        cast("Scope", self.scope)[HOLD] = self.hold
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._in_head:
            return
        self._body_size += len(body)
        self._expect(self.body_timeout, "The body made no progress in time.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return
        self._in_head = True
        self._is_between = True
        self.await_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._quiet_since = time.monotonic()
        super().on_response_complete()
        if self._deadline is not None:
            # The clock of a request that waited in line begins with its turn.
            self._expect(*self._awaited)
        if self.passage is not None:
            self._pass_on(self.passage)

    def _pass_on(self, passage: Passage) -> None:
        """Pass the connection on, if that is where its requests go, and nothing is under way."""
        cycle = self.cycle
        owner = cast("int | None", cast("Scope", cycle.scope).get(OWNER))
        self._owned = self._owned + 1 if owner == self._owner else 1
        self._owner = owner
        if owner is None or self._owned < PASS_AFTER:
            return
        is_quiet = self._is_free and self._is_between and not self._unread
        transport = self.transport
        if not is_quiet or transport.is_closing() or transport.get_write_buffer_size():
            return
        transport.pause_reading()
        if passage.send(owner, transport):
            transport.close()
        else:
            # The next request tries again.
            transport.resume_reading()

    def pause_writing(self) -> None:
        """Wait for the client to read on; one that takes nothing for long is let go."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Write on."""
        self._expect_no_reading()
        super().resume_writing()

    def _expect_reading(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.body_timeout, self._has_read, waiting)

    def _expect_no_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _has_read(self, waiting: int) -> None:
        if self.transport.get_write_buffer_size() < waiting:
            self._expect_reading()
        else:
            self.transport.abort()

    def _expect(self, seconds: float, fault: str) -> None:
        self.await_nothing()
        self._awaited = (seconds, fault)
        self._deadline = self.loop.call_later(seconds, self._overdue, seconds, fault)

    def await_nothing(self) -> None:
        """Know that nothing has a deadline any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overdue(self, seconds: float, fault: str) -> None:
        if self._is_in_line:
            # An earlier request is still being answered, and meanwhile nothing more is read.
            self._expect(seconds, fault)
        else:
            self._refuse(b"408 Request Timeout", fault)

    @property
    def _is_in_line(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_busy = cycle is not None and not cycle.response_complete
        return bool(self.pipeline) or (self._in_head and is_busy)

    def _refuse(self, status: bytes, fault: str) -> None:
        self.await_nothing()
        if self.transport.is_closing():
            return
        text = fault.encode()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_free = cycle is None or cycle.response_complete or not cycle.response_started
        if is_free and not self._is_in_line:
            self.transport.write(_REFUSAL % (status, len(text), text))
        self.transport.close()
