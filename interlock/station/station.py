"""The station: starts hosted servers, knows all that run, and leaves none behind."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from interlock.errors import InterlockError, Unavailable, UpstreamFailed
from interlock.settings import StationSettings
from interlock.station.logs import ServerLog
from interlock.station.process import Callbacks, HostedProcess, ProcessLimits
from interlock.station.warden import Warden
from interlock.upstreams.channel import Closed, Receive
from interlock.upstreams.definition import StdioTarget


class Station:
    """Every hosted process of this program; build one and close it at the end."""

    def __init__(self, settings: StationSettings) -> None:
        self._limits = ProcessLimits(settings.max_line, settings.stop_timeout)
        self._stderr_lines = settings.stderr_lines
        self._warden = Warden()
        self._hosted: set[HostedProcess] = set()
        self._is_closing = False

    @property
    def hosted(self) -> frozenset[HostedProcess]:
        """The processes that run now."""
        return frozenset(self._hosted)

    def new_log(self) -> ServerLog:
        """Return an empty log of the configured size, to be kept across a server's restarts."""
        return ServerLog(self._stderr_lines)

    async def start(
        self,
        name: str,
        target: StdioTarget,
        *,
        receive: Receive,
        closed: Closed,
        failed: Callable[[UpstreamFailed], None] | None = None,
        log: ServerLog | None = None,
    ) -> HostedProcess:
        """Start the process of server `name` and return it as a channel.

        `receive` and `closed` are a channel's; `failed` hears of an answer that was too large and
        whose call cannot be told. Raises StartFailed.
        """
        self._check_open()
        await self._warden.start()
        callbacks = Callbacks(receive, closed, failed)

        def ended(reason: InterlockError) -> None:
            self._hosted.discard(process)
            self._warden.release(process.pid)
            callbacks.closed(reason)

        process = await HostedProcess.start(
            name,
            target,
            replace(callbacks, closed=ended),
            log=log or self.new_log(),
            limits=self._limits,
        )
        self._warden.guard(process.pid)
        self._hosted.add(process)
        if self._is_closing:
            await process.close()
        self._check_open()
        return process

    async def close(self) -> None:
        """Stop every process, all at the same time, then the warden."""
        self._is_closing = True
        await asyncio.gather(*(process.close() for process in self._hosted))
        await self._warden.close()

    def _check_open(self) -> None:
        if self._is_closing:
            raise Unavailable("Interlock is shutting down; it starts no more servers.")
