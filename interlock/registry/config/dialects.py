"""The formats of the clients, told apart by the name of the file and by what is in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.registry.config.values import kind
from interlock.upstreams.definition import TransportName


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one client reads what others read differently.

    `milliseconds` is the unit of `timeout`; a value below `shortest` is one that the client
    itself ignores. `untyped_url` is what an address without a type means; where
    `doubtful_url` is set, the client and Interlock differ in it.
    """

    name: str
    milliseconds: bool = False
    shortest: float = 0
    bare_variables: bool = False
    untyped_url: TransportName = "streamable-http"
    doubtful_url: bool = False


GENERIC = Dialect("generic")
CLAUDE_DESKTOP = Dialect("claude-desktop")
CLAUDE_CODE = Dialect("claude-code", milliseconds=True, shortest=1000)
CURSOR = Dialect("cursor")
VSCODE = Dialect("vscode")
CLINE = Dialect("cline", doubtful_url=True)
WINDSURF = Dialect("windsurf")
CODEX = Dialect("codex")
GEMINI_CLI = Dialect("gemini-cli", milliseconds=True, bare_variables=True, untyped_url="sse")


@dataclass(frozen=True, slots=True)
class Table:
    """Servers by name as the document holds them; `place` says where, empty at the top."""

    servers: JSONObject
    place: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the servers of a document are, and whose format it is."""

    dialect: Dialect
    tables: tuple[Table, ...]
    inputs: tuple[JSONObject, ...] = ()


def find_servers(document: Any, *, source: str, toml: bool) -> Found:
    """Find the tables of servers in a parsed configuration.

    Raises BadInput where there are none.
    """
    root = as_object(document)
    if root is None:
        raise BadInput(f"The configuration is {kind(document)}. Put the servers into an object.")
    tables = tuple(_tables(root))
    if not tables:
        raise BadInput(
            "The configuration has no servers. Put them under mcpServers, under servers (VS Code) "
            "or under [mcp_servers.NAME] (Codex)."
        )
    inputs = [root.get("inputs"), (as_object(root.get("mcp")) or {}).get("inputs")]
    return Found(
        dialect=CODEX if toml else _recognise(root, tables, source),
        tables=tables,
        inputs=tuple(
            declared
            for group in inputs
            for entry in as_list(group) or ()
            if (declared := as_object(entry)) is not None
        ),
    )


def _tables(root: JSONObject) -> Iterator[Table]:
    found = False
    for key in ("mcpServers", "servers", "mcp_servers"):
        if key in root:
            found = True
            yield Table(_table(root[key], key))
    editor = as_object(root.get("mcp")) or {}
    if "servers" in editor:
        found = True
        yield Table(_table(editor["servers"], "mcp.servers"))
    for path, project in (as_object(root.get("projects")) or {}).items():
        found = True
        members = as_object(project) or {}
        if members.get("mcpServers") is not None:
            yield Table(_table(members["mcpServers"], "mcpServers"), f"of the project {path!r}")
    if not found and root and all(_looks_like_server(entry) for entry in root.values()):
        yield Table(root)


def _table(value: Any, key: str) -> JSONObject:
    servers = as_object(value)
    if servers is None:
        raise BadInput(
            f"{key} is {kind(value)}. Make it an object with one member per server, "
            'such as {"name": {"command": "…"}}.'
        )
    return servers


def _looks_like_server(entry: Any) -> bool:
    fields = as_object(entry) or {}
    return any(key in fields for key in ("command", "url", "serverUrl", "httpUrl"))


def _recognise(root: JSONObject, tables: Sequence[Table], source: str) -> Dialect:
    if "mcpServers" not in root and ("servers" in root or "mcp" in root):
        return VSCODE
    path = source.replace("\\", "/").lower()
    for pattern, dialect in _FILES:
        if pattern.search(path):
            return dialect
    if "projects" in root:
        return CLAUDE_CODE
    servers = [as_object(entry) or {} for table in tables for entry in table.servers.values()]
    for marks, types, dialect in _MARKS:
        if any(marks & fields.keys() or fields.get("type") in types for fields in servers):
            return dialect
    if servers and all("command" in fields for fields in servers):
        return CLAUDE_DESKTOP
    return GENERIC


_FILES = tuple(
    (re.compile(rf"(?:^|/){pattern}$"), dialect)
    for pattern, dialect in (
        (r"claude_desktop_config\.json", CLAUDE_DESKTOP),
        (r"\.mcp\.json", CLAUDE_CODE),
        (r"\.claude\.json", CLAUDE_CODE),
        (r"\.cursor/mcp\.json", CURSOR),
        (r"\.vscode/mcp\.json", VSCODE),
        (r"cline_mcp_settings\.json", CLINE),
        (r"mcp_config\.json", WINDSURF),
        (r"\.gemini/settings\.json", GEMINI_CLI),
    )
)

# The first line that fits decides, so the marks that only one client has come first.
_MARKS: tuple[tuple[frozenset[str], tuple[str, ...], Dialect], ...] = (
    (frozenset({"serverUrl"}), (), WINDSURF),
    (
        frozenset({"httpUrl", "includeTools", "excludeTools", "authProviderType", "trust"}),
        (),
        GEMINI_CLI,
    ),
    (frozenset({"autoApprove", "alwaysAllow"}), ("streamableHttp",), CLINE),
    (frozenset({"headersHelper", "alwaysLoad"}), ("http", "ws"), CLAUDE_CODE),
    (frozenset({"envFile", "auth"}), (), CURSOR),
)
