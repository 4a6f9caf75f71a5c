"""Clients of both eras hear at once of what changed: lists and resources."""

import asyncio
from collections.abc import AsyncIterator

import mcp_types as types
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.subscriptions import PromptsListChanged, ResourceUpdated, ToolsListChanged

from tests.integration import servers
from tests.integration.clients import connection
from tests.support.program import RunningProgram, program

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SERVERS = "/api/v1/projects/default/servers"
SECONDS = 10.0  # ten times what is promised, and far below the intervals of looking by ourselves
FIXTURES = ("both", "old", "new")
WATCHED = "test://watched-resource"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    with servers.fixture_over_http("modern") as url:
        config = {
            "both": servers.fixture(),
            "old": servers.fixture("legacy"),
            "new": {"url": url},
        }
        async with program({"mcpServers": config}) as running:
            await running.up(*config)
            yield running


class Ears:
    """Hears what a legacy client is told outside of its calls."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[object] = asyncio.Queue()

    async def __call__(self, message: object) -> None:
        await self._heard.put(message)

    async def hear(self, kind: type) -> object:
        async with asyncio.timeout(SECONDS):
            while not isinstance(message := await self._heard.get(), kind):
                pass
        return message


async def tool_names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


@pytest.mark.parametrize("way", ["legacy", "sse"])
async def test_a_legacy_client_hears_of_a_new_server(gateway: RunningProgram, way: str) -> None:
    ears = Ears()
    async with connection(gateway, way, message_handler=ears) as client:
        await gateway.client.post(SERVERS, json={"name": "added", **servers.sample()})
        await ears.hear(types.ToolListChangedNotification)
        async with asyncio.timeout(60):
            while "added__echo" not in await tool_names(client):
                await ears.hear(types.ToolListChangedNotification)
        await gateway.client.delete(f"{SERVERS}/added")
        await ears.hear(types.ToolListChangedNotification)

        assert "added__echo" not in await tool_names(client)


async def test_a_modern_client_hears_of_a_new_server(gateway: RunningProgram) -> None:
    async with (
        connection(gateway, "auto") as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        await gateway.client.post(SERVERS, json={"name": "added", **servers.sample()})
        async with asyncio.timeout(SECONDS):
            assert await anext(changes) == ToolsListChanged()
        async with asyncio.timeout(60):
            while "added__echo" not in await tool_names(client):
                await anext(changes)
        await gateway.client.delete(f"{SERVERS}/added")
        async with asyncio.timeout(SECONDS):
            while "added__echo" in await tool_names(client):
                await anext(changes)


@pytest.mark.parametrize("way", ["legacy", "sse"])
@pytest.mark.parametrize("place", [None, "own"])
@pytest.mark.parametrize("server", FIXTURES)
async def test_a_legacy_client_hears_what_a_server_changes_itself(
    gateway: RunningProgram, way: str, place: str | None, server: str
) -> None:
    prefix = f"{server}__" if place is None else ""
    ears = Ears()
    async with connection(gateway, way, place and server, message_handler=ears) as client:
        for change in range(2):
            await client.call_tool(f"{prefix}test_trigger_tool_change", {})
            await ears.hear(types.ToolListChangedNotification)
            is_listed = f"{prefix}test_extra_tool" in await tool_names(client)
            assert is_listed is (change == 0)
        await client.call_tool(f"{prefix}test_trigger_prompt_change", {})
        await ears.hear(types.PromptListChangedNotification)
        await client.call_tool(f"{prefix}test_trigger_prompt_change", {})
        await ears.hear(types.PromptListChangedNotification)


@pytest.mark.parametrize("place", [None, "own"])
@pytest.mark.parametrize("server", FIXTURES)
async def test_a_modern_client_hears_what_a_server_changes_itself(
    gateway: RunningProgram, place: str | None, server: str
) -> None:
    prefix = f"{server}__" if place is None else ""
    async with (
        connection(gateway, "auto", place and server) as client,
        client.listen(tools_list_changed=True, prompts_list_changed=True) as changes,
    ):
        for change in range(2):
            await client.call_tool(f"{prefix}test_trigger_tool_change", {})
            async with asyncio.timeout(SECONDS):
                assert await anext(changes) == ToolsListChanged()
            is_listed = f"{prefix}test_extra_tool" in await tool_names(client)
            assert is_listed is (change == 0)
        for _ in range(2):
            await client.call_tool(f"{prefix}test_trigger_prompt_change", {})
            async with asyncio.timeout(SECONDS):
                assert await anext(changes) == PromptsListChanged()


def watched(server: str) -> str:
    """Return the URI under which the unified endpoint shows a fixture's watched resource."""
    return WATCHED if server == FIXTURES[0] else f"{WATCHED}#~{server}"


@pytest.mark.parametrize("way", ["legacy", "sse"])
@pytest.mark.parametrize("server", FIXTURES)
async def test_a_legacy_client_hears_of_the_resources_it_subscribed_to(
    gateway: RunningProgram, way: str, server: str
) -> None:
    ears = Ears()
    async with connection(gateway, way, message_handler=ears) as client:
        await client.subscribe_resource(watched(server))
        for other in FIXTURES:
            await client.call_tool(f"{other}__test_trigger_resource_change", {})
        told = await ears.hear(types.ResourceUpdatedNotification)
        await client.unsubscribe_resource(watched(server))

    assert isinstance(told, types.ResourceUpdatedNotification)
    assert told.params.uri == watched(server)


@pytest.mark.parametrize("server", FIXTURES)
async def test_a_modern_client_hears_of_the_resources_it_subscribed_to(
    gateway: RunningProgram, server: str
) -> None:
    async with (
        connection(gateway, "auto") as client,
        client.listen(resource_subscriptions=[watched(server)]) as changes,
    ):
        for other in FIXTURES:
            await client.call_tool(f"{other}__test_trigger_resource_change", {})
        async with asyncio.timeout(SECONDS):
            told = await anext(changes)

    assert told == ResourceUpdated(uri=watched(server))


@pytest.mark.asyncio(loop_scope="function")
async def test_streams_of_changes_end_well_when_the_program_ends() -> None:
    async with program({"mcpServers": {"well": servers.sample()}}) as gateway:
        await gateway.up("well")
        async with (
            connection(gateway, "auto") as client,
            client.listen(tools_list_changed=True) as changes,
        ):
            gateway.program.end_streams()
            async with asyncio.timeout(SECONDS):
                rest = [each async for each in changes]

    assert rest == []
