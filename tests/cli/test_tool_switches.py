"""`interlock tools enable`, `disable` and `list --all`, with a gateway that really runs."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.cli.conftest import Ended, Interlock
from tests.integration import servers
from tests.support.program import RunningProgram, program


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {"mcpServers": {"a": servers.sample(), "b-1": servers.sample()}}
    async with program(config) as running:
        await running.up("a", "b-1")
        yield running


async def run(gateway: RunningProgram, interlock: Interlock, *words: str) -> Ended:
    return await asyncio.to_thread(
        interlock, *words, "--url", gateway.address, "--key", gateway.key
    )


def rows(ended: Ended) -> list[list[str]]:
    return [line.split(maxsplit=2)[:2] for line in ended.out.splitlines()[1:]]


async def test_a_tool_is_switched_off_and_on_by_the_name_that_clients_see(
    gateway: RunningProgram, interlock: Interlock
) -> None:
    off = await run(gateway, interlock, "tools", "disable", "b-1__echo")
    listed = await run(gateway, interlock, "tools", "list", "--json")
    every = await run(gateway, interlock, "tools", "list", "--all")
    refused = await run(gateway, interlock, "tools", "call", "b-1__echo", "message=x")
    again = await run(gateway, interlock, "tools", "enable", "b-1__echo", "--json")
    called = await run(gateway, interlock, "tools", "call", "b-1__echo", "message=x")

    assert (off.status, off.out) == (0, "b-1__echo is switched off.\n")
    assert "b-1__echo" not in [each["name"] for each in listed.document["tools"]]
    assert [row for row in rows(every) if row[0].endswith("echo")] == [
        ["a__echo", "on"],
        ["b-1__echo", "off"],
    ]
    assert refused.err == "error: Unknown tool: b-1__echo (JSON-RPC error -32602)\n"
    assert again.document == {"server": "b-1", "tool": "echo", "enabled": True}
    assert (called.status, called.out) == (0, "x\n")


async def test_with_a_server_its_own_names_are_taken(
    gateway: RunningProgram, interlock: Interlock
) -> None:
    await run(gateway, interlock, "tools", "disable", "now", "--server", "a")
    every = await run(gateway, interlock, "tools", "list", "--all", "--server", "a")

    assert rows(every) == [["echo", "on"], ["add", "on"], ["now", "off"]]


async def test_an_unknown_tool_and_one_that_a_pattern_holds_off_are_refused_with_a_cure(
    gateway: RunningProgram, interlock: Interlock
) -> None:
    path = "/api/v1/projects/default/servers/a"
    await gateway.client.patch(path, json={"disabledTools": ["e*"]})

    unknown = await run(gateway, interlock, "tools", "disable", "nothing")
    held = await run(gateway, interlock, "tools", "enable", "a__echo")

    assert (unknown.status, held.status) == (1, 1)
    assert "There is no tool 'nothing'; `interlock tools list --all`" in unknown.err
    assert "switched off by the pattern 'e*' in disabled_tools of the server 'a'" in held.err
