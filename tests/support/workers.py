"""Runs the real command with several processes, and reaches each of them at will."""

import asyncio
import json
import os
import re
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import Running, running

INTERLOCK = str(Path(sys.executable).with_name("interlock"))
START_SECONDS = 120.0
SECONDS = 60.0
ASK_AGAIN = 0.05
MODERN, PREFIX = "2026-07-28", "io.modelcontextprotocol/"
# All is plain HTTP here, and loading the authorities that TLS needs takes longer than a call.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Spread(httpx2.AsyncBaseTransport):
    """Sends each request to the next one of some processes, over their own sockets."""

    def __init__(self, sockets: tuple[str, ...]) -> None:
        self._transports = [httpx2.AsyncHTTPTransport(uds=path, verify=NO_TLS) for path in sockets]
        self._next = cycle(self._transports)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        return await next(self._next).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            await transport.aclose()


@dataclass(frozen=True, slots=True)
class Processes:
    """A gateway of `count` processes; `key` is an owner's."""

    program: Running
    address: str
    key: str
    data_dir: Path
    count: int

    def socket(self, number: int) -> str:
        """Return the path of one process's own socket."""
        return str(self.data_dir / "run" / f"{number}.sock")

    def spread(self, *numbers: int) -> Spread:
        """Return a transport that takes turns between these processes, or between all."""
        return Spread(tuple(self.socket(each) for each in numbers or range(self.count)))

    @asynccontextmanager
    async def at(self, *numbers: int) -> AsyncIterator[httpx2.AsyncClient]:
        """Open an owner's client whose requests go to these processes in turn, or to all."""
        headers = {"authorization": f"Bearer {self.key}"}
        transport = self.spread(*numbers)
        async with httpx2.AsyncClient(
            base_url=self.address,
            headers=headers,
            transport=transport,
            timeout=SECONDS,
            verify=NO_TLS,
        ) as client:
            yield client

    async def up(self) -> None:
        """Wait until every process lists every server of the project `default` without a trouble."""
        meta = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}}
        headers = {"mcp-protocol-version": MODERN, "mcp-method": "server/discover"}
        async with asyncio.timeout(SECONDS):
            for number in range(self.count):
                async with self.at(number) as client:
                    while True:
                        answer = await client.post("/mcp/default", json=asked, headers=headers)
                        if "dev.interlock/servers" not in answer.json()["result"]["_meta"]:
                            break
                        await asyncio.sleep(ASK_AGAIN)

    async def new_key(self, role: str, project: str = "default") -> str:
        """Make a key of a project."""
        async with self.at(0) as keeper:
            body = {"name": f"a {role}", "role": role}
            response = await keeper.post(f"/api/v1/projects/{project}/keys", json=body)
            response.raise_for_status()
            return response.json()["secret"]

    @property
    def pids(self) -> dict[int, int]:
        """The process ids of the workers that are ready, by number."""
        found: dict[int, int] = {}
        for line in self.program.output.splitlines():
            ready = re.search(r"worker\.ready worker=(\d+) pid=(\d+)", line)
            if ready is not None:
                found[int(ready[1])] = int(ready[2])
        return found


@contextmanager
def processes(count: int, config: dict[str, Any], **environment: str) -> Iterator[Processes]:
    """Run a gateway of so many processes with a configuration file, while the block runs.

    `environment` are settings of its own; new sessions have no limit by default.
    """
    # A socket's path is short, and pytest's own folders are deep.
    folder = Path(tempfile.mkdtemp(prefix="ilk-"))
    try:
        file = folder / "mcp.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        command = [INTERLOCK, "up", "--port", "0", "--workers", str(count)]
        command += ["--config", str(file), "--data", str(folder / "data")]
        # Tests open sessions faster than the clients of one key do.
        variables = {**os.environ, "INTERLOCK_GATEWAY__SESSION_RATE": "0", **environment}
        with running(
            command, ready=r"Ctrl\+C", timeout=START_SECONDS, env=variables, cwd=folder
        ) as program:
            left = json.loads((folder / "data" / "cli.json").read_bytes())
            gateway = Processes(program, left["url"], left["key"], folder / "data", count)
            # What was logged before the start was announced may be read after it.
            program.wait_until(lambda: len(gateway.pids) == count - 1, SECONDS)
            yield gateway
    finally:
        shutil.rmtree(folder)
