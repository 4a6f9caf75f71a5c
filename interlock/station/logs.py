"""What a hosted server wrote to stderr: the last lines, with time, and without its secrets."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from interlock.settings import LogLevel
from interlock.upstreams.hiding import Mask, printable

MAX_LINE_BYTES: Final = 8 * 1024
SHORT_LINE: Final = 256  # bytes
_LEVEL_WITHIN: Final = 120  # bytes of a line in which it may name its level
_LEVEL: Final = re.compile(
    rb"\b(?:(trace|debug)|(info|notice)|(warn|warning)"
    rb"|(err|error|fatal|critical|panic|alert|emergency))\b",
    re.IGNORECASE,
)
_RANKS: Final[dict[LogLevel, int]] = {"debug": 1, "info": 2, "warning": 3, "error": 4}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of stderr and the moment (UTC) at which it was read."""

    time: datetime
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """Lines that came together; they are told apart once somebody reads them."""

    time: datetime
    raw: bytes
    mask: Mask
    count: int = 1

    def lines(self) -> list[bytes]:
        return [line for line in self.raw.split(b"\n") if line and not line.isspace()]


class _Sieve:
    """What is kept: all, or what says that it is of `rank` or above. Who says nothing is kept."""

    def __init__(self) -> None:
        self.rank = 0

    def passes(self, line: bytes) -> bool:
        if not self.rank:
            return True
        found = _LEVEL.search(line, 0, _LEVEL_WITHIN)
        return found is None or (found.lastindex or 0) >= self.rank


class ServerLog:
    """The last `capacity` lines of a server's stderr, kept across its restarts.

    `on_add` is called whenever there are more.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.on_add: Callable[[], None] = _nobody
        self._entries: deque[_Entry] = deque()
        self._count = 0
        self._sieve = _Sieve()

    @property
    def is_sieved(self) -> bool:
        """Whether some lines are not kept."""
        return bool(self._sieve.rank)

    def keep_from(self, level: LogLevel | None) -> None:
        """Keep from now on no lines that name a lower level; None keeps all."""
        self._sieve.rank = _RANKS[level] if level is not None else 0

    def lines(self, last: int) -> list[LogLine]:
        """Return at most the `last` newest lines, oldest first, with secrets hidden."""
        wanted = max(min(last, self.capacity), 0)
        newest: list[LogLine] = []
        for entry in reversed(self._entries):
            if len(newest) == wanted:
                break
            raw = entry.lines()[: -(wanted - len(newest)) - 1 : -1]
            newest += [_reveal(entry, line) for line in raw]
        return newest[::-1]

    def add(self, entry: _Entry) -> None:
        """Add lines, and forget the oldest that are no longer needed.

        Where some are not kept, each line comes by itself.
        """
        if not self._sieve.passes(entry.raw):
            return
        self._entries.append(entry)
        self._count += entry.count
        while self._count - self._entries[0].count >= self.capacity:
            self._count -= self._entries.popleft().count
        self.on_add()

    def writer(self, mask: Mask) -> "LogWriter":
        """Return the writer for one run of the server, whose secrets `mask` hides."""
        return LogWriter(self, mask)


class LogWriter:
    """Cuts what one process writes into lines; keeps each line's first 8 KiB, never more.

    A flood of short lines is kept as it comes, since looking at each of them costs more than reading
    them all.
    """

    def __init__(self, log: ServerLog, mask: Mask) -> None:
        self._log = log
        self._mask = mask
        self._partial = bytearray()
        self._newest: _Entry | None = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk of the stream."""
        end, newline, rest = data.partition(b"\n")
        self._keep(end)
        if not newline:
            return
        now = datetime.now(UTC)
        self._end_line(now)
        block, newline, rest = rest.rpartition(b"\n")
        if newline:
            self._add_block(now, block)
        self._keep(rest)

    def note(self, text: str) -> None:
        """Add a line of our own, about the server."""
        raw = text.replace("\n", " ").encode()[: MAX_LINE_BYTES + 1]
        self._log.add(_Entry(datetime.now(UTC), raw, self._mask))

    def finish(self) -> None:
        """Keep what stands after the last newline as a line, as the stream is over."""
        self._end_line(datetime.now(UTC))

    def newest(self) -> str | None:
        """Return the last line of this run with secrets hidden; None if it wrote nothing."""
        return _reveal(self._newest, self._newest.lines()[-1]).text if self._newest else None

    def _keep(self, piece: bytes) -> None:
        # The byte beyond the limit tells a line that was cut from one that just fits.
        self._partial += piece[: MAX_LINE_BYTES + 1 - len(self._partial)]

    def _end_line(self, now: datetime) -> None:
        line, self._partial = bytes(self._partial), bytearray()
        self._add(now, line)

    def _add_block(self, now: datetime, block: bytes) -> None:
        while b"\n\n" in block:
            block = block.replace(b"\n\n", b"\n")
        count = block.count(b"\n") + 1
        if len(block) <= count * SHORT_LINE and not self._log.is_sieved:
            self._add(now, block, count)
            return
        for line in block.split(b"\n")[-self._log.capacity :]:
            self._add(now, line[: MAX_LINE_BYTES + 1])

    def _add(self, now: datetime, lines: bytes, count: int = 1) -> None:
        if not lines or lines.isspace():
            return
        self._newest = _Entry(now, lines, self._mask, count)
        self._log.add(self._newest)


def _reveal(entry: _Entry, line: bytes) -> LogLine:
    text = printable(line[:MAX_LINE_BYTES].decode(errors="replace")).rstrip()
    text = entry.mask.apply(text)
    if len(line) > MAX_LINE_BYTES:
        text = entry.mask.trim(text.rstrip("\ufffd"))
    return LogLine(entry.time, text)


def _nobody() -> None:
    """Tell nobody of new lines."""
