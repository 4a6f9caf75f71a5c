"""Langflow: the JSON that its dialog for a new MCP server takes."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
)

FORMAT = ClientFormat(
    id="langflow",
    title="Langflow",
    file_hint="Settings > MCP Servers > Add MCP Server > JSON",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses."""
    return to_json(
        {
            "mcpServers": {
                name: {"url": endpoint.url, "headers": bearer(key)}
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
