"""`interlock connect` between the official client over stdio and a server over HTTP, both eras."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from tests.conformance.suite import FIXTURE_SERVER
from tests.support.processes import running

PROGRAM = Path(sys.executable).with_name("interlock")
SPOKEN = {"legacy": LATEST_HANDSHAKE_VERSION, "modern": LATEST_MODERN_VERSION}
SECONDS = 120


@pytest.fixture(scope="module", params=["legacy", "modern"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Run the fixture server in one era, and yield the era and the address."""
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", request.param]
    with running(command, ready=r"listening on (\S+)") as program:
        assert program.ready is not None
        yield request.param, program.ready[1]


async def answer_form(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult:
    assert isinstance(params, types.ElicitRequestFormParams)
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content=dict.fromkeys(fields, "Ada"))


@asynccontextmanager
async def bridged(url: str, **more: Any) -> AsyncIterator[Client]:
    bridge = StdioServerParameters(command=str(PROGRAM), args=["connect", url])
    async with (
        asyncio.timeout(SECONDS),
        Client(bridge, elicitation_callback=answer_form, **more) as client,
    ):
        yield client


async def test_a_client_agrees_with_the_server_behind_the_bridge(
    server: tuple[str, str],
) -> None:
    era, url = server
    async with bridged(url) as client:
        assert client.session.protocol_version == SPOKEN[era]
        tools = await client.list_tools()
        answer = await client.call_tool("test_structured_content", {"a": 2, "b": 3})

    assert "test_simple_text" in [tool.name for tool in tools.tools]
    assert answer.structured_content == {"sum": 5}


async def test_progress_arrives_in_order_while_the_call_runs(server: tuple[str, str]) -> None:
    heard: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with bridged(server[1]) as client:
        await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)

    assert heard == [0, 50, 100]


async def test_the_server_can_ask_the_user(server: tuple[str, str]) -> None:
    async with bridged(server[1]) as client:
        one = await client.call_tool("test_input_required_result_elicitation", {})
        two = await client.call_tool("test_input_required_result_multi_round", {})

    assert one.content == [types.TextContent(text="Hello, Ada!")]
    assert two.content == [types.TextContent(text="Ada likes Ada")]


async def test_a_slow_call_holds_up_no_other_and_can_be_cancelled(
    server: tuple[str, str],
) -> None:
    async with bridged(server[1]) as client:
        slow = asyncio.create_task(client.call_tool("test_wait", {"seconds": 3600}))
        answer = await client.call_tool("test_simple_text", {})
        assert not slow.done()

        slow.cancel()
        await asyncio.wait({slow})
        again = await client.call_tool("test_simple_text", {})

    assert slow.cancelled()
    assert answer.content == again.content


async def test_an_error_of_the_server_passes_through(server: tuple[str, str]) -> None:
    async with bridged(server[1]) as client:
        failed = await client.call_tool("test_error_handling", {})

    assert failed.is_error
    assert failed.content == [
        types.TextContent(text="This tool intentionally returns an error for testing")
    ]


async def test_arguments_are_mirrored_into_the_headers_that_the_server_checks(
    server: tuple[str, str],
) -> None:
    async with bridged(server[1]) as client:
        unlisted = await client.call_tool("test_header_argument", {"region": "Österreich"})
        await client.list_tools()
        listed = await client.call_tool("test_header_argument", {"region": " padded "})

    assert unlisted.content == [types.TextContent(text="Region: Österreich")]
    assert listed.content == [types.TextContent(text="Region:  padded ")]


async def test_a_stream_that_the_server_closes_early_is_taken_up_again() -> None:
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", "legacy"]
    with running(command, ready=r"listening on (\S+)") as program:
        assert program.ready is not None
        async with bridged(program.ready[1], mode="legacy") as client:
            answer = await client.call_tool("test_reconnection", {})

    assert answer.content == [types.TextContent(text="Reconnection test completed")]


async def test_what_the_server_announces_of_its_own_accord_arrives() -> None:
    changed = asyncio.Event()

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            changed.set()

    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", "legacy"]
    with running(command, ready=r"listening on (\S+)") as program:
        assert program.ready is not None
        async with bridged(program.ready[1], mode="legacy", message_handler=on_message) as client:
            # The stream opens behind the handshake, so that the first change may come too early.
            while not changed.is_set():
                await client.call_tool("test_trigger_tool_change", {})

    assert changed.is_set()
