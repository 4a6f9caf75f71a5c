"""The paths, bodies and answers of the source documents work as they show them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.sse import sse_client

from tests.integration import servers
from tests.integration.clients import INITIALIZE, connected, connected_by_sse, text_of
from tests.support.node import bin_command
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    with servers.everything_over("sse") as url:
        config = {
            "legacy-stdio": {"type": "stdio", **servers.clock()},
            "new-sse": {
                "type": "sse",
                "url": url,
                "timeout": 30,
                "headers": {"Authorization": "Bearer your-api-token", "X-Custom-Header": "value"},
                "autoApprove": ["echo", "get-sum"],
                "disabled": False,
            },
            "migrating": {"type": "stdio", "disabled": True, **servers.clock()},
        }
        async with program({"mcpServers": config}) as running:
            await running.up("legacy-stdio", "new-sse")
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def project_id(gateway: RunningProgram) -> str:
    return (await gateway.client.get("/api/v1/projects/default")).json()["id"]


async def test_stdio_and_sse_servers_stand_behind_one_sse_endpoint(
    gateway: RunningProgram, project_id: str
) -> None:
    for project in ("default", project_id):
        url = f"{gateway.address}/projects/{project}/unified/sse"
        async with connected_by_sse(url, gateway.key) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            echoed = await client.call_tool("new-sse__echo", {"message": "hi"})
            time = await client.call_tool(
                "legacy-stdio__get_current_time", {"timezone": "Asia/Seoul"}
            )
        assert "migrating__get_current_time" not in names
        assert text_of(echoed) == "Echo: hi"
        assert json.loads(text_of(time))["timezone"] == "Asia/Seoul"


async def test_one_server_of_a_project_is_reached_over_sse_and_http(
    gateway: RunningProgram,
) -> None:
    base = f"{gateway.address}/projects/default/servers/new-sse"
    async with connected_by_sse(f"{base}/sse", gateway.key) as client:
        by_sse = text_of(await client.call_tool("echo", {"message": "a"}))
    async with connected(f"{base}/mcp", gateway.key) as client:
        by_http = text_of(await client.call_tool("echo", {"message": "b"}))
    async with connected(f"{gateway.address}/projects/default/unified/mcp", gateway.key) as client:
        unified = text_of(await client.call_tool("new-sse__echo", {"message": "c"}))

    assert [by_sse, by_http, unified] == ["Echo: a", "Echo: b", "Echo: c"]


async def test_the_list_of_a_projects_servers_reads_as_documented(
    gateway: RunningProgram, project_id: str
) -> None:
    listed = (await gateway.client.get(f"/projects/{project_id}/servers")).json()

    sse = next(each for each in listed if each["name"] == "new-sse")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/sse", sse.pop("url"))
    assert sse.pop("id") != ""
    assert sse == {
        "name": "new-sse",
        "transport_type": "sse",
        "timeout": 30,
        "headers_count": 2,
        "has_custom_headers": True,
        "disabled": False,
        "status": "active",
    }
    assert [(each["name"], each["status"]) for each in listed] == [
        ("legacy-stdio", "active"),
        ("new-sse", "active"),
        ("migrating", "disabled"),
    ]


async def test_a_server_is_added_with_the_documented_body(
    gateway: RunningProgram, project_id: str
) -> None:
    body = {
        "name": "remote-analytics",
        "type": "sse",
        "url": "http://127.0.0.1:1/sse",
        "timeout": 60,
        "headers": {"X-API-Key": "your-remote-api-key", "X-Client-ID": "mcp-orch"},
        "auto_approve": ["get_metrics", "list_reports"],
    }

    added = await gateway.client.post(f"/projects/{project_id}/servers", json=body)
    stored = (await gateway.client.get("/api/v1/projects/default/servers/remote-analytics")).json()
    await gateway.client.delete("/api/v1/projects/default/servers/remote-analytics")

    assert (added.status_code, added.json()["headers_count"]) == (201, 2)
    assert stored["auto_approve"] == ["get_metrics", "list_reports"]
    assert stored["header_names"] == ["X-API-Key", "X-Client-ID"]


async def test_the_cline_configuration_of_all_servers_works_as_written(
    gateway: RunningProgram, project_id: str
) -> None:
    answer = await gateway.client.get(f"/projects/{project_id}/cline-config?unified=true")

    entries = answer.json()["mcpServers"]
    assert list(entries) == ["mcp-orch-unified-default"]
    entry = entries["mcp-orch-unified-default"]
    assert (entry["type"], entry["timeout"]) == ("sse", 60)
    assert entry["url"] == f"{gateway.address}/projects/default/unified/sse"
    assert "new-sse__echo" in await tools_by(entry, gateway.key)


async def test_the_cline_configuration_of_each_server_works_as_written(
    gateway: RunningProgram,
) -> None:
    answer = await gateway.client.get("/projects/default/cline-config?unified=false")

    entries = answer.json()["mcpServers"]
    assert list(entries) == ["project-default-legacy-stdio", "project-default-new-sse"]
    assert entries["project-default-new-sse"]["autoApprove"] == ["echo", "get-sum"]
    assert entries["project-default-new-sse"]["timeout"] == 30
    listed = [await tools_by(entry, gateway.key) for entry in entries.values()]
    assert listed[0] == ["get_current_time", "convert_time"]
    assert "echo" in listed[1]


async def tools_by(entry: dict[str, Any], key: str) -> list[str]:
    """Connect as a configuration's entry says, with the key put into its place."""
    headers = {
        name: value.replace("YOUR_INTERLOCK_KEY", key) for name, value in entry["headers"].items()
    }
    async with Client(sse_client(entry["url"], headers=headers), mode="legacy") as client:
        return [tool.name for tool in (await client.list_tools()).tools]


async def test_the_gateways_servers_are_managed_as_documented(gateway: RunningProgram) -> None:
    client = gateway.client
    with servers.everything_over("streamableHttp") as url:
        body = {
            "name": "opendart",
            "description": "MCP OpenDART",
            "endpoint_url": url,
            "transport_type": "streamable_http",
            "auth_type": "bearer",
            "auth_config": {"token": "a-bearer-token"},
            "enabled": True,
        }

        added = await client.post("/api/mcp/servers", json=body)
        server_id = added.json()["id"]
        await gateway.up("opendart")
        shown = (await client.get(f"/api/mcp/servers/{server_id}")).json()
        tried = (await client.post(f"/api/mcp/servers/{server_id}/test")).json()
        tools = (await client.get(f"/api/mcp/servers/{server_id}/tools")).json()
        stopped = (
            await client.put(f"/api/mcp/servers/{server_id}", json={"enabled": False})
        ).json()
        listed = (await client.get("/api/mcp/servers")).json()
        removed = await client.delete(f"/api/mcp/servers/{server_id}")
        gone = await client.get(f"/api/mcp/servers/{server_id}")

    assert added.status_code == 201
    expected = {
        "id": server_id,
        "name": "opendart",
        "description": "MCP OpenDART",
        "endpoint_url": url,
        "transport_type": "streamable_http",
        "auth_type": "bearer",
        "enabled": True,
    }
    assert {name: shown[name] for name in expected} == expected
    assert datetime.fromisoformat(shown["created_at"]) <= datetime.fromisoformat(
        shown["updated_at"]
    )
    assert (tried["ok"], tried["tool_count"]) == (True, len(servers.EVERYTHING_TOOLS))
    assert [each["tool_name"] for each in tools] == list(servers.EVERYTHING_TOOLS)
    assert tools[0].keys() == {"tool_name", "tool_description", "input_schema"}
    assert tools[0]["input_schema"]["type"] == "object"
    assert (stopped["enabled"], stopped["auth_type"]) == (False, "bearer")
    assert [each["name"] for each in listed][-1] == "opendart"
    assert (removed.status_code, gone.status_code) == (204, 404)


@pytest.mark.parametrize("named_by", ["name", "id"])
async def test_the_proxy_of_a_server_streams_and_takes_messages(
    gateway: RunningProgram, named_by: str
) -> None:
    listed = (await gateway.client.get("/api/mcp/servers")).json()
    server = next(each for each in listed if each["name"] == "new-sse")[named_by]
    base = f"{gateway.address}/api/proxy/mcp/{server}"

    async with connected_by_sse(f"{base}/sse", gateway.key) as client:
        by_sse = text_of(await client.call_tool("echo", {"message": "hi"}))
    async with connected(f"{base}/mcp", gateway.key) as client:
        by_http = text_of(await client.call_tool("echo", {"message": "hi"}))

    assert [by_sse, by_http] == ["Echo: hi"] * 2


@pytest.mark.parametrize(
    ("path", "messages"),
    [
        ("/api/proxy/mcp/new-sse/sse", "/api/proxy/mcp/new-sse/messages"),
        ("/projects/default/unified/sse", "/projects/default/unified/messages"),
        ("/sse/default", "/sse/default/-/messages"),
    ],
)
async def test_a_plain_client_speaks_sse_as_documented(
    gateway: RunningProgram, path: str, messages: str
) -> None:
    async with gateway.client.stream(
        "GET", path, headers={"accept": "text/event-stream"}
    ) as stream:
        lines = stream.aiter_lines()
        async with asyncio.timeout(60):
            event, data = await anext(lines), await anext(lines)
            endpoint = data.removeprefix("data: ")
            assert event == "event: endpoint"
            assert re.fullmatch(rf"{messages}\?session_id=[\w-]+", endpoint)
            first = await gateway.client.post(endpoint, json=INITIALIZE)
            initialized = await next_message(lines)
            body = {"jsonrpc": "2.0", "method": "tools/list", "id": 1}
            second = await gateway.client.post(endpoint, json=body)
            listed = await next_message(lines)

    assert (first.status_code, second.status_code) == (202, 202)
    assert initialized["result"]["protocolVersion"] == "2025-11-25"
    assert (listed["id"], "tools" in listed["result"]) == (1, True)


async def next_message(lines: AsyncIterator[str]) -> dict[str, Any]:
    async for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    raise AssertionError("The stream ended.")


EVERYTHING = Path(bin_command("mcp-server-everything")[1]).resolve()
SESSIONS: list[tuple[dict[str, Any], str, dict[str, Any], str]] = [
    (
        {"server_type": "python", "server_command": servers.TIME_SERVER, "server_args": []},
        "get_current_time",
        {"timezone": "Asia/Seoul"},
        "Asia/Seoul",
    ),
    (
        {
            "server_type": "node",
            "server_command": bin_command("mcp-server-everything")[0],
            "server_args": [str(EVERYTHING), "stdio"],
            "env_vars": {"API_KEY": "secret"},
        },
        "echo",
        {"message": "hi"},
        "Echo: hi",
    ),
]


@pytest.mark.parametrize(("new", "tool", "arguments", "expected"), SESSIONS, ids=["python", "node"])
async def test_a_station_session_lives_as_documented(
    gateway: RunningProgram,
    tmp_path: Path,
    new: dict[str, Any],
    tool: str,
    arguments: dict[str, Any],
    expected: str,
) -> None:
    client = gateway.client
    created = await client.post("/sessions", json={**new, "working_dir": str(tmp_path)})
    session = created.json()
    session_id = session["session_id"]
    listed = (await client.get("/sessions")).json()
    shown = (await client.get(f"/sessions/{session_id}")).json()
    tools = await ask(client, session_id, "tools/list")
    called = await ask(client, session_id, "tools/call", {"name": tool, "arguments": arguments})
    unknown = await ask(client, session_id, "no/such/method")
    deleted = await client.delete(f"/sessions/{session_id}")
    gone = await ask(client, session_id, "tools/list")

    assert created.status_code == 201
    assert (session["server_type"], session["status"]) == (new["server_type"], "running")
    assert datetime.fromisoformat(session["created_at"]).tzinfo is not None
    assert session["pid"] > 0
    assert session_id in [each["session_id"] for each in listed]
    assert shown == session
    assert "secret" not in created.text
    assert tools["success"] is True
    assert tool in [each["name"] for each in tools["data"]["tools"]]
    assert (called["success"], expected in called["data"]["content"][0]["text"]) == (True, True)
    assert (unknown["success"], unknown["error"]["code"]) == (False, -32601)
    assert deleted.status_code == 200
    assert gone["success"] is False


async def ask(
    client: httpx2.AsyncClient, session_id: str, method: str, params: dict[str, Any] | None = None
) -> dict[str, Any]:
    body = {"session_id": session_id, "method": method, "params": params or {}}
    return (await client.post("/mcp/request", json=body)).json()


async def test_a_session_whose_server_dies_says_so(gateway: RunningProgram) -> None:
    new = {"server_type": "python", "server_command": "/bin/sh", "server_args": ["-c", "exit 3"]}

    answer = await gateway.client.post("/sessions", json=new)

    assert answer.status_code in {502, 503}
    assert "exit code 3" in answer.json()["error"]["message"]


async def test_a_sse_configuration_file_is_imported_as_documented(gateway: RunningProgram) -> None:
    text = """{
      "mcpServers": {
        "remote-sse-server": {
          "type": "sse",
          "url": "http://10.150.0.36:8000/mcp",
          "timeout": 30,
          "headers": {"Authorization": "Bearer your-api-token", "X-Custom-Header": "value"},
          "autoApprove": ["safe_tool1", "safe_tool2"],
          "disabled": false
        }
      }
    }"""

    answer = await gateway.client.post(
        "/api/v1/projects/default/import", json={"text": text, "dry_run": True}
    )

    result = answer.json()
    assert result["faults"] == []
    assert result["servers"] == [
        {
            "name": "remote-sse-server",
            "transport": "sse",
            "action": "add",
            "disabled": False,
            "error": None,
        }
    ]
