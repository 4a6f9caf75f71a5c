"""Runs the whole program inside a test, on a real socket with data of its own, and leaves nothing."""

import asyncio
import gc
import json
import os
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import (
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from interlock.app.listening import GatewayServer, uvicorn_config
from interlock.app.program import Program, Report
from interlock.app.sockets import bind
from interlock.gateway.changes import Listener
from interlock.registry.registry import Registry
from interlock.settings import Settings
from tests.storage.databases import FILE, migrated_file
from tests.support.workers import NO_TLS

DEADLINE = 60.0  # seconds; the machine may be slow
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05
ASK_AGAIN = 0.5  # seconds
LAST_STEPS = 10  # turns of the loop in which closed connections are cleared away

Conditions = dict[str, str]


@dataclass(frozen=True, slots=True)
class RunningProgram:
    """The program while it serves. `key` is an owner's, and `client` sends it."""

    program: Program
    report: Report
    address: str
    key: str
    client: httpx2.AsyncClient
    data_dir: Path

    @property
    def registry(self) -> Registry:
        """The program's registry, for what no public door tells."""
        assert self.program._plane is not None
        return self.program._plane.registry

    async def conditions(self, project: str = "default") -> Conditions:
        """Ask how each server of a project is."""
        answer = await self.client.get(f"/api/v1/projects/{project}/health")
        assert answer.status_code == 200, answer.text
        return {each["name"]: each["status"] for each in answer.json()["servers"]}

    async def up(self, *names: str, project: str = "default") -> None:
        """Wait until all of these servers are up."""

        def are_up(conditions: Conditions) -> bool:
            return all(conditions.get(name) == "ok" for name in names)

        await self.until(are_up, project)

    async def until(
        self, holds: Callable[[Conditions], object], project: str = "default"
    ) -> Conditions:
        """Wait until the servers' conditions are such that `holds`, and return them."""
        conditions: Conditions = {}

        async def do_hold() -> bool:
            nonlocal conditions
            conditions = await self.conditions(project)
            return bool(holds(conditions))

        await self.eventually(do_hold, project)
        return conditions

    async def eventually(
        self, holds: Callable[[], Awaitable[bool]], project: str = "default"
    ) -> None:
        """Wait until `holds`, asked again each time that a list of the project changes.

        It is asked now and then, too: lists may change for some clients only.
        """
        with _changes_of(self.registry, project) as changed:
            try:
                async with asyncio.timeout(DEADLINE):
                    while not await holds():
                        with suppress(TimeoutError):
                            async with asyncio.timeout(ASK_AGAIN):
                                await changed.wait()
                        changed.clear()
            except TimeoutError:
                health = await self.client.get(f"/api/v1/projects/{project}/health")
                raise AssertionError(f"It did not come to that: {health.text}") from None

    async def new_key(self, role: str, project: str = "default") -> str:
        """Make another API key and return its secret."""
        answer = await self.client.post(
            f"/api/v1/projects/{project}/keys", json={"name": f"a {role}", "role": role}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["secret"]


@asynccontextmanager
async def program(
    config: dict[str, Any] | None = None, *, data_dir: Path | None = None, **settings: Any
) -> AsyncIterator[RunningProgram]:
    """Run the program on a free loopback port for as long as the block runs.

    `config` is the content of a configuration file; `settings` are those of `Settings`, a section
    as a dictionary of some of its fields; new sessions have no limit by default. A program with the `data_dir` of an earlier one goes on
    from there, and one without finds the tables made. Nothing may be left when the block ends: no
    task, no process, no warning.
    """
    async with AsyncExitStack() as stack:
        family = await stack.enter_async_context(_nothing_left())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = None
        if config is not None:
            file = scratch / "mcp.json"
            file.write_text(json.dumps(config), encoding="utf-8")
        # Tests open sessions faster than the clients of one key do.
        settings["gateway"] = {"session_rate": 0, **settings.get("gateway", {})}
        if data_dir is None:
            data_dir = scratch / "data"
            data_dir.mkdir(mode=0o700)
            (data_dir / FILE).write_bytes(await migrated_file())
        values = {"port": 0, "data_dir": data_dir, **settings}
        running = await _serve(Settings.model_validate(values), file, stack)
        stack.callback(family.look)
        yield running


async def _serve(settings: Settings, file: Path | None, stack: AsyncExitStack) -> RunningProgram:
    listening = bind(settings)
    stack.callback(listening.close)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    served = Program(settings)
    report = await served.open(file)
    stack.push_async_callback(served.close)
    ready = asyncio.Event()
    server = _QuietServer(uvicorn_config(settings.gateway, served), served, ready.set)
    serving = asyncio.create_task(server.serve([listening]), name="uvicorn")

    async def stop() -> None:
        server.should_exit = True
        async with asyncio.timeout(STOP_SECONDS):
            await serving

    stack.push_async_callback(stop)
    async with asyncio.timeout(DEADLINE):
        await ready.wait()
    key = json.loads((settings.data_dir / "cli.json").read_bytes())["key"]
    client = httpx2.AsyncClient(
        base_url=settings.address,
        headers={"authorization": f"Bearer {key}"},
        timeout=DEADLINE,
        verify=NO_TLS,
    )
    await stack.enter_async_context(client)
    # The control API is loaded in a thread. Where a test has two programs in one process, one must
    # not make the schemas of its routes while the other's serve: pydantic takes no turns.
    assert served._control is not None
    await served._control.begin()
    return RunningProgram(served, report, settings.address, key, client, settings.data_dir)


class _QuietServer(GatewayServer):
    """Leaves the signals of the process to the test runner."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextmanager
def _changes_of(registry: Registry, project: str) -> Iterator[asyncio.Event]:
    changed = asyncio.Event()
    listener = Listener(project, None, lambda _method, _params: changed.set())
    registry._changes.add(listener)
    try:
        yield changed
    finally:
        registry._changes.remove(listener)


@dataclass(slots=True)
class _Family:
    """The processes that this one started, and those that they started."""

    before: set[int]
    started: set[int]

    def look(self) -> None:
        """Note who is there now; orphans change their parents, so it must be while they live."""
        self.started = _descendants() - self.before

    async def gone(self) -> bool:
        """Wait until all that were seen are dead; orphans are reaped by another process."""
        deadline = time.monotonic() + STOP_SECONDS
        while any(_lives(pid) for pid in self.started):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True


@asynccontextmanager
async def _nothing_left() -> AsyncIterator[_Family]:
    """Fail where the block leaves a task, a process, a warning, or an exception nobody took."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    previous = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    tasks, family = asyncio.all_tasks(), _Family(_descendants(), set())
    try:
        yield family
        for _ in range(LAST_STEPS):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - tasks - {asyncio.current_task()}
        assert not left, f"These tasks are left: {left}"
        assert await family.gone(), f"Of these processes some are left: {family.started}"
        with warnings.catch_warnings(record=True, action="always") as warned:
            gc.collect()
        assert [str(each.message) for each in warned] == []
        assert not complaints, complaints
    finally:
        loop.set_exception_handler(previous)


def _descendants() -> set[int]:
    found: set[int] = set()
    newest = {os.getpid()}
    while newest:
        newest = {child for pid in newest for child in _children(pid)}
        found |= newest
    return found


def _children(pid: int) -> set[int]:
    """Return whom a process started that is no zombie, by any of its threads."""
    children: set[int] = set()
    # A thread, or the process as a whole, may end while it is looked at.
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                children |= {int(each) for each in (thread / "children").read_text().split()}
    return {child for child in children if _lives(child)}


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
