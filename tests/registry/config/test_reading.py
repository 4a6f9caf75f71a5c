import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.registry.config import ImportedConfig, read_config
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget


def read(servers: Any, **said: Any) -> ImportedConfig:
    return read_config(json.dumps({"mcpServers": servers}), environ=said)


def test_servers_keep_the_order_of_the_file() -> None:
    config = read({"b": {"command": "x"}, "a": {"url": "http://h/mcp"}, "c": {"command": "y"}})

    assert config.servers == (
        ServerDefinition("b", StdioTarget("x")),
        ServerDefinition("a", HTTPTarget("http://h/mcp")),
        ServerDefinition("c", StdioTarget("y")),
    )
    assert (config.faults, config.warnings) == ((), ())


def test_references_are_expanded_in_every_field_that_takes_them() -> None:
    config = read(
        {
            "a": {
                "command": "${V}",
                "args": ["--x=${V}"],
                "env": {"${V}": "${V}"},
                "cwd": "/${V}",
                "description": "${V}",
            },
            "b": {"url": "http://${V}/mcp", "headers": {"X": "${V}"}},
        },
        V="v",
    )

    assert config.servers == (
        ServerDefinition(
            "a", StdioTarget("v", ("--x=v",), {"${V}": "v"}, "/v"), description="${V}"
        ),
        ServerDefinition("b", HTTPTarget("http://v/mcp", {"X": "v"})),
    )


def test_a_fault_in_one_server_leaves_the_others() -> None:
    config = read(
        {
            "good": {"command": "x"},
            "bad": {"command": "x", "env": {"TOKEN": "${TOKEN}", "KEY": "${KEY}"}},
            "worse": 5,
            "fine": {"command": "y"},
        }
    )

    assert [server.name for server in config.servers] == ["good", "fine"]
    places = [(fault.server, fault.field) for fault in config.faults]
    assert places == [("bad", "env.TOKEN"), ("bad", "env.KEY"), ("worse", None)]
    for fault in config.faults[:2]:
        assert fault.server is not None
        assert fault.field is not None
        name = fault.field.removeprefix("env.")
        assert f"'{fault.server}'" in fault.message
        assert f"variable {name} is not set. Set it" in fault.message


def test_an_unknown_field_is_a_warning_and_the_server_is_read() -> None:
    config = read({"a": {"command": "x", "comand_line": "y", "watchPaths": []}})

    assert [server.name for server in config.servers] == ["a"]
    assert [(note.server, note.field) for note in config.warnings] == [("a", "comand_line")]
    assert config.faults == ()


def test_a_server_written_twice_is_a_fault_of_the_later_one() -> None:
    text = '{"mcpServers": {"a": {"command": "first"}, "a": {"command": "second"}}}'
    config = read_config(text, environ={})

    assert (ServerDefinition("a", StdioTarget("first")),) == config.servers
    assert [fault.server for fault in config.faults] == ["a"]


def test_a_field_written_twice_is_a_fault_of_its_server() -> None:
    text = """{"mcpServers": {
      "a": {"command": "x", "env": {"K": "1", "K": "2"}},
      "b": {"command": "x"}
    }}"""
    config = read_config(text, environ={})

    assert [server.name for server in config.servers] == ["b"]
    assert [(fault.server, fault.field) for fault in config.faults] == [("a", "env.K")]


def test_a_list_of_servers_written_twice_is_a_fault_of_the_file() -> None:
    text = '{"mcpServers": {"a": {"command": "x"}}, "mcpServers": {"b": {"command": "x"}}}'
    config = read_config(text, environ={})

    assert [server.name for server in config.servers] == ["a"]
    assert [(fault.server, fault.field) for fault in config.faults] == [(None, "mcpServers")]


def test_a_disabled_server_that_says_nothing_more_is_left_out_with_a_warning() -> None:
    config = read({"migrating": {"type": "stdio", "disabled": True}})

    assert (config.servers, config.faults) == ((), ())
    assert [note.server for note in config.warnings] == ["migrating"]


def test_empty_texts_and_nulls_of_exported_settings_count_as_absent() -> None:
    config = read({"a": {"command": "x", "url": "", "env": None, "cwd": "", "args": []}})

    assert (ServerDefinition("a", StdioTarget("x")),) == config.servers
    assert (config.faults, config.warnings) == ((), ())


def test_fields_of_the_other_transport_are_left_out_with_a_warning() -> None:
    config = read({"a": {"url": "http://h/mcp", "env": {"A": "1"}, "args": []}})

    assert (ServerDefinition("a", HTTPTarget("http://h/mcp")),) == config.servers
    assert [(note.server, note.field) for note in config.warnings] == [("a", "env")]


def test_servers_without_a_frame_are_read_too() -> None:
    config = read_config('{"a": {"command": "x"}, "b": {"url": "http://h"}}', environ={})

    assert [server.name for server in config.servers] == ["a", "b"]


def test_a_byte_order_mark_is_no_fault() -> None:
    config = read_config('\ufeff{"mcpServers": {"a": {"command": "x"}}}', environ={})

    assert [server.name for server in config.servers] == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ('{"mcpServers": {', "(line 1, column 17)"),
        ("[mcp_servers.a\ncommand = 1", "(at line 1, column 15)"),
        ("servers:\n  - a", "neither JSON nor valid TOML"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("[1, 2]", "is a list"),
        ('"text"', "is a text"),
        ("{}", "has no servers"),
        ('{"other": 1}', "has no servers"),
        ('{"mcpServers": []}', "mcpServers is a list"),
        ('{"servers": "x"}', "servers is a text"),
        ('{"projects": {"/p": {"mcpServers": 1}}}', "mcpServers is a number"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_config(text, environ={})

    assert said in refusal.value.message
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"command": "x", "env_vars": ["A", 1]}, "env_vars[1]"),
        ({"command": "x", "env_vars": "A"}, "env_vars"),
        ({"url": "http://h", "env_http_headers": {"X Y": "A"}}, "env_http_headers.X Y"),
        ({"url": "http://h", "env_http_headers": {"X": 1}}, "env_http_headers.X"),
        ({"url": "http://h", "bearer_token_env_var": "B"}, "bearer_token_env_var"),
        ({"httpUrl": "http://h", "timeout": 0}, "timeout"),
    ],
)
def test_a_wrong_field_of_a_client_is_named(fields: dict[str, Any], field: str) -> None:
    config = read({"a": fields}, A="1")

    assert [("a", field)] == [(fault.server, fault.field) for fault in config.faults]


def test_a_variable_set_to_null_is_not_passed_on() -> None:
    config = read({"a": {"command": "x", "env": {"A": None, "B": "1"}}})

    assert (ServerDefinition("a", StdioTarget("x", env={"B": "1"})),) == config.servers


SECRET = "hunter2-hunter2"


def test_no_secret_shows_in_a_fault_or_a_warning() -> None:
    wrong = [SECRET, {"x": SECRET}, [SECRET, {SECRET: 1}], f"{SECRET}\0", f"{SECRET} ${{"]
    fields = ["command", "args", "env", "cwd", "url", "headers", "timeout", "oauth", "disabled"]
    servers = {
        f"{field}{index}": {"command": "x", field: value}
        for field in fields
        for index, value in enumerate(wrong)
    } | {"m": {"url": "http://h", "headers": {"A": f"{SECRET}\n"}}, "n": {"url": SECRET}}
    config = read(servers)

    said = [remark.message for remark in (*config.faults, *config.warnings)]
    assert len(said) > len(servers) / 2
    assert [message for message in said if SECRET in message] == []


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["stdio", "http", "http://h/sse", "${A}", "$A", "${input:a}", "/", ""])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["A", "b", "name", "id", "approval_mode"]), inner)
    ),
    max_leaves=6,
)
_SERVER = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "command",
            "args",
            "env",
            "env_vars",
            "cwd",
            "url",
            "httpUrl",
            "headers",
            "env_http_headers",
            "tools",
            "enabled",
            "bearer_token_env_var",
            "timeout",
            "tool_timeout_sec",
            "autoApprove",
            "disabled",
            "description",
            "x",
        ]
    ),
    _VALUES,
)
_DOCUMENT = st.dictionaries(
    st.sampled_from(["mcpServers", "servers", "mcp", "projects", "inputs", "interlock"]),
    st.dictionaries(st.text(max_size=4), _SERVER | _VALUES, max_size=3) | _VALUES,
)


@given(_DOCUMENT, st.sampled_from(["", ".gemini/settings.json", "/p/.vscode/mcp.json"]))
@settings(deadline=None, max_examples=300)
def test_any_document_is_read_or_refused_in_words(document: Any, source: str) -> None:
    config, refusal = None, ""
    try:
        config = read_config(json.dumps(document), environ={"A": "1"}, source=source)
    except BadInput as error:
        refusal = error.message

    assert (config is None) == bool(refusal)
    remarks = (*config.faults, *config.warnings) if config else ()
    assert all(remark.message.endswith(".") for remark in remarks)
