"""Each client's configuration, as the API writes it, connects to what it names."""

import ast
import json
import tomllib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.integration import servers
from tests.integration.clients import bearer
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = "/api/v1/projects/default/clients"
JSON_CLIENTS = {
    "claude-desktop",
    "claude-code",
    "cursor",
    "vscode",
    "cline",
    "windsurf",
    "gemini-cli",
    "langflow",
    "flowise",
}
OTHERS = {
    "codex": "toml",
    "autogen": "python",
    "python-sdk": "python",
    "typescript-sdk": "typescript",
}
SERVERS = ("plain", "서울 시계")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {name: servers.sample() for name in SERVERS}
    config["off"] = {**servers.sample(), "disabled": True}
    async with program({"mcpServers": config}) as running:
        await running.up(*SERVERS)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(gateway: RunningProgram) -> str:
    return await gateway.new_key("developer")


async def written(gateway: RunningProgram, client: str, key: str, *, unified: bool) -> str:
    answer = await gateway.client.post(f"{CLIENTS}/{client}", json={"unified": unified, "key": key})
    assert answer.status_code == 200, answer.text
    assert answer.json()["client"] == client
    return answer.json()["text"]


def entries(node: Any) -> Iterator[dict[str, Any]]:
    """Find every entry of a server in a configuration, whatever it stands under."""
    if isinstance(node, dict):
        if {"url", "serverUrl", "httpUrl", "command"} & node.keys():
            yield node
            return
        for each in node.values():
            yield from entries(each)


def place(entry: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the address and the headers that a client would take from an entry."""
    if "command" in entry:
        assert entry["args"][-2] == "connect"
        return entry["args"][-1], bearer(entry["env"]["INTERLOCK_KEY"])
    address = entry.get("url") or entry.get("serverUrl") or entry["httpUrl"]
    return address, entry["headers"]


async def tools_at(address: str, headers: dict[str, str]) -> list[str]:
    async with (
        create_mcp_http_client(headers=headers) as http,
        Client(streamable_http_client(address, http_client=http), cache=None) as client,
    ):
        return [tool.name for tool in (await client.list_tools()).tools]


async def test_every_client_is_listed_with_where_its_file_goes(gateway: RunningProgram) -> None:
    listed = (await gateway.client.get(CLIENTS)).json()

    languages = {each["id"]: each["language"] for each in listed}
    assert languages == {**dict.fromkeys(JSON_CLIENTS, "json"), **OTHERS}
    assert [each["id"] for each in listed if not (each["title"] and each["path_hint"])] == []


@pytest.mark.parametrize("client", sorted(JSON_CLIENTS))
async def test_a_client_of_all_servers_connects(
    gateway: RunningProgram, key: str, client: str
) -> None:
    text = await written(gateway, client, key, unified=True)

    (entry,) = entries(json.loads(text))
    names = await tools_at(*place(entry))
    assert len(names) == 6
    assert names[0] == "plain__echo"


@pytest.mark.parametrize("client", sorted(JSON_CLIENTS))
async def test_a_client_of_each_server_connects(
    gateway: RunningProgram, key: str, client: str
) -> None:
    text = await written(gateway, client, key, unified=False)

    found = [await tools_at(*place(entry)) for entry in entries(json.loads(text))]
    assert found == [["echo", "add", "now"]] * len(SERVERS)


@pytest.mark.parametrize("unified", [True, False])
async def test_codex_is_told_the_same_places(
    gateway: RunningProgram, key: str, unified: bool
) -> None:
    text = await written(gateway, "codex", key, unified=unified)

    found = list(tomllib.loads(text)["mcp_servers"].values())
    assert len(found) == (1 if unified else len(SERVERS))
    for entry in found:
        assert len(await tools_at(entry["url"], entry["http_headers"])) == (6 if unified else 3)


@pytest.mark.parametrize("client", ["autogen", "python-sdk"])
@pytest.mark.parametrize("unified", [True, False])
async def test_programs_are_told_the_same_places(
    gateway: RunningProgram, key: str, client: str, unified: bool
) -> None:
    tree = ast.parse(await written(gateway, client, key, unified=unified))

    values = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"SERVERS", "HEADERS"}
    }
    assert len(values["SERVERS"]) == (1 if unified else len(SERVERS))
    for address, _timeout in values["SERVERS"].values():
        assert len(await tools_at(address, values["HEADERS"])) == (6 if unified else 3)


@pytest.mark.parametrize("client", sorted({*JSON_CLIENTS, *OTHERS}))
async def test_without_a_key_none_is_written(gateway: RunningProgram, client: str) -> None:
    answer = await gateway.client.get(f"{CLIENTS}/{client}")

    assert answer.status_code == 200
    assert "ilk_" not in answer.text


async def test_an_unknown_client_is_refused_with_those_that_are_known(
    gateway: RunningProgram,
) -> None:
    answer = await gateway.client.get(f"{CLIENTS}/netscape")

    assert answer.status_code == 404
    assert "claude-code" in answer.json()["error"]["message"]


async def test_the_first_start_shows_a_configuration_that_connects(
    gateway: RunningProgram,
) -> None:
    assert gateway.report.first is not None
    (entry,) = entries(json.loads(gateway.report.first.client_config))

    assert len(await tools_at(*place(entry))) == 6
