"""What a hosted server wrote to stderr: the last lines, with time, and without its secrets."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from interlock.upstreams.hiding import Mask, printable

MAX_LINE_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of stderr and the moment (UTC) at which it was read."""

    time: datetime
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    time: datetime
    raw: bytes
    mask: Mask


class ServerLog:
    """The last `capacity` lines of a server's stderr, kept across its restarts."""

    def __init__(self, capacity: int) -> None:
        self._entries: deque[_Entry] = deque(maxlen=capacity)

    def lines(self, last: int) -> list[LogLine]:
        """Return at most the `last` newest lines, oldest first, with secrets hidden."""
        first = max(len(self._entries) - max(last, 0), 0)
        return [_reveal(entry) for entry in list(self._entries)[first:]]

    def writer(self, mask: Mask) -> "LogWriter":
        """Return the writer for one run of the server, whose secrets `mask` hides."""
        return LogWriter(self._entries, mask)


class LogWriter:
    """Cuts what one process writes into lines; keeps each line's first 8 KiB, never more."""

    def __init__(self, entries: deque[_Entry], mask: Mask) -> None:
        self._entries = entries
        self._mask = mask
        self._partial = bytearray()
        self._newest: _Entry | None = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk of the stream."""
        *ends, rest = data.split(b"\n")
        if ends:
            now = datetime.now(UTC)
            self._keep(ends[0])
            self._end_line(now)
            for line in ends[1:][-(self._entries.maxlen or 0) :]:
                self._add(now, line[: MAX_LINE_BYTES + 1])
        self._keep(rest)

    def note(self, text: str) -> None:
        """Add a line of our own, about the server."""
        self._entries.append(_Entry(datetime.now(UTC), text.encode(), self._mask))

    def finish(self) -> None:
        """Keep what stands after the last newline as a line, as the stream is over."""
        self._end_line(datetime.now(UTC))

    def newest(self) -> str | None:
        """Return the last line of this run with secrets hidden; None if it wrote nothing."""
        return _reveal(self._newest).text if self._newest else None

    def _keep(self, piece: bytes) -> None:
        # The byte beyond the limit tells a line that was cut from one that just fits.
        self._partial += piece[: MAX_LINE_BYTES + 1 - len(self._partial)]

    def _end_line(self, now: datetime) -> None:
        line, self._partial = bytes(self._partial), bytearray()
        self._add(now, line)

    def _add(self, now: datetime, line: bytes) -> None:
        if not line or line.isspace():
            return
        self._newest = _Entry(now, line, self._mask)
        self._entries.append(self._newest)


def _reveal(entry: _Entry) -> LogLine:
    raw = entry.raw[:MAX_LINE_BYTES]
    text = entry.mask.apply(printable(raw.decode(errors="replace")).rstrip())
    if len(entry.raw) > MAX_LINE_BYTES:
        text = entry.mask.trim(text.rstrip("\ufffd"))
    return LogLine(entry.time, text)
