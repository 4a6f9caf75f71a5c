"""A local file that holds records while the database cannot take them."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from interlock.audit.record import Record, fitted
from interlock.protocol.json import as_object
from interlock.protocol.versions import Era

MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 20  # bytes
_MAX_LINE: Final = 1 << 16  # bytes; a record is far smaller


class SpoolFull(OSError):
    """The file is as large as it may become."""


class Spool:
    """Records in an append-only file of at most `limit` bytes, one JSON object per line, oldest first.

    All methods block on the disk for a moment; one process owns the file. What is `peek`ed leaves
    with `drop`. A crash in between shows the same records again, never fewer: whoever takes them
    must know a record by its id. Raises OSError where the disk fails.
    """

    def __init__(self, path: Path, limit: int = MAX_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._offset = 0
        self._peeked_to = 0
        self._peeked_lines = 0
        self._size, self.count = _measure(path)

    def append(self, records: Sequence[Record]) -> None:
        """Write `records` at the end; when this returns they are on the disk, all or none."""
        lines = b"".join(orjson.dumps(fitted(record)) + b"\n" for record in records)
        if self._size + len(lines) > self._limit:
            raise SpoolFull(errno.EDQUOT, f"The spool has {self._limit} bytes, and no more.")
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = _append(descriptor, lines)
        finally:
            os.close(descriptor)
        is_new, self._size = not self._size, size
        self.count += len(records)
        if is_new:
            _sync_folder(self._path.parent)

    def peek(self, limit: int) -> tuple[list[Record], int]:
        """Return up to `limit` of the oldest records, and how many broken lines lay between."""
        lines = self._lines(limit)
        self._peeked_to = self._offset + sum(len(line) for line in lines)
        self._peeked_lines = len(lines)
        records = [record for line in lines if (record := _read(line)) is not None]
        return records, len(lines) - len(records)

    def drop(self) -> None:
        """Forget what was last peeked; the file goes once nothing is left in it."""
        self._offset = self._peeked_to
        self.count -= self._peeked_lines
        self._peeked_lines = 0
        if self._offset >= self._size:
            self._path.unlink(missing_ok=True)
            self._offset = self._peeked_to = self._size = self.count = 0

    def __bool__(self) -> bool:
        return self._offset < self._size

    def _lines(self, limit: int) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                lines = [file.readline(_MAX_LINE) for _ in range(limit)]
        except FileNotFoundError:
            lines = []
        if not any(lines):
            # Someone else took the file away or cut it; there is nothing left to wait for.
            self._size = self._offset
        return [line for line in lines if line]


def _measure(path: Path) -> tuple[int, int]:
    """Return the size of what an earlier process left behind, in bytes and in lines."""
    size, count, last = 0, 0, b"\n"
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size, count, last = size + len(chunk), count + chunk.count(b"\n"), chunk[-1:]
    except FileNotFoundError:
        return 0, 0
    return size, count + (last != b"\n")


def _append(descriptor: int, lines: bytes) -> int:
    """Write `lines` whole and safe, or not at all; return the size of the file then."""
    size = os.fstat(descriptor).st_size
    try:
        _write_all(descriptor, _line_end(descriptor, size) + lines)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return os.fstat(descriptor).st_size


def _sync_folder(folder: Path) -> None:
    """Put the name of a new file on the disk too, or a power cut could lose the whole of it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # The records themselves are safe by now, and some file systems cannot do this.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _line_end(descriptor: int, size: int) -> bytes:
    """Return what ends a line that a crash left unfinished, so that the next one stays whole."""
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _read(line: bytes) -> Record | None:
    try:
        values = as_object(orjson.loads(line)) or {}
        return Record(**_typed(values))
    except (ValueError, TypeError, KeyError):
        return None


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    era = values.get("era")
    return {
        **values,
        "time": datetime.fromisoformat(values["time"]),
        "era": Era(era) if era is not None else None,
    }
