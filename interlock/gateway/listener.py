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
        self._head_size = 0
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
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > MAX_HEAD:
            self._refuse(b"431 Request Header Fields Too Large", "The headers are too large.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_size = 0
        self._expect(self.body_timeout, "The body made no progress in time.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._expect(self.body_timeout, "The body made no progress in time.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._expect_nothing()
        super().on_message_complete()

    def _expect(self, seconds: float, fault: str) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self._refuse, b"408 Request Timeout", fault)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes, fault: str) -> None:
        self._expect_nothing()
        if self.transport.is_closing():
            return
        text = fault.encode()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_REFUSAL % (status, len(text), text))
        self.transport.close()
