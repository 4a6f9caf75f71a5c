"""Starts the test programs, and keeps what a channel's owner hears for the tests to await."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from interlock.errors import InterlockError, UpstreamFailed
from interlock.protocol.json import loads
from interlock.station.logs import ServerLog
from interlock.station.process import Callbacks, HostedProcess, ProcessLimits
from interlock.upstreams.definition import StdioTarget

CHILDREN = str(Path(__file__).with_name("children.py"))
DEADLINE = 60.0  # seconds; the machine may be slow
LIMITS = ProcessLimits(max_line=1024 * 1024, stop_timeout=0.5)


def child(mode: str, *args: str, env: dict[str, str] | None = None) -> StdioTarget:
    """Return the target that runs `children.py` in `mode`."""
    return StdioTarget(sys.executable, ("-I", "-S", CHILDREN, mode, *args), env or {})


class Inbox:
    """Collects messages, the end and failures of one channel."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.ends: list[InterlockError] = []
        self.failures: asyncio.Queue[UpstreamFailed] = asyncio.Queue()
        self._over = asyncio.Event()

    @property
    def callbacks(self) -> Callbacks:
        return Callbacks(self.messages.put_nowait, self.closed, self.failures.put_nowait)

    def closed(self, reason: InterlockError) -> None:
        self.ends.append(reason)
        self._over.set()

    async def line(self) -> bytes:
        """Wait for the next message."""
        async with asyncio.timeout(DEADLINE):
            return await self.messages.get()

    async def message(self) -> Any:
        """Wait for the next message and parse it."""
        return loads(await self.line())

    async def failure(self) -> UpstreamFailed:
        """Wait for an answer that could not be read."""
        async with asyncio.timeout(DEADLINE):
            return await self.failures.get()

    async def end(self) -> InterlockError:
        """Wait for the end and return its reason."""
        async with asyncio.timeout(DEADLINE):
            await self._over.wait()
        return self.ends[0]


async def start(
    target: StdioTarget,
    inbox: Inbox,
    *,
    limits: ProcessLimits = LIMITS,
    log: ServerLog | None = None,
) -> HostedProcess:
    """Start `target` under the name `demo`."""
    return await HostedProcess.start(
        "demo", target, inbox.callbacks, log=log or ServerLog(100), limits=limits
    )
