"""All numbers of the gateway: those of this process, and those of the others."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from interlock import __version__
from interlock.app.data_plane import DataPlane
from interlock.app.door import METRICS
from interlock.app.ground import Ground
from interlock.errors import InterlockError
from interlock.gateway.relay import Relay
from interlock.protocol.json import loads
from interlock.registry.runner import ServerRunner
from interlock.telemetry.exposition import ProcessFamilies
from interlock.telemetry.families import Family, Kind, gauge, merged
from interlock.telemetry.lag import LoopLag
from interlock.telemetry.logs import get_logger

ASK_DEADLINE: Final = 3.0  # seconds in which another process must tell its numbers
MAX_ANSWER: Final = 64 * 1024 * 1024  # bytes
_CIRCUITS: Final = {"closed": 0, "half_open": 1, "open": 2}

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
        tasks = len(asyncio.all_tasks())
        yield gauge("interlock_tasks", "Tasks of the process that have not ended.", tasks)
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


def asking(relay: Relay) -> Callable[[int], Awaitable[bytes]]:
    """Return how another process is asked for its numbers."""

    async def ask(number: int) -> bytes:
        answer = await relay.request(number, "GET", METRICS)
        return await answer.read(MAX_ANSWER)

    return ask
