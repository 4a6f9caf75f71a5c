"""The fixture server can be pinned to one protocol era, over HTTP and over stdio."""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from tests.conformance.suite import FIXTURE_SERVER
from tests.support.processes import running

TRANSPORTS = ("http", "stdio")

Fixture = Callable[[str, str], str | StdioServerParameters]


@pytest.fixture(scope="module")
def fixture() -> Iterator[Fixture]:
    """Return how to reach a server of an era: one over HTTP for all, and one of one's own."""
    with ExitStack() as stack:

        @functools.cache
        def over_http(era: str) -> str:
            command = [sys.executable, str(FIXTURE_SERVER), "--era", era, "--port", "0"]
            server = stack.enter_context(running(command, ready=r"listening on (\S+)"))
            assert server.ready is not None
            return server.ready[1]

        def reached(transport: str, era: str) -> str | StdioServerParameters:
            if transport == "http":
                return over_http(era)
            arguments = [str(FIXTURE_SERVER), "--era", era, "--stdio"]
            return StdioServerParameters(command=sys.executable, args=arguments)

        yield reached


async def answer_form(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult:
    assert isinstance(params, types.ElicitRequestFormParams)
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content=dict.fromkeys(fields, "Ada"))


@asynccontextmanager
async def connected(
    server: str | StdioServerParameters, mode: str = "auto"
) -> AsyncIterator[Client]:
    async with Client(server, mode=mode, elicitation_callback=answer_form) as client:
        yield client


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("era", "mode", "spoken"),
    [
        ("both", "legacy", LATEST_HANDSHAKE_VERSION),
        ("both", "auto", LATEST_MODERN_VERSION),
        ("legacy", "legacy", LATEST_HANDSHAKE_VERSION),
        ("legacy", "auto", LATEST_HANDSHAKE_VERSION),
        ("modern", "auto", LATEST_MODERN_VERSION),
    ],
)
async def test_clients_and_the_pinned_era_agree(
    fixture: Fixture, transport: str, era: str, mode: str, spoken: str
) -> None:
    async with connected(fixture(transport, era), mode) as client:
        assert client.session.protocol_version == spoken
        greeting = await client.call_tool("test_input_required_result_elicitation", {})
        rounds = await client.call_tool("test_input_required_result_multi_round", {})

    assert greeting.content == [types.TextContent(text="Hello, Ada!")]
    assert rounds.content == [types.TextContent(text="Ada likes Ada")]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_modern_fixture_refuses_the_handshake_and_names_its_versions(
    fixture: Fixture, transport: str
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with connected(fixture(transport, "modern"), "legacy"):
            pass

    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, MCPError)
    assert error.code == types.UNSUPPORTED_PROTOCOL_VERSION
    assert error.data == {
        "supported": [LATEST_MODERN_VERSION],
        "requested": LATEST_HANDSHAKE_VERSION,
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_legacy_fixture_does_not_serve_stateless_requests(
    fixture: Fixture, transport: str
) -> None:
    async with connected(fixture(transport, "legacy"), LATEST_MODERN_VERSION) as client:
        with pytest.raises(MCPError) as raised:
            await client.list_tools()

    assert raised.value.code not in {
        types.UNSUPPORTED_PROTOCOL_VERSION,
        types.MISSING_REQUIRED_CLIENT_CAPABILITY,
        types.HEADER_MISMATCH,
    }
