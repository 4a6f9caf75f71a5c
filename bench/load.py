"""The load: so many connections, each sending its next call when the last is answered."""

import asyncio
import json
import sys
import time
from array import array
from dataclasses import asdict, dataclass
from typing import Any, cast

import httptools
import uvloop

ARGUMENTS = {"text": "The quick brown fox jumps over the lazy dog."}


@dataclass(frozen=True, slots=True)
class Aim:
    """Where calls go: a legacy endpoint opens a session first; `key` may be empty."""

    port: int
    path: str
    tool: str
    era: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load came to: calls answered rightly, others, seconds, latencies in milliseconds."""

    calls: int
    faults: int
    seconds: float
    p50: float
    p99: float


def request(aim: Aim, message: dict[str, Any], session: str | None = None) -> bytes:
    """Return the bytes of one request."""
    body = json.dumps(message, separators=(",", ":")).encode()
    fields = [
        f"POST {aim.path} HTTP/1.1",
        f"host: 127.0.0.1:{aim.port}",
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        f"content-length: {len(body)}",
    ]
    if aim.key:
        fields.append(f"authorization: Bearer {aim.key}")
    if session is not None:
        fields += [f"mcp-session-id: {session}", "mcp-protocol-version: 2025-06-18"]
    if aim.era == "modern":
        fields += ["mcp-protocol-version: 2026-07-28", f"mcp-method: {message['method']}"]
        if "name" in message["params"]:
            fields.append(f"mcp-name: {message['params']['name']}")
    return "\r\n".join((*fields, "", "")).encode() + body


def call(aim: Aim, number: int) -> dict[str, Any]:
    """Return one call of the tool."""
    params: dict[str, Any] = {"name": aim.tool, "arguments": ARGUMENTS}
    if aim.era == "modern":
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class _Connection(asyncio.Protocol):
    """One connection; `done` is called with its body when an answer is whole."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.done: Any = None
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"mcp-session-id":
            self.headers["session"] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        parts, self._parts = self._parts, []
        self.done(b"".join(parts))

    async def ask(self, data: bytes) -> bytes:
        """Send one request and wait for its answer."""
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.done = answered.set_result
        self.transport.write(data)
        return await answered


async def run(aim: Aim, connections: int, seconds: float) -> Outcome:
    """Load an endpoint for so many seconds."""
    loop = asyncio.get_running_loop()
    session = await _session(aim) if aim.era == "legacy" else None
    latencies = array("d")
    faults = 0
    until = time.perf_counter() + seconds

    async def keep_busy(lane: int) -> None:
        nonlocal faults
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", aim.port)
        data = request(aim, call(aim, lane), session)
        over = loop.create_future()
        begun = time.perf_counter()

        def done(body: bytes) -> None:
            nonlocal begun, faults
            now = time.perf_counter()
            if b"lazy dog" in body and b'"id":%d' % lane in body.replace(b'"id": ', b'"id":'):
                latencies.append((now - begun) * 1000)
            else:
                faults += 1
            if now >= until:
                over.set_result(None)
                return
            begun = now
            connection.transport.write(data)

        connection.done = done
        connection.transport.write(data)
        await over
        connection.transport.close()

    started = time.perf_counter()
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as group:
        for lane in range(1, connections + 1):
            group.create_task(keep_busy(lane))
    elapsed = time.perf_counter() - started
    ranked = sorted(latencies) or [0.0]
    return Outcome(
        calls=len(latencies),
        faults=faults,
        seconds=elapsed,
        p50=ranked[len(ranked) // 2],
        p99=ranked[len(ranked) * 99 // 100],
    )


async def _session(aim: Aim) -> str | None:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, "127.0.0.1", aim.port)
    params = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    await connection.ask(request(aim, initialize))
    session = connection.headers.get("session")
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}}
    await connection.ask(request(aim, initialized, session))
    connection.transport.close()
    return session


if __name__ == "__main__":
    aim, connections, seconds = json.loads(sys.argv[1])
    print(json.dumps(asdict(uvloop.run(run(Aim(**aim), connections, seconds)))))
