"""A call through the fast lane takes no more steps than are written down in `steps.json`.

Seconds say little on a shared machine. The functions that the gateway calls for a call, its own in
Python and others in C, and the lines that it runs, are the same on every machine.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any, Self

import pytest
import pytest_asyncio

import interlock
from tests.integration.clients import BOTH, ENVELOPE, MODERN, bearer, open_session
from tests.support.processes import free_port, running
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(interlock.__file__).parent
WRITTEN_DOWN = Path(__file__).parent / "steps.json"
SECONDS = 60.0
PATH = "/mcp/default"
FIRST = 20  # calls until all is known that makes the others quick
CALLS = 100
MORE = 1.1  # times what is written down
# What runs beside calls, and is more or less of it as time goes by.
BESIDE = ("registry", "app", "vault", "storage", "identity", "audit/store.py", "audit/writer.py")
KINDS = ("http legacy", "http modern", "stdio legacy", "stdio modern")


class Steps:
    """Counts the steps of the gateway's own code, while it is entered."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._ours: dict[CodeType, bool] = {}
        self._before = sys.getprofile(), sys.gettrace()

    def __enter__(self) -> Self:
        self.counted.clear()
        sys.setprofile(self._called)
        sys.settrace(self._traced)
        return self

    def __exit__(self, *_: object) -> None:
        profile, trace = self._before
        sys.settrace(trace)
        sys.setprofile(profile)

    def _is_ours(self, code: CodeType) -> bool:
        known = self._ours.get(code)
        if known is None:
            path = Path(code.co_filename)
            inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
            known = self._ours[code] = bool(inside) and not inside.startswith(BESIDE)
        return known

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        if event in {"call", "c_call"} and self._is_ours(frame.f_code):
            self.counted["functions"] += 1

    def _traced(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.counted["lines"] += 1
        return self._traced if self._is_ours(frame.f_code) else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    port = free_port()
    here = ROOT.parent
    config = {
        "http": {"type": "streamable-http", "url": f"http://127.0.0.1:{port}/mcp"},
        "stdio": {"command": sys.executable, "args": ["-m", "bench.upstream"], "cwd": str(here)},
    }
    with running([sys.executable, "-m", "bench.upstream", str(port)], cwd=here):
        async with program({"mcpServers": config}) as started:
            await started.up(*config)
            yield started


async def _request(gateway: RunningProgram, kind: str) -> bytes:
    server, era = kind.split()
    name = f"{server}__echo"
    params: dict[str, Any] = {"name": name, "arguments": {"text": "hello"}}
    if era == "modern":
        own = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": name}
        params["_meta"] = ENVELOPE
    else:
        own = await open_session(gateway.client, PATH, gateway.key)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    body = json.dumps(message).encode()
    fields = {
        "host": gateway.address.removeprefix("http://"),
        "accept": BOTH,
        "content-type": "application/json",
        "content-length": str(len(body)),
        **bearer(gateway.key),
        **own,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
    assert b'"hello"' in await reader.readexactly(int(length)), head


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_takes_no_more_steps_than_it_did(gateway: RunningProgram, kind: str) -> None:
    lane = gateway.program.lane
    assert lane is not None
    host, port = gateway.address.removeprefix("http://").split(":")
    data, steps, found = await _request(gateway, kind), Steps(), list[Counter[str]]()
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(SECONDS):
        for _ in range(FIRST):
            await _call(reader, writer, data)
        taken = lane.taken
        for _ in range(CALLS):
            with steps:
                await _call(reader, writer, data)
            found.append(steps.counted.copy())
    writer.close()
    await writer.wait_closed()

    assert lane.taken - taken == CALLS
    # What runs beside some of the calls is not of the one in the middle.
    now = {what: round(median(each[what] for each in found)) for what in ("functions", "lines")}
    written: dict[str, int] = json.loads(WRITTEN_DOWN.read_text())[kind]
    too_many = {what for what, count in now.items() if count > written[what] * MORE}
    assert set() == too_many, f"{kind!r}: {now} for a call; if that must be, write it down"
