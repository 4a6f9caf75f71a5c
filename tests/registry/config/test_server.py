from typing import Any

import pytest

from interlock.errors import BadInput
from interlock.registry.config import definition_from_fields
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget


def test_a_process_in_snake_case() -> None:
    definition = definition_from_fields(
        "github",
        {
            "type": "stdio",
            "command": "npx",
            "args": ["-y", "server-github", ""],
            "env": {"TOKEN": "${TOKEN}", "PORT": 8080, "DEBUG": True, "RATE": 0.5},
            "cwd": "/srv",
            "timeout": 30,
            "auto_approve": ["search", "search", "read"],
            "disabled": True,
            "description": "Issues and pull requests",
            "url": None,
        },
    )

    assert definition == ServerDefinition(
        name="github",
        target=StdioTarget(
            command="npx",
            args=("-y", "server-github", ""),
            env={"TOKEN": "${TOKEN}", "PORT": "8080", "DEBUG": "true", "RATE": "0.5"},
            cwd="/srv",
        ),
        timeout=30.0,
        auto_approve=("search", "read"),
        disabled=True,
        description="Issues and pull requests",
    )


def test_an_address_in_camel_case() -> None:
    definition = definition_from_fields(
        "analytics",
        {
            "type": "sse",
            "url": "https://analytics.example.com/events",
            "headers": {"X-API-Key": " k ", "X-Try": 1},
            "autoApprove": ["get_metrics"],
            "enabled": False,
        },
    )

    assert definition == ServerDefinition(
        name="analytics",
        target=HTTPTarget(
            url="https://analytics.example.com/events",
            headers={"X-API-Key": "k", "X-Try": "1"},
            legacy_sse=True,
        ),
        auto_approve=("get_metrics",),
        disabled=True,
    )


def test_references_are_expanded_only_when_asked() -> None:
    fields = {"url": "http://${HOST}/mcp", "headers": {"X-Key": "${KEY}"}}

    with pytest.raises(BadInput, match=r"^url "):
        definition_from_fields("a", {"url": "${HOST}"})
    definition = definition_from_fields("a", fields, environ={"HOST": "h", "KEY": "k"})

    assert HTTPTarget("http://h/mcp", {"X-Key": "k"}) == definition.target


@pytest.mark.parametrize(
    ("written", "transport"),
    [
        ("http", "streamable-http"),
        ("streamable-http", "streamable-http"),
        ("streamableHttp", "streamable-http"),
        ("streamable_http", "streamable-http"),
        ("SSE", "sse"),
    ],
)
def test_every_spelling_of_a_transport_is_known(written: str, transport: str) -> None:
    definition = definition_from_fields("a", {"type": written, "url": "http://h/sse"})

    assert transport == definition.transport


@pytest.mark.parametrize(
    ("fields", "transport"),
    [
        ({"command": "x"}, "stdio"),
        ({"url": "http://h/mcp"}, "streamable-http"),
        ({"url": "http://h/sse"}, "sse"),
        ({"url": "http://h/a/sse/?token=1"}, "sse"),
        ({"url": "http://h/mcp?from=/sse"}, "streamable-http"),
        ({"url": "http://h/asse"}, "streamable-http"),
    ],
)
def test_a_missing_type_is_inferred(fields: dict[str, Any], transport: str) -> None:
    assert transport == definition_from_fields("a", fields).transport


STDIO = {"command": "x"}
HTTP = {"url": "http://h/mcp"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "command"),
        ({"command": ""}, "command"),
        ({"command": "x", "url": "http://h"}, "url"),
        ({"command": 5}, "command"),
        ({"command": "  "}, "command"),
        ({"command": "a\0b"}, "command"),
        ({"type": "stdio", "url": "http://h"}, "type"),
        ({"type": "http", "command": "x"}, "type"),
        ({"type": "websocket", "url": "http://h"}, "type"),
        ({"type": 3, "url": "http://h"}, "type"),
        ({"url": "h/mcp"}, "url"),
        ({"url": "ws://h/mcp"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://h:99999/"}, "url"),
        ({"url": "http://h/a b"}, "url"),
        ({"url": "http://[h"}, "url"),
        ({**STDIO, "args": "--port 1"}, "args"),
        ({**STDIO, "args": ["a", 1]}, "args[1]"),
        ({**STDIO, "args": ["\ud800"]}, "args[0]"),
        ({**STDIO, "env": ["A=1"]}, "env"),
        ({**STDIO, "env": {"A": ["1"]}}, "env.A"),
        ({**STDIO, "env": {"A=B": "1"}}, "env.A=B"),
        ({**STDIO, "env": {"A": "\0"}}, "env.A"),
        ({**STDIO, "headers": {"A": "1"}}, "headers"),
        ({**HTTP, "headers": {"A b": "1"}}, "headers.A b"),
        ({**HTTP, "headers": {"A": "1\r\nB: 2"}}, "headers.A"),
        ({**HTTP, "headers": {"A": "키"}}, "headers.A"),
        ({**HTTP, "env": {"A": "1"}}, "env"),
        ({**HTTP, "timeout": "30"}, "timeout"),
        ({**HTTP, "timeout": True}, "timeout"),
        ({**HTTP, "timeout": 0}, "timeout"),
        ({**HTTP, "timeout": -1}, "timeout"),
        ({**HTTP, "timeout": float("inf")}, "timeout"),
        ({**HTTP, "timeout": float("nan")}, "timeout"),
        ({**HTTP, "timeout": 10**400}, "timeout"),
        ({**HTTP, "disabled": "no"}, "disabled"),
        ({**HTTP, "enabled": 1}, "enabled"),
        ({**HTTP, "auto_approve": "all"}, "auto_approve"),
        ({**HTTP, "autoApprove": ["a", ""]}, "autoApprove[1]"),
        ({**HTTP, "autoApprove": ["a"], "auto_approve": ["b"]}, "auto_approve"),
        ({**HTTP, "description": 1}, "description"),
        ({**HTTP, "serverUrl": "http://h"}, "serverUrl"),
        ({**HTTP, "colour": "red"}, "colour"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput) as refusal:
        definition_from_fields("a", fields)

    assert named in refusal.value.message
    assert len(refusal.value.message.splitlines()) == 1


def test_all_faults_come_out_at_once() -> None:
    with pytest.raises(BadInput) as refusal:
        definition_from_fields("a/b", {"command": "x", "args": [1, 2], "timeout": 0})

    starts = [line.split()[0] for line in refusal.value.message.splitlines()]
    assert starts == ["name", "args[0]", "args[1]", "timeout"]


@pytest.mark.parametrize("name", ["github", "깃허브", "a b.c", "x" * 100])
def test_names_may_be_what_people_like(name: str) -> None:
    assert name == definition_from_fields(name, STDIO).name


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\nb", "x" * 101, "..", "\ud800"])
def test_names_that_no_address_can_carry_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"^name "):
        definition_from_fields(name, STDIO)
