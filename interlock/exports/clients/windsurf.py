"""Windsurf: `mcpServers` with `serverUrl`; `${env:NAME}` reads the environment."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
)

FORMAT = ClientFormat(
    id="windsurf",
    title="Windsurf",
    file_hint="~/.codeium/windsurf/mcp_config.json",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses."""
    headers = bearer(key, otherwise=f"${{env:{KEY_VARIABLE}}}")
    return to_json(
        {
            "mcpServers": {
                name: {"serverUrl": endpoint.url, "headers": headers}
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
