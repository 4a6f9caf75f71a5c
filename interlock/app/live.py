"""Live updates of the console: which kinds of things changed in a project, as a stream of events."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, Literal, TypeAlias

from interlock.audit.writer import RecordWriter
from interlock.errors import TooMany
from interlock.protocol.sse import KEEP_ALIVE, encode
from interlock.registry.registry import Registry

Kind: TypeAlias = Literal["servers", "tools", "logs", "records"]

MAX_READERS: Final = 500
LIFETIME: Final = 600.0  # seconds until a reader must come again, and show who it is
BETWEEN: Final = 0.3  # seconds in which what changes is told at once
QUIET: Final = 15.0  # seconds of silence after which a comment keeps the connection


class News:
    """What changed, for whoever reads of it; nothing is kept but what its readers have not read."""

    def __init__(self) -> None:
        self._readers: set[_Reader] = set()
        self._is_closed = False

    def tell(self, project: str, kinds: Iterable[Kind]) -> None:
        """Say that things of these kinds changed in the project of this name."""
        for reader in self._readers:
            if reader.project == project:
                reader.unread.update(kinds)
                reader.woken.set()

    def hear(self, registry: Registry, writer: RecordWriter) -> None:
        """Take what the registry and the writer of records tell from now on."""
        registry.on_change = lambda project: self.tell(project, ("servers", "tools"))
        registry.on_log = lambda project: self.tell(project, ("logs",))
        writer.on_written = self.written

    def written(self, projects: Iterable[str]) -> None:
        """Say that records of these projects were written, by whichever process."""
        for project in projects:
            self.tell(project, ("records",))

    def close(self) -> None:
        """End every stream."""
        self._is_closed = True
        for reader in self._readers:
            reader.woken.set()

    async def follow(self, project: str) -> AsyncIterator[bytes]:
        """Yield events that name the kinds that changed, until the lifetime of the stream is over.

        Raises TooMany where too many read already.
        """
        if len(self._readers) >= MAX_READERS:
            raise TooMany("Too many follow the changes already; close some pages of the console.")
        reader = _Reader(project)
        self._readers.add(reader)
        try:
            async for event in self._events(reader):
                yield event
        finally:
            self._readers.discard(reader)

    async def _events(self, reader: "_Reader") -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        end = loop.time() + LIFETIME
        # Between reading the page and following, something may have changed.
        yield encode(b"ready", event="ready")
        while not self._is_closed and loop.time() < end:
            if not await reader.wait(QUIET):
                yield KEEP_ALIVE
            elif reader.unread:
                kinds, reader.unread = reader.unread, set()
                yield encode(" ".join(sorted(kinds)).encode(), event="change")
                await asyncio.sleep(BETWEEN)


class _Reader:
    def __init__(self, project: str) -> None:
        self.project = project
        self.unread: set[Kind] = set()
        self.woken = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Wait for news; tell whether there are some."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            return False
        self.woken.clear()
        return True
