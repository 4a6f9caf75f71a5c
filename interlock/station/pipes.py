"""The standard streams of one process, and its end, as events that its owner can await."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from interlock.station.framing import LineSplitter, Oversized
from interlock.station.logs import LogWriter

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class ProcessPipes(asyncio.SubprocessProtocol):
    """Reads stdout as lines and stderr into the log, and says when the process can be written to.

    The process must lead its own group: when it dies, what is left of the group is killed.

    `over` is set when the process exited or a stream broke, `exited` when it exited, `drained` when
    nothing more can be read, `writable` while stdin takes more.
    """

    def __init__(
        self, splitter: LineSplitter, log: LogWriter, on_line: Callable[[bytes | Oversized], None]
    ) -> None:
        self.over = asyncio.Event()
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.broken: str | None = None
        self._splitter = splitter
        self._log = log
        self._on_line = on_line
        self._open = {_STDOUT, _STDERR}
        self._transport: asyncio.SubprocessTransport | None = None
        self._input: asyncio.WriteTransport | None = None

    @property
    def transport(self) -> asyncio.SubprocessTransport:
        """The transport; only there once the process was started."""
        if self._transport is None:
            raise RuntimeError("The process was not started yet.")
        return self._transport

    def write(self, data: bytes) -> None:
        """Write to stdin without waiting; wait for `writable` before."""
        stdin = self._input
        if stdin is None:
            stdin = self._input = self._stdin
        stdin.write(data)

    def close_stdin(self) -> None:
        """Close stdin once everything that was written is flushed."""
        self._stdin.close()

    def end(self) -> None:
        """Declare the process over, so that nothing more is written and nobody waits to write."""
        self.over.set()
        self.writable.set()

    def abandon(self) -> None:
        """Let go of the streams, and kill the group if the process still lives."""
        if not self.exited.is_set():
            self.signal_group(signal.SIGKILL)
        self.transport.close()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all that it started and that stayed in its group."""
        # macOS answers EPERM instead of ESRCH where only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.transport.get_pid(), number)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, as the process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take what the process wrote."""
        if fd == _STDERR:
            self._log.feed(data)
            return
        for line in self._splitter.feed(data):
            self._on_line(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Note that a stream is at its end."""
        if fd == _STDOUT:
            for line in self._splitter.finish():
                self._on_line(line)
        if fd == _STDERR:
            self._log.finish()
        else:
            self.broken = self.broken or ("standard input" if fd == _STDIN else "standard output")
            self.end()
        self._open.discard(fd)
        if not self._open:
            self.drained.set()

    def process_exited(self) -> None:
        """Kill what the process left behind; the pipes may still hold what it wrote."""
        self.signal_group(signal.SIGKILL)
        self.exited.set()
        self.end()

    def pause_writing(self) -> None:
        """Make writers wait, as the process reads too slowly."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self.writable.set()

    @property
    def _stdin(self) -> asyncio.WriteTransport:
        return cast("asyncio.WriteTransport", self.transport.get_pipe_transport(_STDIN))
