"""Names side by side: two copies of a server, plain naming, aliases, one order, and pages."""

import base64
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import (
    WAYS,
    bearer,
    connection,
    modern,
    modern_headers,
    text_of,
)
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCHITECTURE = "demo://resource/static/document/architecture.md"
PAGE_SIZE = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningProgram]:
    config = {
        "mcpServers": {
            "twin-a": {**servers.everything(), "env": {"TWIN": "a"}},
            "twin-b": {**servers.everything(), "env": {"TWIN": "b"}},
            "clock.of seoul": servers.clock(),
        },
        "interlock": {"naming": "plain", "aliases": {"say": "twin-b__echo"}},
    }
    data_dir = tmp_path_factory.mktemp("data")
    async with program(config, data_dir=data_dir, gateway={"page_size": PAGE_SIZE}) as running:
        await running.up(*config["mcpServers"])
        yield running


async def all_names(gateway: RunningProgram, way: str) -> list[str]:
    names: list[str] = []
    async with connection(gateway, way) as client:
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            assert len(page.tools) <= PAGE_SIZE
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return names


@pytest.mark.parametrize("way", WAYS)
async def test_plain_names_go_to_the_first_server_and_the_second_keeps_its_prefix(
    gateway: RunningProgram, way: str
) -> None:
    names = await all_names(gateway, way)

    second = [f"twin-b__{name}" for name in servers.EVERYTHING_TOOLS]
    second[0] = "say"
    assert names == [
        *servers.EVERYTHING_TOOLS,
        *second,
        "get_current_time",
        "convert_time",
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("get-env", "a"),
        ("twin-a__get-env", "a"),
        ("twin-b__get-env", "b"),
    ],
)
async def test_a_plain_name_and_a_full_name_lead_to_the_right_copy(
    gateway: RunningProgram, way: str, name: str, twin: str
) -> None:
    async with connection(gateway, way) as client:
        environment = json.loads(text_of(await client.call_tool(name, {})))

    assert environment["TWIN"] == twin


@pytest.mark.parametrize("way", WAYS)
async def test_an_alias_leads_to_its_tool(gateway: RunningProgram, way: str) -> None:
    async with connection(gateway, way) as client:
        said = await client.call_tool("say", {"message": "hi"})

    assert text_of(said) == "Echo: hi"


@pytest.mark.parametrize("way", WAYS)
async def test_colliding_resources_of_both_copies_are_read_from_their_own_server(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        before = [
            await client.read_resource(uri) for uri in (ARCHITECTURE, f"{ARCHITECTURE}#~twin-b")
        ]
        arguments = {"name": f"{way}.gz", "data": f"data:text/plain,{way}"}
        made = await client.call_tool("twin-b__gzip-file-as-resource", arguments)
        link = next(each.uri for each in made.content if isinstance(each, types.ResourceLink))
        packed = (await client.read_resource(link)).contents[0]

    assert [each.contents[0].uri for each in before] == [
        ARCHITECTURE,
        f"{ARCHITECTURE}#~twin-b",
    ]
    assert isinstance(packed, types.BlobResourceContents)
    assert gzip.decompress(base64.b64decode(packed.blob)) == way.encode()


async def test_every_answer_lists_in_the_same_order(gateway: RunningProgram) -> None:
    first = await all_names(gateway, "auto")

    assert [await all_names(gateway, way) for way in WAYS] == [first] * 3


async def test_a_cursor_of_the_list_survives_a_new_server_and_a_foreign_one_is_refused(
    gateway: RunningProgram,
) -> None:
    headers = {**bearer(gateway.key), **modern_headers("tools/list")}

    async def page(cursor: str | None) -> dict[str, Any]:
        params = {} if cursor is None else {"cursor": cursor}
        answer = await gateway.client.post(
            "/mcp/default", json=modern("tools/list", params), headers=headers
        )
        return answer.json()

    first = await page(None)
    following = await page(first["result"]["nextCursor"])
    await gateway.client.patch("/api/v1/projects/default", json={"naming": "prefix"})
    refused = await page("not-a-cursor")
    stale = await page(first["result"]["nextCursor"])
    await gateway.client.patch("/api/v1/projects/default", json={"naming": "plain"})

    names = [tool["name"] for tool in following["result"]["tools"]]
    assert names == list(servers.EVERYTHING_TOOLS[PAGE_SIZE : 2 * PAGE_SIZE])
    assert refused["error"]["code"] == stale["error"]["code"] == -32602
    assert '"cursor" is not one of ours' in refused["error"]["message"]
    assert '"cursor" is out of date' in stale["error"]["message"]


async def test_naming_and_aliases_change_without_a_restart(gateway: RunningProgram) -> None:
    project = "/api/v1/projects/default"
    changes = {"naming": "prefix", "aliases": {"sum": "twin-a__get-sum"}}

    await gateway.client.patch(project, json=changes)
    changed = await all_names(gateway, "auto")
    plain = {"naming": "plain", "aliases": {"say": "twin-b__echo"}}
    await gateway.client.patch(project, json=plain)
    restored = await all_names(gateway, "auto")

    own = {name: f"twin-a__{name}" for name in servers.EVERYTHING_TOOLS} | {"get-sum": "sum"}
    assert changed[: len(own)] == list(own.values())
    # A name that holds what no tool's name may hold is written differently, and made unique.
    assert re.fullmatch(r"clock_of_seoul_[0-9a-f]{8}__get_current_time", changed[-2])
    assert restored[: len(own)] == list(servers.EVERYTHING_TOOLS)


async def test_the_order_is_the_same_after_a_restart(tmp_path: Path) -> None:
    config = {"mcpServers": {name: servers.sample() for name in ("zeta", "alpha", "mid")}}
    orders: list[list[str]] = []
    for given in (config, None):
        async with program(given, data_dir=tmp_path) as running:
            await running.up(*config["mcpServers"])
            answer = await running.client.get("/api/v1/projects/default/tools")
            orders.append([each["exposed_name"] for each in answer.json()["tools"]])

    assert orders[0] == orders[1]
    assert [name.partition("__")[0] for name in orders[0][::3]] == ["zeta", "alpha", "mid"]
