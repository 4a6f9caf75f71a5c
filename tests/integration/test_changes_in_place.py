"""Changes that do not concern the connection leave a server's process, sessions and calls alone."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.faults.moody_server import READING, moody
from tests.integration import servers
from tests.matrix.raw_client import Begun, RawClient, Refused, raw_client
from tests.support.program import RunningProgram, program
from tests.upstreams.fakes import HTTPRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVERS = "/api/v1/projects/default/servers"
EVERYTHING = Path(__file__).parents[1] / "matrix" / "everything_server.py"
IN_PLACE: dict[str, Any] = {
    "timeout": 50,
    "tool_timeouts": {"slow": 70},
    "description": "another",
    "auto_approve": ["echo"],
    "disabled_tools": ["echo"],
}


@dataclass(frozen=True, slots=True)
class Noted:
    """A stdio server whose every process notes its id in a file."""

    name: str
    file: Path

    def definition(self, era: str) -> dict[str, Any]:
        command = [sys.executable, str(EVERYTHING), "--name", self.name, "--era", era, "--stdio"]
        script = f"echo $$ >> {shlex.quote(str(self.file))}; exec {shlex.join(command)}"
        return servers.stdio(["/bin/sh", "-c", script])

    @property
    def started(self) -> list[str]:
        """The ids of all processes of the server, in the order of their starts."""
        return self.file.read_text().split()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {}}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", params=["legacy", "modern"])
async def noted(
    request: pytest.FixtureRequest, gateway: RunningProgram, tmp_path: Path
) -> AsyncIterator[Noted]:
    """A server that is up, and gone after the test."""
    server = Noted("noted", tmp_path / "started")
    body = {"name": server.name, **server.definition(request.param)}
    assert (await gateway.client.post(SERVERS, json=body)).status_code == 201
    await gateway.up(server.name)
    yield server
    await gateway.client.delete(f"{SERVERS}/{server.name}")


async def patched(api: httpx2.AsyncClient, server: str, **fields: Any) -> dict[str, Any]:
    answer = await api.patch(f"{SERVERS}/{server}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def held(client: RawClient, gate: str) -> Begun:
    """Begin a call, and return once the server works on it and waits at a gate."""
    arguments = {"gate": gate, "size": 3}
    params = {"name": "stepwise", "arguments": arguments, "_meta": {"progressToken": "t"}}
    begun = client.begin("tools/call", params)
    await client.until("notifications/progress", lambda told: told["progress"] == 2)
    return begun


async def refusal(client: RawClient, tool: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        await client.call(tool, arguments)
    return refused.value.error["message"]


# A modern client that can be asked has a process for each call at a legacy server, so that another
# call could not open the gate.
@pytest.mark.parametrize(
    ("kind", "capabilities"),
    [("modern-http", {}), ("legacy-http", {}), ("legacy-http", {"elicitation": {}})],
    ids=["modern", "legacy", "own-session"],
)
async def test_a_call_under_way_goes_on_in_the_same_process(
    gateway: RunningProgram, noted: Noted, kind: str, capabilities: dict[str, Any]
) -> None:
    api = gateway.client
    async with raw_client(
        kind, gateway.address, gateway.key, capabilities, place=f"default/{noted.name}"
    ) as client:
        await client.call("structured")
        before = noted.started
        begun = await held(client, "changed")

        for field, value in IN_PLACE.items():
            assert (await patched(api, noted.name, **{field: value}))[field] == value
        assert not begun.task.done()
        await client.call("open_gate", {"gate": "changed"})
        async with asyncio.timeout(60):
            result = await begun.task
        await client.call("structured")
        shown = (await api.get(f"{SERVERS}/{noted.name}")).json()

    assert result["content"][0]["text"] == "xxx"
    assert noted.started == before
    assert (shown["status"], shown["restarts"]) == ("ok", 0)


async def test_the_next_call_has_the_new_deadline_and_those_under_way_have_theirs(
    gateway: RunningProgram, noted: Noted
) -> None:
    api, started = gateway.client, noted.started
    async with raw_client(
        "modern-http", gateway.address, gateway.key, place=f"default/{noted.name}"
    ) as client:
        begun = await held(client, "g")
        await patched(api, noted.name, timeout=0.3)
        short = await refusal(client, "await_gate", {"gate": "never"})
        await patched(api, noted.name, timeout=60, tool_timeouts={"await_*": 0.4})
        shorter = await refusal(client, "await_gate", {"gate": "never"})
        await patched(api, noted.name, tool_timeouts=None)
        assert not begun.task.done()
        await client.call("open_gate", {"gate": "g"})
        async with asyncio.timeout(60):
            done = await begun.task

    assert "noted did not answer within 0.3 s" in short
    assert "noted did not answer within 0.4 s" in shorter
    assert done["content"][0]["text"] == "xxx"
    assert noted.started == started


async def test_what_concerns_the_connection_starts_another_process(
    gateway: RunningProgram, noted: Noted
) -> None:
    counts = [len(noted.started)]
    for change in ({"env": {"MORE": "1"}}, {"disabled": True}, {"disabled": False}):
        await patched(gateway.client, noted.name, **change)
        if not change.get("disabled"):
            await gateway.up(noted.name)
        counts.append(len(noted.started))

    # What its era is may be tried out in a process of its own.
    assert counts[0] < counts[1] == counts[2] < counts[3]


async def test_a_remote_server_keeps_its_session_and_has_the_new_number_of_retries(
    gateway: RunningProgram,
) -> None:
    api = gateway.client
    async with moody("legacy") as server:
        body = {"name": "remote", "url": server.url, "retries": 0}
        assert (await api.post(SERVERS, json=body)).status_code == 201
        await gateway.up("remote")
        async with raw_client(
            "modern-http", gateway.address, gateway.key, place="default/remote"
        ) as client:
            for _ in range(10):
                await client.call(READING["name"])
            opened, attempts = server.count("initialize"), []
            server.turn(failing)
            for retries in (0, 1, 0):
                before = server.calls
                await patched(api, "remote", retries=retries)
                await refusal(client, READING["name"], {})
                attempts.append(server.calls - before)
        sessions = server.count("initialize")
        await api.delete(f"{SERVERS}/remote")

    assert attempts == [1, 2, 1]
    assert sessions == opened


async def failing(request: HTTPRequest) -> None:
    """Answer as a server does that is broken."""
    await request.reply(500)
