import json
from typing import Any

import pytest

from interlock.registry.config import InterlockOptions, read_config


def options_of(value: Any) -> tuple[InterlockOptions, list[str | None], list[str | None]]:
    config = read_config(json.dumps({"mcpServers": {}, "interlock": value}), environ={})
    return (
        config.options,
        [fault.field for fault in config.faults],
        [warning.field for warning in config.warnings],
    )


def test_without_the_key_the_defaults_hold() -> None:
    config = read_config('{"mcpServers": {}}', environ={})

    assert InterlockOptions(naming="prefix", aliases={}, open=False) == config.options


def test_all_options_are_read() -> None:
    said = {"naming": "plain", "aliases": {"search": "github__search"}, "open": True}

    options = InterlockOptions(naming="plain", aliases={"search": "github__search"}, open=True)
    assert (options, [], []) == options_of(said)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ([], "interlock"),
        ({"naming": "short"}, "interlock.naming"),
        ({"naming": ["plain"]}, "interlock.naming"),
        ({"aliases": ["a"]}, "interlock.aliases"),
        ({"aliases": {"a b": "s__t"}}, "interlock.aliases.a b"),
        ({"aliases": {"a": "tool"}}, "interlock.aliases.a"),
        ({"aliases": {"a": "__tool"}}, "interlock.aliases.a"),
        ({"aliases": {"a": 1}}, "interlock.aliases.a"),
        ({"open": "yes"}, "interlock.open"),
        ({"open": 1}, "interlock.open"),
    ],
)
def test_a_wrong_option_is_a_fault_and_keeps_its_default(said: Any, field: str) -> None:
    assert (InterlockOptions(), [field], []) == options_of(said)


def test_an_unknown_option_is_named() -> None:
    assert (InterlockOptions(), [], ["interlock.opne"]) == options_of({"opne": True})


def test_an_option_written_twice_is_a_fault() -> None:
    text = '{"mcpServers": {}, "interlock": {"open": false, "open": true}}'
    config = read_config(text, environ={})

    assert not config.options.open
    assert [fault.field for fault in config.faults] == ["interlock.open"]
