"""The parts that calls go through: registry, station, gateway."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

from interlock.app.collector import Collector, open_collector
from interlock.app.garbage import collect
from interlock.app.ground import Ground
from interlock.errors import InterlockError
from interlock.gateway.bridging import Bridge
from interlock.gateway.changes import Changes, Subscriptions
from interlock.gateway.clients import ClientSessions
from interlock.gateway.entry import Entry
from interlock.gateway.fast_lane import FastLane
from interlock.gateway.handover import Handover
from interlock.gateway.ledger import Ledger
from interlock.gateway.legacy import LegacyClients
from interlock.gateway.legacy_sse import LegacySSE
from interlock.gateway.listening import Listening
from interlock.gateway.modern import ModernClients
from interlock.gateway.parking import Parking
from interlock.gateway.perimeter import allowed_hosts
from interlock.gateway.pipeline import Pipeline
from interlock.gateway.routes import Endpoints
from interlock.gateway.streamable_http import StreamableHTTP
from interlock.gateway.tasks import Tasks
from interlock.identity.limits import RateLimit
from interlock.policy.rate_limit import Defaults, RateLimits
from interlock.registry.hosted import Host
from interlock.registry.links import Links
from interlock.registry.registry import Registry
from interlock.registry.store import ServerStore
from interlock.settings import GatewaySettings, Settings
from interlock.station.station import Station
from interlock.telemetry.logs import get_logger, log_failure
from interlock.telemetry.metrics import CallMetrics
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.proxies import Proxies, proxies_of

HOUSEKEEPING_INTERVAL = 10.0  # seconds

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What carries calls, from the socket to the servers."""

    settings: Settings
    station: Station
    changes: Changes
    registry: Registry
    legacy: LegacyClients
    modern: ModernClients
    parking: Parking
    endpoints: Endpoints
    limits: RateLimits
    ledger: Ledger
    calls: CallMetrics
    otlp: Collector | None
    lane: FastLane

    def end_streams(self) -> None:
        """Let every open stream end, so that a shutdown need not wait for its clients."""
        self.modern.close()
        self.endpoints.end_streams()
        for session in self.legacy.sessions:
            session.standalone.end()

    async def keep_house(self, ground: Ground) -> None:
        """Expire what is idle and write down what was used, for as long as the program runs."""
        idle = self.settings.gateway.session_idle
        while True:
            await asyncio.sleep(HOUSEKEEPING_INTERVAL)
            try:
                self.parking.expire()
                await self.legacy.expire(idle)
                await self.registry.expire(idle)
                await ground.keys.flush_last_used()
                if self.settings.workers > 1:
                    # Other processes have noted when they saw keys used.
                    await ground.keys.load()
            except InterlockError as fault:
                log_failure(log, "housekeeping.failed", fault)


async def open_data_plane(
    settings: Settings,
    ground: Ground,
    stack: AsyncExitStack,
    handover: Handover,
    host: Host | None = None,
) -> DataPlane:
    """Build the data plane; no server is started yet.

    `handover` knows the other processes of the gateway; `host` is the one that hosts the stdio
    servers, where that is another one.
    """
    station = Station(settings.station)
    stack.push_async_callback(station.close)
    client = HTTPClient(proxies=_proxies())
    stack.push_async_callback(client.close)
    changes, subscriptions = Changes(), Subscriptions()
    tasks = Tasks(ground.vault.keyed_hash("task-handle", b""))
    registry = Registry(
        ServerStore(ground.database, ground.vault),
        ground.projects.list,
        Links(station, client, settings.gateway, settings.station),
        changes,
        subscriptions,
        tasks,
    )
    registry.host = host
    stack.push_async_callback(registry.close)
    states_key = ground.vault.keyed_hash("request-state", b"")
    parking = Parking(states_key, mark=handover.state_mark)
    stack.push_async_callback(parking.close)
    pipeline = Pipeline(Bridge(parking), tasks, settings.gateway.page_size)
    sessions = ClientSessions(
        settings.gateway.max_sessions,
        settings.gateway.resume_bytes,
        mark=handover.session_mark,
    )
    legacy = LegacyClients(
        pipeline, sessions, changes, subscriptions, tasks, lambda: registry.table
    )
    stack.push_async_callback(legacy.end)
    modern = ModernClients(
        pipeline, Listening(changes, subscriptions, tasks, lambda: registry.table)
    )
    stack.push_async_callback(modern.end)
    limits = RateLimits(_default_limits(settings.gateway))
    calls = CallMetrics(settings.telemetry.max_tools)
    otlp = open_collector(settings.telemetry, handover.number)
    if otlp is not None:
        stack.push_async_callback(otlp.close)

    def project_id(name: str) -> str:
        return registry.table.id_of(name)

    ledger = Ledger(ground.writer.add, calls, otlp, project_id)
    entry = Entry(
        ground.keys.find,
        lambda: registry.table,
        ledger,
        registry,
        limits,
        max_body=settings.gateway.max_body,
    )
    keep_alive = settings.gateway.keep_alive

    sse = LegacySSE(entry, legacy, handover, keep_alive=keep_alive)
    stack.push_async_callback(sse.end)
    endpoints = Endpoints(
        StreamableHTTP(entry, legacy, modern, handover, keep_alive=keep_alive),
        sse,
        registry.place_of,
    )
    hosts = allowed_hosts(settings.host, settings.public_url, settings.allowed_hosts)
    lane = FastLane(
        entry, ground.keys, endpoints, legacy, handover, hosts=hosts, is_traced=otlp is not None
    )
    plane = DataPlane(
        settings,
        station,
        changes,
        registry,
        legacy,
        modern,
        parking,
        endpoints,
        limits,
        ledger,
        calls,
        otlp,
        lane,
    )
    beside = (
        asyncio.create_task(plane.keep_house(ground), name="housekeeping"),
        asyncio.create_task(collect(), name="collection of garbage"),
    )

    async def stop_beside() -> None:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    stack.push_async_callback(stop_beside)
    return plane


def _proxies() -> Proxies:
    proxies = proxies_of(os.environ)
    for scheme, proxy in proxies.by_scheme.items():
        log.info("proxy.used", scheme=scheme, proxy=proxy.fault or str(proxy), by=proxy.variable)
    return proxies


def _default_limits(settings: GatewaySettings) -> Defaults:
    def limit(rate: int, burst: int) -> RateLimit | None:
        return RateLimit.of(rate, burst=burst or None) if rate else None

    return Defaults(
        key=limit(settings.key_rate, settings.key_burst),
        project=limit(settings.project_rate, settings.project_burst),
        sessions=limit(settings.session_rate, settings.session_burst),
    )
