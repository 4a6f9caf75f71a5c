"""A list never lies and never waits: servers that hang, die and come back."""

import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.integration import servers
from tests.integration.clients import (
    WAYS,
    bearer,
    connection,
    modern,
    modern_headers,
    text_of,
)
from tests.integration.gates import Gate
from tests.support.program import Conditions, RunningProgram, program

STATUS = "dev.interlock/servers"
SAMPLE_TOOLS = ["echo", "add", "now"]
ROUNDS = 20
MEDIAN_SECONDS = 0.25  # five times what is promised, for slow machines
LONGEST_SECONDS = 5.0  # a list that waits for a silent server takes at least twice as long


async def tools_of(gateway: RunningProgram, path: str = "/mcp/default") -> dict[str, Any]:
    headers = {**bearer(gateway.key), **modern_headers("tools/list")}
    answer = await gateway.client.post(path, json=modern("tools/list"), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def names_in(listed: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in listed["tools"]]


async def test_a_hung_and_a_dead_server_neither_delay_nor_hide_the_others() -> None:
    config = {"hung": servers.hung(), "well": servers.sample(), "dead": servers.dead()}
    async with program({"mcpServers": config}) as gateway:

        def is_settled(conditions: Conditions) -> bool:
            return conditions["well"] == "ok" and conditions["dead"] == "failed"

        await gateway.until(is_settled)
        seconds: list[float] = []
        listed: dict[str, Any] = {}
        status: dict[str, Any] = {}
        for _ in range(ROUNDS):
            started = time.perf_counter()
            listed = await tools_of(gateway)
            seconds.append(time.perf_counter() - started)
            assert names_in(listed) == [f"well__{name}" for name in SAMPLE_TOOLS]
            status = listed["_meta"][STATUS]
            assert {name: each["status"] for name, each in status.items()} == {
                "hung": "starting",
                "dead": "failed",
            }
        assert status["hung"]["reason"] == "It is being started."
        assert "no such luck" in status["dead"]["reason"]
        assert statistics.median(seconds) < MEDIAN_SECONDS
        assert max(seconds) < LONGEST_SECONDS
        # What is not certain to be whole must not be kept by clients.
        assert listed["ttlMs"] == 0

        for way in WAYS:
            async with connection(gateway, way) as client:
                tools = await client.list_tools()
                called = await client.call_tool("well__add", {"a": 2, "b": 3})
            assert (tools.meta or {})[STATUS].keys() == {"hung", "dead"}
            assert called.structured_content == {"sum": 5}


async def test_a_server_that_never_answers_is_named_as_failed_in_time() -> None:
    config = {"hung": servers.hung()}
    async with program({"mcpServers": config}, station={"start_timeout": 1.0}) as gateway:
        await gateway.until(lambda conditions: conditions["hung"] == "failed")

        status = (await tools_of(gateway))["_meta"][STATUS]["hung"]
        own = (await tools_of(gateway, "/mcp/default/hung"))["_meta"][STATUS]["hung"]

    assert status == own
    assert status["status"] == "failed"
    assert status["reason"].startswith("hung did not complete the MCP handshake within 1 s.")


async def test_a_killed_server_keeps_its_tools_as_stale_and_comes_back(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    config = {"mortal": gate.definition(), "well": servers.sample()}
    async with program({"mcpServers": config}) as gateway:
        await gateway.up("mortal", "well")
        whole = await tools_of(gateway)
        gate.shut()
        gate.kill()
        await gateway.until(lambda conditions: conditions["mortal"] == "stale")

        stale = await tools_of(gateway)
        async with connection(gateway, "auto") as client:
            other = await client.call_tool("well__echo", {"message": "still here"})
        gate.open()
        await gateway.up("mortal", "well")
        again = await tools_of(gateway)
        async with connection(gateway, "auto") as client:
            called = await client.call_tool("mortal__echo", {"message": "back again"})
        health = (await gateway.client.get("/api/v1/projects/default/health")).json()

    assert STATUS not in whole["_meta"]
    assert STATUS not in again["_meta"]
    assert names_in(stale) == names_in(whole) == names_in(again)
    assert list(stale["_meta"][STATUS]) == ["mortal"]
    assert stale["_meta"][STATUS]["mortal"]["status"] == "stale"
    assert "SIGKILL" in stale["_meta"][STATUS]["mortal"]["reason"]
    assert text_of(other) == "still here"
    assert text_of(called) == "back again"
    assert health["servers"][0]["restarts"] == 1
    assert "SIGKILL" in health["servers"][0]["last_error"]


async def test_a_call_to_a_server_that_is_down_fails_in_words(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    config = {"mcpServers": {"mortal": {**gate.definition(), "timeout": 1}}}
    async with program(config) as gateway:
        await gateway.up("mortal")
        gate.shut()
        gate.kill()
        await gateway.until(lambda conditions: conditions["mortal"] == "stale")

        async with connection(gateway, "legacy") as client:
            with pytest.raises(MCPError, match="mortal") as raised:
                await client.call_tool("mortal__echo", {"message": "?"})
        gate.open()

    assert raised.value.code in {-31503, -31504}


async def test_the_kept_lists_answer_at_once_after_a_restart_of_the_program(
    tmp_path: Path,
) -> None:
    gate = Gate(tmp_path)
    data_dir = tmp_path / "data"
    async with program({"mcpServers": {"slow": gate.definition()}}, data_dir=data_dir) as first:
        await first.up("slow")
        before = await tools_of(first)
    gate.shut()
    async with program(data_dir=data_dir) as second:
        kept = await tools_of(second)
        discovered = await second.client.post(
            "/mcp/default",
            json=modern("server/discover"),
            headers=modern_headers("server/discover"),
        )
        gate.open()
        await second.up("slow")
        after = await tools_of(second)

    assert kept["tools"] == before["tools"] == after["tools"]
    expected = {"slow": {"status": "starting", "reason": "It is being started."}}
    assert kept["_meta"][STATUS] == expected
    assert discovered.json()["result"]["_meta"][STATUS] == expected
    assert STATUS not in after["_meta"]
    assert gate.starts == 2


async def test_a_first_start_without_a_configuration_brings_something_to_call() -> None:
    async with program() as gateway:
        await gateway.up("sample")
        async with connection(gateway, "auto") as client:
            said = await client.call_tool("sample__echo", {"message": "hello"})

    assert text_of(said) == "hello"
