"""A further process of a gateway: `python -m interlock.app.worker`, started by the keeper alone."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
import uvloop

from interlock.app.door import open_door
from interlock.app.garbage import settle
from interlock.app.listening import GatewayServer, uvicorn_config
from interlock.app.sockets import doors_of, join
from interlock.app.worker_program import WorkerProgram
from interlock.app.workers import READY, read
from interlock.errors import InterlockError
from interlock.protocol.json import loads
from interlock.settings import Settings
from interlock.telemetry.logs import configure_logging, get_logger

LAST_SECONDS: Final = 3.0  # seconds from the keeper's end to ours, whatever still runs

log = get_logger(__name__)


def main() -> int:
    """Serve until the keeper says to end, or is gone; return the exit code."""
    with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as pipe:
        number, settings = read(loads(pipe.readline()))
    configure_logging(settings.log_level, settings.log_format)
    structlog.contextvars.bind_contextvars(worker=number)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(number, settings))
    except (InterlockError, TimeoutError) as fault:
        log.warning("worker.failed", reason=str(fault) or "The keeper told nothing in time.")
        return 1


async def _serve(number: int, settings: Settings) -> int:
    doors = doors_of(settings)
    if doors is None:
        raise InterlockError("A gateway of one process has no workers.")
    listening, own = join(settings), doors.bind(number)
    program = WorkerProgram(settings, doors, number)
    passage = doors.passage(number)
    server: GatewayServer | None = None

    def end() -> None:
        if server is not None:
            server.abandon()

    _end_with_keeper(asyncio.get_running_loop(), end)
    try:
        await program.open()
        config = uvicorn_config(settings.gateway, program, passage)
        server = GatewayServer(config, program, _tell_ready, passage=passage)
        async with open_door(program.door, own, settings.gateway):
            settle()
            await server.serve([listening])
    finally:
        await program.close()
        listening.close()
        own.close()
    return 0


def _tell_ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def _end_with_keeper(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """End this process soon after the keeper, even where our event loop hangs."""

    def watch() -> None:
        # Not by the object: a thread that waits in it holds its lock when the interpreter ends.
        os.read(sys.stdin.fileno(), 1)
        loop.call_soon_threadsafe(end)
        time.sleep(LAST_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="keeper's pipe", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
