"""All numbers of the gateway: those of this process, of the others, and who may read them."""

import asyncio
import ipaddress
import platform
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from interlock import __version__
from interlock.app.data_plane import DataPlane
from interlock.app.door import METRICS
from interlock.app.ground import Ground
from interlock.errors import Forbidden, InterlockError, NotFound, Unauthenticated
from interlock.gateway.relay import Relay
from interlock.identity.gate import Gate
from interlock.identity.principal import Principal, Role
from interlock.protocol.json import loads
from interlock.registry.runner import ServerRunner
from interlock.settings import Settings
from interlock.telemetry.exposition import ProcessFamilies, exposition
from interlock.telemetry.families import Family, Kind, gauge, merged
from interlock.telemetry.lag import LoopLag
from interlock.telemetry.logs import get_logger

ASK_DEADLINE: Final = 3.0  # seconds in which another process must tell its numbers
MAX_ANSWER: Final = 64 * 1024 * 1024  # bytes
_CIRCUITS: Final = {"closed": 0, "half_open": 1, "open": 2}
# A proxy on this machine would make everyone look local.
_BY_A_PROXY: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

log = get_logger(__name__)


class ProcessMetrics:
    """The numbers of one process; `number` is its own."""

    def __init__(self, number: int, plane: DataPlane, ground: Ground, lag: LoopLag) -> None:
        self._number = number
        self._plane = plane
        self._ground = ground
        self._lag = lag
        self._process = ProcessFamilies()

    def families(self) -> list[Family]:
        """Return all numbers as they are now."""
        found = [*self._plane.calls.families(), *self._gateway(), *self._servers()]
        found += [self._lag.family(), *self._process.families()]
        return [each.labelled("worker", str(self._number)) for each in found]

    def _gateway(self) -> Iterator[Family]:
        plane, writer = self._plane, self._ground.writer
        followed = sum(each.standalone.is_followed for each in plane.legacy.sessions)
        sessions, streams = len(plane.legacy.sessions), followed + plane.modern.stream_count
        yield gauge("interlock_sessions", "Legacy sessions of clients.", sessions)
        yield gauge("interlock_streams", "Streams that clients hold open to hear us.", streams)
        yield gauge(
            "interlock_parked_calls",
            "Calls that wait for their client's answer.",
            len(plane.parking),
        )
        yield gauge(
            "interlock_records_pending", "Records that are not in the database yet.", writer.pending
        )
        yield Family(
            "interlock_records_lost_total",
            "counter",
            "Records that neither the database nor the disk took.",
            (),
            (((), float(writer.lost)),),
        )
        build = (__version__, platform.python_version())
        yield Family(
            "interlock_build_info", "gauge", "Always 1.", ("version", "python"), ((build, 1),)
        )

    def _servers(self) -> Iterator[Family]:
        # What another process hosts is told by that one.
        runners = [each for each in self._plane.registry.runners if isinstance(each, ServerRunner)]

        def of_each(
            name: str, help_text: str, value: Callable[[ServerRunner], float], kind: Kind = "gauge"
        ) -> Family:
            points = tuple((self._labels(each), float(value(each))) for each in runners)
            return Family(name, kind, help_text, ("project", "server"), points)

        yield of_each(
            "interlock_server_up",
            "Whether the server answers, 1 or 0.",
            lambda each: each.entry.condition == "ok",
        )
        yield of_each(
            "interlock_server_restarts_total",
            "Starts of the server after its first.",
            lambda each: each.health.restarts,
            "counter",
        )
        yield of_each(
            "interlock_server_circuit_state",
            "Whether calls are let through: 0 yes (closed), 1 being tried, 2 no (open).",
            lambda each: _CIRCUITS[each.circuit.state],
        )
        yield of_each(
            "interlock_server_sessions",
            "Sessions that we have with the server.",
            lambda each: each.upstream.session_count,
        )
        yield of_each(
            "interlock_calls_in_flight",
            "Calls that the server has now.",
            lambda each: each.upstream.calls,
        )
        yield Family(
            "interlock_connect_seconds",
            "histogram",
            "Time to open a session with the server: its start or a connection, and the handshake.",
            ("project", "server"),
            tuple((self._labels(each), each.upstream.opened.distribution) for each in runners),
        )

    def _labels(self, runner: ServerRunner) -> tuple[str, str]:
        project, server = self._plane.registry.place_of(runner.server.id)
        return project, server or ""


class GatewayMetrics:
    """The numbers of all processes. `ask` asks another process for its own, as it tells them."""

    def __init__(
        self,
        own: ProcessMetrics,
        others: Sequence[int] = (),
        ask: Callable[[int], Awaitable[bytes]] | None = None,
    ) -> None:
        self._own = own
        self._others = others if ask is not None else ()
        self._ask = ask

    async def families(self) -> list[Family]:
        """Return all numbers; a process that does not tell its own is shown as down."""
        found = await asyncio.gather(*(self._of(number) for number in self._others))
        told = [(str(number), each) for number, each in zip(self._others, found, strict=True)]
        up: list[tuple[tuple[str, ...], float]] = [(("0",), 1)]
        up += [((number,), float(each is not None)) for number, each in told]
        own = Family(
            "interlock_worker_up",
            "gauge",
            "Whether the process tells its numbers.",
            ("worker",),
            tuple(up),
        )
        return merged(
            [[own], self._own.families(), *(each for _, each in told if each is not None)]
        )

    async def _of(self, number: int) -> list[Family] | None:
        if self._ask is None:
            return None
        try:
            async with asyncio.timeout(ASK_DEADLINE):
                return [Family.read(each) for each in loads(await self._ask(number))["families"]]
        except (InterlockError, TimeoutError, ValueError) as fault:
            log.warning("metrics.not_told", worker=number, reason=str(fault) or "silence")
            return None


def routes(
    metrics: GatewayMetrics, gate: Gate, settings: Settings, name_of: Callable[[str], str]
) -> APIRouter:
    """Return the route `/metrics`; `name_of` is the name of the project with an id."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response)
    async def read_metrics(request: Request) -> Response:
        """Show all numbers for Prometheus, as text or as OpenMetrics.

        An owner's key shows the numbers of its own project.
        """
        access = settings.telemetry.metrics
        if access == "off":
            raise NotFound("INTERLOCK_TELEMETRY__METRICS turns the metrics off.")
        principal = await gate.principal(request)
        is_free = access == "loopback" and settings.public_url is None and _is_local(request)
        if is_free and principal.kind == "anonymous":
            return _shown(request, await metrics.families())
        # Whoever shows a key sees what the key may see, also from this machine.
        _check(principal)
        families = await metrics.families()
        if not principal.is_admin and principal.project_id is not None:
            own = name_of(principal.project_id)
            families = [each.only("project", own) for each in families]
        return _shown(request, families)

    return router


def asking(relay: Relay) -> Callable[[int], Awaitable[bytes]]:
    """Return how another process is asked for its numbers."""

    async def ask(number: int) -> bytes:
        answer = await relay.request(number, "GET", METRICS)
        return await answer.read(MAX_ANSWER)

    return ask


def _shown(request: Request, families: Iterable[Family]) -> Response:
    accept = request.headers.get("accept", "")
    body, content_type = exposition([each for each in families if each.points], accept)
    return Response(body, HTTPStatus.OK, media_type=content_type)


def _is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine, and not through a proxy on it."""
    if request.client is None or any(name in request.headers for name in _BY_A_PROXY):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _check(principal: Principal) -> None:
    """Refuse who may not read numbers. Raises Unauthenticated, and Forbidden for lesser roles."""
    if principal.kind == "anonymous":
        raise Unauthenticated(
            "Metrics need an administrator's or an owner's key: send Authorization: Bearer, a space "
            "and the key."
        )
    if not principal.may(principal.project_id or "", Role.OWNER):
        raise Forbidden("This needs an administrator's or an owner's key; ask an owner for one.")
