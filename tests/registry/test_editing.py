"""Edits of a definition: fields that are changed, and single tools that are switched off and on."""

import pytest

from interlock.errors import BadInput, Conflict
from interlock.registry.config.tools import MAX_DISABLED
from interlock.registry.editing import amended, changes_in, fields_of, read_definition, switched
from interlock.upstreams.definition import (
    ConnectionLimits,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
)

LOCAL = ServerDefinition(
    "files",
    StdioTarget("x", ("-y",), {"TOKEN": "s3cret-value"}),
    timeout=5,
    auto_approve=("read",),
    description="files",
    tool_timeouts={"slow": 9},
    disabled_tools=("drop", "write_*"),
)
REMOTE = ServerDefinition(
    "web",
    HTTPTarget("https://a.example/mcp", {"X": "y"}, more_urls=("https://b.example/mcp",)),
    retries=3,
    connections=ConnectionLimits(8, 2.0, 20.0),
    disabled_tools=("*",),
)


@pytest.mark.parametrize("definition", [LOCAL, REMOTE])
def test_a_definition_is_read_again_from_its_fields(definition: ServerDefinition) -> None:
    assert read_definition(fields_of(definition)) == definition
    assert amended({})(definition) == definition


def test_what_is_changed_alone_is_other_than_before() -> None:
    edited = amended(changes_in({"disabledTools": ["drop"], "env": {"TOKEN": "***"}}))(LOCAL)

    assert edited.target == LOCAL.target
    assert edited.disabled_tools == ("drop",)
    assert amended(changes_in({"disabled_tools": None}))(LOCAL).disabled_tools == ()


def test_a_tool_is_switched_off_and_on() -> None:
    off = switched("read", enabled=False)(LOCAL)

    assert off.disabled_tools == ("drop", "write_*", "read")
    assert switched("read", enabled=True)(off) == LOCAL


@pytest.mark.parametrize(("tool", "enabled"), [("drop", False), ("write_1", False), ("a", True)])
def test_switching_to_what_is_so_already_changes_nothing(tool: str, enabled: bool) -> None:
    assert switched(tool, enabled=enabled)(LOCAL) == LOCAL


@pytest.mark.parametrize("known", [("write_*",), ("write_1", "write_*")])
def test_what_a_pattern_switches_off_is_not_switched_on_by_itself(known: tuple[str, ...]) -> None:
    with pytest.raises(Conflict) as refused:
        switched("write_1", enabled=True)(amended({"disabled_tools": list(known)})(LOCAL))

    assert "'write_1' is switched off by the pattern 'write_*'" in refused.value.message
    assert "disabled_tools of the server 'files'; take the pattern out" in refused.value.message


def test_a_name_that_is_a_pattern_does_not_switch_others_off() -> None:
    with pytest.raises(BadInput, match=r"holds \*, which means other tools as well"):
        switched("re*", enabled=False)(LOCAL)


def test_no_more_tools_are_switched_off_than_a_definition_holds() -> None:
    full = amended({"disabled_tools": [f"t{number}" for number in range(MAX_DISABLED)]})(LOCAL)

    with pytest.raises(BadInput, match="names more than 1000 tools"):
        switched("one_more", enabled=False)(full)
