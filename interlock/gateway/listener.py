"""The socket's guard: uvicorn's HTTP protocol with deadlines for headers and bodies.

No ASGI server has both, and without them a few thousand dripping connections hold everything.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from interlock.settings import GatewaySettings

MAX_HEAD = 64 * 1024  # bytes
_REFUSAL = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s"
)


def guarded_protocol(settings: GatewaySettings) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol with the deadlines of `settings`."""
    return type(
        "GuardedProtocol",
        (_GuardedProtocol,),
        {"header_timeout": settings.header_timeout, "body_timeout": settings.body_timeout},
    )


class _GuardedProtocol(HttpToolsProtocol):
    header_timeout: float
    body_timeout: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = (0.0, "")
        self._unread = 0  # bytes of a head that is not complete
        self._head_size = 0
        self._is_too_large = False
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.header_timeout, "The headers were not complete in time.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._deadline is None:
                self._expect(self.header_timeout, "The headers were not complete in time.")
            self._unread += len(data)
        super().data_received(data)
        if self._in_head and (self._is_too_large or self._unread > MAX_HEAD):
            self._refuse(b"431 Request Header Fields Too Large", "The headers are too large.")

    def on_message_begin(self) -> None:
        self._head_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # uvicorn must not see a request that is refused, or it would serve it all the same.
        self._is_too_large = self._is_too_large or self._head_size > MAX_HEAD
        if self._is_too_large:
            return
        self._in_head = False
        self._unread = 0
        self._expect(self.body_timeout, "The body made no progress in time.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._in_head:
            return
        self._expect(self.body_timeout, "The body made no progress in time.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return
        self._in_head = True
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._deadline is not None:
            # The clock of a request that waited in line begins with its turn.
            self._expect(*self._awaited)

    def _expect(self, seconds: float, fault: str) -> None:
        self._expect_nothing()
        self._awaited = (seconds, fault)
        self._deadline = self.loop.call_later(seconds, self._overdue, seconds, fault)

    def _expect_nothing(self) -> None:
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
        self._expect_nothing()
        if self.transport.is_closing():
            return
        text = fault.encode()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_free = cycle is None or cycle.response_complete or not cycle.response_started
        if is_free and not self._is_in_line:
            self.transport.write(_REFUSAL % (status, len(text), text))
        self.transport.close()
