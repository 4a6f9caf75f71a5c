"""The gateway as a real process with bad servers behind it, and what can be measured of it."""

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import Running
from tests.support.workers import MODERN, NO_TLS, PREFIX, Processes, processes

BAD_SERVER = Path(__file__).with_name("bad_server.py")
NEIGHBOUR = Path(__file__).with_name("neighbour.py")
SECONDS = 60.0  # a deadline against hanging tests, not a bound that is tested
ASK_AGAIN = 0.02
MIB = 1024 * 1024
IS_FULL = os.environ.get("TEST_FAULTS") == "full"

# A server comes back five times a minute, then its circuit opens: many kills need many servers.
VICTIMS = tuple(f"victim{number}" for number in range(20 if IS_FULL else 4))
DEADLINE = 2.0  # seconds that the servers `impatient…` have for a call

JSONObject = dict[str, Any]


def bad(*args: str, **options: Any) -> JSONObject:
    """Define a bad server as a configuration file does."""
    return {"command": sys.executable, "args": ["-I", "-S", str(BAD_SERVER), *args], **options}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one call, in how many seconds, and how many events came before it."""

    message: JSONObject
    seconds: float
    events: int = 0

    @property
    def text(self) -> str:
        """The text of a good answer."""
        return self.message["result"]["content"][0]["text"]

    @property
    def error(self) -> str:
        """The message of an error."""
        return self.message["error"]["message"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A running gateway, and a client of the modern era that has an owner's key."""

    gateway: Processes
    client: httpx2.AsyncClient

    @property
    def program(self) -> Running:
        """The process of the gateway."""
        return self.gateway.program

    async def call(
        self, server: str, tool: str, *, token: bool = False, **arguments: Any
    ) -> Answer:
        """Call a tool of one server; with `token` its progress is wanted."""
        request = self._request(server, tool, token=token, **arguments)
        began = time.monotonic()
        response = await self.client.send(request)
        seconds = time.monotonic() - began
        if not response.headers["content-type"].startswith("text/event-stream"):
            return Answer(response.json(), seconds)
        events = [line for line in response.content.split(b"\n") if line.startswith(b"data: {")]
        return Answer(json.loads(events[-1].removeprefix(b"data: ")), seconds, len(events) - 1)

    def written(self, server: str, tool: str, *, token: bool, **arguments: Any) -> bytes:
        """Return the whole request of a call, for a client that does no more than send it."""
        request = self._request(server, tool, token=token, **arguments)
        fields = b"".join(b"%s: %s\r\n" % field for field in request.headers.raw)
        return b"POST %s HTTP/1.1\r\n%s\r\n%s" % (request.url.raw_path, fields, request.read())

    def _request(self, server: str, tool: str, *, token: bool, **arguments: Any) -> httpx2.Request:
        meta: JSONObject = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
        if token:
            meta["progressToken"] = "t"
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": tool,
            "accept": "application/json, text/event-stream",
        }
        return self.client.build_request(
            "POST", f"/mcp/default/{server}", json=body, headers=headers
        )

    async def health(self) -> dict[str, JSONObject]:
        """Ask how each server is."""
        response = await self.client.get("/api/v1/projects/default/health")
        response.raise_for_status()
        return {each["name"]: each for each in response.json()["servers"]}

    async def up(self, *names: str) -> None:
        """Wait until these servers are up."""
        async with asyncio.timeout(SECONDS):
            while True:
                health = await self.health()
                if all(health.get(name, {}).get("status") == "ok" for name in names):
                    return
                await asyncio.sleep(ASK_AGAIN)

    async def back(self, server: str) -> float:
        """Wait until a server answers a call, and return how many seconds that took."""
        began = time.monotonic()
        async with asyncio.timeout(SECONDS):
            while True:
                answer = await self.call(server, "echo", text="back")
                if "result" in answer.message:
                    return time.monotonic() - began
                await asyncio.sleep(ASK_AGAIN)

    @asynccontextmanager
    async def beside(self, name: str, **definition: Any) -> AsyncIterator[None]:
        """Have a further server while the block runs."""
        servers = "/api/v1/projects/default/servers"
        response = await self.client.post(servers, json={"name": name, **definition})
        response.raise_for_status()
        try:
            await self.up(name)
            yield
        finally:
            await self.client.delete(f"{servers}/{name}")

    async def restarted(self, server: str) -> float:
        """Have an owner restart a server at once; return how many seconds it took to be back."""
        response = await self.client.post(f"/api/v1/projects/default/servers/{server}/restart")
        response.raise_for_status()
        return await self.back(server)

    async def stderr(self, server: str, begin: str, count: int) -> list[str]:
        """Wait until so many lines of a server's stderr begin with a word; return them all."""
        place = f"/api/v1/projects/default/servers/{server}/logs"
        async with asyncio.timeout(SECONDS):
            while True:
                response = await self.client.get(place, params={"lines": 1000})
                response.raise_for_status()
                lines = [each["text"] for each in response.json()["lines"]]
                found = [line for line in lines if line.startswith(begin)]
                if len(found) >= count:
                    return found
                await asyncio.sleep(ASK_AGAIN)

    def tell(self, **measured: float) -> None:
        """Print what was measured, for whoever runs the tests with `-s`."""
        told = (f"{name} {value:.3f}" for name, value in measured.items())
        sys.stdout.write(f"\nmeasured: {', '.join(told)}\n")

    def resident(self) -> int:
        """Return the bytes of memory that the gateway's own process holds now."""
        return _memory(self.program.pid, "VmRSS")

    def forget_peak(self) -> int:
        """Begin to measure the peak of the memory anew; return what is held now."""
        Path(f"/proc/{self.program.pid}/clear_refs").write_text("5", encoding="ascii")
        return self.resident()

    def peak(self) -> int:
        """Return the most bytes that were held since `forget_peak`."""
        return _memory(self.program.pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


@asynccontextmanager
async def attached(gateway: Processes, *servers: str) -> AsyncIterator[Stage]:
    """Open a client of a gateway that runs, once these servers are up."""
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(
        base_url=gateway.address, headers=headers, timeout=SECONDS, verify=NO_TLS
    ) as client:
        running = Stage(gateway, client)
        await running.up(*servers)
        yield running


@asynccontextmanager
async def stage(servers: dict[str, JSONObject], **environment: str) -> AsyncIterator[Stage]:
    """Run a gateway with these servers, all of them up, while the block runs."""
    with processes(1, {"mcpServers": servers}, **environment) as gateway:
        async with attached(gateway, *servers) as running:
            yield running


@dataclass(slots=True)
class Neighbour:
    """A good caller of a good server; `taken` holds its calls once the block has ended."""

    taken: list[tuple[float, float]] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[float]:
        """Return the seconds of each call that was under way at some time from start to end."""
        return [took for began, took in self.taken if began < end and began + took > start]


@asynccontextmanager
async def neighbour(on: Stage, server: str) -> AsyncIterator[Neighbour]:
    """Let a neighbour call a good server for as long as the block runs."""
    port = on.gateway.address.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(NEIGHBOUR), port, on.gateway.key, server),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    found = Neighbour()
    try:
        assert process.stderr is not None
        async with asyncio.timeout(SECONDS):
            first = await process.stderr.readline()
        assert first == b"calling\n", first + await process.stderr.read()
        yield found
        async with asyncio.timeout(SECONDS):
            written, complaints = await process.communicate(b"")
        assert process.returncode == 0, complaints.decode()
        found.taken = [(began, took) for began, took in json.loads(written)]
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate(b"")


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed."""
    assert values, "nothing was measured"
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def marked(mark: str) -> list[int]:
    """Return the processes that have `mark` among their arguments, zombies not among them."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(int(entry.name))
    return found


async def until(condition: Callable[[], bool], patience: float = SECONDS) -> float:
    """Wait until a condition of another process holds; return the seconds that it took."""
    began = time.monotonic()
    async with asyncio.timeout(patience):
        while True:
            if condition():
                return time.monotonic() - began
            await asyncio.sleep(ASK_AGAIN)
