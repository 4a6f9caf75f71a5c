"""Serving the program on a socket, from the first request to the last."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from interlock.app.door import open_door
from interlock.app.first_start import FirstStart
from interlock.app.garbage import settle
from interlock.app.listening import GatewayServer, uvicorn_config
from interlock.app.program import Program
from interlock.app.sockets import Doors, bind, doors_of
from interlock.app.workers import Workers
from interlock.gateway.handover import KEEPER
from interlock.settings import Settings
from interlock.telemetry.logs import configure_logging

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


def serve(settings: Settings, *, config: Path | None, announce: Callable[[Started], None]) -> int:
    """Run until a signal ends it, and return the exit code.

    `announce` is called once, when calls are taken. Raises InterlockError with the cure where the
    program cannot start.
    """
    configure_logging(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, config, announce))


async def _serve(
    settings: Settings, config: Path | None, announce: Callable[[Started], None]
) -> int:
    doors = doors_of(settings)
    if doors is not None:
        doors.prepare()
    listening = bind(settings)
    port = listening.getsockname()[1]
    settings = settings.model_copy(update={"port": port})
    program = Program(settings, doors)
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
        async with AsyncExitStack() as stack:
            workers = await _open_to_workers(settings, program, doors, stack)

            def ready() -> None:
                announce(started)
                if workers is not None:
                    workers.begin()

            passage = doors.passage(KEEPER) if doors is not None else None
            config_of_port = uvicorn_config(settings.gateway, program, passage)
            ending = workers.end if workers is not None else None
            server = GatewayServer(config_of_port, program, ready, ending, passage)
            settle()
            await server.serve([listening])
    finally:
        await program.close()
        listening.close()
    return 0


async def _open_to_workers(
    settings: Settings, program: Program, doors: Doors | None, stack: AsyncExitStack
) -> Workers | None:
    """Open the door to the further processes of a gateway, and return those, not started yet."""
    if doors is None or program.door is None:
        return None
    own = doors.bind(KEEPER)
    stack.callback(own.close)
    await stack.enter_async_context(open_door(program.door, own, settings.gateway))
    return await stack.enter_async_context(Workers(settings))
