"""How a definition becomes a live upstream, for keeps or for a test."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from interlock.errors import InterlockError, RPCError, UpstreamFailed
from interlock.gateway.catalogue import GATEWAY
from interlock.gateway.table import Catalogue
from interlock.registry.entities import Server
from interlock.registry.port import Runner
from interlock.registry.trial import Trial
from interlock.settings import GatewaySettings, StationSettings
from interlock.station.connector import StdioConnector
from interlock.station.logs import LogWriter, ServerLog
from interlock.station.station import Station
from interlock.telemetry.logs import about_server
from interlock.upstreams.balancing import Endpoints
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import ServerDefinition, StdioTarget
from interlock.upstreams.hiding import Mask, secrets_of
from interlock.upstreams.port import Connector, Nobody, Peer
from interlock.upstreams.sse import SSEConnector
from interlock.upstreams.streamable_http import HTTPConnector
from interlock.upstreams.upstream import Owner, Remote, SessionLimits, Upstream


class Links:
    """Builds upstreams from the station's processes and the shared HTTP client."""

    def __init__(
        self,
        station: Station,
        client: HTTPClient,
        gateway: GatewaySettings,
        settings: StationSettings,
    ) -> None:
        self._station = station
        self._client = client
        self._limits = SessionLimits(settings.start_timeout, gateway.sessions_per_server)

    def new_log(self) -> ServerLog:
        """Return an empty log for a server."""
        return self._station.new_log()

    def notes(self, log: ServerLog, definition: ServerDefinition) -> LogWriter:
        """Return a writer into a server's log that masks the server's secrets."""
        return log.writer(Mask(secrets_of(definition.target)))

    def upstream(
        self,
        server: Server,
        *,
        project: str,
        peer: Peer,
        down: Callable[[UpstreamFailed], None],
        opened: Callable[[], Awaitable[None]],
        log: ServerLog,
    ) -> Upstream:
        """Return the upstream of a server of the project of this name; nothing is opened yet."""
        remote = self._remote(server.definition)
        upstream = Upstream(
            server.definition.name,
            self._connectors(server.definition, log, remote),
            Owner("", GATEWAY, peer, opened=lambda _: opened()),
            down=down,
            eras=server.eras,
            limits=self._limits,
        )
        upstream.remote = remote
        upstream.mask = Mask(secrets_of(server.definition.target))
        upstream.context = about_server(project, server.definition.name)
        return upstream

    def _remote(self, definition: ServerDefinition) -> Remote | None:
        target = definition.target
        if isinstance(target, StdioTarget):
            return None
        client = self._client.beside(definition.connections)
        return Remote(client, Endpoints(definition.name, target.urls))

    def _connectors(
        self, definition: ServerDefinition, log: ServerLog, remote: Remote | None
    ) -> tuple[Connector, ...]:
        name, target = definition.name, definition.target
        if isinstance(target, StdioTarget):
            return (StdioConnector(self._station, target, name, log),)
        if remote is None:
            raise AssertionError("A server at an address has connections of its own.")
        sse = SSEConnector(remote.client, target, name, remote.endpoints)
        if target.legacy_sse:
            return (sse,)
        return (HTTPConnector(remote.client, target, name, remote.endpoints), sse)

    async def test(
        self,
        definition: ServerDefinition,
        read: Callable[[Upstream], Awaitable[Catalogue]],
    ) -> Trial:
        """Open `definition`, read what it offers, and close it again, whatever happens."""
        remote = self._remote(definition)
        upstream = Upstream(
            definition.name,
            self._connectors(definition, self.new_log(), remote),
            Owner("", GATEWAY, Nobody()),
            down=lambda _: None,
            limits=self._limits,
        )
        upstream.remote = remote
        upstream.mask = mask = Mask(secrets_of(definition.target))
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._limits.open_timeout):
                catalogue = await read(upstream)
        except TimeoutError:
            return Trial(ok=False, latency_ms=_since(started), error="It did not answer in time.")
        except (InterlockError, RPCError) as fault:
            error = mask.apply(fault.message)
            return Trial(ok=False, latency_ms=_since(started), error=error)
        else:
            return Trial(ok=True, latency_ms=_since(started), catalogue=catalogue)
        finally:
            await upstream.close()

    async def drain(self, runner: Runner) -> None:
        """Close a runner that gets no new calls, once those under way have ended."""
        await runner.upstream.drained(runner.server.definition.longest_timeout)
        await runner.close()


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
