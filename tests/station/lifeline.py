"""Tells when processes are gone, however they ended, by a pipe that they hold open."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

DEADLINE = 60.0  # seconds; the machine may be slow


class Lifeline:
    """A named pipe: each process opens it and writes its pid; it ends when all are dead."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "lifeline")
        os.mkfifo(self.path)
        self._reader = asyncio.StreamReader()
        self._source = os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb", 0)
        # Without a writer of our own the pipe would be at its end before anyone opens it.
        self._own_end = os.open(self.path, os.O_WRONLY)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._source
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()
        self._transport.close()

    async def held_by(self, count: int) -> list[int]:
        """Wait until `count` processes hold the pipe, and return their pids."""
        async with asyncio.timeout(DEADLINE):
            return [int(await self._reader.readline()) for _ in range(count)]

    async def broken(self) -> None:
        """Wait until every process that held the pipe is dead."""
        self._let_go()
        async with asyncio.timeout(DEADLINE):
            await self._reader.read()

    def _let_go(self) -> None:
        if self._own_end >= 0:
            os.close(self._own_end)
            self._own_end = -1
