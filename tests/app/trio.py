"""A gateway of three processes in front of five servers, each process reached at will."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.matrix.raw_client import (
    BOTH,
    INFO,
    MODERN,
    PREFIX,
    JSONObject,
    LegacyClient,
    ModernClient,
    RawClient,
    SSEClient,
    raw_client,
)
from tests.support.processes import running
from tests.support.workers import Processes, processes

SECONDS = 60.0  # the machine may be slow
ASK_AGAIN = 0.05
COUNT = 3
HOSTED, REMOTE = ("proc", "mproc"), ("web", "mweb", "plain")
"""Servers by where they run; those with an m are of the modern era, and the plain one is without
tasks."""
MATRIX = Path(__file__).parents[1] / "matrix"
MCP_HEADERS = {"accept": BOTH, "mcp-protocol-version": MODERN}


@dataclass(frozen=True, slots=True)
class Trio:
    """The gateway, and the addresses of its remote servers by their names."""

    gateway: Processes
    remotes: dict[str, str]

    @asynccontextmanager
    async def modern(
        self, *numbers: int, place: str = "default", key: str | None = None, **capabilities: Any
    ) -> AsyncIterator[ModernClient]:
        """Connect a modern client whose requests go to these processes in turn."""
        async with self._raw("modern-http", numbers, place, key, capabilities) as client:
            assert isinstance(client, ModernClient)
            yield client

    @asynccontextmanager
    async def legacy(
        self, *numbers: int, place: str = "default", key: str | None = None, **capabilities: Any
    ) -> AsyncIterator[LegacyClient]:
        """Open a session over Streamable HTTP in the same way, and the session's own stream."""
        async with self._raw("legacy-http", numbers, place, key, capabilities) as client:
            assert isinstance(client, LegacyClient)
            yield client

    @asynccontextmanager
    async def sse(
        self, *numbers: int, place: str = "default", key: str | None = None, **capabilities: Any
    ) -> AsyncIterator[SSEClient]:
        """Open a session over HTTP+SSE in the same way."""
        async with self._raw("legacy-sse", numbers, place, key, capabilities) as client:
            assert isinstance(client, SSEClient)
            yield client

    def _raw(
        self, kind: str, numbers: tuple[int, ...], place: str, key: str | None, able: JSONObject
    ) -> AbstractAsyncContextManager[RawClient]:
        gateway = self.gateway
        transport = gateway.spread(*numbers)
        return raw_client(
            kind, gateway.address, key or gateway.key, able, place=place, transport=transport
        )

    async def post(
        self,
        number: int,
        method: str,
        params: JSONObject | None = None,
        *,
        place: str = "default",
        key: str | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Send one modern request to one process; `_` in the name of a header stands for `-`."""
        params = params or {}
        meta = {
            f"{PREFIX}protocolVersion": MODERN,
            f"{PREFIX}clientInfo": INFO,
            f"{PREFIX}clientCapabilities": {},
        }
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if "name" in params:
            more["mcp-name"] = params["name"]
        if key is not None:
            more["authorization"] = f"Bearer {key}"
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        async with self.gateway.at(number) as client:
            return await client.post(
                f"/mcp/{place}",
                json=message,
                headers={**MCP_HEADERS, "mcp-method": method, **more},
            )

    async def everywhere(self, holds: Callable[[int], Awaitable[bool]]) -> None:
        """See that something holds at every process, and that it does so at once.

        Where the machine was so slow that the keeper answered a change without a worker, as it then
        says, it must hold soon.
        """
        if all([await holds(number) for number in range(COUNT)]):
            return
        assert "bulletin.late" in self.gateway.program.output
        async with asyncio.timeout(SECONDS):
            for number in range(COUNT):
                await _until(holds, number)


async def _until(holds: Callable[[int], Awaitable[bool]], number: int) -> None:
    while True:
        if await holds(number):
            return
        await asyncio.sleep(ASK_AGAIN)


@contextmanager
def trio() -> Iterator[Trio]:
    """Run the gateway until every process lists every server as well."""
    with ExitStack() as stack:
        config = {name: _hosted(name) for name in HOSTED}
        remotes = {name: stack.enter_context(remote(name)) for name in REMOTE}
        config |= {name: {"url": url} for name, url in remotes.items()}
        gateway = stack.enter_context(processes(COUNT, {"mcpServers": config}))
        made = Trio(gateway, remotes)
        asyncio.run(gateway.up())
        yield made


def _hosted(name: str) -> JSONObject:
    return {"command": sys.executable, "args": [*_arguments(name), "--stdio"]}


@contextmanager
def remote(name: str) -> Iterator[str]:
    """Run an HTTP server and yield its address."""
    command = [sys.executable, *_arguments(name), "--http", "0"]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        yield f"{server.ready[1]}/mcp"


def _arguments(name: str) -> list[str]:
    program = MATRIX / ("taskless_server.py" if name == "plain" else "everything_server.py")
    return [str(program), "--name", name, "--era", "modern" if name.startswith("m") else "legacy"]


async def open_gate(address: str, gate: str) -> None:
    """Open a gate of a legacy HTTP server without the gateway."""
    async with httpx2.AsyncClient(timeout=SECONDS) as http:
        client = LegacyClient(http, address, {})
        await client.open()
        await client.call("open_gate", {"gate": gate})
        await client.close()


def gone(pids: set[int]) -> None:
    """Wait until processes have ended."""
    deadline = time.monotonic() + SECONDS
    while left := {pid for pid in pids if _is_alive(pid)}:
        assert time.monotonic() < deadline, f"These processes are left: {left}"
        time.sleep(ASK_AGAIN)


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def descendants(pid: int) -> set[int]:
    """Return the processes that a process started, and those that they started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found: set[int] = set()
    newest = {pid}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest}
        found |= newest
    return found
