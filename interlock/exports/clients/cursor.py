"""Cursor: `mcpServers` with addresses; `${env:NAME}` reads the environment."""

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
    id="cursor",
    title="Cursor",
    file_hint="~/.cursor/mcp.json, or .cursor/mcp.json in the project folder",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses; Cursor finds out the transport by itself."""
    headers = bearer(key, otherwise=f"${{env:{KEY_VARIABLE}}}")
    return to_json(
        {
            "mcpServers": {
                name: {"url": endpoint.url, "headers": headers}
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
