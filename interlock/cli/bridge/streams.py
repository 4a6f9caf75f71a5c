"""Standard input and output as asyncio reads and writes them, without a limit on a line's size."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Self

from interlock.station.framing import LineSplitter, Oversized

MAX_LINE = 32 * 1024 * 1024  # bytes
CLOSE_TIMEOUT = 5.0  # seconds
_CHUNK = 256 * 1024
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


async def read_lines(descriptor: int) -> AsyncGenerator[bytes | Oversized]:
    """Yield the lines of a pipe, socket, terminal or file until its end."""
    splitter = LineSplitter(MAX_LINE)
    chunks = _from_pipe(descriptor) if _is_stream(descriptor) else _from_file(descriptor)
    try:
        async for chunk in chunks:
            for line in splitter.feed(chunk):
                yield line
    finally:
        await chunks.aclose()
    for line in splitter.finish():
        yield line


async def _from_pipe(descriptor: int) -> AsyncGenerator[bytes]:
    reader = asyncio.StreamReader(limit=_CHUNK)
    file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    try:
        while chunk := await reader.read(_CHUNK):
            yield chunk
    finally:
        transport.close()


async def _from_file(descriptor: int) -> AsyncGenerator[bytes]:
    # A regular file never makes its reader wait, so that no loop is held up.
    while chunk := os.read(descriptor, _CHUNK):
        yield chunk
        await asyncio.sleep(0)


def _is_stream(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


class Output:
    """Writes messages, one a line, in the order of the calls; `broken` is set once nobody reads."""

    def __init__(self, descriptor: int, writer: asyncio.StreamWriter | None) -> None:
        self.broken = asyncio.Event()
        self._descriptor = descriptor
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, descriptor: int) -> Self:
        """Take over a descriptor for writing."""
        if not _is_stream(descriptor):
            return cls(descriptor, None)
        loop = asyncio.get_running_loop()
        file = os.fdopen(os.dup(descriptor), "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), file
        )
        return cls(descriptor, asyncio.StreamWriter(transport, protocol, None, loop))

    async def write(self, message: bytes) -> None:
        """Write one message; waits while the reader is slow, and drops it once nobody reads."""
        # JSON holds line ends only between its tokens, where a space means the same.
        line = message.translate(_LINE_ENDS) + b"\n"
        async with self._turn:
            try:
                await self._write(line)
            except OSError:
                self.broken.set()

    async def _write(self, line: bytes) -> None:
        if self._writer is not None:
            self._writer.write(line)
            await self._writer.drain()
            return
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    async def close(self) -> None:
        """Wait until what was written has left, at most a few seconds."""
        if self._writer is None:
            return
        self._writer.close()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._writer.wait_closed()
