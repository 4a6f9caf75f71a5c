"""Codex: a table per server in TOML; the key comes from an environment variable or a header."""

from collections.abc import Iterator, Sequence

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    quoted,
    whole_seconds,
)

FORMAT = ClientFormat(
    id="codex",
    title="Codex",
    file_hint="~/.codex/config.toml",
    language="toml",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return one `[mcp_servers.NAME]` table per endpoint."""
    tables = ("\n".join(_table(*entry, key)) for entry in by_entry_name(endpoints).items())
    return "\n\n".join(tables) + "\n"


def _table(name: str, endpoint: Endpoint, key: str | None) -> Iterator[str]:
    yield f"[mcp_servers.{name}]"
    yield f"url = {quoted(endpoint.url)}"
    if key:
        yield f"http_headers = {{ Authorization = {quoted(bearer(key)['Authorization'])} }}"
    else:
        yield f"bearer_token_env_var = {quoted(KEY_VARIABLE)}"
    yield f"tool_timeout_sec = {whole_seconds(endpoint.timeout)}"
    for tool in endpoint.auto_approve:
        yield f"\n[mcp_servers.{name}.tools.{quoted(tool)}]"
        yield 'approval_mode = "approve"'
