"""Serving the program on a socket, from the first request to the last."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from interlock.app.first_start import FirstStart
from interlock.app.program import Program
from interlock.errors import BadInput
from interlock.gateway.listener import guarded_protocol
from interlock.settings import Settings
from interlock.telemetry.logs import configure_logging

DRAIN_SECONDS = 30
# Longer than clients keep a quiet connection (httpx 5 s, browsers a minute): who closes first while
# the other sends makes a request fail that cannot be sent again safely.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048

__all__ = ["FirstStart", "Started", "serve"]


@dataclass(frozen=True, slots=True)
class Started:
    """What a start has to tell: addresses, what is shown once, and what is wrong."""

    address: str
    endpoint: str
    console: str
    first: FirstStart | None
    warnings: tuple[str, ...]
    faults: tuple[str, ...]


class _Server(uvicorn.Server):
    """Ends our streams before it waits for requests under way, and says when it listens."""

    def __init__(self, config: uvicorn.Config, program: Program, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._program = program
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._program.end_streams()
        await super().shutdown(sockets)


def serve(settings: Settings, *, config: Path | None, announce: Callable[[Started], None]) -> int:
    """Run until a signal ends it, and return the exit code.

    `announce` is called once, when calls are taken. Raises InterlockError with the cure where the
    program cannot start.
    """
    configure_logging(settings.log_level, settings.log_format)
    return asyncio.run(_serve(settings, config, announce))


async def _serve(
    settings: Settings, config: Path | None, announce: Callable[[Started], None]
) -> int:
    listening = _bind(settings)
    port = listening.getsockname()[1]
    settings = settings.model_copy(update={"port": port})
    program = Program(settings)
    try:
        report = await program.open(config)
        started = Started(
            address=settings.address,
            endpoint=f"{settings.address}/mcp/default",
            console=f"{settings.address}/",
            first=report.first,
            warnings=report.warnings,
            faults=report.faults,
        )
        server = _Server(_uvicorn(settings, program), program, lambda: announce(started))
        await server.serve([listening])
    finally:
        await program.close()
        listening.close()
    return 0


def _uvicorn(settings: Settings, program: Program) -> uvicorn.Config:
    return uvicorn.Config(
        program,
        http=guarded_protocol(settings.gateway),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
    )


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Only where the protocol is named does asyncio turn off Nagle's algorithm, which would hold
    # back the end of each answer until the client acknowledges its beginning, 40 ms later.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise BadInput(
            f"{settings.host}:{settings.port} cannot be used: {error.strerror}. "
            "End what uses it, or choose another port with --port or INTERLOCK_PORT."
        ) from None
    return listening
