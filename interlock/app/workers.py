"""The further processes of a gateway: starts them, starts again what ends, ends them with us."""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from typing import Final, Self

from interlock.protocol.json import JSONObject, dumps
from interlock.settings import Settings
from interlock.station.supervisor import RestartPolicy
from interlock.telemetry.logs import get_logger

READY: Final = b"ready\n"
START_DEADLINE: Final = 60.0  # seconds
STOP_DEADLINE: Final = 40.0  # seconds; a worker drains for at most 30

log = get_logger(__name__)


class Workers:
    """The workers of one keeper, numbered from 1; they are started when told to `begin`.

    At the end of the block they end too. What each needs to know goes through a pipe, of which this process alone holds the end: a worker
    whose pipe ends knows that its keeper is gone.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Start all of them; each serves as soon as it can."""
        for number in range(1, self._settings.workers):
            task = asyncio.create_task(self._keep(number), name=f"worker {number}")
            self._tasks.append(task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()
        if not self._tasks:
            return
        await asyncio.wait(self._tasks, timeout=STOP_DEADLINE)
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._tasks)

    def end(self) -> None:
        """Let all drain and end, and start none again."""
        self._ending.set()
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        policy = RestartPolicy()
        while not self._ending.is_set():
            policy.started(time.monotonic())
            try:
                await self._run(number)
            except OSError as error:
                log.warning("worker.not_started", worker=number, reason=error.strerror)
            policy.ended(time.monotonic())
            await self._rest(policy)

    async def _run(self, number: int) -> None:
        """Start a worker and wait for its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "interlock.app.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # What a terminal sends to the keeper must not reach a worker before the keeper does.
            start_new_session=True,
        )
        self._processes[number] = process
        if self._ending.is_set():
            process.kill()
        try:
            if await self._ordered(process, number):
                log.info("worker.ready", worker=number, pid=process.pid)
            status = await process.wait()
        finally:
            del self._processes[number]
        if not self._ending.is_set():
            log.warning("worker.ended", worker=number, status=status)

    async def _ordered(self, process: asyncio.subprocess.Process, number: int) -> bool:
        """Tell a process what it is; True once it serves, False where it ended or had to be."""
        try:
            async with asyncio.timeout(START_DEADLINE):
                return await _order(process, number, self._settings)
        except TimeoutError:
            log.warning("worker.late", worker=number)
            process.kill()
            return False

    async def _rest(self, policy: RestartPolicy) -> None:
        now = time.monotonic()
        delay = policy.delay_before_restart(now)
        if delay is None:
            delay = max(0.1, (policy.retry_at or now) - now)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._ending.wait()


async def _order(process: asyncio.subprocess.Process, number: int, settings: Settings) -> bool:
    """Tell a process what it is, and wait until it serves; False where it ended instead."""
    if process.stdin is None or process.stdout is None:
        return False
    with suppress(ConnectionError):
        process.stdin.write(dumps(written(number, settings)) + b"\n")
        await process.stdin.drain()
    return await process.stdout.readline() == READY


def written(number: int, settings: Settings) -> JSONObject:
    """Return what a worker is told, secrets included: it goes through a pipe, and nowhere else."""
    document = settings.model_dump(mode="json")
    key = settings.master_key
    document["master_key"] = key.get_secret_value() if key is not None else None
    headers = settings.telemetry.otlp_headers
    document["telemetry"]["otlp_headers"] = headers.get_secret_value() if headers else None
    # Only the first start of a keeper makes a key of it.
    document["bootstrap_key"] = None
    return {"number": number, "settings": document}


def read(order: JSONObject) -> tuple[int, Settings]:
    """Return the number and the settings that `written` wrote."""
    return order["number"], Settings.model_validate(order["settings"])
