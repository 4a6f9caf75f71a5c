"""Every client's own format, in the shapes that its documentation shows."""

import json
from typing import Any

import pytest

from interlock.registry.config import read_config
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget


def test_claude_desktop() -> None:
    text = """{"mcpServers": {"files": {
      "command": "npx", "args": ["-y", "server-filesystem", "/data"], "env": {"A": "1"}
    }}}"""
    config = read_config(text, environ={})

    assert config.dialect == "claude-desktop"
    target = StdioTarget("npx", ("-y", "server-filesystem", "/data"), {"A": "1"})
    assert (ServerDefinition("files", target),) == config.servers


def test_claude_code() -> None:
    text = """{"mcpServers": {
      "api": {
        "type": "http",
        "url": "${BASE:-https://api.example.com}/mcp",
        "headers": {"Authorization": "Bearer ${KEY}"},
        "headersHelper": "/opt/headers.sh",
        "oauth": {"clientId": "x"},
        "alwaysLoad": false,
        "timeout": 600000
      },
      "old": {"type": "sse", "url": "https://old.example.com/events", "timeout": 500}
    }}"""
    config = read_config(text, environ={"KEY": "k"})

    assert config.dialect == "claude-code"
    assert config.servers == (
        ServerDefinition(
            "api",
            HTTPTarget("https://api.example.com/mcp", {"Authorization": "Bearer k"}),
            timeout=600.0,
        ),
        ServerDefinition(
            "old", HTTPTarget("https://old.example.com/events", legacy_sse=True), timeout=500.0
        ),
    )
    noted = [(note.server, note.field) for note in config.warnings]
    assert noted == [("api", "headersHelper"), ("api", "oauth"), ("old", "timeout")]


def test_claude_code_keeps_servers_of_many_projects_in_one_file() -> None:
    same = {"command": "x"}
    document = {
        "numStartups": 5,
        "mcpServers": {"mine": same},
        "projects": {
            "/a": {"mcpServers": {"mine": same, "db": {"command": "one"}}},
            "/b": {"mcpServers": {"db": {"command": "two"}}, "history": []},
            "/c": {},
        },
    }
    config = read_config(json.dumps(document), environ={}, source="/home/ada/.claude.json")

    assert config.dialect == "claude-code"
    assert config.servers == (
        ServerDefinition("mine", StdioTarget("x")),
        ServerDefinition("db", StdioTarget("one")),
    )
    (fault,) = config.faults
    assert fault.server == "db"
    assert "'/b'" in fault.message


def test_cursor() -> None:
    text = """{"mcpServers": {
      "remote": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${env:KEY}"}},
      "local": {"command": "node", "args": ["${workspaceFolder}/x.js", "${userHome}"],
                "envFile": ".env"}
    }}"""
    config = read_config(
        text, environ={"KEY": "k", "HOME": "/home/ada"}, source="/srv/shop/.cursor/mcp.json"
    )

    assert config.dialect == "cursor"
    assert config.servers == (
        ServerDefinition("remote", HTTPTarget("https://h/mcp", {"Authorization": "Bearer k"})),
        ServerDefinition("local", StdioTarget("node", ("/srv/shop/x.js", "/home/ada"))),
    )
    assert [(note.server, note.field) for note in config.warnings] == [("local", "envFile")]


VSCODE = """{
  // The key is asked for once.
  "inputs": [
    {"type": "promptString", "id": "key", "description": "API key", "password": true},
    {"type": "promptString", "id": "region", "default": "eu"},
  ],
  "servers": {
    "remote": {
      "type": "http", "url": "https://${input:region}.h/mcp",
      "headers": {"X-Key": "${input:key}"},
    },
    "local": {"type": "stdio", "command": "node", "dev": {"watch": "**"}},
  },
}"""


def test_vscode() -> None:
    config = read_config(VSCODE, environ={}, inputs={"key": "k"})

    assert config.dialect == "vscode"
    assert config.servers == (
        ServerDefinition("remote", HTTPTarget("https://eu.h/mcp", {"X-Key": "k"})),
        ServerDefinition("local", StdioTarget("node")),
    )
    assert config.faults == ()
    assert [(note.server, note.field) for note in config.warnings] == [("local", "dev")]


def test_vscode_inputs_without_a_value_are_named_and_stop_only_who_needs_them() -> None:
    config = read_config(VSCODE, environ={})

    assert [server.name for server in config.servers] == ["local"]
    assert [(f.server, f.field) for f in config.faults] == [("remote", "headers.X-Key")]
    assert (None, "inputs.key") in [(note.server, note.field) for note in config.warnings]


def test_vscode_settings() -> None:
    text = """{
      "editor.fontSize": 14,
      "mcp": {"inputs": [{"id": "k", "type": "promptString"}],
              "servers": {"a": {"command": "x", "env": {"K": "${input:k}"}}}}
    }"""
    config = read_config(text, environ={}, inputs={"k": "1"}, source="settings.json")

    assert config.dialect == "vscode"
    assert (ServerDefinition("a", StdioTarget("x", env={"K": "1"})),) == config.servers


def test_cline() -> None:
    text = """{"mcpServers": {
      "remote": {"type": "streamableHttp", "url": "https://h/mcp", "timeout": 120,
                 "autoApprove": ["search"], "disabled": true},
      "roo": {"command": "x", "alwaysAllow": ["read"]},
      "untyped": {"url": "https://h/other"}
    }}"""
    config = read_config(text, environ={})

    assert config.dialect == "cline"
    assert config.servers == (
        ServerDefinition(
            "remote",
            HTTPTarget("https://h/mcp"),
            timeout=120.0,
            auto_approve=("search",),
            disabled=True,
        ),
        ServerDefinition("roo", StdioTarget("x"), auto_approve=("read",)),
        ServerDefinition("untyped", HTTPTarget("https://h/other")),
    )
    assert [(note.server, note.field) for note in config.warnings] == [("untyped", "url")]


def test_windsurf() -> None:
    text = """{"mcpServers": {"a": {
      "serverUrl": "https://h/mcp", "headers": {"A": "${env:KEY}"}, "disabledTools": ["drop"]
    }}}"""
    config = read_config(text, environ={"KEY": "k"})

    assert config.dialect == "windsurf"
    target = HTTPTarget("https://h/mcp", {"A": "k"})
    assert (ServerDefinition("a", target, disabled_tools=("drop",)),) == config.servers
    assert config.warnings == ()


def test_codex() -> None:
    text = """
    model = "gpt-5"

    [mcp_servers.local]
    command = "npx"
    args = ["-y", "x"]
    env = { A = "1" }
    env_vars = ["KEY", { name = "REGION", source = "local" }, "GONE"]
    startup_timeout_sec = 20
    enabled = false

    [mcp_servers.remote]
    url = "https://h/mcp"
    bearer_token_env_var = "KEY"
    http_headers = { X-A = "a" }
    env_http_headers = { X-Region = "REGION" }
    tool_timeout_sec = 90.5
    enabled_tools = ["search", "drop"]
    disabled_tools = ["drop"]

    [mcp_servers.remote.tools.search]
    approval_mode = "approve"

    [mcp_servers.remote.tools.drop]
    approval_mode = "prompt"

    [mcp_servers.locked]
    url = "https://h/other"
    bearer_token_env_var = "GONE"
    """
    config = read_config(text, environ={"KEY": "k", "REGION": "eu"})

    assert config.dialect == "codex"
    assert config.servers == (
        ServerDefinition(
            "local",
            StdioTarget("npx", ("-y", "x"), {"A": "1", "KEY": "k", "REGION": "eu"}),
            disabled=True,
        ),
        ServerDefinition(
            "remote",
            HTTPTarget(
                "https://h/mcp", {"X-A": "a", "X-Region": "eu", "Authorization": "Bearer k"}
            ),
            timeout=90.5,
            auto_approve=("search",),
            disabled_tools=("drop",),
        ),
    )
    assert [(f.server, f.field) for f in config.faults] == [("locked", "bearer_token_env_var")]
    noted = [(note.server, note.field) for note in config.warnings]
    assert noted == [
        ("local", "startup_timeout_sec"),
        ("local", "env_vars[2]"),
        ("remote", "enabled_tools"),
    ]


def test_gemini_cli() -> None:
    text = """{
      "mcp": {"excluded": ["old"]},
      "mcpServers": {
        "http": {"httpUrl": "https://h/mcp", "timeout": 5000, "trust": true},
        "events": {"url": "https://h/events", "headers": {"A": "$KEY"}},
        "typed": {"url": "https://h/typed", "type": "http"},
        "local": {"command": "x", "env": {"A": "${KEY}", "PASSWORD": "pa$word"},
                  "includeTools": ["a"], "excludeTools": ["b", "c"], "trust": false}
      }
    }"""
    config = read_config(text, environ={"KEY": "k"})

    assert config.dialect == "gemini-cli"
    assert config.servers == (
        ServerDefinition("http", HTTPTarget("https://h/mcp"), timeout=5.0),
        ServerDefinition("events", HTTPTarget("https://h/events", {"A": "k"}, legacy_sse=True)),
        ServerDefinition("typed", HTTPTarget("https://h/typed")),
        ServerDefinition(
            "local",
            StdioTarget("x", env={"A": "k", "PASSWORD": "pa$word"}),
            disabled_tools=("b", "c"),
        ),
    )
    noted = [(note.server, note.field) for note in config.warnings]
    assert noted == [
        ("http", "trust"),
        ("local", "includeTools"),
        ("local", "env.PASSWORD"),
        (None, "mcp.excluded"),
    ]
    assert [note.message for note in config.warnings if "$word" in note.message] == []


@pytest.mark.parametrize(
    ("source", "dialect"),
    [
        ("/home/ada/.config/Claude/claude_desktop_config.json", "claude-desktop"),
        ("C:\\Users\\Ada\\shop\\.mcp.json", "claude-code"),
        ("~/.claude.json", "claude-code"),
        ("shop/.cursor/mcp.json", "cursor"),
        ("cline_mcp_settings.json", "cline"),
        ("~/.codeium/windsurf/mcp_config.json", "windsurf"),
        ("~/.gemini/settings.json", "gemini-cli"),
        ("servers.json", "generic"),
        ("my.mcp.json", "generic"),
        ("", "generic"),
    ],
)
def test_the_name_of_the_file_tells_the_client(source: str, dialect: str) -> None:
    text = '{"mcpServers": {"a": {"url": "https://h/mcp"}}}'

    assert dialect == read_config(text, environ={}, source=source).dialect


@pytest.mark.parametrize(
    ("source", "amount", "seconds", "warned"),
    [
        ("", 60, 60.0, False),
        ("", 30_000, 30_000.0, True),
        ("cline_mcp_settings.json", 60, 60.0, False),
        ("~/.gemini/settings.json", 500, 0.5, False),
        (".mcp.json", 30_000, 30.0, False),
        (".mcp.json", 60, 60.0, True),
    ],
)
def test_a_timeout_is_in_the_unit_of_its_client(
    source: str, amount: int, seconds: float, warned: bool
) -> None:
    servers: dict[str, Any] = {"a": {"command": "x", "timeout": amount}}
    config = read_config(json.dumps({"mcpServers": servers}), environ={}, source=source)

    assert [seconds] == [server.timeout for server in config.servers]
    assert warned == bool(config.warnings)
