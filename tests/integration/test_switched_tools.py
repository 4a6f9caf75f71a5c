"""Tools that an administrator switches off exist for nobody, at once, until they are switched on."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import bearer
from tests.matrix.raw_client import ModernClient, RawClient, Refused, raw_client
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROJECT = "/api/v1/projects/default"
SERVERS = f"{PROJECT}/servers"
EVERYTHING = str(Path(__file__).parents[1] / "matrix" / "everything_server.py")
KINDS = ("legacy-http", "legacy-sse", "modern-http")
TOOLS_CHANGED = "notifications/tools/list_changed"
ASKABLE = {"elicitation": {}, "sampling": {}}


def everything(name: str, era: str) -> dict[str, Any]:
    return servers.stdio([sys.executable, EVERYTHING, "--name", name, "--era", era, "--stdio"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {"old": everything("old", "legacy"), "new": everything("new", "modern")}
    async with program({"mcpServers": config}) as running:
        await running.up(*config)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(gateway: RunningProgram) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of an owner; what a test switches off is on again after it."""
    yield gateway.client
    for server in ("old", "new"):
        await patch(gateway.client, server, [])


async def put(api: httpx2.AsyncClient, server: str, tool: str, body: Any) -> httpx2.Response:
    return await api.put(f"{SERVERS}/{server}/tools/{tool}", json=body)


async def switch(api: httpx2.AsyncClient, server: str, tool: str, *, enabled: bool) -> None:
    answer = await put(api, server, tool, {"enabled": enabled})
    assert (answer.status_code, answer.json()) == (200, {"enabled": enabled})


async def patch(api: httpx2.AsyncClient, server: str, off: list[str]) -> dict[str, Any]:
    answer = await api.patch(f"{SERVERS}/{server}", json={"disabled_tools": off})
    assert answer.status_code == 200, answer.text
    return answer.json()


@asynccontextmanager
async def hearing(
    gateway: RunningProgram, kind: str, place: str, capabilities: dict[str, Any] | None = None
) -> AsyncIterator[RawClient]:
    """Connect a client that hears of changed lists."""
    async with AsyncExitStack() as stack:
        connecting = raw_client(kind, gateway.address, gateway.key, capabilities, place=place)
        client = await stack.enter_async_context(connecting)
        if isinstance(client, ModernClient):
            await stack.enter_async_context(client.listening(toolsListChanged=True))
        yield client


async def listed(client: RawClient) -> set[str]:
    return {each["name"] for each in await client.all_of("tools/list", "tools")}


async def until_listed(client: RawClient, tool: str, *, is_listed: bool) -> None:
    """Wait until a client heard that the list is so."""
    await client.until(TOOLS_CHANGED)
    async with asyncio.timeout(60):
        while (tool in await listed(client)) != is_listed:
            await client.until(TOOLS_CHANGED)


async def refusal(client: RawClient, tool: str) -> str:
    with pytest.raises(Refused) as refused:
        await client.call(tool)
    return json.dumps(refused.value.error)


@pytest.mark.parametrize("capabilities", [{}, ASKABLE], ids=["plain", "askable"])
@pytest.mark.parametrize("is_single", [False, True], ids=["unified", "single"])
@pytest.mark.parametrize("server", ["old", "new"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_is_gone_and_comes_back_for_clients_that_are_connected(
    gateway: RunningProgram,
    api: httpx2.AsyncClient,
    kind: str,
    server: str,
    is_single: bool,
    capabilities: dict[str, Any],
) -> None:
    place = f"default/{server}" if is_single else "default"
    prefix = "" if is_single else f"{server}__"
    tool, other = f"{prefix}echo", f"{prefix}structured"
    async with hearing(gateway, kind, place, capabilities) as client:
        before = await listed(client)
        await client.call(tool)

        await switch(api, server, "echo", enabled=False)
        await until_listed(client, tool, is_listed=False)
        without = await listed(client)
        # It is answered as a tool is that never existed.
        said = await refusal(client, tool)
        assert said.replace("echo", "unheard-of") == await refusal(client, f"{prefix}unheard-of")
        full = await refusal(client, f"{server}__echo")
        await client.call(other)

        await switch(api, server, "echo", enabled=True)
        await until_listed(client, tool, is_listed=True)
        await client.call(tool)
        after = await listed(client)

    assert f"Unknown tool: {server}__echo" in full
    assert before - without == {tool}
    assert (before & {tool, other}, after) == ({tool, other}, before)


async def test_a_tool_of_a_clients_own_session_is_switched_off_too(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await patch(api, "old", ["secret_*"])
    async with hearing(gateway, "legacy-http", "default/old", ASKABLE) as client:
        for key in ("secret_one", "shown_one"):
            await client.call("switch_on", {"kind": "tools", "key": key})
        await until_listed(client, "shown_one", is_listed=True)
        names = await listed(client)
        said = await refusal(client, "secret_one")
        await patch(api, "old", [])
        await until_listed(client, "secret_one", is_listed=True)
        await client.call("secret_one")

    assert names & {"secret_one", "shown_one"} == {"shown_one"}
    assert "Unknown tool: secret_one" in said


async def tools(api: httpx2.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await api.get(f"{path}/tools", params=params)
    assert answer.status_code == 200, answer.text
    return {each["exposed_name"]: each for each in answer.json()["tools"]}


async def test_the_management_api_lists_it_where_it_is_asked_for_and_says_that_it_is_off(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    every = await tools(api, PROJECT, include_disabled=True)
    shown = await patch(api, "old", ["echo", "struct*"])

    off = {"old__echo", "old__structured"}
    for path in (PROJECT, f"{SERVERS}/old"):
        on = await tools(api, path)
        whole = await tools(api, path, include_disabled=True)
        assert (set(whole) - set(on), {each for each in whole if each.startswith("old")}) == (
            off,
            {each for each in every if each.startswith("old")},
        )
        assert {name for name, each in whole.items() if not each["enabled"]} == off
        assert all(each["enabled"] and "disabled_by" not in each for each in on.values())
        assert [whole[name]["disabled_by"] for name in sorted(off)] == ["echo", "struct*"]
        assert (whole["old__echo"]["server"], whole["old__echo"]["own_name"]) == ("old", "echo")
        assert whole["old__echo"]["inputSchema"] == every["old__echo"]["inputSchema"]
    alias = (await api.get("/api/mcp/servers/old/tools")).json()
    assert "echo" not in {each["tool_name"] for each in alias}
    assert shown["disabled_tools"] == ["echo", "struct*"]
    assert shown["tool_count"] == len(await tools(api, f"{SERVERS}/old"))


async def test_a_limited_key_is_told_nothing_of_it(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await patch(api, "old", ["echo"])
    body = {"name": "limited", "access": {"old": ["*"]}}
    secret = (await api.post(f"{PROJECT}/keys", json=body)).json()["secret"]

    for path in (PROJECT, f"{SERVERS}/old"):
        answer = await api.get(
            f"{path}/tools", params={"include_disabled": True}, headers=bearer(secret)
        )
        names = {each["exposed_name"] for each in answer.json()["tools"]}
        assert names & {"old__echo", "old__structured"} == {"old__structured"}
    shown = (await api.get(f"{SERVERS}/old", headers=bearer(secret))).json()
    assert shown["disabled_tools"] == []


async def test_names_of_tools_that_are_off_collide_with_none(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await api.patch(PROJECT, json={"naming": "plain"})
    await patch(api, "old", ["echo"])
    whole = await tools(api, PROJECT, include_disabled=True)
    await api.patch(PROJECT, json={"naming": "prefix"})

    assert (whole["echo"]["server"], whole["echo"]["enabled"]) == ("new", True)
    assert (whole["old__echo"]["server"], whole["old__echo"]["enabled"]) == ("old", False)


async def test_switching_to_what_is_so_already_changes_nothing(api: httpx2.AsyncClient) -> None:
    for enabled in (False, False, True, True):
        await switch(api, "old", "echo", enabled=enabled)
        shown = (await api.get(f"{SERVERS}/old")).json()
        assert shown["disabled_tools"] == ([] if enabled else ["echo"])
        again = shown["updated_at"]
        await switch(api, "old", "echo", enabled=enabled)
        assert (await api.get(f"{SERVERS}/old")).json()["updated_at"] == again


async def test_switches_at_the_same_moment_do_not_undo_each_other(api: httpx2.AsyncClient) -> None:
    names = sorted(each["own_name"] for each in (await tools(api, f"{SERVERS}/old")).values())[:12]

    await asyncio.gather(*(switch(api, "old", name, enabled=False) for name in names))
    off = (await api.get(f"{SERVERS}/old")).json()["disabled_tools"]
    described = api.patch(f"{SERVERS}/old", json={"description": "all at once"})
    await asyncio.gather(described, *(switch(api, "old", name, enabled=True) for name in names))
    shown = (await api.get(f"{SERVERS}/old")).json()

    assert (len(names), sorted(off)) == (12, names)
    assert (shown["disabled_tools"], shown["description"]) == ([], "all at once")


async def test_what_cannot_be_switched_is_refused_with_a_cure(
    gateway: RunningProgram, api: httpx2.AsyncClient
) -> None:
    await patch(api, "old", ["ec*", "gone"])
    developer = bearer(await gateway.new_key("developer"))

    by_pattern = await put(api, "old", "echo", {"enabled": True})
    unknown = await put(api, "old", "unheard-of", {"enabled": False})
    nowhere = await put(api, "nowhere", "echo", {"enabled": False})
    wrong = [await put(api, "old", "echo", body) for body in ({}, {"enabled": "yes"}, [], {"e": 1})]
    theirs = await api.put(f"{SERVERS}/old/tools/echo", json={"enabled": False}, headers=developer)
    await switch(api, "old", "gone", enabled=True)

    assert by_pattern.status_code == 409
    said = by_pattern.json()["error"]
    assert said["reason"] == "conflict"
    assert "by the pattern 'ec*' in disabled_tools of the server 'old'" in said["message"]
    assert [each.status_code for each in (unknown, nowhere, theirs)] == [404, 404, 403]
    assert "offers no tool 'unheard-of'" in unknown.json()["error"]["message"]
    assert [each.status_code for each in wrong] == [400] * 4
    assert (await api.get(f"{SERVERS}/old")).json()["disabled_tools"] == ["ec*"]


async def test_client_configurations_do_not_name_it(api: httpx2.AsyncClient) -> None:
    await api.patch(f"{SERVERS}/old", json={"auto_approve": ["echo", "structured"]})
    await patch(api, "old", ["echo"])

    texts = [
        (await api.get(f"{PROJECT}/clients/cline", params={"unified": unified})).json()["text"]
        for unified in (True, False)
    ]
    await api.patch(f"{SERVERS}/old", json={"auto_approve": []})

    assert ["echo" in text for text in texts] == [False, False]
    assert ["structured" in text for text in texts] == [True, True]


@pytest.mark.asyncio(loop_scope="function")
async def test_what_is_off_stays_off_over_a_start_with_the_same_file(tmp_path: Path) -> None:
    config = {"mcpServers": {"a": servers.sample(), "b": {**servers.sample(), "timeout": 5}}}
    named = {"mcpServers": {"a": {**servers.sample(), "disabledTools": ["now"]}}}
    async with program(config, data_dir=tmp_path) as first:
        await first.up("a", "b")
        await switch(first.client, "a", "echo", enabled=False)
        planned = await first.client.post(
            f"{PROJECT}/import", json={"text": json.dumps(config), "dry_run": True}
        )
    async with program(config, data_dir=tmp_path) as second:
        await second.up("a", "b")
        kept = set(await tools(second.client, PROJECT))
        body = {"text": json.dumps(named)}
        done = (await second.client.post(f"{PROJECT}/import", json=body)).json()
        after = set(await tools(second.client, f"{SERVERS}/a"))

    assert {each["action"] for each in planned.json()["servers"]} == {"unchanged"}
    assert kept == {"a__add", "a__now", "b__echo", "b__add", "b__now"}
    assert [each["action"] for each in done["servers"]] == ["replace"]
    assert after == {"a__echo", "a__add"}
