"""Which changes of a definition leave the process and the connections of its server as they are."""

from dataclasses import fields, replace
from typing import Any

import pytest

from interlock.upstreams.definition import (
    ConnectionLimits,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
)

KNOWN = ServerDefinition("a", HTTPTarget("https://a.example/mcp"))
OF_CALLS: dict[str, Any] = {
    "timeout": 5.0,
    "tool_timeouts": {"slow": 9.0},
    "disabled_tools": ("drop",),
    "retries": 3,
    "auto_approve": ("read",),
    "description": "another",
}
OF_CONNECTIONS: dict[str, Any] = {
    "name": "b",
    "target": StdioTarget("x"),
    "disabled": True,
    "connections": ConnectionLimits(max=2),
}


def test_every_field_is_of_one_kind() -> None:
    assert {each.name for each in fields(ServerDefinition)} == {*OF_CALLS, *OF_CONNECTIONS}


@pytest.mark.parametrize("name", OF_CALLS)
def test_what_concerns_calls_leaves_the_connection(name: str) -> None:
    assert replace(KNOWN, **{name: OF_CALLS[name]}).connects_like(KNOWN)


@pytest.mark.parametrize("name", OF_CONNECTIONS)
def test_what_concerns_the_connection_is_another_one(name: str) -> None:
    assert not replace(KNOWN, **{name: OF_CONNECTIONS[name]}).connects_like(KNOWN)


def test_both_at_once_are_another_connection() -> None:
    assert not replace(KNOWN, **OF_CALLS, disabled=True).connects_like(KNOWN)
    assert replace(KNOWN, **OF_CALLS).connects_like(KNOWN)
