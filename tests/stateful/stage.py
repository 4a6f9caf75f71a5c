"""The real program before five play servers, in an event loop that turns only while a step runs."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from interlock.app.data_plane import DataPlane
from interlock.registry.runner import ServerRunner
from tests.matrix.raw_client import NO_TLS
from tests.stateful.director import Director
from tests.support.processes import running
from tests.support.program import RunningProgram, program

T = TypeVar("T")

SECONDS = 60.0
POLL_SECONDS = 0.01
SCRIPT = str(Path(__file__).with_name("play_server.py"))


@dataclass(frozen=True, slots=True)
class Server:
    """A play server. Over a duplex transport nothing says which call a message belongs to."""

    name: str
    is_modern: bool
    is_duplex: bool


SERVERS = {
    each.name: each
    for each in (
        Server("ls", is_modern=False, is_duplex=True),
        Server("lh", is_modern=False, is_duplex=False),
        Server("lx", is_modern=False, is_duplex=True),
        Server("ms", is_modern=True, is_duplex=True),
        Server("mh", is_modern=True, is_duplex=False),
    )
}
OVER_STDIO = {"ls": "legacy", "ms": "modern"}


class Stage:
    """What all examples share; `run` lets time pass on it."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.news = asyncio.Event()
        self.director = Director(self.news.set)
        self.keys: dict[str, str] = {}
        self.baseline: Counter[str] = Counter()
        self._runner = runner
        self._gateway: RunningProgram | None = None
        self._http: httpx2.AsyncClient | None = None

    def run(self, work: Awaitable[T]) -> T:
        """Let the loop turn until `work` is done."""

        async def whole() -> T:
            return await work

        return self._runner.run(whole())

    async def build(self, stack: AsyncExitStack, processes: ExitStack) -> None:
        """Start everything."""
        await stack.enter_async_context(self.director.directing())
        command = [sys.executable, SCRIPT, "--director", str(self.director.port)]
        processes.enter_context(running([*command, "--http"]))
        await self.until(lambda: self.director.pids()["lh"], "the HTTP servers came")
        ports = self.director.players[0].ports
        config: dict[str, Any] = {
            name: {
                "command": command[0],
                "args": [*command[1:], "--name", name, "--stdio", era],
            }
            for name, era in OVER_STDIO.items()
        }
        for name in ("lh", "mh"):
            config[name] = {"type": "streamable-http", "url": f"http://127.0.0.1:{ports[name]}/mcp"}
        config["lx"] = {"type": "sse", "url": f"http://127.0.0.1:{ports['lx']}/sse"}
        self._gateway = await stack.enter_async_context(program({"mcpServers": config}))
        await self._gateway.up(*config)
        self.keys = {"a": self._gateway.key, "b": await self._gateway.new_key("developer")}
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx2.AsyncClient(timeout=60.0, verify=NO_TLS, limits=limits)
        await stack.enter_async_context(self._http)

    @property
    def gateway(self) -> RunningProgram:
        """The program."""
        assert self._gateway is not None
        return self._gateway

    @property
    def http(self) -> httpx2.AsyncClient:
        """The connections of all clients."""
        assert self._http is not None
        return self._http

    @property
    def plane(self) -> DataPlane:
        """The parts of the program that calls go through."""
        plane = self.gateway.program._plane
        assert plane is not None
        return plane

    def runners(self) -> list[ServerRunner]:
        """Return what keeps each server running."""
        runners = self.plane.registry._runners.values()
        return [each for each in runners if isinstance(each, ServerRunner)]

    async def until(self, holds: Callable[[], object], story: str | Callable[[], str]) -> None:
        """Wait until `holds`, asked again at each piece of news; else fail with the `story`."""
        try:
            async with asyncio.timeout(SECONDS):
                while not holds():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            told = story if isinstance(story, str) else story()
            raise AssertionError(f"It did not come to that: {told}") from None

    async def until_inside(
        self, holds: Callable[[], Awaitable[bool]], story: Callable[[], str]
    ) -> None:
        """Wait until something `holds` inside the program, where no news tells of it."""
        try:
            async with asyncio.timeout(SECONDS):
                while not await holds():  # noqa: ASYNC110 -- the program has no event for its tests
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"It did not come to that: {story()}") from None

    async def until_true(self, holds: Callable[[], object], story: Callable[[], str]) -> None:
        """Wait as `until_inside` does, for what need not be awaited."""

        async def do_hold() -> bool:
            return bool(holds())

        await self.until_inside(do_hold, story)


@contextmanager
def stage() -> Iterator[Stage]:
    """Build a stage and take it down; nothing may be left of it."""
    with ExitStack() as processes, asyncio.Runner() as runner:
        built, stack = Stage(runner), AsyncExitStack()
        try:
            built.run(built.build(stack, processes))
            yield built
        finally:
            built.run(stack.aclose())
