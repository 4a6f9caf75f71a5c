"""Tools that a file or the API switches off, in every spelling that clients have for them."""

from typing import Any

import pytest

from interlock.errors import BadInput
from interlock.registry.config import definition_from_fields, read_config
from interlock.registry.config.tools import MAX_DISABLED


@pytest.mark.parametrize("name", ["disabledTools", "disabled_tools"])
def test_the_api_takes_either_spelling(name: str) -> None:
    definition = definition_from_fields("a", {"command": "x", name: ["drop", "write_*", "drop"]})

    assert definition.disabled_tools == ("drop", "write_*")


@pytest.mark.parametrize("name", ["disabledTools", "disabled_tools", "excludeTools"])
def test_a_file_takes_the_spelling_of_its_client(name: str) -> None:
    text = '{"mcpServers": {"a": {"command": "x", "NAME": ["drop"]}}}'.replace("NAME", name)
    config = read_config(text, environ={})

    assert [server.disabled_tools for server in config.servers] == [("drop",)]
    assert config.warnings == ()


@pytest.mark.parametrize("name", ["includeTools", "enabledTools", "enabled_tools"])
def test_a_list_of_the_only_tools_is_left_out_with_a_cure(name: str) -> None:
    text = '{"mcpServers": {"a": {"command": "x", "NAME": ["read"]}}}'.replace("NAME", name)
    config = read_config(text, environ={})

    assert [server.disabled_tools for server in config.servers] == [()]
    (warning,) = config.warnings
    assert (warning.server, warning.field) == ("a", name)
    assert "name the tools to leave out in disabledTools" in warning.message


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("drop", "disabledTools must be a list of texts"),
        ([5], "disabledTools[0] must be a text"),
        (["a", " "], "disabledTools[1] is empty"),
        ([f"t{n}" for n in range(MAX_DISABLED + 1)], f"names more than {MAX_DISABLED} tools"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(value: Any, place: str) -> None:
    with pytest.raises(BadInput) as refused:
        definition_from_fields("a", {"command": "x", "disabledTools": value})

    assert place in refused.value.message
