"""A hosted process as an upstream: started when a link to it is wanted."""

from interlock.station.logs import ServerLog
from interlock.station.process import HostedProcess
from interlock.station.station import Station
from interlock.upstreams.definition import StdioTarget
from interlock.upstreams.duplex import DuplexLink
from interlock.upstreams.port import Ended, Hear


class StdioConnector:
    """Starts a process for every link; all of them write into one log."""

    is_duplex = True

    def __init__(self, station: Station, target: StdioTarget, name: str, log: ServerLog) -> None:
        self._station = station
        self._target = target
        self._name = name
        self._log = log
        self._newest: HostedProcess | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process that was started last."""
        return self._newest.pid if self._newest is not None else None

    async def connect(self, hear: Hear, ended: Ended) -> DuplexLink:
        """Start the process. Raises UpstreamUnavailable where it cannot be started."""
        link = DuplexLink(self._name, hear, ended)
        process = await self._station.start(
            self._name,
            self._target,
            receive=link.receive,
            closed=link.closed,
            failed=link.failed,
            log=self._log,
        )
        self._newest = process
        link.attach(process)
        return link
