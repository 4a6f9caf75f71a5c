"""Servers are registered, changed and removed through the API while the program runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError

from tests.integration import servers
from tests.integration.clients import connection, text_of
from tests.integration.gates import Gate
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROJECT = "/api/v1/projects/default"
SERVERS = f"{PROJECT}/servers"
SLOW = ("slow__trigger-long-running-operation", {"duration": 1.5, "steps": 3})
DONE = "Long running operation completed. Duration: 1.5 seconds, Steps: 3."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {"well": servers.sample(), "slow": servers.everything()}
    async with program({"mcpServers": config}) as running:
        await running.up(*config)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(gateway: RunningProgram) -> AsyncIterator[httpx2.AsyncClient]:
    """The client; what a test registers is gone after it."""
    known = {"well", "slow"}
    yield gateway.client
    for server in (await gateway.client.get(SERVERS)).json():
        if server["name"] not in known:
            await gateway.client.delete(f"{SERVERS}/{server['id']}")
    await gateway.up(*known)


async def exposed(gateway: RunningProgram) -> list[str]:
    answer = await gateway.client.get(f"{PROJECT}/tools")
    return [each["exposed_name"] for each in answer.json()["tools"]]


async def test_an_added_server_is_started_listed_and_called(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    body = {"name": "more", "description": "one more", "timeout": 9, **servers.sample()}

    added = await api.post(SERVERS, json=body)
    await gateway.up("more")
    async with connection(gateway, "auto") as client:
        called = await client.call_tool("more__echo", {"message": "hi"})
    shown = (await api.get(f"{SERVERS}/more")).json()

    assert added.status_code == 201
    assert text_of(called) == "hi"
    expected = {
        "id": added.json()["id"],
        "name": "more",
        "transport": "stdio",
        "description": "one more",
        "timeout": 9,
        "disabled": False,
        "status": "ok",
        "reason": None,
        "eras": ["legacy", "modern"],
        "tool_count": 3,
        "restarts": 0,
        "last_error": None,
    }
    assert {name: shown[name] for name in expected} == expected
    assert shown["server_info"]["name"] == "interlock-sample"
    assert shown["response_ms"] > 0


async def test_a_name_that_is_taken_is_refused_and_nothing_changes(
    api: httpx2.AsyncClient,
) -> None:
    before = (await api.get(f"{SERVERS}/well")).json()

    added = await api.post(SERVERS, json={"name": "well", **servers.clock()})
    await api.post(SERVERS, json={"name": "more", **servers.sample()})
    renamed = await api.patch(f"{SERVERS}/more", json={"name": "well"})

    assert (added.status_code, renamed.status_code) == (409, 409)
    assert added.json()["error"]["reason"] == "conflict"
    after = (await api.get(f"{SERVERS}/well")).json()
    assert (after["id"], after["args"]) == (before["id"], before["args"])


async def test_some_fields_are_changed_and_the_others_stay(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    body = {"name": "more", "timeout": 9, "autoApprove": ["echo"], **servers.sample()}
    added = (await api.post(SERVERS, json=body)).json()

    changed = (await api.patch(f"{SERVERS}/more", json={"name": "renamed", "timeout": 5})).json()
    await gateway.up("renamed")

    assert (changed["id"], changed["name"], changed["timeout"]) == (added["id"], "renamed", 5)
    assert (changed["args"], changed["auto_approve"]) == (added["args"], ["echo"])
    names = await exposed(gateway)
    assert [name for name in names if name.startswith("more__")] == []
    assert "renamed__echo" in names
    assert (await api.get(f"{SERVERS}/more")).status_code == 404


async def test_limits_and_addresses_of_a_remote_server_are_changed_one_by_one(
    api: httpx2.AsyncClient,
) -> None:
    limits = {"max": 8, "connect_timeout": 2.0, "idle_timeout": 20.0}
    body = {
        "name": "remote",
        "url": "http://127.0.0.1:1/mcp?k=s3cret-value",
        "headers": {"X-Key": "kept"},
        "retries": 0,
        "connections": limits,
        "disabled": True,
    }
    added = (await api.post(SERVERS, json=body)).json()
    assert (added["retries"], added["connections"]) == (0, limits)
    assert (added["circuit"], added["circuit_until"], added["endpoints"]) == ("closed", None, None)
    path = f"{SERVERS}/remote"

    timed = (await api.patch(path, json={"toolTimeouts": {"slow_*": 300}})).json()
    assert timed["tool_timeouts"] == {"slow_*": 300}
    assert (timed["retries"], timed["connections"]) == (0, limits)

    more = "http://127.0.0.1:2/mcp"
    both = (await api.patch(path, json={"urls": [more, added["url"]]})).json()
    assert (both["url"], both["urls"]) == (more, [more, "http://127.0.0.1:1/mcp?k=***"])
    assert (both["header_names"], both["tool_timeouts"]) == (["X-Key"], {"slow_*": 300})

    one = (await api.patch(path, json={"url": added["url"], "retries": 2})).json()
    assert (one["urls"], one["retries"]) == (["http://127.0.0.1:1/mcp?k=***"], 2)

    local = (await api.patch(path, json={"command": "no-such-command"})).json()
    assert (local["transport"], local["urls"], local["retries"]) == ("stdio", None, None)
    assert local["tool_timeouts"] == {"slow_*": 300}
    assert (await api.delete(path)).status_code == 204


async def test_a_server_is_replaced_whole(gateway: RunningProgram, api: httpx2.AsyncClient) -> None:
    await api.post(SERVERS, json={"name": "more", "timeout": 9, **servers.sample()})

    replaced = (await api.put(f"{SERVERS}/more", json=servers.clock())).json()
    await gateway.up("more")

    assert (replaced["command"], replaced["timeout"]) == (servers.TIME_SERVER, 60)
    assert [name for name in await exposed(gateway) if name.startswith("more__")] == [
        "more__get_current_time",
        "more__convert_time",
    ]


async def test_a_disabled_server_is_stopped_and_not_listed_until_it_is_enabled(
    gateway: RunningProgram, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    await api.post(SERVERS, json={"name": "more", "disabled": True, **gate.definition()})
    before = await exposed(gateway)
    restarted = await api.post(f"{SERVERS}/more/restart")
    starts = [gate.starts]

    await api.post(f"{SERVERS}/more/enable")
    await gateway.up("more")
    enabled = await exposed(gateway)
    starts.append(gate.starts)
    await api.post(f"{SERVERS}/more/disable")
    shown = (await api.get(f"{SERVERS}/more")).json()
    async with connection(gateway, "auto") as client:
        with pytest.raises(MCPError, match="Unknown tool: more__echo"):
            await client.call_tool("more__echo", {"message": "?"})

    assert restarted.status_code == 409
    assert starts == [0, 1]
    assert ("more__echo" in before, "more__echo" in enabled) == (False, True)
    assert (shown["status"], shown["disabled"]) == ("disabled", True)
    assert await exposed(gateway) == before


async def test_a_restart_starts_the_server_anew(
    gateway: RunningProgram, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    await api.post(SERVERS, json={"name": "more", **gate.definition()})
    await gateway.up("more")

    answer = await api.post(f"{SERVERS}/more/restart")

    async def is_restarted() -> bool:
        shown = (await api.get(f"{SERVERS}/more")).json()
        return gate.starts == 2 and shown["status"] == "ok"

    await gateway.eventually(is_restarted)
    assert answer.status_code == 200


@pytest.mark.asyncio(loop_scope="function")
async def test_changes_outlive_the_program_and_a_deleted_server_is_gone_for_good(
    tmp_path: Path,
) -> None:
    config = {"mcpServers": {name: servers.sample() for name in ("kept", "deleted", "idle")}}
    async with program(config, data_dir=tmp_path) as first:
        await first.up("kept", "deleted", "idle")
        await first.client.delete(f"{SERVERS}/deleted")
        await first.client.post(f"{SERVERS}/idle/disable")
        await first.client.patch(f"{SERVERS}/kept", json={"timeout": 7})
        await first.up("kept")
        conditions = await first.conditions()
    async with program(data_dir=tmp_path) as second:
        await second.up("kept")
        again = await second.conditions()
        kept = (await second.client.get(f"{SERVERS}/kept")).json()

    assert conditions == again == {"kept": "ok", "idle": "disabled"}
    assert kept["timeout"] == 7


async def test_a_server_is_tried_beside_its_calls(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    well = (await api.post(f"{SERVERS}/well/test")).json()
    unknown = (await api.post(f"{SERVERS}/test", json=servers.clock())).json()
    failing = (await api.post(f"{SERVERS}/test", json=servers.dead())).json()

    assert (well["ok"], well["tools"], well["era"]) == (True, ["echo", "add", "now"], "modern")
    assert (unknown["ok"], unknown["tool_count"]) == (True, 2)
    assert unknown["server_info"]["name"] == "mcp-time"
    assert (failing["ok"], failing["tools"]) == (False, [])
    assert "no such luck" in failing["error"]
    assert [each["name"] for each in (await api.get(SERVERS)).json()] == ["well", "slow"]


async def test_what_a_server_writes_to_stderr_is_read_by_the_api(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await api.post(SERVERS, json={"name": "dead", **servers.dead()})
    await gateway.until(lambda conditions: conditions["dead"] == "failed")

    lines = (await api.get(f"{SERVERS}/dead/logs")).json()["lines"]
    few = (await api.get(f"{SERVERS}/dead/logs?lines=1")).json()["lines"]
    wrong = await api.get(f"{SERVERS}/dead/logs?lines=0")

    assert {each["text"] for each in lines} == {"no such luck"}
    assert (len(few), wrong.status_code) == (1, 400)


async def test_what_a_server_offers_is_read_by_the_api(api: httpx2.AsyncClient) -> None:
    tools = (await api.get(f"{SERVERS}/slow/tools")).json()["tools"]
    resources = (await api.get(f"{SERVERS}/slow/resources")).json()["items"]
    templates = (await api.get(f"{SERVERS}/slow/resource-templates")).json()["items"]
    prompts = (await api.get(f"{SERVERS}/slow/prompts")).json()["items"]

    assert [each["name"] for each in tools] == list(servers.EVERYTHING_TOOLS)
    assert tools[0]["exposed_name"] == "slow__echo"
    assert tools[0]["inputSchema"]["required"] == ["message"]
    assert "demo://resource/static/document/architecture.md" in [each["uri"] for each in resources]
    assert len(templates) == 2
    assert "simple-prompt" in [each["name"] for each in prompts]


async def test_an_import_says_what_it_would_do_and_then_does_it(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await api.post(SERVERS, json={"name": "same", **servers.sample()})
    await api.post(SERVERS, json={"name": "other", **servers.clock()})
    text = json.dumps(
        {
            "mcpServers": {
                "same": servers.sample(),
                "other": servers.sample(),
                "fresh": {**servers.sample(), "env": {"TOKEN": "${A_TOKEN}"}},
                "idle": {**servers.sample(), "disabled": True},
                "faulty": {"command": "x", "url": "http://a/"},
            }
        }
    )
    body = {"text": text, "variables": {"A_TOKEN": "value-of-the-token"}}

    planned = (await api.post(f"{PROJECT}/import", json={**body, "dry_run": True})).json()
    untouched = [each["name"] for each in (await api.get(SERVERS)).json()]
    done = (await api.post(f"{PROJECT}/import", json=body)).json()
    await gateway.up("same", "other", "fresh")
    again = (await api.post(f"{PROJECT}/import", json=body)).json()

    def actions(result: dict[str, Any]) -> dict[str, str]:
        return {each["name"]: each["action"] for each in result["servers"]}

    expected = {"same": "unchanged", "other": "replace", "fresh": "add", "idle": "add"}
    assert actions(planned) == actions(done) == expected
    assert set(actions(again).values()) == {"unchanged"}
    assert untouched == ["well", "slow", "same", "other"]
    assert [each["server"] for each in done["faults"]] == ["faulty"]
    fresh = (await api.get(f"{SERVERS}/fresh")).json()
    assert fresh["env_names"] == ["TOKEN"]


async def test_changes_do_not_disturb_a_call_that_is_under_way(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    under_way = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        under_way.set()

    async with connection(gateway, "legacy") as client:
        calling = asyncio.create_task(client.call_tool(*SLOW, progress_callback=hear))
        async with asyncio.timeout(60):
            await under_way.wait()
        await api.post(SERVERS, json={"name": "more", **servers.sample()})
        await gateway.up("more")
        await api.delete(f"{SERVERS}/more")
        assert not calling.done()
        async with asyncio.timeout(60):
            result = await calling

    assert text_of(result) == DONE


@pytest.mark.parametrize("way", ["legacy", "auto"])
@pytest.mark.parametrize("change", ["patch", "disable", "delete"])
async def test_a_server_that_is_changed_finishes_the_call_that_is_under_way(
    gateway: RunningProgram, api: httpx2.AsyncClient, way: str, change: str
) -> None:
    await api.post(SERVERS, json={"name": "changing", **servers.everything()})
    await gateway.up("changing")
    under_way = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        under_way.set()

    async with connection(gateway, way) as client:
        name, arguments = SLOW[0].replace("slow", "changing"), SLOW[1]
        calling = asyncio.create_task(client.call_tool(name, arguments, progress_callback=hear))
        async with asyncio.timeout(60):
            await under_way.wait()
        if change == "patch":
            changed = await api.patch(f"{SERVERS}/changing", json=servers.sample())
        elif change == "disable":
            changed = await api.post(f"{SERVERS}/changing/disable")
        else:
            changed = await api.delete(f"{SERVERS}/changing")
        assert changed.is_success
        async with asyncio.timeout(60):
            result = await calling

    assert text_of(result) == DONE


async def test_a_server_moves_from_sse_to_http_step_by_step(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    with servers.everything_over("sse") as sse, servers.everything_over("streamableHttp") as http:
        old = {"name": "old", "type": "sse", "url": sse}
        new = {"name": "new", "type": "streamable-http", "url": http, "disabled": True}
        for each in (old, new):
            assert (await api.post(SERVERS, json=each)).status_code == 201
        seen: list[set[str]] = []

        async def see() -> None:
            names = await exposed(gateway)
            seen.append({name.partition("__")[0] for name in names} - {"well", "slow"})

        await gateway.up("old")
        await see()
        await api.post(f"{SERVERS}/new/enable")
        await gateway.up("old", "new")
        await see()
        async with connection(gateway, "auto") as client:
            both = [
                text_of(await client.call_tool(f"{name}__echo", {"message": "hi"}))
                for name in ("old", "new")
            ]
        await api.post(f"{SERVERS}/old/disable")
        await see()
        # The last step gives the new transport the old name.
        await api.delete(f"{SERVERS}/old")
        await api.patch(f"{SERVERS}/new", json={"name": "old"})
        await gateway.up("old")
        await see()
        shown = (await api.get(f"{SERVERS}/old")).json()
        await api.delete(f"{SERVERS}/old")

    assert seen == [{"old"}, {"old", "new"}, {"new"}, {"old"}]
    assert both == ["Echo: hi"] * 2
    assert shown["transport"] == "streamable-http"
