"""Calls over the modern era, against a server made with the official SDK."""

import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from interlock.cli.calls import ToolCall, ToolEndpoint
from interlock.cli.http import BrokenConnection, client_options
from interlock.errors import RPCError
from interlock.protocol.headers import header_params
from tests.conformance.suite import FIXTURE_SERVER
from tests.support.processes import running


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ToolEndpoint]:
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", "modern"]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        url = server.ready[1]
        with httpx2.Client(**client_options(url, None)) as client:
            yield ToolEndpoint(client, url)


def call(endpoint: ToolEndpoint, name: str, **arguments: Any) -> Any:
    schemas = {tool["name"]: tool["inputSchema"] for tool in endpoint.list_tools()}
    heard: list[tuple[str, Any]] = []
    result = endpoint.call(
        ToolCall(name, arguments, header_params(schemas[name]), 60),
        lambda method, params: heard.append((method, params.get("progress"))),
        nobody,
    )
    return result, heard


def nobody(questions: Any) -> Any:
    raise AssertionError(f"Nobody was to be asked {questions}")


def test_a_call_is_answered_with_its_structured_content(endpoint: ToolEndpoint) -> None:
    result, _ = call(endpoint, "test_structured_content", a=2, b=3)

    assert result["structuredContent"] == {"sum": 5}


def test_progress_is_heard_while_the_call_runs(endpoint: ToolEndpoint) -> None:
    _, heard = call(endpoint, "test_tool_with_progress")

    assert heard == [("notifications/progress", progress) for progress in (0, 50, 100)]


def test_mirrored_arguments_satisfy_a_server_that_checks_them(endpoint: ToolEndpoint) -> None:
    result, _ = call(endpoint, "test_header_argument", region="Österreich")

    assert result["content"] == [{"type": "text", "text": "Region: Österreich"}]


def test_an_error_of_the_server_passes_through(endpoint: ToolEndpoint) -> None:
    with pytest.raises(RPCError, match="Unknown tool: absent"):
        endpoint.call(ToolCall("absent", {}), lambda *_: None, nobody)


def test_a_call_that_takes_too_long_is_given_up(endpoint: ToolEndpoint) -> None:
    slow = ToolCall("test_wait", {"seconds": 600}, timeout=0.5)
    with pytest.raises(BrokenConnection, match="--timeout"):
        endpoint.call(slow, lambda *_: None, nobody)
