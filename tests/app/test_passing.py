"""A client's connection goes to the process that serves its requests, and nothing is lost on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from interlock.gateway.passing import PASS_AFTER
from tests.integration import servers
from tests.support.workers import Processes, processes

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTIONS = 24
# The way between two processes holds a few connections at a time only.
MOST_ROUNDS = 50
SECONDS = 120
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "passed", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Processes]:
    with processes(2, {"mcpServers": {"well": servers.sample()}}) as running:
        yield running


class Connection:
    """One connection to the port, by which a tool of the hosted server is called."""

    def __init__(self, gateway: Processes) -> None:
        self._gateway = gateway
        self._number = 0

    async def open(self) -> None:
        """Connect; which process accepts is the kernel's choice."""
        port = urlsplit(self._gateway.address).port
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)

    def send(self) -> int:
        """Send a call, and return its number."""
        self._number += 1
        body = json.dumps(
            {
                "jsonrpc": "2.0",
                "id": self._number,
                "method": "tools/call",
                "params": {
                    "name": "well__echo",
                    "arguments": {"message": f"call {self._number}"},
                    "_meta": META,
                },
            }
        ).encode()
        fields = (
            "POST /mcp/default HTTP/1.1",
            "host: localhost",
            f"authorization: Bearer {self._gateway.key}",
            "content-type: application/json",
            "accept: application/json, text/event-stream",
            "mcp-protocol-version: 2026-07-28",
            "mcp-method: tools/call",
            "mcp-name: well__echo",
            f"content-length: {len(body)}",
        )
        self._writer.write("\r\n".join((*fields, "", "")).encode() + body)
        return self._number

    async def answer(self) -> dict[str, Any]:
        """Read an answer."""
        async with asyncio.timeout(SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(
                int(line.split(":")[1])
                for line in head.splitlines()
                if line.startswith("content-length")
            )
            return json.loads(await self._reader.readexactly(length))

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        await self._writer.wait_closed()


def owned(gateway: Processes, pid: int) -> int:
    """Count the clients' connections that a process has."""
    port = urlsplit(gateway.address).port
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {line[9] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"}
    found = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    return len({f"socket:[{inode}]" for inode in inodes} & found)


@asynccontextmanager
async def opened(gateway: Processes) -> AsyncIterator[list[Connection]]:
    """Open many connections."""
    connections = [Connection(gateway) for _ in range(CONNECTIONS)]
    try:
        for each in connections:
            await each.open()
        yield connections
    finally:
        for each in connections:
            await each.close()


async def test_connections_go_to_the_process_that_answers_and_no_call_is_lost(
    gateway: Processes,
) -> None:
    keeper, worker = gateway.program.pid, gateway.pids[1]
    answered: list[bool] = []
    await gateway.up()
    async with opened(gateway) as connections:
        before = owned(gateway, worker)
        rounds = 0
        while rounds < PASS_AFTER or (owned(gateway, worker) and rounds < MOST_ROUNDS):
            rounds += 1
            numbers = [each.send() for each in connections]
            for each, number in zip(connections, numbers, strict=True):
                answer = await each.answer()
                text = answer["result"]["content"][0]["text"]
                answered.append((answer["id"], text) == (number, f"call {number}"))
        after = (owned(gateway, keeper), owned(gateway, worker))

    assert all(answered)
    # Of so many connections the kernel gives each process some.
    assert before > 0
    assert after == (CONNECTIONS, 0)


async def test_requests_that_come_together_are_all_answered_in_order(gateway: Processes) -> None:
    await gateway.up()
    async with opened(gateway) as connections:
        for _ in range(PASS_AFTER):
            numbers = [[each.send() for _ in range(3)] for each in connections]
            for each, sent in zip(connections, numbers, strict=True):
                assert [(await each.answer())["id"] for _ in sent] == sent
