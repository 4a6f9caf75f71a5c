"""A hosted server's process as a channel: started in its own group, and ended with all of it."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from interlock.errors import UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import dumps
from interlock.station.environment import child_environment
from interlock.station.failures import (
    ProcessEnded,
    process_ended,
    start_failed,
    stream_broken,
)
from interlock.station.framing import LineSplitter, Oversized
from interlock.station.logs import LogWriter, ServerLog
from interlock.station.oversized import AnswerTooLarge, answered_id, is_answer
from interlock.station.pipes import ProcessPipes
from interlock.upstreams.channel import Closed, Receive
from interlock.upstreams.definition import StdioTarget
from interlock.upstreams.hiding import Mask, secrets_of

# A process that closes its streams because it exits is gone a moment later.
_EXIT_GRACE: Final = 1.0
# A killed process is gone in milliseconds, unless it hangs in the kernel.
_KILL_TIMEOUT: Final = 5.0
# A process that left its group may hold the pipes open; what it writes is no longer ours.
_DRAIN_TIMEOUT: Final = 1.0
# Many servers take a lone CR for a line end too.
_BREAKS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Bytes of one message, and seconds: until a forced stop, and that a write may wait."""

    max_line: int
    stop_timeout: float
    send_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who hears of messages, of the end, and of an answer too large to know whose it was."""

    receive: Receive
    closed: Closed
    failed: Callable[[UpstreamFailed], None] | None = None


class HostedProcess:
    """A running stdio server; a `Channel` that carries one JSON-RPC message per line."""

    def __init__(
        self, name: str, callbacks: Callbacks, log: LogWriter, limits: ProcessLimits
    ) -> None:
        self.name = name
        self._callbacks = callbacks
        self._log = log
        self._limits = limits
        self._pipes = ProcessPipes(LineSplitter(limits.max_line), log, self._take)
        self._sending = asyncio.Lock()
        self._stopping = False
        self._is_closed = False
        self._ended = ProcessEnded(f"Server `{name}` was stopped.")
        self._life: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        name: str,
        target: StdioTarget,
        callbacks: Callbacks,
        *,
        log: ServerLog,
        limits: ProcessLimits,
    ) -> Self:
        """Start the process of server `name`; `close` it when it is no longer wanted.

        `log` takes what it writes to stderr. Raises StartFailed, whose message names the cure.
        """
        process = cls(name, callbacks, log.writer(Mask(secrets_of(target))), limits)
        await process._launch(target)
        return process

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group and session."""
        return self._pipes.transport.get_pid()

    async def send(self, message: bytes) -> None:
        """Write one message; waits while the server reads too slowly. Raises UpstreamUnavailable.

        Line breaks in `message` become spaces: in JSON they can only stand between two tokens.
        """
        message = _one_line(message)
        try:
            async with asyncio.timeout(self._limits.send_timeout), self._sending:
                await self._pipes.writable.wait()
                if self._pipes.over.is_set():
                    raise await self._ending()
                self._pipes.write(message)
        except TimeoutError:
            raise UpstreamUnavailable(
                f"Server `{self.name}` did not read its input for {self._limits.send_timeout:g} s; "
                "restart it if it hangs."
            ) from None

    def send_now(self, message: bytes) -> bool:
        """Write one message where the server reads fast enough; False where nothing was written."""
        pipes = self._pipes
        if self._sending.locked() or pipes.over.is_set() or not pipes.writable.is_set():
            return False
        pipes.write(_one_line(message))
        return True

    async def _ending(self) -> ProcessEnded:
        """Return how the process ended; where it just did, that is known a moment later."""
        life = self._life
        if life is None or life.done() or self._stopping:
            return ProcessEnded(f"Server `{self.name}` is no longer running.")
        await asyncio.wait({life})
        return ProcessEnded(self._ended.message)

    async def close(self) -> None:
        """Stop the process and its whole group: politely, then by SIGTERM, then by SIGKILL.

        Takes at most two stop timeouts and a few seconds. Safe to call twice.
        """
        self._stopping = True
        self._pipes.end()
        if self._life is not None:
            await asyncio.wait({self._life})

    async def _launch(self, target: StdioTarget) -> None:
        env = child_environment(target.env, os.environ)
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: self._pipes,
                target.command,
                *target.args,
                env=env,
                cwd=target.cwd,
                start_new_session=True,
            )
        except (OSError, ValueError) as fault:
            raise start_failed(self.name, target, env, fault) from fault
        self._life = asyncio.create_task(self._live(), name=f"process of {self.name}")

    async def _live(self) -> None:
        try:
            await self._pipes.over.wait()
            was_asked = self._stopping
            by_itself = not was_asked and await _within(_EXIT_GRACE, self._pipes.exited)
            await self._stop()
            await _within(_DRAIN_TIMEOUT, self._pipes.drained)
            if not was_asked:
                self._ended = self._explain(by_itself=by_itself)
        finally:
            self._pipes.abandon()
            self._is_closed = True
            self._callbacks.closed(self._ended)

    async def _stop(self) -> None:
        pipes, timeout = self._pipes, self._limits.stop_timeout
        pipes.close_stdin()
        if await _within(timeout, pipes.exited):
            return
        pipes.signal_group(signal.SIGTERM)
        if await _within(timeout, pipes.exited):
            return
        pipes.signal_group(signal.SIGKILL)
        await _within(_KILL_TIMEOUT, pipes.exited)

    def _explain(self, *, by_itself: bool) -> ProcessEnded:
        returncode = self._pipes.transport.get_returncode()
        if by_itself and returncode is not None:
            return process_ended(self.name, returncode, self._log.newest())
        return stream_broken(self.name, self._pipes.broken or "streams", self._log.newest())

    def _take(self, line: bytes | Oversized) -> None:
        if self._is_closed:
            return
        if isinstance(line, bytes):
            self._callbacks.receive(line)
            return
        limit = self._limits.max_line
        self._log.note(f"Interlock dropped a message of {line.size} bytes; the limit is {limit}.")
        if is_answer(line):
            self._fail(answered_id(line), AnswerTooLarge(self.name, size=line.size, limit=limit))

    def _fail(self, request_id: jsonrpc.RequestId | None, fault: AnswerTooLarge) -> None:
        if request_id is not None:
            self._callbacks.receive(dumps(jsonrpc.failure(request_id, fault)))
        elif self._callbacks.failed is not None:
            self._callbacks.failed(fault)


def _one_line(message: bytes) -> bytes:
    if b"\n" in message or b"\r" in message:
        message = message.translate(_BREAKS_TO_SPACES)
    return message + b"\n"


async def _within(seconds: float, event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
