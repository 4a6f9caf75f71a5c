"""Deadlines of tools, retries, connections and further addresses, as files and the API say them."""

from typing import Any

import pytest

from interlock.errors import BadInput
from interlock.registry.config import definition_from_fields, read_config
from interlock.upstreams.definition import (
    ConnectionLimits,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
)

A, B, C = "https://a.example/mcp", "https://b.example/mcp", "https://c.example/mcp"


def read(**fields: Any) -> ServerDefinition:
    return definition_from_fields("docs", fields)


def refusal(**fields: Any) -> str:
    with pytest.raises(BadInput) as refused:
        read(**fields)
    return refused.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {
            "toolTimeouts": {"export": 300, "get_*": 2.5},
            "connections": {"max": 8, "connectTimeout": 2, "idleTimeout": 20.5},
        },
        {
            "tool_timeouts": {"export": 300, "get_*": 2.5},
            "connections": {"max": 8, "connect_timeout": 2, "idle_timeout": 20.5},
        },
    ],
)
def test_all_limits_of_a_remote_server_are_read_in_either_spelling(fields: Any) -> None:
    assert read(url=A, retries=3, **fields) == ServerDefinition(
        "docs",
        HTTPTarget(A),
        tool_timeouts={"export": 300.0, "get_*": 2.5},
        retries=3,
        connections=ConnectionLimits(8, 2.0, 20.5),
    )


def test_what_is_not_given_keeps_its_default() -> None:
    definition = read(url=A, connections={"max": 2, "idleTimeout": None})

    assert definition.connections == ConnectionLimits(2, 10.0, 50.0)
    assert (definition.retries, definition.tool_timeouts) == (1, {})
    assert read(url=A).connections == ConnectionLimits(1024, 10.0, 50.0)


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({"url": A, "urls": [B, C]}, (A, B, C)),
        ({"urls": [B, A]}, (B, A)),
        ({"url": A, "urls": [A, B, A]}, (A, B)),
        ({"url": A, "urls": []}, (A,)),
    ],
)
def test_further_addresses_stand_beside_the_first_or_alone(
    fields: dict[str, Any], urls: tuple[str, ...]
) -> None:
    assert read(**fields).target == HTTPTarget(urls[0], more_urls=urls[1:])


def test_addresses_alone_tell_the_transport_as_one_does() -> None:
    assert read(urls=["https://a.example/sse"]).transport == "sse"
    assert read(type="sse", urls=[A, B]).transport == "sse"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"url": A, "urls": [B, "ftp://c.example"]}, "urls[1] must begin with http"),
        ({"url": A, "urls": B}, "urls must be a list"),
        ({"command": "x", "urls": [A]}, "urls and command are both given"),
        ({"urls": []}, "has neither command nor url"),
        ({"url": A, "toolTimeouts": {"t": 0}}, "toolTimeouts.t must be a number above 0"),
        ({"url": A, "toolTimeouts": {"t": "5"}}, "toolTimeouts.t must be a number above 0"),
        ({"url": A, "tool_timeouts": [5]}, "tool_timeouts must be an object"),
        ({"url": A, "retries": 11}, "retries must be a whole number from 0 to 10"),
        ({"url": A, "retries": True}, "retries must be a whole number from 0 to 10"),
        ({"url": A, "retries": 1.0}, "retries must be a whole number from 0 to 10"),
        ({"url": A, "connections": 5}, "connections must be an object"),
        ({"url": A, "connections": {"max": 0}}, "connections.max must be a whole number from 1"),
        ({"url": A, "connections": {"min": 1}}, "connections.min is not known"),
        (
            {"url": A, "connections": {"connectTimeout": -1}},
            "connections.connectTimeout must be a number above 0",
        ),
        ({"command": "x", "retries": 2}, "retries does not belong to this type"),
        ({"command": "x", "connections": {"max": 2}}, "connections does not belong to this type"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(fields: dict[str, Any], place: str) -> None:
    assert place in refusal(**fields)


def test_a_process_has_deadlines_of_tools_too() -> None:
    assert read(command="x", toolTimeouts={"slow": 120}) == ServerDefinition(
        "docs", StdioTarget("x"), tool_timeouts={"slow": 120.0}
    )


def test_deadlines_of_tools_are_seconds_even_where_a_client_counts_milliseconds() -> None:
    text = """{"mcpServers": {"a": {"type": "http", "url": "https://a.example/mcp",
        "timeout": 30000, "toolTimeouts": {"slow": 120}}}}"""
    (server,) = read_config(text, source=".mcp.json", environ={}).servers

    assert (server.timeout, server.tool_timeouts) == (30.0, {"slow": 120.0})


def test_references_in_addresses_are_filled_in() -> None:
    text = '{"mcpServers": {"a": {"urls": ["https://${HOST}/mcp", "https://b.example/mcp"]}}}'
    (server,) = read_config(text, environ={"HOST": "a.example"}).servers

    assert server.target == HTTPTarget(A, more_urls=(B,))


def test_the_longest_deadline_is_that_of_the_slowest_tool() -> None:
    assert read(url=A, timeout=10, toolTimeouts={"a": 5, "b": 20}).longest_timeout == 20
    assert read(url=A, timeout=30, toolTimeouts={"a": 5}).longest_timeout == 30
