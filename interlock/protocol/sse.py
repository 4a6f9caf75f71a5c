"""Server-sent events without I/O: writing an event, and reading events from chunks of bytes.

Source: WHATWG HTML, "Server-sent events", event stream interpretation.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.errors import TooLarge

KEEP_ALIVE = b": keep-alive\n\n"
MAX_RETRY_DIGITS = 9
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; `retry` is in milliseconds."""

    data: bytes = b""
    event: str = "message"
    id: str | None = None
    retry: int | None = None


def encode(data: bytes, *, event: str | None = None, event_id: str | None = None) -> bytes:
    """Write one event whose data holds no line break, as compact JSON never does."""
    parts: list[bytes] = []
    if event_id is not None:
        parts.append(b"id: " + event_id.encode() + b"\n")
    if event is not None:
        parts.append(b"event: " + event.encode() + b"\n")
    parts.append(b"data: " + data + b"\n\n")
    return b"".join(parts)


class EventReader:
    """Reads events from the bytes of a stream; one event's data is at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._after_cr = False
        self._is_first_line = True
        self._begin()

    def _begin(self) -> None:
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that `chunk` completes. Raises TooLarge over the limit."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        start = 0
        for end in _LINE_END.finditer(chunk):
            event = self._line(self._take(chunk[start : end.start()]))
            start = end.end()
            if event is not None:
                yield event
        if start < len(chunk):
            self._rest.append(chunk[start:])
            self._rest_size += len(chunk) - start
            self._check(self._rest_size)

    def _take(self, piece: bytes) -> bytes:
        if not self._rest:
            return piece
        line = b"".join((*self._rest, piece))
        self._rest.clear()
        self._rest_size = 0
        return line

    def _check(self, pending: int) -> None:
        if self._size + pending > self._limit + 64:
            raise TooLarge(f"An event of the stream is larger than {self._limit} bytes.")

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(BOM_UTF8)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1
            self._check(0)
            self._data.append(value)
        elif field == b"event":
            self._event = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and len(value) <= MAX_RETRY_DIGITS:
            self._retry = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        blank = not self._data and self._id is None and self._retry is None
        event = ServerSentEvent(
            b"\n".join(self._data), self._event or "message", self._id, self._retry
        )
        self._begin()
        return None if blank else event
