"""Newline framing without I/O: bytes in, whole lines out, in linear time and bounded memory."""

from dataclasses import dataclass, field

from interlock.upstreams.envelope import EDGE

_BRACE, _CLOSING = b"{}"


@dataclass(frozen=True, slots=True)
class Oversized:
    """Stands where a line of `size` bytes was dropped; `head` and `tail` are its first and last KiB."""

    size: int
    head: bytes = field(repr=False)
    tail: bytes = field(repr=False)


class LineSplitter:
    """Splits a byte stream into lines of at most `limit` bytes, without their line ends.

    A longer line is dropped up to its newline and an `Oversized` stands in its place. Blank lines
    are left out; a line may end in LF or CR LF. At most `limit` bytes and one chunk are held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._partial = bytearray()
        self._dropped: Oversized | None = None

    def feed(self, data: bytes) -> list[bytes | Oversized]:
        """Take the next chunk and return the lines that it completes, in order."""
        *ends, rest = data.split(b"\n")
        lines: list[bytes | Oversized] = []
        for end in ends:
            if end and not self._partial and self._dropped is None and self._is_plain(end):
                lines.append(end)
                continue
            self._keep(end)
            lines += self._take()
        if rest:
            self._keep(rest)
        return lines

    def finish(self) -> list[bytes | Oversized]:
        """Return what stood after the last newline, as the stream is over."""
        return self._take()

    def _is_plain(self, line: bytes) -> bool:
        """Tell whether a line that came at once is what is passed on, as most are."""
        return len(line) <= self._limit and line[0] == _BRACE and line[-1] == _CLOSING

    def _keep(self, piece: bytes) -> None:
        if self._dropped is not None:
            size, tail = self._dropped.size + len(piece), (self._dropped.tail + piece[-EDGE:])
            self._dropped = Oversized(size, self._dropped.head, tail[-EDGE:])
            return
        self._partial += piece
        # One byte more than the limit may be the CR of a line that just fits.
        if len(self._partial) > self._limit + 1:
            self._dropped = _oversized(self._partial)
            self._partial = bytearray()

    def _take(self) -> list[bytes | Oversized]:
        dropped, self._dropped = self._dropped, None
        if dropped is not None:
            return [dropped]
        line, self._partial = self._partial, bytearray()
        if line.endswith(b"\r"):
            del line[-1:]
        if len(line) > self._limit:
            return [_oversized(line)]
        return [bytes(line)] if line and not line.isspace() else []


def _oversized(line: bytearray) -> Oversized:
    return Oversized(len(line), bytes(line[:EDGE]), bytes(line[-EDGE:]))
